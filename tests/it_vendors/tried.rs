//! `quietus connector test` for each of the ten vendors: a system that is written from what
//! `connector show` gives to start from, tried out against the exchange, and what people read.

use quietus_connectors::processor::library;

use crate::exchange::Exchange;
use crate::instance::Instance;
use crate::vendors::cases::{Case, cases, opened};

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// A company that has one vendor, and the vendor.
pub async fn company(case: &Case) -> (Instance, Exchange) {
    let exchange = opened(case).await;
    let settings = match case.known_by.0 {
        "email" => String::new(),
        kind => format!("identities: {{{kind}: {{one_per_person: true}}}}\n"),
    };
    let mut instance = Instance::new(&settings).await;
    let example = ["connector", "show", case.name, "--only", "example"];
    let example = instance.quietus(&example).await.expect(0).out;
    instance.write(&format!("systems/{}.yaml", case.name), &example);
    let undecided = instance.quietus(&["check", "--format", "short"]).await.expect(2);
    let told = undecided.out;
    assert!(told.contains("nobody has decided this yet"), "{told}");
    assert!(told.contains(&format!("systems/{}.yaml", case.name)), "{told}");

    let mut text = example.replacen("owner: TO-DECIDE", "owner: Marketing", 1);
    text = text.replacen("[TO-DECIDE]", "[contact]", 1);
    for (name, value) in &case.parameters {
        let variable = format!("{}_{name}", case.name).to_uppercase();
        instance.set(&variable, value);
        text = text.replacen(&format!("  {name}: TO-DECIDE"), &format!("  {name}: {value}"), 1);
    }
    let identities = text.lines().find(|line| line.trim().starts_with("identities: ")).unwrap();
    let asked_by = format!("  identities: [{}]", case.known_by.0);
    text = text.replacen(identities, &asked_by, 1);
    let host = &exchange.host;
    let connection =
        format!("connection: {{url: \"http://{host}\", private_hosts: [\"{host}\"]}}\n");
    instance.write(&format!("systems/{}.yaml", case.name), &format!("{text}{connection}"));
    let fine = instance.quietus(&["check", "--format", "short"]).await;
    assert_eq!((fine.code, fine.out.as_str()), (0, ""), "{}", fine.err);
    (instance, exchange)
}

async fn tried(name: &str) -> String {
    let case = case(name);
    let (instance, exchange) = company(&case).await;
    let there = exchange.world().alive().len();
    let told = instance.quietus(&["connector", "test", name]).await.expect(0);
    assert_eq!(exchange.world().changes(), 0, "trying a vendor out changes nothing");
    assert_eq!(exchange.world().alive().len(), there);
    assert_eq!(told.err, "");
    let json = instance.quietus(&["connector", "test", name, "--json"]).await.expect(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["system"], &json["passed"]), (&name.into(), &true.into()), "{json:#}");
    assert_eq!(json["steps"][0]["ending"], "PASS", "{json:#}");
    told.out
}

macro_rules! vendors_tried_out {
    ($($name:ident),* $(,)?) => {
        const TRIED_OUT: &[&str] = &[$(stringify!($name)),*];

        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                insta::assert_snapshot!(stringify!($name), tried(stringify!($name)).await);
            }
        )*
    };
}

vendors_tried_out! {
    braze, hubspot, intercom, mailchimp, salesforce, segment, sendgrid, stripe, twilio, zendesk,
}

#[test]
fn none_of_the_vendors_is_left_out() {
    assert_eq!(TRIED_OUT, library::names());
    assert_eq!(TRIED_OUT.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_and_the_exit_code_says_so() {
    let mut stripe = case("stripe");
    let (_, wrong) = &stripe.wrong;
    stripe.parameters = vec![("secret_key", wrong.clone())];
    let (mut instance, _exchange) = company(&stripe).await;
    let told = instance.quietus(&["connector", "test", "stripe"]).await.expect(1);
    assert!(told.out.starts_with("FAIL         check"), "{}", told.out);
    assert!(told.out.contains("NOT CHECKED  nobody"), "{}", told.out);
    assert!(told.out.ends_with("0 passed, 1 failed, 1 not checked\n"), "{}", told.out);
    assert!(![told.out, told.err].concat().contains("sk_test"), "a secret is never shown");
    instance.set("STRIPE_SECRET_KEY", "");
    let told = instance.quietus(&["connector", "test", "stripe"]).await.expect(1);
    assert!(told.out.contains("`STRIPE_SECRET_KEY` is not set"), "{}", told.out);
    let none = instance.quietus(&["connector", "test", "strip"]).await.expect(2);
    assert!(none.err.contains("there is no system `strip`"), "{}", none.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_tried_out_as_well() {
    let instance = Instance::new("").await;
    let told = instance.quietus(&["connector", "test", "shop"]).await.expect(0);
    for line in [
        "PASS         check        reached SQLite",
        "PASS         data map     the system is as the data map says",
        "PASS         privileges   nothing that is needed is missing",
    ] {
        assert!(told.out.contains(line), "`{line}` in\n{}", told.out);
    }
    let shop = std::fs::read_to_string(instance.path().join("systems/shop.yaml")).unwrap();
    let other = shop.replacen("created_at: {type", "made_at: {type", 1);
    let other = other.replacen("collection: created_at", "collection: made_at", 1);
    instance.write("systems/shop.yaml", &other);
    let told = instance.quietus(&["connector", "test", "shop"]).await.expect(1);
    assert!(told.out.contains("FAIL         data map"), "{}", told.out);
    assert!(told.out.contains("`customers.made_at`"), "{}", told.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_does_by_hand_is_not_checked() {
    let instance = Instance::new("").await;
    instance.write(
        "systems/paper.yaml",
        "system: paper\nkind: manual\nowner: Archive\noperator: Example Archive\n\
         persons: {categories: [contact], identities: [email]}\n\
         task: {instructions: shred the file, due_in: P10D, assignee: Ben Example}\n",
    );
    let told = instance.quietus(&["connector", "test", "paper"]).await.expect(0);
    assert!(told.out.starts_with("NOT CHECKED  check"), "{}", told.out);
}
