//! Data of persons that come back long after their erasure are found, and go again.

mod again;
mod killed;
mod limits;
mod many;
mod person;

use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::Quietus;
use quietus::app::later_look::LookTally;
use quietus::domain::{AskedRight, Clock as _};
use quietus::telemetry::SystemClock;
use uuid::Uuid;

use crate::company::Company;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::request::estate::live;
use crate::restore::house::{ask, house};

/// A club of six in one database, of whom some have asked for something a week and an hour ago.
pub struct Club {
    pub company: Company,
    pub clock: Arc<TurnedClock>,
    pub product: Arc<Quietus>,
}

impl Club {
    pub async fn new(store: Kind, settings: &str) -> Self {
        let company = house(store, 6).await;
        let instance = company.read("quietus.yaml");
        company.write("quietus.yaml", &format!("{instance}{settings}"));
        // Commands run on the machine's own clock, an hour after the first look.
        let begun = SystemClock.now().checked_sub((24 * 7 + 1).hours()).unwrap();
        let clock = TurnedClock::at(&begun.to_string());
        let product = company.replica(&clock).await;
        Self { company, clock, product }
    }

    /// Somebody asks for something, and it is done; the case.
    pub async fn done(&self, right: AskedRight, number: i64) -> String {
        let request = ask(&self.product, right, number).await;
        live(&self.product, &self.clock, 1.seconds()).await;
        self.case_of(request).await
    }

    pub async fn case_of(&self, request: Uuid) -> String {
        let request = self.product.rights_request(request).await.unwrap();
        request.stored.case_id.unwrap().to_string()
    }

    /// The import of a night: a member with the address of an earlier one.
    pub async fn import(&self, id: i64, number: i64, opened_at: &str) {
        let row = format!(
            "INSERT INTO members VALUES ({id}, 'p{number}@mail.example', 'Name {number}', '{opened_at}', NULL)"
        );
        self.company.database("desk").run(&row).await;
    }

    /// Time passes, and whoever is due is looked for; what is found is done again.
    pub async fn look(&self, hours: i64) -> LookTally {
        self.clock.advance(hours.hours());
        let tally = self.product.look_for_due().await.unwrap();
        live(&self.product, &self.clock, 1.seconds()).await;
        tally
    }

    /// What `quietus reappeared list` says.
    pub async fn listed(&self) -> serde_json::Value {
        self.company.quietus(&["reappeared", "list", "--json"]).await.expect(0).json()
    }
}

/// Long before anything was asked for.
pub const LONG_AGO: &str = "2026-01-01T00:00:00Z";
/// Long after.
pub const AFTERWARDS: &str = "2090-01-01T00:00:00Z";
