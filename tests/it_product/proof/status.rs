//! Whether a certificate still is the last word: its status list, signed and logged each day and at
//! every change, and the certificate that follows it (threat T15).

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};
use quietus::app::{Actor, Quietus};
use quietus::evidence::status::StatusFiles;
use quietus::evidence::verify::{Finding, Material, Source, Verdict, verify};
use quietus::store::CertificateDecision::{self, Current, Disputed, Withdrawn};
use uuid::Uuid;

use super::restored::on_both;
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, ring, work};
use crate::company::{Company, heap, identifier_in};

/// What a folder says at this moment.
fn verdict(folder: &BTreeMap<String, Vec<u8>>, now: Timestamp) -> Verdict {
    let file = |name: &str| folder.get(name).map(Vec::as_slice);
    verify(&Material {
        bundle: file("certificate.sigstore.json").unwrap(),
        trusted_root: file("trusted_root.json").map(|bytes| (bytes, Source::Given)),
        issuer_key: file("issuer.pub.pem").map(|bytes| (bytes, Source::Given)),
        manifest: file("manifest.json"),
        status: StatusFiles {
            list: file("status.sigstore.json"),
            successor: file("successor.sigstore.json"),
            now: Some(now),
        },
        ..Material::default()
    })
}

/// What the step `status` of its export says now; every other step has to hold.
async fn status(product: &Quietus, id: Uuid, now: Timestamp) -> (Finding, String) {
    let verdict = verdict(&product.export_certificate(id, None).await.unwrap(), now);
    let fails = |step: &&quietus::evidence::verify::Step| {
        step.finding == Finding::Fail && step.name != "status"
    };
    assert_eq!(verdict.steps.iter().find(fails), None);
    let step = verdict.steps.iter().find(|step| step.name == "status").unwrap();
    (step.finding, step.sentence.clone())
}

/// A product with one certificate, at three in the night.
async fn certified(store: Kind) -> (Company, std::sync::Arc<TurnedClock>, std::sync::Arc<Quietus>) {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    ring(&product).await;
    (company, clock, product)
}

async fn certificate_of(company: &Company) -> Uuid {
    let listed = company.quietus(&["certificate", "list"]).await.expect(0).out;
    identifier_in(&listed).parse().unwrap()
}

async fn signed_each_day_and_stale_without(store: Kind) {
    let (company, clock, product) = certified(store).await;
    let id = certificate_of(&company).await;
    let now = || quietus::domain::Clock::now(&*clock);
    let (finding, sentence) = status(&product, id, now()).await;
    assert_eq!(finding, Finding::Pass, "{sentence}");
    let old = product.export_certificate(id, None).await.unwrap();

    // A day later the same is said anew; whoever has the list of yesterday is told when it ages.
    clock.advance(24.hours());
    work(&product).await;
    clock.advance(25.hours());
    let (finding, sentence) = status(&product, id, now()).await;
    assert_eq!(finding, Finding::Pass, "{sentence}");
    let stale = verdict(&old, now());
    assert_eq!(stale.finding("status"), Some(Finding::NotChecked));

    // Nothing signs one for a week, and nobody is told that it is current.
    clock.advance(168.hours());
    let (finding, sentence) = status(&product, id, now()).await;
    assert_eq!(finding, Finding::NotChecked, "{sentence}");
    assert!(sentence.contains("stale since"), "{sentence}");
    work(&product).await;
    assert_eq!(status(&product, id, now()).await.0, Finding::Pass);
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("everything fits"), "{counted}");
}

async fn people_decide_about_it(store: Kind) {
    let (company, clock, product) = certified(store).await;
    let id = certificate_of(&company).await;
    let now = || quietus::domain::Clock::now(&*clock);
    let grace = Actor("Grace".to_owned());
    let decide = async |decision: CertificateDecision, reason: &str| {
        clock.advance(1.second());
        product.declare_certificate(id, decision, reason, &grace).await
    };
    for (decision, fits, expected) in [
        (Current, false, Finding::Pass),
        (Disputed, true, Finding::Fail),
        (Disputed, false, Finding::Fail),
        (Current, true, Finding::Pass),
        (Withdrawn, true, Finding::Fail),
        (Withdrawn, false, Finding::Fail),
        (Current, false, Finding::Fail),
        (Disputed, false, Finding::Fail),
    ] {
        let done = decide(decision, "two shops were mixed up").await;
        assert_eq!(done.is_ok(), fits, "{decision:?}: {done:?}");
        let (finding, sentence) = status(&product, id, now()).await;
        assert_eq!(finding, expected, "{decision:?}: {sentence}");
    }
    assert!(decide(Withdrawn, " ").await.is_err());
    let shown = company.quietus(&["certificate", "show", &id.to_string()]).await.expect(0).out;
    assert!(shown.contains("status: withdrawn"), "{shown}");
    assert!(shown.contains("The issuer withdrew this certificate"), "{shown}");
    let again = ["certificate", "declare", "latest", "current", "--reason", "it was fine"];
    let refused = company.quietus(&again).await.expect(2).err;
    assert!(refused.contains("is withdrawn: it cannot become current"), "{refused}");
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("certificate.status"), "{counted}");
}

/// What failed is tried again, and another certificate takes its place: the first one says so from
/// then on, by the list alone and by the one that follows.
async fn a_superseded_one_does_not_pass_for_today(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    company.database("heap").run("ALTER TABLE notes ADD COLUMN surprise TEXT").await;
    company.quietus(&["run", "--once"]).await.expect(1);
    let first = certificate_of(&company).await.to_string();
    let before = company.path("before");
    let to = before.to_str().unwrap();
    company.quietus(&["certificate", "export", &first, "--to", to]).await.expect(0);
    let fresh = company.quietus(&["verify", to]).await.expect(0).out;
    assert!(fresh.contains("says `current`"), "{fresh}");

    company.database("heap").run("ALTER TABLE notes DROP COLUMN surprise").await;
    company.quietus(&["retry"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    let after = company.path("after");
    let to = after.to_str().unwrap();
    company.quietus(&["certificate", "export", &first, "--to", to]).await.expect(0);
    let told = company.quietus(&["verify", to]).await.expect(1).out;
    assert!(told.contains("Superseded by certificate"), "{told}");
    assert!(told.contains("1 failed"), "{told}");

    // The old folder with the new list.
    let list = after.join("status.sigstore.json");
    let by_list = ["verify", before.to_str().unwrap(), "--status", list.to_str().unwrap()];
    let told = company.quietus(&by_list).await.expect(1).out;
    assert!(told.contains("says `superseded`"), "{told}");
    let shown = company.quietus(&["certificate", "show", &first]).await.expect(0).out;
    assert!(shown.contains("status: superseded by certificate"), "{shown}");
    // The one that counts passes.
    company.certificate("latest").await;
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("everything fits"), "{counted}");
}

on_both! {
    signed_each_day_and_stale_without
    people_decide_about_it
    a_superseded_one_does_not_pass_for_today
}
