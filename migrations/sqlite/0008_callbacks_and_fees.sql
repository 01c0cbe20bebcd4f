-- Callbacks of vendors that a definition describes: which of their names each waiting job answers
-- to, and what was heard already, so that the same callback counts once, and how many jobs it woke.
-- Names stand here as keyed digests; rows go when they are of no more use.

CREATE TABLE vendor_names (
    system TEXT NOT NULL CHECK (system <> ''),
    name_tag BLOB NOT NULL CHECK (length(name_tag) = 32),
    job_id BLOB NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (system, name_tag, job_id)
) STRICT;

CREATE INDEX vendor_names_of_a_job ON vendor_names (job_id);

CREATE TABLE vendor_callbacks (
    system TEXT NOT NULL CHECK (system <> ''),
    message BLOB NOT NULL CHECK (length(message) = 32),
    name_tag BLOB CHECK (length(name_tag) = 32),
    heard_at INTEGER NOT NULL,
    woke INTEGER NOT NULL CHECK (woke >= 0),
    remember_until INTEGER NOT NULL,
    PRIMARY KEY (system, message)
) STRICT;

CREATE INDEX vendor_callbacks_to_forget ON vendor_callbacks (remember_until);
CREATE INDEX vendor_callbacks_by_name ON vendor_callbacks (system, name_tag)
    WHERE name_tag IS NOT NULL;

-- A letter that tells of a fee (GDPR article 12(5)): a refusal to act before it is paid.
ALTER TABLE letters ADD COLUMN is_fee INTEGER NOT NULL DEFAULT 0
    CHECK (is_fee IN (0, 1) AND (is_fee = 0 OR kind = 'refusal'));

CREATE TRIGGER letters_fee_no_rewriting BEFORE UPDATE ON letters
WHEN NEW.is_fee IS NOT OLD.is_fee
BEGIN
    SELECT RAISE(ABORT, 'a letter is append-only, except for its delivery');
END;
