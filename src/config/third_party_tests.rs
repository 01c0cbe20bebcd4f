//! Tests of third parties, identity types and requests in the files that people write.

use super::*;
use crate::datamap::{Definition, SecretReference};
use crate::domain::{Assurance, Normalisation};

const OPENDSR: &str = r#"system: mailer
kind: opendsr
role: processor
owner: Marketing
operator: Example Mail Ltd
connection:
  url: https://127.0.0.1:9801/v2
  trust: file:certificates/mailer.pem
  private_hosts: ["127.0.0.1:9801"]
parameters:
  api_key: env:MAILER_KEY
  account: 4711
persons:
  categories: [account.contact]
  identities: [email, contact_id]
  answers_within: P30D
"#;

const MANUAL: &str = r"system: paper
kind: manual
owner: Archive
operator: Example Archive
persons: {categories: [account.contact], identities: [email]}
task:
  instructions: Take the file out of shelf 3 and shred it
  due_in: P10D
  assignee: Ben Example
";

const PROCESSOR: &str = r"system: desk
kind: processor
owner: Support
operator: Example Desk Inc
definition: ./definitions/desk.yaml
persons: {categories: [account.contact], identities: [email]}
";

/// A definition of one's own, without parameters.
pub(super) const DESK: &str = r#"processor: 1
name: desk
vendor: Example Desk Inc
api: "1"
documentation: https://desk.example/docs
erasure_grade: deleted
base: https://desk.example
authentication: none
identities:
  - kind: email
    shape: email
    resolve:
      - send: GET /people
        query: { email: "{email}" }
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

const IDENTITIES: &str = r"identities:
  contact_id: {one_per_person: true}
  customer_id: {normalise: digits}
  email: {normalise: email}
requests:
  regime: uk
  cooling_off: P3D
  assurance: {erase: high}
  holidays: {DE: [2026-12-25], AT: [2026-12-08]}
";

/// The starting folder with more in its instance file and with more systems.
fn told(instance: &str, systems: &[&str]) -> Result<Loaded, String> {
    let mut files = start();
    let whole = format!("{}\n{instance}", files[0].1);
    files[0].1 = whole.leak();
    let names: Vec<String> = (0..systems.len()).map(|n| format!("systems/more-{n}.yaml")).collect();
    files.extend(names.iter().zip(systems).map(|(name, text)| (name.as_str(), *text)));
    files.push(("definitions/desk.yaml", DESK));
    let folder = folder(&files);
    load(folder.path()).map_err(|problems| report::short(&problems))
}

#[track_caller]
fn refuses(instance: &str, systems: &[&str], expected: &str) {
    let told = told(instance, systems).map(|_| ()).unwrap_err();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains(expected)).collect();
    assert_eq!(lines.len(), 1, "expected `{expected}` once in:\n{told}");
}

#[test]
fn limits_are_read_and_none_is_none() {
    let limited = MANUAL.replace("owner:", "limits: {at_once: 2, jobs_per_day: 100}\nowner:");
    let loaded = told(IDENTITIES, &[OPENDSR, &limited]).unwrap();
    let of = |name: &str| {
        loaded.data_map.systems[&crate::domain::SystemName::parse(name).unwrap()].limits
    };
    let expected = crate::domain::SystemLimits {
        at_once: Some(2),
        jobs_per_minute: None,
        jobs_per_day: Some(100),
    };
    assert_eq!(of("paper"), expected);
    assert!(!of("mailer").is_limited() && !of("quietus").is_limited());
}

#[test]
fn third_parties_are_read() {
    let loaded = told(IDENTITIES, &[OPENDSR, MANUAL, PROCESSOR]).unwrap();
    assert_eq!(loaded.warnings.found, []);
    let of = |name: &str| {
        let name = crate::domain::SystemName::parse(name).unwrap();
        loaded.data_map.systems[&name].clone()
    };
    let mailer = of("mailer");
    let party = mailer.third_party.unwrap();
    assert!(mailer.collections.is_empty() && mailer.kind == "opendsr");
    assert_eq!(party.operator, "Example Mail Ltd");
    assert_eq!(party.address, Some(SecretReference::Plain("https://127.0.0.1:9801/v2".to_owned())));
    assert_eq!(party.trust.unwrap(), std::path::Path::new("certificates/mailer.pem"));
    assert_eq!(party.private_hosts, ["127.0.0.1:9801"]);
    assert_eq!(party.parameters["api_key"], SecretReference::Environment("MAILER_KEY".to_owned()));
    assert_eq!(party.parameters["account"], SecretReference::Plain("4711".to_owned()));
    assert!(party.identities.contains("contact_id") && party.categories.len() == 1);
    assert_eq!(party.answers_within.unwrap().to_string(), "P30D");
    assert_eq!(of("paper").third_party.unwrap().task.unwrap().assignee, "Ben Example");
    let desk = of("desk").third_party.unwrap();
    assert_eq!(desk.definition, Some(Definition::File("./definitions/desk.yaml".into())));
    assert!(of("shop").third_party.is_none());
    // What was kept of the files is read again without the instance.
    let again = compile(&loaded.map_files, &loaded.rule_files, "Europe/Berlin").unwrap();
    assert_eq!(again.0.digest, loaded.data_map.digest);
    assert_eq!(again.0.systems.len(), 1 + 4);
}

#[test]
fn identity_types_and_requests_are_read_and_have_defaults() {
    let loaded = told(IDENTITIES, &[OPENDSR]).unwrap();
    let types = &loaded.instance.identities;
    assert_eq!(types.of("customer_id").normalise, Normalisation::Digits);
    assert!(types.of("customer_id").one_per_person && types.of("contact_id").one_per_person);
    assert!(!types.of("email").one_per_person);
    let requests = &loaded.instance.requests;
    assert_eq!((requests.regime.as_str(), requests.holidays.len()), ("uk", 2));
    assert_eq!(requests.cooling_off.to_string(), "P3D");
    assert_eq!(requests.assurance.erase, Assurance::High);
    assert_eq!(requests.assurance.restrict, Assurance::Low);
    let loaded = told("requests: {holidays: [2026-10-03]}\n", &[]).unwrap();
    let requests = &loaded.instance.requests;
    assert!(requests.holidays.contains_key("DE") && requests.regime == "gdpr");
    let periods = [requests.internal_target, requests.answers_within, requests.cooling_off];
    assert_eq!(periods.map(|one| one.to_string()), ["P28D", "P30D", "P0D"]);
    let types = &loaded.instance.identities;
    assert_eq!(types.of("email").normalise, Normalisation::Email);
    assert!(types.of("customer_id").one_per_person);
    let phone = "identities: {email: {normalise: phone}}\n";
    let found = told(phone, &[]).unwrap().instance.identities.of("email").normalise;
    assert!(matches!(found, Normalisation::Phone { country } if country.code == "49"));
}

/// A file, a mistake in it, and what is said of it.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    (
        OPENDSR,
        "[account.contact]",
        "[acount.contact]",
        "no pack declares the category `acount.contact`",
    ),
    (
        OPENDSR,
        "[email, contact_id]",
        "[emial, contact_id]",
        "unknown identity type `emial` (did you mean `email`?",
    ),
    (
        OPENDSR,
        "  url: https://127.0.0.1:9801/v2\n",
        "",
        "more-0.yaml:1:1: error: a system of kind `opendsr` has an address",
    ),
    (OPENDSR, "https://127", "ftp://127", "this is no address of a third party"),
    (
        OPENDSR,
        "https://127",
        "https://me:secret@127",
        "a URL with credentials stands here in plain",
    ),
    (OPENDSR, "env:MAILER_KEY", "abc123", "the secret `api_key` stands here in plain"),
    (OPENDSR, "env:MAILER_KEY", "env:no-name", "no environment variable has such a name"),
    (OPENDSR, "file:certificates", "certificates", "this says neither where a secret is found"),
    (OPENDSR, "file:certificates/mailer.pem", "env:PEM", "certificates are read from a file"),
    (OPENDSR, "[\"127.0.0.1:9801\"]", "[\"127.0.0.1\"]", "`127.0.0.1` is no host with a port"),
    (OPENDSR, "[\"127.0.0.1:9801\"]", "[\"*:443\"]", "`*:443` is no host with a port"),
    (OPENDSR, "operator: Example Mail Ltd\n", "", "`operator` is missing"),
    (
        OPENDSR,
        "owner:",
        "collections: {}\nowner:",
        "a system of kind `opendsr` has no `collections`",
    ),
    (
        OPENDSR,
        "owner:",
        "pace: {chunk_records: 5}\nowner:",
        "a system of kind `opendsr` has no `pace`",
    ),
    (OPENDSR, "owner:", "limits: {}\nowner:", "there is no limit here"),
    (OPENDSR, "owner:", "limits: {at_once: 0}\nowner:", "a whole number of at least 1, found `0`"),
    (OPENDSR, "owner:", "limits: {at_once: 10001}\nowner:", "`10001` is too much"),
    (OPENDSR, "owner:", "limits: {jobs_per_hour: 5}\nowner:", "unknown entry `jobs_per_hour`"),
    (
        OPENDSR,
        "owner:",
        "limits: {jobs_per_minute: 60, jobs_per_day: 10}\nowner:",
        "60 a minute are never begun where 10 are in a day",
    ),
    (OPENDSR, "owner:", "definition: x\nowner:", "a system of kind `opendsr` has no `definition`"),
    (OPENDSR, "P30D", "30 days", "`30 days` is no period"),
    (OPENDSR, "[email, contact_id]", "[]", "`identities` is empty"),
    (OPENDSR, "kind: opendsr", "kind: opendrs", "unknown kind of system `opendrs`"),
    (OPENDSR, "answers_within", "answer_within", "unknown entry `answer_within`"),
    (MANUAL, "  assignee: Ben Example\n", "", "`assignee` is missing"),
    (
        MANUAL,
        "owner:",
        "connection: {url: \"https://a\"}\nowner:",
        "a system of kind `manual` has no `connection`",
    ),
    (PROCESSOR, "definition: ./definitions/desk.yaml\n", "", "`definition` is missing"),
    (PROCESSOR, "desk.yaml", "none.yaml", "there is no definition `./definitions/none.yaml`"),
    (PROCESSOR, "./definitions/desk.yaml", "de sk", "`de sk` is no definition"),
];

#[test]
fn what_a_third_party_lacks_or_may_not_say_is_told() {
    let with = |from: &str, to: &str, text: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let identities = "identities: {contact_id: {one_per_person: true}}\n";
    for (text, from, to, expected) in MISTAKES {
        let declared = if *text == OPENDSR { identities } else { "" };
        refuses(declared, &[&with(from, to, text)], expected);
    }
    refuses("", &[OPENDSR], "unknown identity type `contact_id`");
}

#[test]
fn a_secret_in_plain_is_never_shown() {
    let text = OPENDSR.replacen("env:MAILER_KEY", "hunter2-hunter2", 1);
    let told = told("identities: {contact_id: {}}\n", &[&text]).map(|_| ()).unwrap_err();
    assert!(told.contains("`api_key`") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_database_is_no_third_party() {
    for (from, to, expected) in [
        (
            "owner: Shop team",
            "owner: Shop team\noperator: Us",
            "a system of kind `sqlite` has no `operator`",
        ),
        (
            "connection:\n  url: sqlite:data/shop.db ",
            "connection:\n  private_hosts: [\"a:1\"] ",
            "`url` is missing",
        ),
        (
            "  url: sqlite:data/shop.db ",
            "  url: sqlite:data/shop.db\n  private_hosts: [\"a:1\"] ",
            "a database has no `private_hosts`",
        ),
    ] {
        says("example", from, to, expected);
    }
}

#[test]
fn what_the_instance_says_of_persons_is_checked() {
    for (instance, expected) in [
        ("identities: {emial: {}}\n", "no field and no third party has the identity type `emial`"),
        ("identities: {email: {normalise: mail}}\n", "unknown word `mail`"),
        ("identities: {email: {country: DE}}\n", "`country` is for telephone numbers"),
        (
            "identities: {email: {normalise: phone, country: XX}}\n",
            "telephone numbers of `XX` cannot be read",
        ),
        ("identities: {email: {one_per_person: maybe}}\n", "expected a boolean, found text"),
        ("requests: {regime: GDPR}\n", "`GDPR` is no law"),
        ("requests: {assurance: {erase: some}}\n", "unknown word `some`"),
        ("requests: {assurance: {delete: low}}\n", "unknown entry `delete`"),
        ("requests: {holidays: {Germany: [2026-10-03]}}\n", "`Germany` is no country"),
        ("requests: {holidays: [3 October]}\n", "`3 October` is no day"),
        ("requests: {cooling_off: 3 days}\n", "`3 days` is no period"),
    ] {
        refuses(instance, &[], expected);
    }
}

const MAIL: &str = r"mail:
  host: mail.company.example
  encryption: starttls
  user: env:SMTP_USER
  password: file:secrets/smtp-password
  from: Example Company <privacy@company.example>
  reply_to: people@company.example
  rate_a_minute: 30
  pages: https://quietus.company.example/
  remind_before: P2D
  people: {Ben Example: env:BEN_ADDRESS, Archive: archive@company.example}
";

#[test]
fn mail_is_read_and_has_defaults() {
    let addressed = MANUAL
        .replacen("operator:", "language: de-AT\nmail: env:ARCHIVE_ADDRESS\noperator:", 1)
        .replacen("  assignee: Ben", "  confirmer: Ada Example\n  assignee: Ben", 1);
    let loaded = told(MAIL, &[&addressed]).unwrap();
    let mail = loaded.instance.mail.unwrap();
    assert_eq!((mail.host.as_str(), mail.port), ("mail.company.example", 587));
    assert_eq!(mail.encryption, crate::mail::Encryption::StartTls);
    assert_eq!(mail.login.unwrap().0, SecretReference::Environment("SMTP_USER".to_owned()));
    assert_eq!(mail.from.domain(), "company.example");
    assert_eq!(mail.pages.as_deref(), Some("https://quietus.company.example"));
    assert_eq!((mail.rate_a_minute, mail.remind_every.to_string()), (30, "P1D".to_owned()));
    assert_eq!(mail.people.len(), 2);
    assert!(!mail.name_persons && mail.reply_to.is_some());
    let name = crate::domain::SystemName::parse("paper").unwrap();
    let party = loaded.data_map.systems[&name].third_party.clone().unwrap();
    assert_eq!(party.language.as_deref(), Some("de-AT"));
    assert_eq!(party.mail, Some(SecretReference::Environment("ARCHIVE_ADDRESS".to_owned())));
    assert_eq!(party.task.unwrap().confirmer.as_deref(), Some("Ada Example"));

    let short = "mail: {host: 127.0.0.1, encryption: none, from: a@company.example}\n";
    let mail = told(short, &[]).unwrap().instance.mail.unwrap();
    assert_eq!((mail.port, mail.rate_a_minute, mail.login), (25, 60, None));
    assert!(told("", &[]).unwrap().instance.mail.is_none());
}

#[test]
fn what_is_wrong_with_mail_is_told() {
    for (from, to, expected) in [
        ("  host: mail.company.example\n", "", "`host` is missing"),
        ("mail.company.example\n", "https://mail.company.example\n", "is no name of a server"),
        ("mail.company.example\n", "mail.company.example:25\n", "is no name of a server"),
        ("starttls", "tls", "unknown word `tls`"),
        ("encryption: starttls", "encryption: none", "in the open"),
        ("encryption: starttls", "port: 0", "`0` is no port"),
        ("encryption: starttls", "port: smtp", "`smtp` is no port"),
        ("  user: env:SMTP_USER\n", "", "`user` and `password` go together"),
        ("env:SMTP_USER", "sqlite:user", "what logs in never stands in this file"),
        ("Example Company <privacy@company.example>", "us", "this is no e-mail address"),
        ("archive@company.example", "archive", "this is no e-mail address"),
        ("Archive:", "Archiv:", "`Archiv` owns no system"),
        ("rate_a_minute: 30", "rate_a_minute: 0", "expected a whole number of at least 1"),
        ("rate_a_minute: 30", "rate_a_minute: 60000", "more than 6000 messages in a minute"),
        ("https://quietus", "http://quietus", "links cannot begin so"),
        ("https://quietus", "https://me@quietus", "links cannot begin so"),
        ("remind_before: P2D", "remind_before: two days", "`two days` is no period"),
        ("remind_before: P2D", "remind_befor: P2D", "unknown entry `remind_befor`"),
        ("  host:", "  trust: env:PEM\n  host:", "certificates are read from a file"),
        ("  host:", "  name_persons: perhaps\n  host:", "expected a boolean, found text"),
    ] {
        assert!(MAIL.contains(from), "{from}");
        refuses(&MAIL.replacen(from, to, 1), &[MANUAL], expected);
    }
    let declared = MAIL.replacen("starttls", "none\n  plain_text: true", 1);
    assert!(told(&declared, &[MANUAL]).is_ok());
    for (from, to, expected) in [
        ("operator:", "mail: archive@company.example\noperator:", "never stands in the data map"),
        ("operator:", "language: German, please\noperator:", "`German, please` is no language"),
        ("  due_in:", "  language: German, please\n  due_in:", "`German, please` is no language"),
        ("  due_in:", "  mail: ben@company.example\n  due_in:", "never stands in the data map"),
        ("  due_in:", "  confirmer: ben example\n  due_in:", "who does a task cannot confirm it"),
    ] {
        refuses("", &[&MANUAL.replacen(from, to, 1)], expected);
    }
    let told = told(&MAIL.replacen("archive@company", "archive@@company", 1), &[MANUAL]);
    assert!(!told.map(|_| ()).unwrap_err().contains("archive@@"), "an address is not shown");
}
