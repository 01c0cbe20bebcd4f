//! The definition language: what is wrong is refused with its place and what to write instead.

use quietus_connectors::processor::{Definition, library};
use quietus_connectors::{Fault, open_processor};

use crate::exchange::settings;

const SMALL: &str = r#"processor: 1
name: small
vendor: Small
api: "1"
documentation: https://small.example/docs
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://small.example
authentication:
  bearer: { token: "{key}" }
identities:
  - kind: email
    shape: email
    resolve:
      - send: GET /people
        query: { q: "{email}" }
        list: /people
        take: { id: /id }
        match: { at: /email }
check:
  send: GET /me
  answers: [{ status: [200], means: done }]
actions:
  erase:
    steps:
      - send: DELETE /people/{id}
        answers: [{ status: [204], means: done }]
"#;

fn refusal(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "`{from}` is not in the definition");
    let text = SMALL.replacen(from, to, 1);
    let Err(why) = Definition::read(&text) else { panic!("`{to}` passes") };
    assert!(!why.ends_with('.') && why.starts_with(|one: char| !one.is_uppercase()), "{why}");
    why
}

#[test]
fn the_small_definition_and_those_that_come_with_the_product_are_right() {
    Definition::read(SMALL).unwrap();
    for name in library::names() {
        let definition = Definition::read(library::definition(name).unwrap()).unwrap();
        assert_eq!(definition.name, name);
    }
}

#[test]
fn keys_that_are_not_known_are_refused_with_their_line() {
    let why = refusal("vendor: Small", "vender: Small");
    assert!(why.starts_with("line 3") && why.contains("vender") && why.contains("vendor"), "{why}");
    let why = refusal("        list: /people", "        lists: /people");
    assert!(why.starts_with("line 18") && why.contains("lists"), "{why}");
    let why = refusal("means: done", "means: finished");
    assert!(why.starts_with("line 23") && why.contains("finished"), "{why}");
    let why = refusal("bearer: { token", "bearer: { tokens");
    assert!(why.starts_with("line 11"), "{why}");
    let why = refusal("name: small", "name: small\nname: again");
    assert!(why.contains("name"), "{why}");
    let why = refusal("processor: 1", "processor: [");
    assert!(why.starts_with("line "), "{why}");
}

#[test]
fn what_has_no_sense_is_refused_with_what_to_write() {
    for (from, to, wanted) in [
        ("processor: 1", "processor: 2", "write 1"),
        ("name: small", "name: Small!", "lowercase letters"),
        ("erasure_grade: deleted", "erasure_grade: shredded", "physically purged"),
        ("base: https://small.example", "base: http://small.example", "https://"),
        ("documentation: https://", "documentation: see ", "documented"),
        ("token: \"{key}\"", "token: \"{kee}\"", "`{kee}`"),
        ("{ about: the key, secret: true }", "{ about: k, secret: true, default: x }", "default"),
        ("q: \"{email}\"", "q: \"{phone}\"", "`{phone}`"),
        ("q: \"{email}\"", "q: \"{email|upper}\"", "no filter"),
        ("q: \"{email}\"", "q: \"{email\"", "nothing closes"),
        ("GET /people", "FETCH /people", "no method"),
        ("GET /people", "GET people", "start it with `/`"),
        ("GET /people", "GET /people?all=1", "under `query`"),
        ("GET /people", "GET https://evil.example/", "start it with `/`"),
        ("list: /people", "list: people", "JSON pointer"),
        ("take: { id: /id }", "take: { name: /id }", "has no `id`"),
        ("        match: { at: /email }\n", "", "match` is missing"),
        ("answers: [{ status: [204], means: done }]", "answers: []", "what the answers mean"),
        ("status: [204]", "status: [20]", "no status code"),
        ("status: [204]", "status: [204], equals: 1", "write `at`"),
        ("status: [204]", "status: [204], at: /x", "one thing"),
        ("status: [204], means: done", "status: [202], means: pending", "`follow`"),
        ("DELETE /people/{id}", "DELETE /people/{reference}", "`{reference}`"),
        ("DELETE /people/{id}", "DELETE /people/{ids}", "`{ids}`"),
        ("match: { at: /email }", "match: { at: /email }\n        most: 5", "no meaning here"),
    ] {
        let why = refusal(from, to);
        assert!(why.contains(wanted), "`{to}`: {why}");
    }
    // What is asked in a batch is not found by the key of one record.
    let batch = super::lifecycle::BATCH.replace(
        "send: GET /people/{id}",
        "send: GET /people/{id}\n        query: { key: '{idempotency_key}' }",
    );
    let why = Definition::read(&batch).unwrap_err();
    assert!(
        why.contains("`actions.erase.verify[0]`") && why.contains("ask by the record"),
        "{why}"
    );
    // An id that is taken on trust cannot be looked up again without a question of its own.
    let cut = SMALL.find("    resolve:").unwrap();
    let end = SMALL.find("check:").unwrap();
    let text = format!("{}{}", &SMALL[..cut], &SMALL[end..]);
    let why = Definition::read(&text).unwrap_err();
    assert!(why.contains("after a crash") && why.contains("repeatable"), "{why}");
}

#[test]
fn parameters_are_checked_before_anything_is_sent() {
    let refused = |definition: &str, parameters: &[(&str, &str)]| {
        let settings = settings("127.0.0.1:1", definition, parameters);
        let Err(Fault::Misconfigured { message }) = open_processor("processor", settings) else {
            panic!("{definition} opens")
        };
        assert!(message.starts_with("system `marketing`: "), "{message}");
        message
    };
    assert!(refused("stripe", &[]).contains("`secret_key` is missing: a secret or restricted key"));
    assert!(refused("stripe", &[("key", "x")]).contains("it takes `secret_key`"));
    let message = refused("stripe", &[("secret_key", "pk_live_wrong1234")]);
    assert!(message.contains("start with `sk_` or `rk_`") && !message.contains("pk_live"));
    assert!(refused("stripe", &[("secret_key", "sk_live_1\r\nX-Evil: 1")]).contains("has to be"));
    let evil =
        [("subdomain", "evil.example/"), ("login", "a@b.example"), ("api_token", "12345678")];
    assert!(refused("zendesk", &evil).contains("`subdomain` has to be letters, digits and `-`"));
    assert!(refused("", &[]).contains("name one of `braze`"));
    assert!(refused("unknown", &[]).contains("definition cannot be used"));
    for kind in ["processors", "", "postgresql"] {
        let settings = settings("127.0.0.1:1", "stripe", &[("secret_key", "sk_test_0123456789")]);
        assert!(matches!(open_processor(kind, settings), Err(Fault::Misconfigured { .. })));
    }
}
