//! Limits of a system: how many jobs it is asked to carry out at once, in a minute and in a day; and
//! when what waits for it will be done under them.
//!
//! A minute and a day are the last sixty seconds and the last twenty-four hours of any moment, not
//! those of a calendar: whenever somebody counts, there are no more. Jobs are counted in stretches,
//! and each stretch counts until its last moment is as long ago as the span lasts.

use jiff::{SignedDuration, Timestamp};

/// How much a system is asked for at most; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemLimits {
    /// Jobs that run at the same time.
    pub at_once: Option<u32>,
    /// Jobs that are begun in a minute.
    pub jobs_per_minute: Option<u32>,
    /// Jobs that are begun in a day.
    pub jobs_per_day: Option<u32>,
}

/// A span of time in which jobs that are begun are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// Sixty seconds.
    Minute,
    /// Twenty-four hours.
    Day,
}

impl Span {
    /// Every span.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Day];

    /// The word of the store and of texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.as_str() == text)
    }

    /// How long it is.
    pub fn length(self) -> SignedDuration {
        match self {
            Self::Minute => SignedDuration::from_mins(1),
            Self::Day => SignedDuration::from_hours(24),
        }
    }

    /// How long a stretch is in which jobs are counted together: few of them cover the span.
    pub fn stretch(self) -> SignedDuration {
        match self {
            Self::Minute => SignedDuration::from_secs(1),
            Self::Day => SignedDuration::from_mins(10),
        }
    }

    /// When the stretch begins to which a moment belongs.
    pub fn stretch_of(self, moment: Timestamp) -> Timestamp {
        let length = self.stretch().as_secs();
        let begins = moment.as_second().div_euclid(length) * length;
        Timestamp::from_second(begins).unwrap_or(moment)
    }

    /// Stretches that began at this moment or before count no more.
    pub fn over_at(self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.length() + self.stretch()).unwrap_or(Timestamp::MIN)
    }
}

/// Jobs of a system that were begun in one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When it begins.
    pub began_at: Timestamp,
    /// How many.
    pub jobs: u64,
}

impl SystemLimits {
    /// Whether there is any.
    pub fn is_limited(self) -> bool {
        self != Self::default()
    }

    /// The most jobs that are begun in a span.
    pub fn most_in(self, span: Span) -> Option<u32> {
        match span {
            Span::Minute => self.jobs_per_minute,
            Span::Day => self.jobs_per_day,
        }
    }

    /// The moment by which so many jobs that wait will have been begun, at the latest, where so many
    /// may be begun at once in each span; `None` where no limit says so.
    pub fn done_at(
        self,
        waiting: u64,
        now: Timestamp,
        free: impl Fn(Span) -> u64,
    ) -> Option<Timestamp> {
        let after = |span: Span| {
            let most = u64::from(self.most_in(span)?).max(1);
            let spans = waiting.saturating_sub(free(span)).div_ceil(most);
            let seconds = span.length().as_secs().saturating_mul(i64::try_from(spans).ok()?);
            now.checked_add(SignedDuration::from_secs(seconds)).ok()
        };
        Span::ALL.into_iter().filter_map(after).max()
    }

    /// The limits in words, such as `100 a day`; empty where jobs are begun as fast as they come.
    pub fn pace_in_words(self) -> String {
        let words = |span: Span| Some(format!("{} a {}", self.most_in(span)?, span.as_str()));
        let words: Vec<String> = Span::ALL.into_iter().filter_map(words).collect();
        words.join(" and ")
    }
}

/// How many more jobs may be begun now, under a limit.
pub fn free(stretches: &[Stretch], most: u32, span: Span, now: Timestamp) -> u64 {
    let over = span.over_at(now);
    let counted: u64 = stretches.iter().filter(|one| one.began_at > over).map(|one| one.jobs).sum();
    u64::from(most).saturating_sub(counted)
}

/// From when on another job may be begun under a limit that is reached; `None` where it is not.
pub fn free_at(stretches: &[Stretch], most: u32, span: Span, now: Timestamp) -> Option<Timestamp> {
    let over = span.over_at(now);
    let mut counted: Vec<Stretch> =
        stretches.iter().copied().filter(|one| one.began_at > over).collect();
    counted.sort_by_key(|one| one.began_at);
    let mut jobs: u64 = counted.iter().map(|one| one.jobs).sum();
    let mut free_at = None;
    for stretch in counted {
        if jobs < u64::from(most) {
            break;
        }
        jobs -= stretch.jobs;
        free_at = stretch.began_at.checked_add(span.length() + span.stretch()).ok();
    }
    free_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn stretches(found: &[(&str, u64)]) -> Vec<Stretch> {
        found
            .iter()
            .map(|(began_at, jobs)| Stretch { began_at: at(began_at), jobs: *jobs })
            .collect()
    }

    #[test]
    fn a_stretch_counts_until_its_last_moment_is_a_span_ago() {
        let span = Span::Minute;
        let moment = at("2026-11-30T10:00:07.9Z");
        assert_eq!(span.stretch_of(moment), at("2026-11-30T10:00:07Z"));
        assert_eq!(Span::Day.stretch_of(moment), at("2026-11-30T10:00:00Z"));
        let begun = stretches(&[("2026-11-30T10:00:07Z", 2)]);
        // A job of the last moment of the stretch is exactly a minute old at :08.
        for (now, left) in [("2026-11-30T10:01:07.999Z", 0), ("2026-11-30T10:01:08Z", 2)] {
            assert_eq!(free(&begun, 2, span, at(now)), left, "{now}");
        }
        let until = Some(at("2026-11-30T10:01:08Z"));
        assert_eq!(free_at(&begun, 2, span, moment), until);
        assert_eq!(free_at(&begun, 3, span, moment), None);
        assert_eq!(free_at(&begun, 1, span, moment), until);
    }

    #[test]
    fn a_turn_is_free_once_enough_stretches_are_over() {
        let begun = stretches(&[
            ("2026-11-30T10:00:20Z", 1),
            ("2026-11-30T10:00:00Z", 3),
            ("2026-11-30T10:00:10Z", 2),
        ]);
        let now = at("2026-11-30T10:00:30Z");
        let free_at = |most| free_at(&begun, most, Span::Minute, now);
        assert_eq!(free_at(7), None);
        assert_eq!(free_at(6), Some(at("2026-11-30T10:01:01Z")));
        assert_eq!(free_at(4), Some(at("2026-11-30T10:01:01Z")));
        assert_eq!(free_at(3), Some(at("2026-11-30T10:01:11Z")));
        assert_eq!(free_at(1), Some(at("2026-11-30T10:01:21Z")));
    }

    #[test]
    fn what_waits_is_told_the_day_by_which_it_is_done() {
        let limits = SystemLimits { jobs_per_day: Some(100), ..SystemLimits::default() };
        let now = at("2026-11-30T10:00:00Z");
        let done = |waiting, free| limits.done_at(waiting, now, |_| free).unwrap();
        assert_eq!(done(312, 100), at("2026-12-03T10:00:00Z"));
        assert_eq!(done(300, 100), at("2026-12-02T10:00:00Z"));
        assert_eq!(done(100, 100), now);
        assert_eq!(done(1, 0), at("2026-12-01T10:00:00Z"));
        let slow = SystemLimits { jobs_per_minute: Some(2), ..limits };
        assert_eq!(
            slow.done_at(6, now, |span| if span == Span::Day { 100 } else { 2 }),
            Some(at("2026-11-30T10:02:00Z"))
        );
        assert_eq!(slow.pace_in_words(), "2 a minute and 100 a day");
        let unlimited = SystemLimits { at_once: Some(3), ..SystemLimits::default() };
        assert_eq!(unlimited.done_at(6, now, |_| 0), None);
        assert!(unlimited.is_limited() && unlimited.pace_in_words().is_empty());
    }

    /// Whatever came when: no sixty seconds hold more than the limit.
    #[test]
    fn no_minute_holds_more_than_the_limit() {
        let (span, most) = (Span::Minute, 5);
        let mut begun: Vec<Timestamp> = Vec::new();
        let mut now = at("2026-11-30T10:00:00.3Z");
        for step in 0..3_000_i64 {
            let mut counted: Vec<Stretch> = Vec::new();
            for moment in &begun {
                counted.push(Stretch { began_at: span.stretch_of(*moment), jobs: 1 });
            }
            if free(&counted, most, span, now) > 0 {
                begun.push(now);
            } else {
                assert!(free_at(&counted, most, span, now).unwrap() > now);
            }
            now += SignedDuration::from_millis(117 + step % 331);
        }
        assert!(begun.len() > 40, "{}", begun.len());
        for window in begun.windows(most as usize + 1) {
            let lasted = window[most as usize].duration_since(window[0]);
            assert!(lasted >= SignedDuration::from_mins(1), "{lasted}");
        }
    }
}
