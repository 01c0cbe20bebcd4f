//! The canary row, and accounts that are kept out.
//!
//! In PostgreSQL an account is kept out by `NOLOGIN` and not by `REVOKE CONNECT`: everybody may
//! connect to a database by way of `PUBLIC`, and taking that away would lock others out too, and
//! could not be undone exactly.

use jiff::Timestamp;

use crate::guard::{CanaryRow, CanarySight};
use crate::order::Pace;
use crate::receipt::Fault;
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::{answered, misconfigured, rejected};
use crate::sql::fragment::Fragment;
use crate::sql::progress_table::ProgressTable;

/// Looks at the canary of this name.
pub(crate) async fn canary(connector: &SqlConnector, name: &str) -> Result<CanarySight, Fault> {
    let mut session = connector.target.open(&Pace::default()).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    let found = if catalogue.find_own(&connector.progress_table).is_some() {
        let table = ProgressTable::new(session.dialect(), &connector.progress_table)?;
        table.canary(&mut session, name).await?
    } else {
        None
    };
    session.close().await;
    Ok(match found {
        None => CanarySight::Missing,
        Some((number, written_at)) => {
            let number = u64::try_from(number).unwrap_or(0);
            let written_at = written_at.parse().map_err(|_| {
                rejected("the canary in the progress table was written by somebody else")
            })?;
            CanarySight::Seen(CanaryRow { number, written_at })
        }
    })
}

/// Writes the canary of this name.
pub(crate) async fn set_canary(
    connector: &SqlConnector,
    name: &str,
    number: u64,
    at: Timestamp,
) -> Result<(), Fault> {
    let number = i64::try_from(number).map_err(|_| rejected("a canary so large"))?;
    let mut session = connector.target.open(&Pace::default()).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    let table = ProgressTable::new(session.dialect(), &connector.progress_table)?;
    if catalogue.find_own(&connector.progress_table).is_none() {
        table.create(&mut session).await?;
    }
    table.set_canary(&mut session, name, number, &at.to_string()).await?;
    session.close().await;
    Ok(())
}

/// Those of these accounts that can come in now; changes nothing.
pub(crate) async fn can_come_in(
    connector: &SqlConnector,
    accounts: &[String],
) -> Result<Vec<String>, Fault> {
    let mut session = connector.target.open(&Pace::default()).await?;
    let mut can = Vec::new();
    for account in accounts {
        let comes_in = match session.dialect() {
            Dialect::Postgres => role_can_come_in(&mut session, account).await?,
            Dialect::MariaDb => user_can_come_in(&mut session, account).await?,
            Dialect::Sqlite => return Err(no_accounts()),
        };
        if comes_in {
            can.push(account.clone());
        }
    }
    session.close().await;
    Ok(can)
}

/// Keeps accounts out, and ends what they have under way here.
pub(crate) async fn keep_out(connector: &SqlConnector, accounts: &[String]) -> Result<(), Fault> {
    let mut session = connector.target.open(&Pace::default()).await?;
    for account in accounts {
        match session.dialect() {
            Dialect::Postgres => keep_role_out(&mut session, account).await?,
            Dialect::MariaDb => keep_user_out(&mut session, account).await?,
            Dialect::Sqlite => return Err(no_accounts()),
        }
    }
    session.close().await;
    Ok(())
}

/// Lets accounts in again.
pub(crate) async fn let_in(connector: &SqlConnector, accounts: &[String]) -> Result<(), Fault> {
    let mut session = connector.target.open(&Pace::default()).await?;
    for account in accounts {
        let statement = match session.dialect() {
            Dialect::Postgres => format!("ALTER ROLE {} LOGIN", session.dialect().quote(account)?),
            Dialect::MariaDb => format!("ALTER USER {} ACCOUNT UNLOCK", user(account)?.0),
            Dialect::Sqlite => return Err(no_accounts()),
        };
        session.command(&statement).await?;
    }
    session.close().await;
    Ok(())
}

/// What is missing to keep accounts out, in words; changes nothing.
pub(crate) async fn cannot_keep_out(
    connector: &SqlConnector,
    accounts: &[String],
) -> Result<Vec<String>, Fault> {
    let mut session = connector.target.open(&Pace::default()).await?;
    let missing = match session.dialect() {
        Dialect::Postgres => missing_for_roles(&mut session, accounts).await?,
        Dialect::MariaDb => missing_for_users(&mut session).await?,
        Dialect::Sqlite => vec![no_accounts().to_string()],
    };
    session.close().await;
    Ok(missing)
}

fn no_accounts() -> Fault {
    misconfigured(
        "SQLite has no accounts that could be kept out: stop the application by a `hook` instead of `keep_out`",
    )
}

fn no_such(account: &str) -> Fault {
    misconfigured(format!("there is no account `{account}` to keep out"))
}

async fn role_can_come_in(session: &mut Session, role: &str) -> Result<bool, Fault> {
    let statement = Fragment::raw(
        "SELECT rolcanlogin, rolname = current_user FROM pg_catalog.pg_roles WHERE rolname = ",
    )
    .and(Fragment::text_value(role));
    let rows = session.fetch(&statement).await?;
    let Some(row) = rows.first() else { return Err(no_such(role)) };
    if row[1].truth() {
        return Err(misconfigured(format!(
            "`{role}` is the account of this connection: give the application one of its own"
        )));
    }
    Ok(row[0].truth())
}

async fn keep_role_out(session: &mut Session, role: &str) -> Result<(), Fault> {
    let statement = format!("ALTER ROLE {} NOLOGIN", session.dialect().quote(role)?);
    session.command(&statement).await?;
    let ending = Fragment::raw(
        "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_catalog.pg_backend_pid() AND usename = ",
    )
    .and(Fragment::text_value(role));
    session.fetch(&ending).await?;
    Ok(())
}

async fn missing_for_roles(session: &mut Session, roles: &[String]) -> Result<Vec<String>, Fault> {
    let mut missing = Vec::new();
    for role in roles {
        let known = Fragment::raw("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = ")
            .and(Fragment::text_value(role.as_str()));
        if session.fetch(&known).await?.is_empty() {
            missing.push(no_such(role).to_string());
            continue;
        }
        // From version 16 on, whoever changes a role must have been given it to administer.
        let statement = Fragment::raw(
            "SELECT rolsuper OR (rolcreaterole
                 AND (CAST(current_setting('server_version_num') AS integer) < 160000
                     OR pg_has_role(current_user, CAST(",
        )
        .and(Fragment::text_value(role.as_str()))
        .then(" AS name), 'USAGE WITH ADMIN OPTION'))), rolsuper OR pg_has_role(current_user, CAST(")
        .and(Fragment::text_value(role.as_str()))
        .then(
            " AS name), 'USAGE') OR pg_has_role(current_user, CAST('pg_signal_backend' AS name), 'USAGE')
             FROM pg_catalog.pg_roles WHERE rolname = current_user",
        );
        let row = session.fetch_one(&statement).await?;
        let quoted = session.dialect().quote(role)?;
        if !row[0].truth() {
            missing.push(format!(
                "to keep `{role}` out: CREATEROLE, and grant {quoted} to this account WITH ADMIN OPTION"
            ));
        }
        if !row[1].truth() {
            missing.push(format!("to end what `{role}` has under way: grant pg_signal_backend"));
        }
    }
    Ok(missing)
}

/// An account as statements name it, and its user name.
fn user(account: &str) -> Result<(String, &str), Fault> {
    let (name, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    if name.is_empty() || account.contains(['\'', '\\', '\0']) {
        return Err(misconfigured(format!(
            "`{account}` is no account: write `name` or `name@host`, without quotes"
        )));
    }
    Ok((format!("'{name}'@'{host}'"), name))
}

async fn user_can_come_in(session: &mut Session, account: &str) -> Result<bool, Fault> {
    let quoted = user(account)?.0;
    let shown = session.fetch_plain(&Fragment::raw(format!("SHOW CREATE USER {quoted}"))).await;
    let shown = match shown {
        Err(fault) if answered(&fault, &["1269", "1141", "1133", "1396"]) => {
            return Err(no_such(account));
        }
        shown => shown?,
    };
    Ok(!shown.iter().flatten().any(|cell| cell.text().contains("ACCOUNT LOCK")))
}

async fn keep_user_out(session: &mut Session, account: &str) -> Result<(), Fault> {
    let (quoted, name) = user(account)?;
    session.command(&format!("ALTER USER {quoted} ACCOUNT LOCK")).await?;
    let under_way = Fragment::raw(
        "SELECT CAST(ID AS CHAR) FROM information_schema.PROCESSLIST
         WHERE ID <> CONNECTION_ID() AND (DB = DATABASE() OR DB IS NULL) AND USER = ",
    )
    .and(Fragment::text_value(name));
    for row in session.fetch(&under_way).await? {
        match session.command(&format!("KILL CONNECTION {}", row[0].text())).await {
            // It is gone by itself.
            Err(fault) if answered(&fault, &["1094"]) => {}
            ended => ended?,
        }
    }
    Ok(())
}

async fn missing_for_users(session: &mut Session) -> Result<Vec<String>, Fault> {
    let grants = session.fetch_plain(&Fragment::raw("SHOW GRANTS FOR CURRENT_USER()")).await?;
    let everywhere: Vec<String> = grants
        .iter()
        .filter_map(|row| row.first())
        .map(|cell| cell.text().to_uppercase())
        .filter(|grant| grant.contains(" ON *.* "))
        .collect();
    let has = |words: &[&str]| {
        everywhere.iter().any(|grant| {
            grant.contains("ALL PRIVILEGES") || words.iter().any(|word| grant.contains(word))
        })
    };
    let mut missing = Vec::new();
    let wanted: [(&[&str], &str); 3] = [
        (&["CREATE USER"], "to lock accounts: grant CREATE USER on *.*"),
        (&["PROCESS"], "to see what they have under way: grant PROCESS on *.*"),
        (
            &["CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER"],
            "to end it: grant CONNECTION ADMIN on *.*",
        ),
    ];
    for (words, what) in wanted {
        if !has(words) {
            missing.push(what.to_owned());
        }
    }
    Ok(missing)
}
