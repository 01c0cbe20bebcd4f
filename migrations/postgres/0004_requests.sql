-- What persons ask, who does by hand what no interface can, and the letters that go out. What
-- identifies a person is sealed under a key of its own, which is destroyed in the end; what stays
-- names nobody.

CREATE TABLE requests (
    id UUID NOT NULL PRIMARY KEY,
    source TEXT NOT NULL CHECK (source <> ''),
    external_id TEXT NOT NULL CHECK (external_id <> ''),
    content_digest BYTEA NOT NULL CHECK (length(content_digest) = 32),
    asked TEXT NOT NULL CHECK (asked IN ('erasure', 'restriction', 'lifting', 'objection', 'access',
        'rectification', 'portability')),
    state TEXT NOT NULL CHECK (state IN ('identity_pending', 'cooling_off', 'ready', 'ambiguous',
        'with_a_person', 'executing', 'closed')),
    outcome TEXT CHECK (outcome IN ('fulfilled', 'partially_retained', 'not_found', 'refused',
        'cancelled', 'failed', 'handled')),
    received_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    look_at BIGINT,
    case_id UUID REFERENCES cases (id),
    body TEXT NOT NULL,
    wrapped_key BYTEA,
    sealed BYTEA,
    version BIGINT NOT NULL CHECK (version >= 0),
    closed_at BIGINT,
    forgotten_at BIGINT,
    UNIQUE (source, external_id),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((state = 'closed') = (outcome IS NOT NULL)),
    CHECK (state <> 'executing' OR case_id IS NOT NULL),
    CHECK ((wrapped_key IS NULL) = (forgotten_at IS NOT NULL)),
    CHECK ((sealed IS NULL) = (forgotten_at IS NOT NULL))
);

CREATE INDEX requests_by_receipt ON requests (received_at, id);
CREATE INDEX requests_to_look_at ON requests (look_at) WHERE look_at IS NOT NULL;
CREATE UNIQUE INDEX requests_of_a_case ON requests (case_id) WHERE case_id IS NOT NULL;

-- Keyed digests of identities, by which a second request of the same person is seen. They go with
-- the person's key.
CREATE TABLE request_persons (
    request_id UUID NOT NULL REFERENCES requests (id),
    tag BYTEA NOT NULL CHECK (length(tag) = 32),
    PRIMARY KEY (tag, request_id)
);

CREATE INDEX request_persons_of_a_request ON request_persons (request_id);

-- What a person does by hand for one job: one says that it is done, another one confirms.
CREATE TABLE tasks (
    job_id UUID NOT NULL PRIMARY KEY REFERENCES jobs (id),
    case_id UUID NOT NULL REFERENCES cases (id),
    system TEXT NOT NULL CHECK (system <> ''),
    assignee TEXT NOT NULL CHECK (assignee <> ''),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'confirmed', 'called_off')),
    result TEXT CHECK (result IN ('done', 'absent', 'refused')),
    opened_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    reminded_at BIGINT,
    done_at BIGINT,
    done_by TEXT,
    evidence_sha256 BYTEA CHECK (length(evidence_sha256) = 32),
    note TEXT,
    confirmed_at BIGINT,
    confirmed_by TEXT,
    CHECK ((done_at IS NULL) = (done_by IS NULL)),
    CHECK ((done_at IS NULL) = (result IS NULL)),
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL)),
    CHECK (state NOT IN ('done', 'confirmed') OR done_at IS NOT NULL),
    CHECK ((state = 'confirmed') = (confirmed_at IS NOT NULL)),
    CHECK (confirmed_by IS NULL OR confirmed_by <> done_by)
);

CREATE INDEX tasks_not_confirmed ON tasks (due_at) WHERE state IN ('open', 'done');

-- Letters to the person and notices to recipients; the text is sealed under the request's key.
CREATE TABLE letters (
    id UUID NOT NULL PRIMARY KEY,
    request_id UUID NOT NULL REFERENCES requests (id),
    kind TEXT NOT NULL CHECK (kind IN ('acknowledgement', 'identity', 'extension', 'outcome', 'refusal',
        'before_lifting', 'cancelled', 'recipient')),
    recipient TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language <> ''),
    template_digest BYTEA NOT NULL CHECK (length(template_digest) = 32),
    sealed BYTEA,
    written_at BIGINT NOT NULL,
    delivered_at BIGINT,
    delivered_by TEXT,
    delivery TEXT CHECK (delivery IN ('mail', 'interface', 'hand', 'impossible',
        'disproportionate')),
    reason TEXT,
    CHECK ((delivered_at IS NULL) = (delivered_by IS NULL)),
    CHECK ((delivered_at IS NULL) = (delivery IS NULL)),
    CHECK (delivery NOT IN ('impossible', 'disproportionate') OR reason IS NOT NULL)
);

CREATE INDEX letters_of_a_request ON letters (request_id, written_at);
CREATE UNIQUE INDEX letters_once ON letters (request_id, kind, recipient)
    WHERE kind IN ('acknowledgement', 'extension', 'before_lifting', 'recipient');

-- What was asked, by whom and when stays as it was; a person who is forgotten stays forgotten.
CREATE TRIGGER requests_no_rewriting BEFORE UPDATE ON requests
    FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id
        OR NEW.source IS DISTINCT FROM OLD.source
        OR NEW.external_id IS DISTINCT FROM OLD.external_id
        OR NEW.content_digest IS DISTINCT FROM OLD.content_digest
        OR NEW.asked IS DISTINCT FROM OLD.asked
        OR NEW.received_at IS DISTINCT FROM OLD.received_at
        OR NEW.recorded_at IS DISTINCT FROM OLD.recorded_at
        OR NEW.version <= OLD.version
        OR OLD.case_id IS NOT NULL AND NEW.case_id IS DISTINCT FROM OLD.case_id
        OR OLD.forgotten_at IS NOT NULL AND NEW.forgotten_at IS DISTINCT FROM OLD.forgotten_at)
    EXECUTE FUNCTION refuse_change('what a request was about is append-only');

CREATE TRIGGER requests_no_delete BEFORE DELETE ON requests
    FOR EACH ROW EXECUTE FUNCTION refuse_change('requests is append-only');

CREATE TRIGGER tasks_no_rewriting BEFORE UPDATE ON tasks
    FOR EACH ROW WHEN (NEW.job_id IS DISTINCT FROM OLD.job_id
        OR NEW.case_id IS DISTINCT FROM OLD.case_id
        OR NEW.system IS DISTINCT FROM OLD.system
        OR NEW.opened_at IS DISTINCT FROM OLD.opened_at
        OR OLD.state IN ('confirmed', 'called_off'))
    EXECUTE FUNCTION refuse_change('a task that is confirmed is append-only');

CREATE TRIGGER tasks_no_delete BEFORE DELETE ON tasks
    FOR EACH ROW EXECUTE FUNCTION refuse_change('tasks is append-only');

CREATE TRIGGER letters_no_rewriting BEFORE UPDATE ON letters
    FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id
        OR NEW.request_id IS DISTINCT FROM OLD.request_id
        OR NEW.kind IS DISTINCT FROM OLD.kind
        OR NEW.recipient IS DISTINCT FROM OLD.recipient
        OR NEW.template_digest IS DISTINCT FROM OLD.template_digest
        OR NEW.written_at IS DISTINCT FROM OLD.written_at
        OR NEW.sealed IS DISTINCT FROM OLD.sealed AND NEW.sealed IS NOT NULL
        OR OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS DISTINCT FROM OLD.delivered_at)
    EXECUTE FUNCTION refuse_change('a letter is append-only, except for its delivery');

CREATE TRIGGER letters_no_delete BEFORE DELETE ON letters
    FOR EACH ROW EXECUTE FUNCTION refuse_change('letters is append-only');
