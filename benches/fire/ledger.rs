//! The target's own log, and what it says of each law.

use anyhow::Result;

use crate::company::{Company, System};
use crate::ground::Database;
use crate::laws::Laws;

const LEDGER: &str = include_str!("ledger.sql");

/// Has a database write down what happens to the records of these tables, and to orders.
pub async fn open(database: &Database, tables: &[&str]) -> Result<()> {
    database.run(LEDGER).await?;
    for table in tables {
        database.run(&format!("SELECT fire.watch('{table}')")).await?;
    }
    Ok(())
}

/// The laws that hold of every target, whatever was done.
pub async fn check(company: &Company, laws: &mut Laws) -> Result<()> {
    let views = [
        ("gone_twice", "each record went at most once for each time that it came"),
        ("untold", "what each transaction did is what it wrote down of orders"),
        ("turned_back", "no order was taken back, and no attempt did anything after a later one"),
    ];
    for (view, law) in views {
        let mut broken = 0;
        for System { database, .. } in &company.systems {
            broken += database.number(&format!("SELECT count(*) FROM fire.{view}")).await?;
        }
        laws.equal(format!("{law} (the target's own log)"), broken, 0);
    }
    let mut left = 0;
    for System { database, .. } in &company.systems {
        let kept = "SELECT count(*) FROM quietus_progress WHERE order_key NOT LIKE 'canary-%'";
        left += database.number(kept).await?;
    }
    laws.equal("no progress is left in the targets", left, 0);
    Ok(())
}

/// Each job of the store has exactly one order in its target, with exactly so many records, and there
/// is no other order.
pub async fn check_orders(company: &Company, records: i64, laws: &mut Laws) -> Result<()> {
    let (mut otherwise, mut different, mut orders) = (0, Vec::new(), 0);
    for System { name, database } in &company.systems {
        let wrong = format!(
            "SELECT count(*) FROM fire.carried_out WHERE records <> {records} OR transactions > 2"
        );
        otherwise += database.number(&wrong).await?;
        let keys =
            "SELECT count(*), md5(string_agg(order_key, ',' ORDER BY order_key COLLATE \"C\"))
             FROM fire.carried_out";
        let jobs = format!(
            "SELECT count(*), md5(string_agg(order_key, ',' ORDER BY order_key COLLATE \"C\"))
             FROM (SELECT replace(id::text, '-', '') || '-1' AS order_key FROM jobs
                   WHERE system = '{name}') AS keys"
        );
        let (keys, jobs) = (database.rows(keys).await?, company.store.rows(&jobs).await?);
        orders += keys.first().and_then(|row| row.first()?.parse::<i64>().ok()).unwrap_or_default();
        if keys != jobs {
            different.push(name.as_str());
        }
    }
    laws.equal(
        format!("each order took effect once under its key, on its {records} records"),
        otherwise,
        0,
    );
    laws.hold(
        format!("the targets know the orders of the store's jobs and no others ({orders})"),
        different.is_empty(),
        format!("not so in {}", different.join(", ")),
    );
    Ok(())
}

/// Whom the targets still know.
pub async fn check_people(
    company: &Company,
    (asking, others): (i64, i64),
    laws: &mut Laws,
) -> Result<()> {
    let (mut left, mut lost) = (0, 0);
    for System { database, .. } in &company.systems {
        for (table, key, each) in [("accounts", "id", 1), ("entries", "account_id", 2)] {
            let of = |who: &str| format!("SELECT count(*) FROM {table} WHERE {key} {who}");
            left += database.number(&of(&format!("<= {asking}"))).await?;
            let there = database.number(&of(&format!("> {asking}"))).await?;
            lost += others * each - there;
        }
    }
    laws.equal("nothing is left of those who asked", left, 0);
    laws.equal("nothing is gone of anybody else", lost, 0);
    Ok(())
}
