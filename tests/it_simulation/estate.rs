//! The estate that is simulated: two databases, a processor, and rules in a few versions. The files
//! that the product reads are written from the same table that the oracle looks at, and nothing else
//! is common to both.

use std::path::Path;

use super::calendar::Period;

/// How the strings of invented people begin, in every system and nowhere else.
pub const PLANTED: &str = "zqplanted";

/// Versions of the rules.
pub const VERSIONS: usize = 3;

/// A collection of a database.
#[derive(Debug)]
pub struct Place {
    /// The system.
    pub system: &'static str,
    /// Its name.
    pub collection: &'static str,
    /// The one category in it.
    pub category: &'static str,
    /// The field that holds the starting point; `None` where an event is it.
    pub start: Option<&'static str>,
    /// The field that holds the customer's number; `None` where records are of nobody.
    pub customer: Option<&'static str>,
    /// The field with what must not be found anywhere else.
    pub planted: &'static str,
    /// How long it is kept, by version of the rules.
    pub periods: [Period; VERSIONS],
    /// For how long a law wants it kept, by version of the rules.
    pub minimums: Option<[Period; VERSIONS]>,
    /// Records that are kept can be restricted.
    pub restricts: bool,
}

/// All collections.
pub const PLACES: [Place; 5] = [
    Place {
        system: "shop",
        collection: "customers",
        category: "contact",
        start: None,
        customer: Some("id"),
        planted: "email",
        periods: [Period::Days(30), Period::Months(12), Period::Days(90)],
        minimums: None,
        restricts: false,
    },
    Place {
        system: "shop",
        collection: "visits",
        category: "visit",
        start: Some("happened_at"),
        customer: Some("customer"),
        planted: "address",
        periods: [Period::Days(30), Period::Days(90), Period::Months(6)],
        minimums: None,
        restricts: false,
    },
    Place {
        system: "shop",
        collection: "invoices",
        category: "invoice",
        start: Some("issued_at"),
        customer: Some("customer"),
        planted: "name",
        periods: [Period::Months(12), Period::Months(12), Period::Months(24)],
        minimums: Some([Period::Months(18), Period::Months(30), Period::Months(12)]),
        restricts: true,
    },
    Place {
        system: "shop",
        collection: "notes",
        category: "note",
        start: Some("written_at"),
        customer: None,
        planted: "text",
        periods: [Period::Months(600), Period::Months(600), Period::Months(600)],
        minimums: None,
        restricts: false,
    },
    Place {
        system: "crm",
        collection: "contacts",
        category: "lead",
        start: Some("seen_at"),
        customer: Some("customer"),
        planted: "email",
        periods: [Period::Days(90), Period::Days(30), Period::Months(1)],
        minimums: None,
        restricts: false,
    },
];

/// Databases.
pub const DATABASES: [&str; 2] = ["shop", "crm"];

/// The processor, which knows customers by their number.
pub const PROCESSOR: &str = "mailer";

/// The event that begins the period of a customer.
pub const LEFT: &str = "customer.left";

/// The collection whose starting point is that event.
pub const CUSTOMERS: usize = 0;

/// Seconds of a day at which the schedule rings, and how it says so.
pub const RINGS_AT: i64 = 2 * 3_600 + 30 * 60;
const CRON: &str = "30 2 * * *";

const INSTANCE: &str = "controller: {name: Example Company, zone: UTC, country: DE}
store: sqlite:quietus.db
restores: {watch: PT1H}
";

const SHOP: &str = "system: shop
kind: sqlite
owner: Shop team
connection: {url: 'sqlite:shop.db'}
zone: UTC
pace: {chunk_records: 2}
restore: {open: by_itself}
collections:
  customers:
    key: id
    fields:
      id: {type: text, identity: customer_id}
      email: {type: text, category: contact, identity: email, clear: {unique: erased-}}
    starting_points:
      relationship.ended: {event: customer.left, field: id}
  visits:
    key: id
    fields:
      id: {type: integer}
      customer: {type: text, identity: customer_id, exempt: a number alone points to nobody outside}
      address: {type: text, category: visit}
      happened_at: {type: timestamp}
    starting_points: {collection: happened_at}
  invoices:
    key: id
    fields:
      id: {type: integer}
      customer: {type: text, identity: customer_id, exempt: a number alone points to nobody outside}
      name: {type: text, category: invoice}
      issued_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {order.completed: issued_at}
    restrict: {flag: restricted}
  notes:
    key: id
    fields:
      id: {type: integer}
      author: {type: text, identity: employee, exempt: staff ask elsewhere}
      text: {type: text, category: note}
      written_at: {type: timestamp}
    starting_points: {collection: written_at}
";

const CRM: &str = "system: crm
kind: sqlite
owner: Sales
connection: {url: 'sqlite:crm.db'}
zone: UTC
pace: {chunk_records: 2}
collections:
  contacts:
    key: id
    fields:
      id: {type: integer}
      customer: {type: text, identity: customer_id, exempt: a number alone points to nobody outside}
      email: {type: text, category: lead, identity: email}
      seen_at: {type: timestamp}
    starting_points: {collection: seen_at}
";

const MAILER: &str = "system: mailer
kind: own
owner: Marketing
operator: Example Mailer
connection: {url: 'https://mailer.example'}
persons: {categories: [contact], identities: [customer_id]}
";

/// The rule pack of a version.
fn rules(version: usize) -> String {
    let categories = PLACES.map(|place| format!("  {}: {{purpose: work}}\n", place.category));
    let rules = PLACES.map(|place| {
        let point = match place.collection {
            "customers" => "relationship.ended",
            "invoices" => "order.completed",
            _ => "collection",
        };
        format!(
            "  - {{rule: {}, category: {}, starting_point: {point}, period: {}, action: erase, basis: {{citation: contract}}}}\n",
            place.collection,
            place.category,
            place.periods[version].text()
        )
    });
    let minimums = PLACES.iter().filter_map(|place| {
        let period = place.minimums?[version].text();
        Some(format!(
            "  - {{name: books, category: {}, starting_point: order.completed, period: {period}, jurisdiction: DE, citation: law}}\n",
            place.category
        ))
    });
    format!(
        "pack: simulated\nversion: '{version}'\nowner: Ada Example\ncategories:\n{}schedules:\n  nightly: {{cron: '{CRON}', zone: UTC}}\nschedule: nightly\ncap: {{records: 100000, share: 100%}}\nrules:\n{}minimums:\n{}",
        categories.concat(),
        rules.concat(),
        minimums.collect::<String>()
    )
}

/// Writes the instance's folder, with the rules of a version.
pub fn write(folder: &Path, version: usize) {
    let rules = rules(version);
    let files = [
        ("quietus.yaml", INSTANCE),
        ("systems/shop.yaml", SHOP),
        ("systems/crm.yaml", CRM),
        ("systems/mailer.yaml", MAILER),
        ("schedules/rules.yaml", &rules),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// The number of a collection.
pub fn place(system: &str, collection: &str) -> usize {
    let found = PLACES.iter().position(|one| one.system == system && one.collection == collection);
    found.unwrap_or_else(|| panic!("there is no {system}.{collection}"))
}
