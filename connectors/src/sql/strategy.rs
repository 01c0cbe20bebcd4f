//! What becomes of one field, in SQL: the new value, and the condition that it is not there yet.
//!
//! The condition is what makes a second run report zero.

use crate::order::Strategy;
use crate::receipt::Fault;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::unknown_moments::is_moment;
use crate::sql::values::Operand;
use crate::value::{FieldType, Stored, Value};

/// Hexadecimal digits of a unique value.
pub(crate) const UNIQUE_DIGITS: u64 = 32;

/// The new value of a field and the condition that the record still needs it.
pub(crate) struct Change {
    pub(crate) value: Fragment,
    pub(crate) pending: Fragment,
}

#[derive(Clone, Copy)]
enum Unit {
    Month,
    Year,
}

/// What a strategy means for a column.
///
/// # Errors
/// `Misconfigured` where it does not fit the column's type.
pub(crate) fn change(operand: &Operand<'_>, strategy: &Strategy) -> Result<Change, Fault> {
    let name = operand.name.as_str();
    match strategy {
        Strategy::Null => Ok(Change {
            value: Fragment::raw("NULL"),
            pending: Fragment::raw(format!("{name} IS NOT NULL")),
        }),
        Strategy::Constant(Value::Null) => change(operand, &Strategy::Null),
        Strategy::Constant(value) => constant(operand, value),
        Strategy::Redact { marker } => {
            let mut change = constant(operand, &Value::Text(marker.clone()))?;
            change.pending = change.pending.within(&format!("({name} IS NOT NULL AND "), ")");
            // Where there is nothing, nothing is put.
            change.value =
                change.value.within(&format!("CASE WHEN {name} IS NOT NULL THEN "), " END");
            Ok(change)
        }
        Strategy::Unique { prefix } => Ok(unique(operand, prefix)),
        Strategy::TruncateToMonth => truncated(operand, Unit::Month),
        Strategy::TruncateToYear => truncated(operand, Unit::Year),
        Strategy::TruncateAddress => Ok(distinct(operand, Fragment::raw(address(operand)?))),
        Strategy::Generalise { width } => generalised(operand, *width),
        Strategy::KeepPrefix { characters } => Ok(prefix(operand, *characters)),
    }
}

fn misfit(operand: &Operand<'_>, strategy: &str) -> Fault {
    misconfigured(format!(
        "field `{}` of type `{}` cannot take the strategy `{strategy}`: choose another in the data map",
        operand.column.name, operand.column.native
    ))
}

/// Replaced wherever the result differs from what is there.
fn distinct(operand: &Operand<'_>, value: Fragment) -> Change {
    let pending = operand.dialect.distinct(Fragment::raw(operand.name.as_str()), value.clone());
    Change { value, pending }
}

fn constant(operand: &Operand<'_>, value: &Value) -> Result<Change, Fault> {
    let right = operand.constant(value)?.ok_or_else(|| misfit(operand, "constant"))?;
    let name = operand.name.as_str();
    let textual = matches!(operand.column.class, FieldType::Text | FieldType::Json);
    // As the column will keep it: rounded to its decimals, or with the blanks of its JSON.
    let right = if operand.dialect == Dialect::Postgres {
        right.within("CAST(", &format!(" AS {})", operand.column.native))
    } else {
        right
    };
    let pending = match operand.dialect {
        Dialect::Postgres if textual => Fragment::raw(format!("CAST({name} AS text)"))
            .then(" IS DISTINCT FROM ")
            .and(right.clone().within("CAST(", " AS text)"))
            .within("(", ")"),
        // Collations that ignore case would take other content for the constant.
        Dialect::MariaDb if textual => Fragment::raw(format!(
            "CAST(CONVERT({name} USING utf8mb4) AS BINARY) <=> CAST(CONVERT("
        ))
        .and(right.clone())
        .then(" USING utf8mb4) AS BINARY)")
        .within("(NOT (", "))"),
        _ => operand.dialect.distinct(Fragment::raw(name), right.clone()),
    };
    Ok(Change { value: right, pending })
}

fn unique(operand: &Operand<'_>, prefix: &str) -> Change {
    let name = operand.name.as_str();
    let random = match operand.dialect {
        Dialect::Postgres => "replace(CAST(gen_random_uuid() AS text), '-', '')".to_owned(),
        // Inside CASE a call with a constant argument is evaluated once for all records, so the
        // argument must depend on the record.
        Dialect::MariaDb => format!("LOWER(HEX(RANDOM_BYTES(16 + 0 * CHAR_LENGTH({name}))))"),
        Dialect::Sqlite => "lower(hex(randomblob(16)))".to_owned(),
    };
    let fresh = match operand.dialect {
        Dialect::MariaDb => Fragment::text_value(prefix).within("CONCAT(", &format!(", {random})")),
        _ => Fragment::text_value(prefix).within("(", &format!(" || {random})")),
    };
    let pattern = prefix.replace('.', "\\.");
    let done = match operand.dialect {
        Dialect::Postgres => Fragment::raw(format!("CAST({name} AS text) ~ "))
            .and(Fragment::text_value(format!("^{pattern}[0-9a-f]{{32}}$"))),
        Dialect::MariaDb => {
            Fragment::raw(format!("(CONVERT({name} USING utf8mb4) COLLATE utf8mb4_bin) REGEXP "))
                .and(Fragment::text_value(format!("^{pattern}[0-9a-f]{{32}}$")))
        }
        Dialect::Sqlite => Fragment::raw(format!("{name} GLOB "))
            .and(Fragment::text_value(format!("{prefix}{}", "[0-9a-f]".repeat(32)))),
    };
    let pending = done.within(&format!("({name} IS NOT NULL AND (("), ") IS NOT TRUE))");
    // Another field of the category may be what makes the record pending: keep what is done.
    let value = pending
        .clone()
        .within("CASE WHEN ", " THEN ")
        .and(fresh)
        .then(&format!(" ELSE {name} END"));
    let value = match operand.dialect {
        Dialect::Postgres => value.within("CAST(", &format!(" AS {})", operand.column.native)),
        _ => value,
    };
    Change { value, pending }
}

fn truncated(operand: &Operand<'_>, unit: Unit) -> Result<Change, Fault> {
    let expression = match operand.dialect {
        Dialect::Postgres => postgres_truncated(operand, unit),
        Dialect::MariaDb => mariadb_truncated(operand, unit),
        Dialect::Sqlite => Some(sqlite_truncated(operand, unit)),
    };
    let expression = expression.ok_or_else(|| misfit(operand, "truncate to month or year"))?;
    // What says that there is no moment must not become one.
    let expression = if operand.epoch() {
        let name = &operand.name;
        format!("CASE WHEN {} THEN {expression} ELSE {name} END", is_moment(name))
    } else {
        expression
    };
    Ok(distinct(operand, Fragment::raw(expression)))
}

fn postgres_truncated(operand: &Operand<'_>, unit: Unit) -> Option<String> {
    let name = operand.name.as_str();
    let unit = match unit {
        Unit::Month => "month",
        Unit::Year => "year",
    };
    match (operand.column.class, operand.mapped.stored) {
        (FieldType::Date, _) => Some(format!("CAST(date_trunc('{unit}', {name}) AS date)")),
        (FieldType::Timestamp, _) if operand.column.zoned => {
            Some(format!("(date_trunc('{unit}', {name} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')"))
        }
        (FieldType::Timestamp, _) => Some(format!("date_trunc('{unit}', {name})")),
        (FieldType::Integer, Stored::EpochSeconds) => Some(format!(
            "CAST(extract(epoch FROM date_trunc('{unit}', to_timestamp({name}) AT TIME ZONE 'UTC')) AS bigint)"
        )),
        (FieldType::Integer, Stored::EpochMilliseconds) => Some(format!(
            "(CAST(extract(epoch FROM date_trunc('{unit}', to_timestamp({name} / 1000) AT TIME ZONE 'UTC')) AS bigint) * 1000)"
        )),
        (FieldType::Integer, Stored::EpochMicroseconds) => Some(format!(
            "(CAST(extract(epoch FROM date_trunc('{unit}', to_timestamp({name} / 1000000) AT TIME ZONE 'UTC')) AS bigint) * 1000000)"
        )),
        _ => None,
    }
}

fn mariadb_truncated(operand: &Operand<'_>, unit: Unit) -> Option<String> {
    let name = operand.name.as_str();
    let format = match unit {
        Unit::Month => "%Y-%m-01",
        Unit::Year => "%Y-01-01",
    };
    let epoch = |seconds: &str| {
        format!(
            "TIMESTAMPDIFF(SECOND, '1970-01-01', DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL {seconds} SECOND), '{format}'))"
        )
    };
    // A day of zeros has no month that could stay.
    let unless_zero = |truncated: String| match operand.known() {
        Some(known) => format!("CASE WHEN {known} THEN {truncated} ELSE {name} END"),
        None => truncated,
    };
    match (operand.column.class, operand.mapped.stored) {
        (FieldType::Date, _) => {
            Some(unless_zero(format!("CAST(DATE_FORMAT({name}, '{format}') AS DATE)")))
        }
        (FieldType::Timestamp, _) => {
            Some(unless_zero(format!("CAST(DATE_FORMAT({name}, '{format}') AS DATETIME(6))")))
        }
        (FieldType::Integer, Stored::EpochSeconds) => Some(epoch(name)),
        (FieldType::Integer, Stored::EpochMilliseconds) => {
            Some(format!("({} * 1000)", epoch(&format!("({name} DIV 1000)"))))
        }
        (FieldType::Integer, Stored::EpochMicroseconds) => {
            Some(format!("({} * 1000000)", epoch(&format!("({name} DIV 1000000)"))))
        }
        _ => None,
    }
}

/// Text that cannot be read as a moment becomes null: nothing of it may stay.
fn sqlite_truncated(operand: &Operand<'_>, unit: Unit) -> String {
    let name = operand.name.as_str();
    let (format, start) = match unit {
        Unit::Month => ("%Y-%m-01", "start of month"),
        Unit::Year => ("%Y-01-01", "start of year"),
    };
    match operand.mapped.stored {
        Stored::EpochSeconds => {
            format!("CAST(strftime('%s', {name}, 'unixepoch', '{start}') AS INTEGER)")
        }
        Stored::EpochMilliseconds => {
            format!(
                "(CAST(strftime('%s', {name} / 1000, 'unixepoch', '{start}') AS INTEGER) * 1000)"
            )
        }
        Stored::EpochMicroseconds => {
            format!(
                "(CAST(strftime('%s', {name} / 1000000, 'unixepoch', '{start}') AS INTEGER) * 1000000)"
            )
        }
        Stored::Native => format!(
            "CASE WHEN typeof({name}) <> 'text' OR {name} NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN NULL \
             WHEN length({name}) = 10 THEN strftime('{format}', {name}) \
             WHEN {name} GLOB '*[zZ]' OR {name} GLOB '*[+-][0-9][0-9]:[0-9][0-9]' THEN strftime('{format}T00:00:00Z', {name}) \
             WHEN {name} LIKE '%T%' THEN strftime('{format}T00:00:00', {name}) \
             ELSE strftime('{format} 00:00:00', {name}) END"
        ),
    }
}

fn address(operand: &Operand<'_>) -> Result<String, Fault> {
    let name = operand.name.as_str();
    let class = operand.column.class;
    match (operand.dialect, class) {
        (Dialect::Postgres, FieldType::Address) => Ok(format!(
            "CAST(host(network(set_masklen(CAST({name} AS inet), CASE family({name}) WHEN 4 THEN 24 ELSE 48 END))) AS {})",
            operand.column.native
        )),
        (Dialect::Postgres, FieldType::Text) => Ok(format!(
            "CASE WHEN {name} ~ '^[0-9]{{1,3}}\\.[0-9]{{1,3}}\\.[0-9]{{1,3}}\\.[0-9]{{1,3}}$' \
             THEN regexp_replace({name}, '[0-9]+$', '0') \
             WHEN {name} ~ '^([0-9a-fA-F]{{1,4}}:){{7}}[0-9a-fA-F]{{1,4}}$' \
             OR ({name} ~ '^[0-9a-fA-F]{{0,4}}(:[0-9a-fA-F]{{0,4}}){{2,6}}$' AND {name} ~ '::' AND {name} !~ '::.*::' \
             AND {name} !~ ':::' AND {name} !~ '^:[^:]' AND {name} !~ '[^:]:$') \
             THEN host(network(set_masklen(CAST({name} AS inet), 48))) END"
        )),
        (Dialect::MariaDb, FieldType::Text | FieldType::Address) => {
            let text = format!("CAST({name} AS CHAR)");
            Ok(format!(
                "CASE WHEN IS_IPV4({text}) THEN CONCAT(SUBSTRING_INDEX({text}, '.', 3), '.0') \
                 WHEN IS_IPV6({text}) THEN INET6_NTOA(CAST(CONCAT(SUBSTR(INET6_ATON({text}), 1, 6), REPEAT(CHAR(0 USING binary), 10)) AS BINARY(16))) END"
            ))
        }
        (Dialect::Sqlite, _) => Ok(sqlite_address(name)),
        _ => Err(misfit(operand, "truncate address")),
    }
}

/// SQLite has no functions for addresses: the first three groups of the part before `::` stay.
fn sqlite_address(name: &str) -> String {
    let head = format!(
        "(CASE WHEN instr({name}, '::') > 0 THEN substr({name}, 1, instr({name}, '::') - 1) ELSE {name} END)"
    );
    let first = format!("instr({head} || ':', ':')");
    let after_first = format!("substr({head} || ':', {first} + 1)");
    let second = format!("instr({after_first}, ':')");
    let after_second = format!("substr({after_first}, {second} + 1)");
    let third = format!("instr({after_second}, ':')");
    format!(
        "CASE WHEN {name} GLOB '[0-9]*.[0-9]*.[0-9]*.[0-9]*' AND {name} NOT GLOB '*[^0-9.]*' \
         THEN rtrim({name}, '0123456789') || '0' \
         WHEN {name} GLOB '*:*' AND {name} NOT GLOB '*[^0-9a-fA-F:]*' THEN \
         CASE WHEN length({head}) - length(replace({head}, ':', '')) >= 2 \
         THEN substr({head} || ':', 1, {first} + {second} + {third} - 1) || '::' \
         ELSE {head} || '::' END END"
    )
}

fn generalised(operand: &Operand<'_>, width: i64) -> Result<Change, Fault> {
    let name = operand.name.as_str();
    let class =
        if operand.dialect == Dialect::Sqlite { FieldType::Decimal } else { operand.column.class };
    if !matches!(class, FieldType::Integer | FieldType::Decimal | FieldType::Float) || width < 2 {
        return Err(misfit(operand, "generalise"));
    }
    let expression = match (operand.dialect, class) {
        (Dialect::Postgres, FieldType::Float) => {
            format!("CAST(floor({name} / {width}) * {width} AS {})", operand.column.native)
        }
        (Dialect::Postgres, _) => format!(
            "CAST(CAST({name} AS numeric) - mod(mod(CAST({name} AS numeric), {width}) + {width}, {width}) AS {})",
            operand.column.native
        ),
        (Dialect::MariaDb, FieldType::Float) => format!("(FLOOR({name} / {width}) * {width})"),
        (Dialect::MariaDb, _) => format!(
            "(CAST({name} AS DECIMAL(65,10)) - MOD(MOD(CAST({name} AS DECIMAL(65,10)), {width}) + {width}, {width}))"
        ),
        (Dialect::Sqlite, _) => {
            let whole = format!("(CAST({name} AS INTEGER) - ({name} < CAST({name} AS INTEGER)))");
            format!(
                "CASE WHEN typeof({name}) IN ('integer', 'real') \
                 THEN {whole} - ((({whole} % {width}) + {width}) % {width}) END"
            )
        }
    };
    Ok(distinct(operand, Fragment::raw(expression)))
}

fn prefix(operand: &Operand<'_>, characters: u32) -> Change {
    let name = operand.name.as_str();
    let count = Fragment::value(Cell::Integer(i64::from(characters)));
    match operand.dialect {
        Dialect::Postgres => {
            let native = &operand.column.native;
            Change {
                value: Fragment::raw(format!(
                    "CAST(left(CAST({name} AS text), {characters}) AS {native})"
                )),
                pending: Fragment::raw(format!("length(CAST({name} AS text)) > {characters}")),
            }
        }
        Dialect::MariaDb => Change {
            value: count.within(&format!("LEFT({name}, "), ")"),
            pending: Fragment::raw(format!("CHAR_LENGTH({name}) > {characters}")),
        },
        Dialect::Sqlite => Change {
            value: count.within(&format!("substr({name}, 1, "), ")"),
            pending: Fragment::raw(format!("length({name}) > {characters}")),
        },
    }
}
