//! Moments that SQLite keeps as text, in one form that sorts and is exact.
//!
//! SQLite's own functions round to milliseconds, so seconds and their fraction are read apart. Text
//! that cannot be read counts as absent: it is never due.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::receipt::Fault;
use crate::sql::fragment::Fragment;
use crate::sql::values::{Operand, start_of_day};
use crate::value::Value;

impl Operand<'_> {
    /// The text in a form of SQLite's, or null where it cannot be read.
    pub(crate) fn sqlite_readable(&self, format: &str) -> String {
        let name = &self.name;
        format!(
            "CASE WHEN typeof({name}) = 'text' AND {name} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' \
             THEN strftime('{format}', {name}) END"
        )
    }

    /// The text as `2024-01-31 12:00:00.123456000`, or null where it cannot be read. In UTC where
    /// the text has an offset, else as the wall clock shows it.
    fn sqlite_exact(&self) -> String {
        let name = &self.name;
        let seconds = "%Y-%m-%d %H:%M:%S";
        let behind = format!("substr({name}, 21)");
        let offset = format!("ltrim({behind}, '0123456789')");
        let digits = format!("substr({behind}, 1, length({behind}) - length({offset}))");
        format!(
            "CASE WHEN typeof({name}) = 'text' AND {name} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' \
             AND strftime('%s', {name}) IS NOT NULL THEN \
             CASE WHEN substr({name}, 20, 1) = '.' \
             THEN strftime('{seconds}', substr({name}, 1, 19) || {offset}) || '.' || {digits} || substr('000000000', length({digits}) + 1) \
             ELSE strftime('{seconds}', {name}) || '.000000000' END END"
        )
    }

    fn sqlite_has_offset(&self) -> String {
        let name = &self.name;
        format!("({name} GLOB '*[zZ]' OR {name} GLOB '*[+-][0-9][0-9]:[0-9][0-9]')")
    }

    /// Text without an offset is read in UTC, so that it does not matter whether it has one.
    fn in_utc(&self, zone: &TimeZone) -> bool {
        *zone == TimeZone::UTC || self.mapped.zone == "UTC" || self.mapped.zone == "Etc/UTC"
    }

    /// A comparison with a moment that is `local` on the wall clock of the field's zone.
    pub(crate) fn sqlite_moment(
        &self,
        sign: &str,
        moment: Timestamp,
        local: DateTime,
        zone: &TimeZone,
    ) -> Fragment {
        let exact = self.sqlite_exact();
        let in_utc = Fragment::text_value(exact_text(TimeZone::UTC.to_datetime(moment)));
        if self.in_utc(zone) {
            return Fragment::raw(format!("{exact} {sign} ")).and(in_utc);
        }
        Fragment::raw(format!("{exact} {sign} CASE WHEN {} THEN ", self.sqlite_has_offset()))
            .and(in_utc)
            .then(" ELSE ")
            .and(Fragment::text_value(exact_text(local)))
            .then(" END")
    }

    /// The field as it is compared with a list of moments.
    pub(crate) fn sqlite_listed_moment(&self) -> String {
        let exact = self.sqlite_exact();
        if self.zone().is_ok_and(|zone| self.in_utc(&zone)) {
            return format!("({exact})");
        }
        format!("(({exact}) || CASE WHEN {} THEN 'Z' ELSE '' END)", self.sqlite_has_offset())
    }

    /// The forms of a moment in a list; none where no record could hold the value.
    pub(crate) fn sqlite_moment_entries(&self, value: &Value) -> Result<Vec<Fragment>, Fault> {
        let moment = match value {
            Value::Timestamp(moment) => *moment,
            Value::Date(day) => start_of_day(*day),
            _ => return Ok(Vec::new()),
        };
        let zone = self.zone()?;
        let utc = exact_text(TimeZone::UTC.to_datetime(moment));
        if self.in_utc(&zone) {
            return Ok(vec![Fragment::text_value(utc)]);
        }
        let local = exact_text(zone.to_datetime(moment));
        Ok(vec![Fragment::text_value(format!("{utc}Z")), Fragment::text_value(local)])
    }
}

/// `2024-01-31 12:00:00.123456789`
fn exact_text(local: DateTime) -> String {
    format!("{} {}", local.date(), local.strftime("%H:%M:%S%.9f"))
}
