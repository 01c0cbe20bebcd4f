-- Nothing that may not be changed can be replaced: `INSERT OR REPLACE` deletes the row in its way
-- without asking the delete triggers, and `UPDATE OR REPLACE` the row whose key it takes. Where the
-- code passes over what is there already, so do these triggers; elsewhere they refuse. And further
-- laws: approvals, what a settled job has done, and the frontier of a log of unchanged size.

CREATE TRIGGER schedule_fires_no_replacing BEFORE INSERT ON schedule_fires
WHEN EXISTS (SELECT 1 FROM schedule_fires WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'schedule_fires is append-only');
END;

CREATE TRIGGER schedule_fires_kept BEFORE INSERT ON schedule_fires
WHEN EXISTS (SELECT 1 FROM schedule_fires WHERE schedule = NEW.schedule AND due_at = NEW.due_at)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER log_leaves_no_replacing BEFORE INSERT ON log_leaves
WHEN EXISTS (SELECT 1 FROM log_leaves WHERE log_id = NEW.log_id AND idx = NEW.idx
    OR entry_id = NEW.entry_id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'log_leaves is append-only');
END;

CREATE TRIGGER log_checkpoints_no_replacing BEFORE INSERT ON log_checkpoints
WHEN EXISTS (SELECT 1 FROM log_checkpoints WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'log_checkpoints is append-only');
END;

CREATE TRIGGER log_checkpoints_kept BEFORE INSERT ON log_checkpoints
WHEN EXISTS (SELECT 1 FROM log_checkpoints WHERE log_id = NEW.log_id AND size = NEW.size)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER documents_no_replacing BEFORE INSERT ON documents
WHEN EXISTS (SELECT 1 FROM documents WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'documents is append-only');
END;

CREATE TRIGGER documents_kept BEFORE INSERT ON documents
WHEN EXISTS (SELECT 1 FROM documents WHERE digest = NEW.digest)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER certificate_topics_no_replacing BEFORE INSERT ON certificate_topics
WHEN EXISTS (SELECT 1 FROM certificate_topics WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'certificate_topics is append-only');
END;

CREATE TRIGGER certificate_topics_kept BEFORE INSERT ON certificate_topics
WHEN EXISTS (SELECT 1 FROM certificate_topics WHERE certificate_id = NEW.certificate_id
    AND kind = NEW.kind AND name = NEW.name)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER attempts_no_replacing BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM attempts WHERE job_id = NEW.job_id AND attempt = NEW.attempt
    OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'attempts is append-only');
END;

CREATE TRIGGER evidence_details_no_replacing BEFORE INSERT ON evidence_details
WHEN EXISTS (SELECT 1 FROM evidence_details WHERE detail_sha256 = NEW.detail_sha256
    OR entry_id = NEW.entry_id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'evidence_details is append-only');
END;

CREATE TRIGGER certificates_no_replacing BEFORE INSERT ON certificates
WHEN EXISTS (SELECT 1 FROM certificates WHERE id = NEW.id OR entry_id = NEW.entry_id
    OR case_id = NEW.case_id AND superseded_by IS NULL AND NEW.superseded_by IS NULL
    OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'certificates is append-only');
END;

CREATE TRIGGER logs_no_replacing BEFORE INSERT ON logs
WHEN EXISTS (SELECT 1 FROM logs WHERE log_id <> NEW.log_id AND (origin = NEW.origin OR rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'logs is append-only');
END;

CREATE TRIGGER logs_kept BEFORE INSERT ON logs
WHEN EXISTS (SELECT 1 FROM logs WHERE log_id = NEW.log_id)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER cases_no_replacing BEFORE INSERT ON cases
WHEN EXISTS (SELECT 1 FROM cases WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'cases is append-only');
END;

CREATE TRIGGER cases_kept BEFORE INSERT ON cases
WHEN EXISTS (SELECT 1 FROM cases WHERE schedule = NEW.schedule AND cause = 'schedule' AND state <> 'closed'
    AND NEW.cause = 'schedule' AND NEW.state <> 'closed' AND id <> NEW.id)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER jobs_no_replacing BEFORE INSERT ON jobs
WHEN EXISTS (SELECT 1 FROM jobs WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'jobs is append-only');
END;

CREATE TRIGGER holds_no_replacing BEFORE INSERT ON holds
WHEN EXISTS (SELECT 1 FROM holds WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'holds is append-only');
END;

CREATE TRIGGER pauses_no_replacing BEFORE INSERT ON pauses
WHEN EXISTS (SELECT 1 FROM pauses WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'pauses is append-only');
END;

CREATE TRIGGER pauses_kept BEFORE INSERT ON pauses
WHEN EXISTS (SELECT 1 FROM pauses WHERE scope = NEW.scope AND name = NEW.name
    AND resumed_at IS NULL AND NEW.resumed_at IS NULL AND id <> NEW.id)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER evidence_outbox_no_replacing BEFORE INSERT ON evidence_outbox
WHEN EXISTS (SELECT 1 FROM evidence_outbox WHERE id = NEW.id OR entry_id = NEW.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'evidence_outbox is append-only');
END;

-- A tile is written over by its longer successor only, whichever way it is written.

CREATE TRIGGER log_tiles_no_replacing BEFORE INSERT ON log_tiles
WHEN EXISTS (SELECT 1 FROM log_tiles WHERE log_id = NEW.log_id AND level = NEW.level AND n = NEW.n
    AND (length(NEW.data) < length(data) OR substr(NEW.data, 1, length(data)) <> data)
    OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'a tile only grows');
END;

-- Nor does a row take another's place by an update.

CREATE TRIGGER evidence_details_no_moving BEFORE UPDATE ON evidence_details
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'evidence_details is append-only');
END;

CREATE TRIGGER certificates_no_moving BEFORE UPDATE ON certificates
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'certificates is append-only');
END;

CREATE TRIGGER logs_no_moving BEFORE UPDATE ON logs
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'logs is append-only');
END;

CREATE TRIGGER log_tiles_no_moving BEFORE UPDATE ON log_tiles
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'log_tiles is append-only');
END;

CREATE TRIGGER cases_no_moving BEFORE UPDATE ON cases
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'cases is append-only');
END;

CREATE TRIGGER jobs_no_moving BEFORE UPDATE ON jobs
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'jobs is append-only');
END;

CREATE TRIGGER holds_no_moving BEFORE UPDATE ON holds
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'holds is append-only');
END;

CREATE TRIGGER pauses_no_moving BEFORE UPDATE ON pauses
WHEN NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'pauses is append-only');
END;

CREATE TRIGGER attempts_no_moving BEFORE UPDATE ON attempts
WHEN NEW.rowid IS NOT OLD.rowid OR NEW.job_id IS NOT OLD.job_id
    OR NEW.attempt IS NOT OLD.attempt OR NEW.worker IS NOT OLD.worker
    OR NEW.claimed_at IS NOT OLD.claimed_at
BEGIN
    SELECT RAISE(ABORT, 'attempts is append-only');
END;

CREATE TRIGGER cases_no_overtaking BEFORE UPDATE ON cases
WHEN OLD.state = 'closed' AND NEW.state <> 'closed' AND NEW.cause = 'schedule'
    AND EXISTS (SELECT 1 FROM cases WHERE schedule = NEW.schedule AND cause = 'schedule'
        AND state <> 'closed' AND id <> NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'cases is append-only: the schedule has an open one');
END;

-- Who agreed, and who called it off, stays; a case that waits anew is agreed to anew.

CREATE TRIGGER cases_no_new_decision BEFORE UPDATE ON cases
WHEN OLD.approved_at IS NOT NULL AND (NEW.approved_at IS NULL
        OR OLD.state <> 'awaiting_approval' AND (NEW.approved_at IS NOT OLD.approved_at
            OR NEW.approved_by IS NOT OLD.approved_by
            OR NEW.approved_reason IS NOT OLD.approved_reason))
    OR OLD.cancelled_at IS NOT NULL AND (NEW.cancelled_at IS NOT OLD.cancelled_at
        OR NEW.cancelled_by IS NOT OLD.cancelled_by
        OR NEW.cancelled_reason IS NOT OLD.cancelled_reason)
BEGIN
    SELECT RAISE(ABORT, 'the decisions about a case are append-only');
END;

-- What a settled job has done stays, and only a failed one is tried again.

CREATE TRIGGER jobs_no_new_account BEFORE UPDATE ON jobs
WHEN OLD.settled_at IS NOT NULL AND (NEW.done IS NOT OLD.done
    OR NEW.verification IS NOT OLD.verification
    OR OLD.state <> 'failed' AND (NEW.state IS NOT OLD.state
        OR NEW.settled_at IS NOT OLD.settled_at))
BEGIN
    SELECT RAISE(ABORT, 'what a settled job has done is append-only');
END;

-- A log of the same size is the same log.

CREATE TRIGGER logs_no_other_frontier BEFORE UPDATE ON logs
WHEN NEW.size = OLD.size AND NEW.frontier IS NOT OLD.frontier
BEGIN
    SELECT RAISE(ABORT, 'a log only grows');
END;
