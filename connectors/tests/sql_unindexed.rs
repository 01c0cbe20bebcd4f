//! References that no index serves: counted, carried out and verified in one reading of the child,
//! and never at the price of a reference that appears meanwhile.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod sql_ground;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use quietus_connectors::{
    Direction, Fault, FieldType, Instruction, Link, LinkKind, Order, Progress, ProgressReport,
    Receipt,
};
use sql_ground::{System, Watcher, collection, day, done, of, order};
use tokio::sync::Mutex;

const CUSTOMERS: usize = 60_000;
const LOGINS: usize = 200_000;
/// Far above what any of it takes, far below what reading the child for each parent takes.
const AT_MOST: Duration = Duration::from_mins(1);

fn customer_is_due(id: usize, one_in: usize) -> bool {
    id.is_multiple_of(one_in)
}

fn customer_of(login: usize) -> Option<usize> {
    (!login.is_multiple_of(10)).then_some(login * 7 % 50_000 + 1)
}

fn login_is_due(login: usize) -> bool {
    login % 4 != 3
}

async fn fill(system: &mut System, reference: &str, one_in: usize) {
    let series = |count: usize| {
        system.pick(
            format!("FROM (SELECT generate_series(1, {count}) AS n) s"),
            format!("FROM (SELECT seq AS n FROM seq_1_to_{count}) s"),
            format!(
                "FROM (WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s) s"
            ),
        )
    };
    let (customers, logins) = (series(CUSTOMERS), series(LOGINS));
    system
        .run(&format!(
            "CREATE TABLE customers (id INT PRIMARY KEY, made_on DATE);
             CREATE TABLE logins (id INT PRIMARY KEY, customer_id INT, made_on DATE{reference});
             INSERT INTO customers SELECT n, CASE WHEN n % {one_in} = 0 THEN DATE '2010-01-01' ELSE DATE '2025-01-01' END {customers};
             INSERT INTO logins SELECT n, CASE WHEN n % 10 <> 0 THEN n * 7 % 50000 + 1 END,
                CASE WHEN n % 4 <> 3 THEN DATE '2010-01-01' ELSE DATE '2025-01-01' END {logins};"
        ).replace(if system.kind == "sqlite" { "DATE '" } else { "\0" }, "'"))
        .await;
}

fn customers_and_logins(key: &str) -> Order {
    let mut customers = collection(
        "customers",
        &["id"],
        &[("id", FieldType::Integer), ("made_on", FieldType::Date)],
    );
    customers.delete_when = day("made_on", "2020-01-01");
    let mut logins = collection(
        "logins",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("customer_id", FieldType::Integer),
            ("made_on", FieldType::Date),
        ],
    );
    logins.delete_when = day("made_on", "2020-01-01");
    needed(&mut logins, "customer", "customers", "customer_id");
    let mut order = order(key, vec![customers, logins]);
    order.pace.chunk_records = 10_000;
    order
}

fn needed(child: &mut Instruction, name: &str, to: &str, field: &str) {
    child.links.push(Link {
        name: name.to_owned(),
        to: to.to_owned(),
        fields: vec![(field.to_owned(), "id".to_owned())],
        kind: LinkKind::Shallow,
        needed: true,
        clear: Vec::new(),
    });
}

/// Runs everything and compares with a model of the two tables in memory.
async fn everything_is_exact(system: System, one_in: usize) {
    let order = customers_and_logins("unindexed");
    let mut kept = vec![false; CUSTOMERS + 1];
    let logins_due = (1..=LOGINS).filter(|&login| login_is_due(login)).count();
    for login in (1..=LOGINS).filter(|&login| !login_is_due(login)) {
        if let Some(customer) = customer_of(login) {
            kept[customer] = true;
        }
    }
    let due = (1..=CUSTOMERS).filter(|&id| customer_is_due(id, one_in));
    let (referenced, free): (Vec<usize>, Vec<usize>) = due.partition(|&id| kept[id]);
    let (referenced, free) = (referenced.len() as u64, free.len() as u64);
    assert!(referenced > 0 && free > 0);

    let connector = system.connector();
    let began = Instant::now();
    let preview = connector.preview(&order).await.unwrap();
    assert!(began.elapsed() < AT_MOST, "the preview took {:?}", began.elapsed());
    assert_eq!(preview.collections[0].delete, free);
    assert_eq!(preview.collections[0].referenced["logins"], referenced);
    assert_eq!(preview.collections[1].delete, logins_due as u64);

    let began = Instant::now();
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert!(began.elapsed() < AT_MOST, "the deletion took {:?}", began.elapsed());
    assert_eq!(of(&outcome, "customers").deleted, free);
    assert_eq!(of(&outcome, "customers").referenced["logins"], referenced);
    assert_eq!(of(&outcome, "logins").deleted, logins_due as u64);

    let began = Instant::now();
    let verification = connector.verify(&order).await.unwrap();
    assert!(began.elapsed() < AT_MOST, "the verification took {:?}", began.elapsed());
    assert!(verification.survivors.is_empty(), "{verification:?}");
    assert_eq!(verification.left["customers"], CUSTOMERS as u64 - free);
    assert_eq!(verification.left["logins"], (LOGINS - logins_due) as u64);
}

async fn a_link_without_foreign_key_and_index(mut system: System) {
    fill(&mut system, "", 2).await;
    everything_is_exact(system, 2).await;
}

async fn a_foreign_key_without_index(mut system: System) {
    // PostgreSQL itself reads the whole child for each parent that goes, and nothing can spare it
    // that; MariaDB makes the index of its own accord.
    let one_in = system.pick(501, 2, 2);
    fill(&mut system, ", FOREIGN KEY (customer_id) REFERENCES customers (id)", one_in).await;
    everything_is_exact(system, one_in).await;
}

/// Refers to a customer that is still to come, once the first customers are gone.
struct Latecomer {
    system: Mutex<System>,
}

#[async_trait]
impl Progress for Latecomer {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        if report.collection == "customers" && report.done.changed() > 0 {
            let mut system = self.system.lock().await;
            let ignore = system.pick("INSERT", "INSERT IGNORE", "INSERT OR IGNORE");
            let conflict = system.pick(" ON CONFLICT DO NOTHING", "", "");
            system
                .run(&format!("{ignore} INTO logins VALUES (900000, 19, '2025-01-01'){conflict}"))
                .await;
        }
        Direction::Continue
    }
}

async fn few_customers(system: &mut System, reference: &str) -> Order {
    system
        .run(&format!(
            "CREATE TABLE customers (id INT PRIMARY KEY, made_on DATE);
             CREATE TABLE logins (id INT PRIMARY KEY, customer_id INT, made_on DATE{reference});"
        ))
        .await;
    let rows: Vec<String> = (1..=20).map(|id| format!("({id}, '2010-01-01')")).collect();
    system.run(&format!("INSERT INTO customers VALUES {}", rows.join(", "))).await;
    system.run("INSERT INTO logins VALUES (1, 5, '2025-01-01')").await;
    let mut order = customers_and_logins("late");
    order.pace.chunk_records = 3;
    order
}

async fn only_the_referred_stay(system: System, mut order: Order, may_fail: bool) {
    let connector = system.connector();
    let latecomer = Latecomer { system: Mutex::new(system) };
    let outcome = match connector.execute(&order, &latecomer).await {
        Ok(receipt) => done(receipt),
        Err(fault) => {
            assert!(may_fail && matches!(fault, Fault::Transient { .. }), "{fault:?}");
            order.attempt = 2;
            done(connector.execute(&order, &latecomer).await.unwrap())
        }
    };
    let mut system = latecomer.system.into_inner();
    let left = system.rows("SELECT CAST(id AS CHAR(9)) FROM customers ORDER BY customers.id").await;
    let left: Vec<&str> = left.iter().map(|id| id.trim()).collect();
    assert_eq!(left, ["5", "19"]);
    assert_eq!(of(&outcome, "customers").deleted, 18);
    assert_eq!(of(&outcome, "customers").referenced["logins"], 2);
}

async fn a_new_reference_without_foreign_key_is_seen(mut system: System) {
    let order = few_customers(&mut system, "").await;
    only_the_referred_stay(system, order, false).await;
}

async fn a_new_reference_of_a_foreign_key_is_seen(mut system: System) {
    let order =
        few_customers(&mut system, ", FOREIGN KEY (customer_id) REFERENCES customers (id)").await;
    let refuses = system.kind == "postgresql";
    only_the_referred_stay(system, order, refuses).await;
}

async fn a_new_child_is_not_taken_along(mut system: System) {
    let order = few_customers(
        &mut system,
        ", FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE",
    )
    .await;
    only_the_referred_stay(system, order, false).await;
}

async fn a_tree_without_index(mut system: System) {
    let reference = system.pick(
        "",
        ", FOREIGN KEY (boss_id) REFERENCES people (id)",
        ", FOREIGN KEY (boss_id) REFERENCES people (id)",
    );
    system
        .run(&format!(
            "CREATE TABLE people (id INT PRIMARY KEY, boss_id INT, made_on DATE{reference});"
        ))
        .await;
    let count: usize = 20_000;
    let boss = |id: usize| (id > 100).then_some(id / 100);
    let due = |id: usize| id % 50 != 1;
    for from in (1..=count).step_by(2_000) {
        let rows: Vec<String> = (from..from + 2_000)
            .map(|id| {
                let boss = boss(id).map_or("NULL".to_owned(), |boss| boss.to_string());
                let made_on = if due(id) { "2010-01-01" } else { "2025-01-01" };
                format!("({id}, {boss}, '{made_on}')")
            })
            .collect();
        system.run(&format!("INSERT INTO people VALUES {}", rows.join(", "))).await;
    }
    let mut stays: Vec<bool> = (0..=count).map(|id| id > 0 && !due(id)).collect();
    for id in (1..=count).rev() {
        if let (true, Some(boss)) = (stays[id], boss(id)) {
            stays[boss] = true;
        }
    }
    let expected = (1..=count).filter(|&id| !stays[id]).count() as u64;
    let mut people = collection(
        "people",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("boss_id", FieldType::Integer),
            ("made_on", FieldType::Date),
        ],
    );
    people.delete_when = day("made_on", "2020-01-01");
    needed(&mut people, "boss", "people", "boss_id");
    let mut order = order("tree", vec![people]);
    order.pace.chunk_records = 5_000;
    let connector = system.connector();
    let began = Instant::now();
    let preview = connector.preview(&order).await.unwrap();
    assert_eq!(preview.collections[0].delete, expected);
    let Receipt::Done(outcome) = connector.execute(&order, &Watcher::new()).await.unwrap() else {
        panic!("not done")
    };
    assert_eq!(of(&outcome, "people").deleted, expected);
    assert_eq!(&preview.collections[0].referenced, &of(&outcome, "people").referenced);
    let verification = connector.verify(&order).await.unwrap();
    assert!(verification.survivors.is_empty(), "{verification:?}");
    assert!(began.elapsed() < AT_MOST, "it took {:?}", began.elapsed());
}

on_every_system! {
    a_link_without_foreign_key_and_index
    a_foreign_key_without_index
    a_new_reference_without_foreign_key_is_seen
    a_new_reference_of_a_foreign_key_is_seen
    a_new_child_is_not_taken_along
    a_tree_without_index
}
