-- Under which name a canary was written: names of controller and log may change, and its own must not.
-- What was written before has none here, and is looked for by all names that it may have.
ALTER TABLE canaries ADD COLUMN name TEXT CHECK (name <> '');
