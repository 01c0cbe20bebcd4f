//! Tests of `signers` in the instance file: what is read, and every mistake by its name.

use super::*;
use crate::config::SignerSettings;
use crate::pkcs11::{TokenFault, TokenName};

const SIGNERS: &str = "
signers:
  issuer:
    pkcs11:
      module: /usr/lib/example.so
      token: quietus
      key: certificates
      id: '0a01'
      pin: env:QUIETUS_PIN
  root:
    command: [sign]
    public_key: root.pub.pem
    input: digest
";

fn told(signers: &str) -> Result<Loaded, String> {
    let mut files = start();
    let whole = format!("{}\n{signers}", files[0].1);
    files[0].1 = whole.leak();
    load(folder(&files).path()).map_err(|problems| report::short(&problems))
}

#[test]
fn tokens_and_commands_are_read() {
    let signers = told(SIGNERS).unwrap().instance.signers;
    let Some(SignerSettings::Token(token)) = signers.issuer else { panic!("a token") };
    assert_eq!(token.place.module, std::path::Path::new("/usr/lib/example.so"));
    assert_eq!(token.place.token, TokenName::Label("quietus".to_owned()));
    assert_eq!(token.place.key.label.as_deref(), Some("certificates"));
    assert_eq!(token.place.key.id.as_deref(), Some(&[0x0a, 0x01][..]));
    assert!(matches!(signers.root, Some(SignerSettings::Command(_))));

    let by_number = SIGNERS.replace("token: quietus", "serial: 4711");
    let signers = told(&by_number).unwrap().instance.signers;
    let Some(SignerSettings::Token(token)) = signers.issuer else { panic!("a token") };
    assert_eq!(token.place.token, TokenName::Serial("4711".to_owned()));
}

#[test]
fn a_fault_names_the_line_that_it_comes_from() {
    let mut files = start();
    let before = files[0].1.lines().count();
    let whole = format!("{}{}", files[0].1, SIGNERS);
    files[0].1 = whole.leak();
    let loaded = load(folder(&files).path()).unwrap();
    let Some(SignerSettings::Token(token)) = loaded.instance.signers.issuer else {
        panic!("a token")
    };
    let line = |fault: &TokenFault| {
        let told = token.told(fault);
        let line = told.strip_prefix("quietus.yaml:").unwrap().split(':').next().unwrap();
        line.parse::<usize>().unwrap() - before
    };
    let why = String::new;
    let module = TokenFault::Module { module: "/usr/lib/example.so".into(), why: why() };
    assert_eq!(line(&module), 5);
    assert_eq!(line(&TokenFault::SeveralTokens(why())), 6);
    assert_eq!(line(&TokenFault::Exists { token: why(), key: why() }), 7);
    assert_eq!(line(&TokenFault::WrongPin(why())), 9);
}

/// A part of the signers, a mistake in its place, and what is said of it.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("      token: quietus\n", "", "it does not say which token"),
    ("token: quietus", "token: quietus\n      serial: '1'", "by its label or by its serial number"),
    ("      key: certificates\n      id: '0a01'\n", "", "it does not say which key"),
    ("id: '0a01'", "id: first", "an identifier of a key is written in hexadecimal"),
    ("      pin: env:QUIETUS_PIN\n", "", "`pin` is missing"),
    ("pin: env:QUIETUS_PIN", "pin: 'sqlite:471147'", "a PIN never stands in this file"),
    ("      module: /usr/lib/example.so\n", "", "`module` is missing"),
    ("    pkcs11:", "    input: digest\n    pkcs11:", "`pkcs11` and `input` do not go together"),
    ("    public_key: root.pub.pem\n", "", "`public_key` is missing"),
    ("    command: [sign]\n", "", "`command` is missing"),
    ("command: [sign]", "command: []", "a signer is a program with its arguments"),
];

#[test]
fn every_mistake_is_named_with_its_line() {
    for (from, to, expected) in MISTAKES {
        assert!(SIGNERS.contains(*from), "{from}");
        let said = told(&SIGNERS.replacen(from, to, 1)).map(|_| ()).expect_err(to);
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(*expected)).collect();
        assert_eq!(lines.len(), 1, "expected `{expected}` once in:\n{said}");
        assert!(lines[0].starts_with("quietus.yaml:"), "{}", lines[0]);
        assert!(!said.contains("471147"), "{said}");
    }
}
