-- Callbacks of vendors that a definition describes: which of their names each waiting job answers
-- to, and what was heard already, so that the same callback counts once, and how many jobs it woke.
-- Names stand here as keyed digests; rows go when they are of no more use.

CREATE TABLE vendor_names (
    system TEXT NOT NULL CHECK (system <> ''),
    name_tag BYTEA NOT NULL CHECK (length(name_tag) = 32),
    job_id UUID NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (system, name_tag, job_id)
);

CREATE INDEX vendor_names_of_a_job ON vendor_names (job_id);

CREATE TABLE vendor_callbacks (
    system TEXT NOT NULL CHECK (system <> ''),
    message BYTEA NOT NULL CHECK (length(message) = 32),
    name_tag BYTEA CHECK (length(name_tag) = 32),
    heard_at BIGINT NOT NULL,
    woke BIGINT NOT NULL CHECK (woke >= 0),
    remember_until BIGINT NOT NULL,
    PRIMARY KEY (system, message)
);

CREATE INDEX vendor_callbacks_to_forget ON vendor_callbacks (remember_until);
CREATE INDEX vendor_callbacks_by_name ON vendor_callbacks (system, name_tag)
    WHERE name_tag IS NOT NULL;

-- A letter that tells of a fee (GDPR article 12(5)): a refusal to act before it is paid.
ALTER TABLE letters ADD COLUMN is_fee BIGINT NOT NULL DEFAULT 0
    CHECK (is_fee IN (0, 1) AND (is_fee = 0 OR kind = 'refusal'));

CREATE TRIGGER letters_fee_no_rewriting BEFORE UPDATE ON letters
    FOR EACH ROW WHEN (NEW.is_fee IS DISTINCT FROM OLD.is_fee)
    EXECUTE FUNCTION refuse_change('a letter is append-only, except for its delivery');
