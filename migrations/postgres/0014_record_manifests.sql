-- Which records went as a whole in a job that keeps a manifest: salted hashes, and never a key of a
-- record. The salts are made with a data key of the case, so that nobody can look for a record once
-- the case is shredded; then the hashes go too.

CREATE TABLE record_manifests (
    job_id UUID NOT NULL PRIMARY KEY REFERENCES jobs (id),
    case_id UUID NOT NULL REFERENCES cases (id),
    key_id UUID NOT NULL REFERENCES data_keys (id),
    created_at BIGINT NOT NULL,
    shredded_at BIGINT
);

CREATE INDEX record_manifests_of_a_case ON record_manifests (case_id);

-- A chunk is written before it commits in the connected system, which keeps its identifier with what
-- it commits. So those have gone to which the last identifier leads back; others never committed.
CREATE TABLE record_manifest_chunks (
    id UUID NOT NULL PRIMARY KEY,
    job_id UUID NOT NULL REFERENCES record_manifests (job_id),
    previous UUID REFERENCES record_manifest_chunks (id),
    collection TEXT NOT NULL CHECK (collection <> ''),
    records BIGINT NOT NULL CHECK (records > 0),
    hashes BYTEA CHECK (length(hashes) = 32 * records),
    created_at BIGINT NOT NULL
);

CREATE INDEX record_manifest_chunks_of_a_job ON record_manifest_chunks (job_id, created_at);

CREATE FUNCTION refuse_destroyed_manifest_key() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM data_keys WHERE id = NEW.key_id AND wrapped IS NOT NULL
        AND case_id IS NOT DISTINCT FROM NEW.case_id FOR SHARE;
    IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM jobs
        WHERE id = NEW.job_id AND case_id = NEW.case_id) THEN
        RAISE EXCEPTION 'record_manifests is append-only, and needs a living key of its case'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER record_manifests_living_key BEFORE INSERT ON record_manifests
    FOR EACH ROW EXECUTE FUNCTION refuse_destroyed_manifest_key();

CREATE TRIGGER record_manifests_no_update BEFORE UPDATE ON record_manifests
    FOR EACH ROW
    WHEN (OLD.shredded_at IS NOT NULL OR NEW.shredded_at IS NULL
    OR NEW.job_id IS DISTINCT FROM OLD.job_id
    OR NEW.case_id IS DISTINCT FROM OLD.case_id
    OR NEW.key_id IS DISTINCT FROM OLD.key_id
    OR NEW.created_at IS DISTINCT FROM OLD.created_at)
    EXECUTE FUNCTION refuse_change('record_manifests is append-only, except for shredding');

CREATE TRIGGER record_manifests_no_delete BEFORE DELETE ON record_manifests
    FOR EACH ROW EXECUTE FUNCTION refuse_change('record_manifests is append-only');

CREATE TRIGGER record_manifests_no_truncate BEFORE TRUNCATE ON record_manifests
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('record_manifests is append-only');

CREATE FUNCTION refuse_loose_chunk() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM record_manifests
        WHERE job_id = NEW.job_id AND shredded_at IS NULL FOR SHARE;
    IF NOT FOUND OR NEW.hashes IS NULL
        OR NEW.previous IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record_manifest_chunks
            WHERE id = NEW.previous AND job_id = NEW.job_id) THEN
        RAISE EXCEPTION 'record_manifest_chunks is append-only, and needs hashes and a manifest that is not shredded'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER record_manifest_chunks_begin BEFORE INSERT ON record_manifest_chunks
    FOR EACH ROW EXECUTE FUNCTION refuse_loose_chunk();

CREATE TRIGGER record_manifest_chunks_no_update BEFORE UPDATE ON record_manifest_chunks
    FOR EACH ROW
    WHEN (OLD.hashes IS NULL OR NEW.hashes IS NOT NULL
    OR NEW.id IS DISTINCT FROM OLD.id
    OR NEW.job_id IS DISTINCT FROM OLD.job_id
    OR NEW.previous IS DISTINCT FROM OLD.previous
    OR NEW.collection IS DISTINCT FROM OLD.collection
    OR NEW.records IS DISTINCT FROM OLD.records
    OR NEW.created_at IS DISTINCT FROM OLD.created_at)
    EXECUTE FUNCTION refuse_change('record_manifest_chunks is append-only, except for shredding');

CREATE TRIGGER record_manifest_chunks_no_delete BEFORE DELETE ON record_manifest_chunks
    FOR EACH ROW EXECUTE FUNCTION refuse_change('record_manifest_chunks is append-only');

CREATE TRIGGER record_manifest_chunks_no_truncate BEFORE TRUNCATE ON record_manifest_chunks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('record_manifest_chunks is append-only');
