//! Tests of `opendsr` in the instance file: what is read, and every mistake by its name.

use super::*;
use crate::domain::{AskedRight, Assurance};

const DESK: &str = r"
opendsr:
  domain: OpenDSR.shop.example
  key: env:OPENDSR_KEY
  certificate: file:certificates/opendsr.pem
  identities:
    - {type: email, as: email}
    - {type: controller_customer_id, as: customer_id}
  controllers:
    - id: marketing
      secret: env:MARKETING
      assurance: high
      callback_hosts: [hooks.marketing.example, 'hooks.marketing.example:8443']
      private_callback_hosts: ['10.0.0.7:9443']
    - {id: 'bank-2', secret: file:secrets/bank}
";

/// The starting folder with a certificate for a name.
fn told(instance: &str, name: &str) -> Result<Loaded, String> {
    let mut files = start();
    let whole = format!("{}\n{instance}", files[0].1);
    files[0].1 = whole.leak();
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let pem = made.cert.pem();
    files.push(("certificates/opendsr.pem", &pem));
    files.push(("certificates/rubbish.pem", "no certificate"));
    let folder = folder(&files);
    load(folder.path()).map_err(|problems| report::short(&problems))
}

#[test]
fn a_desk_is_read_and_has_defaults() {
    let loaded = told(DESK, "opendsr.shop.example").unwrap();
    let desk = loaded.instance.opendsr.unwrap();
    assert_eq!(desk.domain, "opendsr.shop.example");
    assert_eq!(desk.address, "https://opendsr.shop.example");
    assert_eq!(desk.rights, [AskedRight::Erasure]);
    assert_eq!(
        (desk.cooling_off.to_string(), desk.oldest.to_string()),
        ("P1D".to_owned(), "P365D".to_owned())
    );
    assert_eq!(desk.identities.len(), 2);
    assert_eq!(desk.identities[1].name, "customer_id");
    let [marketing, bank] = desk.controllers.as_slice() else { panic!("two controllers") };
    assert_eq!((marketing.id.as_str(), marketing.assurance), ("marketing", Assurance::High));
    assert_eq!(marketing.callback_hosts.public.len(), 2);
    assert_eq!(marketing.callback_hosts.private, ["10.0.0.7:9443"]);
    assert_eq!(bank.assurance, Assurance::Substantial);
    assert!(bank.callback_hosts.public.is_empty());
    assert!(told(DESK, "*.shop.example").is_ok(), "a wildcard fits");
    assert!(told("", "x.example").unwrap().instance.opendsr.is_none());
}

/// A part of the desk, a mistake in its place, and what is said of it.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("domain: OpenDSR.shop.example", "domain: https://opendsr.shop.example", "is no domain"),
    (
        "domain: OpenDSR.shop.example",
        "domain: other.example",
        "the certificate is not issued for `other.example`",
    ),
    ("domain: OpenDSR.shop.example", "", "`domain` is missing"),
    ("key: env:OPENDSR_KEY", "key: 'sqlite:key'", "a key never stands in this file"),
    ("file:certificates/opendsr.pem", "env:CERTIFICATE", "certificates are read from a file"),
    ("certificates/opendsr.pem", "certificates/missing.pem", "there is no such certificate"),
    ("certificates/opendsr.pem", "certificates/rubbish.pem", "the certificate cannot be read"),
    ("type: email, as: email", "type: mail, as: email", "`mail` is no identity type of OpenDSR"),
    (
        "type: email, as: email",
        "type: email, as: emial",
        "unknown identity type `emial` (did you mean `email`?",
    ),
    (
        "as: customer_id}",
        "as: customer_id}\n    - {type: email, as: customer_id}",
        "`email` as `raw` stands here twice",
    ),
    ("type: email, as: email", "type: email, format: rot13, as: email", "unknown word `rot13`"),
    ("id: 'bank-2'", "id: marketing", "`marketing` stands here twice"),
    ("id: 'bank-2'", "id: 'bank 2'", "`bank 2` is no name of a controller"),
    ("secret: file:secrets/bank", "secret: 'sqlite:x'", "a credential never stands in this file"),
    ("hooks.marketing.example, ", "'*.marketing.example', ", "`*.marketing.example` is no host"),
    ("hooks.marketing.example, ", "127.0.0.1, ", "is no host"),
    ("'10.0.0.7:9443'", "10.0.0.7", "`10.0.0.7` is no host with a port"),
    (
        "  key:",
        "  address: https://elsewhere.example\n  key:",
        "this is another host than `opendsr.shop.example`",
    ),
    (
        "  key:",
        "  address: http://opendsr.shop.example\n  key:",
        "this is no address that controllers can reach",
    ),
    ("  key:", "  cooling_off: P30D\n  key:", "a request could be cancelled for more than 21 days"),
    ("  key:", "  rights: [rectification]\n  key:", "unknown word `rectification`"),
    ("  key:", "  rights: []\n  key:", "no right is taken"),
    (
        "  key:",
        "  trust: file:certificates/none.pem\n  key:",
        "there is no file `certificates/none.pem`",
    ),
    ("  key:", "  cooling: P1D\n  key:", "unknown entry `cooling`"),
];

#[test]
fn every_mistake_is_named_with_its_line() {
    for (from, to, expected) in MISTAKES {
        assert!(DESK.contains(*from), "{from}");
        let said =
            told(&DESK.replacen(from, to, 1), "opendsr.shop.example").map(|_| ()).unwrap_err();
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(*expected)).collect();
        assert_eq!(lines.len(), 1, "expected `{expected}` once in:\n{said}");
        assert!(lines[0].starts_with("quietus.yaml:"), "{}", lines[0]);
        assert!(!said.contains("sqlite:"), "{said}");
    }
}

#[test]
fn a_digest_needs_a_field_that_holds_it() {
    let partner = "system: partner
kind: own
owner: Marketing
operator: Example Partner
connection: {url: 'https://own.example'}
persons: {categories: [account.contact], identities: [email_md5]}
";
    let mut files = start();
    let digest = "    - {type: email, format: md5, as: email_md5}\n  controllers:";
    let desk = DESK.replacen("  controllers:", digest, 1);
    let whole = format!("{}\nidentities: {{email_md5: {{normalise: lower}}}}\n{desk}", files[0].1);
    files[0].1 = whole.leak();
    let made = rcgen::generate_simple_self_signed(vec!["opendsr.shop.example".to_owned()]).unwrap();
    let pem = made.cert.pem();
    files.push(("certificates/opendsr.pem", &pem));
    files.push(("systems/partner.yaml", partner));
    let said = load(folder(&files).path()).map_err(|problems| report::short(&problems));
    let said = said.map(|_| ()).unwrap_err();
    assert!(said.contains("no system can look this digest up"), "{said}");
}

#[test]
fn an_address_to_call_back_leads_to_this_instance() {
    let system = |url: &str| {
        format!(
            "system: mailer
kind: opendsr
owner: Marketing
operator: Example Mail
connection: {{url: 'https://opendsr.mail.example/v2'}}
parameters: {{domain: opendsr.mail.example, callback_url: '{url}'}}
persons: {{categories: [account.contact], identities: [email]}}
"
        )
    };
    let told = |url: &str| {
        let system = system(url);
        let mut files = start();
        files.push(("systems/mailer.yaml", &system));
        load(folder(&files).path()).map_err(|problems| report::short(&problems)).map(|_| ())
    };
    assert_eq!(told("https://erasure.shop.example/opendsr/callbacks/mailer"), Ok(()));
    for wrong in [
        "http://erasure.shop.example/opendsr/callbacks/mailer",
        "https://erasure.shop.example/opendsr/callbacks/other",
        "https://erasure.shop.example/opendsr/callbacks/mailer?key=1",
        "https:///opendsr/callbacks/mailer",
    ] {
        let said = told(wrong).unwrap_err();
        assert!(said.contains("nobody would hear a callback at this address"), "{wrong}: {said}");
    }
}
