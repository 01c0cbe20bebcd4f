//! A company whose members are in a PostgreSQL of its own, of which a tool keeps copies.

use jiff::Timestamp;

use crate::company::Company;
use crate::company::cluster::Cluster;
use crate::company::database::{Kind, Raw};

const MAP: &str = "collections:
  members:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      name: contact
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

const PACK: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
";

/// Who asks to be erased, as the bytes of a copy have it.
pub const ALAN: &str = "alan@mail.example";
/// Who stays.
pub const GRACE: &str = "grace@mail.example";

/// Database of the members, and the only one: each more is some hundred files in each copy.
const DATABASE: &str = "postgres";

/// A connection past the product.
async fn raw(cluster: &Cluster) -> Raw {
    cluster.raw(DATABASE).await
}

/// Puts the members there.
pub async fn furnish(cluster: &Cluster) {
    let mut raw = raw(cluster).await;
    raw.run("UPDATE pg_database SET datistemplate = false").await;
    for other in ["template0", "template1"] {
        raw.run(&format!("DROP DATABASE {other}")).await;
    }
    raw.run(&format!(
        "CREATE TABLE members (id BIGINT PRIMARY KEY, email TEXT, name TEXT, opened_at TIMESTAMPTZ);
         INSERT INTO members VALUES (1, '{GRACE}', 'Grace Example', '2026-01-01'),
             (2, '{ALAN}', 'Alan Example', '2026-01-01')"
    ))
    .await;
}

/// The company, with what keeps the copies as its store `vault`.
pub async fn company_on(cluster: &Cluster) -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", PACK);
    company.connect_system("club", (Kind::Postgres, cluster.url("postgres", DATABASE)), MAP);
    let store = cluster.as_store();
    company.write(
        "systems/vault.yaml",
        &format!(
            "system: vault\nrole: backup\nowner: Operations\nzone: UTC\ncopies: [club]\n\
             longest_run: PT1H\n{store}"
        ),
    );
    let instance = company.read("quietus.yaml");
    let identities = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{identities}"));
    company
}

/// Builds anew what was erased from, so that later copies do not take the bytes of dead rows along.
pub async fn build_anew(cluster: &Cluster) {
    let mut raw = raw(cluster).await;
    for table in ["members", "quietus_progress", "pg_statistic"] {
        raw.run(&format!("VACUUM FULL {table}")).await;
    }
    raw.run("CHECKPOINT").await;
}

/// The day, in UTC, so many days after a moment that a tool tells in seconds since 1970.
pub fn day_after(seconds: i64, days: i64) -> String {
    let moment = Timestamp::from_second(seconds + days * 24 * 60 * 60).unwrap();
    moment.strftime("%F").to_string()
}
