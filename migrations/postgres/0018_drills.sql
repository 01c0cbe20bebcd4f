-- Drills: a person who was invented is planted in systems, erased, brought back and erased again, to
-- see how long it takes. What is planted is written down before it is.

-- The moment from which the schedule of drills counts.
CREATE TABLE drill_cursor (
    one SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    at BIGINT NOT NULL
);

CREATE TABLE drills (
    id UUID NOT NULL PRIMARY KEY,
    due_at BIGINT,
    began_at BIGINT NOT NULL,
    begun_by TEXT NOT NULL CHECK (begun_by <> ''),
    state TEXT NOT NULL CHECK (state IN
        ('planting', 'erasing', 'bringing_back', 'erasing_again', 'done', 'not_done')),
    request_id UUID REFERENCES requests (id),
    asked_at BIGINT,
    back_at BIGINT,
    ended_at BIGINT,
    why TEXT CHECK (why <> ''),
    CHECK ((ended_at IS NOT NULL) = (state IN ('done', 'not_done'))),
    CHECK ((request_id IS NULL) = (asked_at IS NULL)),
    CHECK (state <> 'not_done' OR why IS NOT NULL),
    CHECK (state NOT IN ('erasing', 'bringing_back', 'erasing_again', 'done')
        OR request_id IS NOT NULL)
);

-- An occurrence of the schedule begins one drill.
CREATE UNIQUE INDEX drills_by_due ON drills (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX drills_by_time ON drills (began_at, id);

CREATE TRIGGER drills_only_forward BEFORE UPDATE ON drills
    FOR EACH ROW
    WHEN (NEW.id IS DISTINCT FROM OLD.id
    OR NEW.due_at IS DISTINCT FROM OLD.due_at
    OR NEW.began_at IS DISTINCT FROM OLD.began_at
    OR NEW.begun_by IS DISTINCT FROM OLD.begun_by
    OR (OLD.request_id IS NOT NULL AND NEW.request_id IS DISTINCT FROM OLD.request_id)
    OR (OLD.asked_at IS NOT NULL AND NEW.asked_at IS DISTINCT FROM OLD.asked_at)
    OR (OLD.back_at IS NOT NULL AND NEW.back_at IS DISTINCT FROM OLD.back_at)
    OR OLD.ended_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('a drill only grows');

CREATE TRIGGER drills_no_delete BEFORE DELETE ON drills
    FOR EACH ROW EXECUTE FUNCTION refuse_change('a drill only grows');
CREATE TRIGGER drills_no_truncate BEFORE TRUNCATE ON drills
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a drill only grows');

-- One drill at a time.
CREATE UNIQUE INDEX drills_one_at_a_time ON drills ((ended_at IS NULL)) WHERE ended_at IS NULL;

-- A system in a drill, or why it is left out; `planted` is what is planted there, of nobody.
CREATE TABLE drill_systems (
    drill_id UUID NOT NULL REFERENCES drills (id),
    system TEXT NOT NULL CHECK (system <> ''),
    left_out TEXT CHECK (left_out <> ''),
    planted TEXT,
    planted_at BIGINT,
    erased_at BIGINT,
    back_at BIGINT,
    again_at BIGINT,
    trouble TEXT CHECK (trouble <> ''),
    try_at BIGINT,
    cleaned_at BIGINT,
    PRIMARY KEY (drill_id, system),
    CHECK ((left_out IS NULL) = (planted IS NOT NULL)),
    CHECK ((trouble IS NULL) = (try_at IS NULL)),
    CHECK (erased_at IS NULL OR planted_at IS NOT NULL),
    CHECK (back_at IS NULL OR erased_at IS NOT NULL),
    CHECK (again_at IS NULL OR back_at IS NOT NULL)
);

CREATE INDEX drill_systems_to_clean ON drill_systems (drill_id)
    WHERE cleaned_at IS NULL AND left_out IS NULL;

CREATE TRIGGER drill_systems_only_forward BEFORE UPDATE ON drill_systems
    FOR EACH ROW
    WHEN (NEW.drill_id IS DISTINCT FROM OLD.drill_id
    OR NEW.system IS DISTINCT FROM OLD.system
    OR NEW.left_out IS DISTINCT FROM OLD.left_out
    OR (OLD.planted_at IS NOT NULL AND NEW.planted_at IS DISTINCT FROM OLD.planted_at)
    OR (OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at)
    OR (OLD.back_at IS NOT NULL AND NEW.back_at IS DISTINCT FROM OLD.back_at)
    OR (OLD.again_at IS NOT NULL AND NEW.again_at IS DISTINCT FROM OLD.again_at)
    OR OLD.cleaned_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('a drill only grows');

CREATE TRIGGER drill_systems_no_delete BEFORE DELETE ON drill_systems
    FOR EACH ROW EXECUTE FUNCTION refuse_change('a drill only grows');
CREATE TRIGGER drill_systems_no_truncate BEFORE TRUNCATE ON drill_systems
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a drill only grows');
