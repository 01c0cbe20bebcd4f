//! Persons who are known in every system: an account with two entries in each. Some of them ask to be
//! erased; the others stay.

use anyhow::Result;

use crate::company::Company;
use crate::ground::Ground;
use crate::ledger;

/// Records of a person in a system.
pub const RECORDS: i64 = 3;

const MAP: &str = "collections:
  accounts:
    key: id
    fields:
      id: { type: integer, identity: customer_id }
      name: contact
      made_at: { type: timestamp }
    starting_points: { collection: made_at }
  entries:
    key: id
    fields:
      id: { type: integer }
      account_id: { type: integer }
      words: contact
      made_at: { type: timestamp }
    links:
      account: { to: accounts, fields: { account_id: id }, kind: deep }
    starting_points: { collection: made_at }
";

const RULES: &str = "pack: persons
version: '1'
owner: Ada Example
categories:
  contact: { purpose: talk to people }
schedules:
  yearly: { cron: '0 2 1 1 *' }
schedule: yearly
rules:
  - rule: contact
    category: contact
    starting_point: collection
    period: P90Y
    action: erase
    basis: { citation: contract }
";

/// How many ask, and in how many systems they are known.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub asking: i64,
    /// They stay.
    pub others: i64,
    pub systems: usize,
}

impl Crowd {
    /// So many jobs: one for each person who asks, in each of the systems.
    pub fn of_jobs(jobs: u32, systems: usize) -> Self {
        let asking = i64::from(jobs).div_euclid(i64::try_from(systems).unwrap_or(1).max(1)).max(1);
        Self { asking, others: asking / 10 + 10, systems }
    }

    /// Jobs that carry out what they ask.
    pub fn jobs(self) -> i64 {
        self.asking * i64::try_from(self.systems).unwrap_or_default()
    }

    /// A company that knows all of them.
    pub async fn company(self, ground: &Ground, name: &str, workers: u32) -> Result<Company> {
        let mut company = Company::new(ground, name, workers).await?;
        company.write("schedules/persons.yaml", RULES)?;
        let people = self.asking + self.others;
        for number in 1..=self.systems {
            let database = company.add_system(ground, &format!("s{number:02}"), MAP).await?;
            database
                .run(&format!(
                    "CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT, made_at TIMESTAMPTZ);
                     CREATE TABLE entries (id BIGINT PRIMARY KEY, words TEXT, made_at TIMESTAMPTZ,
                         account_id BIGINT REFERENCES accounts (id));
                     INSERT INTO accounts SELECT n, 'Name ' || n, '2024-01-01'
                         FROM generate_series(1, {people}) AS n;
                     INSERT INTO entries SELECT n * 10 + i, 'Words ' || n, '2024-01-01', n
                         FROM generate_series(1, {people}) AS n, generate_series(1, 2) AS i;
                     CREATE INDEX entries_account ON entries (account_id);
                     ANALYZE"
                ))
                .await?;
            ledger::open(&database, &["accounts", "entries"]).await?;
        }
        company.must(&["check"]).await?;
        Ok(company)
    }
}
