-- Drills: a person who was invented is planted in systems, erased, brought back and erased again, to
-- see how long it takes. What is planted is written down before it is.

-- The moment from which the schedule of drills counts.
CREATE TABLE drill_cursor (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE drills (
    id BLOB NOT NULL PRIMARY KEY,
    due_at INTEGER,
    began_at INTEGER NOT NULL,
    begun_by TEXT NOT NULL CHECK (begun_by <> ''),
    state TEXT NOT NULL CHECK (state IN
        ('planting', 'erasing', 'bringing_back', 'erasing_again', 'done', 'not_done')),
    request_id BLOB REFERENCES requests (id),
    asked_at INTEGER,
    back_at INTEGER,
    ended_at INTEGER,
    why TEXT CHECK (why <> ''),
    CHECK ((ended_at IS NOT NULL) = (state IN ('done', 'not_done'))),
    CHECK ((request_id IS NULL) = (asked_at IS NULL)),
    CHECK (state <> 'not_done' OR why IS NOT NULL),
    CHECK (state NOT IN ('erasing', 'bringing_back', 'erasing_again', 'done')
        OR request_id IS NOT NULL)
) STRICT;

-- An occurrence of the schedule begins one drill.
CREATE UNIQUE INDEX drills_by_due ON drills (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX drills_by_time ON drills (began_at, id);

CREATE TRIGGER drills_only_forward BEFORE UPDATE ON drills
WHEN NEW.id IS NOT OLD.id
    OR NEW.due_at IS NOT OLD.due_at
    OR NEW.began_at IS NOT OLD.began_at
    OR NEW.begun_by IS NOT OLD.begun_by
    OR (OLD.request_id IS NOT NULL AND NEW.request_id IS NOT OLD.request_id)
    OR (OLD.asked_at IS NOT NULL AND NEW.asked_at IS NOT OLD.asked_at)
    OR (OLD.back_at IS NOT NULL AND NEW.back_at IS NOT OLD.back_at)
    OR OLD.ended_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a drill only grows');
END;

CREATE TRIGGER drills_no_delete BEFORE DELETE ON drills
BEGIN
    SELECT RAISE(ABORT, 'a drill only grows');
END;

CREATE TRIGGER drills_no_replacing BEFORE INSERT ON drills
WHEN EXISTS (SELECT 1 FROM drills WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'a drill only grows');
END;

-- One drill at a time, and one for each occurrence.
CREATE TRIGGER drills_kept BEFORE INSERT ON drills
WHEN EXISTS (SELECT 1 FROM drills WHERE due_at = NEW.due_at OR ended_at IS NULL)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- A system in a drill, or why it is left out; `planted` is what is planted there, of nobody.
CREATE TABLE drill_systems (
    drill_id BLOB NOT NULL REFERENCES drills (id),
    system TEXT NOT NULL CHECK (system <> ''),
    left_out TEXT CHECK (left_out <> ''),
    planted TEXT,
    planted_at INTEGER,
    erased_at INTEGER,
    back_at INTEGER,
    again_at INTEGER,
    trouble TEXT CHECK (trouble <> ''),
    try_at INTEGER,
    cleaned_at INTEGER,
    PRIMARY KEY (drill_id, system),
    CHECK ((left_out IS NULL) = (planted IS NOT NULL)),
    CHECK ((trouble IS NULL) = (try_at IS NULL)),
    CHECK (erased_at IS NULL OR planted_at IS NOT NULL),
    CHECK (back_at IS NULL OR erased_at IS NOT NULL),
    CHECK (again_at IS NULL OR back_at IS NOT NULL)
) STRICT;

CREATE INDEX drill_systems_to_clean ON drill_systems (drill_id)
    WHERE cleaned_at IS NULL AND left_out IS NULL;

CREATE TRIGGER drill_systems_only_forward BEFORE UPDATE ON drill_systems
WHEN NEW.drill_id IS NOT OLD.drill_id
    OR NEW.system IS NOT OLD.system
    OR NEW.left_out IS NOT OLD.left_out
    OR (OLD.planted_at IS NOT NULL AND NEW.planted_at IS NOT OLD.planted_at)
    OR (OLD.erased_at IS NOT NULL AND NEW.erased_at IS NOT OLD.erased_at)
    OR (OLD.back_at IS NOT NULL AND NEW.back_at IS NOT OLD.back_at)
    OR (OLD.again_at IS NOT NULL AND NEW.again_at IS NOT OLD.again_at)
    OR OLD.cleaned_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a drill only grows');
END;

CREATE TRIGGER drill_systems_no_delete BEFORE DELETE ON drill_systems
BEGIN
    SELECT RAISE(ABORT, 'a drill only grows');
END;

CREATE TRIGGER drill_systems_no_replacing BEFORE INSERT ON drill_systems
WHEN EXISTS (SELECT 1 FROM drill_systems
    WHERE (drill_id = NEW.drill_id AND system = NEW.system) OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'a drill only grows');
END;
