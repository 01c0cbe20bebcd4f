//! A small invented company with its tokens, a server over it, and a client that remembers every
//! byte that it was ever answered, so that leaks are found wherever they are.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use jiff::Timestamp;
use quietus::app::{Opening, Quietus};
use quietus::config::{Process, load};
use quietus::domain::Clock;
use quietus::http::Server;
use quietus::telemetry::SystemIds;
use quietus_connectors::sample;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Every role, with the name of its token.
pub const ROLES: [(&str, &str); 5] = [
    ("auditor", "audit"),
    ("operator", "night-shift"),
    ("approver", "second-person"),
    ("author", "rule-writer"),
    ("event-source", "shop"),
];

/// What must never be told: identifiers of the invented people.
const PERSONAL: [&str; 5] =
    ["anna@mail.example", "bert@mail.example", "Invented Anna", "Invented Bert", "471100815"];

const INSTANCE: &str = "
controller: {name: Example Shop GmbH, zone: Europe/Berlin, country: DE}
store: sqlite:quietus.db
listen: 127.0.0.1:0
workers: 1
tokens:
  - {name: audit, role: auditor, secret: file:secrets/auditor}
  - {name: night-shift, role: operator, secret: file:secrets/operator}
  - {name: second-person, role: approver, secret: file:secrets/approver}
  - {name: rule-writer, role: author, secret: file:secrets/author}
  - {name: shop, role: event-source, secret: file:secrets/event-source}
";

const CRM: &str = "
system: crm
kind: sqlite
role: database
owner: Customer care
connection: {url: 'sqlite:data/crm.db'}
zone: Europe/Berlin
collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: account.contact, identity: email, clear: {unique: erased-}}
      full_name: {type: text, category: account.contact, clear: {redact: '(erased)'}}
      ended_at: {type: timestamp, exempt: the clock of the rules}
    starting_points:
      relationship.ended: ended_at
  notes:
    key: id
    fields:
      id: {type: integer}
      customer_id: {type: integer, identity: customer_id, exempt: the key that events name}
      words: {type: text, category: contract.notes}
    starting_points:
      contract.ended: {event: customer.left, field: customer_id}
";

const PACK: &str = "
pack: shop
version: '2026.1'
owner: Ada Example
categories:
  account.contact: {purpose: to reach the customer}
  contract.notes: {purpose: to serve the customer}
schedules:
  nightly: {cron: '30 2 * * *', zone: Europe/Berlin}
schedule: nightly
cap: {records: 1, share: 100%}
rules:
  - rule: contact-after-contract
    category: account.contact
    starting_point: relationship.ended
    period: P90D
    action: erase
    basis: {citation: 'GDPR Art. 6(1)(b)'}
  - rule: notes-after-contract
    category: contract.notes
    starting_point: contract.ended
    period: P30D
    action: erase
    basis: {citation: 'GDPR Art. 6(1)(b)'}
";

const CRM_DATA: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT, ended_at TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY, customer_id INTEGER, words TEXT);
INSERT INTO customers VALUES
    (471100815, 'anna@mail.example', 'Invented Anna', '2025-01-01T00:00:00Z'),
    (2, 'bert@mail.example', 'Invented Bert', '2025-01-01T00:00:00Z'),
    (3, 'carl@mail.example', 'Invented Carl', NULL);
INSERT INTO notes VALUES (1, 471100815, 'likes blue'), (2, 3, 'likes red');
";

/// The moment at which everything happens.
pub const NOW: &str = "2026-11-23T12:00:00Z";

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }
}

/// A company with a server.
pub struct House {
    pub folder: TempDir,
    pub product: Arc<Quietus>,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
    client: reqwest::Client,
    seen: Mutex<Vec<u8>>,
}

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// It is this status, and a refusal where it is one of those: a sentence and what to do.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if status >= 400 && !self.body.is_empty() {
            let refusal = self.json();
            for field in ["error", "what_to_do"] {
                let words = refusal[field].as_str().unwrap();
                assert!(!words.is_empty() && !words.ends_with('.'), "{words}");
                assert!(words.starts_with(|one: char| !one.is_uppercase()), "{words}");
            }
            assert_eq!(self.header("content-type"), "application/problem+json");
        }
        self
    }
}

pub fn token(role: &str) -> String {
    format!("{role}-0123456789abcdef0123456789abcdef")
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Lines that this process logs, of all tests together.
pub fn log() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    LOG.get_or_init(|| {
        struct Lines;
        impl Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                log().lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let filter = "quietus=trace,quietus_connectors=trace,axum=trace,sqlx=debug";
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(|| Lines)
            .init();
        Mutex::default()
    })
}

impl House {
    pub async fn open() -> Self {
        Self::open_with_store("sqlite:quietus.db").await
    }

    /// With a store of this URL.
    pub async fn open_with_store(url: &str) -> Self {
        Self::open_with(url, "").await
    }

    /// With more lines in its instance file.
    pub async fn open_with_lines(more: &str) -> Self {
        Self::open_with("sqlite:quietus.db", more).await
    }

    /// With more files.
    pub async fn open_with_files(files: &[(&str, &str)]) -> Self {
        Self::open_whole(("sqlite:quietus.db", ""), files).await
    }

    /// With more lines in its instance file, and more in the file of its system.
    pub async fn open_with_map(lines: &str, more: &str) -> Self {
        let crm = format!("{CRM}{more}");
        Self::open_whole(("sqlite:quietus.db", lines), &[("systems/crm.yaml", &crm)]).await
    }

    /// With a store of this URL and more lines in `quietus.yaml`.
    pub async fn open_with(url: &str, lines: &str) -> Self {
        Self::open_whole((url, lines), &[]).await
    }

    async fn open_whole((url, lines): (&str, &str), files: &[(&str, &str)]) -> Self {
        drop(log().lock().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["systems", "schedules", "secrets", "data"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let mut instance = format!("{INSTANCE}{lines}");
        if !url.starts_with("sqlite:") {
            write_secret(&root.join("secrets/store"), url);
            instance = instance.replace("sqlite:quietus.db", "file:secrets/store");
        }
        std::fs::write(root.join("quietus.yaml"), instance).unwrap();
        std::fs::write(root.join("systems/crm.yaml"), CRM).unwrap();
        std::fs::write(root.join("schedules/shop.yaml"), PACK).unwrap();
        for (role, _) in ROLES {
            write_secret(&root.join("secrets").join(role), &token(role));
        }
        for (name, text) in files {
            std::fs::write(root.join(name), text).unwrap();
        }
        sample::write(&root.join("data/crm.db"), CRM_DATA).await.unwrap();
        let loaded = load(root).unwrap_or_else(|problems| panic!("{problems:?}"));
        let product = Quietus::open(Opening {
            loaded,
            process: Process::default(),
            clock: Arc::new(Noon),
            ids: Arc::new(SystemIds),
        })
        .await
        .unwrap();
        let server = Server::bind(&product).await.unwrap();
        let address = server.address();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { folder, product, address, stop, serving, client, seen: Mutex::default() }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = self.send_and_keep(request).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    /// Sends what may be kept by whoever asked.
    pub async fn send_and_keep(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let mut seen = self.seen.lock().unwrap();
        seen.extend_from_slice(format!("{headers:?}").as_bytes());
        seen.extend_from_slice(&body);
        drop(seen);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(
            headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'")
        );
        assert!(!headers.contains_key("server") && !headers.contains_key("set-cookie"));
        assert!(!headers.contains_key("access-control-allow-origin"));
        Answer { status, headers, body }
    }

    pub async fn ask(&self, role: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path).bearer_auth(token(role));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    /// A file that only its person may see: it is not remembered among what anybody was answered.
    pub async fn get_for_person(&self, role: &str, path: &str) -> Answer {
        let response = self.request("GET", path).bearer_auth(token(role)).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        assert_eq!(headers["cache-control"], "no-store");
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    pub async fn get(&self, role: &str, path: &str) -> Answer {
        self.ask(role, "GET", path, None).await
    }

    pub async fn post(&self, role: &str, path: &str, body: &Value) -> Answer {
        self.ask(role, "POST", path, Some(body)).await
    }

    /// Carries out all jobs and certifies.
    pub async fn work(&self) {
        let stop = CancellationToken::new();
        while self.product.carry_out_next("test", &stop).await.unwrap().is_some() {}
        self.product.certify_finished().await.unwrap();
    }

    /// Opens a case, has it approved, carries it out; its identifier and its certificate's.
    pub async fn certified(&self) -> (String, String) {
        let opened = self.post("operator", "/v1/cases", &serde_json::json!({})).await.expect(201);
        let case = opened.json()["case"].as_str().unwrap().to_owned();
        assert_eq!(opened.json()["state"], "awaiting_approval");
        assert_eq!(opened.header("location"), format!("/v1/cases/{case}"));
        let reason = serde_json::json!({"reason": "looked at the plan"});
        self.post("approver", &format!("/v1/cases/{case}/approve"), &reason).await.expect(200);
        self.work().await;
        let record = self.get("auditor", &format!("/v1/cases/{case}")).await.expect(200).json();
        (case, record["certificate"].as_str().unwrap().to_owned())
    }

    /// Carries requests on and works on their jobs, until nothing is left to do now.
    pub async fn carry_on(&self) {
        self.product.advance_requests().await.unwrap();
        self.work().await;
    }

    pub async fn count(&self, query: &str) -> u64 {
        sample::count(&self.folder.path().join("quietus.db"), query).await.unwrap()
    }

    pub async fn customers(&self, query: &str) -> u64 {
        sample::count(&self.folder.path().join("data/crm.db"), query).await.unwrap()
    }

    /// Rows of all tables that people change.
    pub async fn rows(&self) -> Vec<u64> {
        let mut rows = Vec::new();
        for table in [
            "cases",
            "jobs",
            "events",
            "holds",
            "pauses",
            "restores",
            "later_looks",
            "reappearances",
            "evidence_outbox",
            "evidence_details",
            "requests",
        ] {
            rows.push(self.count(&format!("SELECT COUNT(*) FROM {table}")).await);
        }
        rows.push(self.count("SELECT COUNT(*) FROM cases WHERE approved_at IS NOT NULL OR cancelled_at IS NOT NULL").await);
        rows.push(self.count("SELECT COUNT(*) FROM holds WHERE released_at IS NOT NULL").await);
        rows.push(self.count("SELECT COUNT(*) FROM pauses WHERE resumed_at IS NOT NULL").await);
        rows.push(self.count("SELECT COALESCE(SUM(version), 0) FROM requests").await);
        rows.push(self.count("SELECT COALESCE(SUM(attempts_allowed), 0) FROM jobs").await);
        rows
    }

    /// No answer and no line of the log held a token, a key or a person.
    pub fn nothing_leaked(&self) {
        let mut secrets: Vec<String> = ROLES.iter().map(|(role, _)| token(role)).collect();
        secrets.extend(PERSONAL.iter().map(|text| (*text).to_owned()));
        let keys = ["keys", "keys/epochs"].map(|name| self.folder.path().join(name));
        for key in keys.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
            let key = key.unwrap();
            // The last signed head of the log is for everybody.
            if key.file_name() == "log.head" || key.path().is_dir() {
                continue;
            }
            let text = std::fs::read_to_string(key.path()).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("-----"));
            secrets.extend(lines.map(ToOwned::to_owned).filter(|line| line.len() > 16));
        }
        assert!(secrets.len() > 13, "four keys, five tokens, five persons");
        let seen = String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned();
        // The driver's debug lines show the statement that filled the invented company's database.
        let log = String::from_utf8_lossy(&log().lock().unwrap()).into_owned();
        let log: Vec<&str> =
            log.lines().filter(|line| !line.contains("INSERT INTO customers")).collect();
        let log = log.join("\n");
        assert!(seen.len() > 100 && log.contains("request"));
        for secret in secrets {
            assert!(!seen.contains(&secret), "an answer holds `{secret}`");
            let told = log.lines().find(|line| line.contains(&secret));
            assert!(told.is_none(), "the log holds `{secret}`: {told:?}");
        }
        for path in [self.folder.path().to_str().unwrap(), "secrets/", "quietus.db"] {
            assert!(!seen.contains(path), "an answer holds the path `{path}`");
        }
    }
}
