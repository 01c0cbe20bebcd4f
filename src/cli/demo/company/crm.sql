-- Customer register of an invented telecom company. Everybody in it is invented.
-- {today} is replaced by the first instant of the day on which the story begins, in UTC.
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    street TEXT,
    city TEXT,
    country TEXT NOT NULL,
    birth_date TEXT,
    created_at TEXT NOT NULL,
    contract_ended_at TEXT,
    restricted_at TEXT
);
CREATE TABLE devices (
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    serial_number TEXT NOT NULL,
    model TEXT,
    PRIMARY KEY (customer_id, serial_number)
);
CREATE TABLE logins (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    network_address TEXT,
    logged_in_at INTEGER NOT NULL
);
CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO countries VALUES ('DE', 'Germany'), ('AT', 'Austria'), ('CN', 'China');

-- Four customers of ten have left, some of them long ago.
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {customers})
INSERT INTO customers
SELECT
    i,
    'customer' || i || '@mail.example',
    'Invented Person ' || i,
    'Example Street ' || (i % 120 + 1),
    CASE i % 4 WHEN 0 THEN 'Berlin' WHEN 1 THEN 'Wien' WHEN 2 THEN 'Shenzhen' ELSE 'Köln' END,
    CASE i % 4 WHEN 1 THEN 'AT' WHEN 2 THEN 'CN' ELSE 'DE' END,
    date('{today}', '-' || (7000 + i * 37 % 15000) || ' days'),
    strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-' || (1200 + i * 13 % 2500) || ' days'),
    CASE WHEN i % 10 < 4
        THEN strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-' || (i * 7 % 1100) || ' days')
    END,
    NULL
FROM n;
-- Grace Example, a customer to this day, who is going to ask for erasure.
INSERT INTO customers VALUES (
    60001, 'grace.example@mail.example', 'Grace Example', 'Invention Lane 7', 'Köln', 'DE', '1987-05-04',
    strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-900 days'), NULL, NULL
);
INSERT INTO devices SELECT id, 'SN-' || (id * 7919 % 1000003), 'Router ' || (id % 3 + 1)
FROM customers WHERE id % 2 = 0;
INSERT INTO devices VALUES (60001, 'SN-GRACE-1', 'Router 1');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {logins})
INSERT INTO logins
SELECT
    i,
    i * 31 % {customers} + 1,
    '203.0.113.' || (i % 250 + 1),
    unixepoch('{today}') - (i * 17 % 400) * 86400 - i % 86400
FROM n;
INSERT INTO logins VALUES
    (120001, 60001, '203.0.113.254', unixepoch('{today}') - 5 * 86400),
    (120002, 60001, '203.0.113.254', unixepoch('{today}') - 40 * 86400);
CREATE INDEX logins_of_a_customer ON logins (customer_id);
COMMIT;
