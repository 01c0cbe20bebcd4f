//! Certificates before verifiers that nobody here wrote: `sigstore-verify`, and openssl with jq.
//!
//! What they accept we accept; one changed byte in any part is refused by us and by one of them.

use std::path::Path;
use std::process::Command;

use super::fixture::{Issued, complete, issue, issue_changed, plain, with_exceptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quietus::evidence::export::export;
use quietus::evidence::verify::{Finding, Material, Source, verify};
use serde_json::Value;
use sigstore_verify::PublicKeyVerificationPolicy;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};

/// What a verifier is given; each part may have been tampered with.
#[derive(Clone)]
pub struct Parts {
    pub bundle: Vec<u8>,
    pub trusted_root: Vec<u8>,
    pub issuer_key: Vec<u8>,
    pub manifest: Vec<u8>,
}

impl From<&Issued> for Parts {
    fn from(issued: &Issued) -> Self {
        Self {
            bundle: issued.bundle.clone(),
            trusted_root: issued.trusted_root.clone(),
            issuer_key: issued.issuer_key.clone(),
            manifest: issued.manifest.clone(),
        }
    }
}

impl Parts {
    pub fn ours(&self) -> bool {
        verify(&Material {
            bundle: &self.bundle,
            trusted_root: Some((&self.trusted_root, Source::Given)),
            issuer_key: Some((&self.issuer_key, Source::Given)),
            manifest: Some(&self.manifest),
            ..Material::default()
        })
        .passed()
    }

    pub fn sigstore(&self) -> Result<(), String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|e| e.to_string());
        let bundle = Bundle::from_json(&text(&self.bundle)?).map_err(|e| e.to_string())?;
        let root = TrustedRoot::from_json(&text(&self.trusted_root)?).map_err(|e| e.to_string())?;
        let key = DerPublicKey::from_pem(&text(&self.issuer_key)?).map_err(|e| e.to_string())?;
        let policy = PublicKeyVerificationPolicy::new(key);
        let result = sigstore_verify::verify(self.manifest.as_slice(), &bundle, &policy, &root);
        let result = result.map_err(|e| e.to_string())?;
        if result.tlog_verified() { Ok(()) } else { Err("the log was not verified".to_owned()) }
    }

    /// The exported script in a fresh folder.
    fn script(&self, script: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).expect("written");
        };
        write("certificate.sigstore.json", &self.bundle);
        write("trusted_root.json", &self.trusted_root);
        write("issuer.pub.pem", &self.issuer_key);
        write("manifest.json", &self.manifest);
        write("verify.sh", script);
        shell(folder.path(), "sh verify.sh .")
    }

    fn edit(&mut self, pointer: &str, change: impl FnOnce(&str) -> String) {
        let mut value: Value = serde_json::from_slice(&self.bundle).expect("json");
        let field = value.pointer_mut(pointer).expect("field");
        *field = Value::String(change(field.as_str().expect("text")));
        self.bundle = serde_json::to_vec(&value).expect("json");
    }
}

fn shell(folder: &Path, command: &str) -> Result<String, String> {
    let output =
        Command::new("sh").arg("-c").arg(command).current_dir(folder).output().expect("a shell");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// Whether openssl and jq are here; CI has both, and says so if they vanish.
pub fn tools() -> bool {
    let here = shell(Path::new("."), "openssl version && jq --version").is_ok();
    assert!(here || option_env!("CI").is_none(), "openssl and jq are needed");
    here
}

fn script(issued: &Issued) -> Vec<u8> {
    let folder = export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
        .expect("sound");
    folder["verify.sh"].clone()
}

#[test]
fn all_three_accept_an_untouched_certificate_anywhere_in_the_log() {
    for (before, after) in [(0, 0), (0, 1), (1, 0), (3, 4), (300, 37), (255, 1), (256, 300)] {
        let issued = issue(with_exceptions(), before, after);
        let parts = Parts::from(&issued);
        assert!(parts.ours(), "{before} {after}");
        assert_eq!(parts.sigstore(), Ok(()), "{before} {after}");
        if tools() {
            let said = parts.script(&script(&issued)).expect("accepted");
            assert_eq!(said.matches("PASS").count(), 5, "{said}");
            assert!(said.contains("claims: complete-with-exceptions"), "{said}");
        }
    }
}

pub fn flip_base64(text: &str, place: usize) -> String {
    let mut bytes = STANDARD.decode(text).expect("base64");
    let place = place % bytes.len();
    bytes[place] ^= 1;
    STANDARD.encode(bytes)
}

pub const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

/// Every part of a certificate, with one change in it.
fn tampered(issued: &Issued) -> Vec<(&'static str, Parts)> {
    let good = Parts::from(issued);
    let other = issue(complete(), 5, 5);
    let entry = |field: &str| format!("{ENTRY}{field}");
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        parts
    };
    let edit = |pointer: String, change: &dyn Fn(&str) -> String| {
        with(&|parts: &mut Parts| parts.edit(&pointer, change))
    };
    let checkpoint = entry("/inclusionProof/checkpoint/envelope");
    let size = format!("\n{}\n", issued.read.inclusion.size);
    let bigger = format!("\n{}\n", issued.read.inclusion.size + 1);
    let root = STANDARD.encode(issued.read.inclusion.root.0);
    let payload = String::from_utf8(issued.read.envelope.payload.clone()).expect("text");
    let softened = payload.replace("complete-with-exceptions", "complete");
    let key_in_leaf = with(&|parts| {
        let own = der(&issued.issuer_key);
        let foreign = der(&other.issuer_key);
        parts.edit(&entry("/canonicalizedBody"), |text| {
            let leaf = String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text");
            STANDARD.encode(leaf.replace(&own, &foreign))
        });
    });
    vec![
        ("payload byte", edit("/dsseEnvelope/payload".into(), &|text| flip_base64(text, 99))),
        ("softer claim", edit("/dsseEnvelope/payload".into(), &|_| STANDARD.encode(&softened))),
        ("signature", edit("/dsseEnvelope/signatures/0/sig".into(), &|text| flip_base64(text, 20))),
        ("proof hash", edit(entry("/inclusionProof/hashes/0"), &|text| flip_base64(text, 3))),
        ("checkpoint size", edit(checkpoint.clone(), &|text| text.replace(&size, &bigger))),
        (
            "checkpoint root",
            edit(checkpoint.clone(), &|text| text.replace(&root, &flip_base64(&root, 7))),
        ),
        ("checkpoint signature", edit(checkpoint.clone(), &|text| flip_note_signature(text, 30))),
        (
            "checkpoint of another log",
            edit(checkpoint, &|_| other.read.inclusion.checkpoint.clone()),
        ),
        ("leaf body", edit(entry("/canonicalizedBody"), &|text| flip_base64(text, 60))),
        (
            "log index",
            with(&|parts| {
                number(parts, &|text| (text.parse::<u64>().expect("index") ^ 1).to_string());
            }),
        ),
        (
            "log index with a nought before it",
            with(&|parts| number(parts, &|text| format!("0{text}"))),
        ),
        ("public key in the leaf", key_in_leaf),
        ("another issuer", with(&|parts| parts.issuer_key.clone_from(&other.issuer_key))),
        ("manifest", with(&|parts| parts.manifest[40] ^= 1)),
        (
            "trusted root of another log",
            with(&|parts| parts.trusted_root.clone_from(&other.trusted_root)),
        ),
        ("trusted root key", with(&|parts| flip_root_key(parts))),
        ("proof root", edit(entry("/inclusionProof/rootHash"), &|text| flip_base64(text, 1))),
        ("proof size", edit(entry("/inclusionProof/treeSize"), &|text| format!("{text}0"))),
        ("log identifier", edit(entry("/logId/keyId"), &|text| flip_base64(text, 9))),
        (
            "key hint",
            edit("/verificationMaterial/publicKey/hint".into(), &|text| flip_base64(text, 2)),
        ),
    ]
}

/// Changes the log index in both places.
fn number(parts: &mut Parts, change: &dyn Fn(&str) -> String) {
    for field in ["/logIndex", "/inclusionProof/logIndex"] {
        parts.edit(&format!("{ENTRY}{field}"), change);
    }
}

fn der(pem: &[u8]) -> String {
    let text = std::str::from_utf8(pem).expect("text");
    text.lines().filter(|line| !line.starts_with('-')).collect()
}

pub fn flip_note_signature(note: &str, place: usize) -> String {
    let (head, last) = note.trim_end().rsplit_once(' ').expect("a signature line");
    format!("{head} {}\n", flip_base64(last, place))
}

fn flip_root_key(parts: &mut Parts) {
    let mut root: Value = serde_json::from_slice(&parts.trusted_root).expect("json");
    let key = &mut root["tlogs"][0]["publicKey"]["rawBytes"];
    *key = Value::String(flip_base64(key.as_str().expect("text"), 40));
    parts.trusted_root = serde_json::to_vec(&root).expect("json");
}

#[test]
fn one_change_in_any_part_is_refused_by_us_and_by_others() {
    let issued = issue(with_exceptions(), 6, 5);
    let script = script(&issued);
    assert_eq!(Parts::from(&issued).sigstore(), Ok(()));
    for (part, parts) in tampered(&issued) {
        assert!(!parts.ours(), "we accepted a changed {part}");
        let by_sigstore = parts.sigstore().is_err();
        let by_script = tools() && parts.script(&script).is_err();
        assert!(by_sigstore || by_script || !tools(), "nobody else refused a changed {part}");
    }
}

/// What the issuer signed and logged may still be no certificate of this log.
#[test]
fn the_script_refuses_what_we_refuse_though_it_is_signed() {
    let good = issue(complete(), 6, 5);
    let script = script(&good);
    let set = |pointer: &'static str, text: &'static str| {
        issue_changed(complete(), 6, 5, |statement: &mut Value| {
            *statement.pointer_mut(pointer).expect("field") = Value::String(text.to_owned());
        })
    };
    let two = issue_changed(complete(), 6, 5, |statement: &mut Value| {
        let subjects = statement["subject"].as_array_mut().expect("subjects");
        subjects.push(subjects[0].clone());
    });
    let mut retired = issue(complete(), 6, 5);
    let mut root: Value = serde_json::from_slice(&retired.trusted_root).expect("json");
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2026-11-23T03:09:59Z".into();
    retired.trusted_root = serde_json::to_vec(&root).expect("json");
    let mut fresh = issue(complete(), 6, 5);
    root = serde_json::from_slice(&fresh.trusted_root).expect("json");
    root["tlogs"][0]["publicKey"]["validFor"]["start"] = "2026-11-23T03:10:01Z".into();
    fresh.trusted_root = serde_json::to_vec(&root).expect("json");
    for (what, issued) in [
        ("type of statement", set("/_type", "https://in-toto.io/Statement/v0.1")),
        ("type of predicate", set("/predicateType", "https://example.com/other/v1")),
        ("two subjects", two),
        ("another log", set("/predicate/issuer/log", "other.example.com/evidence")),
        ("a later log", set("/predicate/issuer/log", "erasure.example.com/evidence/2027")),
        (
            "a later log of the year",
            set("/predicate/issuer/log", "erasure.example.com/evidence/2026-2"),
        ),
        ("key out of use", retired),
        ("key not yet in use", fresh),
    ] {
        let parts = Parts::from(&issued);
        assert!(!parts.ours(), "we accepted: {what}");
        assert!(!tools() || parts.script(&script).is_err(), "the script accepted: {what}");
    }
    assert!(!tools() || Parts::from(&good).script(&script).is_ok());
    // At the turn of the year: signed for the log before the one that it came into.
    for earlier in ["erasure.example.com/evidence/2025-3", "erasure.example.com/evidence"] {
        let parts = Parts::from(&set("/predicate/issuer/log", earlier));
        assert!(parts.ours(), "we refused {earlier}");
        assert!(!tools() || parts.script(&script).is_ok(), "the script refused {earlier}");
    }
}

#[test]
fn the_script_refuses_numbers_that_a_shell_reads_in_another_way() {
    let issued = issue(with_exceptions(), 6, 5);
    let script = script(&issued);
    let (_, parts) = tampered(&issued)
        .into_iter()
        .find(|(part, _)| *part == "log index with a nought before it")
        .expect("part");
    assert!(!tools() || parts.script(&script).is_err());
}

#[test]
fn the_script_finds_its_folder_and_says_what_it_compared_with() {
    if !tools() {
        return;
    }
    let issued = issue(complete(), 6, 5);
    let files = export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
        .expect("sound");
    let folder = tempfile::tempdir().expect("folder");
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    let path = folder.path().to_str().expect("path");
    let alone = shell(Path::new("/"), &format!("sh {path}/verify.sh")).expect("accepted");
    assert!(alone.contains("nothing here was compared"), "{alone}");
    let given =
        format!("sh {path}/verify.sh {path} {path}/trusted_root.json {path}/issuer.pub.pem");
    let given = shell(Path::new("/"), &given).expect("accepted");
    assert!(!given.contains("nothing here was compared"), "{given}");
}

#[test]
fn each_changed_part_fails_in_its_own_step() {
    let issued = issue(with_exceptions(), 6, 5);
    let expected = [
        ("payload byte", "signature"),
        ("signature", "signature"),
        ("proof hash", "inclusion"),
        ("checkpoint size", "checkpoint"),
        ("checkpoint root", "checkpoint"),
        ("checkpoint signature", "checkpoint"),
        ("leaf body", "log-entry"),
        ("log index", "inclusion"),
        ("another issuer", "issuer-key"),
        ("manifest", "manifest"),
        ("trusted root key", "trusted-root"),
    ];
    let changed = tampered(&issued);
    for (part, step) in expected {
        let (_, parts) = changed.iter().find(|(name, _)| *name == part).expect("part");
        let verdict = verify(&Material {
            bundle: &parts.bundle,
            trusted_root: Some((&parts.trusted_root, Source::Given)),
            issuer_key: Some((&parts.issuer_key, Source::Given)),
            manifest: Some(&parts.manifest),
            ..Material::default()
        });
        assert_eq!(verdict.finding(step), Some(Finding::Fail), "{part}: {:#?}", verdict.steps);
    }
}

#[test]
fn the_commands_of_the_instructions_work_as_they_are_written() {
    if !tools() {
        return;
    }
    let issued = issue(with_exceptions(), 6, 5);
    let files = export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
        .expect("sound");
    let folder = tempfile::tempdir().expect("folder");
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    let instructions = String::from_utf8(files["VERIFY.txt"].clone()).expect("text");
    let commands: Vec<&str> = instructions
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert_eq!(commands.len(), 8, "{commands:#?}");
    let said = shell(folder.path(), &format!("set -e\n{}", commands.join("\n"))).expect("works");
    assert!(said.contains("Verified OK"), "{said}");
    let digest = quietus::domain::Digest::of(&issued.manifest).to_string();
    assert_eq!(said.matches(&digest).count(), 3, "{said}");
    assert!(instructions.contains(&digest));
}

#[test]
fn openssl_reads_our_keys_and_checks_our_checkpoints() {
    if !tools() {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificate/checkpoint.sh");
    let log = quietus::evidence::LogKey::generate().expect("key");
    let issuer = quietus::evidence::IssuerKey::generate().expect("key");
    let root = quietus::domain::Digest::of(b"root");
    let note = quietus::evidence::checkpoint::sign("log.example.com/2026", 42, root, &log);
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("note", &note.expect("signed"));
    write("log.pub.pem", &log.public().to_pem());
    write("issuer.pub.pem", &issuer.public().to_pem());
    for (name, key) in [("log.pem", log.to_pem()), ("issuer.pem", issuer.to_pem())] {
        use secrecy::ExposeSecret as _;
        write(name, key.expect("pem").expose_secret());
    }
    let said = shell(folder.path(), &format!("sh {script} .")).expect("accepted");
    assert!(said.contains("keys and checkpoint hold"), "{said}");
    write(
        "note",
        &std::fs::read_to_string(folder.path().join("note")).expect("note").replace("42", "43"),
    );
    assert!(shell(folder.path(), &format!("sh {script} .")).is_err());
}
