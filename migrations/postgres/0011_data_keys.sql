-- Keys that seal what evidence means: one a case, wrapped with the key of a month (an epoch), which
-- is in the keys folder and never here. Whoever destroys the wrapped key shreds what it sealed;
-- whoever destroys the epoch's key shreds it in every copy of this database too.

CREATE TABLE key_epochs (
    epoch TEXT NOT NULL PRIMARY KEY CHECK (length(epoch) = 7),
    key_check BYTEA NOT NULL CHECK (length(key_check) = 32),
    begun_at BIGINT NOT NULL,
    left_at BIGINT,
    destroyed_at BIGINT,
    CHECK (destroyed_at IS NULL OR left_at IS NOT NULL)
);

CREATE TABLE data_keys (
    id UUID NOT NULL PRIMARY KEY,
    case_id UUID REFERENCES cases (id),
    epoch TEXT NOT NULL REFERENCES key_epochs (epoch),
    wrapped BYTEA,
    created_at BIGINT NOT NULL,
    destroyed_at BIGINT,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE INDEX data_keys_of_a_case ON data_keys (case_id, created_at);
CREATE INDEX data_keys_living ON data_keys (epoch) WHERE wrapped IS NOT NULL;

-- The key under which a detail is sealed; NULL is the vault's secret, as for all details before.
ALTER TABLE evidence_details ADD COLUMN key_id UUID REFERENCES data_keys (id);
CREATE INDEX evidence_details_of_a_key ON evidence_details (key_id) WHERE sealed IS NOT NULL;

-- The epoch that wraps a request's own key; NULL is the vault's secret.
ALTER TABLE requests ADD COLUMN key_epoch TEXT REFERENCES key_epochs (epoch);
CREATE INDEX requests_of_an_epoch ON requests (key_epoch) WHERE wrapped_key IS NOT NULL;

-- The epoch with whose key a digest of what a person is known by was made, and what is needed to make
-- it anew, sealed under the request's own key; NULL is the vault's secret.
ALTER TABLE request_persons ADD COLUMN epoch TEXT REFERENCES key_epochs (epoch);
ALTER TABLE request_persons ADD COLUMN sealed BYTEA CHECK ((sealed IS NULL) = (epoch IS NULL));
CREATE INDEX request_persons_of_an_epoch ON request_persons (epoch, tag);

CREATE INDEX cases_closed ON cases (closed_at, id) WHERE state = 'closed';

CREATE TRIGGER key_epochs_no_rewriting BEFORE UPDATE ON key_epochs
    FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM OLD.epoch
        OR NEW.key_check IS DISTINCT FROM OLD.key_check
        OR NEW.begun_at IS DISTINCT FROM OLD.begun_at
        OR OLD.left_at IS NOT NULL AND (NEW.left_at IS NULL OR NEW.left_at < OLD.left_at)
        OR OLD.destroyed_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('an epoch is append-only, except for its end');

-- The row is locked by now, and whoever wraps with its key holds it shared: nobody is overlooked.
CREATE FUNCTION refuse_early_end() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM data_keys WHERE epoch = OLD.epoch AND wrapped IS NOT NULL)
        OR EXISTS (SELECT 1 FROM requests WHERE key_epoch = OLD.epoch AND wrapped_key IS NOT NULL)
        OR EXISTS (SELECT 1 FROM request_persons WHERE epoch = OLD.epoch)
    THEN
        RAISE EXCEPTION 'an epoch lasts as long as it wraps a living key'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER key_epochs_no_early_end BEFORE UPDATE ON key_epochs
    FOR EACH ROW WHEN (NEW.destroyed_at IS NOT NULL) EXECUTE FUNCTION refuse_early_end();

CREATE TRIGGER key_epochs_no_delete BEFORE DELETE ON key_epochs
    FOR EACH ROW EXECUTE FUNCTION refuse_change('key_epochs is append-only');

CREATE TRIGGER key_epochs_no_truncate BEFORE TRUNCATE ON key_epochs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('key_epochs is append-only');

-- A key is wrapped anew or destroyed, and stays destroyed.

CREATE TRIGGER data_keys_no_rewriting BEFORE UPDATE ON data_keys
    FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id
        OR NEW.case_id IS DISTINCT FROM OLD.case_id
        OR NEW.created_at IS DISTINCT FROM OLD.created_at
        OR OLD.destroyed_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('a data key is append-only, except for its end');

CREATE TRIGGER data_keys_no_delete BEFORE DELETE ON data_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change('data_keys is append-only');

CREATE TRIGGER data_keys_no_truncate BEFORE TRUNCATE ON data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('data_keys is append-only');

-- Nothing is wrapped with a key that is gone, nor sealed under one.

CREATE FUNCTION refuse_destroyed_epoch() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    wanted TEXT := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM 1 FROM key_epochs WHERE epoch = wanted AND destroyed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the key of this epoch is destroyed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER data_keys_begin_living BEFORE INSERT ON data_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_destroyed_epoch('epoch');

CREATE TRIGGER data_keys_stay_living BEFORE UPDATE ON data_keys
    FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM OLD.epoch)
    EXECUTE FUNCTION refuse_destroyed_epoch('epoch');

CREATE TRIGGER requests_begin_living BEFORE INSERT ON requests
    FOR EACH ROW WHEN (NEW.key_epoch IS NOT NULL)
    EXECUTE FUNCTION refuse_destroyed_epoch('key_epoch');

CREATE TRIGGER requests_stay_living BEFORE UPDATE ON requests
    FOR EACH ROW WHEN (NEW.key_epoch IS DISTINCT FROM OLD.key_epoch)
    EXECUTE FUNCTION refuse_destroyed_epoch('key_epoch');

CREATE TRIGGER request_persons_begin_living BEFORE INSERT ON request_persons
    FOR EACH ROW WHEN (NEW.epoch IS NOT NULL)
    EXECUTE FUNCTION refuse_destroyed_epoch('epoch');

CREATE TRIGGER request_persons_no_rewriting BEFORE UPDATE ON request_persons
    FOR EACH ROW
    EXECUTE FUNCTION refuse_change('request_persons is written and deleted, never changed');

CREATE FUNCTION refuse_destroyed_key() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM data_keys WHERE id = NEW.key_id AND wrapped IS NOT NULL
        AND case_id IS NOT DISTINCT FROM NEW.case_id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the key of this detail is destroyed, or of another case'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER evidence_details_living_key BEFORE INSERT ON evidence_details
    FOR EACH ROW WHEN (NEW.key_id IS NOT NULL) EXECUTE FUNCTION refuse_destroyed_key();

CREATE TRIGGER evidence_details_no_rekeying BEFORE UPDATE ON evidence_details
    FOR EACH ROW WHEN (NEW.key_id IS DISTINCT FROM OLD.key_id)
    EXECUTE FUNCTION refuse_change('evidence_details is append-only, except for shredding');
