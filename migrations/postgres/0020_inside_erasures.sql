-- Erasures inside copies: somebody asks, a second person agrees, and the files of one person are taken
-- out of the copies in a store. What is carried out is what was asked: `declared` says where the data
-- map had these files then, `parts` how many paths of the person there were. Nothing names the person.

CREATE TABLE inside_erasures (
    id UUID NOT NULL PRIMARY KEY,
    case_id UUID NOT NULL REFERENCES cases (id),
    store TEXT NOT NULL CHECK (store <> ''),
    declared TEXT NOT NULL,
    parts BIGINT NOT NULL CHECK (parts > 0),
    asked_at BIGINT NOT NULL,
    asked_by TEXT NOT NULL CHECK (asked_by <> ''),
    reason TEXT NOT NULL CHECK (reason <> ''),
    state TEXT NOT NULL CHECK (state IN ('asked', 'approved', 'done', 'refused')),
    decided_at BIGINT,
    decided_by TEXT CHECK (decided_by <> ''),
    refusal TEXT CHECK (refusal <> ''),
    ended_at BIGINT,
    gone BIGINT,
    kept BIGINT,
    trouble TEXT CHECK (trouble <> ''),
    try_at BIGINT,
    CHECK ((state = 'asked') = (decided_by IS NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state = 'done') = (ended_at IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (gone IS NULL)),
    CHECK ((ended_at IS NULL) = (kept IS NULL)),
    CHECK ((trouble IS NULL) = (try_at IS NULL)),
    CHECK (state = 'approved' OR trouble IS NULL),
    CHECK (state NOT IN ('approved', 'done') OR lower(decided_by) <> lower(asked_by))
);

-- Nobody asks twice for the same.
CREATE UNIQUE INDEX inside_erasures_one_open ON inside_erasures (case_id, store)
    WHERE state IN ('asked', 'approved');
CREATE INDEX inside_erasures_by_time ON inside_erasures (asked_at, id);

CREATE TRIGGER inside_erasures_only_forward BEFORE UPDATE ON inside_erasures
    FOR EACH ROW
    WHEN (NEW.id IS DISTINCT FROM OLD.id
    OR NEW.case_id IS DISTINCT FROM OLD.case_id
    OR NEW.store IS DISTINCT FROM OLD.store
    OR NEW.declared IS DISTINCT FROM OLD.declared
    OR NEW.parts IS DISTINCT FROM OLD.parts
    OR NEW.asked_at IS DISTINCT FROM OLD.asked_at
    OR NEW.asked_by IS DISTINCT FROM OLD.asked_by
    OR NEW.reason IS DISTINCT FROM OLD.reason
    OR OLD.state IN ('done', 'refused')
    OR (OLD.state = 'approved' AND NEW.state = 'asked')
    OR (OLD.state = 'asked' AND NEW.state = 'done'))
    EXECUTE FUNCTION refuse_change('inside_erasures is append-only');

CREATE TRIGGER inside_erasures_no_delete BEFORE DELETE ON inside_erasures
    FOR EACH ROW EXECUTE FUNCTION refuse_change('inside_erasures is append-only');
CREATE TRIGGER inside_erasures_no_truncate BEFORE TRUNCATE ON inside_erasures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('inside_erasures is append-only');
