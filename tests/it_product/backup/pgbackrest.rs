//! A person's case, whose copies are in a real stanza of pgBackRest: backups that its own retention
//! expires, and the archive of the log, which goes with them.

use std::sync::Arc;

use jiff::Timestamp;
use quietus::app::Quietus;
use quietus::app::backup::Trouble;
use serde_json::Value;

use super::club::{ALAN, GRACE, build_anew, company_on, day_after, furnish};
use super::{copies, live, looks, people};
use crate::company::Company;
use crate::company::certificate::Certificate;
use crate::company::cluster::{Cluster, IN_CLEAR, Keeper, is_in};
use crate::company::engine::TurnedClock;

/// The stanza as the tool tells it.
async fn stanza(cluster: &Cluster) -> Value {
    cluster.kept(&["info"]).await[0].take()
}

/// Labels of its backups, oldest first.
fn labels(stanza: &Value) -> Vec<String> {
    let backups = stanza["backup"].as_array().unwrap();
    backups.iter().map(|one| one["label"].as_str().unwrap().to_owned()).collect()
}

/// A full backup of this day at two o'clock, with the store's own expiry after it or without.
async fn backed_up(cluster: &mut Cluster, day: &str, expires: bool) {
    cluster.live_at(&format!("{day}T02:00:00Z")).await;
    let expires = if expires { "--expire-auto" } else { "--no-expire-auto" };
    cluster.keep(&["--type=full", expires, "backup"]).await;
}

/// A company with backups of two days, and the case of somebody who was erased after them.
async fn erased(cluster: &mut Cluster) -> (Company, Arc<TurnedClock>, Arc<Quietus>) {
    cluster.live_at("2027-01-03T01:00:00Z").await;
    cluster.keep(&["stanza-create"]).await;
    furnish(cluster).await;
    for day in ["2027-01-03", "2027-01-04"] {
        backed_up(cluster, day, true).await;
    }
    let company = company_on(cluster).await;
    people::brought(&company, "erasure", &format!("email={ALAN}\n")).await;
    cluster.live_at("2027-01-04T09:00:00Z").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let left = company.database("club").rows("SELECT email FROM members").await;
    assert_eq!(left, [GRACE]);
    (company, clock, product)
}

/// Both backups and the archive can hold it, and go on the day that follows from the tool's list.
fn states_what_the_tool_lists(certificate: &Certificate, stanza: &Value) {
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let newest = &stanza["backup"][1];
    let (stopped, stated) = (newest["timestamp"]["stop"].as_i64().unwrap(), copies(certificate));
    assert_eq!((stated.len(), &stated[0]["copies"]), (1, &"3".into()), "{stated:#?}");
    assert_eq!(stated[0]["store"], "vault");
    let moment = Timestamp::from_second(stopped).unwrap().to_string();
    assert_eq!(stated[0]["newestCopyContaining"], moment);
    // Two full backups stay, and there is one a day.
    assert_eq!(stated[0]["goneBy"], day_after(stopped, 2));
    assert_eq!(stated[0]["goneBy"], "2027-01-06");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_day_that_is_told_is_that_on_which_pgbackrest_expires_the_last_one() {
    let mut cluster = Cluster::new(Keeper::PgBackRest(IN_CLEAR)).await;
    let (company, clock, product) = erased(&mut cluster).await;
    let case = company.oldest_case().await;
    let before = stanza(&cluster).await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    states_what_the_tool_lists(&certificate, &before);
    build_anew(&cluster).await;
    let repository = cluster.path("repository");

    // It goes on to copy, and does not expire any more.
    for day in ["2027-01-05", "2027-01-06"] {
        backed_up(&mut cluster, day, false).await;
        clock.set(&format!("{day}T12:00:00Z"));
        let stuck = if day == "2027-01-06" { (Some(Trouble::Stuck), 1) } else { (None, 0) };
        let standing = &product.watch_stores().await[0];
        assert_eq!((standing.alarm, standing.overstaying), stuck, "{day}");
        live(&product).await;
        assert_eq!(company.certificate_id(&case).await, first, "{day}");
        assert_eq!(looks(&company).await, ["scheduled -"], "{day}");
    }
    assert_eq!(labels(&stanza(&cluster).await).len(), 4);

    assert!(is_in(&repository, ALAN).await);

    // Its own expiry is called again, and shortens the archive as well.
    cluster.keep(&["expire"]).await;
    let after = stanza(&cluster).await;
    assert_eq!(labels(&after).len(), 2);
    assert_eq!(after["archive"][0]["min"], after["backup"][0]["archive"]["start"]);
    assert!(!is_in(&repository, ALAN).await && is_in(&repository, GRACE).await);
    clock.set("2027-01-07T12:30:00Z");
    live(&product).await;
    let last = company.certificate_of(&case).await;
    super::states_the_end(&last, (&first, "2027-01-07T12:30:00Z"));
    assert_eq!(last.counts(), certificate.counts());
    assert_eq!(looks(&company).await, ["completed -"]);
    assert_eq!(product.watch_stores().await[0].alarm, None);
    company.check_log().await;
}
