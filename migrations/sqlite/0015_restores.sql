-- Restores of connected systems: from when to when one is in quarantine, to which state it was put
-- back, and which jobs do again what was done since. The case of a restore carries out what rules
-- have made due.

CREATE TABLE restores (
    id BLOB NOT NULL PRIMARY KEY,
    system TEXT NOT NULL CHECK (system <> ''),
    taken_at INTEGER NOT NULL,
    copy TEXT CHECK (copy <> ''),
    announced INTEGER NOT NULL CHECK (announced IN (0, 1)),
    back_since INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    begun_by TEXT NOT NULL CHECK (begun_by <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    case_id BLOB NOT NULL REFERENCES cases (id),
    forgotten INTEGER NOT NULL CHECK (forgotten >= 0),
    kept_out TEXT,
    opened_at INTEGER,
    opened_by TEXT,
    CHECK ((opened_at IS NULL) = (opened_by IS NULL)),
    CHECK (taken_at <= begun_at AND back_since <= begun_at)
) STRICT;

-- A system is in one quarantine at most.
CREATE UNIQUE INDEX restores_one_a_system ON restores (system) WHERE opened_at IS NULL;
CREATE UNIQUE INDEX restores_of_a_case ON restores (case_id);

CREATE TRIGGER restores_no_rewriting BEFORE UPDATE ON restores
WHEN NEW.id IS NOT OLD.id
    OR NEW.system IS NOT OLD.system
    OR NEW.taken_at IS NOT OLD.taken_at
    OR NEW.copy IS NOT OLD.copy
    OR NEW.announced IS NOT OLD.announced
    OR NEW.back_since IS NOT OLD.back_since
    OR NEW.begun_at IS NOT OLD.begun_at
    OR NEW.begun_by IS NOT OLD.begun_by
    OR NEW.reason IS NOT OLD.reason
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.forgotten IS NOT OLD.forgotten
    OR OLD.opened_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'restores is append-only');
END;

CREATE TRIGGER restores_no_delete BEFORE DELETE ON restores
BEGIN
    SELECT RAISE(ABORT, 'restores is append-only');
END;

CREATE TRIGGER restores_no_replacing BEFORE INSERT ON restores
WHEN EXISTS (SELECT 1 FROM restores
    WHERE id = NEW.id OR case_id = NEW.case_id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'restores is append-only');
END;

CREATE TRIGGER restores_kept BEFORE INSERT ON restores
WHEN EXISTS (SELECT 1 FROM restores
    WHERE system = NEW.system AND opened_at IS NULL AND NEW.opened_at IS NULL AND id <> NEW.id)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- What was done since the restored state is done again by these jobs, each in the case of its
-- person.
CREATE TABLE restore_jobs (
    job_id BLOB NOT NULL PRIMARY KEY REFERENCES jobs (id),
    restore_id BLOB NOT NULL REFERENCES restores (id)
) STRICT;

CREATE INDEX restore_jobs_of_a_restore ON restore_jobs (restore_id);

CREATE TRIGGER restore_jobs_no_update BEFORE UPDATE ON restore_jobs
BEGIN
    SELECT RAISE(ABORT, 'restore_jobs is append-only');
END;

CREATE TRIGGER restore_jobs_no_delete BEFORE DELETE ON restore_jobs
BEGIN
    SELECT RAISE(ABORT, 'restore_jobs is append-only');
END;

CREATE TRIGGER restore_jobs_no_replacing BEFORE INSERT ON restore_jobs
WHEN EXISTS (SELECT 1 FROM restore_jobs WHERE job_id = NEW.job_id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'restore_jobs is append-only');
END;

-- The row that was last written into each system: one that shows an older number was put back.
CREATE TABLE canaries (
    system TEXT NOT NULL PRIMARY KEY CHECK (system <> ''),
    number INTEGER NOT NULL CHECK (number > 0),
    written_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER canaries_only_forward BEFORE UPDATE ON canaries
WHEN NEW.system IS NOT OLD.system OR NEW.number < OLD.number
BEGIN
    SELECT RAISE(ABORT, 'a canary only grows');
END;
