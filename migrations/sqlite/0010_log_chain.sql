-- Logs in a chain: which key signed a log, and the released head that it follows. One log is open
-- at a time. Both are unknown for logs that were begun before this.

ALTER TABLE logs ADD COLUMN verifier_key BLOB CHECK (length(verifier_key) = 32);
ALTER TABLE logs ADD COLUMN previous_origin TEXT;
ALTER TABLE logs ADD COLUMN previous_size INTEGER CHECK (previous_size >= 0);
ALTER TABLE logs ADD COLUMN previous_root BLOB CHECK (length(previous_root) = 32);

CREATE UNIQUE INDEX logs_one_open ON logs (state) WHERE state = 'open';

CREATE TRIGGER logs_no_rewriting BEFORE UPDATE ON logs
WHEN NEW.verifier_key IS NOT OLD.verifier_key OR NEW.previous_origin IS NOT OLD.previous_origin
    OR NEW.previous_size IS NOT OLD.previous_size OR NEW.previous_root IS NOT OLD.previous_root
    OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'what a log was begun with is append-only');
END;

-- `INSERT OR REPLACE` would take the open log out of the new one's way.
CREATE TRIGGER logs_one_open_kept BEFORE INSERT ON logs
WHEN NEW.state = 'open'
    AND EXISTS (SELECT 1 FROM logs WHERE state = 'open' AND log_id <> NEW.log_id)
BEGIN
    SELECT RAISE(ABORT, 'logs is append-only, and one is open at a time');
END;

-- Who writes evidence, and how many entries each has written: entries are numbered without gaps.
CREATE TABLE evidence_producers (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
    family TEXT NOT NULL CHECK (family <> ''),
    entries INTEGER NOT NULL CHECK (entries >= 0),
    beat_entries INTEGER NOT NULL CHECK (beat_entries BETWEEN 0 AND entries),
    beat_at INTEGER NOT NULL
) STRICT;

CREATE INDEX evidence_producers_of_a_family ON evidence_producers (family, name);

CREATE TRIGGER evidence_producers_only_count BEFORE UPDATE ON evidence_producers
WHEN NEW.name IS NOT OLD.name OR NEW.family IS NOT OLD.family OR NEW.entries < OLD.entries
    OR NEW.beat_entries < OLD.beat_entries OR NEW.rowid <> OLD.rowid
BEGIN
    SELECT RAISE(ABORT, 'evidence_producers is append-only: it only counts upwards');
END;

CREATE TRIGGER evidence_producers_no_delete BEFORE DELETE ON evidence_producers
BEGIN
    SELECT RAISE(ABORT, 'evidence_producers is append-only: it only counts upwards');
END;

CREATE TRIGGER evidence_producers_kept BEFORE INSERT ON evidence_producers
WHEN EXISTS (SELECT 1 FROM evidence_producers WHERE name = NEW.name)
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER evidence_producers_no_replacing BEFORE INSERT ON evidence_producers
WHEN EXISTS (SELECT 1 FROM evidence_producers WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'evidence_producers is append-only: it only counts upwards');
END;
