-- Which rules are in force: those with which a process has begun to work last. Counted up whenever they
-- are others, so that an order that was compiled under the minimums of before is compiled anew.

ALTER TABLE versions ADD COLUMN digest BLOB CHECK (digest IS NULL OR length(digest) = 32);
INSERT INTO versions (name, value) VALUES ('rules', 0);
