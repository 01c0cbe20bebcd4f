-- OpenDSR: requests that other controllers bring and what they are told of them; and the requests
-- that we make of third parties that call back. No identity stands here, no group by its name, and
-- no address to call back in clear.

CREATE TABLE opendsr_requests (
    request_id UUID NOT NULL PRIMARY KEY REFERENCES requests (id),
    controller TEXT NOT NULL CHECK (controller <> ''),
    dialect TEXT NOT NULL CHECK (dialect IN ('v1', 'v2', 'v3')),
    body_tag BYTEA NOT NULL CHECK (length(body_tag) = 32),
    group_tag BYTEA CHECK (length(group_tag) = 32),
    expected_at BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    seen_version BIGINT NOT NULL,
    sealed_urls BYTEA
);

CREATE INDEX opendsr_requests_of_a_group ON opendsr_requests (controller, group_tag)
    WHERE group_tag IS NOT NULL;
CREATE INDEX opendsr_requests_open ON opendsr_requests (request_id)
    WHERE status IN ('pending', 'in_progress');

-- One call for each address and each change of state; a later step waits for the earlier one.
CREATE TABLE opendsr_callbacks (
    request_id UUID NOT NULL REFERENCES opendsr_requests (request_id),
    place BIGINT NOT NULL CHECK (place >= 0),
    step BIGINT NOT NULL CHECK (step IN (1, 2)),
    status TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'cancelled')),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    next_at BIGINT NOT NULL,
    last_fault TEXT,
    created_at BIGINT NOT NULL,
    settled_at BIGINT,
    PRIMARY KEY (request_id, place, step),
    CHECK ((step = 1) = (status = 'in_progress')),
    CHECK ((state = 'waiting') = (settled_at IS NULL))
);

CREATE INDEX opendsr_callbacks_waiting ON opendsr_callbacks (next_at) WHERE state = 'waiting';

-- Requests that we have made of third parties, by the name under which they call back.
CREATE TABLE opendsr_asked (
    system TEXT NOT NULL CHECK (system <> ''),
    subject_request_id UUID NOT NULL,
    job_id UUID NOT NULL REFERENCES jobs (id),
    step BIGINT NOT NULL CHECK (step IN (0, 1, 2)),
    status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    told_at BIGINT,
    PRIMARY KEY (system, subject_request_id)
);

CREATE INDEX opendsr_asked_for_a_job ON opendsr_asked (job_id);

-- What a controller brought stays as it was, and a state only goes on.
CREATE TRIGGER opendsr_requests_no_rewriting BEFORE UPDATE ON opendsr_requests
    FOR EACH ROW WHEN (NEW.request_id IS DISTINCT FROM OLD.request_id
        OR NEW.controller IS DISTINCT FROM OLD.controller
        OR NEW.dialect IS DISTINCT FROM OLD.dialect
        OR NEW.body_tag IS DISTINCT FROM OLD.body_tag
        OR NEW.group_tag IS DISTINCT FROM OLD.group_tag
        OR NEW.expected_at IS DISTINCT FROM OLD.expected_at
        OR NEW.sealed_urls IS DISTINCT FROM OLD.sealed_urls
        OR OLD.status IN ('completed', 'cancelled') AND NEW.status IS DISTINCT FROM OLD.status
        OR NEW.seen_version < OLD.seen_version)
    EXECUTE FUNCTION refuse_change('what a controller brought is append-only');

CREATE TRIGGER opendsr_requests_no_delete BEFORE DELETE ON opendsr_requests
    FOR EACH ROW EXECUTE FUNCTION refuse_change('opendsr_requests is append-only');

CREATE TRIGGER opendsr_callbacks_no_rewriting BEFORE UPDATE ON opendsr_callbacks
    FOR EACH ROW WHEN (NEW.request_id IS DISTINCT FROM OLD.request_id
        OR NEW.place IS DISTINCT FROM OLD.place
        OR NEW.step IS DISTINCT FROM OLD.step
        OR NEW.status IS DISTINCT FROM OLD.status
        OR NEW.created_at IS DISTINCT FROM OLD.created_at
        OR OLD.state <> 'waiting')
    EXECUTE FUNCTION refuse_change('a callback that is settled is append-only');

CREATE TRIGGER opendsr_callbacks_no_delete BEFORE DELETE ON opendsr_callbacks
    FOR EACH ROW EXECUTE FUNCTION refuse_change('opendsr_callbacks is append-only');

CREATE TRIGGER opendsr_asked_no_rewriting BEFORE UPDATE ON opendsr_asked
    FOR EACH ROW WHEN (NEW.system IS DISTINCT FROM OLD.system
        OR NEW.subject_request_id IS DISTINCT FROM OLD.subject_request_id
        OR NEW.job_id IS DISTINCT FROM OLD.job_id
        OR NEW.step < OLD.step)
    EXECUTE FUNCTION refuse_change('what was asked of a third party is append-only');

CREATE TRIGGER opendsr_asked_no_delete BEFORE DELETE ON opendsr_asked
    FOR EACH ROW EXECUTE FUNCTION refuse_change('opendsr_asked is append-only');
