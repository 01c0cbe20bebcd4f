-- Records of our own that have an end: a moment from which each counts, and laws that let a row go
-- only once everything that it serves is over. How long after that it goes is a rule of the
-- controller (`own_records`), carried out by the engine like every other.

-- When the matter was over; NULL as long as it is not.
ALTER TABLE requests ADD COLUMN over_at BIGINT
    CHECK (over_at IS NULL OR (state = 'closed' AND forgotten_at IS NOT NULL));
ALTER TABLE tasks ADD COLUMN over_at BIGINT
    CHECK (over_at IS NULL OR state IN ('confirmed', 'called_off'));
ALTER TABLE opendsr_asked ADD COLUMN over_at BIGINT;

CREATE INDEX requests_not_over ON requests (closed_at, id)
    WHERE over_at IS NULL AND forgotten_at IS NOT NULL;
CREATE INDEX requests_over ON requests (over_at) WHERE over_at IS NOT NULL;
CREATE INDEX tasks_not_over ON tasks (opened_at)
    WHERE over_at IS NULL AND state IN ('confirmed', 'called_off');
CREATE INDEX tasks_over ON tasks (over_at) WHERE over_at IS NOT NULL;
CREATE INDEX opendsr_asked_over ON opendsr_asked (over_at) WHERE over_at IS NOT NULL;
CREATE INDEX holds_released ON holds (released_at) WHERE released_at IS NOT NULL;
CREATE INDEX pauses_ended ON pauses (resumed_at) WHERE resumed_at IS NOT NULL;

-- A task that has ended stays as it is, but for the moment from which its record counts.
DROP TRIGGER tasks_no_rewriting ON tasks;
CREATE TRIGGER tasks_no_rewriting BEFORE UPDATE ON tasks
    FOR EACH ROW WHEN (NEW.job_id IS DISTINCT FROM OLD.job_id
        OR NEW.case_id IS DISTINCT FROM OLD.case_id
        OR NEW.system IS DISTINCT FROM OLD.system
        OR NEW.opened_at IS DISTINCT FROM OLD.opened_at
        OR OLD.state IN ('confirmed', 'called_off')
            AND (NEW.state IS DISTINCT FROM OLD.state
                OR NEW.assignee IS DISTINCT FROM OLD.assignee
                OR NEW.result IS DISTINCT FROM OLD.result
                OR NEW.due_at IS DISTINCT FROM OLD.due_at
                OR NEW.reminded_at IS DISTINCT FROM OLD.reminded_at
                OR NEW.done_at IS DISTINCT FROM OLD.done_at
                OR NEW.done_by IS DISTINCT FROM OLD.done_by
                OR NEW.evidence_sha256 IS DISTINCT FROM OLD.evidence_sha256
                OR NEW.note IS DISTINCT FROM OLD.note
                OR NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at
                OR NEW.confirmed_by IS DISTINCT FROM OLD.confirmed_by))
    EXECUTE FUNCTION refuse_change('a task that is confirmed is append-only');

-- What was over is not any more once its case is opened again.
CREATE FUNCTION cases_are_not_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE requests SET over_at = NULL, version = version + 1
    WHERE case_id = NEW.id AND over_at IS NOT NULL;
    UPDATE tasks SET over_at = NULL WHERE case_id = NEW.id AND over_at IS NOT NULL;
    UPDATE opendsr_asked SET over_at = NULL
    WHERE over_at IS NOT NULL AND job_id IN (SELECT id FROM jobs WHERE case_id = NEW.id);
    RETURN NULL;
END;
$$;
CREATE TRIGGER cases_are_not_over AFTER UPDATE ON cases
    FOR EACH ROW WHEN (OLD.state = 'closed' AND NEW.state <> 'closed')
    EXECUTE FUNCTION cases_are_not_over();

-- What must be true in the moment in which a row goes, whoever deletes it.
CREATE FUNCTION requests_no_early_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.over_at IS NULL
        OR OLD.case_id IS NOT NULL AND (
            NOT EXISTS (SELECT 1 FROM cases WHERE id = OLD.case_id AND state = 'closed')
            OR EXISTS (SELECT 1 FROM jobs WHERE case_id = OLD.case_id
                AND state NOT IN ('completed', 'failed', 'cancelled'))
            OR EXISTS (SELECT 1 FROM certificates WHERE case_id = OLD.case_id
                AND state = 'signed'))
    THEN
        RAISE EXCEPTION 'a request is append-only until its case is over and its person is forgotten'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END;
$$;
DROP TRIGGER requests_no_delete ON requests;
CREATE TRIGGER requests_no_early_delete BEFORE DELETE ON requests
    FOR EACH ROW EXECUTE FUNCTION requests_no_early_delete();

-- Of what belongs to a request; its argument says what the row is.
CREATE FUNCTION no_delete_before_its_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id AND over_at IS NOT NULL) THEN
        RAISE EXCEPTION '% until the request is over', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END;
$$;
DROP TRIGGER letters_no_delete ON letters;
CREATE TRIGGER letters_no_early_delete BEFORE DELETE ON letters
    FOR EACH ROW EXECUTE FUNCTION no_delete_before_its_request('a letter is append-only');
DROP TRIGGER opendsr_requests_no_delete ON opendsr_requests;
CREATE TRIGGER opendsr_requests_no_early_delete BEFORE DELETE ON opendsr_requests
    FOR EACH ROW EXECUTE FUNCTION no_delete_before_its_request('what a controller brought is append-only');
DROP TRIGGER opendsr_callbacks_no_delete ON opendsr_callbacks;
CREATE TRIGGER opendsr_callbacks_no_early_delete BEFORE DELETE ON opendsr_callbacks
    FOR EACH ROW EXECUTE FUNCTION no_delete_before_its_request('a callback is append-only');
CREATE TRIGGER opendsr_callbacks_no_lost_call BEFORE DELETE ON opendsr_callbacks
    FOR EACH ROW WHEN (OLD.state = 'waiting')
    EXECUTE FUNCTION refuse_change('a callback is append-only until it is settled');

-- Of what belongs to a job; its argument says what the row is.
CREATE FUNCTION no_delete_before_its_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.over_at IS NULL
        OR EXISTS (SELECT 1 FROM jobs WHERE id = OLD.job_id
            AND state NOT IN ('completed', 'failed', 'cancelled'))
    THEN
        RAISE EXCEPTION '% until its case is over', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END;
$$;
DROP TRIGGER tasks_no_delete ON tasks;
CREATE TRIGGER tasks_no_early_delete BEFORE DELETE ON tasks
    FOR EACH ROW EXECUTE FUNCTION no_delete_before_its_job('a task is append-only');
DROP TRIGGER opendsr_asked_no_delete ON opendsr_asked;
CREATE TRIGGER opendsr_asked_no_early_delete BEFORE DELETE ON opendsr_asked
    FOR EACH ROW EXECUTE FUNCTION no_delete_before_its_job('what was asked of a third party is append-only');

CREATE FUNCTION mails_no_early_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('due', 'sending')
        OR OLD.letter_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM letters, requests
            WHERE letters.id = OLD.letter_id AND requests.id = letters.request_id
                AND requests.over_at IS NOT NULL)
        OR OLD.job_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tasks
            WHERE tasks.job_id = OLD.job_id AND tasks.over_at IS NOT NULL)
    THEN
        RAISE EXCEPTION 'a mail is append-only until what it is about is over'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END;
$$;
DROP TRIGGER mails_no_delete ON mails;
CREATE TRIGGER mails_no_early_delete BEFORE DELETE ON mails
    FOR EACH ROW EXECUTE FUNCTION mails_no_early_delete();

DROP TRIGGER holds_no_delete ON holds;
CREATE TRIGGER holds_no_early_delete BEFORE DELETE ON holds
    FOR EACH ROW WHEN (OLD.released_at IS NULL)
    EXECUTE FUNCTION refuse_change('a hold is append-only until it is released');
DROP TRIGGER pauses_no_delete ON pauses;
CREATE TRIGGER pauses_no_early_delete BEFORE DELETE ON pauses
    FOR EACH ROW WHEN (OLD.resumed_at IS NULL)
    EXECUTE FUNCTION refuse_change('a pause is append-only until it has ended');

-- What is gone here leaves the re-erasure list too.
CREATE FUNCTION re_erasure_gone_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (request_id)
        SELECT OLD.id WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    INSERT INTO re_erasure_changes (case_id)
        SELECT OLD.case_id WHERE OLD.case_id IS NOT NULL
            AND EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;
CREATE FUNCTION re_erasure_gone_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (case_id)
        SELECT case_id FROM jobs WHERE id = OLD.job_id
            AND EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;
CREATE TRIGGER re_erasure_of_gone_requests AFTER DELETE ON requests
    FOR EACH ROW EXECUTE FUNCTION re_erasure_gone_request();
CREATE TRIGGER re_erasure_of_gone_letters AFTER DELETE ON letters
    FOR EACH ROW EXECUTE FUNCTION re_erasure_forgotten();
CREATE TRIGGER re_erasure_of_gone_tasks AFTER DELETE ON tasks
    FOR EACH ROW EXECUTE FUNCTION re_erasure_gone_of_case();
CREATE TRIGGER re_erasure_of_gone_asked AFTER DELETE ON opendsr_asked
    FOR EACH ROW EXECUTE FUNCTION re_erasure_gone_of_case();
CREATE TRIGGER re_erasure_of_gone_holds AFTER DELETE ON holds
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_gone_pauses AFTER DELETE ON pauses
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
