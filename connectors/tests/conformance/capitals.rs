//! Capitals: an address in mixed case that nobody typed is found where the field says that they do
//! not count, through an index where there is one, and nobody else is.

use quietus_connectors::{FieldType, Order, Predicate};

use crate::drafting::{Draft, deleted, done, draft, list, listed, order, text};
use crate::fixture::{Fixture, Kind};
use crate::resolution::{counted, numbers, question};

/// People whose addresses differ by capitals, by an accent, by a blank, and at all.
const PEOPLE: &str = "INSERT INTO people VALUES
    (1, 'grace@mail.example'), (2, 'GrAcE@Mail.Example'), (3, 'GRACE@MAIL.EXAMPLE'),
    (4, 'gräce@mail.example'), (5, 'grace@mail.example '), (6, 'grace@mail.examples'),
    (7, NULL), (8, 'alan@mail.example')";

/// A table whose own equality tells capitals apart, but for MariaDB's usual collation.
async fn people(fixture: &Fixture) {
    let email = match fixture.kind {
        Kind::Mariadb => "varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        _ => "{text}",
    };
    fixture.sql(&format!("CREATE TABLE people (id {{bigint}} PRIMARY KEY, email {email})")).await;
    fixture.verbatim(PEOPLE).await;
}

fn asked(fixture: &Fixture, fields: &str, change: impl Fn(Draft) -> Draft) -> Order {
    let mut order = order("capitals", [change(draft(fixture, fields))]);
    order.lists = vec![list(&[FieldType::Text], vec![vec![text("Grace@mail.example")]])];
    order
}

async fn found(fixture: &Fixture, fields: &str) -> Vec<i64> {
    let questions = [question("people", listed(&["email"], 0), &["id"], 100)];
    let order = asked(fixture, fields, |draft| draft);
    let answers = fixture.connector().resolve(&order, &questions).await.expect("answers");
    numbers(&answers[0], "id")
}

const IGNORING: &str = "people: id integer, email text ignore_case";
const EXACT: &str = "people: id integer, email text";

pub async fn do_not_count_where_the_field_says_so(fixture: &Fixture) {
    people(fixture).await;
    assert_eq!(found(fixture, EXACT).await, Vec::<i64>::new());
    assert_eq!(found(fixture, IGNORING).await, [1, 2, 3]);
    // The same with an index that serves it, and where the field's own equality is exact.
    match fixture.kind {
        Kind::Mariadb => {
            fixture.verbatim("CREATE INDEX people_email ON people (email)").await;
            assert_eq!(found(fixture, IGNORING).await, [1, 2, 3]);
            let exact = "ALTER TABLE people MODIFY email varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
            fixture.verbatim(exact).await;
        }
        _ => fixture.verbatim("CREATE INDEX people_email ON people (lower(email))").await,
    }
    assert_eq!(found(fixture, EXACT).await, Vec::<i64>::new());
    assert_eq!(found(fixture, IGNORING).await, [1, 2, 3]);
    // Whoever is held is held under every spelling.
    let held = asked(fixture, IGNORING, |draft| {
        draft.delete(Predicate::Always).held(listed(&["email"], 0))
    });
    let outcome = done(fixture.connector().as_ref(), &held).await;
    // MariaDB takes blanks at the end for nothing, and a hold covers what the field takes for the
    // same.
    let kept: &[i64] = if fixture.kind == Kind::Mariadb { &[1, 2, 3, 5] } else { &[1, 2, 3] };
    assert_eq!(deleted(&outcome, "people"), 8 - kept.len() as u64);
    assert_eq!(fixture.ids("people").await, kept);
    let mut erased = asked(fixture, IGNORING, |draft| draft.delete(listed(&["email"], 0)));
    "erased".clone_into(&mut erased.key);
    let outcome = done(fixture.connector().as_ref(), &erased).await;
    assert_eq!(deleted(&outcome, "people"), 3);
    assert_eq!(fixture.ids("people").await, kept[3..]);
    let verified = fixture.connector().verify(&erased).await.expect("a second look");
    assert!(verified.survivors.is_empty(), "{:?}", verified.survivors);
}

pub async fn in_the_way_of_an_index_are_told(fixture: &Fixture) {
    people(fixture).await;
    let order = asked(fixture, IGNORING, |draft| draft.delete(listed(&["email"], 0)));
    let told = async || fixture.connector().check(&order).await.expect("health").read_throughout;
    let words = told().await;
    assert_eq!(words.len(), 1, "{words:?}");
    assert!(words[0].starts_with("`people.email`: create an index on "), "{words:?}");
    match fixture.kind {
        Kind::Mariadb => fixture.verbatim("CREATE INDEX one ON people (email)").await,
        _ => {
            fixture.verbatim("CREATE INDEX one ON people (email)").await;
            assert_eq!(told().await.len(), 1, "an index that tells capitals apart does not serve");
            fixture.verbatim("CREATE INDEX two ON people (lower(email))").await;
        }
    }
    assert_eq!(told().await, Vec::<String>::new());
    let exact = asked(fixture, EXACT, |draft| draft.delete(listed(&["email"], 0)));
    let health = fixture.connector().check(&exact).await.expect("health");
    assert_eq!(health.read_throughout, Vec::<String>::new());
}

/// Twenty thousand people with addresses in mixed case, and the index that serves them.
async fn crowd(fixture: &Fixture) {
    let email = match fixture.kind {
        Kind::Mariadb => "varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        _ => "{text}",
    };
    fixture.sql(&format!("CREATE TABLE crowd (id {{bigint}} PRIMARY KEY, email {email})")).await;
    for start in (0..20_000).step_by(4_000) {
        let row = |id: i64| format!("({id}, 'PersoN{id}@Mail.Example')");
        let rows: Vec<String> = (start..start + 4_000).map(row).collect();
        fixture.verbatim(&format!("INSERT INTO crowd VALUES {}", rows.join(", "))).await;
    }
    let (index, analyse) = match fixture.kind {
        Kind::Postgresql => ("lower(email)", "VACUUM ANALYZE crowd"),
        Kind::Mariadb => ("email", "ANALYZE TABLE crowd"),
        Kind::Sqlite => ("lower(email)", "ANALYZE"),
    };
    fixture.verbatim(&format!("CREATE INDEX crowd_email ON crowd ({index})")).await;
    fixture.verbatim(analyse).await;
}

pub async fn are_passed_over_through_an_index(fixture: &Fixture) {
    crowd(fixture).await;
    if fixture.kind == Kind::Mariadb {
        fixture.verbatim("SET GLOBAL userstat = 1").await;
    }
    let mut order =
        order("capitals", [draft(fixture, "crowd: id integer, email text ignore_case")]);
    let addresses =
        (0..40).map(|number| vec![text(&format!("person{}@mail.example", number * 400))]);
    order.lists = vec![list(&[FieldType::Text], addresses.collect())];
    let questions = [question("crowd", listed(&["email"], 0), &["id"], 100)];
    let before = counted(fixture).await;
    let answers = fixture.connector().resolve(&order, &questions).await.expect("answers");
    let expected: Vec<i64> = (0..40).map(|number| number * 400).collect();
    assert_eq!(numbers(&answers[0], "id"), expected);
    let (Some(before), Some(mut after)) = (before, counted(fixture).await) else { return };
    for _ in 0..50 {
        if after.1 > before.1 {
            break;
        }
        // The server writes down what it counted a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        after = counted(fixture).await.unwrap_or(after);
    }
    let (read, through_an_index) = (after.0 - before.0, after.1 - before.1);
    match fixture.kind {
        Kind::Postgresql => assert_eq!(read, 0, "the whole table was read"),
        _ => assert!(read <= 200, "{read} records were read"),
    }
    assert!(through_an_index >= 40, "no index was used: {before:?} {after:?}");
}
