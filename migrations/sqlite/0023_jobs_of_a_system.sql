-- The oldest jobs of a system that wait are asked for with every claim of several: that must not cost
-- more the more jobs of other systems wait before them.

CREATE INDEX jobs_of_a_system ON jobs (system, available_at)
    WHERE state IN ('scheduled', 'available', 'waiting');
