-- Records of our own that have an end: a moment from which each counts, and laws that let a row go
-- only once everything that it serves is over. How long after that it goes is a rule of the
-- controller (`own_records`), carried out by the engine like every other.

-- When the matter was over; NULL as long as it is not.
ALTER TABLE requests ADD COLUMN over_at INTEGER
    CHECK (over_at IS NULL OR (state = 'closed' AND forgotten_at IS NOT NULL));
ALTER TABLE tasks ADD COLUMN over_at INTEGER
    CHECK (over_at IS NULL OR state IN ('confirmed', 'called_off'));
ALTER TABLE opendsr_asked ADD COLUMN over_at INTEGER;

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
DROP TRIGGER tasks_no_rewriting;
CREATE TRIGGER tasks_no_rewriting BEFORE UPDATE ON tasks
WHEN NEW.job_id IS NOT OLD.job_id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.system IS NOT OLD.system
    OR NEW.opened_at IS NOT OLD.opened_at
    OR OLD.state IN ('confirmed', 'called_off')
        AND (NEW.state IS NOT OLD.state
            OR NEW.assignee IS NOT OLD.assignee
            OR NEW.result IS NOT OLD.result
            OR NEW.due_at IS NOT OLD.due_at
            OR NEW.reminded_at IS NOT OLD.reminded_at
            OR NEW.done_at IS NOT OLD.done_at
            OR NEW.done_by IS NOT OLD.done_by
            OR NEW.evidence_sha256 IS NOT OLD.evidence_sha256
            OR NEW.note IS NOT OLD.note
            OR NEW.confirmed_at IS NOT OLD.confirmed_at
            OR NEW.confirmed_by IS NOT OLD.confirmed_by)
BEGIN
    SELECT RAISE(ABORT, 'a task that is confirmed is append-only');
END;

-- What was over is not any more once its case is opened again.
CREATE TRIGGER cases_are_not_over AFTER UPDATE ON cases
WHEN OLD.state = 'closed' AND NEW.state <> 'closed'
BEGIN
    UPDATE requests SET over_at = NULL, version = version + 1
    WHERE case_id = NEW.id AND over_at IS NOT NULL;
    UPDATE tasks SET over_at = NULL WHERE case_id = NEW.id AND over_at IS NOT NULL;
    UPDATE opendsr_asked SET over_at = NULL
    WHERE over_at IS NOT NULL AND job_id IN (SELECT id FROM jobs WHERE case_id = NEW.id);
END;

-- What must be true in the moment in which a row goes, whoever deletes it.
DROP TRIGGER requests_no_delete;
CREATE TRIGGER requests_no_early_delete BEFORE DELETE ON requests
WHEN OLD.over_at IS NULL
    OR OLD.case_id IS NOT NULL AND (
        NOT EXISTS (SELECT 1 FROM cases WHERE id = OLD.case_id AND state = 'closed')
        OR EXISTS (SELECT 1 FROM jobs WHERE case_id = OLD.case_id
            AND state NOT IN ('completed', 'failed', 'cancelled'))
        OR EXISTS (SELECT 1 FROM certificates WHERE case_id = OLD.case_id AND state = 'signed'))
BEGIN
    SELECT RAISE(ABORT, 'a request is append-only until its case is over and its person is forgotten');
END;

DROP TRIGGER letters_no_delete;
CREATE TRIGGER letters_no_early_delete BEFORE DELETE ON letters
WHEN NOT EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id AND over_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'a letter is append-only until its request is over');
END;

DROP TRIGGER tasks_no_delete;
CREATE TRIGGER tasks_no_early_delete BEFORE DELETE ON tasks
WHEN OLD.over_at IS NULL
    OR EXISTS (SELECT 1 FROM jobs WHERE id = OLD.job_id
        AND state NOT IN ('completed', 'failed', 'cancelled'))
BEGIN
    SELECT RAISE(ABORT, 'a task is append-only until its case is over');
END;

DROP TRIGGER mails_no_delete;
CREATE TRIGGER mails_no_early_delete BEFORE DELETE ON mails
WHEN OLD.state IN ('due', 'sending')
    OR OLD.letter_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM letters, requests
        WHERE letters.id = OLD.letter_id AND requests.id = letters.request_id
            AND requests.over_at IS NOT NULL)
    OR OLD.job_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tasks
        WHERE tasks.job_id = OLD.job_id AND tasks.over_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'a mail is append-only until what it is about is over');
END;

DROP TRIGGER opendsr_requests_no_delete;
CREATE TRIGGER opendsr_requests_no_early_delete BEFORE DELETE ON opendsr_requests
WHEN NOT EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id AND over_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'what a controller brought is append-only until the request is over');
END;

DROP TRIGGER opendsr_callbacks_no_delete;
CREATE TRIGGER opendsr_callbacks_no_early_delete BEFORE DELETE ON opendsr_callbacks
WHEN OLD.state = 'waiting'
    OR NOT EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id AND over_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'a callback is append-only until its request is over');
END;

DROP TRIGGER opendsr_asked_no_delete;
CREATE TRIGGER opendsr_asked_no_early_delete BEFORE DELETE ON opendsr_asked
WHEN OLD.over_at IS NULL
    OR EXISTS (SELECT 1 FROM jobs WHERE id = OLD.job_id
        AND state NOT IN ('completed', 'failed', 'cancelled'))
BEGIN
    SELECT RAISE(ABORT, 'what was asked of a third party is append-only until its case is over');
END;

DROP TRIGGER holds_no_delete;
CREATE TRIGGER holds_no_early_delete BEFORE DELETE ON holds
WHEN OLD.released_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'a hold is append-only until it is released');
END;

DROP TRIGGER pauses_no_delete;
CREATE TRIGGER pauses_no_early_delete BEFORE DELETE ON pauses
WHEN OLD.resumed_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'a pause is append-only until it has ended');
END;

-- What is gone here leaves the re-erasure list too.
CREATE TRIGGER re_erasure_of_gone_requests AFTER DELETE ON requests
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (OLD.id);
    INSERT INTO re_erasure_changes (case_id) SELECT OLD.case_id WHERE OLD.case_id IS NOT NULL;
END;
CREATE TRIGGER re_erasure_of_gone_letters AFTER DELETE ON letters
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (OLD.request_id);
END;
CREATE TRIGGER re_erasure_of_gone_tasks AFTER DELETE ON tasks
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (OLD.case_id);
END;
CREATE TRIGGER re_erasure_of_gone_asked AFTER DELETE ON opendsr_asked
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) SELECT case_id FROM jobs WHERE id = OLD.job_id;
END;
CREATE TRIGGER re_erasure_of_gone_holds AFTER DELETE ON holds
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_gone_pauses AFTER DELETE ON pauses
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
