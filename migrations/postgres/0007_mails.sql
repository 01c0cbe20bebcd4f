-- What goes out by e-mail: letters, notices to recipients, tasks and reminders. Each message is
-- written here before it is sent, and what became of it afterwards; nothing here says to which
-- address it goes or what stands in it.

CREATE TABLE mails (
    id UUID NOT NULL PRIMARY KEY,
    about TEXT NOT NULL CHECK (about IN ('letter', 'task', 'confirmation', 'reminder',
        'escalation')),
    letter_id UUID REFERENCES letters (id),
    job_id UUID REFERENCES tasks (job_id),
    recipient TEXT NOT NULL CHECK (recipient <> ''),
    state TEXT NOT NULL CHECK (state IN ('due', 'sending', 'sent', 'unknown', 'by_hand',
        'called_off')),
    written_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    attempts_allowed BIGINT NOT NULL CHECK (attempts_allowed >= 1),
    tried_at BIGINT,
    fault TEXT,
    settled_at BIGINT,
    CHECK ((about = 'letter') = (letter_id IS NOT NULL)),
    CHECK ((about = 'letter') = (job_id IS NULL)),
    CHECK (attempts <= attempts_allowed),
    CHECK ((attempts = 0) = (tried_at IS NULL)),
    CHECK (state NOT IN ('sending', 'sent', 'unknown') OR attempts > 0),
    CHECK ((state IN ('sent', 'called_off')) = (settled_at IS NOT NULL))
);

CREATE INDEX mails_due ON mails (next_at) WHERE state = 'due';
CREATE INDEX mails_open ON mails (written_at) WHERE state IN ('due', 'sending', 'unknown', 'by_hand');
CREATE INDEX mails_tried ON mails (tried_at) WHERE tried_at IS NOT NULL;
CREATE UNIQUE INDEX mails_of_a_letter ON mails (letter_id) WHERE letter_id IS NOT NULL;
CREATE INDEX mails_of_a_task ON mails (job_id) WHERE job_id IS NOT NULL;

CREATE TRIGGER mails_no_rewriting BEFORE UPDATE ON mails
    FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id
        OR NEW.about IS DISTINCT FROM OLD.about
        OR NEW.letter_id IS DISTINCT FROM OLD.letter_id
        OR NEW.job_id IS DISTINCT FROM OLD.job_id
        OR NEW.recipient IS DISTINCT FROM OLD.recipient
        OR NEW.written_at IS DISTINCT FROM OLD.written_at
        OR NEW.attempts < OLD.attempts
        OR OLD.state IN ('sent', 'called_off'))
    EXECUTE FUNCTION refuse_change('a mail that was sent is append-only');

CREATE TRIGGER mails_no_delete BEFORE DELETE ON mails
    FOR EACH ROW EXECUTE FUNCTION refuse_change('mails is append-only');
