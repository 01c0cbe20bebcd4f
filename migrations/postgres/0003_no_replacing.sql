-- Further laws of what may not be changed: approvals, what a settled job has done, and the frontier
-- of a log of unchanged size. PostgreSQL replaces no row unasked; SQLite's file has guards for that.

CREATE TRIGGER attempts_no_moving BEFORE UPDATE ON attempts
    FOR EACH ROW
    WHEN (NEW.job_id IS DISTINCT FROM OLD.job_id
    OR NEW.attempt IS DISTINCT FROM OLD.attempt
    OR NEW.worker IS DISTINCT FROM OLD.worker
    OR NEW.claimed_at IS DISTINCT FROM OLD.claimed_at) EXECUTE FUNCTION refuse_change('attempts is append-only');

-- Who agreed, and who called it off, stays; a case that waits anew is agreed to anew.

CREATE TRIGGER cases_no_new_decision BEFORE UPDATE ON cases
    FOR EACH ROW
    WHEN (OLD.approved_at IS NOT NULL AND (NEW.approved_at IS NULL
        OR OLD.state <> 'awaiting_approval' AND (NEW.approved_at IS DISTINCT FROM OLD.approved_at
            OR NEW.approved_by IS DISTINCT FROM OLD.approved_by
            OR NEW.approved_reason IS DISTINCT FROM OLD.approved_reason))
    OR OLD.cancelled_at IS NOT NULL AND (NEW.cancelled_at IS DISTINCT FROM OLD.cancelled_at
        OR NEW.cancelled_by IS DISTINCT FROM OLD.cancelled_by
        OR NEW.cancelled_reason IS DISTINCT FROM OLD.cancelled_reason)) EXECUTE FUNCTION refuse_change('the decisions about a case are append-only');

-- What a settled job has done stays, and only a failed one is tried again.

CREATE TRIGGER jobs_no_new_account BEFORE UPDATE ON jobs
    FOR EACH ROW
    WHEN (OLD.settled_at IS NOT NULL AND (NEW.done IS DISTINCT FROM OLD.done
    OR NEW.verification IS DISTINCT FROM OLD.verification
    OR OLD.state <> 'failed' AND (NEW.state IS DISTINCT FROM OLD.state
        OR NEW.settled_at IS DISTINCT FROM OLD.settled_at))) EXECUTE FUNCTION refuse_change('what a settled job has done is append-only');

-- A log of the same size is the same log.

CREATE TRIGGER logs_no_other_frontier BEFORE UPDATE ON logs
    FOR EACH ROW
    WHEN (NEW.size = OLD.size AND NEW.frontier IS DISTINCT FROM OLD.frontier) EXECUTE FUNCTION refuse_change('a log only grows');
