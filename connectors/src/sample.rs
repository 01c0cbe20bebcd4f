//! Sample SQLite databases for the demonstration: made from a script, read by plain SQL that shares
//! nothing with the connectors, so that what the demonstration tells can be checked, and changed by
//! the demonstration's own processor.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::receipt::Fault;

async fn connect(path: &Path, create: bool) -> Result<SqliteConnection, Fault> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .foreign_keys(true)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|_| fault(path))
}

fn fault(path: &Path) -> Fault {
    Fault::Misconfigured {
        message: format!(
            "the sample database `{}` could not be used: remove its folder and try again",
            path.display()
        ),
    }
}

/// Runs a script of statements in the file, which is made if it is missing.
///
/// # Errors
/// Where the file cannot be written or a statement is refused.
pub async fn write(path: &Path, script: &str) -> Result<(), Fault> {
    let mut connection = connect(path, true).await?;
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.map_err(|_| fault(path))?;
    connection.close().await.map_err(|_| fault(path))
}

/// The number that a query gives.
///
/// # Errors
/// Where the file is missing or the query gives no number.
pub async fn count(path: &Path, query: &str) -> Result<u64, Fault> {
    let mut connection = connect(path, false).await?;
    let number: i64 = sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(&mut connection)
        .await
        .map_err(|_| fault(path))?;
    connection.close().await.map_err(|_| fault(path))?;
    u64::try_from(number).map_err(|_| fault(path))
}

/// The texts that a query gives, in its order.
///
/// # Errors
/// Where the file is missing or the query gives something else.
pub async fn texts(path: &Path, query: &str) -> Result<Vec<String>, Fault> {
    let mut connection = connect(path, false).await?;
    let texts = sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(&mut connection)
        .await
        .map_err(|_| fault(path))?;
    connection.close().await.map_err(|_| fault(path))?;
    Ok(texts)
}

/// Carries out a statement with one value for its one place holder; how many records it changed.
///
/// # Errors
/// Where the file is missing or the statement is refused.
pub async fn change(path: &Path, statement: &str, value: &str) -> Result<u64, Fault> {
    let mut connection = connect(path, false).await?;
    let done = sqlx::query(AssertSqlSafe(statement))
        .bind(value)
        .execute(&mut connection)
        .await
        .map_err(|_| fault(path))?;
    connection.close().await.map_err(|_| fault(path))?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_reads_and_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        write(&path, "CREATE TABLE a (b INTEGER); INSERT INTO a VALUES (1), (2);").await.unwrap();
        assert_eq!(count(&path, "SELECT count(*) FROM a").await.unwrap(), 2);
        assert_eq!(texts(&path, "SELECT 'x' || b FROM a ORDER BY b").await.unwrap(), ["x1", "x2"]);
        assert_eq!(change(&path, "DELETE FROM a WHERE b = ?1", "1 OR 1").await.unwrap(), 0);
        assert_eq!(change(&path, "DELETE FROM a WHERE b = ?1", "1").await.unwrap(), 1);
        assert_eq!(count(&path, "SELECT count(*) FROM a").await.unwrap(), 1);
        assert!(count(&path, "SELECT count(*) FROM absent").await.is_err());
        assert!(count(&folder.path().join("absent.db"), "SELECT 1").await.is_err());
    }
}
