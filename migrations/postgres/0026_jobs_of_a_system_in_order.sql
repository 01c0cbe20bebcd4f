-- Jobs that wait are sought system by system, oldest first, and a claim stops at what it takes: the order
-- has to be the index's, also among those that were made at one moment. What rules make due and looks are
-- sought across all systems, and what asks after something that is under way among the few that do.

CREATE INDEX jobs_of_a_system_in_order ON jobs (system, available_at, id)
    WHERE state IN ('scheduled', 'available', 'waiting');
DROP INDEX jobs_of_a_system;
CREATE INDEX jobs_in_background ON jobs (available_at, id)
    WHERE state IN ('scheduled', 'available', 'waiting') AND kind IN ('sweep', 'backup', 'residue');
CREATE INDEX jobs_that_follow ON jobs (system, available_at, id)
    WHERE state IN ('scheduled', 'available', 'waiting') AND reference IS NOT NULL;
