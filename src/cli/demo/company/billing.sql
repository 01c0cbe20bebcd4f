-- Orders of an invented telecom company. Everybody in it is invented.
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE orders (
    order_number TEXT PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    country TEXT NOT NULL,
    status TEXT NOT NULL,
    completed_at TEXT,
    delivery_name TEXT,
    delivery_street TEXT,
    delivery_city TEXT,
    delivery_postal_code TEXT,
    invoice_name TEXT NOT NULL,
    net_amount NUMERIC NOT NULL,
    tax_amount NUMERIC NOT NULL,
    restricted_at TEXT
) WITHOUT ROWID;
CREATE TABLE payments (
    order_number TEXT NOT NULL REFERENCES orders (order_number),
    payment_number INTEGER NOT NULL,
    account_holder TEXT,
    paid_amount NUMERIC NOT NULL,
    restricted_at TEXT,
    PRIMARY KEY (order_number, payment_number)
) WITHOUT ROWID;

-- Ten years of orders; one in fifty is still open.
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders})
INSERT INTO orders
SELECT
    printf('A-%07d', i),
    i * 11 % {customers} + 1,
    CASE i % 4 WHEN 1 THEN 'AT' WHEN 2 THEN 'CN' ELSE 'DE' END,
    CASE WHEN i % 50 = 0 THEN 'open' ELSE 'completed' END,
    CASE WHEN i % 50 <> 0
        THEN strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-' || (i * 19 % 3900) || ' days', '-' || (i % 86400) || ' seconds')
    END,
    'Invented Person ' || (i * 11 % {customers} + 1),
    'Example Street ' || (i % 120 + 1),
    'Berlin',
    printf('%05d', 10000 + i * 7 % 89999),
    'Invented Person ' || (i * 11 % {customers} + 1),
    i % 300 + 9.90,
    (i % 300 + 9.90) * 0.19,
    NULL
FROM n;
-- Of Grace Example: a German order, whose invoice the tax law keeps, and an Austrian one.
INSERT INTO orders VALUES
    (
        'G-0000001', 60001, 'DE', 'completed', strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-20 days'),
        'Grace Example', 'Invention Lane 7', 'Köln', '50667', 'Grace Example', 99.90, 18.98, NULL
    ),
    (
        'G-0000002', 60001, 'AT', 'completed', strftime('%Y-%m-%dT%H:%M:%SZ', '{today}', '-60 days'),
        'Grace Example', 'Invention Lane 7', 'Wien', '1010', 'Grace Example', 49.90, 9.98, NULL
    );
INSERT INTO payments SELECT order_number, 1, invoice_name, net_amount + tax_amount, NULL
FROM orders WHERE status = 'completed';
COMMIT;
