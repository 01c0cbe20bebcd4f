//! Tests of the condition language.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Condition {
    Condition::parse(text).unwrap()
}

fn error(text: &str) -> (usize, String) {
    let error = Condition::parse(text).unwrap_err();
    (error.column, error.message)
}

#[test]
fn not_binds_stronger_than_and_and_and_stronger_than_or() {
    assert_eq!(
        parse("a = 1 or not b = 2 and c is null").to_string(),
        "a = 1 or (not b = 2 and c is null)"
    );
    assert_eq!(
        parse("(a = 1 or b = 2) and c is not null").to_string(),
        "(a = 1 or b = 2) and c is not null"
    );
    assert!(
        matches!(parse("a = 1 and b = 2 and c = 3"), Condition::And(parts) if parts.len() == 3)
    );
}

#[test]
fn the_example_of_the_handbook_is_read() {
    let text = "country = \"DE\" and not (status in [\"open\", \"new\"]) and amount >= 10 or cancelled_at is not null";
    assert_eq!(
        parse(text).to_string(),
        "(country = \"DE\" and status not in [\"open\", \"new\"] and amount >= 10) or cancelled_at is not null"
    );
}

#[test]
fn constants_have_types() {
    let condition = parse(
        "a in [1, -7, 7.50, \"x\", true, 2024-02-29, 2024-02-29T12:00:00Z, 2024-02-29T12:00:00+02:00]",
    );
    let Condition::OneOf { literals, .. } = condition else { panic!() };
    assert_eq!(literals[1], Literal::Integer(-7));
    assert_eq!(literals[2], Literal::Decimal("7.50".to_owned()));
    assert_eq!(literals[5], Literal::Date(jiff::civil::date(2024, 2, 29)));
    assert_eq!(literals[7], Literal::Timestamp("2024-02-29T10:00:00Z".parse().unwrap()));
}

#[test]
fn errors_name_the_column() {
    assert_eq!(error("country = DE"), (11, "`DE` is no constant".to_owned()));
    assert_eq!(error("ü = 'DE'"), (5, "text stands in double quotes here".to_owned()));
    assert_eq!(error("a = 1 b = 2"), (7, "expected `and`, `or` or the end, found `b`".to_owned()));
    assert_eq!(error(""), (1, "expected an attribute, found the end".to_owned()));
    assert_eq!(error("(a = 1"), (7, "expected `)`, found the end".to_owned()));
    assert_eq!(error("a = null"), (5, "nothing equals `null`".to_owned()));
    assert_eq!(error("a = 1 AND b = 2"), (7, "`AND` is written `and`".to_owned()));
    assert_eq!(error("a in []"), (7, "expected a constant, found `]`".to_owned()));
    assert_eq!(
        error("a = 99999999999999999999"),
        (5, "`99999999999999999999` is no number, day or moment".to_owned())
    );
    assert_eq!(error("1 = 1; DROP TABLE x"), (6, "`;` means nothing here".to_owned()));
    assert_eq!(error("a = 2023-02-29").0, 5);
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}a = 1{}", "(".repeat(40), ")".repeat(40));
    assert!(error(&deep).1.contains("levels"));
    assert!(error(&format!("{}a = 1", "not ".repeat(40))).1.contains("too often"));
    assert!(error(&"x".repeat(5_000)).1.contains("longer"));
    // Neighbours are no levels.
    let wide = vec!["(a = 1)"; 100].join(" and ");
    assert!(Condition::parse(&wide).is_ok());
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(Literal::Text),
        any::<i64>().prop_map(Literal::Integer),
        (any::<i32>(), 0_u32..1000)
            .prop_map(|(left, right)| Literal::Decimal(format!("{left}.{right:03}"))),
        any::<bool>().prop_map(Literal::Boolean),
        (1_i16..=9999, 1_i8..=12, 1_i8..=28)
            .prop_map(|(year, month, day)| Literal::Date(jiff::civil::date(year, month, day))),
        (0_i64..4_000_000_000_000_000)
            .prop_map(|at| Literal::Timestamp(Timestamp::from_microsecond(at).unwrap())),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let name = "[a-z_][a-z0-9_]{0,8}(\\.[a-z]{1,4})?".prop_filter("a word", |name| {
        !WORDS.contains(&name.as_str()) && name != "true" && name != "false"
    });
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ];
    let leaf = prop_oneof![
        (name.clone(), comparison, literal()).prop_map(|(attribute, comparison, literal)| {
            Condition::Compare { attribute, comparison, literal }
        }),
        (name.clone(), prop::collection::vec(literal(), 1..4))
            .prop_map(|(attribute, literals)| Condition::OneOf { attribute, literals }),
        name.prop_map(Condition::Absent),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(condition in condition()) {
        let text = condition.to_string();
        prop_assume!(text.len() <= MOST_BYTES);
        prop_assert_eq!(Condition::parse(&text).unwrap(), condition);
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        drop(Condition::parse(&text));
    }

    #[test]
    fn never_panics_on_near_conditions(
        text in "([a-c]|and|or|not|in|is|null| |=|<|>|!|\\(|\\)|\\[|\\]|,|\"|\\\\|[0-9.:TZ-]|ü){0,40}",
    ) {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(error.column <= text.chars().count() + 1);
        }
    }
}
