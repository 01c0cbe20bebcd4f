//! Systems that are spared: few calls while a vendor fails, a pause that it asks for, limits that hold,
//! and nobody else who waits for it, nothing that is lost and nothing that is done twice.

mod breaker;
mod limits;
mod vendor;

use quietus::app::Quietus;
use quietus::app::spared::Waits;
use uuid::Uuid;

use self::vendor::{Vendor, address};
use crate::company::Company;
use crate::company::database::Kind;
use crate::request::many::ask_by;
use crate::request::person::PACK;

const CRM: &str = "collections:
  customers:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
";

const DEFINITION: &str = r#"
processor: 1
name: post
vendor: Post
api: "1"
documentation: https://post.example/docs/erasure
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://post.example
authentication:
  bearer: { token: "{key}" }
identities:
  - kind: email
    shape: email
check:
  send: GET /
  answers: [{ status: [200], means: done }]
actions:
  erase:
    steps:
      - send: DELETE /people/{id}
        answers: [{ status: [204], means: done }, { status: [404], means: absent }]
    verify:
      - send: GET /people/{id}
        answers: [{ status: [404], means: absent }, { status: [200], means: present }]
"#;

/// A company that keeps people in a database, and a vendor that keeps them too; `limits` is a line of the
/// vendor's file.
async fn company(store: Kind, vendor: &Vendor, limits: &str) -> Company {
    let mut company = Company::new(store).await;
    company.write("schedules/rules.yaml", PACK);
    let instance = company.read("quietus.yaml");
    let types = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{types}"));
    std::fs::create_dir(company.path("definitions")).unwrap();
    company.write("definitions/post.yaml", DEFINITION);
    company.write_secret("post-key", "post-key-8f2c11d0");
    let host = &vendor.host;
    company.write(
        "systems/post.yaml",
        &format!(
            "system: post\nkind: processor\nrole: processor\nowner: Marketing\n\
             operator: Example Post Ltd\n{limits}\
             persons: {{categories: [contact], identities: [email]}}\n\
             connection: {{url: 'http://{host}', private_hosts: ['{host}']}}\n\
             definition: ./definitions/post.yaml\nparameters: {{key: 'file:secrets/post-key'}}\n"
        ),
    );
    let crm = company.add_system("crm", Kind::Sqlite, CRM).await;
    crm.run("CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, made_at TEXT)").await;
    for person in 0..vendor.many() {
        let row = format!("({person}, '{}', '2024-01-01T00:00:00Z')", address(person));
        crm.run(&format!("INSERT INTO customers VALUES {row}")).await;
    }
    company
}

/// Everybody asks to be erased, and every case is open.
async fn asked(product: &Quietus, vendor: &Vendor) -> Vec<Uuid> {
    let mut requests = Vec::new();
    for person in 0..vendor.many() {
        requests.push(ask_by(product, ("email", address(person))).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    requests
}

/// How many people are left in the database.
async fn in_the_crm(company: &Company) -> i64 {
    company.database("crm").number("SELECT CAST(COUNT(*) AS TEXT) FROM customers").await
}

/// What waits for the vendor; `None` where nothing does and it is not spared.
async fn waits_for_post(product: &Quietus) -> Option<Waits> {
    let waits = product.what_waits().await.unwrap();
    waits.into_iter().find(|one| one.system == "post")
}
