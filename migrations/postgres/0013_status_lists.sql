-- What became of certificates: their places in status lists, what people decided about them, and
-- the lists that were signed. Certificates from before this have no place.

ALTER TABLE certificates ADD COLUMN status_list TEXT;
ALTER TABLE certificates ADD COLUMN status_index BIGINT
    CHECK (status_index BETWEEN 0 AND 131071);

CREATE UNIQUE INDEX certificates_by_status ON certificates (status_list, status_index)
    WHERE status_list IS NOT NULL;

CREATE TRIGGER certificates_keep_their_place BEFORE UPDATE ON certificates
    FOR EACH ROW
    WHEN (NEW.status_list IS DISTINCT FROM OLD.status_list
    OR NEW.status_index IS DISTINCT FROM OLD.status_index)
    EXECUTE FUNCTION refuse_change('the place of a certificate in its status list is append-only');

-- Who decided and why is in the evidence.
CREATE TABLE certificate_decisions (
    certificate_id UUID NOT NULL REFERENCES certificates (id),
    number BIGINT NOT NULL CHECK (number > 0),
    status TEXT NOT NULL CHECK (status IN ('current', 'withdrawn', 'disputed')),
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (certificate_id, number)
);

CREATE TRIGGER certificate_decisions_no_update BEFORE UPDATE ON certificate_decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_change('certificate_decisions is append-only');
CREATE TRIGGER certificate_decisions_no_delete BEFORE DELETE ON certificate_decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_change('certificate_decisions is append-only');
CREATE TRIGGER certificate_decisions_no_truncate BEFORE TRUNCATE ON certificate_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('certificate_decisions is append-only');

-- One row a list. It is due where something changed since it was signed, or a day later.
CREATE TABLE status_lists (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
    certificates BIGINT NOT NULL CHECK (certificates >= 0),
    changes BIGINT NOT NULL CHECK (changes >= 0),
    signed_changes BIGINT NOT NULL DEFAULT 0 CHECK (signed_changes BETWEEN 0 AND changes),
    issued_at BIGINT,
    entry_id UUID,
    envelope BYTEA,
    bundled_entry UUID,
    bundle BYTEA
);

-- Each list that was ever signed, so that each leaf of the issuer's is accounted for.
CREATE TABLE status_list_issues (
    entry_id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL REFERENCES status_lists (name),
    issued_at BIGINT NOT NULL
);

CREATE TRIGGER status_list_issues_no_update BEFORE UPDATE ON status_list_issues
    FOR EACH ROW EXECUTE FUNCTION refuse_change('status_list_issues is append-only');
CREATE TRIGGER status_list_issues_no_delete BEFORE DELETE ON status_list_issues
    FOR EACH ROW EXECUTE FUNCTION refuse_change('status_list_issues is append-only');
CREATE TRIGGER status_list_issues_no_truncate BEFORE TRUNCATE ON status_list_issues
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('status_list_issues is append-only');
