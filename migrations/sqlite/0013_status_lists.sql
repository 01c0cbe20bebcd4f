-- What became of certificates: their places in status lists, what people decided about them, and
-- the lists that were signed. Certificates from before this have no place.

ALTER TABLE certificates ADD COLUMN status_list TEXT;
ALTER TABLE certificates ADD COLUMN status_index INTEGER
    CHECK (status_index BETWEEN 0 AND 131071);

CREATE UNIQUE INDEX certificates_by_status ON certificates (status_list, status_index)
    WHERE status_list IS NOT NULL;

CREATE TRIGGER certificates_keep_their_place BEFORE UPDATE ON certificates
WHEN NEW.status_list IS NOT OLD.status_list OR NEW.status_index IS NOT OLD.status_index
BEGIN
    SELECT RAISE(ABORT, 'the place of a certificate in its status list is append-only');
END;

CREATE TRIGGER certificates_no_taking_places BEFORE INSERT ON certificates
WHEN EXISTS (SELECT 1 FROM certificates
    WHERE status_list = NEW.status_list AND status_index = NEW.status_index)
BEGIN
    SELECT RAISE(ABORT, 'certificates is append-only');
END;

-- Who decided and why is in the evidence.
CREATE TABLE certificate_decisions (
    certificate_id BLOB NOT NULL REFERENCES certificates (id),
    number INTEGER NOT NULL CHECK (number > 0),
    status TEXT NOT NULL CHECK (status IN ('current', 'withdrawn', 'disputed')),
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (certificate_id, number)
) STRICT;

CREATE TRIGGER certificate_decisions_no_update BEFORE UPDATE ON certificate_decisions
BEGIN
    SELECT RAISE(ABORT, 'certificate_decisions is append-only');
END;

CREATE TRIGGER certificate_decisions_no_delete BEFORE DELETE ON certificate_decisions
BEGIN
    SELECT RAISE(ABORT, 'certificate_decisions is append-only');
END;

CREATE TRIGGER certificate_decisions_no_replacing BEFORE INSERT ON certificate_decisions
WHEN EXISTS (SELECT 1 FROM certificate_decisions
    WHERE certificate_id = NEW.certificate_id AND number = NEW.number OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'certificate_decisions is append-only');
END;

-- One row a list. It is due where something changed since it was signed, or a day later.
CREATE TABLE status_lists (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
    certificates INTEGER NOT NULL CHECK (certificates >= 0),
    changes INTEGER NOT NULL CHECK (changes >= 0),
    signed_changes INTEGER NOT NULL DEFAULT 0 CHECK (signed_changes BETWEEN 0 AND changes),
    issued_at INTEGER,
    entry_id BLOB,
    envelope BLOB,
    bundled_entry BLOB,
    bundle BLOB
) STRICT;

-- Each list that was ever signed, so that each leaf of the issuer's is accounted for.
CREATE TABLE status_list_issues (
    entry_id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL REFERENCES status_lists (name),
    issued_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER status_list_issues_no_update BEFORE UPDATE ON status_list_issues
BEGIN
    SELECT RAISE(ABORT, 'status_list_issues is append-only');
END;

CREATE TRIGGER status_list_issues_no_delete BEFORE DELETE ON status_list_issues
BEGIN
    SELECT RAISE(ABORT, 'status_list_issues is append-only');
END;

CREATE TRIGGER status_list_issues_no_replacing BEFORE INSERT ON status_list_issues
WHEN EXISTS (SELECT 1 FROM status_list_issues
    WHERE entry_id = NEW.entry_id OR rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'status_list_issues is append-only');
END;
