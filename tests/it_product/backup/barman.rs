//! A person's case, whose copies are those that a real barman keeps of a server, with the archive of
//! its log, until barman's own maintenance deletes them.

use std::sync::Arc;

use jiff::Timestamp;
use quietus::app::Quietus;
use quietus::app::backup::Trouble;
use serde_json::Value;

use super::club::{ALAN, GRACE, build_anew, company_on, day_after, furnish};
use super::{copies, live, looks, people};
use crate::company::certificate::Certificate;
use crate::company::cluster::{Cluster, Keeper, is_in};
use crate::company::engine::TurnedClock;
use crate::company::{Company, long_tests};

/// Its backups as the tool lists them, oldest first.
async fn listed(cluster: &Cluster) -> Vec<Value> {
    let mut listed = cluster.kept(&["list-backups", "shop"]).await;
    let mut backups = listed["shop"].as_array_mut().unwrap().split_off(0);
    backups.reverse();
    backups
}

/// Whether barman would delete each of them, if somebody let it.
async fn obsolete(cluster: &Cluster) -> Vec<bool> {
    let listed = listed(cluster).await;
    listed.iter().map(|one| one["retention_status"] == "OBSOLETE").collect()
}

/// A backup of this day at two o'clock, with the log up to its end.
async fn backed_up(cluster: &mut Cluster, day: &str) {
    cluster.live_at(&format!("{day}T02:00:00Z")).await;
    cluster.keep(&["backup", "--wait", "--wait-timeout=60", "shop"]).await;
}

/// A company with backups of two days, and the case of somebody who was erased after them.
async fn erased(cluster: &mut Cluster) -> (Company, Arc<TurnedClock>, Arc<Quietus>) {
    cluster.live_at("2027-01-03T01:00:00Z").await;
    furnish(cluster).await;
    let switch = ["switch-wal", "--force", "--archive", "--archive-timeout=30", "shop"];
    cluster.keep(&switch).await;
    for day in ["2027-01-03", "2027-01-04"] {
        backed_up(cluster, day).await;
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
fn states_what_the_tool_lists(certificate: &Certificate, newest: &Value) {
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let ended = newest["base_backup_information"]["end_time_timestamp"].as_str().unwrap();
    let (ended, stated) = (ended.parse().unwrap(), copies(certificate));
    assert_eq!((stated.len(), &stated[0]["copies"]), (1, &"3".into()), "{stated:#?}");
    let moment = Timestamp::from_second(ended).unwrap().to_string();
    assert_eq!(stated[0]["newestCopyContaining"], moment);
    // `REDUNDANCY 2`, and one a day.
    assert_eq!(stated[0]["goneBy"], day_after(ended, 2));
    assert_eq!(stated[0]["goneBy"], "2027-01-06");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_day_that_is_told_is_that_on_which_barman_deletes_the_last_one() {
    if !long_tests() {
        return;
    }
    let mut cluster = Cluster::new(Keeper::Barman).await;
    let (company, clock, product) = erased(&mut cluster).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    let newest = cluster.kept(&["show-backup", "shop", "latest"]).await;
    states_what_the_tool_lists(&certificate, &newest["shop"]);
    build_anew(&cluster).await;

    // Its maintenance is not called any more. On the day that was told, both would go.
    for (day, would_go, alarm) in [
        ("2027-01-05", vec![true, false, false], (None, 0)),
        ("2027-01-06", vec![true, true, false, false], (Some(Trouble::Stuck), 1)),
    ] {
        backed_up(&mut cluster, day).await;
        assert_eq!(obsolete(&cluster).await, would_go, "{day}");
        clock.set(&format!("{day}T12:00:00Z"));
        let standing = &product.watch_stores().await[0];
        assert_eq!((standing.alarm, standing.overstaying), alarm, "{day}");
        live(&product).await;
        assert_eq!(company.certificate_id(&case).await, first, "{day}");
        assert_eq!(looks(&company).await, ["scheduled -"], "{day}");
    }
    let (backups, archive) = (cluster.path("shop/base"), cluster.path("shop/wals"));
    assert!(is_in(&backups, ALAN).await && is_in(&archive, ALAN).await);

    cluster.keep(&["cron"]).await;
    assert_eq!(obsolete(&cluster).await, [false, false]);
    assert!(!is_in(&backups, ALAN).await && !is_in(&archive, ALAN).await);
    assert!(is_in(&backups, GRACE).await, "who stays is there");
    clock.set("2027-01-07T12:30:00Z");
    live(&product).await;
    let last = company.certificate_of(&case).await;
    super::states_the_end(&last, (&first, "2027-01-07T12:30:00Z"));
    assert_eq!(last.counts(), certificate.counts());
    assert_eq!(looks(&company).await, ["completed -"]);
    assert_eq!(product.watch_stores().await[0].alarm, None);
    company.check_log().await;
}
