//! How a value of the contract is compared with a column: the only place that knows how moments,
//! days and identifiers are kept.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::order::MappedField;
use crate::predicate::{Comparison, Cutoff};
use crate::receipt::Fault;
use crate::sql::catalogue::Column;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::text_equality::Equality;
use crate::sql::unknown_moments::is_moment;
use crate::value::{FieldType, Stored, Value};

/// A column at a place in a statement.
pub(crate) struct Operand<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) column: &'a Column,
    pub(crate) mapped: &'a MappedField,
    /// The column in the statement, quoted, with its table.
    pub(crate) name: String,
}

impl Operand<'_> {
    /// The type that decides how a value is written. SQLite's columns have no firm type, so there
    /// the data map decides.
    pub(crate) fn class(&self) -> FieldType {
        if self.dialect == Dialect::Sqlite && self.mapped.field_type != FieldType::Other {
            if self.mapped.field_type == FieldType::Uuid && self.column.class == FieldType::Binary {
                return FieldType::Binary;
            }
            return self.mapped.field_type;
        }
        self.column.class
    }

    pub(crate) fn epoch(&self) -> bool {
        self.mapped.stored != Stored::Native
            && matches!(self.mapped.field_type, FieldType::Timestamp | FieldType::Date)
    }

    /// The left side of a comparison that is neither of moments nor of days.
    pub(crate) fn bare(&self) -> String {
        if self.dialect == Dialect::Postgres && self.column.by_text {
            format!("CAST({} AS text)", self.name)
        } else {
            self.name.clone()
        }
    }

    /// SQLite's number of seconds or milliseconds; text of digits counts, anything else is absent.
    pub(crate) fn sqlite_epoch(&self) -> String {
        let (name, moment) = (&self.name, is_moment(&self.name));
        let number = format!("typeof({name}) IN ('integer', 'real') AND {moment}");
        if matches!(self.column.class, FieldType::Integer | FieldType::Float | FieldType::Decimal) {
            return format!("CASE WHEN {number} THEN {name} END");
        }
        format!(
            "CASE WHEN {number} THEN {name} WHEN typeof({name}) = 'text' AND {name} <> '' \
             AND {name} NOT GLOB '*[^0-9]*' AND CAST({name} AS INTEGER) <> 0 \
             THEN CAST({name} AS INTEGER) END"
        )
    }

    /// The expression whose null means that there is no value.
    fn content(&self) -> String {
        if self.dialect == Dialect::Sqlite {
            if self.epoch() {
                return self.sqlite_epoch();
            }
            match self.mapped.field_type {
                FieldType::Timestamp => return self.sqlite_readable("%s"),
                FieldType::Date => return self.sqlite_readable("%Y-%m-%d"),
                _ => {}
            }
        }
        self.name.clone()
    }

    /// The column has a value that can be read.
    pub(crate) fn present(&self) -> Fragment {
        if let Some(known) = self.known() {
            return Fragment::raw(format!("({} IS NOT NULL AND {known})", self.name));
        }
        Fragment::raw(format!("{} IS NOT NULL", self.content()))
    }

    /// The column has no value that can be read.
    pub(crate) fn absent(&self) -> Fragment {
        if let Some(known) = self.known() {
            return Fragment::raw(format!("({} IS NULL OR NOT ({known}))", self.name));
        }
        Fragment::raw(format!("{} IS NULL", self.content()))
    }

    /// The value is at or before the cutoff.
    pub(crate) fn at_or_before(&self, cutoff: Cutoff) -> Result<Fragment, Fault> {
        match cutoff {
            Cutoff::Moment(moment) => self.moment("<=", moment, true),
            Cutoff::Day(day) => self.day("<=", day),
        }
    }

    /// A comparison with a constant.
    pub(crate) fn compare(
        &self,
        comparison: Comparison,
        value: &Value,
        equality: Equality,
    ) -> Result<Fragment, Fault> {
        let sign = sign(comparison);
        match (self.mapped.field_type, value) {
            (FieldType::Timestamp, Value::Timestamp(moment)) => {
                return self.moment(sign, *moment, false);
            }
            (FieldType::Date, Value::Date(day)) => return self.day(sign, *day),
            _ => {}
        }
        let forms = self.forms(value)?;
        if forms.is_empty() {
            return Err(self.misfit(value.type_name()));
        }
        let compared =
            forms.into_iter().map(|right| self.plain_compare(comparison, right, equality));
        // A value that can be written in several forms is none of them, or one of them.
        Ok(if comparison == Comparison::NotEqual {
            Fragment::all(compared.collect())
        } else {
            Fragment::any(compared.collect())
        })
    }

    fn misfit(&self, what: &str) -> Fault {
        misconfigured(format!(
            "field `{}` of type `{}` cannot be compared with a {what}: mend the type in the data map",
            self.column.name, self.column.native
        ))
    }

    pub(crate) fn zone(&self) -> Result<TimeZone, Fault> {
        TimeZone::get(&self.mapped.zone).map_err(|_| {
            misconfigured(format!(
                "zone `{}` of field `{}` is not known: use an IANA name like `Europe/Berlin`",
                self.mapped.zone, self.column.name
            ))
        })
    }

    fn moment(&self, sign: &str, moment: Timestamp, careful: bool) -> Result<Fragment, Fault> {
        if self.epoch() {
            return Ok(self.epoch_compare(sign, moment));
        }
        let zone = self.zone()?;
        let local = if careful { wall_clock(moment, &zone) } else { zone.to_datetime(moment) };
        if self.dialect == Dialect::Sqlite {
            return Ok(self.sqlite_moment(sign, moment, local, &zone));
        }
        if self.column.class != FieldType::Timestamp {
            return Err(self.misfit("timestamp"));
        }
        let right = match (self.dialect, self.column.zoned) {
            (Dialect::Postgres, true) => {
                Fragment::value(Cell::Moment(since_2000(TimeZone::UTC.to_datetime(moment))))
            }
            (Dialect::Postgres, false) => Fragment::value(Cell::WallClock(since_2000(local))),
            (_, true) => self.typed(utc_text(moment)),
            (_, false) => self.typed(civil_text(local)),
        };
        Ok(self.where_known(Fragment::raw(format!("{} {sign} ", self.name)).and(right)))
    }

    fn epoch_compare(&self, sign: &str, moment: Timestamp) -> Fragment {
        let number = self.epoch_number(moment);
        // The number was rounded down, so that it lies before the moment itself.
        let sign = match sign {
            "<" if !self.whole_epoch(moment) => "<=",
            ">=" if !self.whole_epoch(moment) => ">",
            sign => sign,
        };
        let left =
            if self.dialect == Dialect::Sqlite { self.sqlite_epoch() } else { self.name.clone() };
        self.where_known(Fragment::raw(format!("{left} {sign} ")).and(self.integer(number)))
    }

    /// Rounded down, so that a record is never due too early.
    fn epoch_number(&self, moment: Timestamp) -> i64 {
        moment.as_nanosecond().div_euclid(self.epoch_unit()).try_into().unwrap_or(i64::MIN)
    }

    fn whole_epoch(&self, moment: Timestamp) -> bool {
        moment.as_nanosecond().rem_euclid(self.epoch_unit()) == 0
    }

    /// Nanoseconds.
    fn epoch_unit(&self) -> i128 {
        match self.mapped.stored {
            Stored::EpochSeconds => 1_000_000_000,
            Stored::EpochMicroseconds => 1_000,
            Stored::EpochMilliseconds | Stored::Native => 1_000_000,
        }
    }

    fn integer(&self, number: i64) -> Fragment {
        if self.dialect == Dialect::Postgres {
            Fragment::text_value(number.to_string()).within("CAST(", " AS bigint)")
        } else {
            Fragment::value(Cell::Integer(number))
        }
    }

    fn day(&self, sign: &str, day: Date) -> Result<Fragment, Fault> {
        if self.epoch() {
            // A day kept as a number stands at its beginning in UTC.
            return Ok(self.epoch_compare(sign, start_of_day(day)));
        }
        if self.dialect == Dialect::Sqlite {
            return Ok(Fragment::raw(format!("{} {sign} ", self.sqlite_readable("%Y-%m-%d")))
                .and(Fragment::text_value(day.to_string())));
        }
        if self.column.class != FieldType::Date {
            return Err(self.misfit("date"));
        }
        let right = if self.dialect == Dialect::Postgres {
            let days = since_2000(day.at(0, 0, 0, 0)).div_euclid(86_400_000_000);
            Fragment::value(Cell::Day(i32::try_from(days).unwrap_or(i32::MIN)))
        } else {
            self.typed(day.to_string())
        };
        Ok(self.where_known(Fragment::raw(format!("{} {sign} ", self.name)).and(right)))
    }

    /// Text in the form of the column's own type.
    fn typed(&self, text: String) -> Fragment {
        let value = Fragment::text_value(text);
        match (self.dialect, self.column.class) {
            (Dialect::Postgres, _) => value.within("CAST(", &format!(" AS {})", self.column.cast)),
            (Dialect::MariaDb, FieldType::Timestamp) => value.within("CAST(", " AS DATETIME(6))"),
            (Dialect::MariaDb, FieldType::Date) => value.within("CAST(", " AS DATE)"),
            (Dialect::MariaDb, FieldType::Decimal) => value.within("CAST(", " AS DECIMAL(65,30))"),
            _ => value,
        }
    }

    /// A constant that fits the column, or `None` where no record could hold it.
    pub(crate) fn constant(&self, value: &Value) -> Result<Option<Fragment>, Fault> {
        if self.epoch() {
            return Ok(match value {
                Value::Timestamp(moment) => Some(self.integer(self.epoch_number(*moment))),
                Value::Date(day) => Some(self.integer(self.epoch_number(start_of_day(*day)))),
                Value::Integer(number) => Some(self.integer(*number)),
                _ => None,
            });
        }
        Ok(match self.class() {
            FieldType::Integer => whole(value).map(|number| self.integer(number)),
            FieldType::Decimal | FieldType::Float => self.number(value),
            FieldType::Boolean => match value {
                Value::Boolean(truth) => Some(self.boolean(*truth)),
                Value::Integer(number @ (0 | 1)) => Some(self.boolean(*number == 1)),
                _ => None,
            },
            FieldType::Timestamp => match value {
                Value::Timestamp(moment) => Some(self.typed(self.moment_text(*moment)?)),
                Value::Date(day) => Some(self.typed(self.moment_text(start_of_day(*day))?)),
                _ => None,
            },
            FieldType::Date => match value {
                Value::Date(day) => Some(self.typed(day.to_string())),
                _ => None,
            },
            FieldType::Uuid => match value {
                Value::Uuid(uuid) => Some(self.typed(uuid.to_string())),
                Value::Text(text) => {
                    text.parse::<uuid::Uuid>().ok().map(|uuid| self.typed(uuid.to_string()))
                }
                _ => None,
            },
            FieldType::Binary => bytes(value).map(|bytes| self.binary(bytes)),
            FieldType::Address => match value {
                Value::Text(text) if is_address(text) => Some(self.typed(text.clone())),
                _ => None,
            },
            FieldType::Text | FieldType::Json | FieldType::Other => self.characters(value)?,
        })
    }

    fn characters(&self, value: &Value) -> Result<Option<Fragment>, Fault> {
        let text = match value {
            Value::Text(text) | Value::Decimal(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Uuid(uuid) => uuid.to_string(),
            Value::Date(day) => day.to_string(),
            Value::Timestamp(moment) => self.moment_text(*moment)?,
            Value::Boolean(truth) => truth.to_string(),
            Value::Null | Value::Binary(_) => return Ok(None),
        };
        if self.dialect == Dialect::Postgres && text.contains('\0') {
            return Ok(None);
        }
        Ok(Some(self.typed(text)))
    }

    /// A moment as the column keeps it.
    pub(crate) fn moment_text(&self, moment: Timestamp) -> Result<String, Fault> {
        if self.dialect == Dialect::Sqlite {
            // Without the `Z` the text would be read in the field's own zone.
            return Ok(format!("{}Z", utc_text(moment)));
        }
        if self.column.zoned {
            return Ok(utc_text(moment));
        }
        Ok(civil_text(self.zone()?.to_datetime(moment)))
    }

    fn boolean(&self, truth: bool) -> Fragment {
        if self.dialect == Dialect::Postgres {
            Fragment::raw(self.dialect.truth(truth))
        } else {
            Fragment::value(Cell::Integer(i64::from(truth)))
        }
    }

    fn binary(&self, bytes: Vec<u8>) -> Fragment {
        if self.dialect == Dialect::Postgres {
            let mut digits = String::with_capacity(2 + 2 * bytes.len());
            digits.push_str("\\x");
            for byte in bytes {
                for half in [byte >> 4, byte & 15] {
                    digits.extend(char::from_digit(u32::from(half), 16));
                }
            }
            self.typed(digits)
        } else {
            Fragment::value(Cell::Bytes(bytes))
        }
    }

    fn number(&self, value: &Value) -> Option<Fragment> {
        let text = match value {
            Value::Integer(number) => number.to_string(),
            Value::Decimal(text) | Value::Text(text) => text.trim().to_owned(),
            _ => return None,
        };
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
        Some(match (self.dialect, self.class()) {
            (Dialect::Postgres, _) | (Dialect::MariaDb, FieldType::Decimal) => self.typed(text),
            _ => match text.parse::<i64>() {
                Ok(whole) => Fragment::value(Cell::Integer(whole)),
                Err(_) => Fragment::value(Cell::Real(number)),
            },
        })
    }

    /// The column as a value that can be read back as a bound of a window.
    pub(crate) fn key_selected(&self) -> String {
        match (self.dialect, self.column.class) {
            (Dialect::Postgres, _) => format!("CAST({} AS text)", self.name),
            (
                Dialect::MariaDb,
                FieldType::Timestamp | FieldType::Date | FieldType::Decimal | FieldType::Uuid,
            ) => {
                format!("CAST({} AS CHAR)", self.name)
            }
            _ => self.name.clone(),
        }
    }

    /// A bound of a window.
    pub(crate) fn key_bound(&self, cell: &Cell) -> Fragment {
        match (self.dialect, cell) {
            (Dialect::Postgres, Cell::Text(text)) => self.typed(text.clone()),
            (Dialect::MariaDb, Cell::Text(text)) => {
                if self.column.class == FieldType::Integer {
                    return Fragment::text_value(text.as_str()).within("CAST(", " AS UNSIGNED)");
                }
                self.typed(text.clone())
            }
            _ => Fragment::value(cell.clone()),
        }
    }
}

/// The sign of a comparison.
pub(crate) fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// The comparison that holds for a value exactly where the other does not.
pub(crate) fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

/// The latest wall-clock time whose every reading is at or before the moment.
///
/// When clocks are set back, an hour comes twice. A text of that hour may mean its second pass, so
/// during the first pass nothing of that hour counts as past.
fn wall_clock(moment: Timestamp, zone: &TimeZone) -> DateTime {
    let local = zone.to_datetime(moment);
    if let AmbiguousOffset::Fold { before, after } = zone.to_ambiguous_timestamp(local).offset()
        && zone.to_offset(moment) == before
        && let Some(transition) = zone.following(moment).next()
    {
        let begin = after.to_datetime(transition.timestamp());
        return begin.checked_sub(jiff::SignedDuration::from_micros(1)).unwrap_or(local);
    }
    local
}

/// Microseconds since 2000, rounded down.
fn since_2000(civil: DateTime) -> i64 {
    let nanoseconds = civil.duration_since(jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0)).as_nanos();
    i64::try_from(nanoseconds.div_euclid(1000)).unwrap_or(i64::MIN)
}

pub(crate) fn start_of_day(day: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MIN)
}

/// `2024-01-31 12:00:00.123456`
fn civil_text(local: DateTime) -> String {
    format!("{} {}", local.date(), local.strftime("%H:%M:%S%.6f"))
}

/// A moment in UTC, the zone of every session: `2024-01-31 12:00:00.123456`.
fn utc_text(moment: Timestamp) -> String {
    civil_text(TimeZone::UTC.to_datetime(moment))
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Decimal(text) | Value::Text(text) => text.trim().parse().ok(),
        Value::Boolean(truth) => Some(i64::from(*truth)),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Binary(bytes) => Some(bytes.clone()),
        Value::Uuid(uuid) => Some(uuid.as_bytes().to_vec()),
        Value::Text(text) => Some(text.clone().into_bytes()),
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    address.parse::<std::net::IpAddr>().is_ok_and(|address| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_ordinary_moment_is_the_wall_clock_of_its_zone() {
        let wall = wall_clock(moment("2024-06-01T10:00:00Z"), &berlin());
        assert_eq!(civil_text(wall), "2024-06-01 12:00:00.000000");
    }

    #[test]
    fn the_first_pass_of_a_doubled_hour_counts_nothing_of_it_as_past() {
        // Clocks go back at 01:00 UTC, from 03:00 to 02:00.
        let wall = wall_clock(moment("2024-10-27T00:30:00Z"), &berlin());
        assert_eq!(civil_text(wall), "2024-10-27 01:59:59.999999");
        let wall = wall_clock(moment("2024-10-27T01:30:00Z"), &berlin());
        assert_eq!(civil_text(wall), "2024-10-27 02:30:00.000000");
    }
}
