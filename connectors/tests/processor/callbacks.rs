//! Callbacks of vendors: what a definition may say of them, and what is believed and what is not.

use aws_lc_rs::hmac;
use jiff::{Timestamp, ToSpan as _};
use quietus_connectors::processor::Definition;
use quietus_connectors::processor::callback::{
    Heard, Incoming, LARGEST_CALLBACK, Listener, Unheard, names_under_way,
};
use quietus_connectors::{Fault, open_processor};

use crate::exchange::settings;

const SECRET: &str = "a-secret-of-callbacks-1";

const LATER: &str = r#"processor: 1
name: later
vendor: Later
api: "1"
documentation: https://later.example/docs
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
  hook: { about: the secret of callbacks, secret: true }
base: https://later.example
authentication:
  bearer: { token: "{key}" }
identities:
  - kind: later_id
    shape: { text: {} }
check:
  send: GET /me
  answers: [{ status: [200], means: done }]
actions:
  erase:
    repeatable: true
    steps:
      - send: DELETE /people/{id}
        answers: [{ status: [202], means: pending }]
        reference: /job
        ask_after_seconds: 600
    follow:
      send: GET /jobs/{reference}
      answers: [{ status: [200], means: done }]
callback:
  authentication:
    hmac:
      key: "{hook}"
      header: X-Signature
      prefix: "sha256="
      over: "{timestamp}.{body}"
      encoding: hex
      timestamp: { header: X-Sent-At, tolerance_seconds: 300 }
  reference: /job/id
"#;

const BY_HEADER: &str = "    header: { name: Authorization, value: \"Secret {hook}\" }\n";

/// The definition with a part of its callbacks in other words.
fn with(from: &str, to: &str) -> String {
    assert!(LATER.contains(from), "`{from}` is not in the definition");
    LATER.replacen(from, to, 1)
}

fn by_header() -> String {
    let (start, end) =
        (LATER.find("    hmac:").unwrap(), LATER.find("  reference: /job/id").unwrap());
    format!("{}{BY_HEADER}{}", &LATER[..start], &LATER[end..])
}

fn listener(definition: &str) -> Listener {
    let parameters = [("key", "k"), ("hook", SECRET)];
    Listener::open(&settings("127.0.0.1:1", definition, &parameters)).unwrap().unwrap()
}

fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn signed(secret: &str, text: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, text)))
}

fn hear(listener: &Listener, headers: &[(&str, &str)], body: &[u8]) -> Result<Heard, Unheard> {
    let find = |name: &str| {
        let found = headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    };
    listener.hear(&Incoming { header: &find, body }, noon())
}

/// Heard with a time stamp that is this far from now.
fn hear_at(listener: &Listener, seconds: i64, body: &str) -> Result<Heard, Unheard> {
    let at = (noon().as_second() + seconds).to_string();
    let signature = signed(SECRET, format!("{at}.{body}").as_bytes());
    hear(listener, &[("x-signature", &signature), ("x-sent-at", &at)], body.as_bytes())
}

#[test]
fn what_has_no_sense_is_refused_with_its_place() {
    Definition::read(LATER).unwrap();
    Definition::read(&by_header()).unwrap();
    for (from, to, wanted) in [
        ("key: \"{hook}\"", "key: in-plain", "holds no secret"),
        ("key: \"{hook}\"", "key: \"{hock}\"", "declare it under `parameters`"),
        ("callbacks, secret: true", "callbacks", "is no secret"),
        ("header: X-Signature", "header: \"X Signature\"", "no header's name"),
        ("over: \"{timestamp}.{body}\"", "over: \"{timestamp}\"", "does not cover the body"),
        ("over: \"{timestamp}.{body}\"", "over: \"{body}\"", "anybody could then write anew"),
        ("over: \"{timestamp}.{body}\"", "over: \"{body}.{path}\"", "the bytes as they came"),
        ("over: \"{timestamp}.{body}\"", "over: \"{timestamp}.{body|lower}\"", "as they came"),
        (
            "      timestamp: { header: X-Sent-At, tolerance_seconds: 300 }\n",
            "",
            "write `timestamp`",
        ),
        ("header: X-Sent-At", "header: x-signature", "name another one"),
        ("tolerance_seconds: 300", "tolerance_seconds: 0", "between 1 and 86400"),
        ("tolerance_seconds: 300", "tolerance_seconds: 86401", "between 1 and 86400"),
        ("reference: /job/id", "reference: job.id", "JSON pointer"),
    ] {
        let flaws = Definition::examine(&with(from, to)).unwrap_err();
        let told = flaws.iter().find(|flaw| flaw.message.contains(wanted));
        let told = told.unwrap_or_else(|| panic!("`{to}`: {flaws:?}"));
        assert!(told.path.starts_with("callback."), "{told:?}");
    }
    let why = Definition::read(&with("encoding: hex", "encodings: hex")).unwrap_err();
    assert!(why.starts_with("line ") && why.contains("encodings"), "{why}");
    // Where nothing is ever under way, nobody waits to be called.
    let cut = LATER.find("    follow:").unwrap()..LATER.find("callback:").unwrap();
    let mut at_once = LATER.to_owned();
    at_once.replace_range(cut, "");
    let at_once = at_once.replace("status: [202], means: pending", "status: [204], means: done");
    let at_once = at_once.replace("        reference: /job\n        ask_after_seconds: 600\n", "");
    assert!(Definition::read(&at_once).unwrap_err().contains("would wake nobody"));
}

#[test]
fn who_cannot_be_called_leaves_the_secret_out_and_one_that_is_easily_found_is_refused() {
    let open = |hook: Option<&str>| {
        let mut parameters = vec![("key", "k")];
        parameters.extend(hook.map(|hook| ("hook", hook)));
        let settings = settings("127.0.0.1:1", LATER, &parameters);
        open_processor("processor", settings.clone()).map(|_| Listener::open(&settings).unwrap())
    };
    assert!(open(None).unwrap().is_none());
    assert!(open(Some(SECRET)).unwrap().is_some());
    let Err(Fault::Misconfigured { message }) = open(Some("fifteen-letters")) else { panic!() };
    assert!(message.contains("fewer than 16 bytes") && !message.contains("fifteen"), "{message}");
    // A secret that has another use as well cannot be left out.
    let shared = LATER.replace("{hook}", "{key}");
    let none = settings("127.0.0.1:1", &shared, &[]);
    assert!(matches!(Listener::open(&none), Ok(None)));
    assert!(open_processor("processor", none).is_err());
}

#[test]
fn only_the_signed_bytes_of_now_are_believed() {
    let listener = listener(LATER);
    let body = r#"{"job": {"id": "run-7"}, "state": "done"}"#;
    let heard = hear_at(&listener, 0, body).unwrap();
    assert_eq!(heard.reference.as_deref(), Some("run-7"));
    assert_eq!(heard.remember_until, noon() + 301.seconds());
    assert!(!format!("{heard:?}").contains("run-7"), "{heard:?}");
    for off in [-300, 300] {
        hear_at(&listener, off, body).unwrap();
    }
    for off in [-301, 301, -86_400 * 365, i64::from(i32::MAX)] {
        assert_eq!(hear_at(&listener, off, body), Err(Unheard::NotProven), "{off} seconds");
    }
    let at = noon().as_second().to_string();
    let text = format!("{at}.{body}");
    let right = signed(SECRET, text.as_bytes());
    let not_proven = |headers: &[(&str, &str)], body: &[u8]| {
        assert_eq!(hear(&listener, headers, body), Err(Unheard::NotProven), "{headers:?}");
    };
    not_proven(&[], body.as_bytes());
    not_proven(&[("x-signature", &right)], body.as_bytes());
    not_proven(&[("x-sent-at", &at)], body.as_bytes());
    not_proven(&[("x-signature", &right["sha256=".len()..]), ("x-sent-at", &at)], body.as_bytes());
    not_proven(&[("x-signature", "sha256="), ("x-sent-at", &at)], body.as_bytes());
    not_proven(&[("x-signature", &right[..right.len() - 2]), ("x-sent-at", &at)], body.as_bytes());
    let other = signed("another-secret-of-callbacks", text.as_bytes());
    not_proven(&[("x-signature", &other), ("x-sent-at", &at)], body.as_bytes());
    // The time stamp is signed too.
    let later = (noon().as_second() + 1).to_string();
    not_proven(&[("x-signature", &right), ("x-sent-at", &later)], body.as_bytes());
    for place in 0..body.len() {
        let mut altered = body.as_bytes().to_vec();
        altered[place] ^= 1;
        not_proven(&[("x-signature", &right), ("x-sent-at", &at)], &altered);
    }
    let large = vec![b' '; LARGEST_CALLBACK + 1];
    let signature = signed(SECRET, &[format!("{at}.").as_bytes(), &large].concat());
    not_proven(&[("x-signature", &signature), ("x-sent-at", &at)], &large);
}

#[test]
fn the_same_words_are_the_same_message_however_the_signature_is_written() {
    let listener = listener(LATER);
    let body = r#"{"job": {"id": 4711}}"#;
    let first = hear_at(&listener, 0, body).unwrap();
    assert_eq!(first.reference.as_deref(), Some("4711"));
    let at = noon().as_second().to_string();
    let signature = signed(SECRET, format!("{at}.{body}").as_bytes());
    let shouted = format!("sha256={}", signature["sha256=".len()..].to_uppercase());
    let again = hear(&listener, &[("X-SIGNATURE", &shouted), ("X-Sent-At", &at)], body.as_bytes());
    assert_eq!(again.unwrap().message, first.message);
    assert_ne!(hear_at(&listener, 1, body).unwrap().message, first.message);
    // What proves to be the vendor's and says nothing that can be read.
    for (body, wanted) in
        [("no json", None), ("{}", Some(None)), (r#"{"job": {"id": {}}}"#, Some(None))]
    {
        let heard = hear_at(&listener, 0, body).map(|heard| heard.reference);
        assert_eq!(heard, wanted.ok_or(Unheard::NoJson), "{body}");
    }
}

#[test]
fn a_secret_in_a_header_and_a_key_in_base64_do_as_well() {
    let by_header = listener(&by_header());
    let body = br#"{"job": {"id": "run-7"}}"#;
    let right = format!("Secret {SECRET}");
    let heard = hear(&by_header, &[("authorization", &right)], body).unwrap();
    assert_eq!(heard.reference.as_deref(), Some("run-7"));
    assert_eq!(heard.remember_until, noon() + (30 * 24).hours());
    let short = &right[..right.len() - 1];
    for wrong in [short, SECRET, "Secret ", "", "secret a-secret-of-callbacks-1"] {
        let heard = hear(&by_header, &[("authorization", wrong)], body);
        assert_eq!(heard, Err(Unheard::NotProven), "{wrong}");
    }
    assert_eq!(hear(&by_header, &[], body), Err(Unheard::NotProven));

    let coded = with("key: \"{hook}\"", "key: \"{hook}\"\n      key_encoding: base64")
        .replace("      timestamp: { header: X-Sent-At, tolerance_seconds: 300 }\n", "")
        .replace("{timestamp}.", "");
    let parameters = [("key", "k"), ("hook", "MDEyMzQ1Njc4OWFiY2RlZg==")];
    let coded_settings = settings("127.0.0.1:1", &coded, &parameters);
    let listener = Listener::open(&coded_settings).unwrap().unwrap();
    let signature = signed("0123456789abcdef", body);
    let heard = hear(&listener, &[("x-signature", &signature)], body).unwrap();
    assert_eq!(heard.remember_until, noon() + (30 * 24).hours());
    let wrong = settings("127.0.0.1:1", &coded, &[("key", "k"), ("hook", "no base64 at all")]);
    assert!(matches!(Listener::open(&wrong), Err(Fault::Misconfigured { .. })));
}

#[test]
fn names_are_those_of_what_is_under_way() {
    let reference = r#"{"jobs":{"run-7":["p1"],"run-8":["p1","p2"]},"told":{"collections":[]}}"#;
    assert_eq!(names_under_way(reference), ["run-7", "run-8"]);
    for other in ["", "run-7", "{}", "[]"] {
        assert_eq!(names_under_way(other), Vec::<String>::new(), "{other}");
    }
}
