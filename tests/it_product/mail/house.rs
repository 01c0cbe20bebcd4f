//! A company that sends mail: a shop, a help desk, and an archive where somebody works by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use quietus::app::request::{Requester, TakeIn, Taken};
use quietus::app::{Actor, Quietus};
use quietus::domain::{AskedRight, Assurance, Ids as _};
use quietus::http::Server;
use quietus::telemetry::SystemIds;
use tokio_util::sync::CancellationToken;

use super::maildir::{Received, received_by};
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, identifier_in};
use crate::request::person;

/// What the person is known by.
pub const PERSON: &str = "grace@mail.example";
/// When the task of an archive is opened.
pub const NOON: &str = "2027-01-04T12:00:00Z";
/// Later than anything that a real clock has written.
pub const FAR: &str = "2100-01-04T12:00:00Z";

const ARCHIVE: &str = "system: archive
kind: manual
owner: Clara Example
operator: Example Archive
language: de-AT
mail: file:secrets/archive-address
persons: {categories: [contact], identities: [email]}
task:
  instructions: Take the file out of shelf 3 and shred it
  due_in: P10D
  assignee: Ben Example
  mail: file:secrets/ben-address
  confirmer: Ada Example
";

/// The company, with addresses of its own.
pub struct House {
    pub company: Company,
    tag: String,
}

impl House {
    /// Sends through a server on this port; `more` entries of `mail`.
    pub async fn open(port: u16, more: &str) -> Self {
        let company = person::company("").await;
        let tag = SystemIds.new_id().simple().to_string();
        let house = Self { company, tag };
        house.configure(port, more);
        house.company.write("systems/archive.yaml", ARCHIVE);
        house.company.write_secret("ben-address", &house.address("ben"));
        house.company.write_secret("ada-address", &house.address("ada"));
        house.company.write_secret("archive-address", &house.address("archive"));
        house.company.quietus(&["check"]).await.expect(0);
        house
    }

    /// Writes the instance file anew.
    pub fn configure(&self, port: u16, more: &str) {
        let instance = self.company.read("quietus.yaml");
        let instance = instance.split("mail:\n").next().unwrap();
        let clara = self.address("clara");
        self.company.write(
            "quietus.yaml",
            &format!(
                "{instance}mail:\n  host: 127.0.0.1\n  port: {port}\n  encryption: none\n  \
                 from: Example Company <privacy@company.example>\n  \
                 reply_to: people@company.example\n  pages: http://127.0.0.1:1\n  \
                 people: {{Ada Example: file:secrets/ada-address, Clara Example: {clara}}}\n{more}"
            ),
        );
    }

    /// An address that no other test has.
    pub fn address(&self, name: &str) -> String {
        format!("{name}-{}@company.example", self.tag)
    }

    pub fn received(&self, name: &str) -> Vec<Received> {
        received_by(&self.address(name))
    }

    /// Brings a request of the person, whose letters go to `contact`.
    pub async fn bring(&self, right: &str, language: &str, contact: &str) -> String {
        let file = self.company.path("contact.txt");
        std::fs::write(&file, contact).unwrap();
        let new = ["request", "new", "--right", right, "--identities-file", "-"];
        let how = ["--channel", "web", "--language", language, "--contact-file"];
        let check = ["--check", "high", "--method", "login"];
        let arguments = [&new[..], &how[..], &[file.to_str().unwrap()], &check[..]].concat();
        let told = person::told(&self.company, &arguments, "email=grace@mail.example\n").await;
        std::fs::remove_file(&file).unwrap();
        identifier_in(&told.expect(0).out)
    }

    /// `quietus letter list` of a request.
    pub async fn letters(&self, request: &str) -> String {
        self.company.quietus(&["letter", "list", request]).await.expect(0).out
    }

    /// The identifier of a request's letter, by a word of its line.
    pub async fn letter(&self, request: &str, word: &str) -> String {
        let list = self.letters(request).await;
        let line =
            list.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{list}"));
        identifier_in(line)
    }

    /// What the store has of the mails, oldest first: what about, state and attempts.
    pub async fn mails(&self) -> Vec<String> {
        let text = "SELECT about || ' ' || recipient || ' ' || state || ' ' || CAST(attempts AS TEXT) FROM mails ORDER BY written_at, about, recipient";
        self.company.store_rows(text).await
    }

    /// Nothing that anybody said, no file of the store and no evidence names these people.
    pub async fn names_nobody(&self, said: &str) {
        let (ben, ada) = (self.address("ben"), self.address("ada"));
        let names = [PERSON, ben.as_str(), ada.as_str(), "vielen Dank"];
        for name in names {
            assert!(!said.contains(name), "`{name}` in\n{said}");
        }
        assert_eq!(person::in_the_store(&self.company, &names).await, Vec::<String>::new());
    }
}

/// One replica with a clock that the test sets, and its pages.
pub struct Replica {
    pub product: Arc<Quietus>,
    pub clock: Arc<TurnedClock>,
    address: SocketAddr,
    stop: CancellationToken,
    client: reqwest::Client,
}

/// A page as a browser gets it.
pub struct Page {
    pub status: u16,
    pub text: String,
}

impl Page {
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// What its form carries.
    pub fn form(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"form\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Replica {
    pub async fn open(house: &House, now: &str) -> Self {
        let clock = TurnedClock::at(now);
        let product = house.company.replica(&clock).await;
        let server = Server::bind(&product).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        tokio::spawn(server.serve(stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { product, clock, address, stop, client }
    }

    /// Brings a request of the person on this replica's clock; its identifier.
    pub async fn bring(&self, asked: AskedRight, contact: Option<&str>) -> String {
        let taken = self.product.take_in(TakeIn {
            asked,
            identities: vec![("email".to_owned(), PERSON.to_owned())],
            received_at: None,
            channel: "web".to_owned(),
            requester: Requester::Person,
            ground: None,
            regime: None,
            language: Some("en".to_owned()),
            categories: None,
            contact: contact.map(str::to_owned),
            check: Some((Assurance::High, "login".to_owned(), None)),
            source: None,
            external_id: None,
            actor: Actor("Carl Clerk".to_owned()),
        });
        let Taken::New(request) = taken.await.unwrap() else { panic!("it is there already") };
        request.stored.id.to_string()
    }

    /// Somebody decides that a mail is sent again.
    pub async fn again(&self, mail: &str) {
        let ada = Actor("Ada Example".to_owned());
        self.product.mail_again(mail.parse().unwrap(), &ada).await.unwrap();
    }

    /// Carries requests and jobs on as far as they go now, and sends what is due.
    pub async fn work(&self) {
        for _ in 0..2 {
            self.product.advance_requests().await.unwrap();
            work(&self.product).await;
        }
        self.product.send_mails().await.unwrap();
    }

    pub async fn get(&self, token: &str) -> Page {
        let address = format!("http://{}/v1/tasks/answer/{token}", self.address);
        Self::page(self.client.get(address).send().await.unwrap()).await
    }

    /// Sends the form of a page with these fields.
    pub async fn post(&self, token: &str, fields: &[(&str, &str)]) -> Page {
        let address = format!("http://{}/v1/tasks/answer/{token}", self.address);
        let plain = |text: &str| {
            text.bytes().fold(String::new(), |all, one| {
                if one.is_ascii_alphanumeric() {
                    all + &char::from(one).to_string()
                } else {
                    format!("{all}%{one:02X}")
                }
            })
        };
        let fields = fields.iter().map(|(name, value)| format!("{name}={}", plain(value)));
        let request = self
            .client
            .post(address)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(fields.collect::<Vec<_>>().join("&"));
        Self::page(request.send().await.unwrap()).await
    }

    async fn page(response: reqwest::Response) -> Page {
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'self'"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer");
        Page { status: response.status().as_u16(), text: response.text().await.unwrap() }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
