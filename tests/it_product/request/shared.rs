//! Records that several persons share: one is erased and the record stays without them; with the
//! last of them it goes.

use super::person;
use crate::company::certificate::Certificate;
use crate::company::database::{Database, Kind};
use crate::company::table::Column;
use crate::company::{Company, ONE_RULE};

const FORUM: &str = "collections:
  people:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email}
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
  threads:
    key: id
    fields:
      id: {type: integer}
      first_id: {type: integer}
      second_id: {type: integer}
      words: {type: text, category: contact}
      made_at: {type: timestamp}
    links:
      first: {to: people, fields: {first_id: id}, kind: shared}
      second: {to: people, fields: {second_id: id}, kind: shared}
    starting_points: {collection: made_at}
  ratings:
    key: id
    fields:
      id: {type: integer}
      person_id: {type: integer, clear: {constant: 0}}
      stars: {type: integer, exempt: a number of stars tells nothing of anybody}
    links:
      person: {to: people, fields: {person_id: id}, kind: shallow}
  accounts:
    key: id
    fields:
      id: {type: integer}
      words: {type: text, category: contact}
      made_at: {type: timestamp}
    links:
      holders: {to: holders, fields: {id: account_id}, kind: shared}
    starting_points: {collection: made_at}
  holders:
    key: [account_id, person_id]
    fields:
      account_id: {type: integer, category: contact}
      person_id: {type: integer}
    links:
      person: {to: people, fields: {person_id: id}, kind: deep}
      account: {to: accounts, fields: {account_id: id}, kind: shallow}
    starting_points: {collection: {link: person, field: made_at}}
";

async fn forum(kind: Kind) -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", ONE_RULE);
    let forum = company.add_system("forum", kind, FORUM).await;
    let (text, moment) = (Column::Text.native(kind), Column::Moment.native(kind));
    let made = "'2024-01-01 00:00:00'";
    for statement in [
        format!("CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, email {text}, made_at {moment})"),
        format!("CREATE TABLE threads (id BIGINT NOT NULL PRIMARY KEY, first_id BIGINT, second_id BIGINT, words {text}, made_at {moment}, FOREIGN KEY (first_id) REFERENCES people (id), FOREIGN KEY (second_id) REFERENCES people (id))"),
        "CREATE TABLE ratings (id BIGINT NOT NULL PRIMARY KEY, person_id BIGINT NOT NULL, stars BIGINT)".to_owned(),
        format!("CREATE TABLE accounts (id BIGINT NOT NULL PRIMARY KEY, words {text}, made_at {moment})"),
        "CREATE TABLE holders (account_id BIGINT NOT NULL, person_id BIGINT NOT NULL, PRIMARY KEY (account_id, person_id), FOREIGN KEY (account_id) REFERENCES accounts (id), FOREIGN KEY (person_id) REFERENCES people (id))".to_owned(),
        format!("INSERT INTO people VALUES (1, 'grace@mail.example', {made}), (2, 'alan@mail.example', {made})"),
        format!("INSERT INTO threads VALUES (11, 1, 1, 'hers', {made}), (12, 1, 2, 'both', {made}), (21, 2, 1, 'both', {made}), (22, 2, NULL, 'his', {made})"),
        "INSERT INTO ratings VALUES (1, 1, 5), (2, 2, 3), (3, 1, 4)".to_owned(),
        format!("INSERT INTO accounts VALUES (10, 'hers', {made}), (12, 'both', {made}), (20, 'his', {made})"),
        "INSERT INTO holders VALUES (10, 1), (12, 1), (12, 2), (20, 2)".to_owned(),
    ] {
        forum.run(&statement).await;
    }
    company
}

/// Whole numbers of a table, `-` where there is none.
async fn rows(forum: &Database, fields: &[&str], table: &str) -> Vec<String> {
    let text = forum.kind.pick("TEXT", "CHAR", "TEXT");
    let field = |name: &&str| format!("COALESCE(CAST({name} AS {text}), '-')");
    let fields: Vec<String> = fields.iter().map(field).collect();
    let joined = match forum.kind {
        Kind::MariaDb => format!("CONCAT_WS(':', {})", fields.join(", ")),
        _ => fields.join(" || ':' || "),
    };
    let mut rows = forum.rows(&format!("SELECT {joined} FROM {table}")).await;
    rows.sort();
    rows
}

/// The certificate of the first request; a schedule may have had its turn beside it.
async fn answered(company: &Company) -> Certificate {
    let mut found = Vec::new();
    for case in [company.oldest_case().await, company.latest_case().await] {
        let certificate = company.certificate_of(&case).await;
        if certificate.predicate["class"] == "rights-request" {
            found.push(certificate);
        }
    }
    found.pop().expect("a certificate of the request")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_owner_goes_and_with_the_last_one_the_record() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        let company = forum(kind).await;
        person::brought(&company, "erasure", "email=Grace@mail.example\n").await;
        let ran = company.quietus(&["run", "--once"]).await.expect(0);
        let forum = company.database("forum");
        assert_eq!(rows(forum, &["id"], "people").await, ["2"], "{}", ran.out);
        let threads = rows(forum, &["id", "first_id", "second_id"], "threads").await;
        assert_eq!(threads, ["12:-:2", "21:2:-", "22:2:-"]);
        assert_eq!(rows(forum, &["id", "person_id"], "ratings").await, ["1:0", "2:2", "3:0"]);
        assert_eq!(rows(forum, &["id"], "accounts").await, ["12", "20"]);
        assert_eq!(rows(forum, &["account_id", "person_id"], "holders").await, ["12:2", "20:2"]);

        let certificate = answered(&company).await;
        let whole = |collection: &str, count: &str| {
            let all = certificate.sum(count, "forum", collection, None);
            all - certificate.sum(count, "forum", collection, Some("contact"))
        };
        assert_eq!((whole("threads", "deleted"), whole("threads", "cleared")), (1, 2));
        assert_eq!((whole("ratings", "deleted"), whole("ratings", "cleared")), (0, 2));
        assert_eq!((whole("accounts", "deleted"), whole("accounts", "cleared")), (1, 0));
        for statement in certificate.statements() {
            let outcome = statement["outcome"].as_str().unwrap();
            assert!(["completed", "not-found"].contains(&outcome), "{statement}");
            let found = statement["verification"]["result"].as_str().unwrap();
            assert_eq!(found, "absent", "{statement}");
        }
        let said = |one: &serde_json::Value| {
            let technique = one["method"]["technique"].as_str().unwrap().to_owned();
            (one["collection"] == "ratings").then_some(technique)
        };
        let technique = certificate.statements().iter().find_map(said).unwrap();
        assert!(technique.contains("(person: 2)"), "{technique}");

        person::brought(&company, "erasure", "email=alan@mail.example\n").await;
        company.quietus(&["run", "--once"]).await.expect(0);
        for table in ["people", "threads", "accounts"] {
            assert!(rows(forum, &["id"], table).await.is_empty(), "{kind:?}: {table}");
        }
        assert!(rows(forum, &["account_id"], "holders").await.is_empty(), "{kind:?}");
        assert_eq!(rows(forum, &["id", "person_id"], "ratings").await, ["1:0", "2:0", "3:0"]);
    }
}
