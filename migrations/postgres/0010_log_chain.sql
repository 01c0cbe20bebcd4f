-- Logs in a chain: which key signed a log, and the released head that it follows. One log is open
-- at a time. Both are unknown for logs that were begun before this.

ALTER TABLE logs ADD COLUMN verifier_key BYTEA CHECK (length(verifier_key) = 32);
ALTER TABLE logs ADD COLUMN previous_origin TEXT;
ALTER TABLE logs ADD COLUMN previous_size BIGINT CHECK (previous_size >= 0);
ALTER TABLE logs ADD COLUMN previous_root BYTEA CHECK (length(previous_root) = 32);

CREATE UNIQUE INDEX logs_one_open ON logs (state) WHERE state = 'open';

CREATE TRIGGER logs_no_rewriting BEFORE UPDATE ON logs
    FOR EACH ROW
    WHEN (NEW.verifier_key IS DISTINCT FROM OLD.verifier_key
    OR NEW.previous_origin IS DISTINCT FROM OLD.previous_origin
    OR NEW.previous_size IS DISTINCT FROM OLD.previous_size
    OR NEW.previous_root IS DISTINCT FROM OLD.previous_root
    OR NEW.created_at IS DISTINCT FROM OLD.created_at) EXECUTE FUNCTION refuse_change('what a log was begun with is append-only');

-- Who writes evidence, and how many entries each has written: entries are numbered without gaps.
CREATE TABLE evidence_producers (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
    family TEXT NOT NULL CHECK (family <> ''),
    entries BIGINT NOT NULL CHECK (entries >= 0),
    beat_entries BIGINT NOT NULL CHECK (beat_entries BETWEEN 0 AND entries),
    beat_at BIGINT NOT NULL
);

CREATE INDEX evidence_producers_of_a_family ON evidence_producers (family, name);

CREATE TRIGGER evidence_producers_only_count BEFORE UPDATE ON evidence_producers
    FOR EACH ROW
    WHEN (NEW.name IS DISTINCT FROM OLD.name OR NEW.family IS DISTINCT FROM OLD.family
    OR NEW.entries < OLD.entries OR NEW.beat_entries < OLD.beat_entries)
    EXECUTE FUNCTION refuse_change('evidence_producers is append-only: it only counts upwards');

CREATE TRIGGER evidence_producers_no_delete BEFORE DELETE ON evidence_producers
    FOR EACH ROW EXECUTE FUNCTION refuse_change('evidence_producers is append-only: it only counts upwards');

CREATE TRIGGER evidence_producers_no_truncate BEFORE TRUNCATE ON evidence_producers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('evidence_producers is append-only: it only counts upwards');
