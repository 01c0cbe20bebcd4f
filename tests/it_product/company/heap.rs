//! One table with many rows that are all due: for jobs that take their time.

use super::Company;
use super::database::{Database, Kind};
use super::table::Column;

/// `pace` is the flow mapping of the data map, such as `{ chunk_records: 100 }`.
pub fn map(pace: &str) -> String {
    format!(
        "pace: {pace}\n\
         collections:\n\
         \x20 notes:\n\
         \x20   key: id\n\
         \x20   fields:\n\
         \x20     id: {{ type: integer }}\n\
         \x20     person: {{ type: text, identity: email, exempt: the notes go as a whole }}\n\
         \x20     body: {{ type: text, category: note.body }}\n\
         \x20     made_at: {{ type: timestamp }}\n\
         \x20   starting_points:\n\
         \x20     collection: made_at\n"
    )
}

/// Notes go after a month; `cap` is the flow mapping of the rule pack.
pub fn rules(cap: &str) -> String {
    format!(
        "pack: notes\nversion: \"1\"\nowner: Ada Example\n\
         categories: {{ note.body: {{ purpose: to remember }} }}\n\
         schedules: {{ nightly: {{ cron: \"30 2 * * *\", zone: Europe/Berlin }} }}\n\
         schedule: nightly\ncap: {cap}\n\
         rules:\n\
         \x20 - rule: notes-after-a-month\n\
         \x20   category: note.body\n\
         \x20   starting_point: collection\n\
         \x20   period: P1M\n\
         \x20   action: erase\n\
         \x20   basis: {{ citation: \"GDPR Art. 6(1)(f)\" }}\n"
    )
}

/// Wide enough for everything.
pub const WIDE: &str = "{ records: unlimited, share: unlimited }";

/// `old` rows that are due, then ten that are not. Every row belongs to person `i % 50`.
pub async fn furnish(database: &Database, old: u64) {
    let kind = database.kind;
    let (text, moment) = (Column::Text.native(kind), Column::Moment.native(kind));
    database
        .run(&format!(
            "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, person {text} NOT NULL, \
             body {text}, made_at {moment} NOT NULL)"
        ))
        .await;
    let (person, made) = kind.pick(
        ("'person' || (i % 50) || '@mail.example'", "CASE WHEN i <= LIMIT_OLD THEN '2020-01-01T00:00:00Z'::timestamptz ELSE '2090-01-01T00:00:00Z'::timestamptz END"),
        ("CONCAT('person', i % 50, '@mail.example')", "CASE WHEN i <= LIMIT_OLD THEN '2020-01-01 00:00:00' ELSE '2090-01-01 00:00:00' END"),
        ("'person' || (i % 50) || '@mail.example'", "CASE WHEN i <= LIMIT_OLD THEN '2020-01-01T00:00:00Z' ELSE '2090-01-01T00:00:00Z' END"),
    );
    let made = made.replace("LIMIT_OLD", &old.to_string());
    let all = old + 10;
    let source = kind.pick(
        format!("generate_series(1, {all}) AS n (i)"),
        format!("(SELECT seq AS i FROM seq_1_to_{all}) AS n"),
        format!("(WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {all}) SELECT i FROM r) AS n"),
    );
    database
        .run(&format!("INSERT INTO notes SELECT i, {person}, 'a note', {made} FROM {source}"))
        .await;
}

/// A company with one heap named `heap`.
pub async fn company(store: Kind, kind: Kind, old: u64, pace: &str) -> Company {
    let mut company = Company::new(store).await;
    company.write("schedules/notes.yaml", &rules(WIDE));
    furnish(company.add_system("heap", kind, &map(pace)).await, old).await;
    company
}

pub async fn left(company: &Company) -> i64 {
    let database = company.database("heap");
    let text = database.kind.pick("TEXT", "CHAR", "TEXT");
    database.number(&format!("SELECT CAST(COUNT(*) AS {text}) FROM notes")).await
}
