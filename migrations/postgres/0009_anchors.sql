-- What others vouch for: time stamps (RFC 3161) over heads of the log and over signatures of
-- certificates, and cosignatures of witnesses. Nothing of it is ever changed.

CREATE TABLE time_stamp_chains (
    digest BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    certificates TEXT NOT NULL CHECK (certificates <> '')
);

CREATE TABLE time_stamps (
    id UUID NOT NULL PRIMARY KEY,
    log_id TEXT,
    size BIGINT,
    certificate_id UUID REFERENCES certificates (id),
    authority TEXT NOT NULL CHECK (authority <> ''),
    url TEXT NOT NULL CHECK (url <> ''),
    answer BYTEA NOT NULL,
    chain BYTEA NOT NULL REFERENCES time_stamp_chains (digest),
    stamped_at BIGINT NOT NULL,
    sound_until BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    FOREIGN KEY (log_id, size) REFERENCES log_checkpoints (log_id, size),
    CHECK ((log_id IS NULL) = (size IS NULL)),
    CHECK ((log_id IS NULL) = (certificate_id IS NOT NULL))
);

CREATE INDEX time_stamps_of_heads ON time_stamps (log_id, size) WHERE log_id IS NOT NULL;
CREATE INDEX time_stamps_of_certificates ON time_stamps (certificate_id)
    WHERE certificate_id IS NOT NULL;
CREATE INDEX time_stamps_by_authority ON time_stamps (authority, received_at);

CREATE TABLE log_cosignatures (
    log_id TEXT NOT NULL,
    size BIGINT NOT NULL,
    cosigner TEXT NOT NULL CHECK (cosigner <> ''),
    line TEXT NOT NULL CHECK (line <> ''),
    signed_at BIGINT NOT NULL,
    PRIMARY KEY (log_id, size, cosigner, signed_at),
    FOREIGN KEY (log_id, size) REFERENCES log_checkpoints (log_id, size)
);

CREATE INDEX log_cosignatures_by_cosigner ON log_cosignatures (log_id, cosigner, size);

-- When others vouched for a certificate; its state is `anchored` from then on.
ALTER TABLE certificates ADD COLUMN anchored_at BIGINT;

CREATE INDEX certificates_to_anchor ON certificates (issued_at, id)
    WHERE anchored_at IS NULL AND bundle IS NOT NULL;

CREATE TRIGGER certificates_stay_anchored BEFORE UPDATE ON certificates
    FOR EACH ROW
    WHEN (OLD.anchored_at IS NOT NULL AND NEW.anchored_at IS DISTINCT FROM OLD.anchored_at)
    EXECUTE FUNCTION refuse_change('a certificate stays anchored');

CREATE TRIGGER time_stamp_chains_no_update BEFORE UPDATE ON time_stamp_chains
    FOR EACH ROW EXECUTE FUNCTION refuse_change('time_stamp_chains is append-only');
CREATE TRIGGER time_stamp_chains_no_delete BEFORE DELETE ON time_stamp_chains
    FOR EACH ROW EXECUTE FUNCTION refuse_change('time_stamp_chains is append-only');
CREATE TRIGGER time_stamp_chains_no_truncate BEFORE TRUNCATE ON time_stamp_chains
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('time_stamp_chains is append-only');

CREATE TRIGGER time_stamps_no_update BEFORE UPDATE ON time_stamps
    FOR EACH ROW EXECUTE FUNCTION refuse_change('time_stamps is append-only');
CREATE TRIGGER time_stamps_no_delete BEFORE DELETE ON time_stamps
    FOR EACH ROW EXECUTE FUNCTION refuse_change('time_stamps is append-only');
CREATE TRIGGER time_stamps_no_truncate BEFORE TRUNCATE ON time_stamps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('time_stamps is append-only');

CREATE TRIGGER log_cosignatures_no_update BEFORE UPDATE ON log_cosignatures
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_cosignatures is append-only');
CREATE TRIGGER log_cosignatures_no_delete BEFORE DELETE ON log_cosignatures
    FOR EACH ROW EXECUTE FUNCTION refuse_change('log_cosignatures is append-only');
CREATE TRIGGER log_cosignatures_no_truncate BEFORE TRUNCATE ON log_cosignatures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('log_cosignatures is append-only');
