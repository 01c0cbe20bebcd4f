//! The mixed work of a company, all at once: notes that a rule makes due, customers who leave (events)
//! or ask to be erased (requests), and legal holds that are placed and released.
//!
//! What becomes of whom follows from the number: of four customers one asks, one leaves, and two stay.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::company::Company;
use crate::ground::{Database, Ground, number, run};
use crate::laws::Laws;
use crate::ledger;
use crate::post::Poster;

const EVERY: Duration = Duration::from_secs(1);
/// From the placing of a hold to the records that it is about: a chunk that was begun before may still
/// commit, however slow its system is just then.
const UNTIL_HELD: Duration = Duration::from_secs(25);
/// How long a hold then lasts.
const HELD_FOR: Duration = Duration::from_secs(40);
/// Time between two holds.
const BETWEEN_HOLDS: Duration = Duration::from_secs(15);
/// The first customer number, and the first record, that a hold is about.
const FIRST_HELD: i64 = 1_000_000_000;
const FIRST_HELD_NOTE: i64 = 1_000_000_000_000;
/// Notes that a hold is about.
const HELD_NOTES: i64 = 20;

/// A whole hold: from its placing to its release.
pub const A_HOLD: Duration = Duration::from_secs(70);

const SHOP: &str = "collections:
  accounts:
    key: id
    fields:
      id: { type: integer, identity: customer_id }
      name: contact
      made_at: { type: timestamp }
    starting_points:
      collection: made_at
      relationship.ended: { event: customer.left, field: id }
  entries:
    key: id
    fields:
      id: { type: integer }
      account_id: { type: integer }
      words: contact
      made_at: { type: timestamp }
    links:
      account: { to: accounts, fields: { account_id: id }, kind: deep }
    starting_points:
      collection: made_at
      relationship.ended: { event: customer.left, field: account_id }
";

const HEAP: &str = "pace: { chunk_records: 200 }
collections:
  notes:
    key: id
    fields:
      id: { type: integer }
      person: { type: integer, identity: customer_id, exempt: the notes go as a whole }
      body: { type: text, category: note.body }
      made_at: { type: timestamp }
    starting_points: { collection: made_at }
";

const RULES: &str = "pack: work
version: '1'
owner: Ada Example
categories:
  contact: { purpose: talk to people }
  note.body: { purpose: to remember }
schedules:
  often: { cron: '* * * * *', zone: UTC }
schedule: often
cap: { records: unlimited, share: unlimited }
rules:
  - rule: contact-after-leaving
    category: contact
    starting_point: relationship.ended
    period: P30D
    action: erase
    basis: { citation: 'GDPR Art. 6(1)(b)' }
  - rule: notes-after-a-month
    category: note.body
    starting_point: collection
    period: PT720H
    action: erase
    basis: { citation: 'GDPR Art. 6(1)(f)' }
";

/// A company with a shop and a heap of notes, both of which write down what happens to them.
pub async fn company(ground: &Ground) -> Result<Company> {
    let mut company = Company::new(ground, "soak", 4).await?;
    company.write("schedules/work.yaml", RULES)?;
    let shop = company.add_system(ground, "shop", SHOP).await?;
    shop.run(
        "CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT, made_at TIMESTAMPTZ);
         CREATE TABLE entries (id BIGINT PRIMARY KEY, words TEXT, made_at TIMESTAMPTZ,
             account_id BIGINT REFERENCES accounts (id));
         CREATE INDEX entries_account ON entries (account_id)",
    )
    .await?;
    ledger::open(&shop, &["accounts", "entries"]).await?;
    let heap = company.add_system(ground, "heap", HEAP).await?;
    heap.run(
        "CREATE TABLE notes (id BIGINT PRIMARY KEY, person BIGINT, body TEXT,
             made_at TIMESTAMPTZ NOT NULL);
         CREATE INDEX notes_person ON notes (person)",
    )
    .await?;
    ledger::open(&heap, &["notes"]).await?;
    company.must(&["check"]).await?;
    Ok(company)
}

/// So long after they have come notes are due.
const DUE_AFTER_SECONDS: u32 = 90;

/// A hold that was placed and released.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The first of the notes that it is about.
    first_note: i64,
    /// When somebody asked for its release, by the clock of the notes' database.
    released_us: i64,
}

/// The work, and how far it has come.
pub struct Work<'c> {
    shop: &'c Database,
    heap: &'c Database,
    poster: &'c Poster,
    customers_a_second: i64,
    notes_a_second: i64,
    ends: AtomicBool,
    customers: AtomicI64,
    notes: AtomicI64,
}

impl<'c> Work<'c> {
    pub fn of(
        company: &'c Company,
        poster: &'c Poster,
        (customers_a_second, notes_a_second): (u32, u32),
    ) -> Result<Self> {
        let database = |name: &str| {
            let found = company.systems.iter().find(|system| system.name == name);
            found.map(|system| &system.database).context("a system")
        };
        Ok(Self {
            shop: database("shop")?,
            heap: database("heap")?,
            poster,
            customers_a_second: i64::from(customers_a_second),
            notes_a_second: i64::from(notes_a_second),
            ends: AtomicBool::new(false),
            customers: AtomicI64::new(0),
            notes: AtomicI64::new(0),
        })
    }

    /// Nothing new comes from now on; what was begun is done.
    pub fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    /// Does all of it until [`Self::end`]; holds that end later than `last_hold_after` are not placed.
    pub async fn go(&self, last_hold_after: Duration) -> Result<Vec<Held>> {
        let ((), (), (), held) =
            tokio::try_join!(self.plant(), self.ask(), self.leave(), self.hold(last_hold_after))?;
        Ok(held)
    }

    /// Customers come, and notes: of three notes two are due soon. What was due when it came would be
    /// more than was counted, or a survivor to the second look.
    async fn plant(&self) -> Result<()> {
        let (mut shop, mut heap) = (self.shop.open().await?, self.heap.open().await?);
        while self.goes_on() {
            let (first, notes) = (
                self.customers.load(Ordering::Relaxed) + 1,
                self.notes.load(Ordering::Relaxed) + 1,
            );
            let last = first + self.customers_a_second - 1;
            run(
                &mut shop,
                &format!(
                    "INSERT INTO accounts SELECT n, 'Name ' || n, now()
                         FROM generate_series({first}, {last}) AS n;
                     INSERT INTO entries SELECT n * 10 + i, 'Words ' || n, now(), n
                         FROM generate_series({first}, {last}) AS n, generate_series(1, 2) AS i"
                ),
            )
            .await?;
            self.customers.store(last, Ordering::Relaxed);
            let last = notes + self.notes_a_second - 1;
            run(
                &mut heap,
                &format!(
                    "INSERT INTO notes SELECT n, NULL, 'a note',
                         CASE WHEN n % 3 = 0 THEN '2090-01-01'::timestamptz
                             ELSE now() - interval '720 hours' + interval '{DUE_AFTER_SECONDS} seconds' END
                         FROM generate_series({notes}, {last}) AS n"
                ),
            )
            .await?;
            self.notes.store(last, Ordering::Relaxed);
            tokio::time::sleep(EVERY).await;
        }
        Ok(())
    }

    /// The next customer with this remainder, once they have come; `None` where no more come.
    async fn next(&self, after: i64, remainder: i64) -> Option<i64> {
        let next = after + 1 + (remainder - after - 1).rem_euclid(4);
        loop {
            // In this order: whoever came last is seen.
            let goes_on = self.goes_on();
            if next <= self.customers.load(Ordering::Relaxed) {
                return Some(next);
            }
            if !goes_on {
                return None;
            }
            tokio::time::sleep(EVERY / 4).await;
        }
    }

    async fn ask(&self) -> Result<()> {
        let mut last = 0;
        while let Some(person) = self.next(last, 0).await {
            self.poster.erase(person).await?;
            last = person;
        }
        Ok(())
    }

    async fn leave(&self) -> Result<()> {
        let mut last = 0;
        while let Some(person) = self.next(last, 1).await {
            let body = json!({
                "name": "customer.left",
                "key": person,
                "occurred_at": "2025-01-01T00:00:00Z",
                "idempotency_key": format!("left {person}"),
            });
            self.poster.post("/v1/events", &body, None).await?;
            last = person;
        }
        Ok(())
    }

    /// Holds that overlap, one begun after the other.
    async fn hold(&self, last_hold_after: Duration) -> Result<Vec<Held>> {
        let time = last_hold_after.saturating_sub(A_HOLD).as_secs();
        let many = i64::try_from(time / BETWEEN_HOLDS.as_secs())?;
        let holds = (0..many).map(|which| async move {
            let before = u32::try_from(which).unwrap_or_default();
            tokio::time::sleep(BETWEEN_HOLDS * before).await;
            self.hold_once(which).await
        });
        futures_util::future::try_join_all(holds).await
    }

    async fn hold_once(&self, which: i64) -> Result<Held> {
        let (person, matter) = (FIRST_HELD + which, format!("LIT-{which}"));
        let first_note = FIRST_HELD_NOTE + which * 1000;
        let body = json!({
            "matter": matter,
            "reason": "a lawsuit",
            "scope": { "subject": { "identity": "customer_id", "value": person } },
        });
        self.poster.post("/v1/holds", &body, None).await?;
        tokio::time::sleep(UNTIL_HELD).await;
        let last = first_note + HELD_NOTES - 1;
        let notes = format!(
            "INSERT INTO notes SELECT n, {person}, 'a note', '2020-01-01'
             FROM generate_series({first_note}, {last}) AS n"
        );
        self.heap.run(&notes).await?;
        tokio::time::sleep(HELD_FOR).await;
        let mut heap = self.heap.open().await?;
        let now = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
        let released_us = number(&mut heap, now).await?;
        self.poster.post("/v1/holds/release", &json!({ "matter": matter }), None).await?;
        Ok(Held { first_note, released_us })
    }

    /// Notes that are due and still there, and customers who should be gone.
    pub async fn left(&self) -> Result<i64> {
        let notes = "SELECT count(*) FROM notes WHERE made_at < '2080-01-01'";
        let people = "SELECT count(*) FROM accounts WHERE id % 4 IN (0, 1)";
        Ok(self.heap.number(notes).await? + self.shop.number(people).await?)
    }

    /// The laws of this work, once nothing is left.
    pub async fn check(&self, held: &[Held], laws: &mut Laws) -> Result<()> {
        let (customers, notes) =
            (self.customers.load(Ordering::Relaxed), self.notes.load(Ordering::Relaxed));
        let holds = i64::try_from(held.len())?;
        laws.equal(
            format!("what is due is gone: {notes} notes and {customers} customers came"),
            self.left().await?,
            0,
        );
        let stay = "SELECT count(*) FROM notes";
        laws.equal("each note that is not due is there", self.heap.number(stay).await?, notes / 3);
        let staying = (1..=customers).filter(|one| one % 4 > 1).count();
        let staying = i64::try_from(staying)?;
        let accounts = self.shop.number("SELECT count(*) FROM accounts").await?;
        laws.equal("each customer who stays is there", accounts, staying);
        let entries = self.shop.number("SELECT count(*) FROM entries").await?;
        laws.equal("with all of their entries", entries, staying * 2);
        let mut early = 0;
        for Held { first_note, released_us } in held {
            let last = first_note + HELD_NOTES - 1;
            let gone = format!(
                "SELECT count(*) FROM fire.effects WHERE what = 'DELETE'
                     AND record BETWEEN {first_note} AND {last}
                     AND extract(epoch FROM at) * 1000000 < {released_us}"
            );
            early += self.heap.number(&gone).await?;
        }
        laws.equal(format!("nothing went under a legal hold ({holds} were placed)"), early, 0);
        Ok(())
    }

    /// Customers who have asked, and have left.
    pub fn asked(&self) -> i64 {
        self.customers.load(Ordering::Relaxed) / 4
    }
}
