-- Readers of newsletters, at an invented processor. Everybody in it is invented.
BEGIN;
CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT NOT NULL, newsletters INTEGER NOT NULL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO contacts SELECT 'customer' || (i * 3) || '@mail.example', 'Invented Person ' || (i * 3), i % 40 FROM n;
INSERT INTO contacts VALUES ('grace.example@mail.example', 'Grace Example', 12);
COMMIT;
