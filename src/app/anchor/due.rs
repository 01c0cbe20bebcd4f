//! When somebody is asked to vouch for a head.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::{RetentionPeriod, Rounding};
use crate::store::StampedHead;

/// Between two time stamps that only renew lies at least a day.
const BETWEEN_RENEWALS: SignedDuration = SignedDuration::from_hours(24);

/// What is known when it is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// Now.
    pub now: Timestamp,
    /// Where days are counted.
    pub zone: &'a TimeZone,
    /// Size of the head.
    pub size: u64,
    /// Index of the newest leaf for which somebody waits.
    pub waits: Option<u64>,
}

/// Whether an authority is asked to stamp the head.
///
/// It is where a certificate waits, and while the log grows each period and at the end of each day.
pub(super) fn is_stamp_due(
    moment: Moment<'_>,
    last: Option<StampedHead>,
    every: &RetentionPeriod,
) -> bool {
    let Some(last) = last else { return true };
    if moment.size <= last.size {
        return false;
    }
    let day = |instant: Timestamp| instant.to_zoned(moment.zone.clone()).date();
    moment.waits.is_some_and(|index| index >= last.size)
        || every.due_at(last.received_at, Rounding::None, moment.zone) <= moment.now
        || day(last.received_at) != day(moment.now)
}

/// Whether the newest head is stamped anew, because what stamped it is not sound for much longer.
pub(super) fn is_renewal_due(
    now: Timestamp,
    zone: &TimeZone,
    last: Option<StampedHead>,
    sound_until: Option<Timestamp>,
    before: &RetentionPeriod,
) -> bool {
    let Some((last, sound_until)) = last.zip(sound_until) else { return false };
    is_near_end(now, zone, sound_until, before)
        && now.duration_since(last.received_at) >= BETWEEN_RENEWALS
}

/// Whether what is sound until then has to be renewed now.
pub(super) fn is_near_end(
    now: Timestamp,
    zone: &TimeZone,
    sound_until: Timestamp,
    before: &RetentionPeriod,
) -> bool {
    before.due_at(now, Rounding::None, zone) >= sound_until
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn last(size: u64, received: &str) -> StampedHead {
        let received_at = at(received);
        StampedHead {
            size,
            stamped_at: received_at,
            sound_until: at("2030-01-01T00:00:00Z"),
            received_at,
        }
    }

    fn due(size: u64, waits: Option<u64>, now: &str, last: Option<StampedHead>) -> bool {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let moment = Moment { now: at(now), zone: &zone, size, waits };
        is_stamp_due(moment, last, &RetentionPeriod::parse("PT1H").unwrap())
    }

    #[test]
    fn a_head_is_stamped_hourly_at_the_end_of_the_day_and_for_certificates() {
        let stamped = Some(last(10, "2026-11-23T10:00:00Z"));
        assert!(due(1, None, "2026-11-23T10:00:00Z", None), "never before");
        assert!(!due(10, Some(9), "2026-11-25T10:00:00Z", stamped), "nothing new");
        assert!(!due(11, None, "2026-11-23T10:59:59Z", stamped), "too soon");
        assert!(due(11, None, "2026-11-23T11:00:00Z", stamped), "an hour");
        assert!(due(11, Some(10), "2026-11-23T10:00:01Z", stamped), "a certificate waits");
        assert!(!due(11, Some(9), "2026-11-23T10:00:01Z", stamped), "it was stamped already");
        let late = Some(last(10, "2026-11-23T22:59:00Z"));
        assert!(due(11, None, "2026-11-23T23:00:00Z", late), "another day in Berlin");
    }

    #[test]
    fn what_ages_is_renewed_in_time_and_once_a_day() {
        let zone = TimeZone::UTC;
        let before = RetentionPeriod::parse("P90D").unwrap();
        let stamped = Some(last(10, "2026-11-23T10:00:00Z"));
        let due = |now: &str, sound: &str| {
            is_renewal_due(at(now), &zone, stamped, Some(at(sound)), &before)
        };
        assert!(!due("2026-11-24T10:00:00Z", "2027-02-23T00:00:00Z"), "more than 90 days");
        assert!(due("2026-11-25T10:00:00Z", "2027-02-23T00:00:00Z"), "less");
        assert!(!due("2026-11-24T09:59:59Z", "2026-12-01T00:00:00Z"), "once a day");
        assert!(due("2026-11-24T10:00:00Z", "2026-12-01T00:00:00Z"));
        assert!(!is_renewal_due(at("2026-11-24T10:00:00Z"), &zone, None, None, &before));
    }
}
