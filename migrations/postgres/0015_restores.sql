-- Restores of connected systems: from when to when one is in quarantine, to which state it was put
-- back, and which jobs do again what was done since. The case of a restore carries out what rules
-- have made due.

CREATE TABLE restores (
    id UUID NOT NULL PRIMARY KEY,
    system TEXT NOT NULL CHECK (system <> ''),
    taken_at BIGINT NOT NULL,
    copy TEXT CHECK (copy <> ''),
    announced BIGINT NOT NULL CHECK (announced IN (0, 1)),
    back_since BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    begun_by TEXT NOT NULL CHECK (begun_by <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    case_id UUID NOT NULL REFERENCES cases (id),
    forgotten BIGINT NOT NULL CHECK (forgotten >= 0),
    kept_out TEXT,
    opened_at BIGINT,
    opened_by TEXT,
    CHECK ((opened_at IS NULL) = (opened_by IS NULL)),
    CHECK (taken_at <= begun_at AND back_since <= begun_at)
);

-- A system is in one quarantine at most.
CREATE UNIQUE INDEX restores_one_a_system ON restores (system) WHERE opened_at IS NULL;
CREATE UNIQUE INDEX restores_of_a_case ON restores (case_id);

CREATE TRIGGER restores_no_rewriting BEFORE UPDATE ON restores
    FOR EACH ROW
    WHEN (NEW.id IS DISTINCT FROM OLD.id
    OR NEW.system IS DISTINCT FROM OLD.system
    OR NEW.taken_at IS DISTINCT FROM OLD.taken_at
    OR NEW.copy IS DISTINCT FROM OLD.copy
    OR NEW.announced IS DISTINCT FROM OLD.announced
    OR NEW.back_since IS DISTINCT FROM OLD.back_since
    OR NEW.begun_at IS DISTINCT FROM OLD.begun_at
    OR NEW.begun_by IS DISTINCT FROM OLD.begun_by
    OR NEW.reason IS DISTINCT FROM OLD.reason
    OR NEW.case_id IS DISTINCT FROM OLD.case_id
    OR NEW.forgotten IS DISTINCT FROM OLD.forgotten
    OR OLD.opened_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('restores is append-only');
CREATE TRIGGER restores_no_delete BEFORE DELETE ON restores
    FOR EACH ROW EXECUTE FUNCTION refuse_change('restores is append-only');
CREATE TRIGGER restores_no_truncate BEFORE TRUNCATE ON restores
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('restores is append-only');

-- What was done since the restored state is done again by these jobs, each in the case of its
-- person.
CREATE TABLE restore_jobs (
    job_id UUID NOT NULL PRIMARY KEY REFERENCES jobs (id),
    restore_id UUID NOT NULL REFERENCES restores (id)
);

CREATE INDEX restore_jobs_of_a_restore ON restore_jobs (restore_id);

CREATE TRIGGER restore_jobs_no_update BEFORE UPDATE ON restore_jobs
    FOR EACH ROW EXECUTE FUNCTION refuse_change('restore_jobs is append-only');
CREATE TRIGGER restore_jobs_no_delete BEFORE DELETE ON restore_jobs
    FOR EACH ROW EXECUTE FUNCTION refuse_change('restore_jobs is append-only');
CREATE TRIGGER restore_jobs_no_truncate BEFORE TRUNCATE ON restore_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('restore_jobs is append-only');

-- The row that was last written into each system: one that shows an older number was put back.
CREATE TABLE canaries (
    system TEXT NOT NULL PRIMARY KEY CHECK (system <> ''),
    number BIGINT NOT NULL CHECK (number > 0),
    written_at BIGINT NOT NULL
);

CREATE TRIGGER canaries_only_forward BEFORE UPDATE ON canaries
    FOR EACH ROW
    WHEN (NEW.system IS DISTINCT FROM OLD.system OR NEW.number < OLD.number)
    EXECUTE FUNCTION refuse_change('a canary only grows');
