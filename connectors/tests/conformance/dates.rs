//! Every way in which a system keeps moments and days, on both sides of a cutoff.

use crate::drafting::{deleted, done_as_previewed, draft, due, forget, order};
use crate::fixture::{Fixture, Kind};

/// What goes and what stays at a cutoff, in literals of the system.
struct Case {
    column: &'static str,
    mapped: &'static str,
    cutoff: &'static str,
    goes: &'static [&'static str],
    stays: &'static [&'static str],
}

const fn case(
    column: &'static str,
    mapped: &'static str,
    cutoff: &'static str,
    goes: &'static [&'static str],
    stays: &'static [&'static str],
) -> Case {
    Case { column, mapped, cutoff, goes, stays }
}

async fn prove(fixture: &Fixture, cases: &[Case]) {
    for case in cases {
        fixture
            .sql(&format!("CREATE TABLE logs (id bigint PRIMARY KEY, at {})", case.column))
            .await;
        let literals = case.goes.iter().chain(case.stays).chain(&["NULL"]);
        for (id, literal) in literals.enumerate() {
            fixture.verbatim(&format!("INSERT INTO logs VALUES ({id}, {literal})")).await;
        }
        let text = format!("logs: id integer, at {}", case.mapped);
        let logs = draft(fixture, &text).delete(due("at", case.cutoff));
        let order = order("dates", [logs]);
        let outcome = done_as_previewed(&*fixture.connector(), &order).await;
        let left = fixture.column("SELECT id FROM logs ORDER BY id").await;
        let expected: Vec<String> = (case.goes.len()..=case.goes.len() + case.stays.len())
            .map(|id| id.to_string())
            .collect();
        let name = format!("{} {} at {}", case.column, case.mapped, case.cutoff);
        assert_eq!(left, expected, "{name}; goes {:?}, stays {:?}", case.goes, case.stays);
        assert_eq!(deleted(&outcome, "logs"), case.goes.len() as u64, "{name}");
        forget(&*fixture.connector(), &order).await;
        fixture.sql("DROP TABLE logs").await;
    }
}

const NEW_YEAR: &str = "2026-01-01T00:00:00Z";
const BERLIN: &str = "timestamp zone=Europe/Berlin";

/// 0 and -1 say that there is none.
const EPOCHS: [Case; 4] = [
    case(
        "bigint",
        "timestamp epoch_seconds",
        NEW_YEAR,
        &["1", "-2", "1767225599", "1767225600"],
        &["0", "-1", "1767225601", "1767225600000"],
    ),
    case(
        "bigint",
        "timestamp epoch_milliseconds",
        NEW_YEAR,
        &["1", "1767225599999", "1767225600000"],
        &["0", "1767225600001"],
    ),
    case(
        "bigint",
        "timestamp epoch_microseconds",
        NEW_YEAR,
        &["1", "1767225599999999", "1767225600000000"],
        &["0", "1767225600000001"],
    ),
    case("bigint", "date epoch_seconds", "2025-12-31", &["1767139200"], &["1767225600"]),
];

/// Local time in Berlin: winter, summer, and the two nights on which clocks are changed.
/// An hour that occurs twice is read as its later occurrence, so that nothing goes early.
macro_rules! berlin {
    ($column:literal) => {
        [
            case(
                $column,
                BERLIN,
                "2026-01-15T12:00:00Z",
                &["'2026-01-15 13:00:00'"],
                &["'2026-01-15 13:00:01'"],
            ),
            case(
                $column,
                BERLIN,
                "2025-07-15T12:00:00Z",
                &["'2025-07-15 14:00:00'"],
                &["'2025-07-15 14:00:01'"],
            ),
            case(
                $column,
                BERLIN,
                "2025-10-26T01:59:59Z",
                &["'2025-10-26 01:59:59'", "'2025-10-26 02:59:59'"],
                &["'2025-10-26 03:00:00'"],
            ),
            case(
                $column,
                BERLIN,
                "2025-10-26T00:30:00Z",
                &["'2025-10-26 01:59:59'"],
                &["'2025-10-26 02:15:00'", "'2025-10-26 03:00:00'"],
            ),
            case(
                $column,
                BERLIN,
                "2025-10-26T01:15:00Z",
                &["'2025-10-26 02:15:00'"],
                &["'2025-10-26 02:15:01'"],
            ),
            case(
                $column,
                BERLIN,
                "2026-03-29T01:00:00Z",
                &["'2026-03-29 01:59:59'"],
                &["'2026-03-29 03:00:01'"],
            ),
            case(
                $column,
                BERLIN,
                "2026-03-29T00:59:59Z",
                &["'2026-03-29 01:59:59'"],
                &["'2026-03-29 03:00:00'"],
            ),
        ]
    };
}

pub async fn moments_and_days_at_the_cutoff(fixture: &Fixture) {
    prove(fixture, &EPOCHS).await;
    let days: &[&str] = &["'2025-12-31'", "'1999-02-28'"];
    prove(fixture, &[case("{day}", "date", "2025-12-31", days, &["'2026-01-01'"])]).await;
    match fixture.kind {
        Kind::Postgresql => postgresql(fixture).await,
        Kind::Mariadb => mariadb(fixture).await,
        Kind::Sqlite => sqlite(fixture).await,
    }
}

async fn postgresql(fixture: &Fixture) {
    prove(
        fixture,
        &[
            case(
                "timestamptz",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00+00'", "'2026-01-01 01:00:00+01'"],
                &[
                    "'2026-01-01 00:00:00.000001+00'",
                    "'2025-12-31 23:30:00-01'",
                    "'infinity'",
                    "'-infinity'",
                ],
            ),
            case(
                "timestamp",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00'"],
                &["'2026-01-01 00:00:00.000001'"],
            ),
            case(
                "timestamptz(0)",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00+00'"],
                &["'2026-01-01 00:00:01+00'"],
            ),
        ],
    )
    .await;
}

async fn mariadb(fixture: &Fixture) {
    prove(
        fixture,
        &[
            case(
                "datetime(6)",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00'"],
                &["'2026-01-01 00:00:00.000001'"],
            ),
            case(
                "datetime",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00'"],
                &["'2026-01-01 00:00:01'"],
            ),
            // The fixture's session is in UTC, the server's own zone is +05:30.
            case(
                "timestamp(6) NULL",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00'"],
                &["'2026-01-01 00:00:00.000001'"],
            ),
            case(
                "timestamp NULL",
                "timestamp",
                NEW_YEAR,
                &["'2026-01-01 00:00:00'"],
                &["'2026-01-01 00:00:01'"],
            ),
        ],
    )
    .await;
}

async fn sqlite(fixture: &Fixture) {
    prove(
        fixture,
        &[
            case(
                "text",
                "timestamp",
                NEW_YEAR,
                &[
                    "'2026-01-01T00:00:00Z'",
                    "'2026-01-01T00:00:00.000000Z'",
                    "'2026-01-01 00:00:00'",
                    "'2026-01-01T00:00:00'",
                    "'2026-01-01T02:00:00+02:00'",
                    "'2025-12-31T19:00:00-05:00'",
                    "'2026-01-01 01:00:00.000+01:00'",
                ],
                &[
                    "'2026-01-01T00:00:01Z'",
                    "'2026-01-01T00:00:00.001Z'",
                    "'2026-01-01 00:00:01'",
                    "'2026-01-01T01:00:00-01:00'",
                    "'2025-12-31T23:59:59-05:00'",
                ],
            ),
            case(
                "datetime",
                "timestamp",
                NEW_YEAR,
                &["'2025-12-31 23:59:59'"],
                &["'2026-01-01 00:00:01'"],
            ),
        ],
    )
    .await;
}

pub async fn local_time_around_the_change_of_clocks(fixture: &Fixture) {
    match fixture.kind {
        Kind::Postgresql => prove(fixture, &berlin!("timestamp")).await,
        Kind::Mariadb => prove(fixture, &berlin!("datetime")).await,
        Kind::Sqlite => prove(fixture, &berlin!("text")).await,
    }
}

/// A text that is no moment is not due, and is not silently taken for a very early one.
pub async fn text_that_is_no_moment_is_never_due(fixture: &Fixture) {
    prove(
        fixture,
        &[case(
            "text",
            "timestamp",
            NEW_YEAR,
            &["'2020-01-01T00:00:00Z'"],
            &["''", "'soon'", "'0000-00-00'", "'2025'", "'12/31/2025'"],
        )],
    )
    .await;
}
