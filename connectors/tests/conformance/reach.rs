//! Reaching a system: credentials, networks, privileges, and what a fault may say.

use quietus_connectors::{Fault, FieldType, Health, Receipt, kinds, open};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _, raw_sql};

use crate::drafting::{CUTOFF, Onward, done, draft, due, list, listed, order};
use crate::fixture::{Fixture, Kind, settings};
use crate::scope::{PEOPLE, twenty_people};

const WRONG_PASSWORD: &str = "wr0ng-passw0rd";

/// The fixture's URL with other credentials.
pub fn with_credentials(fixture: &Fixture, user: &str, password: &str) -> String {
    let (scheme, rest) = fixture.url().split_once("://").expect("a URL");
    let (_, server) = rest.split_once('@').expect("credentials");
    format!("{scheme}://{user}:{password}@{server}")
}

pub async fn every_kind_opens_and_no_other(fixture: &Fixture) {
    assert!(kinds().contains(&fixture.kind.name()));
    assert_eq!(fixture.connector().capabilities().kind, fixture.kind.name());
    assert!(fixture.connector().capabilities().can_verify);
    let unknown = open("abacus", settings(fixture.url()));
    assert!(matches!(unknown.err(), Some(Fault::Misconfigured { .. })));
    let wrong = open(fixture.kind.name(), settings("gopher://127.0.0.1/x"));
    assert!(matches!(wrong.err(), Some(Fault::Misconfigured { .. })));
}

pub async fn check_names_the_product(fixture: &Fixture) {
    twenty_people(fixture).await;
    let people = draft(fixture, PEOPLE).delete(due("left_at", CUTOFF));
    let health = fixture.connector().check(&order("check", [people])).await.expect("healthy");
    let product = health.product.to_lowercase();
    assert!(product.contains(fixture.kind.name()), "{product}");
    assert!(product.contains('.'), "a version: {product}");
    assert_eq!((health.drift, health.missing_privileges), (Vec::new(), Vec::new()));
}

pub async fn wrong_credentials_are_misconfigured_and_not_printed(fixture: &Fixture) {
    twenty_people(fixture).await;
    let order = order("wrong", [draft(fixture, PEOPLE).delete(due("left_at", CUTOFF))]);
    for user in ["postgres", "quietus", "nobody_of_ours"] {
        let url = with_credentials(fixture, user, WRONG_PASSWORD);
        let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
        for fault in [
            connector.check(&order).await.expect_err("refused"),
            connector.describe().await.expect_err("refused"),
            connector.preview(&order).await.expect_err("refused"),
            connector.execute(&order, &Onward).await.expect_err("refused"),
            connector.verify(&order).await.expect_err("refused"),
        ] {
            assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
            assert!(!format!("{fault:?} {fault}").contains(WRONG_PASSWORD));
        }
    }
    assert_eq!(fixture.ids("people").await.len(), 20);
}

pub async fn a_missing_database_is_misconfigured(fixture: &Fixture) {
    let url = fixture.url().replace(&fixture.database, "quietus_test_is_not_there");
    let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
    let fault = connector.describe().await.expect_err("no such database");
    assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    if fixture.kind == Kind::Sqlite {
        assert!(!fixture.path("quietus_test_is_not_there.sqlite").exists(), "nothing is created");
    }
}

pub async fn a_file_that_is_no_database_is_misconfigured(fixture: &Fixture) {
    let path = fixture.path("letter.txt");
    let letter = "Dear reader, this is not a database. ".repeat(100);
    std::fs::write(&path, &letter).expect("a file");
    let url = format!("sqlite://{}", path.display());
    let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
    let fault = connector.describe().await.expect_err("not a database");
    assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), letter);
}

pub async fn an_unreachable_server_is_transient(fixture: &Fixture) {
    // A port that was free a moment ago: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let (before, _) = fixture.url().rsplit_once(':').expect("a port");
    let url = format!("{before}:{port}/{}", fixture.database);
    let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
    let order = order("unreachable", []);
    for fault in [
        connector.check(&order).await.expect_err("unreachable"),
        connector.describe().await.expect_err("unreachable"),
        connector.execute(&order, &Onward).await.expect_err("unreachable"),
    ] {
        assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}");
    }
}

/// A user who may only read: `check` says so beforehand, and `execute` changes nothing.
pub async fn missing_privileges_are_named(fixture: &Fixture) {
    twenty_people(fixture).await;
    let reader = format!("reader_{}", fixture.database.replace("quietus_test_", ""));
    let database = &fixture.database;
    let create = match fixture.kind {
        Kind::Postgresql => format!(
            "CREATE ROLE {reader} LOGIN PASSWORD 'secret'; GRANT SELECT ON people TO {reader}"
        ),
        _ => format!(
            "CREATE USER {reader}@'127.0.0.1' IDENTIFIED BY 'secret';
             GRANT SELECT ON {database}.* TO {reader}@'127.0.0.1'"
        ),
    };
    fixture.verbatim(&create).await;
    let url = with_credentials(fixture, &reader, "secret");
    let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
    let people = draft(fixture, PEOPLE).delete(due("left_at", CUTOFF)).clear(
        "contact",
        due("left_at", CUTOFF),
        &["email"],
    );
    let order = order("reader", [people]);
    let health = connector.check(&order).await;
    let executed = connector.execute(&order, &Onward).await;
    let remove = match fixture.kind {
        Kind::Postgresql => format!("DROP OWNED BY {reader}; DROP ROLE {reader}"),
        _ => format!("DROP USER {reader}@'127.0.0.1'"),
    };
    fixture.verbatim(&remove).await;
    let missing = health.expect("it can be reached").missing_privileges.join("; ").to_lowercase();
    assert!(missing.contains("delete") && missing.contains("people"), "{missing}");
    let fault = executed.expect_err("it may not delete");
    assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    assert_eq!(fixture.ids("people").await.len(), 20);
}

/// A user who may change the table and keep no lists beside it: `check` says what to grant.
pub async fn a_missing_right_to_temporary_tables_is_named(fixture: &Fixture) {
    twenty_people(fixture).await;
    let keeper = format!("keeper_{}", fixture.database.replace("quietus_test_", ""));
    let database = &fixture.database;
    let (create, grant, remove) = if fixture.kind == Kind::Postgresql {
        (
            format!(
                "CREATE ROLE {keeper} LOGIN PASSWORD 'secret';
                 GRANT SELECT, UPDATE, DELETE ON people TO {keeper};
                 GRANT CREATE ON SCHEMA public TO {keeper};
                 REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC"
            ),
            format!("GRANT TEMPORARY ON DATABASE {database} TO {keeper}"),
            format!("DROP OWNED BY {keeper}; DROP ROLE {keeper}"),
        )
    } else {
        let user = format!("{keeper}@'127.0.0.1'");
        (
            format!(
                "CREATE USER {user} IDENTIFIED BY 'secret';
                 GRANT SELECT, DELETE, CREATE ON {database}.* TO {user}"
            ),
            format!("GRANT UPDATE, CREATE TEMPORARY TABLES ON {database}.* TO {user}"),
            format!("DROP USER {user}"),
        )
    };
    fixture.verbatim(&create).await;
    let url = with_credentials(fixture, &keeper, "secret");
    let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
    let plain = || draft(fixture, PEOPLE).clear("contact", due("left_at", CUTOFF), &["email"]);
    let without_lists = order("plain", [plain()]);
    let mut with_list = order("lists", [plain().held(listed(&["id"], 0))]);
    with_list.lists = vec![list(&[FieldType::Integer], Vec::new())];
    let unneeded = connector.check(&without_lists).await;
    let before = connector.check(&with_list).await;
    let refused = connector.preview(&with_list).await;
    fixture.verbatim(&grant).await;
    let after = connector.check(&with_list).await;
    let previewed = connector.preview(&with_list).await;
    fixture.verbatim(&remove).await;
    let missing = |health: Result<Health, Fault>| health.expect("reached").missing_privileges;
    let unneeded = missing(unneeded).join("; ");
    assert!(!unneeded.contains("TEMPORARY"), "{unneeded}");
    let before = missing(before).join("; ");
    let wanted = match fixture.kind {
        Kind::Postgresql => format!("grant TEMPORARY on database \"{database}\""),
        _ => format!("grant CREATE TEMPORARY TABLES on `{database}`.*"),
    };
    assert!(before.contains(&wanted), "{before}");
    assert_eq!(fixture.kind == Kind::Mariadb, before.contains("grant UPDATE on `people`"));
    assert!(matches!(refused, Err(Fault::Misconfigured { .. })), "{refused:?}");
    assert_eq!(missing(after), Vec::<String>::new());
    assert!(previewed.is_ok(), "{previewed:?}");
}

/// Every undertaking is refused, and not only `check`: lists of two orders could be given to one
/// another. Nothing is set on a connection that somebody else is lent next.
pub async fn a_pooler_that_lends_connections_is_refused(fixture: &Fixture) {
    twenty_people(fixture).await;
    let before = fixture.content("people").await;
    let order = order("lent", [draft(fixture, PEOPLE).delete(due("left_at", CUTOFF))]);
    for (variable, words) in [
        ("QUIETUS_TEST_PGBOUNCER_URL", "a pooler refuses what a connection begins with"),
        ("QUIETUS_TEST_PGBOUNCER_LENIENT_URL", "a pooler in transaction mode stands before"),
    ] {
        let url = fixture.through(variable);
        let connector = open(fixture.kind.name(), settings(&url)).expect("not connected yet");
        for fault in [
            connector.check(&order).await.expect_err("refused"),
            connector.describe().await.expect_err("refused"),
            connector.preview(&order).await.expect_err("refused"),
            connector.execute(&order, &Onward).await.expect_err("refused"),
            connector.verify(&order).await.expect_err("refused"),
            connector.forget(&order.key).await.expect_err("refused"),
        ] {
            assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
            assert!(fault.to_string().contains(words), "{fault}");
        }
    }
    let lent = fixture.through("QUIETUS_TEST_PGBOUNCER_LENIENT_URL");
    let mut borrower = PgConnection::connect(&lent).await.expect("it lends to everybody");
    let remnants = "SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session'
        AND name IN ('statement_timeout', 'lock_timeout', 'row_security', 'plan_cache_mode', 'jit')";
    let remnants = raw_sql(remnants).fetch_all(&mut borrower).await.expect("settings");
    let remnants = remnants.iter().map(|row| row.get::<String, _>(0));
    assert_eq!(remnants.collect::<Vec<_>>(), Vec::<String>::new());
    borrower.close().await.expect("given back");
    assert_eq!(fixture.content("people").await, before);
}

/// The server ends every connection while the order is under way.
pub async fn a_broken_connection_is_never_done(fixture: &Fixture) {
    twenty_people(fixture).await;
    let order = order("broken", [draft(fixture, PEOPLE).delete(due("left_at", CUTOFF))]);
    let breaker = Breaker { fixture };
    let broken = fixture.connector().execute(&order, &breaker).await;
    match &broken {
        Err(Fault::Transient { .. } | Fault::Unknown { .. }) => {}
        // A connector may notice and go on with a fresh connection before it says more.
        Ok(Receipt::Done(_)) => assert_eq!(fixture.ids("people").await.len(), 10),
        other => panic!("expected a fault, got {other:?}"),
    }
    let retry = crate::drafting::attempt(&order, 2);
    let outcome = done(&*fixture.connector(), &retry).await;
    assert_eq!(crate::drafting::deleted(&outcome, "people"), 10);
}

/// Ends all other connections to the database after each chunk.
struct Breaker<'a> {
    fixture: &'a Fixture,
}

#[async_trait::async_trait]
impl quietus_connectors::Progress for Breaker<'_> {
    async fn committed(
        &self,
        _report: quietus_connectors::ProgressReport<'_>,
    ) -> quietus_connectors::Direction {
        if self.fixture.kind == Kind::Postgresql {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            self.fixture.verbatim(end).await;
        } else {
            let others = format!(
                "SELECT id FROM information_schema.processlist
                 WHERE db = '{}' AND id <> CONNECTION_ID()",
                self.fixture.database
            );
            for id in self.fixture.column(&others).await {
                // It may be gone by itself in the meantime.
                self.fixture.attempt(&format!("KILL {id}")).await.ok();
            }
        }
        quietus_connectors::Direction::Continue
    }
}
