//! How dump files are called: text, `*`, and parts of a moment as strftime writes them.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Longest name of a file, in bytes.
const MOST_BYTES: usize = 255;
/// Longest key of an object, in bytes.
const MOST_KEY_BYTES: usize = 1_024;
/// Most `*` in a pattern; each can be anywhere, so that looking takes time.
const MOST_STARS: usize = 3;

/// A pattern of names.
#[derive(Debug, Clone)]
pub(super) struct DumpNames {
    parts: Vec<NamePart>,
    zone: TimeZone,
    most_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamePart {
    Character(char),
    Anything,
    /// A directive with so many digits.
    Digits(char, usize),
    /// Seconds since 1970, of any number of digits.
    Seconds,
}

/// What the parts of a name say.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    seconds: Option<i64>,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
}

impl DumpNames {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub(super) fn parse(pattern: &str, zone: TimeZone) -> Result<Self, String> {
        if pattern.contains('/') {
            return Err("is a pattern for names in one folder, without `/`".to_owned());
        }
        Self::read(pattern, zone, MOST_BYTES)
    }

    /// Reads a pattern for keys of objects, in which `*` stands for `/` as well.
    ///
    /// # Errors
    /// As [`DumpNames::parse`].
    pub(super) fn of_keys(pattern: &str, zone: TimeZone) -> Result<Self, String> {
        Self::read(pattern, zone, MOST_KEY_BYTES)
    }

    fn read(pattern: &str, zone: TimeZone, most_bytes: usize) -> Result<Self, String> {
        let mut parts = Vec::new();
        let written = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
        let mut characters = written.chars();
        while let Some(one) = characters.next() {
            parts.push(match one {
                '*' => NamePart::Anything,
                '%' => match characters.next() {
                    Some('%') => NamePart::Character('%'),
                    Some('Y') => NamePart::Digits('Y', 4),
                    Some('j') => NamePart::Digits('j', 3),
                    Some('s') => NamePart::Seconds,
                    Some(two @ ('m' | 'd' | 'H' | 'M' | 'S')) => NamePart::Digits(two, 2),
                    _ => {
                        return Err("has a `%` that is none of `%Y %m %d %j %H %M %S %s %F %T %%`"
                            .to_owned());
                    }
                },
                one => NamePart::Character(one),
            });
        }
        let names = Self { parts, zone, most_bytes };
        names.examine()?;
        Ok(names)
    }

    fn examine(&self) -> Result<(), String> {
        let has = |wanted: char| {
            self.parts.iter().any(|one| matches!(one, NamePart::Digits(name, _) if *name == wanted))
        };
        let stars = self.parts.iter().filter(|one| **one == NamePart::Anything).count();
        if stars > MOST_STARS {
            return Err(format!("has more than {MOST_STARS} `*`"));
        }
        if !self.parts.iter().any(|one| matches!(one, NamePart::Character(_))) {
            return Err("fits any file: name what dumps are called".to_owned());
        }
        let dated = ['m', 'd', 'j', 'H', 'M', 'S'].into_iter().any(has);
        if dated && !has('Y') {
            return Err("has a part of a moment and no year (`%Y`)".to_owned());
        }
        // A day without its month would be one of January.
        let needs = [('d', 'm'), ('H', 'd'), ('M', 'H'), ('S', 'M')];
        for (part, whole) in needs {
            if has(part) && !has(whole) && !(whole == 'd' && has('j')) {
                return Err(format!("has `%{part}` and no `%{whole}`"));
            }
        }
        Ok(())
    }

    /// Names hold moments.
    pub(super) fn have_moments(&self) -> bool {
        self.parts.iter().any(|one| matches!(one, NamePart::Digits('Y', _) | NamePart::Seconds))
    }

    /// A name fits as a whole.
    pub(super) fn fit(&self, name: &str) -> bool {
        self.told(name).is_some()
    }

    /// The moment in a name, of the earliest reading of it; `None` for one that there never was.
    pub(super) fn moment(&self, name: &str) -> Option<Timestamp> {
        let told = self.told(name)?;
        if let Some(seconds) = told.seconds {
            return Timestamp::from_second(seconds).ok();
        }
        let part =
            |value: Option<i64>, otherwise: i64| i8::try_from(value.unwrap_or(otherwise)).ok();
        let year = i16::try_from(told.year?).ok()?;
        let date = match told.day_of_year {
            Some(day) => {
                let first = Date::new(year, 1, 1).ok()?;
                let days = SignedDuration::from_hours(24 * (day - 1));
                first.checked_add(days).ok().filter(|date| date.year() == year && day > 0)?
            }
            None => Date::new(year, part(told.month, 1)?, part(told.day, 1)?).ok()?,
        };
        let (hour, minute) = (part(told.hour, 0)?, part(told.minute, 0)?);
        let local = DateTime::from_parts(
            date,
            jiff::civil::Time::new(hour, minute, part(told.second, 0)?, 0).ok()?,
        );
        // Where clocks are put back, a moment comes twice: the first holds more.
        let moment = self.zone.to_ambiguous_timestamp(local);
        moment.disambiguate(Disambiguation::Earlier).ok()
    }

    fn told(&self, name: &str) -> Option<Told> {
        let short = name.len() <= self.most_bytes;
        short.then(|| told_by(&self.parts, name, Told::default())).flatten()
    }
}

/// What a name says by these parts; `None` where it does not fit.
fn told_by(parts: &[NamePart], name: &str, told: Told) -> Option<Told> {
    let Some((part, rest)) = parts.split_first() else {
        return name.is_empty().then_some(told);
    };
    match *part {
        NamePart::Character(one) => told_by(rest, name.strip_prefix(one)?, told),
        NamePart::Anything => {
            let mut ends = name.char_indices().map(|(place, _)| place).chain([name.len()]);
            ends.find_map(|end| told_by(rest, &name[end..], told))
        }
        NamePart::Digits(directive, count) => {
            let digits = name.get(..count)?;
            told_by(rest, &name[count..], told.with(directive, number(digits)?)?)
        }
        NamePart::Seconds => {
            let digits = name.chars().take_while(char::is_ascii_digit).count();
            // All digits that are there belong to it.
            let seconds = number(name.get(..digits)?)?;
            told_by(rest, &name[digits..], Told { seconds: Some(seconds), ..told })
        }
    }
}

fn number(digits: &str) -> Option<i64> {
    let only = !digits.is_empty() && digits.bytes().all(|one| one.is_ascii_digit());
    only.then(|| digits.parse().ok()).flatten()
}

impl Told {
    /// The same with one more; `None` where a name says two things of one.
    fn with(mut self, directive: char, value: i64) -> Option<Self> {
        let place = match directive {
            'Y' => &mut self.year,
            'm' => &mut self.month,
            'd' => &mut self.day,
            'j' => &mut self.day_of_year,
            'H' => &mut self.hour,
            'M' => &mut self.minute,
            _ => &mut self.second,
        };
        if place.is_some_and(|said| said != value) {
            return None;
        }
        *place = Some(value);
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, zone: &str) -> DumpNames {
        DumpNames::parse(pattern, TimeZone::get(zone).unwrap()).unwrap()
    }

    fn moment(pattern: &str, zone: &str, name: &str) -> Option<String> {
        names(pattern, zone).moment(name).map(|moment| moment.to_string())
    }

    #[test]
    fn moments_in_names() {
        for (pattern, zone, name, at) in [
            ("shop-%F.sql", "UTC", "shop-2026-03-01.sql", "2026-03-01T00:00:00Z"),
            (
                "shop-%Y%m%d-%H%M.gz",
                "Europe/Berlin",
                "shop-20260301-0215.gz",
                "2026-03-01T01:15:00Z",
            ),
            ("*-%Y-%j.sql*", "UTC", "a-b-2026-060.sql.zst", "2026-03-01T00:00:00Z"),
            ("d_%s.sql", "UTC", "d_1767225600.sql", "2026-01-01T00:00:00Z"),
            ("d-%Y-%m.sql", "UTC", "d-2026-03.sql", "2026-03-01T00:00:00Z"),
            // Half past two comes twice on this day, and not at all on the other one.
            ("d%F-%H%M", "Europe/Berlin", "d2026-10-25-0230", "2026-10-25T00:30:00Z"),
            ("d%F-%H%M", "Europe/Berlin", "d2026-03-29-0230", "2026-03-29T00:30:00Z"),
        ] {
            assert_eq!(moment(pattern, zone, name).as_deref(), Some(at), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_and_what_is_no_moment() {
        let pattern = names("shop-%F.sql", "UTC");
        for name in ["shop-2026-3-1.sql", "shop-2026-03-01.sql.gz", "Shop-2026-03-01.sql", ""] {
            assert!(!pattern.fit(name), "{name}");
        }
        assert!(pattern.fit("shop-2026-02-30.sql"));
        assert_eq!(pattern.moment("shop-2026-02-30.sql"), None);
        assert_eq!(moment("d-%Y-%j", "UTC", "d-2026-366"), None);
        assert_eq!(moment("d-%Y-%j", "UTC", "d-2026-000"), None);
        assert!(!names("%Y-%Y-%m", "UTC").fit("2026-2025-01"));
        let any = names("d-*.sql", "UTC");
        assert!(any.fit("d-\u{e4}\u{1f600}.sql") && any.fit("d-.sql") && !any.have_moments());
        assert!(!any.fit(&format!("d-{}.sql", "x".repeat(300))));
    }

    #[test]
    fn patterns_that_are_refused() {
        for pattern in
            ["*", "%Y", "d-%d.sql", "d-%Y-%d.sql", "d-%y.sql", "a/%F.sql", "d-%", "****d"]
        {
            assert!(DumpNames::parse(pattern, TimeZone::UTC).is_err(), "{pattern}");
        }
    }
}
