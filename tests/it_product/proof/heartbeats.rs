//! Whoever counts the log's leaves comes to the numbers that its producers give.

use jiff::Span;
use quietus::app::Actor;
use quietus::evidence::leaf::is_heartbeat;

use super::restored::on_both;
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::heap;

async fn every_hour_a_producer_says_how_much_it_wrote(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let clock = TurnedClock::at("2026-11-23T01:00:00Z");
    let product = company.replica(&clock).await;
    let log = company.logs().await.remove(0);
    for hour in 1..=3 {
        let scope = || product.pause_scope("system", Some("heap")).unwrap();
        let grace = Actor("Grace".to_owned());
        product.pause(scope(), &grace, "test").await.unwrap();
        product.resume(&scope(), &grace).await.unwrap();
        clock.advance(Span::new().minutes(59));
        work(&product).await;
        clock.advance(Span::new().minutes(1));
        work(&product).await;
        work(&product).await;
        let leaves = company.leaves_of(&log).await;
        let beats = leaves.iter().filter(|leaf| is_heartbeat(leaf)).count();
        assert!(beats >= hour, "{beats} heartbeats after {hour} hours");
    }
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("have the number that was counted"), "{counted}");
    assert!(!counted.contains("heartbeats    0"), "{counted}");

    // An entry that somebody takes out and makes good in every hash is missed by its number.
    let leaves = company.leaves_of(&log).await;
    let mut replay = quietus::evidence::replay::Replay::new([])
        .with(quietus::evidence::replay::Before::Known([].into()));
    for (index, leaf) in leaves.iter().enumerate() {
        if index != 3 {
            replay.push(leaf, &mut |_, _| true);
        }
    }
    let faults = replay.finish(&mut |_, _| true).faults;
    assert!(faults.iter().any(|fault| fault.contains("were counted")), "{faults:?}");
}

on_both! { every_hour_a_producer_says_how_much_it_wrote }
