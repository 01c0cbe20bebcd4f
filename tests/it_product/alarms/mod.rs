//! Alarms that go out: what the doctor finds is told once, its end once, to webhooks and by mail, whoever
//! is away or dies in between.

mod deaf;
mod mailed;
mod receiver;
mod replicas;
mod running;
mod told;

use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::Quietus;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use self::receiver::{Receiver, secret};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::{Company, heap};

/// The byte of which the secret of `hook` is made.
pub const BYTE: u8 = 7;

/// Writes `alarms` into the instance file: more settings, and entries of webhooks.
pub fn configure(company: &Company, settings: &str, webhooks: &str) {
    let instance = company.read("quietus.yaml");
    let instance = instance.split("alarms:\n").next().unwrap();
    let webhooks =
        if webhooks.is_empty() { String::new() } else { format!("  webhooks:\n{webhooks}") };
    company
        .write("quietus.yaml", &format!("{instance}alarms:\n  every: PT5M\n{settings}{webhooks}"));
}

/// A heap whose alarms are told to a receiver.
pub async fn heap_with(store: Kind, settings: &str, more: &str) -> (Company, Receiver) {
    let company = heap::company(store, Kind::Sqlite, 100, "{}").await;
    let receiver = Receiver::start(BYTE).await;
    company.write_secret("hook", &secret(BYTE));
    configure(&company, settings, &receiver.entry("hook", more));
    company.quietus(&["check"]).await.expect(0);
    (company, receiver)
}

/// Somebody pauses the heap, which is something to look at.
pub async fn pause(company: &Company) {
    company.quietus(&["pause", "system", "heap", "--reason", "OPS-1"]).await.expect(0);
}

pub async fn resume(company: &Company) {
    company.quietus(&["resume", "system", "heap"]).await.expect(0);
}

/// A clock that is ahead of whatever commands write by the clock of the machine.
pub fn soon() -> Arc<TurnedClock> {
    TurnedClock::at(&SystemClock.now().checked_add(1.hour()).unwrap().to_string())
}

/// A replica as it serves: it counts occurrences from now on.
pub async fn serving(company: &Company, clock: &Arc<TurnedClock>) -> Arc<Quietus> {
    let product = company.replica(clock).await;
    product.seed_schedules().await.unwrap();
    product
}

/// What has happened is published, one look is taken, and whoever is to be told is told.
pub async fn watch(product: &Arc<Quietus>) {
    product.advance_log().await.unwrap();
    product.look_for_alarms().await.unwrap();
    product.tell_alarms().await.unwrap();
}

/// Open alarms past the product, by kind.
pub async fn open_kinds(company: &Company) -> Vec<String> {
    company.store_rows("SELECT kind FROM alarms WHERE cleared_at IS NULL ORDER BY kind").await
}

/// What is to be told of the pause, past the product: recipient, event, state and attempts.
pub async fn tellings(company: &Company) -> Vec<String> {
    let text = "SELECT way || ' ' || recipient || ' ' || event || ' ' || state || ' ' || CAST(attempts AS TEXT)
        FROM alarm_tellings JOIN alarms ON alarms.id = alarm_id WHERE kind = 'pause.lasting'
        ORDER BY written_at, alarm_id, step, way, recipient";
    company.store_rows(text).await
}
