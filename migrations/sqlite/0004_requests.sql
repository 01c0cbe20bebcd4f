-- What persons ask, who does by hand what no interface can, and the letters that go out. What
-- identifies a person is sealed under a key of its own, which is destroyed in the end; what stays
-- names nobody.

CREATE TABLE requests (
    id BLOB NOT NULL PRIMARY KEY,
    source TEXT NOT NULL CHECK (source <> ''),
    external_id TEXT NOT NULL CHECK (external_id <> ''),
    content_digest BLOB NOT NULL CHECK (length(content_digest) = 32),
    asked TEXT NOT NULL CHECK (asked IN ('erasure', 'restriction', 'lifting', 'objection', 'access',
        'rectification', 'portability')),
    state TEXT NOT NULL CHECK (state IN ('identity_pending', 'cooling_off', 'ready', 'ambiguous',
        'with_a_person', 'executing', 'closed')),
    outcome TEXT CHECK (outcome IN ('fulfilled', 'partially_retained', 'not_found', 'refused',
        'cancelled', 'failed', 'handled')),
    received_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    look_at INTEGER,
    case_id BLOB REFERENCES cases (id),
    body TEXT NOT NULL,
    wrapped_key BLOB,
    sealed BLOB,
    version INTEGER NOT NULL CHECK (version >= 0),
    closed_at INTEGER,
    forgotten_at INTEGER,
    UNIQUE (source, external_id),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((state = 'closed') = (outcome IS NOT NULL)),
    CHECK (state <> 'executing' OR case_id IS NOT NULL),
    CHECK ((wrapped_key IS NULL) = (forgotten_at IS NOT NULL)),
    CHECK ((sealed IS NULL) = (forgotten_at IS NOT NULL))
) STRICT;

CREATE INDEX requests_by_receipt ON requests (received_at, id);
CREATE INDEX requests_to_look_at ON requests (look_at) WHERE look_at IS NOT NULL;
CREATE UNIQUE INDEX requests_of_a_case ON requests (case_id) WHERE case_id IS NOT NULL;

-- Keyed digests of identities, by which a second request of the same person is seen. They go with
-- the person's key.
CREATE TABLE request_persons (
    request_id BLOB NOT NULL REFERENCES requests (id),
    tag BLOB NOT NULL CHECK (length(tag) = 32),
    PRIMARY KEY (tag, request_id)
) STRICT;

CREATE INDEX request_persons_of_a_request ON request_persons (request_id);

-- What a person does by hand for one job: one says that it is done, another one confirms.
CREATE TABLE tasks (
    job_id BLOB NOT NULL PRIMARY KEY REFERENCES jobs (id),
    case_id BLOB NOT NULL REFERENCES cases (id),
    system TEXT NOT NULL CHECK (system <> ''),
    assignee TEXT NOT NULL CHECK (assignee <> ''),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'confirmed', 'called_off')),
    result TEXT CHECK (result IN ('done', 'absent', 'refused')),
    opened_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    reminded_at INTEGER,
    done_at INTEGER,
    done_by TEXT,
    evidence_sha256 BLOB CHECK (length(evidence_sha256) = 32),
    note TEXT,
    confirmed_at INTEGER,
    confirmed_by TEXT,
    CHECK ((done_at IS NULL) = (done_by IS NULL)),
    CHECK ((done_at IS NULL) = (result IS NULL)),
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL)),
    CHECK (state NOT IN ('done', 'confirmed') OR done_at IS NOT NULL),
    CHECK ((state = 'confirmed') = (confirmed_at IS NOT NULL)),
    CHECK (confirmed_by IS NULL OR confirmed_by <> done_by)
) STRICT;

CREATE INDEX tasks_not_confirmed ON tasks (due_at) WHERE state IN ('open', 'done');

-- Letters to the person and notices to recipients; the text is sealed under the request's key.
CREATE TABLE letters (
    id BLOB NOT NULL PRIMARY KEY,
    request_id BLOB NOT NULL REFERENCES requests (id),
    kind TEXT NOT NULL CHECK (kind IN ('acknowledgement', 'identity', 'extension', 'outcome', 'refusal',
        'before_lifting', 'cancelled', 'recipient')),
    recipient TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language <> ''),
    template_digest BLOB NOT NULL CHECK (length(template_digest) = 32),
    sealed BLOB,
    written_at INTEGER NOT NULL,
    delivered_at INTEGER,
    delivered_by TEXT,
    delivery TEXT CHECK (delivery IN ('mail', 'interface', 'hand', 'impossible',
        'disproportionate')),
    reason TEXT,
    CHECK ((delivered_at IS NULL) = (delivered_by IS NULL)),
    CHECK ((delivered_at IS NULL) = (delivery IS NULL)),
    CHECK (delivery NOT IN ('impossible', 'disproportionate') OR reason IS NOT NULL)
) STRICT;

CREATE INDEX letters_of_a_request ON letters (request_id, written_at);
CREATE UNIQUE INDEX letters_once ON letters (request_id, kind, recipient)
    WHERE kind IN ('acknowledgement', 'extension', 'before_lifting', 'recipient');

-- What was asked, by whom and when stays as it was; a person who is forgotten stays forgotten.
CREATE TRIGGER requests_no_rewriting BEFORE UPDATE ON requests
WHEN NEW.id IS NOT OLD.id
    OR NEW.source IS NOT OLD.source
    OR NEW.external_id IS NOT OLD.external_id
    OR NEW.content_digest IS NOT OLD.content_digest
    OR NEW.asked IS NOT OLD.asked
    OR NEW.received_at IS NOT OLD.received_at
    OR NEW.recorded_at IS NOT OLD.recorded_at
    OR NEW.version <= OLD.version
    OR OLD.case_id IS NOT NULL AND NEW.case_id IS NOT OLD.case_id
    OR OLD.forgotten_at IS NOT NULL AND NEW.forgotten_at IS NOT OLD.forgotten_at
BEGIN
    SELECT RAISE(ABORT, 'what a request was about is append-only');
END;

CREATE TRIGGER requests_no_delete BEFORE DELETE ON requests
BEGIN
    SELECT RAISE(ABORT, 'requests is append-only');
END;

CREATE TRIGGER tasks_no_rewriting BEFORE UPDATE ON tasks
WHEN NEW.job_id IS NOT OLD.job_id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.system IS NOT OLD.system
    OR NEW.opened_at IS NOT OLD.opened_at
    OR OLD.state IN ('confirmed', 'called_off')
BEGIN
    SELECT RAISE(ABORT, 'a task that is confirmed is append-only');
END;

CREATE TRIGGER tasks_no_delete BEFORE DELETE ON tasks
BEGIN
    SELECT RAISE(ABORT, 'tasks is append-only');
END;

CREATE TRIGGER letters_no_rewriting BEFORE UPDATE ON letters
WHEN NEW.id IS NOT OLD.id
    OR NEW.request_id IS NOT OLD.request_id
    OR NEW.kind IS NOT OLD.kind
    OR NEW.recipient IS NOT OLD.recipient
    OR NEW.template_digest IS NOT OLD.template_digest
    OR NEW.written_at IS NOT OLD.written_at
    OR NEW.sealed IS NOT OLD.sealed AND NEW.sealed IS NOT NULL
    OR OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS NOT OLD.delivered_at
BEGIN
    SELECT RAISE(ABORT, 'a letter is append-only, except for its delivery');
END;

CREATE TRIGGER letters_no_delete BEFORE DELETE ON letters
BEGIN
    SELECT RAISE(ABORT, 'letters is append-only');
END;
