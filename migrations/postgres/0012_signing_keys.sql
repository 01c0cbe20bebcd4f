-- Public keys that sign certificates, each with the time in which it does: what an earlier one has
-- signed still verifies with it.

CREATE TABLE signing_keys (
    key_id BYTEA NOT NULL PRIMARY KEY CHECK (length(key_id) = 32),
    role TEXT NOT NULL CHECK (role IN ('issuer')),
    spki BYTEA NOT NULL CHECK (length(spki) BETWEEN 1 AND 4096),
    added_at BIGINT NOT NULL,
    retired_at BIGINT,
    compromised_since BIGINT,
    CHECK (compromised_since IS NULL OR retired_at IS NOT NULL)
);

CREATE UNIQUE INDEX signing_keys_in_use ON signing_keys (role) WHERE retired_at IS NULL;

CREATE TRIGGER signing_keys_no_rewriting BEFORE UPDATE ON signing_keys
    FOR EACH ROW WHEN (NEW.key_id IS DISTINCT FROM OLD.key_id
        OR NEW.role IS DISTINCT FROM OLD.role
        OR NEW.spki IS DISTINCT FROM OLD.spki
        OR NEW.added_at IS DISTINCT FROM OLD.added_at
        OR OLD.retired_at IS NOT NULL AND NEW.retired_at IS DISTINCT FROM OLD.retired_at
        OR OLD.compromised_since IS NOT NULL
            AND (NEW.compromised_since IS NULL
                OR NEW.compromised_since > OLD.compromised_since))
    EXECUTE FUNCTION refuse_change('a signing key is append-only, except for its end');

CREATE TRIGGER signing_keys_no_delete BEFORE DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change('signing_keys is append-only');

CREATE TRIGGER signing_keys_no_truncate BEFORE TRUNCATE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('signing_keys is append-only');
