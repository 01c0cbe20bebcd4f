-- Tokens that a vendor replaces whenever they are used: without the last ones the access is lost.
-- Sealed with the vault's secret; one row a system, of which only the newest is of any use.

CREATE TABLE renewed_tokens (
    system TEXT NOT NULL PRIMARY KEY CHECK (system <> ''),
    sealed BLOB NOT NULL,
    renewed_at INTEGER NOT NULL
) STRICT;
