-- The target's own log, written by its own triggers past the product: what was done to each record and
-- in which transaction, and what the connector wrote down of each order in the same transaction.

CREATE SCHEMA fire;

CREATE TABLE fire.effects (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place TEXT NOT NULL,
    record BIGINT NOT NULL,
    what TEXT NOT NULL,
    transaction_id BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION fire.note_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fire.effects (place, record, what, transaction_id)
        SELECT TG_TABLE_NAME, id, TG_OP, txid_current() FROM changed;
    RETURN NULL;
END $$;

-- Has a table with an integer `id` noted from now on.
CREATE FUNCTION fire.watch(place REGCLASS) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER noted_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION fire.note_records()', place);
    EXECUTE format('CREATE TRIGGER noted_update AFTER UPDATE ON %s REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION fire.note_records()', place);
    EXECUTE format('CREATE TRIGGER noted_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION fire.note_records()', place);
END $$;

CREATE TABLE fire.orders (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_key TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    what TEXT NOT NULL,
    added BIGINT NOT NULL,
    transaction_id BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- The records of which the connector says that the order has changed them.
CREATE FUNCTION fire.counted(done TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
    SELECT CAST(COALESCE(sum(
            CAST(one ->> 'deleted' AS BIGINT) + CAST(one ->> 'restricted' AS BIGINT)
            + CAST(one ->> 'lifted' AS BIGINT)
            + COALESCE((SELECT sum(CAST(each.value AS BIGINT))
                        FROM jsonb_each_text(one -> 'treated') AS each), 0)), 0) AS BIGINT)
    FROM jsonb_array_elements(CAST(done AS jsonb) -> 'collections') AS one
$$;

-- Once for each statement: a function in SQL is planned anew for each row that a trigger sees.
CREATE FUNCTION fire.note_new_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fire.orders (order_key, attempt, what, added, transaction_id)
        SELECT order_key, attempt, TG_OP, fire.counted(done), txid_current()
        FROM after WHERE order_key NOT LIKE 'canary-%';
    RETURN NULL;
END $$;

CREATE FUNCTION fire.note_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fire.orders (order_key, attempt, what, added, transaction_id)
        SELECT order_key, after.attempt, TG_OP,
            CASE WHEN after.done = before.done THEN 0
                ELSE fire.counted(after.done) - fire.counted(before.done) END,
            txid_current()
        FROM after JOIN before USING (order_key) WHERE order_key NOT LIKE 'canary-%';
    RETURN NULL;
END $$;

CREATE FUNCTION fire.note_forgotten_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fire.orders (order_key, attempt, what, added, transaction_id)
        SELECT order_key, attempt, TG_OP, 0, txid_current()
        FROM before WHERE order_key NOT LIKE 'canary-%';
    RETURN NULL;
END $$;

-- As the connector makes it where it is missing.
CREATE TABLE quietus_progress (
    "order_key" VARCHAR(64) NOT NULL PRIMARY KEY,
    "attempt" BIGINT NOT NULL,
    "cursor" TEXT NOT NULL,
    "done" TEXT NOT NULL,
    "updated_at" VARCHAR(40) NOT NULL
);

CREATE TRIGGER noted_insert AFTER INSERT ON quietus_progress REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION fire.note_new_orders();
CREATE TRIGGER noted_update AFTER UPDATE ON quietus_progress
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION fire.note_orders();
CREATE TRIGGER noted_delete AFTER DELETE ON quietus_progress REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION fire.note_forgotten_orders();

-- Laws. Each of these views is empty as long as its law holds.

-- A record goes once for each time that it came.
CREATE VIEW fire.gone_twice AS
    SELECT place, record FROM fire.effects GROUP BY place, record
    HAVING count(*) FILTER (WHERE what = 'DELETE') > greatest(count(*) FILTER (WHERE what = 'INSERT'), 1);

-- What a transaction does to records is what it writes down of orders, no more and no less.
CREATE VIEW fire.untold AS
    SELECT transaction_id, COALESCE(done, 0) AS done, COALESCE(told, 0) AS told
    FROM (SELECT transaction_id, count(*) AS done FROM fire.effects
          WHERE what <> 'INSERT' GROUP BY transaction_id) AS effects
    FULL JOIN (SELECT transaction_id, sum(added) AS told FROM fire.orders
          GROUP BY transaction_id HAVING sum(added) <> 0) AS orders USING (transaction_id)
    WHERE COALESCE(done, 0) <> COALESCE(told, 0);

-- What an order has done is never taken back, and no attempt does anything once a later one has begun.
CREATE VIEW fire.turned_back AS
    SELECT number, order_key FROM (
        SELECT number, order_key, added, attempt,
            max(attempt) OVER (PARTITION BY order_key ORDER BY number) AS newest
        FROM fire.orders) AS steps
    WHERE added < 0 OR (added > 0 AND attempt < newest);

-- What each order did in the end, and in how many transactions.
CREATE VIEW fire.carried_out AS
    SELECT order_key, CAST(sum(added) AS BIGINT) AS records,
        count(DISTINCT transaction_id) FILTER (WHERE added > 0) AS transactions,
        max(attempt) AS attempts
    FROM fire.orders GROUP BY order_key;
