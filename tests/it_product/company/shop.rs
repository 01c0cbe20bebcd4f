//! A shop on every kind of database: rows that are due, not due, due or not by one second, held,
//! and kept by a law; and what must be left of them, written by hand.
//!
//! Everything is as of [`MOMENT`]. In Berlin that is two o'clock in the morning, and 90 days
//! before lies winter time: a day-count of 90 × 24 hours would be an hour off.

use super::Company;
use super::database::{Database, Kind};
use super::table::Column::{Flag, Moment, Number, Text};
use super::table::{Column, Row, Table};

/// The moment that decides what is due.
pub const MOMENT: &str = "2026-06-01T00:00:00Z";

const ID: (&str, Column, &str) = ("id", Number, "NOT NULL PRIMARY KEY");
const CUSTOMER: (&str, Column, &str) = ("customer_id", Number, "NOT NULL");
const COUNTRY: (&str, Column, &str) = ("country", Text, "NOT NULL");
const BODY: (&str, Column, &str) = ("body", Text, "");

/// A table with the key `id`, of which nothing hangs.
const fn table(name: &'static str, columns: &'static [(&str, Column, &str)]) -> Table {
    Table { name, columns, constraints: "CHECK (id > 0)" }
}

pub const CUSTOMERS: Table = table(
    "customers",
    &[
        ID,
        ("email", Text, "NOT NULL UNIQUE"),
        ("full_name", Text, "NOT NULL"),
        COUNTRY,
        ("created_at", Moment, "NOT NULL"),
        ("last_login_at", Moment, ""),
        ("login_address", Text, ""),
    ],
);

pub const ORDERS: Table = Table {
    constraints: "FOREIGN KEY (customer_id) REFERENCES customers (id)",
    ..table(
        "orders",
        &[
            ID,
            CUSTOMER,
            COUNTRY,
            ("completed_at", Moment, ""),
            ("delivery_street", Text, ""),
            ("invoice_name", Text, "NOT NULL"),
            ("restricted", Flag, "NOT NULL"),
        ],
    )
};

pub const PAYMENTS: Table = Table {
    name: "payments",
    columns: &[
        ("order_id", Number, "NOT NULL"),
        ("number", Number, "NOT NULL"),
        ("account_holder", Text, ""),
    ],
    constraints: "PRIMARY KEY (order_id, number), FOREIGN KEY (order_id) REFERENCES orders (id)",
};

pub const TICKETS: Table = table(
    "tickets",
    &[
        ID,
        CUSTOMER,
        ("topic", Text, "NOT NULL"),
        ("contact", Text, ""),
        BODY,
        ("closed_at", Moment, ""),
    ],
);

pub const CHATS: Table =
    table("chats", &[ID, CUSTOMER, ("nickname", Text, ""), BODY, ("ended_at", Moment, "NOT NULL")]);

/// From where and when a customer came.
const TRACES: &[(&str, Column, &str)] =
    &[ID, CUSTOMER, ("address", Text, ""), ("happened_at", Moment, "NOT NULL")];
pub const LOGINS: Table = table("logins", TRACES);
pub const VISITS: Table = table("visits", TRACES);

/// A table with its rows before, and after the run.
pub struct Story {
    pub table: &'static Table,
    pub before: &'static [Row],
    pub after: &'static [Row],
}

pub const STORIES: &[Story] = &[
    Story {
        table: &CUSTOMERS,
        before: &[
            "77|held@mail.example|Hilde Held|AT|2015-01-01T00:00:00|2019-01-01T00:00:00|192.0.2.77",
            "78|gone@mail.example|Gerd Gone|AT|2015-01-01T00:00:00|2019-01-01T00:00:00|192.0.2.78",
            "500|stays@mail.example|Stefan Stays|DE|2015-01-01T00:00:00|2026-05-30T00:00:00|192.0.2.50",
            "501|left@mail.example|Lena Left|DE|2015-01-01T00:00:00|2024-01-01T00:00:00|192.0.2.51",
            "502|lately@mail.example|Lars Lately|DE|2015-01-01T00:00:00|2025-06-01T00:00:00|192.0.2.52",
            "503|back@mail.example|Berta Back|DE|2015-01-01T00:00:00|2025-06-01T00:00:01|192.0.2.53",
            "504|never@mail.example|Nora Never|DE|2015-01-01T00:00:00|~|192.0.2.54",
            "505|owes@mail.example|Otto Owes|DE|2015-01-01T00:00:00|2020-01-01T00:00:00|192.0.2.55",
            "506|active@mail.example|Anna Active|DE|2015-01-01T00:00:00|2026-05-01T00:00:00|192.0.2.56",
            "507|minute@mail.example|Mia Minute|DE|2026-05-31T00:00:00|~|192.0.2.57",
        ],
        after: &[
            "77|held@mail.example|Hilde Held|AT|2015-01-01T00:00:00|2019-01-01T00:00:00|192.0.2.77",
            "500|stays@mail.example|Stefan Stays|DE|2015-01-01T00:00:00|2026-05-30T00:00:00|192.0.2.50",
            "502|lately@mail.example|Lars Lately|DE|2015-01-01T00:00:00|2025-06-01T00:00:00|~",
            "503|back@mail.example|Berta Back|DE|2015-01-01T00:00:00|2025-06-01T00:00:01|192.0.2.53",
            "504|never@mail.example|Nora Never|DE|2015-01-01T00:00:00|~|~",
            "505|erased-*|(erased)|DE|2015-01-01T00:00:00|2020-01-01T00:00:00|~",
            "506|erased-*|(erased)|DE|2015-01-01T00:00:00|2026-05-01T00:00:00|192.0.2.56",
            "507|minute@mail.example|Mia Minute|DE|2026-05-31T00:00:00|~|192.0.2.57",
        ],
    },
    Story {
        table: &ORDERS,
        before: &[
            "1|500|AT|~|Open Street 1|Stefan Stays|no",
            "2|500|AT|2026-03-03T01:00:00|Edge Street 2|Stefan Stays|no",
            "3|500|AT|2026-03-03T01:00:00.000001|Later Street 3|Stefan Stays|no",
            "4|78|AT|2023-06-01T00:00:00|Old Street 4|Gerd Gone|no",
            "5|500|AT|2023-06-01T00:00:01|Nearly Street 5|Stefan Stays|no",
            "6|505|DE|2020-01-01T12:00:00|Tax Street 6|Otto Owes|no",
            "7|500|DE|2017-12-31T22:59:59|Past Street 7|Stefan Stays|no",
            "8|500|DE|2017-12-31T23:00:00|Year Street 8|Stefan Stays|no",
            "9|500|AT|2019-01-01T12:00:00|Lawsuit Street 9|Stefan Stays|no",
            "10|77|AT|2019-01-01T12:00:00|Held Street 10|Hilde Held|no",
            "11|500|DE|2025-11-01T12:00:00|New Street 11|Stefan Stays|no",
        ],
        after: &[
            "1|500|AT|~|Open Street 1|Stefan Stays|no",
            "2|500|AT|2026-03-03T01:00:00|~|Stefan Stays|no",
            "3|500|AT|2026-03-03T01:00:00.000001|Later Street 3|Stefan Stays|no",
            "5|500|AT|2023-06-01T00:00:01|~|Stefan Stays|no",
            "6|505|DE|2020-01-01T12:00:00|~|Otto Owes|yes",
            "8|500|DE|2017-12-31T23:00:00|~|Stefan Stays|yes",
            "9|500|AT|2019-01-01T12:00:00|Lawsuit Street 9|Stefan Stays|no",
            "10|77|AT|2019-01-01T12:00:00|Held Street 10|Hilde Held|no",
            "11|500|DE|2025-11-01T12:00:00|~|Stefan Stays|no",
        ],
    },
    Story {
        table: &PAYMENTS,
        before: &[
            "2|1|Stefan Stays",
            "4|1|Gerd Gone",
            "4|2|Gerd Gone",
            "6|1|Otto Owes",
            "7|1|Stefan Stays",
            "10|1|Hilde Held",
        ],
        after: &["2|1|Stefan Stays", "6|1|Otto Owes", "10|1|Hilde Held"],
    },
    Story {
        table: &TICKETS,
        before: &[
            "1|500|router|a@mail.example|It blinks|2024-06-01T00:00:00",
            "2|500|fraud|b@mail.example|Stolen card|2020-01-01T00:00:00",
            "3|500|router|c@mail.example|It is off|2024-06-01T00:00:01",
            "4|500|router|d@mail.example|It is on|2026-05-01T00:00:00",
            "5|500|router|e@mail.example|Still open|~",
            "6|77|router|f@mail.example|See you in court|2020-01-01T00:00:00",
        ],
        after: &[
            "2|500|fraud|~|Stolen card|2020-01-01T00:00:00",
            "3|500|router|~|It is off|2024-06-01T00:00:01",
            "4|500|router|d@mail.example|It is on|2026-05-01T00:00:00",
            "5|500|router|e@mail.example|Still open|~",
            "6|77|router|f@mail.example|See you in court|2020-01-01T00:00:00",
        ],
    },
    Story {
        table: &CHATS,
        before: &[
            "1|500|Nick One|old talk|2020-01-01T00:00:00",
            "2|500|Nick Two|new talk|2026-05-31T00:00:00",
        ],
        after: &[
            "1|500|~|old talk|2020-01-01T00:00:00",
            "2|500|Nick Two|new talk|2026-05-31T00:00:00",
        ],
    },
    Story {
        table: &LOGINS,
        before: &["1|500|192.0.2.1|2020-01-01T00:00:00", "2|500|192.0.2.2|2026-05-31T00:00:00"],
        after: &["1|500|192.0.2.1|2020-01-01T00:00:00", "2|500|192.0.2.2|2026-05-31T00:00:00"],
    },
    Story {
        table: &VISITS,
        before: &[
            "1|500|203.0.113.77|2026-05-02T00:00:00",
            "2|500|203.0.113.78|2026-05-02T00:00:01",
        ],
        after: &["1|500|203.0.113.0|2026-05-02T00:00:00", "2|500|203.0.113.78|2026-05-02T00:00:01"],
    },
];

/// Who left and when; the last one came back.
pub const EVENTS: &[(&str, &str)] = &[
    ("77", "2025-01-01T00:00:00Z"),
    ("78", "2025-01-01T00:00:00Z"),
    ("501", "2026-03-03T01:00:00Z"),
    ("502", "2026-03-03T01:00:01Z"),
    ("505", "2025-01-01T00:00:00Z"),
    ("506", "2025-01-01T00:00:00Z"),
    ("503", "2025-01-01T00:00:00Z"),
];

pub const MAP: &str = include_str!("shop.map.yaml");
pub const RULES: &str = include_str!("shop.rules.yaml");

/// Fills a database with the shop as it was before.
pub async fn furnish(database: &Database) {
    for story in STORIES {
        story.table.create(database).await;
        story.table.fill(database, story.before).await;
    }
}

/// A company with a shop on each of these kinds, with its events and its holds.
pub async fn company(store: Kind, kinds: &[Kind]) -> Company {
    let mut company = Company::new(store).await;
    company.write("schedules/shop.yaml", RULES);
    for kind in kinds {
        furnish(company.add_system(&name_of(*kind), *kind, MAP).await).await;
    }
    for (customer, left_at) in EVENTS {
        company.quietus(&["event", "customer.left", customer, "--at", left_at]).await.expect(0);
    }
    company
        .quietus(&["event", "customer.left", "503", "--at", "2025-02-01", "--revoke"])
        .await
        .expect(0);
    company
}

/// Places a hold by record in every system, by subject, by category and by collection.
pub async fn place_holds(company: &Company) {
    let place = async |scope: &[&str]| {
        let mut arguments = vec!["hold", "place", "LIT-7", "--reason", "a lawsuit"];
        arguments.extend(scope);
        company.quietus(&arguments).await.expect(0);
    };
    for system in &company.systems {
        place(&["--system", &system.name, "--collection", "orders", "--record", "9"]).await;
    }
    place(&["--subject", "customer_id=77"]).await;
    place(&["--category", "chat.body"]).await;
    place(&["--collection", "logins"]).await;
}

pub fn name_of(kind: Kind) -> String {
    format!("shop-{}", kind.word())
}

/// Everything that every system holds, one line a row.
pub async fn dump(company: &Company) -> Vec<String> {
    let mut lines = Vec::new();
    for system in &company.systems {
        for story in STORIES {
            let rows = story.table.dump(&system.database).await;
            lines.extend(
                rows.iter().map(|row| format!("{} {}: {row}", system.name, story.table.name)),
            );
        }
    }
    lines
}

/// What a dump must show, before or after.
pub fn expected(company: &Company, pick: fn(&Story) -> &'static [Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for system in &company.systems {
        for story in STORIES {
            let rows = story.table.expected(pick(story));
            lines.extend(
                rows.iter().map(|row| format!("{} {}: {row}", system.name, story.table.name)),
            );
        }
    }
    lines
}
