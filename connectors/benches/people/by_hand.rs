//! What somebody who knows both the shop and SQL would write for this one order.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};

use crate::{Measured, peak_kib};

const POSTGRESQL: [&str; 11] = [
    "CREATE TEMPORARY TABLE theirs ON COMMIT DROP AS
        SELECT u.id FROM users u JOIN wanted w ON w.email = u.email",
    "ANALYZE theirs",
    "DELETE FROM order_lines l USING orders o, theirs p
        WHERE o.id = l.order_id AND o.user_id = p.id AND o.paid_on <= '2016-01-01'",
    "DELETE FROM tickets t USING theirs p WHERE t.user_id = p.id",
    "DELETE FROM events e USING theirs p WHERE e.user_id = p.id",
    "DELETE FROM orders o USING theirs p WHERE o.user_id = p.id AND o.paid_on <= '2016-01-01'",
    "UPDATE orders o SET note = NULL FROM theirs p WHERE o.user_id = p.id AND o.note IS NOT NULL",
    "UPDATE orders o SET restricted = TRUE FROM theirs p
        WHERE o.user_id = p.id AND NOT o.restricted",
    "DELETE FROM users u USING theirs p
        WHERE u.id = p.id AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)",
    "UPDATE users u SET name = NULL, street = NULL FROM theirs p WHERE u.id = p.id",
    // Who stays because of orders: the answer to each of them has to say so.
    "SELECT COUNT(*) FROM users u JOIN theirs p ON p.id = u.id
        WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)",
];

/// By the column's own equality `ann` and `Änn` would be one person here, and the wrong one would be
/// erased, so the address is compared byte by byte too.
const MARIADB: [&str; 10] = [
    "CREATE TEMPORARY TABLE theirs (PRIMARY KEY (id)) AS
        SELECT u.id FROM users u JOIN wanted w ON w.email = u.email
        AND CAST(w.email AS BINARY) = CAST(u.email AS BINARY)",
    "DELETE l FROM theirs p JOIN orders o ON o.user_id = p.id JOIN order_lines l ON l.order_id = o.id
        WHERE o.paid_on <= '2016-01-01'",
    "DELETE t FROM theirs p JOIN tickets t ON t.user_id = p.id",
    "DELETE e FROM theirs p JOIN events e ON e.user_id = p.id",
    "DELETE o FROM theirs p JOIN orders o ON o.user_id = p.id WHERE o.paid_on <= '2016-01-01'",
    "UPDATE theirs p JOIN orders o ON o.user_id = p.id SET o.note = NULL WHERE o.note IS NOT NULL",
    "UPDATE theirs p JOIN orders o ON o.user_id = p.id SET o.restricted = TRUE
        WHERE NOT o.restricted",
    "DELETE u FROM theirs p JOIN users u ON u.id = p.id LEFT JOIN orders o ON o.user_id = u.id
        WHERE o.id IS NULL",
    "UPDATE theirs p JOIN users u ON u.id = p.id SET u.name = NULL, u.street = NULL",
    "SELECT COUNT(*) FROM theirs p JOIN users u ON u.id = p.id
        WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id)",
];

/// Sends one statement after the other and counts what they changed.
macro_rules! send {
    ($connection:ident, $subjects:ident, $list:expr, $statements:expr) => {{
        let started = Instant::now();
        let values: Vec<String> = $subjects.iter().map(|one| format!("('{one}')")).collect();
        let begin = [
            "BEGIN".to_owned(),
            $list.to_owned(),
            format!("INSERT INTO wanted VALUES {}", values.join(", ")),
        ];
        for statement in begin {
            $connection.execute(AssertSqlSafe(statement)).await.expect("a statement");
        }
        let mut changed = 0;
        for statement in $statements {
            let done = $connection.execute(statement).await.expect("a statement");
            if statement.starts_with("DELETE") || statement.starts_with("UPDATE") {
                changed += done.rows_affected();
            }
        }
        $connection.execute("COMMIT").await.expect("committed");
        let statements = u64::try_from($statements.len()).expect("a few") + 4;
        Measured { changed, took: started.elapsed(), peak_kib: peak_kib(), statements }
    }};
}

/// Erases the subjects.
pub(crate) async fn erase(kind: &str, url: &str, subjects: &[String]) -> Measured {
    if kind == "postgresql" {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        let list = "CREATE TEMPORARY TABLE wanted (email text) ON COMMIT DROP";
        send!(connection, subjects, list, POSTGRESQL)
    } else {
        let mut connection = MySqlConnection::connect(url).await.expect("a connection");
        let list = "CREATE TEMPORARY TABLE wanted (email varchar(200) PRIMARY KEY)";
        send!(connection, subjects, list, MARIADB)
    }
}
