-- What is asked again and again by whoever watches: the latest runs of a schedule or of commands, and
-- the few jobs that need somebody among the many that are done.

CREATE INDEX cases_of_schedules ON cases (schedule, created_at) WHERE cause = 'schedule';
CREATE INDEX cases_of_commands ON cases (created_at) WHERE cause = 'command';
CREATE INDEX jobs_failed ON jobs (id) WHERE state = 'failed';
CREATE INDEX jobs_swept ON jobs (system, created_at) WHERE kind = 'sweep' AND state = 'completed';
CREATE INDEX certificates_to_prove ON certificates (issued_at) WHERE state = 'signed';
