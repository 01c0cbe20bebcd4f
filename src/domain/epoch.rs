//! Names of epochs: the months, in UTC, whose keys wrap the data keys of their time.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A month, such as `2026-11`; a later one sorts after an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochName(String);

impl EpochName {
    /// The month of a moment, in UTC.
    pub fn of(moment: Timestamp) -> Self {
        let day = moment.to_zoned(TimeZone::UTC).date();
        Self(format!("{:04}-{:02}", day.year().max(0), day.month()))
    }

    /// Reads a month; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().enumerate().all(|(place, one)| match place {
            4 => one == b'-',
            _ => one.is_ascii_digit(),
        });
        let is_month = text.len() == 7 && digits && format!("{text}-01").parse::<Date>().is_ok();
        is_month.then(|| Self(text.to_owned()))
    }

    /// The month as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EpochName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_and_sorted() {
        let moment: Timestamp = "2026-11-30T23:59:59.999Z".parse().unwrap();
        let november = EpochName::of(moment);
        assert_eq!(november.as_str(), "2026-11");
        assert_eq!(EpochName::parse("2026-11"), Some(november.clone()));
        assert!(EpochName::parse("2027-01").unwrap() > november);
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for wrong in ["", "2026", "2026-13", "2026-00", "2026-1", "2026-111", "../2026", "2026/11"]
        {
            assert_eq!(EpochName::parse(wrong), None, "{wrong}");
        }
    }
}
