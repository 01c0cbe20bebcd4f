-- The re-erasure list: an exported, sealed mirror of everything that has to be known again once this
-- database was lost. What has changed since it was written is remembered here, in the transaction
-- of the change, and only where a list is kept.

CREATE TABLE re_erasure_list (
    place TEXT NOT NULL PRIMARY KEY CHECK (place <> ''),
    since INTEGER NOT NULL,
    -- Number of the newest index; 0 before there is one.
    number INTEGER NOT NULL CHECK (number >= 0),
    -- Digests of the newest indices, as the log has them, the latest first; JSON.
    indices TEXT NOT NULL,
    -- The entry of the newest index, as long as its file may not have been written.
    unwritten BLOB,
    -- The newest index itself, as its file has it.
    content TEXT NOT NULL,
    written_at INTEGER,
    -- Files may be there that no index names.
    to_sweep INTEGER NOT NULL DEFAULT 1 CHECK (to_sweep IN (0, 1))
) STRICT;

-- What has changed. Rows are only inserted and deleted, so that no transaction waits for another.
CREATE TABLE re_erasure_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id BLOB,
    request_id BLOB,
    -- The first half of the digest of rules or of a data map.
    document BLOB
) STRICT;

-- One row for each entry of the list: which version of it is written, and what its file hashes to.
CREATE TABLE re_erasure_entries (
    matter BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('document', 'house', 'case', 'request')),
    shard INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 255),
    version INTEGER NOT NULL CHECK (version > 0),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    -- Digest of what is sealed, by which a change that changes nothing is seen.
    content BLOB NOT NULL CHECK (length(content) = 32),
    epoch TEXT NOT NULL REFERENCES key_epochs (epoch)
) STRICT;

CREATE INDEX re_erasure_entries_of_a_shard ON re_erasure_entries (shard, matter);
CREATE INDEX re_erasure_entries_of_an_epoch ON re_erasure_entries (epoch);

CREATE TABLE re_erasure_shards (
    shard INTEGER NOT NULL PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
    -- The index for which its file was written last; 0 before there is one.
    number INTEGER NOT NULL CHECK (number >= 0),
    sha256 BLOB CHECK (length(sha256) = 32),
    -- An entry of it has changed since.
    changed INTEGER NOT NULL CHECK (changed IN (0, 1)),
    CHECK ((number = 0) = (sha256 IS NULL))
) STRICT;

-- While a store is brought forward: which entries the leaves of certificates are.
CREATE TABLE re_erasure_leaves (
    leaf_hash BLOB NOT NULL PRIMARY KEY CHECK (length(leaf_hash) = 32),
    entry_id BLOB NOT NULL
) STRICT;

-- Files that no index names any more, until they are gone.
CREATE TABLE re_erasure_leftovers (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> '')
) STRICT;

CREATE TRIGGER re_erasure_of_new_jobs AFTER INSERT ON jobs
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NEW.case_id);
END;
CREATE TRIGGER re_erasure_of_jobs AFTER UPDATE ON jobs
WHEN NEW.state IS NOT OLD.state AND EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NEW.case_id);
END;
CREATE TRIGGER re_erasure_of_cases AFTER UPDATE ON cases
WHEN NEW.state IS NOT OLD.state AND EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NEW.id);
END;
CREATE TRIGGER re_erasure_of_certificates AFTER INSERT ON certificates
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NEW.case_id);
END;
CREATE TRIGGER re_erasure_of_decisions AFTER INSERT ON certificate_decisions
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id)
        SELECT case_id FROM certificates WHERE id = NEW.certificate_id;
END;
CREATE TRIGGER re_erasure_of_tasks AFTER UPDATE ON tasks
WHEN NEW.state IS NOT OLD.state AND EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NEW.case_id);
END;
CREATE TRIGGER re_erasure_of_data_keys AFTER UPDATE ON data_keys
WHEN NEW.case_id IS NOT NULL AND EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NEW.case_id);
END;
CREATE TRIGGER re_erasure_of_new_requests AFTER INSERT ON requests
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (NEW.id);
END;
CREATE TRIGGER re_erasure_of_requests AFTER UPDATE ON requests
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (NEW.id);
END;
CREATE TRIGGER re_erasure_of_new_letters AFTER INSERT ON letters
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (NEW.request_id);
END;
CREATE TRIGGER re_erasure_of_letters AFTER UPDATE ON letters
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (NEW.request_id);
END;

CREATE TRIGGER re_erasure_of_new_persons AFTER INSERT ON request_persons
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (NEW.request_id);
END;
CREATE TRIGGER re_erasure_of_persons AFTER DELETE ON request_persons
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (request_id) VALUES (OLD.request_id);
END;
CREATE TRIGGER re_erasure_of_documents AFTER INSERT ON documents
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (document) VALUES (substr(NEW.digest, 1, 16));
END;

-- A row that names neither: holds, pauses and what else is about the instance.
CREATE TRIGGER re_erasure_of_new_holds AFTER INSERT ON holds
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_holds AFTER UPDATE ON holds
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_new_pauses AFTER INSERT ON pauses
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_pauses AFTER UPDATE ON pauses
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_new_restores AFTER INSERT ON restores
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_restores AFTER UPDATE ON restores
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_new_signing_keys AFTER INSERT ON signing_keys
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_signing_keys AFTER UPDATE ON signing_keys
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
CREATE TRIGGER re_erasure_of_events AFTER INSERT ON events
WHEN EXISTS (SELECT 1 FROM re_erasure_list)
BEGIN
    INSERT INTO re_erasure_changes (case_id) VALUES (NULL);
END;
