-- What may never be changed. The code has no statement that tries; these triggers refuse whoever
-- does it by another way.

CREATE FUNCTION refuse_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER schedule_fires_no_update BEFORE UPDATE ON schedule_fires
    FOR EACH ROW EXECUTE FUNCTION refuse_change('schedule_fires is append-only');

CREATE TRIGGER schedule_fires_no_delete BEFORE DELETE ON schedule_fires
    FOR EACH ROW EXECUTE FUNCTION refuse_change('schedule_fires is append-only');

CREATE TRIGGER log_leaves_no_update BEFORE UPDATE ON log_leaves
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_leaves is append-only');

CREATE TRIGGER log_leaves_no_delete BEFORE DELETE ON log_leaves
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_leaves is append-only');

CREATE TRIGGER log_checkpoints_no_update BEFORE UPDATE ON log_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_checkpoints is append-only');

CREATE TRIGGER log_checkpoints_no_delete BEFORE DELETE ON log_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_checkpoints is append-only');

CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents
    FOR EACH ROW EXECUTE FUNCTION refuse_change('documents is append-only');

CREATE TRIGGER documents_no_delete BEFORE DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION refuse_change('documents is append-only');

CREATE TRIGGER certificate_topics_no_update BEFORE UPDATE ON certificate_topics
    FOR EACH ROW EXECUTE FUNCTION refuse_change('certificate_topics is append-only');

CREATE TRIGGER certificate_topics_no_delete BEFORE DELETE ON certificate_topics
    FOR EACH ROW EXECUTE FUNCTION refuse_change('certificate_topics is append-only');

-- An attempt is written on until it ends, and never after.
CREATE TRIGGER attempts_no_update BEFORE UPDATE ON attempts
    FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION refuse_change('an attempt that has ended is append-only');

CREATE TRIGGER attempts_no_delete BEFORE DELETE ON attempts
    FOR EACH ROW EXECUTE FUNCTION refuse_change('attempts is append-only');

-- Shredding is the one change of a detail: the sealed bytes go, all else stays.
CREATE TRIGGER evidence_details_no_update BEFORE UPDATE ON evidence_details
    FOR EACH ROW
    WHEN (OLD.sealed IS NULL OR NEW.sealed IS NOT NULL
    OR NEW.detail_sha256 IS DISTINCT FROM OLD.detail_sha256
    OR NEW.entry_id IS DISTINCT FROM OLD.entry_id
    OR NEW.case_id IS DISTINCT FROM OLD.case_id
    OR NEW.job_id IS DISTINCT FROM OLD.job_id
    OR NEW.kind IS DISTINCT FROM OLD.kind
    OR NEW.created_at IS DISTINCT FROM OLD.created_at) EXECUTE FUNCTION refuse_change('evidence_details is append-only, except for shredding');

CREATE TRIGGER evidence_details_no_delete BEFORE DELETE ON evidence_details
    FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence_details is append-only');

-- A certificate gains its bundle and, later, a successor; its words stay.
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
    FOR EACH ROW
    WHEN (OLD.bundle IS NOT NULL AND NEW.bundle IS NULL
    OR OLD.superseded_by IS NOT NULL AND NEW.superseded_by IS DISTINCT FROM OLD.superseded_by
    OR NEW.id IS DISTINCT FROM OLD.id
    OR NEW.case_id IS DISTINCT FROM OLD.case_id
    OR NEW.class IS DISTINCT FROM OLD.class
    OR NEW.overall IS DISTINCT FROM OLD.overall
    OR NEW.issued_at IS DISTINCT FROM OLD.issued_at
    OR NEW.entry_id IS DISTINCT FROM OLD.entry_id
    OR NEW.statement IS DISTINCT FROM OLD.statement
    OR NEW.envelope IS DISTINCT FROM OLD.envelope
    OR NEW.manifest IS DISTINCT FROM OLD.manifest) EXECUTE FUNCTION refuse_change('the words of a certificate are append-only');

CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
    FOR EACH ROW EXECUTE FUNCTION refuse_change('certificates is append-only');

-- A log only grows and is never opened again.
CREATE TRIGGER logs_no_shrinking BEFORE UPDATE ON logs
    FOR EACH ROW
    WHEN (NEW.size < OLD.size OR NEW.log_id <> OLD.log_id OR NEW.origin <> OLD.origin
    OR OLD.state = 'closed') EXECUTE FUNCTION refuse_change('a log only grows');

CREATE TRIGGER logs_no_delete BEFORE DELETE ON logs
    FOR EACH ROW EXECUTE FUNCTION refuse_change('logs is append-only');

CREATE TRIGGER log_tiles_no_shrinking BEFORE UPDATE ON log_tiles
    FOR EACH ROW
    WHEN (length(NEW.data) < length(OLD.data) OR substr(NEW.data, 1, length(OLD.data)) <> OLD.data
    OR NEW.log_id IS DISTINCT FROM OLD.log_id
    OR NEW.level IS DISTINCT FROM OLD.level
    OR NEW.n IS DISTINCT FROM OLD.n) EXECUTE FUNCTION refuse_change('a tile only grows');

CREATE TRIGGER log_tiles_no_delete BEFORE DELETE ON log_tiles
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_tiles is append-only');

-- What a case was opened for, and under which rules, stays as it was.
CREATE TRIGGER cases_no_rewriting BEFORE UPDATE ON cases
    FOR EACH ROW
    WHEN (NEW.id IS DISTINCT FROM OLD.id
    OR NEW.cause IS DISTINCT FROM OLD.cause
    OR NEW.schedule IS DISTINCT FROM OLD.schedule
    OR NEW.due_at IS DISTINCT FROM OLD.due_at
    OR NEW.moment IS DISTINCT FROM OLD.moment
    OR NEW.rules_digest IS DISTINCT FROM OLD.rules_digest
    OR NEW.map_digest IS DISTINCT FROM OLD.map_digest
    OR NEW.plan IS DISTINCT FROM OLD.plan
    OR NEW.plan_digest IS DISTINCT FROM OLD.plan_digest
    OR NEW.authors IS DISTINCT FROM OLD.authors
    OR NEW.opened_by IS DISTINCT FROM OLD.opened_by
    OR NEW.created_at IS DISTINCT FROM OLD.created_at) EXECUTE FUNCTION refuse_change('what a case was opened for is append-only');

CREATE TRIGGER cases_no_delete BEFORE DELETE ON cases
    FOR EACH ROW EXECUTE FUNCTION refuse_change('cases is append-only');

CREATE TRIGGER jobs_no_rewriting BEFORE UPDATE ON jobs
    FOR EACH ROW
    WHEN (NEW.id IS DISTINCT FROM OLD.id
    OR NEW.case_id IS DISTINCT FROM OLD.case_id
    OR NEW.system IS DISTINCT FROM OLD.system
    OR NEW.kind IS DISTINCT FROM OLD.kind
    OR NEW.payload IS DISTINCT FROM OLD.payload
    OR NEW.created_at IS DISTINCT FROM OLD.created_at
    OR NEW.attempt < OLD.attempt) EXECUTE FUNCTION refuse_change('what a job was written for is append-only');

CREATE TRIGGER jobs_no_delete BEFORE DELETE ON jobs
    FOR EACH ROW EXECUTE FUNCTION refuse_change('jobs is append-only');

-- A hold is released once, and then it may lose its sealed values; a pause ends once.
CREATE TRIGGER holds_no_rewriting BEFORE UPDATE ON holds
    FOR EACH ROW
    WHEN (NEW.id IS DISTINCT FROM OLD.id
    OR NEW.matter IS DISTINCT FROM OLD.matter
    OR NEW.scope IS DISTINCT FROM OLD.scope
    OR NEW.reason IS DISTINCT FROM OLD.reason
    OR NEW.placed_by IS DISTINCT FROM OLD.placed_by
    OR NEW.placed_at IS DISTINCT FROM OLD.placed_at
    OR OLD.released_at IS NOT NULL AND (NEW.released_at IS DISTINCT FROM OLD.released_at OR NEW.released_by IS DISTINCT FROM OLD.released_by)
    OR NEW.sealed IS DISTINCT FROM OLD.sealed AND (NEW.sealed IS NOT NULL OR NEW.released_at IS NULL)) EXECUTE FUNCTION refuse_change('a hold is append-only, except for its release');

CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds
    FOR EACH ROW EXECUTE FUNCTION refuse_change('holds is append-only');

CREATE TRIGGER pauses_no_rewriting BEFORE UPDATE ON pauses
    FOR EACH ROW
    WHEN (OLD.resumed_at IS NOT NULL
    OR NEW.id IS DISTINCT FROM OLD.id
    OR NEW.scope IS DISTINCT FROM OLD.scope
    OR NEW.name IS DISTINCT FROM OLD.name
    OR NEW.paused_by IS DISTINCT FROM OLD.paused_by
    OR NEW.reason IS DISTINCT FROM OLD.reason
    OR NEW.paused_at IS DISTINCT FROM OLD.paused_at) EXECUTE FUNCTION refuse_change('a pause is append-only, except for its end');

CREATE TRIGGER pauses_no_delete BEFORE DELETE ON pauses
    FOR EACH ROW EXECUTE FUNCTION refuse_change('pauses is append-only');

-- An entry leaves the outbox only into a log.
CREATE TRIGGER evidence_outbox_no_update BEFORE UPDATE ON evidence_outbox
    FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence_outbox is append-only');

CREATE FUNCTION refuse_loss() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM log_leaves WHERE log_leaves.entry_id = OLD.entry_id) THEN
        RAISE EXCEPTION 'evidence_outbox is append-only, except into a log'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER evidence_outbox_no_loss BEFORE DELETE ON evidence_outbox
    FOR EACH ROW EXECUTE FUNCTION refuse_loss();

-- SQLite has no TRUNCATE.
CREATE TRIGGER schedule_fires_no_truncate BEFORE TRUNCATE ON schedule_fires
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('schedule_fires is append-only');

CREATE TRIGGER log_leaves_no_truncate BEFORE TRUNCATE ON log_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('log_leaves is append-only');

CREATE TRIGGER log_checkpoints_no_truncate BEFORE TRUNCATE ON log_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('log_checkpoints is append-only');

CREATE TRIGGER documents_no_truncate BEFORE TRUNCATE ON documents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('documents is append-only');

CREATE TRIGGER certificate_topics_no_truncate BEFORE TRUNCATE ON certificate_topics
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('certificate_topics is append-only');

CREATE TRIGGER attempts_no_truncate BEFORE TRUNCATE ON attempts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('attempts is append-only');

CREATE TRIGGER evidence_details_no_truncate BEFORE TRUNCATE ON evidence_details
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('evidence_details is append-only');

CREATE TRIGGER certificates_no_truncate BEFORE TRUNCATE ON certificates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('certificates is append-only');

CREATE TRIGGER logs_no_truncate BEFORE TRUNCATE ON logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('logs is append-only');

CREATE TRIGGER log_tiles_no_truncate BEFORE TRUNCATE ON log_tiles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('log_tiles is append-only');

CREATE TRIGGER cases_no_truncate BEFORE TRUNCATE ON cases
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('cases is append-only');

CREATE TRIGGER jobs_no_truncate BEFORE TRUNCATE ON jobs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('jobs is append-only');

CREATE TRIGGER holds_no_truncate BEFORE TRUNCATE ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('holds is append-only');

CREATE TRIGGER pauses_no_truncate BEFORE TRUNCATE ON pauses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('pauses is append-only');

CREATE TRIGGER evidence_outbox_no_truncate BEFORE TRUNCATE ON evidence_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('evidence_outbox is append-only');
