-- Later looks: when it was last seen that nothing of a person is back in a system in which it was
-- erased or restricted; and what was found there again.

CREATE TABLE later_looks (
    case_id BLOB NOT NULL REFERENCES cases (id),
    system TEXT NOT NULL CHECK (system <> ''),
    done_at INTEGER NOT NULL,
    well_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    again_at INTEGER,
    trouble TEXT CHECK (trouble <> ''),
    ended_at INTEGER,
    PRIMARY KEY (case_id, system),
    CHECK ((again_at IS NULL) = (trouble IS NULL)),
    CHECK (ended_at IS NULL OR again_at IS NULL),
    CHECK (done_at <= well_at AND well_at <= seen_at)
) STRICT;

CREATE INDEX later_looks_to_come ON later_looks (seen_at) WHERE ended_at IS NULL;

CREATE TRIGGER later_looks_only_forward BEFORE UPDATE ON later_looks
WHEN NEW.case_id IS NOT OLD.case_id
    OR NEW.system IS NOT OLD.system
    OR NEW.done_at < OLD.done_at
    OR NEW.well_at < OLD.well_at
    OR NEW.seen_at < OLD.seen_at
    OR OLD.ended_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a later look only grows');
END;

CREATE TRIGGER later_looks_no_delete BEFORE DELETE ON later_looks
BEGIN
    SELECT RAISE(ABORT, 'a later look only grows');
END;

-- What was found again, with how many records; `asks` until a person has decided, `again` once a job
-- does again what had been done.
CREATE TABLE reappearances (
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL REFERENCES cases (id),
    system TEXT NOT NULL CHECK (system <> ''),
    well_at INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    records INTEGER NOT NULL CHECK (records > 0),
    state TEXT NOT NULL CHECK (state IN ('asks', 'again', 'left', 'gone')),
    why TEXT CHECK (why <> ''),
    job_id BLOB REFERENCES jobs (id),
    decided_at INTEGER,
    decided_by TEXT CHECK (decided_by <> ''),
    reason TEXT CHECK (reason <> ''),
    CHECK (well_at <= found_at),
    CHECK ((state = 'again') = (job_id IS NOT NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((decided_at IS NULL) = (reason IS NULL)),
    CHECK (state <> 'left' OR decided_at IS NOT NULL),
    CHECK (state <> 'asks' OR (decided_at IS NULL AND why IS NOT NULL))
) STRICT;

-- Nobody is asked twice of the same.
CREATE UNIQUE INDEX reappearances_one_asks ON reappearances (case_id, system) WHERE state = 'asks';
CREATE UNIQUE INDEX reappearances_of_a_job ON reappearances (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX reappearances_by_time ON reappearances (found_at, id);

CREATE TRIGGER reappearances_no_rewriting BEFORE UPDATE ON reappearances
WHEN NEW.id IS NOT OLD.id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.system IS NOT OLD.system
    OR NEW.well_at IS NOT OLD.well_at
    OR NEW.found_at IS NOT OLD.found_at
    OR OLD.state <> 'asks'
BEGIN
    SELECT RAISE(ABORT, 'reappearances is append-only');
END;

CREATE TRIGGER reappearances_no_delete BEFORE DELETE ON reappearances
BEGIN
    SELECT RAISE(ABORT, 'reappearances is append-only');
END;

CREATE TRIGGER reappearances_no_replacing BEFORE INSERT ON reappearances
WHEN EXISTS (SELECT 1 FROM reappearances
    WHERE id = NEW.id OR job_id = NEW.job_id OR rowid = NEW.rowid
        OR (case_id = NEW.case_id AND system = NEW.system AND state = 'asks' AND NEW.state = 'asks'))
BEGIN
    SELECT RAISE(ABORT, 'reappearances is append-only');
END;

-- What was done for persons in a system, by when it was done.
CREATE INDEX jobs_done_for_persons ON jobs (system, settled_at)
    WHERE state = 'completed' AND kind IN ('request', 'retained', 'upkeep', 'replay');
