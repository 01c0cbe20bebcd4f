//! Periods in the oracle's own arithmetic: nothing of the product's calendar is used.

use jiff::Timestamp;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Whole days.
    Days(i64),
    /// Months of the calendar; a day that the month does not have is its last one.
    Months(i64),
}

impl Period {
    /// As a rule pack writes it.
    pub fn text(self) -> String {
        match self {
            Self::Days(days) => format!("P{days}D"),
            Self::Months(months) if months % 12 == 0 => format!("P{}Y", months / 12),
            Self::Months(months) => format!("P{months}M"),
        }
    }

    /// When a period that begins then has ended.
    pub fn end(self, start: Timestamp) -> Timestamp {
        let second = start.as_second();
        let end = match self {
            Self::Days(days) => second + days * DAY,
            Self::Months(months) => {
                let (day, time) = (second.div_euclid(DAY), second.rem_euclid(DAY));
                let (year, month, of_month) = civil(day);
                let months = year * 12 + (month - 1) + months;
                let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
                number(year, month, of_month.min(length(year, month))) * DAY + time
            }
        };
        Timestamp::from_second(end).unwrap()
    }

    /// A start whose period ends then, where there is one.
    pub fn start(self, end: Timestamp) -> Option<Timestamp> {
        let start = match self {
            Self::Days(days) => Timestamp::from_second(end.as_second() - days * DAY).unwrap(),
            Self::Months(months) => Self::Months(-months).end(end),
        };
        (self.end(start) == end).then_some(start)
    }
}

/// Days of a month.
fn length(year: i64, month: i64) -> i64 {
    let next = if month == 12 { number(year + 1, 1, 1) } else { number(year, month + 1, 1) };
    next - number(year, month, 1)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn number(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the day that is sometimes there comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of so many days since 1970-01-01.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + shifted.div_euclid(146_097) * 400, (month + 2) % 12 + 1);
    (if month <= 2 { year + 1 } else { year }, month, of_month)
}

#[test]
fn months_end_on_days_that_there_are() {
    let end = |start: &str, period: Period| period.end(start.parse().unwrap()).to_string();
    assert_eq!(end("2027-01-31T02:30:00Z", Period::Months(1)), "2027-02-28T02:30:00Z");
    assert_eq!(end("2028-01-31T02:30:00Z", Period::Months(1)), "2028-02-29T02:30:00Z");
    assert_eq!(end("2028-02-29T00:00:00Z", Period::Months(12)), "2029-02-28T00:00:00Z");
    assert_eq!(end("2026-12-31T23:59:59Z", Period::Months(6)), "2027-06-30T23:59:59Z");
    assert_eq!(end("2026-11-29T12:00:00Z", Period::Days(90)), "2027-02-27T12:00:00Z");
}
