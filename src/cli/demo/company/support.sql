-- Support desk of an invented telecom company. Everybody in it is invented.
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    topic TEXT NOT NULL,
    contact_email TEXT,
    closed_at TEXT
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id),
    answers_id INTEGER REFERENCES messages (id),
    body TEXT
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {tickets})
INSERT INTO tickets
SELECT
    i,
    i * 13 % {customers} + 1,
    CASE i % 3 WHEN 0 THEN 'billing' WHEN 1 THEN 'router' ELSE 'moving house' END,
    'customer' || (i * 13 % {customers} + 1) || '@mail.example',
    CASE WHEN i % 20 <> 0
        THEN strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-' || (i * 23 % 1500) || ' days')
    END
FROM n;
INSERT INTO messages SELECT id * 2 - 1, id, NULL, 'My router is offline, says invented person ' || customer_id
FROM tickets;
-- Of Grace Example: an old ticket that a lawsuit is about, and a new one.
INSERT INTO tickets VALUES
    (
        40001, 60001, 'router', 'grace.example@mail.example',
        strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-800 days')
    ),
    (
        40002, 60001, 'moving house', 'grace.example@mail.example',
        strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-30 days')
    );
INSERT INTO messages VALUES
    (80001, 40001, NULL, 'The router has burnt my carpet, says Grace Example'),
    (80003, 40002, NULL, 'I move to Invention Lane 7, says Grace Example');
INSERT INTO messages SELECT id * 2, id, id * 2 - 1, 'Please switch it off and on again' FROM tickets;
CREATE INDEX messages_of_a_ticket ON messages (ticket_id);
CREATE INDEX answers_to_a_message ON messages (answers_id);
COMMIT;
