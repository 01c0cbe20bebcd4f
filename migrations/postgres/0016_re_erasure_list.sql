-- The re-erasure list: an exported, sealed mirror of everything that has to be known again once this
-- database was lost. What has changed since it was written is remembered here, in the transaction
-- of the change, and only where a list is kept.

CREATE TABLE re_erasure_list (
    place TEXT NOT NULL PRIMARY KEY CHECK (place <> ''),
    since BIGINT NOT NULL,
    -- Number of the newest index; 0 before there is one.
    number BIGINT NOT NULL CHECK (number >= 0),
    -- Digests of the newest indices, as the log has them, the latest first; JSON.
    indices TEXT NOT NULL,
    -- The entry of the newest index, as long as its file may not have been written.
    unwritten UUID,
    -- The newest index itself, as its file has it.
    content TEXT NOT NULL,
    written_at BIGINT,
    -- Files may be there that no index names.
    to_sweep BIGINT NOT NULL DEFAULT 1 CHECK (to_sweep IN (0, 1))
);

-- What has changed. Rows are only inserted and deleted, so that no transaction waits for another.
CREATE TABLE re_erasure_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id UUID,
    request_id UUID,
    -- The first half of the digest of rules or of a data map.
    document UUID
);

-- One row for each entry of the list: which version of it is written, and what its file hashes to.
CREATE TABLE re_erasure_entries (
    matter UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('document', 'house', 'case', 'request')),
    shard BIGINT NOT NULL CHECK (shard BETWEEN 0 AND 255),
    version BIGINT NOT NULL CHECK (version > 0),
    sha256 BYTEA NOT NULL CHECK (length(sha256) = 32),
    -- Digest of what is sealed, by which a change that changes nothing is seen.
    content BYTEA NOT NULL CHECK (length(content) = 32),
    epoch TEXT NOT NULL REFERENCES key_epochs (epoch)
);

CREATE INDEX re_erasure_entries_of_a_shard ON re_erasure_entries (shard, matter);
CREATE INDEX re_erasure_entries_of_an_epoch ON re_erasure_entries (epoch);

CREATE TABLE re_erasure_shards (
    shard BIGINT NOT NULL PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
    -- The index for which its file was written last; 0 before there is one.
    number BIGINT NOT NULL CHECK (number >= 0),
    sha256 BYTEA CHECK (length(sha256) = 32),
    -- An entry of it has changed since.
    changed BIGINT NOT NULL CHECK (changed IN (0, 1)),
    CHECK ((number = 0) = (sha256 IS NULL))
);

-- While a store is brought forward: which entries the leaves of certificates are.
CREATE TABLE re_erasure_leaves (
    leaf_hash BYTEA NOT NULL PRIMARY KEY CHECK (length(leaf_hash) = 32),
    entry_id UUID NOT NULL
);

-- Files that no index names any more, until they are gone.
CREATE TABLE re_erasure_leftovers (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> '')
);

CREATE FUNCTION re_erasure_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (case_id)
        SELECT NEW.case_id WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_case_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (case_id)
        SELECT NEW.id WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (case_id)
        SELECT case_id FROM certificates WHERE id = NEW.certificate_id
            AND EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_request_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (request_id)
        SELECT NEW.id WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (request_id)
        SELECT NEW.request_id WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (request_id)
        SELECT OLD.request_id WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (document)
        SELECT encode(substring(NEW.digest FROM 1 FOR 16), 'hex')::uuid
        WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE FUNCTION re_erasure_house() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO re_erasure_changes (case_id)
        SELECT NULL::uuid WHERE EXISTS (SELECT 1 FROM re_erasure_list);
    RETURN NULL;
END;
$$;

CREATE TRIGGER re_erasure_of_new_jobs AFTER INSERT ON jobs
    FOR EACH ROW EXECUTE FUNCTION re_erasure_case();
CREATE TRIGGER re_erasure_of_jobs AFTER UPDATE ON jobs
    FOR EACH ROW
    WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION re_erasure_case();
CREATE TRIGGER re_erasure_of_cases AFTER UPDATE ON cases
    FOR EACH ROW
    WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION re_erasure_case_itself();
CREATE TRIGGER re_erasure_of_certificates AFTER INSERT ON certificates
    FOR EACH ROW EXECUTE FUNCTION re_erasure_case();
CREATE TRIGGER re_erasure_of_decisions AFTER INSERT ON certificate_decisions
    FOR EACH ROW EXECUTE FUNCTION re_erasure_decision();
CREATE TRIGGER re_erasure_of_tasks AFTER UPDATE ON tasks
    FOR EACH ROW
    WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION re_erasure_case();
CREATE TRIGGER re_erasure_of_data_keys AFTER UPDATE ON data_keys
    FOR EACH ROW
    WHEN (NEW.case_id IS NOT NULL) EXECUTE FUNCTION re_erasure_case();
CREATE TRIGGER re_erasure_of_new_requests AFTER INSERT ON requests
    FOR EACH ROW EXECUTE FUNCTION re_erasure_request_itself();
CREATE TRIGGER re_erasure_of_requests AFTER UPDATE ON requests
    FOR EACH ROW EXECUTE FUNCTION re_erasure_request_itself();
CREATE TRIGGER re_erasure_of_new_letters AFTER INSERT ON letters
    FOR EACH ROW EXECUTE FUNCTION re_erasure_request();
CREATE TRIGGER re_erasure_of_letters AFTER UPDATE ON letters
    FOR EACH ROW EXECUTE FUNCTION re_erasure_request();
CREATE TRIGGER re_erasure_of_new_persons AFTER INSERT ON request_persons
    FOR EACH ROW EXECUTE FUNCTION re_erasure_request();
CREATE TRIGGER re_erasure_of_persons AFTER DELETE ON request_persons
    FOR EACH ROW EXECUTE FUNCTION re_erasure_forgotten();
CREATE TRIGGER re_erasure_of_documents AFTER INSERT ON documents
    FOR EACH ROW EXECUTE FUNCTION re_erasure_document();

-- A row that names neither: holds, pauses and what else is about the instance.
CREATE TRIGGER re_erasure_of_new_holds AFTER INSERT ON holds
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_holds AFTER UPDATE ON holds
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_new_pauses AFTER INSERT ON pauses
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_pauses AFTER UPDATE ON pauses
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_new_restores AFTER INSERT ON restores
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_restores AFTER UPDATE ON restores
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_new_signing_keys AFTER INSERT ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_signing_keys AFTER UPDATE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
CREATE TRIGGER re_erasure_of_events AFTER INSERT ON events
    FOR EACH ROW EXECUTE FUNCTION re_erasure_house();
