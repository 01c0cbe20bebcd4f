//! Every strategy on every type it makes sense for: the value it leaves, and nothing the second
//! time.

use quietus_connectors::{Fault, Predicate, Receipt, Strategy, Value};

use crate::drafting::{
    Onward, day, done_as_previewed, draft, forget, moment, order, refused, text, treated,
};
use crate::fixture::{Fixture, Kind};

/// A column, its declared type, and literals before and after.
struct Case {
    column: String,
    mapped: String,
    strategy: Strategy,
    pairs: Vec<(String, String)>,
}

fn case(column: &str, mapped: &str, strategy: Strategy, pairs: &[(&str, &str)]) -> Case {
    let pairs = pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    Case { column: column.to_owned(), mapped: mapped.to_owned(), strategy, pairs }
}

/// Pairs of moments.
fn moments(kind: Kind, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(from, to)| (kind.moment(from), kind.moment(to))).collect()
}

async fn prove(fixture: &Fixture, cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let name = format!("{:?} on {} ({})", case.strategy, case.column, case.mapped);
        fixture
            .sql(&format!("CREATE TABLE things (id {{bigint}} PRIMARY KEY, value {})", case.column))
            .await;
        for (id, (before, _)) in case.pairs.iter().enumerate() {
            fixture.verbatim(&format!("INSERT INTO things VALUES ({id}, {before})")).await;
        }
        let things = draft(fixture, &format!("things: id integer, value {}", case.mapped))
            .anonymise("value", Predicate::Always, "value", case.strategy.clone());
        let order = order("strategy", [things]);
        let outcome = done_as_previewed(&*fixture.connector(), &order).await;
        let changed = case.pairs.iter().filter(|(before, after)| before != after).count();
        let counted = treated(&outcome, "things", "value");
        // The text of a moment may be written anew in another form, and is counted then.
        let rewritten = fixture.kind == Kind::Sqlite && case.mapped == "timestamp";
        assert!(counted == changed as u64 || rewritten && counted > changed as u64, "{name}");
        for (id, (before, after)) in case.pairs.iter().enumerate() {
            let same = same_value(fixture.kind, &case.mapped, after);
            let query = format!("SELECT COUNT(*) FROM things WHERE id = {id} AND {same}");
            let found = fixture.column(&query).await;
            assert_eq!(found, ["1"], "{name}: {before} becomes {after}");
        }
        fixture.sql("DROP TABLE things").await;
        forget(&*fixture.connector(), &order).await;
    }
}

/// A condition that tells whether `value` is the literal.
fn same_value(kind: Kind, mapped: &str, literal: &str) -> String {
    match kind {
        Kind::Postgresql => format!("value IS NOT DISTINCT FROM {literal}"),
        Kind::Mariadb if mapped == "text" && literal != "NULL" => {
            format!("CAST(value AS BINARY) = CAST({literal} AS BINARY)")
        }
        Kind::Mariadb => format!("value <=> {literal}"),
        // The text of a moment may be written in another way.
        Kind::Sqlite if mapped == "timestamp" => {
            format!("julianday(value) IS julianday({literal})")
        }
        Kind::Sqlite => format!("value IS {literal}"),
    }
}

pub async fn null_empties_every_type(fixture: &Fixture) {
    let json = if fixture.kind == Kind::Sqlite { "'[1]'" } else { "'{\"a\": 1}'" };
    let moment = fixture.kind.moment("2025-06-01T00:00:00Z");
    let bytes = if fixture.kind == Kind::Postgresql { "'\\x00ff'" } else { "x'00ff'" };
    let uuid = "'0a0b0c0d-0000-4000-8000-000000000001'";
    let types = [
        ("{text}", "text", "'x'"),
        ("{text}", "text", "''"),
        ("{bigint}", "integer", "0"),
        ("{decimal}", "decimal", "1.50"),
        ("{float}", "float", "1.5"),
        ("{boolean}", "boolean", "FALSE"),
        ("{moment}", "timestamp", &moment),
        ("{day}", "date", "'2025-06-01'"),
        ("{uuid}", "uuid", uuid),
        ("{bytes}", "binary", bytes),
        ("{json}", "json", json),
        ("{address}", "address", "'192.0.2.7'"),
    ];
    for (column, mapped, literal) in types {
        let pairs = [(literal, "NULL"), ("NULL", "NULL")];
        prove(fixture, [case(column, mapped, Strategy::Null, &pairs)]).await;
    }
    if fixture.kind == Kind::Postgresql {
        fixture.sql("CREATE TABLE things (id {bigint} PRIMARY KEY, value point)").await;
        fixture.sql("INSERT INTO things VALUES (1, '(1,2)'), (2, NULL)").await;
        let things = draft(fixture, "things: id integer, value other");
        let things = things.clear("value", Predicate::Always, &["value"]);
        let outcome = done_as_previewed(&*fixture.connector(), &order("point", [things])).await;
        assert_eq!(treated(&outcome, "things", "value"), 1);
    }
}

pub async fn constants_of_every_type(fixture: &Fixture) {
    let constant = Strategy::Constant;
    let at = moment("1970-01-01T00:00:00Z");
    let (before, after) =
        (fixture.kind.moment("2025-06-01T00:00:00Z"), fixture.kind.moment("1970-01-01T00:00:00Z"));
    let zero = "'00000000-0000-0000-0000-000000000000'";
    let uuid = "'0a0b0c0d-0000-4000-8000-000000000001'";
    prove(
        fixture,
        [
            case(
                "{text} NOT NULL",
                "text",
                constant(text("erased")),
                &[
                    ("'Ann'", "'erased'"),
                    ("'erased'", "'erased'"),
                    ("''", "'erased'"),
                    ("'o''neil'", "'erased'"),
                ],
            ),
            case("{text} NOT NULL", "text", constant(text("")), &[("'Ann'", "''"), ("''", "''")]),
            case(
                "{bigint} NOT NULL",
                "integer",
                constant(Value::Integer(0)),
                &[("7", "0"), ("0", "0"), ("-7", "0")],
            ),
            case(
                "{decimal} NOT NULL",
                "decimal",
                constant(Value::Decimal("0.5".to_owned())),
                &[("7.25", "0.5"), ("0.5", "0.5")],
            ),
            case(
                "{boolean} NOT NULL",
                "boolean",
                constant(Value::Boolean(false)),
                &[("TRUE", "FALSE"), ("FALSE", "FALSE")],
            ),
            case(
                "{day} NOT NULL",
                "date",
                constant(Value::Date(day("1900-01-01"))),
                &[("'1971-05-17'", "'1900-01-01'"), ("'1900-01-01'", "'1900-01-01'")],
            ),
            case(
                "{moment} NOT NULL",
                "timestamp",
                constant(Value::Timestamp(at)),
                &[(&before, &after), (&after, &after)],
            ),
            case(
                "{uuid} NOT NULL",
                "uuid",
                constant(Value::Uuid(uuid::Uuid::nil())),
                &[(uuid, zero), (zero, zero)],
            ),
        ],
    )
    .await;
}

pub async fn days_and_moments_lose_their_detail(fixture: &Fixture) {
    let days = [
        case(
            "{day}",
            "date",
            Strategy::TruncateToMonth,
            &[
                ("'1971-05-17'", "'1971-05-01'"),
                ("'1971-05-01'", "'1971-05-01'"),
                ("'2024-02-29'", "'2024-02-01'"),
                ("NULL", "NULL"),
            ],
        ),
        case(
            "{day}",
            "date",
            Strategy::TruncateToYear,
            &[
                ("'1971-05-17'", "'1971-01-01'"),
                ("'1971-01-01'", "'1971-01-01'"),
                ("'1971-01-31'", "'1971-01-01'"),
                ("NULL", "NULL"),
            ],
        ),
    ];
    prove(fixture, days).await;
    // In UTC, whatever the zone of the server: both are in the evening before in New York.
    let months = moments(
        fixture.kind,
        &[
            ("2025-06-01T00:30:00Z", "2025-06-01T00:00:00Z"),
            ("2025-05-31T23:30:00Z", "2025-05-01T00:00:00Z"),
            ("2025-06-01T00:00:00Z", "2025-06-01T00:00:00Z"),
            ("2025-06-01T00:00:00.000001Z", "2025-06-01T00:00:00Z"),
        ],
    );
    let years = moments(
        fixture.kind,
        &[
            ("2025-01-01T00:30:00Z", "2025-01-01T00:00:00Z"),
            ("2024-12-31T23:30:00Z", "2024-01-01T00:00:00Z"),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ],
    );
    for (strategy, pairs) in
        [(Strategy::TruncateToMonth, months), (Strategy::TruncateToYear, years)]
    {
        let (column, mapped) = ("{moment}".to_owned(), "timestamp".to_owned());
        prove(fixture, [Case { column, mapped, strategy, pairs }]).await;
    }
}

/// 1748736000 is 2025-06-01T00:00:00Z.
pub async fn moments_kept_as_numbers_lose_their_detail(fixture: &Fixture) {
    prove(
        fixture,
        [
            case(
                "bigint",
                "timestamp epoch_seconds",
                Strategy::TruncateToMonth,
                &[
                    ("1748739600", "1748736000"),
                    ("1748736000", "1748736000"),
                    ("1748735999", "1746057600"),
                    ("NULL", "NULL"),
                ],
            ),
            case(
                "bigint",
                "timestamp epoch_milliseconds",
                Strategy::TruncateToMonth,
                &[("1748739600123", "1748736000000"), ("1748736000000", "1748736000000")],
            ),
            case(
                "bigint",
                "timestamp epoch_microseconds",
                Strategy::TruncateToMonth,
                &[
                    ("1748739600123456", "1748736000000000"),
                    ("1748736000000000", "1748736000000000"),
                ],
            ),
        ],
    )
    .await;
}

pub async fn addresses_lose_their_last_part(fixture: &Fixture) {
    let column = if fixture.kind == Kind::Postgresql { "inet" } else { "{address}" };
    let cases = [case(
        column,
        "address",
        Strategy::TruncateAddress,
        &[
            ("'192.0.2.77'", "'192.0.2.0'"),
            ("'192.0.2.0'", "'192.0.2.0'"),
            ("'10.1.2.255'", "'10.1.2.0'"),
            ("'2001:db8:85a3:8d3:1319:8a2e:370:7348'", "'2001:db8:85a3::'"),
            ("'2001:db8:85a3::'", "'2001:db8:85a3::'"),
            ("'2001:db8::1'", "'2001:db8::'"),
            ("'::1'", "'::'"),
            ("NULL", "NULL"),
        ],
    )];
    prove(fixture, cases).await;
    if fixture.kind == Kind::Postgresql {
        prove(
            fixture,
            [case(
                "text",
                "address",
                Strategy::TruncateAddress,
                &[
                    ("'192.0.2.77'", "'192.0.2.0'"),
                    ("'2001:db8:85a3:8d3:1319:8a2e:370:7348'", "'2001:db8:85a3::'"),
                    ("NULL", "NULL"),
                ],
            )],
        )
        .await;
    }
    if fixture.kind == Kind::Mariadb {
        prove(
            fixture,
            [case(
                "inet6",
                "address",
                Strategy::TruncateAddress,
                &[
                    ("'2001:db8:85a3:8d3:1319:8a2e:370:7348'", "'2001:db8:85a3::'"),
                    ("'2001:db8::'", "'2001:db8::'"),
                ],
            )],
        )
        .await;
    }
}

pub async fn numbers_become_the_lower_bound_of_their_band(fixture: &Fixture) {
    let pairs = [
        ("37", "30"),
        ("30", "30"),
        ("39", "30"),
        ("0", "0"),
        ("-1", "-10"),
        ("-10", "-10"),
        ("-11", "-20"),
        ("NULL", "NULL"),
    ];
    prove(
        fixture,
        [
            case("{bigint}", "integer", Strategy::Generalise { width: 10 }, &pairs),
            case("{decimal}", "decimal", Strategy::Generalise { width: 10 }, &pairs),
            case(
                "{decimal}",
                "decimal",
                Strategy::Generalise { width: 1_000 },
                &[("1234.56", "1000"), ("999.99", "0"), ("-0.01", "-1000")],
            ),
        ],
    )
    .await;
}

pub async fn text_keeps_its_first_characters_or_a_marker(fixture: &Fixture) {
    prove(
        fixture,
        [
            case(
                "{text}",
                "text",
                Strategy::KeepPrefix { characters: 2 },
                &[
                    ("'10115'", "'10'"),
                    ("'10'", "'10'"),
                    ("'1'", "'1'"),
                    ("''", "''"),
                    ("'äöü'", "'äö'"),
                    ("'日本語'", "'日本'"),
                    ("'12 '", "'12'"),
                    ("NULL", "NULL"),
                ],
            ),
            case(
                "{text}",
                "text",
                Strategy::Redact { marker: "[gone]".to_owned() },
                &[
                    ("'Ann'", "'[gone]'"),
                    ("'[gone]'", "'[gone]'"),
                    ("'[Gone]'", "'[gone]'"),
                    ("''", "'[gone]'"),
                ],
            ),
        ],
    )
    .await;
}

pub async fn unique_values_do_not_collide(fixture: &Fixture) {
    fixture
        .sql("CREATE TABLE people (id {bigint} PRIMARY KEY, email {text} NOT NULL UNIQUE)")
        .await;
    for id in 1..=50 {
        fixture.verbatim(&format!("INSERT INTO people VALUES ({id}, 'p{id}@example.org')")).await;
    }
    let people = draft(fixture, "people: id integer, email text").anonymise(
        "contact",
        Predicate::Always,
        "email",
        Strategy::Unique { prefix: "gone-".to_owned() },
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order("unique", [people])).await;
    assert_eq!(treated(&outcome, "people", "contact"), 50);
    let emails = fixture.column("SELECT email FROM people ORDER BY id").await;
    let distinct: std::collections::BTreeSet<&String> = emails.iter().collect();
    assert_eq!(distinct.len(), 50);
    for email in &emails {
        let digits = email.strip_prefix("gone-").expect("the prefix");
        assert_eq!(digits.len(), 32);
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

/// Values that only look like results: they must be replaced too.
pub async fn a_lookalike_of_a_unique_value_is_replaced(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, email {text} NOT NULL UNIQUE);
             INSERT INTO people VALUES (1, 'gone-ann@example.org'), (2, 'gone-'),
                (3, 'gone-0123456789abcdef0123456789abcdeg'),
                (4, 'gone-0123456789abcdef0123456789abcdef0')",
        )
        .await;
    let people = draft(fixture, "people: id integer, email text").anonymise(
        "contact",
        Predicate::Always,
        "email",
        Strategy::Unique { prefix: "gone-".to_owned() },
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order("lookalike", [people])).await;
    assert_eq!(treated(&outcome, "people", "contact"), 4);
    let named = "SELECT COUNT(*) FROM people WHERE email LIKE '%ann%'";
    assert_eq!(fixture.count(named).await, 0);
}

pub async fn null_where_it_is_not_allowed_is_refused(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, name {text}, email {text} NOT NULL);
             INSERT INTO people VALUES (1, 'Ann', 'ann@example.org'), (2, 'Bob', 'bob@example.org')",
        )
        .await;
    let before = fixture.content("people").await;
    let people = draft(fixture, "people: id integer, name text, email text")
        .clear("name", Predicate::Always, &["name"])
        .clear("contact", Predicate::Always, &["email"]);
    let order = order("not-null", [people]);
    let why = refused(&*fixture.connector(), &order).await;
    assert!(why.contains("people") && why.contains("email"), "{why}");
    assert_eq!(fixture.content("people").await, before);
    let counts = fixture.connector().preview(&order).await.expect("a preview");
    assert!(counts.refusals.join(" ").contains("email"), "{:?}", counts.refusals);
}

pub async fn a_generated_column_is_never_written(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, name {text},
                shout {text} GENERATED ALWAYS AS (upper(name)) STORED);
             INSERT INTO people (id, name) VALUES (1, 'ann'), (2, 'bob')",
        )
        .await;
    let fields = "people: id integer, name text, shout text";
    let base = draft(fixture, fields).clear("name", Predicate::Always, &["name"]);
    let outcome = done_as_previewed(&*fixture.connector(), &order("base", [base])).await;
    assert_eq!(treated(&outcome, "people", "name"), 2);
    let left = "SELECT COUNT(*) FROM people WHERE shout IS NOT NULL";
    assert_eq!(fixture.count(left).await, 0);
    let computed = draft(fixture, fields).clear("shout", Predicate::Always, &["shout"]);
    let why = refused(&*fixture.connector(), &order("computed", [computed])).await;
    assert!(why.contains("shout"), "{why}");
}

/// The database says no in the middle: nothing of that chunk stays, and it is no `Done`.
pub async fn a_violated_constraint_is_no_success(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, status {text},
                CONSTRAINT status_is_known CHECK (status IN ('active', 'left')));
             INSERT INTO people VALUES (1, 'active'), (2, 'left')",
        )
        .await;
    let before = fixture.content("people").await;
    let people = draft(fixture, "people: id integer, status text").anonymise(
        "status",
        Predicate::Always,
        "status",
        Strategy::Redact { marker: "gone".to_owned() },
    );
    let order = order("constraint", [people]);
    let receipt = fixture.connector().execute(&order, &Onward).await;
    match &receipt {
        Err(Fault::Rejected { .. } | Fault::Misconfigured { .. }) | Ok(Receipt::Refused { .. }) => {
        }
        other => panic!("expected a rejection, got {other:?}"),
    }
    let words = format!("{receipt:?}");
    assert!(words.contains("status_is_known") || words.contains("people"), "{words}");
    assert_eq!(fixture.content("people").await, before);
}
