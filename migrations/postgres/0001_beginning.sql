-- Everything that Quietus remembers. Instants are microseconds since 1970 UTC; digests are raw
-- SHA-256; JSON is text, byte for byte as it was written (its digest stays right, and an escaped
-- zero byte passes). Words are checked here, so that a fault in the code cannot invent a state.

CREATE TABLE documents (
    digest BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    kind TEXT NOT NULL CHECK (kind IN ('rules', 'map')),
    content BYTEA NOT NULL,
    first_seen_at BIGINT NOT NULL
);

CREATE TABLE versions (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL CHECK (value >= 0)
);

INSERT INTO versions (name, value) VALUES ('holds', 0), ('pauses', 0);

CREATE TABLE schedules (
    name TEXT NOT NULL PRIMARY KEY,
    cursor_at BIGINT NOT NULL,
    version BIGINT NOT NULL CHECK (version >= 0)
);

CREATE TABLE cases (
    id UUID NOT NULL PRIMARY KEY,
    cause TEXT NOT NULL CHECK (cause IN ('schedule', 'command', 'request', 'event')),
    schedule TEXT REFERENCES schedules (name),
    due_at BIGINT,
    moment BIGINT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('planned', 'awaiting_approval', 'executing', 'verifying', 'closed')),
    outcome TEXT CHECK (outcome IN ('fulfilled', 'partially_retained', 'failed', 'cancelled')),
    rules_digest BYTEA NOT NULL REFERENCES documents (digest),
    map_digest BYTEA NOT NULL REFERENCES documents (digest),
    plan TEXT NOT NULL,
    plan_digest BYTEA NOT NULL CHECK (length(plan_digest) = 32),
    authors TEXT NOT NULL,
    lag_us BIGINT,
    blocked_reason TEXT,
    opened_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    approved_at BIGINT,
    approved_by TEXT,
    approved_reason TEXT,
    cancelled_at BIGINT,
    cancelled_by TEXT,
    cancelled_reason TEXT,
    closed_at BIGINT,
    CHECK (cause <> 'schedule' OR (schedule IS NOT NULL AND due_at IS NOT NULL)),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((state = 'closed') = (outcome IS NOT NULL)),
    CHECK ((approved_at IS NULL) = (approved_by IS NULL)),
    CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL))
);

-- The overlap guard: a schedule has at most one case that is not closed.
CREATE UNIQUE INDEX cases_one_open_a_schedule ON cases (schedule)
    WHERE cause = 'schedule' AND state <> 'closed';
CREATE INDEX cases_by_creation ON cases (created_at, id);
CREATE INDEX cases_not_closed ON cases (state) WHERE state <> 'closed';

CREATE TABLE schedule_fires (
    schedule TEXT NOT NULL REFERENCES schedules (name),
    due_at BIGINT NOT NULL,
    fired_at BIGINT NOT NULL,
    disposition TEXT NOT NULL
        CHECK (disposition IN ('run', 'caught_up', 'missed', 'blacked_out')),
    case_id UUID REFERENCES cases (id),
    PRIMARY KEY (schedule, due_at),
    CHECK (disposition <> 'run' OR case_id IS NOT NULL)
);

CREATE TABLE jobs (
    id UUID NOT NULL PRIMARY KEY,
    case_id UUID NOT NULL REFERENCES cases (id),
    system TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind <> ''),
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'available', 'running', 'waiting', 'held',
        'blocked', 'completed', 'failed', 'cancelled')),
    attempt BIGINT NOT NULL CHECK (attempt >= 0),
    attempts_allowed BIGINT NOT NULL CHECK (attempts_allowed >= 1),
    available_at BIGINT NOT NULL,
    leased_by TEXT,
    lease_until BIGINT,
    payload TEXT NOT NULL,
    done TEXT,
    verification TEXT,
    total_estimate BIGINT CHECK (total_estimate >= 0),
    blocked_reason TEXT,
    hold_matters TEXT,
    reference TEXT,
    last_fault_kind TEXT,
    last_fault TEXT,
    cancel_requested_at BIGINT,
    cancel_requested_by TEXT,
    created_at BIGINT NOT NULL,
    settled_at BIGINT,
    CHECK ((state = 'running') = (leased_by IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (settled_at IS NOT NULL)),
    CHECK ((state = 'blocked') = (blocked_reason IS NOT NULL)),
    CHECK ((state = 'held') = (hold_matters IS NOT NULL)),
    CHECK (state <> 'waiting' OR reference IS NOT NULL),
    CHECK (state <> 'completed' OR (done IS NOT NULL AND verification IS NOT NULL)),
    CHECK (state <> 'failed' OR last_fault_kind IS NOT NULL),
    CHECK ((cancel_requested_at IS NULL) = (cancel_requested_by IS NULL))
);

CREATE INDEX jobs_of_a_case ON jobs (case_id);
CREATE INDEX jobs_to_claim ON jobs (available_at)
    WHERE state IN ('scheduled', 'available', 'waiting');
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';

CREATE TABLE attempts (
    job_id UUID NOT NULL REFERENCES jobs (id),
    attempt BIGINT NOT NULL CHECK (attempt >= 1),
    worker TEXT NOT NULL,
    claimed_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    result TEXT CHECK (result IN ('completed', 'retry', 'failed', 'held', 'blocked', 'waiting',
        'released', 'cancelled', 'lost')),
    fault_kind TEXT,
    message TEXT,
    PRIMARY KEY (job_id, attempt),
    CHECK ((ended_at IS NULL) = (result IS NULL))
);

CREATE TABLE holds (
    id UUID NOT NULL PRIMARY KEY,
    matter TEXT NOT NULL CHECK (matter <> ''),
    scope TEXT NOT NULL,
    sealed BYTEA,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    review_on TEXT,
    released_at BIGINT,
    released_by TEXT,
    CHECK ((released_at IS NULL) = (released_by IS NULL))
);

CREATE INDEX holds_active ON holds (matter) WHERE released_at IS NULL;

CREATE TABLE pauses (
    id UUID NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL CHECK (scope IN ('everything', 'rule', 'system', 'case')),
    name TEXT NOT NULL,
    paused_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    paused_at BIGINT NOT NULL,
    resumed_at BIGINT,
    resumed_by TEXT,
    CHECK ((scope = 'everything') = (name = '')),
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
);

CREATE UNIQUE INDEX pauses_active ON pauses (scope, name) WHERE resumed_at IS NULL;

CREATE TABLE events (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CHECK (name <> ''),
    key_tag BYTEA NOT NULL CHECK (length(key_tag) BETWEEN 1 AND 64),
    sealed_key BYTEA NOT NULL,
    occurred_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    source TEXT NOT NULL,
    revokes BOOLEAN NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE
);

CREATE INDEX events_latest ON events (name, key_tag, occurred_at, recorded_at, id);

CREATE TABLE marks (
    rule TEXT NOT NULL,
    marked_at BIGINT NOT NULL,
    PRIMARY KEY (rule, marked_at)
);

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL
);

-- What has been said but is not in the log yet. Drained, never read by position.
CREATE TABLE evidence_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id UUID NOT NULL UNIQUE,
    case_id UUID REFERENCES cases (id),
    job_id UUID REFERENCES jobs (id),
    body BYTEA NOT NULL CHECK (length(body) BETWEEN 1 AND 65535),
    created_at BIGINT NOT NULL
);

-- The meaning of a leaf, sealed under the key of its case. Shredding takes the sealed bytes only.
CREATE TABLE evidence_details (
    detail_sha256 BYTEA NOT NULL PRIMARY KEY CHECK (length(detail_sha256) = 32),
    entry_id UUID NOT NULL UNIQUE,
    case_id UUID REFERENCES cases (id),
    job_id UUID REFERENCES jobs (id),
    kind TEXT NOT NULL CHECK (kind <> ''),
    sealed BYTEA,
    created_at BIGINT NOT NULL,
    shredded_at BIGINT,
    CHECK ((sealed IS NULL) = (shredded_at IS NOT NULL))
);

CREATE INDEX evidence_details_of_a_case ON evidence_details (case_id, created_at);

-- One row a log: the head, and at the same time the lock under which leaves are appended.
CREATE TABLE logs (
    log_id TEXT NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    size BIGINT NOT NULL CHECK (size >= 0),
    frontier BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE log_leaves (
    log_id TEXT NOT NULL REFERENCES logs (log_id),
    idx BIGINT NOT NULL CHECK (idx >= 0),
    entry_id UUID NOT NULL UNIQUE,
    body BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL CHECK (length(leaf_hash) = 32),
    integrated_at BIGINT NOT NULL,
    PRIMARY KEY (log_id, idx)
);

-- Tiles of 256 hashes. The last tile of a level is overwritten by a longer one with the same start.
CREATE TABLE log_tiles (
    log_id TEXT NOT NULL REFERENCES logs (log_id),
    level BIGINT NOT NULL CHECK (level BETWEEN 0 AND 7),
    n BIGINT NOT NULL CHECK (n >= 0),
    data BYTEA NOT NULL CHECK (length(data) BETWEEN 32 AND 8192 AND length(data) % 32 = 0),
    PRIMARY KEY (log_id, level, n)
);

CREATE TABLE log_checkpoints (
    log_id TEXT NOT NULL REFERENCES logs (log_id),
    size BIGINT NOT NULL CHECK (size >= 0),
    root BYTEA NOT NULL CHECK (length(root) = 32),
    note BYTEA NOT NULL,
    signed_at BIGINT NOT NULL,
    PRIMARY KEY (log_id, size)
);

CREATE TABLE certificates (
    id UUID NOT NULL PRIMARY KEY,
    case_id UUID NOT NULL REFERENCES cases (id),
    class TEXT NOT NULL CHECK (class <> ''),
    state TEXT NOT NULL CHECK (state IN ('signed', 'logged')),
    overall TEXT NOT NULL CHECK (overall <> ''),
    issued_at BIGINT NOT NULL,
    entry_id UUID NOT NULL UNIQUE,
    statement BYTEA NOT NULL,
    envelope BYTEA NOT NULL,
    manifest BYTEA NOT NULL,
    bundle BYTEA,
    superseded_by UUID REFERENCES certificates (id) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((state = 'logged') = (bundle IS NOT NULL))
);

-- A case has one certificate that counts; a later one names the one that it replaces.
CREATE UNIQUE INDEX certificates_in_force ON certificates (case_id) WHERE superseded_by IS NULL;
CREATE INDEX certificates_by_issue ON certificates (issued_at, id);

-- By what words a certificate is found.
CREATE TABLE certificate_topics (
    certificate_id UUID NOT NULL REFERENCES certificates (id),
    kind TEXT NOT NULL CHECK (kind <> ''),
    name TEXT NOT NULL,
    PRIMARY KEY (certificate_id, kind, name)
);

CREATE INDEX certificate_topics_by_name ON certificate_topics (kind, name);
