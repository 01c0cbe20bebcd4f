-- Alarms: what somebody has to see to, from when it is raised until it is cleared; who is to be told of
-- each of its steps, and what became of that. Nothing here names a person: a mail's recipient is its
-- place in the list of the instance file.

CREATE TABLE alarms (
    id UUID NOT NULL PRIMARY KEY,
    area TEXT NOT NULL CHECK (area <> ''),
    place TEXT NOT NULL CHECK (place <> ''),
    kind TEXT NOT NULL CHECK (kind <> ''),
    mark TEXT NOT NULL CHECK (mark IN ('wrong', 'look')),
    what TEXT NOT NULL CHECK (what <> ''),
    advice TEXT,
    commands TEXT NOT NULL,
    since BIGINT,
    raised_at BIGINT NOT NULL,
    told_at BIGINT NOT NULL,
    steps BIGINT NOT NULL CHECK (steps >= 1),
    cleared_at BIGINT,
    CHECK (cleared_at IS NULL OR steps >= 2)
);

-- The same matter is one alarm.
CREATE UNIQUE INDEX alarms_open ON alarms (area, place, kind) WHERE cleared_at IS NULL;
CREATE INDEX alarms_cleared ON alarms (cleared_at) WHERE cleared_at IS NOT NULL;

CREATE TRIGGER alarms_no_rewriting BEFORE UPDATE ON alarms
    FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id
        OR NEW.area IS DISTINCT FROM OLD.area
        OR NEW.place IS DISTINCT FROM OLD.place
        OR NEW.kind IS DISTINCT FROM OLD.kind
        OR NEW.raised_at IS DISTINCT FROM OLD.raised_at
        OR NEW.steps < OLD.steps
        OR OLD.cleared_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('an alarm that was cleared is append-only');

-- A step of an alarm that somebody is to be told; who is told of several steps is told in their order.
CREATE TABLE alarm_tellings (
    alarm_id UUID NOT NULL REFERENCES alarms (id),
    step BIGINT NOT NULL CHECK (step >= 1),
    way TEXT NOT NULL CHECK (way IN ('webhook', 'mail')),
    recipient TEXT NOT NULL CHECK (recipient <> ''),
    event TEXT NOT NULL CHECK (event IN ('alarm.raised', 'alarm.again', 'alarm.cleared')),
    body TEXT NOT NULL CHECK (body <> ''),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'told', 'given_up', 'gone', 'called_off')),
    written_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    give_up_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    tried_at BIGINT,
    last_fault TEXT,
    settled_at BIGINT,
    PRIMARY KEY (alarm_id, step, way, recipient),
    CHECK ((attempts = 0) = (tried_at IS NULL)),
    CHECK ((state = 'waiting') = (settled_at IS NULL)),
    CHECK (state <> 'told' OR attempts > 0)
);

CREATE INDEX alarm_tellings_waiting ON alarm_tellings (way, recipient, written_at)
    WHERE state = 'waiting';
CREATE INDEX alarm_tellings_settled ON alarm_tellings (settled_at) WHERE settled_at IS NOT NULL;

-- When it was looked last, so that one of many processes does.
CREATE TABLE alarm_looks (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    looked_at BIGINT NOT NULL
);
