//! The command as people type it, over a certificate that was issued once and for all, by a program
//! that shares nothing with ours (`tests/foreign/issue.py`): what verified when it was handed out has
//! to verify in every later version.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails there")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_quietus-verify"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn issued() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/issued")
}

/// A proof that a record was in a run, as it was handed out once.
fn record() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/record")
}

/// A copy of the certificate with a change in one file.
fn copy(name: &str, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> PathBuf {
    copy_of(&issued(), name, file, change)
}

fn copy_of(
    original: &Path,
    name: &str,
    file: &str,
    change: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    for entry in std::fs::read_dir(original).expect("the files") {
        let entry = entry.expect("a file");
        std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("copied");
    }
    let bytes = std::fs::read(folder.join(file)).expect("a file");
    std::fs::write(folder.join(file), change(bytes)).expect("written");
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn a_certificate_that_was_handed_out_verifies_for_ever() {
    let folder = issued();
    let folder = text(&folder);
    let (code, said, _) = run(&[folder, "--trust", folder, "--require-trust"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\n10 passed, 0 failed, 6 not checked\n"), "{said}");
    assert!(
        said.contains("claims `complete-with-exceptions` as of 2026-11-23T03:07:00Z"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "no colours into a file");
    let bundle = Path::new(folder).join("certificate.sigstore.json");
    let manifest = Path::new(folder).join("manifest.json");
    assert_eq!(run(&[text(&bundle), "--manifest", text(&manifest)]).0, Some(0));
}

#[test]
fn files_that_came_along_vouch_for_nothing() {
    let folder = issued();
    let (code, said, _) = run(&[text(&folder)]);
    assert_eq!(code, Some(0));
    assert!(said.contains("nothing here was compared"), "{said}");
    assert_eq!(run(&[text(&folder), "--require-trust"]).0, Some(1));
}

#[test]
fn a_changed_certificate_fails_and_says_where() {
    let folder = copy("changed", "manifest.json", |mut bytes| {
        bytes[40] ^= 1;
        bytes
    });
    let (code, said, _) = run(&[text(&folder)]);
    assert_eq!(code, Some(1));
    assert!(said.contains("FAIL         manifest"), "{said}");
    assert!(said.ends_with("do not rely on this certificate\n"), "{said}");
    let folder = copy("broken", "certificate.sigstore.json", |bytes| bytes[1..].to_vec());
    assert_eq!(run(&[text(&folder)]).0, Some(1));
}

#[test]
fn that_a_record_was_in_a_run_verifies_for_ever() {
    let folder = record();
    let folder = text(&folder);
    let (code, said, _) = run(&[folder, "--trust", folder, "--require-trust"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\n8 passed, 0 failed, 1 not checked\n"), "{said}");
    assert!(
        said.ends_with("was deleted from `members` of `club` in that run, as the log tells it\n")
    );
    assert!(!said.contains("QUOKKA"), "the key is not repeated: {said}");
    assert_eq!(run(&[folder, "--require-trust"]).0, Some(1));
    let (code, said, _) = run(&[folder, "--json"]);
    let verdict: Value = serde_json::from_str(&said).expect("json");
    assert_eq!(
        (code, &verdict["passed"], &verdict["anchored"]),
        (Some(0), &true.into(), &false.into())
    );
}

#[test]
fn another_record_or_another_run_fails_and_says_where() {
    for (file, from, to, step) in [
        ("record.json", "QUOKKA", "WALLABY", "manifest"),
        ("record.json", "\"club\"", "\"crew\"", "run"),
        ("record.json", "{\"", "{ \"", "record"),
        ("detail.json", "\"entries\":\"25\"", "\"entries\":\"26\"", "leaf"),
        ("detail.json", "\"deleted\":\"25\"", "\"deleted\":\"24\"", "leaf"),
        ("detail.json", "erasure.manifest", "erasure.step", "run"),
        ("leaf.json", "erasure.manifest", "erasure.manifes1", "leaf"),
        ("leaf.json", "2026-", "2025-", "inclusion"),
        ("record-proof.json", "\"index\": \"4\"", "\"index\": \"5\"", "manifest"),
        ("record-proof.json", "record.proof", "record.proved", "proof"),
        ("checkpoint", "\n13\n", "\n14\n", "checkpoint"),
        ("trusted_root.json", "example-company", "example-others", "trusted-root"),
    ] {
        let folder = copy_of(&record(), "other-record", file, |bytes| {
            let content = String::from_utf8(bytes).expect("text");
            assert!(content.contains(from), "{file}: {from}");
            content.replace(from, to).into_bytes()
        });
        let (code, said, _) = run(&[text(&folder)]);
        assert_eq!(code, Some(1), "{file}: {from}");
        assert!(said.contains(&format!("FAIL         {step} ")), "{file}: {from}: {said}");
        assert!(said.ends_with("do not rely on this proof\n"), "{said}");
    }
    let folder = copy_of(&record(), "short-salt", "record.salt", |bytes| bytes[1..].to_vec());
    assert!(run(&[text(&folder)]).1.contains("FAIL         manifest      The salt"));
    std::fs::remove_file(folder.join("record.salt")).expect("removed");
    assert_eq!(run(&[text(&folder)]).0, Some(2));
}

#[test]
fn programs_read_json() {
    let folder = issued();
    let (code, said, _) = run(&[text(&folder), "--json"]);
    assert_eq!(code, Some(0));
    let verdict: Value = serde_json::from_str(&said).expect("json");
    assert_eq!(verdict["passed"], true);
    assert_eq!(verdict["anchored"], false);
    assert_eq!(verdict["comparedWith"], "nothing");
    assert_eq!(verdict["overall"], "complete-with-exceptions");
    assert_eq!(verdict["steps"].as_array().map(Vec::len), Some(16));
}

#[test]
fn a_folder_that_no_root_key_signed_fails_under_a_fingerprint() {
    let folder = issued();
    let folder = text(&folder);
    let fingerprint = "ab".repeat(32);
    let words = ["--trust", folder, "--fingerprint", &fingerprint];
    let (code, said, _) = run(&words);
    let missing = "FAIL         trust-folder  `root.pub.pem` is missing.";
    assert!(code == Some(1) && said.starts_with(missing), "{said}");
    let (code, said, _) = run(&[&[folder, "--json"], words.as_slice()].concat());
    assert_eq!(code, Some(1));
    let verdict: Value = serde_json::from_str(&said).expect("json");
    assert_eq!(verdict["comparedWith"], "nothing", "nothing of the folder is used");
    assert_eq!(verdict["steps"][0]["name"], "trust-folder");
}

#[test]
fn wrong_words_are_refused_before_anything_is_read() {
    let folder = issued();
    let folder = text(&folder);
    for words in [
        &[][..],
        &["--nonsense", folder],
        &[folder, folder],
        &[folder, "--trust"],
        &[folder, "--opening", "a", "--manifest", "b"],
        &["/nowhere/at/all"],
        &[folder, "--trust", "/nowhere/at/all"],
        &[folder, "--fingerprint", &"ab".repeat(32)],
        &[folder, "--trust", folder, "--fingerprint", "abab"],
        &["--trust", "/nowhere/at/all"],
    ] {
        let (code, said, complaint) = run(words);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{words:?}");
        assert!(complaint.starts_with("error: "), "{words:?}: {complaint}");
    }
}

#[test]
fn help_has_examples_that_can_be_typed() {
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    let examples: Vec<&str> =
        help.lines().filter(|line| line.starts_with("  quietus-verify ")).collect();
    assert_eq!(examples.len(), 6, "{help}");
    for example in examples {
        // Read to the end, and only then is there no such file.
        let words: Vec<&str> = example.split_whitespace().skip(1).collect();
        let (code, _, complaint) = run(&words);
        assert_eq!(code, Some(2));
        assert!(complaint.contains("it is not there"), "{example}: {complaint}");
    }
    let (code, version, _) = run(&["--version"]);
    assert_eq!(
        (code, version.trim_end()),
        (Some(0), concat!("quietus-verify ", env!("CARGO_PKG_VERSION")))
    );
}
