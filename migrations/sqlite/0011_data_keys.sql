-- Keys that seal what evidence means: one a case, wrapped with the key of a month (an epoch), which
-- is in the keys folder and never here. Whoever destroys the wrapped key shreds what it sealed;
-- whoever destroys the epoch's key shreds it in every copy of this database too.

CREATE TABLE key_epochs (
    epoch TEXT NOT NULL PRIMARY KEY CHECK (length(epoch) = 7),
    key_check BLOB NOT NULL CHECK (length(key_check) = 32),
    begun_at INTEGER NOT NULL,
    left_at INTEGER,
    destroyed_at INTEGER,
    CHECK (destroyed_at IS NULL OR left_at IS NOT NULL)
) STRICT;

CREATE TABLE data_keys (
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB REFERENCES cases (id),
    epoch TEXT NOT NULL REFERENCES key_epochs (epoch),
    wrapped BLOB,
    created_at INTEGER NOT NULL,
    destroyed_at INTEGER,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) STRICT;

CREATE INDEX data_keys_of_a_case ON data_keys (case_id, created_at);
CREATE INDEX data_keys_living ON data_keys (epoch) WHERE wrapped IS NOT NULL;

-- The key under which a detail is sealed; NULL is the vault's secret, as for all details before.
ALTER TABLE evidence_details ADD COLUMN key_id BLOB REFERENCES data_keys (id);
CREATE INDEX evidence_details_of_a_key ON evidence_details (key_id) WHERE sealed IS NOT NULL;

-- The epoch that wraps a request's own key; NULL is the vault's secret.
ALTER TABLE requests ADD COLUMN key_epoch TEXT REFERENCES key_epochs (epoch);
CREATE INDEX requests_of_an_epoch ON requests (key_epoch) WHERE wrapped_key IS NOT NULL;

-- The epoch with whose key a digest of what a person is known by was made, and what is needed to make
-- it anew, sealed under the request's own key; NULL is the vault's secret.
ALTER TABLE request_persons ADD COLUMN epoch TEXT REFERENCES key_epochs (epoch);
ALTER TABLE request_persons ADD COLUMN sealed BLOB CHECK ((sealed IS NULL) = (epoch IS NULL));
CREATE INDEX request_persons_of_an_epoch ON request_persons (epoch, tag);

CREATE INDEX cases_closed ON cases (closed_at, id) WHERE state = 'closed';

CREATE TRIGGER key_epochs_no_rewriting BEFORE UPDATE ON key_epochs
WHEN NEW.epoch IS NOT OLD.epoch
    OR NEW.key_check IS NOT OLD.key_check
    OR NEW.begun_at IS NOT OLD.begun_at
    OR NEW.rowid IS NOT OLD.rowid
    OR OLD.left_at IS NOT NULL AND (NEW.left_at IS NULL OR NEW.left_at < OLD.left_at)
    OR OLD.destroyed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an epoch is append-only, except for its end');
END;

CREATE TRIGGER key_epochs_no_early_end BEFORE UPDATE ON key_epochs
WHEN NEW.destroyed_at IS NOT NULL
    AND (EXISTS (SELECT 1 FROM data_keys WHERE epoch = OLD.epoch AND wrapped IS NOT NULL)
        OR EXISTS (SELECT 1 FROM requests WHERE key_epoch = OLD.epoch AND wrapped_key IS NOT NULL)
        OR EXISTS (SELECT 1 FROM request_persons WHERE epoch = OLD.epoch))
BEGIN
    SELECT RAISE(ABORT, 'an epoch lasts as long as it wraps a living key');
END;

CREATE TRIGGER key_epochs_no_delete BEFORE DELETE ON key_epochs
BEGIN
    SELECT RAISE(ABORT, 'key_epochs is append-only');
END;

CREATE TRIGGER key_epochs_no_replacing BEFORE INSERT ON key_epochs
WHEN EXISTS (SELECT 1 FROM key_epochs WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'key_epochs is append-only');
END;

CREATE TRIGGER key_epochs_kept BEFORE INSERT ON key_epochs
WHEN EXISTS (SELECT 1 FROM key_epochs WHERE epoch = NEW.epoch)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- A key is wrapped anew or destroyed, and stays destroyed.

CREATE TRIGGER data_keys_no_rewriting BEFORE UPDATE ON data_keys
WHEN NEW.id IS NOT OLD.id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.created_at IS NOT OLD.created_at
    OR NEW.rowid IS NOT OLD.rowid
    OR OLD.destroyed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a data key is append-only, except for its end');
END;

CREATE TRIGGER data_keys_no_delete BEFORE DELETE ON data_keys
BEGIN
    SELECT RAISE(ABORT, 'data_keys is append-only');
END;

CREATE TRIGGER data_keys_no_replacing BEFORE INSERT ON data_keys
WHEN EXISTS (SELECT 1 FROM data_keys WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'data_keys is append-only');
END;

CREATE TRIGGER data_keys_kept BEFORE INSERT ON data_keys
WHEN EXISTS (SELECT 1 FROM data_keys WHERE id = NEW.id)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- Nothing is wrapped with a key that is gone, nor sealed under one.

CREATE TRIGGER data_keys_begin_living BEFORE INSERT ON data_keys
WHEN EXISTS (SELECT 1 FROM key_epochs WHERE epoch = NEW.epoch AND destroyed_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the key of this epoch is destroyed');
END;

CREATE TRIGGER data_keys_stay_living BEFORE UPDATE ON data_keys
WHEN NEW.epoch IS NOT OLD.epoch
    AND EXISTS (SELECT 1 FROM key_epochs WHERE epoch = NEW.epoch AND destroyed_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the key of this epoch is destroyed');
END;

CREATE TRIGGER requests_begin_living BEFORE INSERT ON requests
WHEN EXISTS (SELECT 1 FROM key_epochs WHERE epoch = NEW.key_epoch AND destroyed_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the key of this epoch is destroyed');
END;

CREATE TRIGGER requests_stay_living BEFORE UPDATE ON requests
WHEN NEW.key_epoch IS NOT OLD.key_epoch
    AND (NEW.key_epoch IS NULL
        OR EXISTS (SELECT 1 FROM key_epochs WHERE epoch = NEW.key_epoch
            AND destroyed_at IS NOT NULL))
BEGIN
    SELECT RAISE(ABORT, 'the key of this epoch is destroyed');
END;

CREATE TRIGGER request_persons_begin_living BEFORE INSERT ON request_persons
WHEN EXISTS (SELECT 1 FROM key_epochs WHERE epoch = NEW.epoch AND destroyed_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the key of this epoch is destroyed');
END;

CREATE TRIGGER request_persons_no_rewriting BEFORE UPDATE ON request_persons
BEGIN
    SELECT RAISE(ABORT, 'request_persons is written and deleted, never changed');
END;

CREATE TRIGGER evidence_details_living_key BEFORE INSERT ON evidence_details
WHEN NEW.key_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM data_keys WHERE id = NEW.key_id AND wrapped IS NOT NULL
        AND case_id IS NEW.case_id)
BEGIN
    SELECT RAISE(ABORT, 'the key of this detail is destroyed, or of another case');
END;

CREATE TRIGGER evidence_details_no_rekeying BEFORE UPDATE ON evidence_details
WHEN NEW.key_id IS NOT OLD.key_id
BEGIN
    SELECT RAISE(ABORT, 'evidence_details is append-only, except for shredding');
END;
