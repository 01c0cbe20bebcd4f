//! What changes between a plan and its execution: rules do not count any more, and a system that
//! is not as it was mapped is left alone.

use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, heap};

/// Rows 1 to 100 are from 2020; rows 2001 to 2005 from last week.
async fn planned(period: &str) -> (Company, std::sync::Arc<TurnedClock>) {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    for id in 2001..=2005 {
        company
            .database("heap")
            .run(&format!(
                "INSERT INTO notes VALUES ({id}, 'new@mail.example', 'x', '2026-05-25T00:00:00Z')"
            ))
            .await;
    }
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE).replace("P1M", period));
    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    assert_eq!(product.fire_due().await.unwrap().len(), 1);
    (company, clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_widened_after_the_plan_has_no_effect_on_it() {
    let (company, clock) = planned("P1M").await;
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE).replace("P1M", "P1D"));
    work(&*company.replica(&clock).await).await;
    assert_eq!(heap::left(&company).await, 15, "the week-old ones stay");
    assert_eq!(company.certificate("latest").await.overall(), "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_narrowed_after_the_plan_has_no_effect_on_it() {
    let (company, clock) = planned("P1D").await;
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE).replace("P1M", "P90Y"));
    work(&*company.replica(&clock).await).await;
    assert_eq!(heap::left(&company).await, 10);
}

/// Alters the table after the mapping; the run fails, names what is not as it was, and deletes
/// nothing.
async fn drift(kind: Kind, alter: &str, named: &[&str]) {
    let company = heap::company(Kind::Sqlite, kind, 100, "{ chunk_records: 50 }").await;
    for statement in alter.split(";;") {
        company.database("heap").run(statement).await;
    }
    let plan = company.quietus(&["plan"]).await.expect(1);
    let run = company.quietus(&["run", "--once"]).await.expect(1);
    for name in named {
        assert!(plan.out.contains(name), "`{name}` in the plan:\n{}\n{}", plan.out, plan.err);
        assert!(run.out.contains(name), "`{name}` in the run:\n{}\n{}", run.out, run.err);
    }
    assert_eq!(company.certificate("latest").await.overall(), "failed");
    assert_eq!(heap::left(&company).await, 110);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_column_stops_the_job() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        drift(kind, "ALTER TABLE notes ADD COLUMN nickname VARCHAR(10)", &["nickname"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vanished_column_stops_the_job() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        drift(kind, "ALTER TABLE notes DROP COLUMN body", &["body"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_key_stops_the_job() {
    drift(
        Kind::Postgres,
        "ALTER TABLE notes DROP CONSTRAINT notes_pkey;;ALTER TABLE notes ADD PRIMARY KEY (id, person)",
        &["key"],
    )
    .await;
    let widened = "ALTER TABLE notes DROP PRIMARY KEY, ADD PRIMARY KEY (id, person)";
    drift(Kind::MariaDb, widened, &["key"]).await;
    drift(
        Kind::Sqlite,
        "CREATE TABLE other (id BIGINT NOT NULL, person TEXT NOT NULL, body TEXT, made_at TEXT NOT NULL, PRIMARY KEY (id, person));;INSERT INTO other SELECT * FROM notes;;DROP TABLE notes;;ALTER TABLE other RENAME TO notes",
        &["key"],
    )
    .await;
}
