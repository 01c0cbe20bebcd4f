//! Languages of the printed forms, and how each writes numbers, days and moments.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A language that the printed forms speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `en`
    English,
    /// `de`
    German,
    /// `zh`, in simplified characters
    Chinese,
}

/// All of them.
pub const LANGUAGES: [Language; 3] = [Language::English, Language::German, Language::Chinese];

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

impl Language {
    /// The language of a tag such as `de` or `zh-Hans-CN`; `None` where the forms do not speak it.
    pub fn parse(tag: &str) -> Option<Self> {
        let short = tag.split(['-', '_']).next().unwrap_or_default();
        LANGUAGES.into_iter().find(|one| one.code().eq_ignore_ascii_case(short))
    }

    /// The same, with English for all others.
    pub fn nearest(tag: &str) -> Self {
        Self::parse(tag).unwrap_or(Self::English)
    }

    /// The short code: `en`, `de` or `zh`.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Chinese => "zh",
        }
    }

    /// The tag in documents.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Chinese => "zh-Hans",
        }
    }

    /// A count with its digits in groups of three.
    pub fn number(self, number: u64) -> String {
        let separator = if self == Self::German { '.' } else { ',' };
        let digits = number.to_string();
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// A day in words.
    pub fn day(self, day: Date) -> String {
        let month = usize::try_from(day.month() - 1).unwrap_or(0).min(11);
        match self {
            Self::English => format!("{} {} {}", day.day(), ENGLISH_MONTHS[month], day.year()),
            Self::German => format!("{}. {} {}", day.day(), GERMAN_MONTHS[month], day.year()),
            Self::Chinese => format!("{}年{}月{}日", day.year(), day.month(), day.day()),
        }
    }

    /// A moment in a zone, to the second, with what the zone's clocks then differ from UTC.
    pub fn moment(self, moment: Timestamp, zone: &TimeZone) -> String {
        let local = moment.to_zoned(zone.clone());
        let day = self.day(local.date());
        let time = local.strftime("%H:%M:%S");
        let seconds = local.offset().seconds();
        let offset = if seconds == 0 {
            "UTC".to_owned()
        } else {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.abs() / 60;
            format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        };
        match self {
            Self::English => format!("{day}, {time} ({offset})"),
            Self::German => format!("{day}, {time} Uhr ({offset})"),
            Self::Chinese => format!("{day} {time}（{offset}）"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn numbers_days_and_moments_are_in_the_readers_form() {
        let moment: Timestamp = "2026-03-05T03:07:09.5Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let west = TimeZone::fixed(jiff::tz::Offset::from_seconds(-12_600).unwrap());
        assert_eq!(Language::English.number(5_231_000), "5,231,000");
        assert_eq!(Language::German.number(1_000), "1.000");
        assert_eq!(Language::Chinese.number(999), "999");
        assert_eq!(Language::German.day(date(2026, 3, 5)), "5. März 2026");
        assert_eq!(Language::English.moment(moment, &zone), "5 March 2026, 04:07:09 (UTC+01:00)");
        assert_eq!(
            Language::German.moment(moment, &west),
            "4. März 2026, 23:37:09 Uhr (UTC-03:30)"
        );
        assert_eq!(
            Language::Chinese.moment(moment, &TimeZone::UTC),
            "2026年3月5日 03:07:09（UTC）"
        );
    }

    #[test]
    fn tags_with_regions_are_understood_and_others_are_english() {
        assert_eq!(Language::parse("de-AT"), Some(Language::German));
        assert_eq!(Language::parse("ZH_hans"), Some(Language::Chinese));
        assert_eq!(Language::parse("den"), None);
        assert_eq!(Language::nearest("tlh"), Language::English);
    }
}
