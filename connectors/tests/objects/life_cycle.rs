//! When the life cycle removes what: against the store's own word, and by waiting for it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use quietus_connectors::{Horizon, StoreRetention};

use crate::ground::{Ground, at, now};

const KEY: &str = "daily/shop-2026-03-01.sql";

fn rule(prefix: &str, days: u32, noncurrent: Option<u32>) -> String {
    let noncurrent = noncurrent.map_or_else(String::new, |days| {
        format!(
            "<NoncurrentVersionExpiration><NoncurrentDays>{days}</NoncurrentDays>\
             </NoncurrentVersionExpiration>"
        )
    });
    format!(
        "<Rule><ID>r{days}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>\
         <Expiration><Days>{days}</Days></Expiration>{noncurrent}</Rule>"
    )
}

/// Midnight after so many days.
fn midnight(from: Timestamp, days: i32) -> Timestamp {
    let day: Date = from.to_zoned(TimeZone::UTC).date();
    let midnight = day.checked_add((days + 1).days()).unwrap();
    midnight.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn within(days: u32) -> StoreRetention {
    StoreRetention { within: Some(format!("P{days}D")), ..StoreRetention::default() }
}

#[tokio::test]
async fn without_versions_the_day_is_the_one_that_the_store_tells() {
    let ground = Ground::plain().await;
    assert_eq!(ground.store().retention().await.unwrap(), None);
    ground.owner.life_cycle(&(rule("", 90, None) + &rule("daily/", 30, None))).await;
    ground.owner.put(KEY, "seven spoons").await;
    let copies = ground.copies().await;
    let told = ground.owner.expiry(KEY).await;
    let told = jiff::fmt::rfc2822::parse(&told).unwrap().timestamp();
    assert_eq!(copies[0].ends_at, Some(told), "the store's own word");
    assert_eq!(told, midnight(copies[0].taken_at, 30));
    // One that is still to be written stays until a midnight.
    assert_eq!(ground.store().retention().await.unwrap(), Some(within(31)));
    let horizon = Horizon::of(&copies, at("2026-03-02T00:00:00Z"), |_| None);
    assert_eq!(horizon.gone_by, Some(told));
    // Rules for others end nothing here, and then nobody knows.
    ground.owner.life_cycle(&rule("weekly/", 1_000, None)).await;
    assert_eq!(ground.copies().await[0].ends_at, None);
    assert_eq!(ground.store().retention().await.unwrap(), None);
}

#[tokio::test]
async fn with_versions_the_second_period_follows_the_first() {
    let ground = Ground::lockable().await;
    ground.owner.put(KEY, "seven spoons").await;
    ground.owner.put(KEY, "eight spoons").await;
    ground.owner.life_cycle(&rule("daily/", 30, None)).await;
    let ends = ground.copies().await.iter().map(|copy| copy.ends_at).collect::<Vec<_>>();
    assert_eq!(ends, [None, None], "a marker is set, and the versions stay for ever");
    assert_eq!(ground.store().retention().await.unwrap(), None);
    ground.owner.life_cycle(&rule("", 30, Some(7))).await;
    let copies = ground.copies().await;
    // The first was replaced when the second was written.
    assert_eq!(copies[0].ends_at, Some(midnight(copies[1].taken_at, 7)));
    assert_eq!(copies[1].ends_at, Some(midnight(copies[1].taken_at, 38)));
    assert_eq!(ground.store().retention().await.unwrap(), Some(within(39)));
}

/// The gateway of the tests takes ten seconds for a day and knows no midnight, so that what is
/// observed is the order: first the marker, then the versions, and then the store is clear.
#[tokio::test]
async fn the_store_is_clear_when_its_life_cycle_has_removed_the_last_version() {
    let ground = Ground::lockable().await;
    ground.owner.put(KEY, "seven spoons").await;
    ground.owner.put("daily/shop-2026-03-09.sql", "after it").await;
    let erased = at("2026-03-02T00:00:00Z");
    let hidden = |copies: &[quietus_connectors::BackupCopy]| {
        copies.iter().any(|copy| copy.kind == quietus_connectors::CopyKind::Version)
    };
    let before = ground.copies().await;
    assert_eq!(Horizon::of(&before, erased, |_| None).holding.len(), 1);
    ground.owner.life_cycle(&rule(KEY, 1, Some(1))).await;
    let (mut seen, mut cleared) = (false, false);
    for _ in 0..360 {
        let copies = ground.copies().await;
        seen |= hidden(&copies);
        if Horizon::of(&copies, erased, |_| None).is_clear() {
            cleared = true;
            assert_eq!(copies.len(), 1, "the other object stays");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(seen, "behind its marker it still holds what it held");
    assert!(cleared, "the life cycle removes it");
    let by_then = SignedDuration::from_secs(180);
    let taken = before[0].taken_at;
    assert!(taken.duration_until(now()) < by_then);
}
