//! MUST SHOW 3: exactly what is due goes, in every system in one run, and nothing beside it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::company::database::Kind;
use crate::company::shop::{self, MOMENT};
use crate::company::table::Column;
use crate::company::{Company, certificate::Certificate, heap};

const EVERYWHERE: &[Kind] = &[Kind::Postgres, Kind::MariaDb, Kind::Sqlite];

fn assert_same(found: &[String], expected: &[String], what: &str) {
    let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let beside: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    assert!(
        found == expected,
        "{what}\nexpected and not there:\n{missing:#?}\nthere and not expected:\n{beside:#?}"
    );
}

/// Collection and action (with the category, where there is one) to a number, zeros left out.
type Tally = BTreeMap<String, u64>;

fn planned(plan: &Value) -> Tally {
    let mut tally = Tally::new();
    let mut add = |what: String, count: Option<u64>| {
        if count.unwrap() > 0 {
            tally.insert(what, count.unwrap());
        }
    };
    for system in plan["systems"].as_array().unwrap() {
        assert_eq!(system["counted"], true);
        assert_eq!(system["drift"].as_array().unwrap().len(), 0, "{system}");
        for one in system["collections"].as_array().unwrap() {
            let place = format!(
                "{} {}",
                system["system"].as_str().unwrap(),
                one["collection"].as_str().unwrap()
            );
            add(format!("{place} deleted"), one["delete"].as_u64());
            add(format!("{place} restricted"), one["restrict"].as_u64());
            for (action, word) in [("clear", "cleared"), ("anonymise", "anonymised")] {
                for (category, count) in one[action].as_object().unwrap() {
                    add(format!("{place} {category} {word}"), count.as_u64());
                }
            }
        }
    }
    tally
}

fn certified(certificate: &Certificate) -> Tally {
    let mut tally = Tally::new();
    for one in certificate.statements() {
        let Some(collection) = one["collection"].as_str() else { continue };
        let place = format!("{} {collection}", one["system"]["id"].as_str().unwrap());
        for word in ["deleted", "cleared", "anonymised"] {
            let count: u64 = one["records"][word].as_str().unwrap().parse().unwrap();
            let what = match (word, one["category"].as_str()) {
                // Each category says of itself that so many records took it along.
                ("deleted", Some(_)) => continue,
                ("deleted", None) => format!("{place} {word}"),
                (_, category) => format!("{place} {} {word}", category.unwrap_or("-")),
            };
            if count > 0 {
                *tally.entry(what).or_default() += count;
            }
        }
    }
    for (system, count) in kept_by_law(certificate) {
        tally.insert(format!("{system} orders restricted"), count);
    }
    tally
}

/// Orders that a law keeps, by system; each is said to be restricted.
fn kept_by_law(certificate: &Certificate) -> Tally {
    let mut tally = Tally::new();
    for one in certificate.statements().iter().filter(|one| one["collection"] == "orders") {
        for kept in one["kept"].as_array().unwrap() {
            if kept["reason"] == "statutory-minimum" && kept["restricted"] == true {
                let count: u64 = kept["records"].as_str().unwrap().parse().unwrap();
                *tally.entry(one["system"]["id"].as_str().unwrap().to_owned()).or_default() +=
                    count;
            }
        }
    }
    tally
}

/// The same numbers in every system.
fn in_every_system(company: &Company, one_system: &[(&str, u64)]) -> Tally {
    let mut tally = Tally::new();
    for system in &company.systems {
        for (what, count) in one_system {
            tally.insert(format!("{} {what}", system.name), *count);
        }
    }
    tally
}

const NUMBERS: &[(&str, u64)] = &[
    ("chats chat.contact cleared", 1),
    ("customers account.contact cleared", 2),
    ("customers account.security cleared", 3),
    ("customers deleted", 2),
    ("orders deleted", 2),
    ("orders order.delivery cleared", 5),
    ("orders restricted", 2),
    ("payments deleted", 3),
    ("tickets deleted", 1),
    ("tickets support.contact cleared", 2),
    ("visits usage.visit anonymised", 1),
];

async fn exactly_what_is_due_goes(store: Kind) {
    let company = shop::company(store, EVERYWHERE).await;
    shop::place_holds(&company).await;
    let before = shop::dump(&company).await;
    assert_same(&before, &shop::expected(&company, |story| story.before), "the fixture");

    let plan = company.quietus(&["plan", "--at", MOMENT, "--format", "json"]).await.expect(0);
    let expected = in_every_system(&company, NUMBERS);
    assert_eq!(planned(&plan.json()), expected, "the plan");
    company.quietus(&["plan", "--at", MOMENT]).await.expect(0);
    explain_everything(&company, false).await;
    assert_same(&shop::dump(&company).await, &before, "plan and explain change nothing");

    let run = company.quietus(&["run", "--once", "--as-of", MOMENT]).await.expect(0);
    assert!(run.out.contains("complete-with-exceptions"), "{}", run.out);
    let after = shop::expected(&company, |story| story.after);
    assert_same(&shop::dump(&company).await, &after, "the run");
    let certificate = company.certificate("latest").await;
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    assert_eq!(certified(&certificate), expected, "the certificate");
    explain_everything(&company, true).await;

    let again = company.quietus(&["run", "--once", "--as-of", MOMENT]).await.expect(0);
    assert_same(&shop::dump(&company).await, &after, "the second run");
    let second = company.certificate(&shop_certificate(&again.out)).await;
    let kept = in_every_system(&company, &[("orders restricted", 2)]);
    assert_eq!(certified(&second), kept, "nothing is left to do");
    assert_eq!(second.overall(), "complete-with-exceptions");
    let nothing = company.quietus(&["plan", "--at", MOMENT, "--format", "json"]).await.expect(0);
    assert_eq!(planned(&nothing.json()), Tally::new());
}

/// The certificate that a run's output names.
fn shop_certificate(out: &str) -> String {
    let line = out.lines().find(|line| line.starts_with("certificate ")).unwrap();
    crate::company::identifier_in(line)
}

/// What `explain` says of some fields, before (what will happen) or after (what has happened).
async fn explain_everything(company: &Company, after: bool) {
    // collection, key, category, state before the run, state after it where the record is left
    let words = [
        ("orders", "1", "order.delivery", "no_starting_point", Some("no_starting_point")),
        ("orders", "2", "order.delivery", "due", Some("due")),
        ("orders", "3", "order.delivery", "due_on", Some("due_on")),
        ("orders", "4", "order.invoice", "due", None),
        ("orders", "6", "order.invoice", "kept_by_minimum", Some("kept_by_minimum")),
        ("orders", "7", "order.invoice", "due", None),
        ("orders", "8", "order.invoice", "kept_by_minimum", Some("kept_by_minimum")),
        ("orders", "9", "order.invoice", "held", Some("held")),
        ("orders", "10", "order.delivery", "held", Some("held")),
        ("payments", "order_id=4,number=2", "order.invoice", "due", None),
        ("payments", "order_id=10,number=1", "order.invoice", "held", Some("held")),
        ("tickets", "2", "support.conversation", "due_on", Some("due_on")),
        ("chats", "1", "chat.body", "held", Some("held")),
        ("logins", "1", "usage.login", "held", Some("held")),
        ("customers", "501", "account.contact", "due", None),
        ("customers", "502", "account.contact", "due_on", Some("due_on")),
        ("customers", "503", "account.contact", "no_starting_point", Some("no_starting_point")),
        ("customers", "503", "account.security", "due_on", Some("due_on")),
    ];
    let ask = async |system: &str| {
        for (collection, key, category, state_before, state_after) in words {
            let arguments =
                ["explain", system, collection, key, "--at", MOMENT, "--format", "json"];
            let answer = company.quietus(&arguments).await;
            let expected = if after { state_after } else { Some(state_before) };
            let Some(expected) = expected else {
                let err = answer.expect(2).err;
                assert!(err.contains("has no record"), "{err}");
                continue;
            };
            let json = answer.expect(0).json();
            let categories = json["categories"].as_array().unwrap();
            let found = categories.iter().find(|one| one["category"] == category);
            let state = &found.unwrap_or_else(|| panic!("{json}"))["state"]["state"];
            assert_eq!(state, expected, "{system} {collection} {key}");
        }
    };
    futures_util::future::join_all(company.systems.iter().map(|system| ask(&system.name))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_own_data_in_sqlite() {
    exactly_what_is_due_goes(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_own_data_in_postgresql() {
    exactly_what_is_due_goes(Kind::Postgres).await;
}

const ORDERS: &str = "collections:
  orders:
    key: id
    fields:
      id: {type: integer}
      person: {type: text, identity: email, exempt: orders go as a whole}
      note: {type: text, category: note.body}
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
  order_tags:
    key: [order_id, tag]
    fields:
      order_id: {type: integer, category: note.body}
      tag: {type: text}
    links:
      order: {to: orders, fields: {order_id: id}, kind: deep}
    starting_points: {collection: {link: order, field: made_at}}
";

/// A table of nothing but keys joins two others: it goes by a category of one of its keys, and what
/// it refers to goes with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_nothing_but_keys_go_with_what_they_join() {
    for &kind in EVERYWHERE {
        let mut company = Company::new(Kind::Sqlite).await;
        company.write("schedules/notes.yaml", &heap::rules(heap::WIDE));
        let shop = company.add_system("shop", kind, ORDERS).await;
        let (text, moment) = (Column::Text.native(kind), Column::Moment.native(kind));
        let tag = kind.pick("TEXT", "VARCHAR(20)", "TEXT");
        for statement in [
            format!("CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY, person {text}, note {text}, made_at {moment} NOT NULL)"),
            format!("CREATE TABLE order_tags (order_id BIGINT NOT NULL, tag {tag} NOT NULL, PRIMARY KEY (order_id, tag), FOREIGN KEY (order_id) REFERENCES orders (id))"),
            "INSERT INTO orders VALUES (1, 'a@mail.example', 'old', '2020-01-01 00:00:00'), (2, 'b@mail.example', 'new', '2090-01-01 00:00:00')".to_owned(),
            "INSERT INTO order_tags VALUES (1, 'red'), (1, 'blue'), (2, 'red')".to_owned(),
        ] {
            shop.run(&statement).await;
        }
        company.quietus(&["run", "--once"]).await.expect(0);
        let shop = company.database("shop");
        let cast = kind.pick("TEXT", "CHAR", "TEXT");
        let rows = |query: &str| query.replace("TEXT", cast);
        assert_eq!(shop.rows(&rows("SELECT CAST(id AS TEXT) FROM orders")).await, ["2"]);
        let tags = shop.rows(&rows("SELECT CAST(order_id AS TEXT) FROM order_tags")).await;
        assert_eq!(tags, ["2"]);
        let certificate = company.certificate_of(&company.latest_case().await).await;
        assert_eq!(certificate.overall(), "complete");
        assert_eq!(certificate.sum("deleted", "shop", "order_tags", Some("note.body")), 2);
    }
}
