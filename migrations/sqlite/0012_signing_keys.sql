-- Public keys that sign certificates, each with the time in which it does: what an earlier one has
-- signed still verifies with it.

CREATE TABLE signing_keys (
    key_id BLOB NOT NULL PRIMARY KEY CHECK (length(key_id) = 32),
    role TEXT NOT NULL CHECK (role IN ('issuer')),
    spki BLOB NOT NULL CHECK (length(spki) BETWEEN 1 AND 4096),
    added_at INTEGER NOT NULL,
    retired_at INTEGER,
    compromised_since INTEGER,
    CHECK (compromised_since IS NULL OR retired_at IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX signing_keys_in_use ON signing_keys (role) WHERE retired_at IS NULL;

CREATE TRIGGER signing_keys_no_rewriting BEFORE UPDATE ON signing_keys
WHEN NEW.key_id IS NOT OLD.key_id
    OR NEW.role IS NOT OLD.role
    OR NEW.spki IS NOT OLD.spki
    OR NEW.added_at IS NOT OLD.added_at
    OR NEW.rowid IS NOT OLD.rowid
    OR OLD.retired_at IS NOT NULL AND NEW.retired_at IS NOT OLD.retired_at
    OR OLD.compromised_since IS NOT NULL
        AND (NEW.compromised_since IS NULL OR NEW.compromised_since > OLD.compromised_since)
BEGIN
    SELECT RAISE(ABORT, 'a signing key is append-only, except for its end');
END;

CREATE TRIGGER signing_keys_no_delete BEFORE DELETE ON signing_keys
BEGIN
    SELECT RAISE(ABORT, 'signing_keys is append-only');
END;

CREATE TRIGGER signing_keys_no_replacing BEFORE INSERT ON signing_keys
WHEN EXISTS (SELECT 1 FROM signing_keys WHERE rowid = NEW.rowid OR key_id = NEW.key_id)
BEGIN
    SELECT RAISE(ABORT, 'signing_keys is append-only');
END;

CREATE TRIGGER signing_keys_kept BEFORE INSERT ON signing_keys
WHEN NEW.retired_at IS NULL
    AND EXISTS (SELECT 1 FROM signing_keys WHERE role = NEW.role AND retired_at IS NULL)
BEGIN
    SELECT RAISE(IGNORE);
END;
