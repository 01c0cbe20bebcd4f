//! Values as older applications and looser drivers left them: days of zeros, UUIDs in capitals,
//! numbers in columns of text, links between text and numbers.

use quietus_connectors::{
    Comparison, FieldType, Predicate, Restriction, Strategy, TreatmentKind, Value,
};

use crate::drafting::{
    CUTOFF, compare, deleted, done, done_as_previewed, draft, due, equal, field, forget,
    latest_due, list, listed, order, preview, refused, text, treated,
};
use crate::fixture::{Fixture, Kind};

const UUIDS: [&str; 6] = [
    "6fa459ea-ee8a-4ca4-894e-db77e160355a",
    "6FA459EA-EE8A-4CA4-894E-DB77E160355B",
    "6fa459eaee8a4ca4894edb77e160355c",
    "6FA459EAEE8A4CA4894EDB77E160355D",
    "6fa459ea-ee8a-4ca4-894e-db77e160355e",
    "6FA459EAEE8A4CA4894EDB77E160355F",
];

async fn tokens(fixture: &Fixture) {
    fixture.sql("CREATE TABLE tokens (id {bigint} PRIMARY KEY, owner varchar(36))").await;
    for (number, uuid) in UUIDS.iter().enumerate() {
        fixture.sql(&format!("INSERT INTO tokens VALUES ({number}, '{uuid}')")).await;
    }
}

fn uuid(text: &str) -> Value {
    Value::Uuid(text.parse().expect("a UUID"))
}

/// Whatever its capitals and hyphens, a held UUID is held and one that is due is due.
pub async fn a_uuid_kept_as_text_is_known_in_every_form(fixture: &Fixture) {
    tokens(fixture).await;
    let all = UUIDS.iter().map(|one| vec![uuid(one)]).collect();
    let tokens = draft(fixture, "tokens: id integer, owner uuid")
        .delete(listed(&["owner"], 0))
        .held(Predicate::any([
            listed(&["owner"], 1),
            compare("owner", Comparison::Equal, uuid(UUIDS[3])),
        ]));
    let mut order = order("uuids", [tokens]);
    order.lists = vec![
        list(&[FieldType::Uuid], all),
        list(&[FieldType::Uuid], vec![vec![uuid(UUIDS[1])], vec![uuid(UUIDS[2])]]),
    ];
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "tokens"), 3);
    assert_eq!(fixture.ids("tokens").await, [1, 2, 3]);
    let others = draft(fixture, "tokens: id integer, owner uuid").delete(compare(
        "owner",
        Comparison::NotEqual,
        uuid(UUIDS[1]),
    ));
    let order = crate::drafting::order("others", [others]);
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("tokens").await, [1]);
}

/// SQLite's drivers write a UUID as its bytes.
pub async fn a_uuid_kept_as_bytes_in_a_column_of_text_is_known(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE tokens (id {bigint} PRIMARY KEY, owner TEXT);
             INSERT INTO tokens VALUES (1, x'6fa459eaee8a4ca4894edb77e160355a'), (2, 'nobody')",
        )
        .await;
    let tokens = draft(fixture, "tokens: id integer, owner uuid")
        .delete(Predicate::Always)
        .held(listed(&["owner"], 0));
    let mut order = order("bytes", [tokens]);
    order.lists = vec![list(&[FieldType::Uuid], vec![vec![uuid(UUIDS[0])]])];
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("tokens").await, [1]);
}

async fn members(fixture: &Fixture) {
    fixture
        .verbatim(
            "SET SESSION sql_mode = '';
             CREATE TABLE members (id BIGINT PRIMARY KEY, left_at DATETIME NOT NULL,
                seen_at TIMESTAMP NULL, born_on DATE);
             INSERT INTO members VALUES
                (1, '2025-01-01', NULL, '1990-05-06'), (2, '0000-00-00', NULL, '0000-00-00'),
                (3, '2025-00-01', NULL, '1990-00-00'), (4, '2025-01-00', NULL, NULL),
                (5, '2026-05-01', '0000-00-00', '1990-05-06'),
                (6, '0000-00-00', '0000-00-00', '1990-05-06'),
                (7, '2025-01-01', '0000-00-00', '1990-05-06')",
        )
        .await;
}

const MEMBERS: &str = "members: id integer, left_at timestamp, seen_at timestamp, born_on date";

/// `0000-00-00` says that nobody has left, and is before every cutoff.
pub async fn a_day_of_zeros_is_never_due(fixture: &Fixture) {
    members(fixture).await;
    let connector = fixture.connector();
    let absent = |name: &str| Predicate::Absent(field(name));
    let born = |cutoff: &str| due("born_on", cutoff);
    let early =
        compare("left_at", Comparison::Less, Value::Timestamp(CUTOFF.parse().expect("a moment")));
    let probed = draft(fixture, MEMBERS)
        .probe("due", due("left_at", CUTOFF))
        .probe("not due", due("left_at", CUTOFF).negate())
        .probe("either", latest_due(&["left_at", "seen_at"], CUTOFF))
        .probe("early", early.clone())
        .probe("not early", Predicate::Not(Box::new(early)))
        .probe("absent", absent("left_at"))
        .probe("present", Predicate::Not(Box::new(absent("left_at"))))
        .probe("born", born("2000-01-01"));
    let counts = preview(&*connector, &order("probed", [probed])).await;
    let count = |name: &str| counts.collections[0].probes[name];
    assert_eq!((count("due"), count("not due"), count("either")), (2, 5, 2));
    assert_eq!((count("early"), count("not early")), (2, 5));
    assert_eq!((count("absent"), count("present"), count("born")), (4, 3, 4));
    let key = [("id".to_owned(), Value::Integer(2))].into();
    let fields = [field("left_at"), field("born_on")];
    let reading = order("read", [draft(fixture, MEMBERS)]);
    let read = connector.inspect(&reading, "members", &key, &fields).await;
    let record = read.expect("readable").expect("there");
    assert!(record["left_at"] == Value::Null && record["born_on"] == Value::Null);
    let going = draft(fixture, MEMBERS).delete(due("left_at", CUTOFF)).treat(
        "birth",
        TreatmentKind::Anonymise,
        Predicate::Always,
        [("born_on", Strategy::TruncateToYear)],
    );
    let outcome = done_as_previewed(&*connector, &order("zeros", [going])).await;
    assert_eq!((deleted(&outcome, "members"), treated(&outcome, "members", "birth")), (2, 2));
    assert_eq!(fixture.ids("members").await, [2, 3, 4, 5, 6]);
}

const LOGINS: &str = "logins: id integer, seen_at timestamp epoch_seconds, \
    left_at timestamp epoch_seconds, made_on date epoch_seconds";

/// 0 is what a column of numbers has by default, and -1 what programs write for "none"; as moments both
/// are older than every cutoff.
pub async fn a_number_that_says_none_is_never_due(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE logins (id {bigint} PRIMARY KEY, seen_at {bigint}, left_at {bigint},
                 made_on {bigint});
             INSERT INTO logins VALUES
                (1, 1000, NULL, 1577833200), (2, 0, NULL, 0), (3, -1, NULL, -1),
                (4, NULL, NULL, NULL), (5, 0, 1000, 1577836800), (6, 1893456000, 0, 0)",
        )
        .await;
    let connector = fixture.connector();
    let absent = |name: &str| Predicate::Absent(field(name));
    let probed = draft(fixture, LOGINS)
        .probe("due", due("seen_at", CUTOFF))
        .probe("not due", due("seen_at", CUTOFF).negate())
        .probe("either", latest_due(&["seen_at", "left_at"], CUTOFF))
        .probe("absent", absent("seen_at"))
        .probe("present", Predicate::Not(Box::new(absent("seen_at"))))
        .probe("made by the 31st", due("made_on", "2019-12-31"))
        .probe("made by the 1st", due("made_on", "2020-01-01"));
    let counts = preview(&*connector, &order("probed", [probed])).await;
    let count = |name: &str| counts.collections[0].probes[name];
    assert_eq!((count("due"), count("not due"), count("either")), (1, 5, 2));
    assert_eq!((count("absent"), count("present")), (4, 2));
    assert_eq!((count("made by the 31st"), count("made by the 1st")), (0, 2));
    let fields = [field("seen_at"), field("made_on")];
    let read = async |id: i64| {
        let key = [("id".to_owned(), Value::Integer(id))].into();
        let reading = order("read", [draft(fixture, LOGINS)]);
        let read = connector.inspect(&reading, "logins", &key, &fields).await;
        let record = read.expect("readable").expect("there");
        (record["seen_at"].clone(), record["made_on"].clone())
    };
    // Local midnight in Berlin: read as it is compared.
    assert_eq!(read(1).await.1, Value::Date("2020-01-01".parse().expect("a day")));
    assert_eq!(read(2).await, (Value::Null, Value::Null));
    assert_eq!(read(3).await, (Value::Null, Value::Null));
    let going = draft(fixture, LOGINS).delete(due("seen_at", CUTOFF)).treat(
        "login",
        TreatmentKind::Anonymise,
        Predicate::Always,
        [("made_on", Strategy::TruncateToYear)],
    );
    let outcome = done_as_previewed(&*connector, &order("none", [going])).await;
    assert_eq!((deleted(&outcome, "logins"), treated(&outcome, "logins", "login")), (1, 0));
    assert_eq!(fixture.ids("logins").await, [2, 3, 4, 5, 6]);
    assert_eq!(read(3).await.1, Value::Null);
}

/// PostgreSQL's `-infinity` is before every cutoff.
pub async fn a_moment_before_all_others_is_never_due(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE stays (id bigint PRIMARY KEY, began timestamptz, local timestamp, day date);
             INSERT INTO stays VALUES
                (1, '2020-01-01Z', '2020-01-01', '2020-01-01'),
                (2, '-infinity', '-infinity', '-infinity'), (3, NULL, NULL, NULL),
                (4, 'infinity', 'infinity', 'infinity')",
        )
        .await;
    let connector = fixture.connector();
    let fields = "stays: id integer, began timestamp, local timestamp, day date";
    let absent = |name: &str| Predicate::Absent(field(name));
    let probed = draft(fixture, fields)
        .probe("began", due("began", CUTOFF))
        .probe("local", due("local", CUTOFF))
        .probe("day", due("day", "2026-01-01"))
        .probe("absent", absent("began"))
        .probe("no day", absent("day"));
    let counts = preview(&*connector, &order("probed", [probed])).await;
    let count = |name: &str| counts.collections[0].probes[name];
    assert_eq!((count("began"), count("local"), count("day")), (1, 1, 1));
    assert_eq!((count("absent"), count("no day")), (2, 2));
    let key = [("id".to_owned(), Value::Integer(2))].into();
    let reading = order("read", [draft(fixture, fields)]);
    let read = connector.inspect(&reading, "stays", &key, &[field("began"), field("day")]).await;
    let record = read.expect("readable").expect("there");
    assert!(record["began"] == Value::Null && record["day"] == Value::Null);
    let going = draft(fixture, fields).delete(due("began", CUTOFF));
    let outcome = done_as_previewed(&*connector, &order("first", [going])).await;
    assert_eq!(deleted(&outcome, "stays"), 1);
    assert_eq!(fixture.ids("stays").await, [2, 3, 4]);
}

/// `12abc` would be 12, and another customer's starting point would take the order along.
pub async fn a_link_between_text_and_numbers_is_refused(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE customers (id {bigint} PRIMARY KEY, left_at {moment});
             CREATE TABLE orders (id {bigint} PRIMARY KEY, customer {text});
             INSERT INTO customers VALUES (12, {@2025-01-01T00:00:00Z});
             INSERT INTO orders VALUES (1, '12abc'), (2, '12')",
        )
        .await;
    let orders = draft(fixture, "orders: id integer, customer text")
        .link("customers", &[("customer", "id")])
        .delete(due("customers.left_at", CUTOFF));
    let customers = draft(fixture, "customers: id integer, left_at timestamp").keep();
    let order = order("text-link", [orders, customers]);
    if fixture.kind == Kind::Sqlite {
        done(&*fixture.connector(), &order).await;
        assert_eq!(fixture.ids("orders").await, [1]);
    } else {
        let why = refused(&*fixture.connector(), &order).await;
        assert!(fixture.kind == Kind::Postgresql || why.contains("text with numbers"), "{why}");
        assert_eq!(fixture.ids("orders").await, [1, 2]);
    }
}

/// As text `10` is less than `5`, and any text is more than every number.
pub async fn numbers_in_columns_of_text_compare_as_numbers(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE sums (id INTEGER PRIMARY KEY, worded TEXT, counted INTEGER, loose, paid BOOLEAN);
             INSERT INTO sums VALUES
                (1, '10', 10, '10', 't'), (2, '3', 3, 3, 'f'), (3, 'many', 'many', 'many', 'maybe'),
                (4, '-7.5', -7, x'00', 0), (5, NULL, NULL, NULL, NULL), (6, '1-2', '1-2', '1.2.3', 1)",
        )
        .await;
    let fields = "sums: id integer, worded decimal, counted integer, loose decimal, paid boolean";
    let numbers = |name: &str, comparison| compare(name, comparison, Value::Integer(5));
    let probed = draft(fixture, fields)
        .probe("worded <", numbers("worded", Comparison::Less))
        .probe("worded >", numbers("worded", Comparison::Greater))
        .probe("not worded <", numbers("worded", Comparison::Less).negate())
        .probe("counted >", numbers("counted", Comparison::Greater))
        .probe("not counted >", numbers("counted", Comparison::Greater).negate())
        .probe("loose >", numbers("loose", Comparison::Greater))
        .probe("paid", equal("paid", true))
        .probe("unpaid", compare("paid", Comparison::NotEqual, Value::Boolean(true)));
    let counts = preview(&*fixture.connector(), &order("sums", [probed])).await;
    let count = |name: &str| counts.collections[0].probes[name];
    assert_eq!((count("worded <"), count("worded >"), count("not worded <")), (2, 1, 4));
    assert_eq!((count("counted >"), count("not counted >"), count("loose >")), (1, 5, 1));
    assert_eq!((count("paid"), count("unpaid")), (2, 2));
}

/// A constant is kept as its column keeps it, and then it is done.
pub async fn a_constant_that_the_column_rewrites_is_done_once(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE notes (id {bigint} PRIMARY KEY, content {json}, price {decimal});
             INSERT INTO notes VALUES (1, '[1]', 12.34)",
        )
        .await;
    let constant = |value: Value| Strategy::Constant(value);
    let notes = draft(fixture, "notes: id integer, content json, price decimal").treat(
        "content",
        TreatmentKind::Clear,
        Predicate::Always,
        [
            ("content", constant(text("{\"gone\":true}"))),
            ("price", constant(Value::Decimal("0.00".to_owned()))),
        ],
    );
    let order = order("constant", [notes]);
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(treated(&outcome, "notes", "content"), 1);
    assert_eq!(fixture.connector().verify(&order).await.expect("verified").survivors, []);
    forget(&*fixture.connector(), &order).await;
}

/// A moment with a fraction, against whole seconds: what lies between is neither before nor after.
pub async fn whole_seconds_compare_exactly_with_fractions(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE visits (id {bigint} PRIMARY KEY, at {bigint});
             INSERT INTO visits VALUES (1, 1735689599), (2, 1735689600), (3, 1735689601)",
        )
        .await;
    let at = Value::Timestamp("2025-01-01T00:00:00.5Z".parse().expect("a moment"));
    let compared = |comparison| compare("at", comparison, at.clone());
    let visits = draft(fixture, "visits: id integer, at timestamp epoch_seconds")
        .probe("<", compared(Comparison::Less))
        .probe(">=", compared(Comparison::GreaterOrEqual))
        .probe("not <", compared(Comparison::Less).negate());
    let counts = preview(&*fixture.connector(), &order("visits", [visits])).await;
    let probes = &counts.collections[0].probes;
    assert_eq!((probes["<"], probes[">="], probes["not <"]), (2, 1, 1));
}

/// A trigger's own words may look like the database's.
pub async fn a_constraint_is_not_named_by_what_an_application_says(fixture: &Fixture) {
    let shout = match fixture.kind {
        Kind::Postgresql => return,
        Kind::Mariadb => {
            "CREATE TRIGGER shout BEFORE DELETE ON people FOR EACH ROW
                SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'CONSTRAINT `Ada Quietsworth`'"
        }
        Kind::Sqlite => {
            "CREATE TRIGGER shout BEFORE DELETE ON people
                BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: Ada Quietsworth'); END"
        }
    };
    fixture
        .sql("CREATE TABLE people (id {bigint} PRIMARY KEY); INSERT INTO people VALUES (1)")
        .await;
    fixture.verbatim(shout).await;
    let people = draft(fixture, "people: id integer").delete(Predicate::Always);
    let why = refused(&*fixture.connector(), &order("shout", [people])).await;
    assert!(!why.contains("Ada"), "{why}");
}

/// An entry that the column's character set cannot write is nobody's, and the others still count.
pub async fn an_entry_beyond_the_character_set_names_nobody(fixture: &Fixture) {
    for (table, charset) in
        [("in_latin1", "latin1"), ("in_utf8mb3", "utf8mb3"), ("in_ascii", "ascii")]
    {
        fixture
            .verbatim(&format!(
                "CREATE TABLE {table} (id BIGINT PRIMARY KEY, name VARCHAR(40) CHARACTER SET {charset});
                 INSERT INTO {table} VALUES (1, 'Ada'), (2, '?'), (3, 'Bob')"
            ))
            .await;
        if charset != "ascii" {
            fixture.verbatim(&format!("INSERT INTO {table} VALUES (4, 'Zo\u{eb}')")).await;
        }
        let people =
            draft(fixture, &format!("{table}: id integer, name text")).delete(listed(&["name"], 0));
        let mut order = order(table, [people]);
        let names = ["Ada", "\u{1f600}", "Zo\u{eb}", "\u{416}", "\u{81}"];
        order.lists =
            vec![list(&[FieldType::Text], names.iter().map(|name| vec![text(name)]).collect())];
        done_as_previewed(&*fixture.connector(), &order).await;
        assert_eq!(fixture.ids(table).await, [2, 3], "{charset}");
    }
}

/// MariaDB would silently end a recursive query after a thousand steps.
pub async fn a_chain_of_more_than_a_thousand_links_is_counted_to_its_end(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE chain (id {bigint} PRIMARY KEY, next_id {bigint} REFERENCES chain (id),
                made_at {moment})",
        )
        .await;
    if fixture.kind == Kind::Mariadb {
        fixture.verbatim("ALTER TABLE chain ADD FOREIGN KEY (next_id) REFERENCES chain (id)").await;
    }
    fixture.verbatim("CREATE INDEX chain_next ON chain (next_id)").await;
    let last = fixture.kind.moment("2026-05-01T00:00:00Z");
    let early = fixture.kind.moment("2025-01-01T00:00:00Z");
    let rows: Vec<String> = (1..=1300)
        .map(|id| {
            let next = if id == 1 { "NULL".to_owned() } else { (id - 1).to_string() };
            format!("({id}, {next}, {})", if id == 1300 { &last } else { &early })
        })
        .collect();
    fixture.verbatim(&format!("INSERT INTO chain VALUES {}", rows.join(", "))).await;
    let chain = draft(fixture, "chain: id integer, next_id integer, made_at timestamp")
        .delete(due("made_at", CUTOFF));
    let counts = preview(&*fixture.connector(), &order("long-chain", [chain])).await;
    let counted = &counts.collections[0];
    assert_eq!((counted.total, counted.delete, counted.referenced["chain"]), (1300, 0, 1299));
}

/// What holds for the one must hold for the other, and only one of them would be looked at.
pub async fn one_table_under_two_names_is_refused(fixture: &Fixture) {
    fixture
        .sql("CREATE TABLE people (id {bigint} PRIMARY KEY); INSERT INTO people VALUES (1)")
        .await;
    let first = draft(fixture, "people: id integer").delete(Predicate::Always);
    let mut second = draft(fixture, "people: id integer").held(Predicate::Always);
    "persons".clone_into(&mut second.0.collection);
    let why = refused(&*fixture.connector(), &order("twice", [first, second])).await;
    assert!(why.contains("`people`") && why.contains("`persons`"), "{why}");
    assert_eq!(fixture.ids("people").await, [1]);
}

/// Were it the system that says when a record was last touched, the first category's treatment
/// would take the second one's starting point away, and verification would agree.
pub async fn a_treatment_is_no_activity(fixture: &Fixture) {
    fixture
        .verbatim(
            "CREATE TABLE visits (id BIGINT PRIMARY KEY, name VARCHAR(40), note VARCHAR(40),
                blocked BOOLEAN NOT NULL DEFAULT FALSE,
                seen_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6));
             INSERT INTO visits VALUES
                (1, 'Ada', 'a', FALSE, '2025-01-01 10:00:00.123456'),
                (2, 'Bob', 'b', FALSE, '2026-05-01')",
        )
        .await;
    let seen = due("seen_at", CUTOFF);
    let visits = draft(
        fixture,
        "visits: id integer, name text, note text, blocked boolean, seen_at timestamp",
    )
    .clear("names", seen.clone(), &["name"])
    .clear("notes", seen.clone(), &["note"])
    .restrict(Restriction::Flag { field: "blocked".to_owned() }, seen);
    let outcome = done_as_previewed(&*fixture.connector(), &order("touched", [visits])).await;
    assert_eq!(treated(&outcome, "visits", "names"), 1);
    assert_eq!(treated(&outcome, "visits", "notes"), 1);
    let left = "SELECT seen_at FROM visits WHERE name IS NULL AND note IS NULL AND blocked";
    let left = fixture.column(&left.replace("seen_at", "CAST(seen_at AS CHAR)")).await;
    assert_eq!(left, ["2025-01-01 10:00:00.123456"]);
}
