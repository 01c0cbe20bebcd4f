-- What may never be changed. The code has no statement that tries; these triggers refuse whoever
-- does it by another way.

CREATE TRIGGER schedule_fires_no_update BEFORE UPDATE ON schedule_fires
BEGIN
    SELECT RAISE(ABORT, 'schedule_fires is append-only');
END;

CREATE TRIGGER schedule_fires_no_delete BEFORE DELETE ON schedule_fires
BEGIN
    SELECT RAISE(ABORT, 'schedule_fires is append-only');
END;

CREATE TRIGGER log_leaves_no_update BEFORE UPDATE ON log_leaves
BEGIN
    SELECT RAISE(ABORT, 'log_leaves is append-only');
END;

CREATE TRIGGER log_leaves_no_delete BEFORE DELETE ON log_leaves
BEGIN
    SELECT RAISE(ABORT, 'log_leaves is append-only');
END;

CREATE TRIGGER log_checkpoints_no_update BEFORE UPDATE ON log_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'log_checkpoints is append-only');
END;

CREATE TRIGGER log_checkpoints_no_delete BEFORE DELETE ON log_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'log_checkpoints is append-only');
END;

CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents
BEGIN
    SELECT RAISE(ABORT, 'documents is append-only');
END;

CREATE TRIGGER documents_no_delete BEFORE DELETE ON documents
BEGIN
    SELECT RAISE(ABORT, 'documents is append-only');
END;

CREATE TRIGGER certificate_topics_no_update BEFORE UPDATE ON certificate_topics
BEGIN
    SELECT RAISE(ABORT, 'certificate_topics is append-only');
END;

CREATE TRIGGER certificate_topics_no_delete BEFORE DELETE ON certificate_topics
BEGIN
    SELECT RAISE(ABORT, 'certificate_topics is append-only');
END;

-- An attempt is written on until it ends, and never after.
CREATE TRIGGER attempts_no_update BEFORE UPDATE ON attempts
WHEN OLD.ended_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an attempt that has ended is append-only');
END;

CREATE TRIGGER attempts_no_delete BEFORE DELETE ON attempts
BEGIN
    SELECT RAISE(ABORT, 'attempts is append-only');
END;

-- Shredding is the one change of a detail: the sealed bytes go, all else stays.
CREATE TRIGGER evidence_details_no_update BEFORE UPDATE ON evidence_details
WHEN OLD.sealed IS NULL OR NEW.sealed IS NOT NULL
    OR NEW.detail_sha256 IS NOT OLD.detail_sha256
    OR NEW.entry_id IS NOT OLD.entry_id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.job_id IS NOT OLD.job_id
    OR NEW.kind IS NOT OLD.kind
    OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'evidence_details is append-only, except for shredding');
END;

CREATE TRIGGER evidence_details_no_delete BEFORE DELETE ON evidence_details
BEGIN
    SELECT RAISE(ABORT, 'evidence_details is append-only');
END;

-- A certificate gains its bundle and, later, a successor; its words stay.
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
WHEN OLD.bundle IS NOT NULL AND NEW.bundle IS NULL
    OR OLD.superseded_by IS NOT NULL AND NEW.superseded_by IS NOT OLD.superseded_by
    OR NEW.id IS NOT OLD.id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.class IS NOT OLD.class
    OR NEW.overall IS NOT OLD.overall
    OR NEW.issued_at IS NOT OLD.issued_at
    OR NEW.entry_id IS NOT OLD.entry_id
    OR NEW.statement IS NOT OLD.statement
    OR NEW.envelope IS NOT OLD.envelope
    OR NEW.manifest IS NOT OLD.manifest
BEGIN
    SELECT RAISE(ABORT, 'the words of a certificate are append-only');
END;

CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
BEGIN
    SELECT RAISE(ABORT, 'certificates is append-only');
END;

-- A log only grows and is never opened again.
CREATE TRIGGER logs_no_shrinking BEFORE UPDATE ON logs
WHEN NEW.size < OLD.size OR NEW.log_id <> OLD.log_id OR NEW.origin <> OLD.origin
    OR OLD.state = 'closed'
BEGIN
    SELECT RAISE(ABORT, 'a log only grows');
END;

CREATE TRIGGER logs_no_delete BEFORE DELETE ON logs
BEGIN
    SELECT RAISE(ABORT, 'logs is append-only');
END;

CREATE TRIGGER log_tiles_no_shrinking BEFORE UPDATE ON log_tiles
WHEN length(NEW.data) < length(OLD.data) OR substr(NEW.data, 1, length(OLD.data)) <> OLD.data
    OR NEW.log_id IS NOT OLD.log_id
    OR NEW.level IS NOT OLD.level
    OR NEW.n IS NOT OLD.n
BEGIN
    SELECT RAISE(ABORT, 'a tile only grows');
END;

CREATE TRIGGER log_tiles_no_delete BEFORE DELETE ON log_tiles
BEGIN
    SELECT RAISE(ABORT, 'log_tiles is append-only');
END;

-- What a case was opened for, and under which rules, stays as it was.
CREATE TRIGGER cases_no_rewriting BEFORE UPDATE ON cases
WHEN NEW.id IS NOT OLD.id
    OR NEW.cause IS NOT OLD.cause
    OR NEW.schedule IS NOT OLD.schedule
    OR NEW.due_at IS NOT OLD.due_at
    OR NEW.moment IS NOT OLD.moment
    OR NEW.rules_digest IS NOT OLD.rules_digest
    OR NEW.map_digest IS NOT OLD.map_digest
    OR NEW.plan IS NOT OLD.plan
    OR NEW.plan_digest IS NOT OLD.plan_digest
    OR NEW.authors IS NOT OLD.authors
    OR NEW.opened_by IS NOT OLD.opened_by
    OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'what a case was opened for is append-only');
END;

CREATE TRIGGER cases_no_delete BEFORE DELETE ON cases
BEGIN
    SELECT RAISE(ABORT, 'cases is append-only');
END;

CREATE TRIGGER jobs_no_rewriting BEFORE UPDATE ON jobs
WHEN NEW.id IS NOT OLD.id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.system IS NOT OLD.system
    OR NEW.kind IS NOT OLD.kind
    OR NEW.payload IS NOT OLD.payload
    OR NEW.created_at IS NOT OLD.created_at
    OR NEW.attempt < OLD.attempt
BEGIN
    SELECT RAISE(ABORT, 'what a job was written for is append-only');
END;

CREATE TRIGGER jobs_no_delete BEFORE DELETE ON jobs
BEGIN
    SELECT RAISE(ABORT, 'jobs is append-only');
END;

-- A hold is released once, and then it may lose its sealed values; a pause ends once.
CREATE TRIGGER holds_no_rewriting BEFORE UPDATE ON holds
WHEN NEW.id IS NOT OLD.id
    OR NEW.matter IS NOT OLD.matter
    OR NEW.scope IS NOT OLD.scope
    OR NEW.reason IS NOT OLD.reason
    OR NEW.placed_by IS NOT OLD.placed_by
    OR NEW.placed_at IS NOT OLD.placed_at
    OR OLD.released_at IS NOT NULL AND (NEW.released_at IS NOT OLD.released_at OR NEW.released_by IS NOT OLD.released_by)
    OR NEW.sealed IS NOT OLD.sealed AND (NEW.sealed IS NOT NULL OR NEW.released_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'a hold is append-only, except for its release');
END;

CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds
BEGIN
    SELECT RAISE(ABORT, 'holds is append-only');
END;

CREATE TRIGGER pauses_no_rewriting BEFORE UPDATE ON pauses
WHEN OLD.resumed_at IS NOT NULL
    OR NEW.id IS NOT OLD.id
    OR NEW.scope IS NOT OLD.scope
    OR NEW.name IS NOT OLD.name
    OR NEW.paused_by IS NOT OLD.paused_by
    OR NEW.reason IS NOT OLD.reason
    OR NEW.paused_at IS NOT OLD.paused_at
BEGIN
    SELECT RAISE(ABORT, 'a pause is append-only, except for its end');
END;

CREATE TRIGGER pauses_no_delete BEFORE DELETE ON pauses
BEGIN
    SELECT RAISE(ABORT, 'pauses is append-only');
END;

-- An entry leaves the outbox only into a log.
CREATE TRIGGER evidence_outbox_no_update BEFORE UPDATE ON evidence_outbox
BEGIN
    SELECT RAISE(ABORT, 'evidence_outbox is append-only');
END;

CREATE TRIGGER evidence_outbox_no_loss BEFORE DELETE ON evidence_outbox
WHEN NOT EXISTS (SELECT 1 FROM log_leaves WHERE log_leaves.entry_id = OLD.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'evidence_outbox is append-only, except into a log');
END;
