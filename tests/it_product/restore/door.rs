//! The application stays outside until its database is opened.

use crate::company::database::{Database, Kind, Raw};
use crate::company::{Company, ONE_RULE};

const MAP: &str = "collections:
  members:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

const PASSWORD: &str = "unlocked-door-7";

/// An account of an application that may read and write; dropped again at the end.
struct Account {
    kind: Kind,
    admin: String,
    name: String,
}

impl Account {
    async fn new(database: &Database, end: &str) -> Self {
        let of = database.url.rsplit('/').next().unwrap();
        let name = format!("app_{of}_{end}");
        let create = database.kind.pick(
            format!(
                "CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; \
                 GRANT SELECT, INSERT ON members TO {name}"
            ),
            format!(
                "CREATE USER {name} IDENTIFIED BY '{PASSWORD}'; \
                 GRANT SELECT, INSERT ON members TO {name}"
            ),
            String::new(),
        );
        database.run(&create).await;
        Self { kind: database.kind, admin: database.url.clone(), name }
    }

    fn url(&self) -> String {
        let (scheme, rest) = self.admin.split_once("://").unwrap();
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{}:{PASSWORD}@{host}", self.name)
    }

    async fn comes_in(&self) -> bool {
        use sqlx::Connection as _;
        match self.kind {
            Kind::Postgres => sqlx::PgConnection::connect(&self.url()).await.is_ok(),
            Kind::MariaDb => sqlx::MySqlConnection::connect(&self.url()).await.is_ok(),
            Kind::Sqlite => false,
        }
    }

    async fn remove(self) {
        let mut raw = Raw::open(self.kind, &self.admin).await;
        let text = self.kind.pick(
            format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name),
            format!("DROP USER {}", self.name),
            String::new(),
        );
        raw.run(&text).await;
    }
}

async fn the_application_stays_outside(kind: Kind) {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", ONE_RULE);
    let types = kind.pick("TIMESTAMPTZ", "DATETIME(6)", "");
    let desk = company.add_system("desk", kind, MAP).await;
    desk.run(&format!(
        "CREATE TABLE members (id BIGINT PRIMARY KEY, email VARCHAR(200), opened_at {types})"
    ))
    .await;
    let account = Account::new(company.database("desk"), "app").await;
    let locked = Account::new(company.database("desk"), "locked").await;
    let lock = kind.pick(
        format!("ALTER ROLE {} NOLOGIN", locked.name),
        format!("ALTER USER {} ACCOUNT LOCK", locked.name),
        String::new(),
    );
    company.database("desk").run(&lock).await;
    company.write("gate.sh", "echo \"$1 $2 $3\" >>gate.log\n");
    let restore = format!(
        "restore: {{keep_out: [{}, {}], hook: [sh, gate.sh, told]}}\n",
        account.name, locked.name
    );
    company.change_map("desk", &format!("{restore}{MAP}"));
    company.quietus(&["check"]).await.expect(0);
    let tried = company.quietus(&["connector", "test", "desk"]).await.expect(0).out;
    assert!(tried.contains("nothing that is needed is missing"), "{tried}");
    let mut session = Raw::open(kind, &account.url()).await;
    session.run("SELECT 1").await;

    let begin = ["restore", "begin", "desk", "--taken-at", "2026-01-01", "--reason", "OPS-7"];
    let said = company.quietus(&begin).await.expect(0).out;
    assert!(!said.contains("not kept out"), "{said}");
    assert!(session.attempt("SELECT 1").await.is_err(), "what it had under way is ended");
    assert!(!account.comes_in().await, "it does not come in before");
    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    assert!(!account.comes_in().await, "it does not come in before");
    company.quietus(&["restore", "open", "desk"]).await.expect(0);
    assert!(account.comes_in().await, "it comes in again");
    assert!(!locked.comes_in().await, "somebody else had locked it");
    assert_eq!(company.read("gate.log"), "told begin desk\ntold open desk\n");
    account.remove().await;
    locked.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_stays_outside_of_postgresql() {
    the_application_stays_outside(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_stays_outside_of_mariadb() {
    the_application_stays_outside(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_told_with_its_place() {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", ONE_RULE);
    let desk = company.add_system("desk", Kind::Sqlite, MAP).await;
    desk.run("CREATE TABLE members (id INTEGER PRIMARY KEY, email TEXT, opened_at TEXT)").await;
    for (wrong, words) in [
        ("restore: {keep_out: [app]}\n", "SQLite has no accounts that could be kept out"),
        ("restore: {hook: []}\n", "a hook is a program with its arguments"),
        ("restore: {open: sometimes}\n", "unknown word `sometimes`"),
        ("restore: {keep: [app]}\n", "keep"),
    ] {
        company.change_map("desk", &format!("{wrong}{MAP}"));
        let checked = company.quietus(&["check"]).await.expect(2);
        let told = format!("{}{}", checked.out, checked.err);
        assert!(told.contains(words) && told.contains("systems/desk.yaml"), "{told}");
    }
    company
        .change_map("desk", &format!("restore: {{open: by_itself, hook: [sh, gate.sh]}}\n{MAP}"));
    company.quietus(&["check"]).await.expect(0);
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}restores: {{watch: P1Y}}\n"));
    let checked = company.quietus(&["check"]).await.expect(2);
    let told = format!("{}{}", checked.out, checked.err);
    assert!(told.contains("`P1Y` is no time to look again after"), "{told}");
    company.write("quietus.yaml", &format!("{instance}restores: {{watch: never}}\n"));
    company.quietus(&["check"]).await.expect(0);
}
