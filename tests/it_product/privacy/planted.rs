//! A company into which recognisable people are planted, and what it does to them.

use super::forms::{self, Form};
use super::haystack::Haystack;
use crate::company::database::{Database, Kind, Raw, password_of};
use crate::company::shop::{self, MOMENT};
use crate::company::{Company, Ended, until};
use crate::traces::collector::Collector;

/// Identifiers that occur nowhere by chance.
pub const PEOPLE: &[&str] = &[
    "918273645546",
    "827364554691",
    "klabautermann.quastenflosser@hansa-mail.example",
    "Klabautermann Quastenflosser",
    "Zwieselgasse 4711 Hinterhaus",
    "brunhilde.wackelpeter@hansa-mail.example",
    "Brunhilde Wackelpeter",
    "7f3e9d1c-5b2a-4c8e-9f10-a1b2c3d4e5f6",
    "736455468219",
];

/// Tokens of the HTTP interface.
pub const TOKENS: &[(&str, &str, &str)] = &[
    ("shop", "event-source", "tok-shop-Qv7Zt3Lm9Xw2Rb5Ny8Kd4Hs6Pf1Gc0J"),
    ("night-shift", "operator", "tok-oper-Wm4Xc8Vb2Nq6Lz1Kj5Hg9Fd3Sa7Po0I"),
    ("audit", "auditor", "tok-audi-Yt6Rw2Eq8Ui4Op0Lk5Jh1Gf7Ds3Az9X"),
];

const CUSTOMER: &str = "918273645546|klabautermann.quastenflosser@hansa-mail.example|Klabautermann Quastenflosser|DE|2015-01-01T00:00:00|2019-01-01T00:00:00|192.0.2.77";
const HELD: &str = "736455468219|brunhilde.wackelpeter@hansa-mail.example|Brunhilde Wackelpeter|AT|2015-01-01T00:00:00|2019-01-01T00:00:00|7f3e9d1c-5b2a-4c8e-9f10-a1b2c3d4e5f6";
const ORDERS: &[&str] = &[
    "827364554691|918273645546|DE|2020-01-01T12:00:00|Zwieselgasse 4711 Hinterhaus|Klabautermann Quastenflosser|no",
    "827364554692|918273645546|AT|2019-01-01T12:00:00|Zwieselgasse 4711 Hinterhaus|Klabautermann Quastenflosser|no",
    "827364554693|736455468219|AT|2019-01-01T12:00:00|Zwieselgasse 4711 Hinterhaus|Brunhilde Wackelpeter|no",
];

pub async fn plant(database: &Database) {
    shop::CUSTOMERS.fill(database, &[CUSTOMER, HELD]).await;
    shop::ORDERS.fill(database, ORDERS).await;
}

/// Laws of the database that are broken by what the run does, with messages that name people.
pub async fn make_quarrelsome(database: &Database) {
    let statements: &[&str] = match database.kind {
        // The server adds "Failing row contains (…)".
        Kind::Postgres => &[
            "ALTER TABLE orders ADD CONSTRAINT stays CHECK (delivery_street <> '' OR id < 1000000 OR restricted IS NULL) NOT VALID",
            "UPDATE orders SET delivery_street = delivery_street",
            "ALTER TABLE orders ADD CONSTRAINT never CHECK (delivery_street IS NOT NULL OR id < 1000000) NOT VALID",
        ],
        Kind::MariaDb => &["CREATE TRIGGER quarrel BEFORE UPDATE ON orders FOR EACH ROW BEGIN \
             IF OLD.id > 1000000 THEN SET @words = CONCAT('no: ', OLD.invoice_name, ' ', OLD.id); \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @words; END IF; END"],
        Kind::Sqlite => {
            &["CREATE TRIGGER quarrel BEFORE UPDATE ON orders WHEN OLD.id > 1000000 BEGIN \
             INSERT INTO customers SELECT * FROM customers WHERE id = OLD.customer_id; END"]
        }
    };
    for statement in statements {
        database.run(statement).await;
    }
}

pub async fn make_peaceful(database: &Database) {
    let statement = database.kind.pick(
        "ALTER TABLE orders DROP CONSTRAINT never",
        "DROP TRIGGER quarrel",
        "DROP TRIGGER quarrel",
    );
    database.run(statement).await;
}

/// The company, its people, and everything it has said so far.
pub struct Planted {
    pub company: Company,
    pub heard: Haystack,
    /// Who is told of the traces of all that is done.
    pub collector: Collector,
    look: &'static str,
}

impl Planted {
    pub async fn new(store: Kind, look: &'static str) -> Self {
        let company = shop::company(store, &[Kind::Postgres, Kind::MariaDb, Kind::Sqlite]).await;
        for system in &company.systems {
            plant(&system.database).await;
        }
        let mut instance = company.read("quietus.yaml");
        instance.push_str("tokens:\n");
        for (name, role, secret) in TOKENS {
            company.write_secret(name, secret);
            instance.push_str("  - { name: NAME, role: ROLE, secret: \"file:secrets/NAME\" }\n");
            instance = instance.replace("NAME", name).replace("ROLE", role);
        }
        company.write("quietus.yaml", &instance);
        let collector = Collector::start().await;
        Self { company, heard: Haystack(Vec::new()), collector, look }
    }

    /// Runs a command at the most talkative level and remembers what it said.
    pub async fn tell(&mut self, arguments: &[&str]) -> Ended {
        let mut talkative = vec!["--log", "trace", "--log-format", self.look];
        talkative.extend(arguments);
        let ended = self.collector.quietus(&self.company, &talkative).await;
        self.heard.heard(&format!("`{}`", arguments[..2.min(arguments.len())].join(" ")), &ended);
        ended
    }

    /// Everything that may name a person on the command line.
    pub async fn everything(&mut self) {
        self.tell(&["event", "customer.left", PEOPLE[0], "--at", "2025-01-01"]).await.expect(0);
        self.tell(&["event", "customer.left", PEOPLE[8], "--at", "2025-01-01"]).await.expect(0);
        let subject = format!("email={}", PEOPLE[5]);
        self.tell(&["hold", "place", "LIT-9", "--subject", &subject, "--reason", "lawsuit"])
            .await
            .expect(0);
        for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
            let system = shop::name_of(kind);
            let record = ["hold", "place", "LIT-8", "--system", &system, "--collection", "orders"];
            let rest = ["--record", "827364554692", "--reason", "lawsuit"];
            self.tell(&[record.as_slice(), &rest].concat()).await.expect(0);
            let explain = ["explain", &system, "customers", PEOPLE[0], "--at", MOMENT];
            self.tell(&explain).await.expect(0);
            self.tell(&[explain.as_slice(), &["--format", "json"]].concat()).await.expect(0);
            self.tell(&["explain", &system, "orders", PEOPLE[1]]).await.expect(0);
            self.tell(&["explain", &system, "customers", "999999999999"]).await.expect(2);
        }
        self.loose_tongues().await;
        self.tell(&["hold", "list"]).await.expect(0);
        self.tell(&["plan", "--at", MOMENT]).await.expect(0);
        self.tell(&["plan", "--at", MOMENT, "--format", "json"]).await.expect(0);
        self.quarrel().await;
        let run = self.tell(&["run", "--once", "--as-of", MOMENT]).await.expect(0);
        assert!(run.out.contains("complete-with-exceptions"), "{}", run.out);
        let case = self.company.latest_case().await;
        self.tell(&["status"]).await.expect(0);
        self.tell(&["status", &case]).await.expect(0);
        self.tell(&["certificate", "list"]).await.expect(0);
        self.tell(&["certificate", "show", "latest"]).await.expect(0);
        let to = self.company.path("export").display().to_string();
        self.tell(&["certificate", "export", "latest", "--to", &to]).await.expect(0);
        self.tell(&["verify", &to]).await.expect(0);
        for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
            self.tell(&["datamap", "draft", &shop::name_of(kind)]).await;
        }
        self.tell(&["hold", "release", "LIT-8"]).await.expect(0);
    }

    /// Reasons, matters and actors that identify a person: every one is refused.
    async fn loose_tongues(&mut self) {
        let nobody = "01934f5e-8a3b-7c4d-9e2f-0123456789ab";
        for person in [PEOPLE[0], PEOPLE[2], PEOPLE[5], PEOPLE[8]] {
            let said = format!("{person} has called");
            let because = ["--reason", said.as_str()];
            let by = ["--by", person];
            let refused: [&[&str]; 13] = [
                &["hold", "place", person, "--everything", "--reason", "lawsuit"],
                &["hold", "place", "LIT-1", "--everything", because[0], because[1]],
                &["hold", "place", "LIT-1", "--everything", "--reason", "lawsuit", by[0], by[1]],
                &["hold", "release", "LIT-1", by[0], by[1]],
                &["approve", nobody, "--by", "Grace Example", because[0], because[1]],
                &["approve", nobody, by[0], by[1], "--reason", "looked at"],
                &["cancel", nobody, because[0], because[1]],
                &["pause", "everything", because[0], because[1]],
                &["pause", "everything", "--reason", "x", by[0], by[1]],
                &["resume", "everything", by[0], by[1]],
                &["retry", by[0], by[1]],
                &["event", "customer.left", "77", by[0], by[1]],
                &["run", "--once", by[0], by[1]],
            ];
            for arguments in refused {
                let ended = self.tell(arguments).await.expect(2);
                assert!(ended.err.contains("ticket or file number"), "{}", ended.err);
            }
        }
        let rows = self.company.store_rows("SELECT COUNT(*) FROM holds WHERE matter = 'LIT-1'");
        assert_eq!(rows.await, ["0"]);
    }

    /// A run that fails with errors of the servers that name people; then it is mended.
    async fn quarrel(&mut self) {
        for system in &self.company.systems {
            make_quarrelsome(&system.database).await;
        }
        let run = self.tell(&["run", "--once", "--as-of", MOMENT]).await.expect(1);
        assert!(run.out.contains("failed"), "{}", run.out);
        let case = self.company.latest_case().await;
        self.tell(&["status", &case]).await.expect(0);
        self.tell(&["certificate", "show", "latest"]).await.expect(0);
        for system in &self.company.systems {
            make_peaceful(&system.database).await;
        }
        self.tell(&["retry"]).await.expect(0);
    }

    /// The HTTP interface of a running instance; everything that it answers is remembered.
    pub async fn over_http(&mut self) {
        let port = free_port();
        let instance = self.company.read("quietus.yaml");
        self.company.write(
            "quietus.yaml",
            &instance.replace("listen: 127.0.0.1:0", &format!("listen: 127.0.0.1:{port}")),
        );
        let serve = ["--log", "trace", "--log-format", self.look, "run"];
        let child = self.collector.command(&self.company, &serve).spawn().unwrap();
        let identifier = child.id().unwrap().to_string();
        // Read from the start: a process that nobody listens to stands still once the pipe is full.
        let ended = tokio::spawn(crate::company::wait(child));
        let base = format!("http://127.0.0.1:{port}");
        let client = reqwest::Client::new();
        until("the interface", 30, async || {
            client.get(format!("{base}/health")).send().await.ok().map(drop)
        })
        .await;
        let mut answers = Vec::new();
        for (token, path, body, status) in requests() {
            let secret = TOKENS.iter().find(|one| one.0 == token).map_or("wrong", |one| one.2);
            let address = format!("{base}{path}");
            let request = match body {
                Some(body) => client.post(address).json(&body),
                None => client.get(address),
            };
            let answer = request.bearer_auth(secret).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path}");
            let headers = format!("{} {:?}", answer.status(), answer.headers());
            let text = answer.text().await.unwrap();
            answers.push((format!("answer to {path}"), format!("{headers}\n{text}").into_bytes()));
        }
        self.heard.0.extend(answers);
        std::process::Command::new("kill").args(["-TERM", &identifier]).status().unwrap();
        let ended = ended.await.unwrap().expect(0);
        self.heard.heard("`run`", &ended);
    }

    /// People and secrets, in every form.
    pub async fn forms(&self) -> Vec<Form> {
        let server = self.company.database(&shop::name_of(Kind::Postgres));
        let mut all = Vec::new();
        for needle in PEOPLE {
            all.extend(forms::of(needle, server).await);
        }
        for (_, _, secret) in TOKENS {
            all.extend(forms::of(secret, server).await);
        }
        for system in &self.company.systems {
            if let Some(password) = password_of(&system.database.url) {
                all.extend(forms::of(&password, server).await);
            }
        }
        all
    }

    /// The rows of the targets, to be sure that the people were there and met their fate.
    pub async fn streets_left(&self, kind: Kind) -> Vec<String> {
        let database = self.company.database(&shop::name_of(kind));
        let mut raw = Raw::open(kind, &database.url).await;
        raw.rows(
            "SELECT COALESCE(delivery_street, 'cleared') FROM orders WHERE id > 1000000 ORDER BY id",
        )
        .await
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Token, address, body and the status of the answer.
type Request = (&'static str, String, Option<serde_json::Value>, u16);

fn requests() -> Vec<Request> {
    use serde_json::json;
    let event =
        json!({"name": "customer.left", "key": PEOPLE[0], "occurred_at": "2025-01-01T00:00:00Z"});
    let number = json!({"name": "customer.left", "key": 736_455_468_219_i64, "occurred_at": "2025-01-01T00:00:00Z"});
    let unknown =
        json!({"name": PEOPLE[2], "key": PEOPLE[0], "occurred_at": "2025-01-01T00:00:00Z"});
    let hold = json!({"matter": "LIT-7", "reason": "lawsuit", "scope": {"subject": {"identity": "email", "value": PEOPLE[2]}}});
    let record = json!({"matter": "LIT-6", "reason": "lawsuit", "scope": {"system": "shop-sqlite", "collection": "orders", "record": {"id": PEOPLE[1]}}});
    let matter =
        json!({"matter": PEOPLE[2], "reason": "lawsuit", "scope": {"system": "shop-sqlite"}});
    let reason = json!({"matter": "LIT-4", "reason": format!("asked by {}", PEOPLE[0]), "scope": {"system": "shop-sqlite"}});
    let pause = json!({"scope": "everything", "reason": PEOPLE[5]});
    let decision = json!({"reason": PEOPLE[8]});
    let nobody = "01934f5e-8a3b-7c4d-9e2f-0123456789ab";
    let broken = json!({"matter": "LIT-5", "reason": "lawsuit", "scope": {"subject": {"identity": PEOPLE[2], "value": PEOPLE[3]}}});
    let mut all: Vec<Request> = vec![
        ("shop", "/v1/events".to_owned(), Some(event), 201),
        ("shop", "/v1/events".to_owned(), Some(number), 201),
        ("shop", "/v1/events".to_owned(), Some(unknown), 422),
        ("night-shift", "/v1/holds".to_owned(), Some(hold), 201),
        ("night-shift", "/v1/holds".to_owned(), Some(record), 201),
        ("night-shift", "/v1/holds".to_owned(), Some(broken), 422),
        ("night-shift", "/v1/holds".to_owned(), Some(matter), 422),
        ("night-shift", "/v1/holds".to_owned(), Some(reason), 422),
        ("night-shift", "/v1/pauses".to_owned(), Some(pause), 422),
        ("night-shift", format!("/v1/cases/{nobody}/cancel"), Some(decision), 422),
        ("night-shift", format!("/v1/holds/{}/release", PEOPLE[2]), Some(json!({})), 404),
        ("nobody", "/v1/holds".to_owned(), None, 401),
        ("audit", format!("/v1/certificates?text={}", PEOPLE[0]), None, 200),
        ("audit", format!("/v1/{}", PEOPLE[0]), None, 404),
    ];
    for path in ["holds", "holds?all=true", "cases", "certificates", "rules", "map", "pauses"] {
        all.push(("audit", format!("/v1/{path}"), None, 200));
    }
    all.push(("night-shift", "/v1/plan".to_owned(), None, 200));
    all
}
