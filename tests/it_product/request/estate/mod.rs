//! Everything that one controller holds of its customers: three databases, a vendor with an
//! interface of its own, a mailing service that speaks OpenDSR, a connector of the controller's own
//! and a paper archive, each with a memory that the test looks into past the product.

pub mod backend;
pub mod census;
pub mod forwarder;
pub mod mailer;
pub mod vendor;

use std::sync::Arc;

use jiff::{Span, ToSpan as _};
use quietus::app::Quietus;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use self::backend::Backend;
use self::forwarder::Forwarder;
use self::mailer::Mailer;
use self::vendor::{Member, Vendor};
use crate::company::Company;
use crate::company::database::{Database, Kind};
use crate::company::engine::{TurnedClock, work};
use crate::company::table::{Column, Table};

pub const GRACE: &str = "grace.hopple@mail.example";
/// Everything by which Grace can be recognised, but for her customer number.
pub const OF_GRACE: &[&str] = &[
    "grace.hopple",
    "Grace Hopple",
    "Zwieselgasse 4711",
    "DE89370400440532013000",
    "contact-5fd1c8",
];
pub const NUMBER: &str = "918273645546";

const CRM: &str = "collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email}
      name: contact
      contact: {type: text, category: contact, identity: contact_id}
      site: {type: integer}
      created_at: {type: timestamp}
      restricted: {type: boolean}
    links:
      site: {to: sites, fields: {site: id}, kind: shallow}
    starting_points: {collection: created_at}
    restrict: {flag: restricted}
  orders:
    key: id
    fields:
      id: {type: integer}
      customer: {type: integer}
      address: delivery
      invoice_name: invoice
      invoiced_at: {type: timestamp}
      restricted: {type: boolean}
    links:
      customer: {to: customers, fields: {customer: id}, kind: deep}
    starting_points: {collection: invoiced_at}
    restrict: {flag: restricted}
  sites:
    key: id
    fields:
      id: {type: integer, identity: site_id}
      town: {type: text, exempt: a place and nobody}
";

const BILLING: &str = "collections:
  accounts:
    key: id
    fields:
      id: {type: integer}
      customer: {type: integer, identity: customer_id, exempt: the key that connects it}
      holder: contact
      iban: contact
      opened_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: opened_at}
    restrict: {flag: restricted}
";

const DESK: &str = "collections:
  tickets:
    key: id
    fields:
      id: {type: integer}
      customer: {type: integer, identity: customer_id, exempt: the key that connects it}
      words: contact
      opened_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: opened_at}
    restrict: {flag: restricted}
  chats:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      words: contact
      opened_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: opened_at}
    restrict: {flag: restricted}
";

const PACK: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
  delivery: {purpose: deliver}
  invoice: {purpose: bill}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
  - {rule: delivery, category: delivery, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
  - {rule: invoice, category: invoice, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
minimums:
  - {name: ao-147, category: invoice, starting_point: collection, period: P8Y, round: end_of_calendar_year, jurisdiction: DE, citation: AO 147}
";

const ID: (&str, Column, &str) = ("id", Column::Number, "NOT NULL PRIMARY KEY");
const RESTRICTED: (&str, Column, &str) = ("restricted", Column::Flag, "");
const OPENED: (&str, Column, &str) = ("opened_at", Column::Moment, "");
const CUSTOMER: (&str, Column, &str) = ("customer", Column::Number, "");

const SITES: Table = table("sites", &[ID, ("town", Column::Text, "")]);
const CUSTOMERS: Table = table(
    "customers",
    &[
        ID,
        ("email", Column::Text, ""),
        ("name", Column::Text, ""),
        ("contact", Column::Text, ""),
        ("site", Column::Number, ""),
        ("created_at", Column::Moment, ""),
        RESTRICTED,
    ],
);
pub const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        ID,
        CUSTOMER,
        ("address", Column::Text, ""),
        ("invoice_name", Column::Text, ""),
        ("invoiced_at", Column::Moment, ""),
        RESTRICTED,
    ],
    constraints: "FOREIGN KEY (customer) REFERENCES customers (id)",
};
pub const ACCOUNTS: Table = table(
    "accounts",
    &[ID, CUSTOMER, ("holder", Column::Text, ""), ("iban", Column::Text, ""), OPENED, RESTRICTED],
);
pub const TICKETS: Table =
    table("tickets", &[ID, CUSTOMER, ("words", Column::Text, ""), OPENED, RESTRICTED]);
pub const CHATS: Table = table(
    "chats",
    &[ID, ("email", Column::Text, ""), ("words", Column::Text, ""), OPENED, RESTRICTED],
);

const fn table(
    name: &'static str,
    columns: &'static [(&'static str, Column, &'static str)],
) -> Table {
    Table { name, columns, constraints: "CHECK (id > 0)" }
}

/// On which kinds of database the controller keeps its customers, their accounts and their tickets.
pub struct Kinds {
    pub crm: Kind,
    pub billing: Kind,
    pub desk: Kind,
}

/// The customers know all that leads anywhere.
pub const USUAL: Kinds = Kinds { crm: Kind::Postgres, billing: Kind::MariaDb, desk: Kind::Sqlite };

pub struct Estate {
    pub company: Company,
    pub vendor: Vendor,
    pub mailer: Mailer,
    pub backend: Backend,
    /// Third parties that are not in the data map.
    left_out: Vec<&'static str>,
}

impl Estate {
    /// Everything as it is before anybody has asked for anything; `club_by` is what the vendor is
    /// asked by, and `settings` are those of requests.
    pub async fn new(store: Kind, kinds: Kinds, club_by: &str, settings: &str) -> Self {
        let mut company = Company::new(store).await;
        let instance = company.read("quietus.yaml");
        company.write("quietus.yaml", &format!("{instance}{settings}"));
        company.write("schedules/rules.yaml", PACK);
        furnish_crm(company.add_system("crm", kinds.crm, CRM).await).await;
        furnish_billing(company.add_system("billing", kinds.billing, BILLING).await).await;
        furnish_desk(company.add_system("desk", kinds.desk, DESK).await).await;
        let member = |id, email| Member { id, email, restricted: false };
        let vendor = Vendor::open(vec![
            member("contact-5fd1c8", GRACE),
            member("contact-88aa01", "alan.tarring@mail.example"),
        ])
        .await;
        let everybody = &[GRACE, "alan.tarring@mail.example", "shared.desk@mail.example"];
        let mailer = Mailer::open(everybody).await;
        let backend = Backend::open(everybody).await;
        let estate = Self { company, vendor, mailer, backend, left_out: Vec::new() };
        estate.write_third_parties(club_by);
        estate
    }

    fn write_third_parties(&self, club_by: &str) {
        for folder in ["definitions", "certificates"] {
            std::fs::create_dir(self.company.path(folder)).unwrap();
        }
        let by_mail = "[email]";
        let write = |name: &str, kind: &str, by: &str, rest: &str| {
            self.company.write(
                &format!("systems/{name}.yaml"),
                &format!(
                    "system: {name}\nkind: {kind}\nrole: processor\nowner: Marketing\n\
                     operator: Example {name} Ltd\n\
                     persons: {{categories: [contact], identities: {by}}}\n{rest}"
                ),
            );
        };
        let at = |host: &str, path: &str, trust: &str| {
            format!(
                "connection: {{url: 'http://{host}{path}', private_hosts: ['{host}']{trust}}}\n"
            )
        };
        self.company.write("definitions/club.yaml", vendor::DEFINITION);
        self.company.write_secret("club-key", vendor::KEY);
        let rest = at(&self.vendor.host, "", "")
            + "definition: ./definitions/club.yaml\nparameters: {key: 'file:secrets/club-key'}\n";
        write("club", "processor", club_by, &rest);
        self.company.write("certificates/mailer.pem", &self.mailer.authority());
        let rest = at(&self.mailer.host, "/v2", ", trust: 'file:certificates/mailer.pem'")
            + "parameters: {domain: opendsr.mailer.example}\n";
        write("mailer", "opendsr", by_mail, &rest);
        self.company.write_secret("backend-secret", backend::SECRET);
        let rest = at(&self.backend.host, "", "")
            + "parameters: {secret: 'file:secrets/backend-secret', identities: email}\n";
        write("backend", "own", by_mail, &rest);
        let task = "task: {instructions: Take the file out of shelf 3 and shred it, \
                    due_in: P10D, assignee: Ben Example}\n";
        write("archive", "manual", by_mail, task);
    }

    /// Takes systems out of the data map; third parties hold nobody then.
    pub fn without(&mut self, systems: &[&'static str]) {
        for name in systems {
            std::fs::remove_file(self.company.path(&format!("systems/{name}.yaml"))).unwrap();
        }
        self.left_out.extend(systems);
    }

    /// Puts a line that the test can cut before a database on a server.
    pub async fn cut_line_to(&self, system: &str) -> Forwarder {
        let (host, with_host) = forwarder::by_way_of(&self.company.database(system).url);
        let forwarder = Forwarder::to(host).await;
        self.company.write_secret(&format!("{system}-url"), &with_host(&forwarder.host));
        forwarder
    }

    pub fn database(&self, system: &str) -> &Database {
        self.company.database(system)
    }

    /// Everything that anybody holds, one line a row.
    pub async fn everything(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for system in &self.company.systems {
            let rows = census::all_rows(&system.database).await;
            // The product's own note of how far it has come is nobody's data.
            let rows = rows.into_iter().filter(|row| !row.starts_with("quietus_progress"));
            lines.extend(rows.map(|row| format!("{}.{row}", system.name)));
        }
        let third_parties = [
            ("club", self.vendor.holds()),
            ("mailer", self.mailer.holds()),
            ("backend", self.backend.holds()),
        ];
        for (name, holds) in third_parties {
            if !self.left_out.contains(&name) {
                lines.extend(holds.into_iter().map(|one| format!("{name}: {one}")));
            }
        }
        lines
    }

    /// What anybody still holds of Grace.
    pub async fn of_grace(&self) -> Vec<String> {
        let is_hers = |row: &String| {
            let small = row.to_lowercase();
            OF_GRACE.iter().any(|word| small.contains(&word.to_lowercase()))
        };
        self.everything().await.into_iter().filter(is_hers).collect()
    }
}

async fn furnish_crm(database: &Database) {
    for table in [&SITES, &CUSTOMERS, &ORDERS] {
        table.create(database).await;
    }
    SITES.fill(database, &["900|Old Town", "700300200|New Town"]).await;
    CUSTOMERS
        .fill(
            database,
            &[
                "918273645546|grace.hopple@mail.example|Grace Hopple|contact-5fd1c8|900|2024-01-01T00:00:00|~",
                "700300200|alan.tarring@mail.example|Alan Tarring|contact-88aa01|900|2024-01-01T00:00:00|~",
                "3001|shared.desk@mail.example|Sally Shared|~|900|2024-01-01T00:00:00|~",
                "3002|shared.desk@mail.example|Simon Shared|~|900|2024-01-01T00:00:00|~",
            ],
        )
        .await;
    ORDERS
        .fill(
            database,
            &[
                "11|918273645546|Zwieselgasse 4711|Grace Hopple|2025-05-01T12:00:00|~",
                "12|918273645546|Zwieselgasse 4711|Grace Hopple|2012-05-01T12:00:00|~",
                "21|700300200|Alan Street 2|Alan Tarring|2012-05-01T12:00:00|~",
            ],
        )
        .await;
}

async fn furnish_billing(database: &Database) {
    ACCOUNTS.create(database).await;
    ACCOUNTS
        .fill(
            database,
            &[
                "51|918273645546|Grace Hopple|DE89370400440532013000|2024-01-01T00:00:00|~",
                "52|700300200|Alan Tarring|DE02120300000000202051|2024-01-01T00:00:00|~",
                "900|3001|Sally Shared|DE02500105170137075030|2024-01-01T00:00:00|~",
            ],
        )
        .await;
}

async fn furnish_desk(database: &Database) {
    TICKETS.create(database).await;
    CHATS.create(database).await;
    TICKETS
        .fill(
            database,
            &[
                "31|918273645546|Grace Hopple cannot log in|2026-01-01T00:00:00|~",
                "32|700300200|It blinks|2026-01-01T00:00:00|~",
            ],
        )
        .await;
    CHATS
        .fill(
            database,
            &[
                "41|grace.hopple@mail.example|Grace Hopple says hello|2026-01-01T00:00:00|~",
                "42|alan.tarring@mail.example|hello|2026-01-01T00:00:00|~",
            ],
        )
        .await;
}

/// A clock that begins at the machine's own time: commands run on that.
pub fn clock() -> Arc<TurnedClock> {
    TurnedClock::at(&SystemClock.now().to_string())
}

/// Time passes, and everything is done that can be done by then.
pub async fn live(product: &Quietus, clock: &TurnedClock, time: Span) {
    clock.advance(time);
    for _ in 0..3 {
        clock.advance(2.seconds());
        product.advance_requests().await.unwrap();
        work(product).await;
    }
}
