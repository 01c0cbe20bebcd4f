//! Names of logs that follow one another: `…/2026`, `…/2027`, and `…/2026-2` after a break.
//!
//! All logs of an instance share everything before the last `/`; the last part is the year in UTC,
//! with a number from 2 on for a further log of the same year. A log from before logs were yearly
//! has no such part and comes before all others.

/// A name, taken apart. Ordered as the logs follow one another where the bases are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName {
    /// What all logs of the instance share.
    pub base: String,
    /// The year; `None` for a log that is not yearly.
    pub year: Option<i16>,
    /// Which one of that year, from 1.
    pub part: u32,
}

impl LogName {
    /// Takes an origin apart. Never fails: what does not end like a yearly log is not yearly.
    pub fn of(origin: &str) -> Self {
        let whole = || Self { base: origin.to_owned(), year: None, part: 1 };
        let Some((base, last)) = origin.rsplit_once('/').filter(|(base, _)| !base.is_empty())
        else {
            return whole();
        };
        let (year, part) = last.split_once('-').map_or((last, None), |(a, b)| (a, Some(b)));
        let digits = |text: &str| text.bytes().all(|one| one.is_ascii_digit());
        let year = year.parse().ok().filter(|_| year.len() == 4 && digits(year));
        let part = match part {
            None => Some(1),
            Some(text) => text
                .parse()
                .ok()
                .filter(|part| digits(text) && *part >= 2 && !text.starts_with('0')),
        };
        match (year, part) {
            (Some(year), Some(part)) => Self { base: base.to_owned(), year: Some(year), part },
            _ => whole(),
        }
    }

    /// The origin.
    pub fn origin(&self) -> String {
        match (self.year, self.part) {
            (None, _) => self.base.clone(),
            (Some(year), 1) => format!("{}/{year:04}", self.base),
            (Some(year), part) => format!("{}/{year:04}-{part}", self.base),
        }
    }

    /// The name of a log of this year that follows this one and is not among `taken`.
    #[must_use]
    pub fn next(&self, year: i16, taken: &[&str]) -> Self {
        let mut next = Self { base: self.base.clone(), year: Some(year), part: 1 };
        while next <= *self || taken.contains(&next.origin().as_str()) {
            next.part += 1;
        }
        next
    }
}

/// Whether the log `later` is `earlier` or one that comes after it in the same chain of names.
pub fn follows(later: &str, earlier: &str) -> bool {
    let (later, earlier) = (LogName::of(later), LogName::of(earlier));
    later.base == earlier.base && later >= earlier
}

/// Of the names that are `known`, the newest that this log continues as the first of a later year.
///
/// Whoever trusts a log's key trusts it for the logs of the years to come too, each under a name of
/// its own. A further log of the same year follows a break, which people have to look at: it is none.
pub fn continued_by<'a>(origin: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = LogName::of(origin);
    let earlier = |one: &LogName| one.base == name.base && one.year < name.year;
    known
        .into_iter()
        .map(|one| (LogName::of(one), one))
        .filter(|(one, _)| name.part == 1 && earlier(one))
        .max()
        .map(|(_, one)| one)
}

/// The short name under which a log is served and exported: the last part of its origin.
pub fn short_name(origin: &str) -> &str {
    origin.rsplit('/').next().unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together() {
        for (origin, base, year, part) in [
            ("erasure.example.com/evidence/2026", "erasure.example.com/evidence", Some(2026), 1),
            ("example/evidence/2026-2", "example/evidence", Some(2026), 2),
            ("example/evidence/2026-12", "example/evidence", Some(2026), 12),
            ("example/evidence", "example/evidence", None, 1),
            ("evidence", "evidence", None, 1),
            ("2026", "2026", None, 1),
            ("a/2026-1", "a/2026-1", None, 1),
            ("a/2026-02", "a/2026-02", None, 1),
            ("a/20260", "a/20260", None, 1),
            ("a/+026", "a/+026", None, 1),
        ] {
            let name = LogName::of(origin);
            assert_eq!((name.base.as_str(), name.year, name.part), (base, year, part), "{origin}");
            assert_eq!(name.origin(), origin);
        }
    }

    #[test]
    fn the_next_name_is_later_and_free() {
        let next = |from: &str, year, taken: &[&str]| LogName::of(from).next(year, taken).origin();
        assert_eq!(next("a/evidence", 2026, &[]), "a/evidence/2026");
        assert_eq!(next("a/2026", 2027, &["a/2026"]), "a/2027");
        assert_eq!(next("a/2026", 2026, &["a/2026"]), "a/2026-2");
        assert_eq!(next("a/2026-2", 2026, &["a/2026", "a/2026-2"]), "a/2026-3");
        assert_eq!(next("a/2026", 2026, &["a/2026", "a/2026-2"]), "a/2026-3");
    }

    #[test]
    fn a_chain_has_a_direction() {
        for (later, earlier) in [
            ("a/2026", "a/2026"),
            ("a/2027", "a/2026-3"),
            ("a/2026-10", "a/2026-9"),
            ("a/b/2026", "a/b"),
        ] {
            assert!(follows(later, earlier), "{later} {earlier}");
        }
        for (later, earlier) in [("a/2026", "a/2027"), ("b/2027", "a/2026"), ("a/b", "a/b/2026")] {
            assert!(!follows(later, earlier), "{later} {earlier}");
        }
        let known = ["a/2025", "a/2026", "b/2026", "a/2030", "a/2026-2"];
        assert_eq!(continued_by("a/2028", known), Some("a/2026-2"), "the newest before it");
        assert_eq!(continued_by("a/2026", known), Some("a/2025"));
        assert_eq!(continued_by("a/b/2026", ["a/b"]), Some("a/b"), "from before logs were yearly");
        for strange in ["a/2026-2", "a/2028-2", "a/2024", "c/2028", "a/b", "a/b/2028"] {
            assert_eq!(continued_by(strange, known), None, "{strange}");
        }
        assert_eq!(short_name("example/evidence/2026-2"), "2026-2");
        assert_eq!(short_name("evidence"), "evidence");
    }
}
