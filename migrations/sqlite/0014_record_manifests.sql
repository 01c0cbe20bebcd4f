-- Which records went as a whole in a job that keeps a manifest: salted hashes, and never a key of a
-- record. The salts are made with a data key of the case, so that nobody can look for a record once
-- the case is shredded; then the hashes go too.

CREATE TABLE record_manifests (
    job_id BLOB NOT NULL PRIMARY KEY REFERENCES jobs (id),
    case_id BLOB NOT NULL REFERENCES cases (id),
    key_id BLOB NOT NULL REFERENCES data_keys (id),
    created_at INTEGER NOT NULL,
    shredded_at INTEGER
) STRICT;

CREATE INDEX record_manifests_of_a_case ON record_manifests (case_id);

-- A chunk is written before it commits in the connected system, which keeps its identifier with what
-- it commits. So those have gone to which the last identifier leads back; others never committed.
CREATE TABLE record_manifest_chunks (
    id BLOB NOT NULL PRIMARY KEY,
    job_id BLOB NOT NULL REFERENCES record_manifests (job_id),
    previous BLOB REFERENCES record_manifest_chunks (id),
    collection TEXT NOT NULL CHECK (collection <> ''),
    records INTEGER NOT NULL CHECK (records > 0),
    hashes BLOB CHECK (length(hashes) = 32 * records),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX record_manifest_chunks_of_a_job ON record_manifest_chunks (job_id, created_at);

CREATE TRIGGER record_manifests_living_key BEFORE INSERT ON record_manifests
WHEN NOT EXISTS (SELECT 1 FROM data_keys WHERE id = NEW.key_id AND wrapped IS NOT NULL
        AND case_id IS NEW.case_id)
    OR NOT EXISTS (SELECT 1 FROM jobs WHERE id = NEW.job_id AND case_id = NEW.case_id)
BEGIN
    SELECT RAISE(ABORT, 'record_manifests is append-only, and needs a living key of its case');
END;

CREATE TRIGGER record_manifests_no_update BEFORE UPDATE ON record_manifests
WHEN OLD.shredded_at IS NOT NULL OR NEW.shredded_at IS NULL
    OR NEW.job_id IS NOT OLD.job_id
    OR NEW.case_id IS NOT OLD.case_id
    OR NEW.key_id IS NOT OLD.key_id
    OR NEW.created_at IS NOT OLD.created_at
    OR NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'record_manifests is append-only, except for shredding');
END;

CREATE TRIGGER record_manifests_no_delete BEFORE DELETE ON record_manifests
BEGIN
    SELECT RAISE(ABORT, 'record_manifests is append-only');
END;

CREATE TRIGGER record_manifests_no_replacing BEFORE INSERT ON record_manifests
WHEN EXISTS (SELECT 1 FROM record_manifests WHERE job_id = NEW.job_id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'record_manifests is append-only');
END;

CREATE TRIGGER record_manifest_chunks_begin BEFORE INSERT ON record_manifest_chunks
WHEN NEW.hashes IS NULL
    OR NOT EXISTS (SELECT 1 FROM record_manifests
        WHERE job_id = NEW.job_id AND shredded_at IS NULL)
    OR NEW.previous IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record_manifest_chunks
        WHERE id = NEW.previous AND job_id = NEW.job_id)
BEGIN
    SELECT RAISE(ABORT, 'record_manifest_chunks is append-only, and needs hashes and a manifest that is not shredded');
END;

CREATE TRIGGER record_manifest_chunks_no_update BEFORE UPDATE ON record_manifest_chunks
WHEN OLD.hashes IS NULL OR NEW.hashes IS NOT NULL
    OR NEW.id IS NOT OLD.id
    OR NEW.job_id IS NOT OLD.job_id
    OR NEW.previous IS NOT OLD.previous
    OR NEW.collection IS NOT OLD.collection
    OR NEW.records IS NOT OLD.records
    OR NEW.created_at IS NOT OLD.created_at
    OR NEW.rowid IS NOT OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'record_manifest_chunks is append-only, except for shredding');
END;

CREATE TRIGGER record_manifest_chunks_no_delete BEFORE DELETE ON record_manifest_chunks
BEGIN
    SELECT RAISE(ABORT, 'record_manifest_chunks is append-only');
END;

CREATE TRIGGER record_manifest_chunks_no_replacing BEFORE INSERT ON record_manifest_chunks
WHEN EXISTS (SELECT 1 FROM record_manifest_chunks WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'record_manifest_chunks is append-only');
END;
