-- What others vouch for: time stamps (RFC 3161) over heads of the log and over signatures of
-- certificates, and cosignatures of witnesses. Nothing of it is ever changed.

CREATE TABLE time_stamp_chains (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    certificates TEXT NOT NULL CHECK (certificates <> '')
) STRICT;

CREATE TABLE time_stamps (
    id BLOB NOT NULL PRIMARY KEY,
    log_id TEXT,
    size INTEGER,
    certificate_id BLOB REFERENCES certificates (id),
    authority TEXT NOT NULL CHECK (authority <> ''),
    url TEXT NOT NULL CHECK (url <> ''),
    answer BLOB NOT NULL,
    chain BLOB NOT NULL REFERENCES time_stamp_chains (digest),
    stamped_at INTEGER NOT NULL,
    sound_until INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    FOREIGN KEY (log_id, size) REFERENCES log_checkpoints (log_id, size),
    CHECK ((log_id IS NULL) = (size IS NULL)),
    CHECK ((log_id IS NULL) = (certificate_id IS NOT NULL))
) STRICT;

CREATE INDEX time_stamps_of_heads ON time_stamps (log_id, size) WHERE log_id IS NOT NULL;
CREATE INDEX time_stamps_of_certificates ON time_stamps (certificate_id)
    WHERE certificate_id IS NOT NULL;
CREATE INDEX time_stamps_by_authority ON time_stamps (authority, received_at);

CREATE TABLE log_cosignatures (
    log_id TEXT NOT NULL,
    size INTEGER NOT NULL,
    cosigner TEXT NOT NULL CHECK (cosigner <> ''),
    line TEXT NOT NULL CHECK (line <> ''),
    signed_at INTEGER NOT NULL,
    PRIMARY KEY (log_id, size, cosigner, signed_at),
    FOREIGN KEY (log_id, size) REFERENCES log_checkpoints (log_id, size)
) STRICT;

CREATE INDEX log_cosignatures_by_cosigner ON log_cosignatures (log_id, cosigner, size);

-- When others vouched for a certificate; its state is `anchored` from then on.
ALTER TABLE certificates ADD COLUMN anchored_at INTEGER;

CREATE INDEX certificates_to_anchor ON certificates (issued_at, id)
    WHERE anchored_at IS NULL AND bundle IS NOT NULL;

CREATE TRIGGER certificates_stay_anchored BEFORE UPDATE ON certificates
WHEN OLD.anchored_at IS NOT NULL AND NEW.anchored_at IS NOT OLD.anchored_at
BEGIN
    SELECT RAISE(ABORT, 'a certificate stays anchored');
END;

CREATE TRIGGER time_stamp_chains_no_update BEFORE UPDATE ON time_stamp_chains
BEGIN
    SELECT RAISE(ABORT, 'time_stamp_chains is append-only');
END;

CREATE TRIGGER time_stamp_chains_no_delete BEFORE DELETE ON time_stamp_chains
BEGIN
    SELECT RAISE(ABORT, 'time_stamp_chains is append-only');
END;

CREATE TRIGGER time_stamp_chains_kept BEFORE INSERT ON time_stamp_chains
WHEN EXISTS (SELECT 1 FROM time_stamp_chains WHERE digest = NEW.digest OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER time_stamps_no_update BEFORE UPDATE ON time_stamps
BEGIN
    SELECT RAISE(ABORT, 'time_stamps is append-only');
END;

CREATE TRIGGER time_stamps_no_delete BEFORE DELETE ON time_stamps
BEGIN
    SELECT RAISE(ABORT, 'time_stamps is append-only');
END;

CREATE TRIGGER time_stamps_no_replacing BEFORE INSERT ON time_stamps
WHEN EXISTS (SELECT 1 FROM time_stamps WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'time_stamps is append-only');
END;

CREATE TRIGGER log_cosignatures_no_update BEFORE UPDATE ON log_cosignatures
BEGIN
    SELECT RAISE(ABORT, 'log_cosignatures is append-only');
END;

CREATE TRIGGER log_cosignatures_no_delete BEFORE DELETE ON log_cosignatures
BEGIN
    SELECT RAISE(ABORT, 'log_cosignatures is append-only');
END;

CREATE TRIGGER log_cosignatures_no_replacing BEFORE INSERT ON log_cosignatures
WHEN EXISTS (SELECT 1 FROM log_cosignatures WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'log_cosignatures is append-only');
END;

CREATE TRIGGER log_cosignatures_kept BEFORE INSERT ON log_cosignatures
WHEN EXISTS (SELECT 1 FROM log_cosignatures WHERE log_id = NEW.log_id AND size = NEW.size
    AND cosigner = NEW.cosigner AND signed_at = NEW.signed_at)
BEGIN
    SELECT RAISE(IGNORE);
END;
