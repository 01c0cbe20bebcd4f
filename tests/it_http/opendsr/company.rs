//! An invented company with a clock that tests set, its server, and what its customers' database
//! holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use quietus::app::{Opening, Quietus};
use quietus::config::{Process, load};
use quietus::domain::Clock;
use quietus::http::Server;
use quietus::telemetry::SystemIds;
use quietus_connectors::sample;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::house::log;
use super::authority::{Authority, Identity};

pub const DOMAIN: &str = "opendsr.partner.example";
pub const NOON: &str = "2026-11-23T12:00:00Z";

/// The credential of a controller.
pub fn secret(controller: &str) -> String {
    format!("{controller}-0123456789abcdef0123456789abcdef")
}

/// A clock that a test sets.
pub struct Hands(AtomicI64);

impl Hands {
    pub fn at_noon() -> Arc<Self> {
        let noon: Timestamp = NOON.parse().unwrap();
        Arc::new(Self(AtomicI64::new(noon.as_second())))
    }

    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn pass_hours(&self, hours: i64) {
        self.pass(hours * 3600);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

const CRM: &str = "
system: crm
kind: sqlite
owner: Customer care
connection: {url: 'sqlite:data/crm.db'}
collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email, clear: {unique: erased-}}
      email_sha256: {type: text, category: contact, identity: email_sha256}
      full_name: {type: text, category: contact}
      created_at: {type: timestamp}
    starting_points: {collection: created_at}
  invoices:
    key: id
    fields:
      id: {type: integer}
      customer_id: {type: integer, identity: customer_id, exempt: the books name the customer}
      address: {type: text, category: invoice}
      invoiced_on: {type: date}
      restricted: {type: boolean}
    starting_points: {collection: invoiced_on}
    restrict: {flag: restricted}
";

const PACK: &str = "
pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: to reach the customer}
  invoice: {purpose: to bill}
schedules:
  nightly: {cron: '30 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P9Y, action: erase, basis: {citation: contract}}
  - {rule: invoice, category: invoice, starting_point: collection, period: P9Y, action: erase, basis: {citation: contract}}
minimums:
  - {name: ao-147, category: invoice, starting_point: collection, period: P8Y, round: end_of_calendar_year, jurisdiction: DE, citation: AO 147}
";

/// SHA-256 of `hanna@mail.example`, as `printf hanna@mail.example | sha256sum` has it.
pub fn digest_of_hanna() -> String {
    quietus::domain::Digest::of(b"hanna@mail.example").to_string()
}

fn crm_data() -> String {
    let digest = digest_of_hanna();
    format!(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE,
             email_sha256 TEXT, full_name TEXT, created_at TEXT);
         CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer_id INTEGER, address TEXT,
             invoiced_on TEXT, restricted BOOLEAN);
         INSERT INTO customers VALUES
             (471100815, 'grace@mail.example', NULL, 'Invented Grace', '2024-01-01T00:00:00Z'),
             (2, 'alan@mail.example', NULL, 'Invented Alan', '2024-01-01T00:00:00Z'),
             (3, 'hanna@mail.example', '{digest}', 'Invented Hanna', '2024-01-01T00:00:00Z');
         INSERT INTO invoices VALUES (11, 471100815, 'Invented Street 1', '2025-05-01', NULL);"
    )
}

/// What must never be told or logged.
const PERSONAL: [&str; 7] = [
    "grace@mail",
    "alan@mail",
    "hanna@mail",
    "Invented Grace",
    "Invented Alan",
    "Invented Street",
    "471100815",
];

/// A company with its server.
pub struct Company {
    pub folder: TempDir,
    pub product: Arc<Quietus>,
    pub address: SocketAddr,
    pub clock: Arc<Hands>,
    _stop: tokio_util::sync::DropGuard,
    client: reqwest::Client,
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

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if status >= 400 {
            let text = String::from_utf8_lossy(&self.body).into_owned();
            for personal in PERSONAL {
                assert!(!text.contains(personal), "a refusal repeats a person: {text}");
            }
        }
        self
    }

    /// It is signed by this identity, under the header names that begin so.
    pub fn signed(self, by: &Identity, prefix: &str) -> Self {
        assert_eq!(self.header(&format!("{prefix}Processor-Domain")), DOMAIN);
        let signature = self.header(&format!("{prefix}Signature"));
        assert_eq!(by.certificates().verify(&self.body, signature), Ok(()));
        self
    }
}

/// The instance file of a company that two controllers may ask, `shop` and `bank`.
pub fn processor(port: u16, more: &str) -> String {
    format!(
        "
controller: {{name: Example Partner Ltd, zone: Europe/Berlin, country: DE}}
store: sqlite:quietus.db
listen: 127.0.0.1:{port}
workers: 1
tokens:
  - {{name: audit, role: auditor, secret: file:secrets/auditor}}
  - {{name: night-shift, role: operator, secret: file:secrets/operator}}
identities: {{email_sha256: {{normalise: lower}}}}
opendsr:
  domain: {DOMAIN}
  address: http://127.0.0.1:{port}
  key: file:secrets/opendsr.pem
  certificate: file:certificates/opendsr.pem
  trust: file:certificates/authority.pem
  rights: [erasure, access]
  identities:
    - {{type: email, as: email}}
    - {{type: email, format: sha256, as: email_sha256}}
    - {{type: controller_customer_id, as: customer_id}}
{more}"
    )
}

/// Controllers as most tests have them.
pub fn controllers(hosts: &str) -> String {
    format!(
        "  controllers:
    - {{id: shop, secret: file:secrets/shop, {hosts}}}
    - {{id: bank, secret: file:secrets/bank}}
"
    )
}

fn write(root: &std::path::Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl Company {
    /// Opens a company with these files beside those that every company has.
    pub async fn open(clock: Arc<Hands>, files: &[(&str, &str)]) -> Self {
        drop(log().lock().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "systems/crm.yaml", CRM);
        write(root, "schedules/rules.yaml", PACK);
        for name in ["auditor", "operator", "shop", "bank"] {
            write(root, &format!("secrets/{name}"), &secret(name));
        }
        for (name, text) in files {
            write(root, name, text);
        }
        std::fs::create_dir_all(root.join("data")).unwrap();
        sample::write(&root.join("data/crm.db"), crm_data().leak()).await.unwrap();
        let loaded = load(root).unwrap_or_else(|problems| panic!("{problems}"));
        let product = Quietus::open(Opening {
            loaded,
            process: Process::default(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(SystemIds),
        })
        .await
        .unwrap();
        let server = Server::bind(&product).await.unwrap();
        let address = server.address();
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { folder, product, address, clock, _stop: stop.drop_guard(), client }
    }

    /// A company that `shop` and `bank` may ask.
    pub async fn asked(identity: &Identity, authority: &Authority, hosts: &str) -> Self {
        let instance = processor(super::front::free_port(), &controllers(hosts));
        let files = [
            ("quietus.yaml", instance.as_str()),
            ("secrets/opendsr.pem", identity.key.as_str()),
            ("certificates/opendsr.pem", identity.certificate.as_str()),
            ("certificates/authority.pem", authority.pem.as_str()),
        ];
        Self::open(Hands::at_noon(), &files).await
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// A controller, or somebody with a token, asks.
    pub async fn ask(&self, who: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        let request = self.request(method, path).bearer_auth(secret(who));
        let request = request.header("content-type", "application/json").body(body.to_vec());
        self.send(request).await
    }

    pub async fn get(&self, who: &str, path: &str) -> Answer {
        self.ask(who, "GET", path, b"").await
    }

    /// Carries requests on and works on their jobs, until nothing is left to do now.
    pub async fn carry_on(&self) {
        // The first look ends a cooling-off, the second one carries out.
        for _ in 0..2 {
            self.product.advance_requests().await.unwrap();
        }
        let stop = CancellationToken::new();
        while self.product.carry_out_next("test", &stop).await.unwrap().is_some() {}
        self.product.certify_finished().await.unwrap();
    }

    pub async fn customers(&self, query: &str) -> u64 {
        sample::count(&self.folder.path().join("data/crm.db"), query).await.unwrap()
    }

    pub async fn count(&self, query: &str) -> u64 {
        sample::count(&self.folder.path().join("quietus.db"), query).await.unwrap()
    }

    /// The page of the only request that there is.
    pub async fn only_request(&self) -> Value {
        let list = self.get("auditor", "/v1/requests").await.expect(200).json();
        assert_eq!(list["requests"].as_array().unwrap().len(), 1, "{list}");
        let id = list["requests"][0]["id"].as_str().unwrap();
        self.get("auditor", &format!("/v1/requests/{id}")).await.expect(200).json()
    }
}

/// No line of the log names a person, a credential or the address of a callback.
pub fn nothing_logged(further: &[&str]) {
    let log = String::from_utf8_lossy(&log().lock().unwrap()).into_owned();
    let mut never: Vec<String> = PERSONAL.iter().map(ToString::to_string).collect();
    never.extend(["shop", "bank", "partner"].map(secret));
    never.extend(further.iter().map(ToString::to_string));
    for text in never {
        // The driver's debug lines show the statement that filled the invented database.
        let mut lines = log.lines().filter(|line| !line.contains("INSERT INTO customers"));
        let told = lines.find(|line| line.contains(&text));
        assert!(told.is_none(), "the log holds `{text}`: {told:?}");
    }
}

/// A request of 2.0 for somebody by one identity.
pub fn erasure(id: &str, (kind, format, value): (&str, &str, &str)) -> Value {
    json!({
        "regulation": "gdpr",
        "subject_request_id": id,
        "subject_request_type": "erasure",
        "submitted_time": "2026-11-20T08:30:00Z",
        "api_version": "2.0",
        "subject_identities": [
            {"identity_type": kind, "identity_format": format, "identity_value": value},
        ],
    })
}

pub const GRACE: (&str, &str, &str) = ("email", "raw", "Grace@mail.example");
pub const ALAN: (&str, &str, &str) = ("email", "raw", "alan@mail.example");

/// Names that a controller gives its requests.
pub const IDS: [&str; 3] = [
    "a7551968-d5d6-44b2-9831-815ac9017798",
    "b7551968-d5d6-44b2-9831-815ac9017798",
    "c7551968-d5d6-44b2-9831-815ac9017798",
];
