//! The trust folder: signed as a whole by a root key, checked as a whole before anything of it is used,
//! by us and by hand with openssl.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::certified;
use super::issuers::{MESSAGE, latest_certificate, signer};
use crate::anchors::{anchor, authority, export, start_witness, witness_entry};
use crate::company::{Company, Ended};

/// Writes the trust folder; the fingerprint that is printed.
async fn trust(company: &Company) -> String {
    let to = company.path("trust").to_str().unwrap().to_owned();
    let said = company.quietus(&["keys", "trust", "--to", &to]).await.expect(0).out;
    let fingerprint = said.trim_end().lines().last().unwrap().to_owned();
    assert_eq!(fingerprint.split(' ').count(), 16, "{said}");
    fingerprint
}

/// Verifies with the trust folder, and what each step found.
async fn verified(company: &Company, words: &[&str], code: i32) -> Vec<(String, String, String)> {
    let to = company.path("trust").to_str().unwrap().to_owned();
    let mut all = vec!["verify"];
    all.extend(words);
    all.extend(["--trust", &to, "--format", "json"]);
    let ended = company.quietus(&all).await.expect(code);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = ended.json()["steps"].as_array().unwrap().clone();
    steps
        .iter()
        .map(|step| (text(&step["name"]), text(&step["finding"]), text(&step["sentence"])))
        .collect()
}

fn finding<'a>(steps: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let step = steps.iter().find(|(step, ..)| step == name);
    let (_, finding, sentence) = step.unwrap_or_else(|| panic!("no `{name}` in {steps:?}"));
    (finding, sentence)
}

/// A company with a certificate that others vouch for, exported into `latest`.
async fn vouched() -> (Company, crate::anchors::Running, String) {
    let company = crate::anchors::company().await;
    let witness = start_witness(&company, "w.example/1").await;
    let witnesses = witness_entry(&company, "w", &witness);
    anchor(&company, &authority(&company, "ecdsa", ""), &witnesses, "");
    company.quietus(&["run", "--once"]).await.expect(0);
    let folder = export(&company, "latest", "latest").await;
    (company, witness, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fingerprint_serves_for_everything() {
    let (company, _witness, folder) = vouched().await;
    let fingerprint = trust(&company).await;
    let mode = std::fs::metadata(company.path("keys/root.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let words = [folder.as_str(), "--fingerprint", &fingerprint, "--require-trust"];
    let steps = verified(&company, &words, 0).await;
    assert_eq!(steps[0].0, "trust-folder", "it is the first step");
    for name in [
        "trust-folder",
        "issuer-key",
        "trusted-root",
        "time",
        "witnesses",
        "post-quantum",
        "policy",
        "key-validity",
    ] {
        assert_eq!(finding(&steps, name).0, "PASS", "{name}: {steps:#?}");
    }
    // The same by the small verifier, where it was built, and under the other name of the option.
    let small = std::env::var_os("QUIETUS_TEST_SMALL");
    let to = company.path("trust").to_str().unwrap().to_owned();
    let words = ["--trust-package", &to, "--fingerprint", &fingerprint];
    if let Some(small) = small {
        let ran = Command::new(small).arg(&folder).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success() && said.starts_with("PASS         trust-folder"), "{said}");
    }
    let alone = [&["verify"], words.as_slice()].concat();
    let said = company.quietus(&alone).await.expect(0).out;
    assert!(said.contains("trust-folder") && said.contains("of Example Company"), "{said}");

    // Without the fingerprint nobody knows whose folder it is; with another one, it is somebody else's.
    let steps = verified(&company, &[], 0).await;
    let (found, said) = finding(&steps, "trust-folder");
    assert!(found == "NOT CHECKED" && said.contains(&fingerprint), "{said}");
    let steps = verified(&company, &[&folder, "--fingerprint", &"0".repeat(64)], 1).await;
    let (found, said) = finding(&steps, "trust-folder");
    assert!(found == "FAIL" && said.contains("`root.pub.pem` is another key"), "{said}");
    assert_eq!(finding(&steps, "trusted-root").0, "NOT CHECKED", "nothing of it is used");
    for wrong in [&["--fingerprint", "3f9a"][..], &["--fingerprint", "nonsense"]] {
        let words = [&["verify", &folder, "--trust", &to], wrong].concat();
        let refused = company.quietus(&words).await.expect(2);
        assert!(refused.err.contains("64 digits of hex"), "{}", refused.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_taken_away_or_added_is_named_and_nothing_is_used() {
    let (company, _witness, folder) = vouched().await;
    let fingerprint = trust(&company).await;
    let words = [folder.as_str(), "--fingerprint", &fingerprint];
    let place = company.path("trust");
    let names: Vec<String> = std::fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for wanted in [
        "README.txt",
        "anchor-authority.ecdsa.pem",
        "issuer.pub.pem",
        "log.vkeys",
        "policy.tlog",
        "root.pub.pem",
        "trust.dsse.json",
        "trusted_root.json",
    ] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} in {names:?}");
    }
    let told = async |name: &str, words: &[&str]| {
        let steps = verified(&company, words, 1).await;
        let (found, said) = finding(&steps, "trust-folder");
        assert!(found == "FAIL" && said.contains(&format!("`{name}`")), "{name}: {said}");
        for used in ["trusted-root", "issuer-key", "policy"] {
            assert_ne!(finding(&steps, used).0, "PASS", "{name}: {used}");
        }
    };
    for name in &names {
        let path = place.join(name);
        let good = std::fs::read(&path).unwrap();
        let mut changed = good.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, changed).unwrap();
        told(name, &words).await;
        std::fs::remove_file(&path).unwrap();
        told(name, &words).await;
        std::fs::write(&path, good).unwrap();
    }
    std::fs::write(place.join("another.pub.pem"), "").unwrap();
    told("another.pub.pem", &words).await;
    told("another.pub.pem", &words[..1]).await;
    std::fs::remove_file(place.join("another.pub.pem")).unwrap();
    std::fs::create_dir(place.join("more")).unwrap();
    told("more", &words).await;
    std::fs::remove_dir(place.join("more")).unwrap();
    verified(&company, &words, 0).await;
}

/// Runs the commands of the folder's own instructions in it, as they are written.
fn by_hand(folder: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(folder.join("README.txt")).unwrap();
    let commands: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert_eq!(commands.len(), 10, "{commands:#?}");
    let script = format!("set -e\n{}", commands.join("\n"));
    let ran = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&ran.stderr).into_owned();
    if ran.status.success() { Ok(said) } else { Err(said + &complaints) }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_checks_the_folder_by_the_commands_that_stand_in_it() {
    let company = certified().await;
    let fingerprint = trust(&company).await;
    let folder = company.path("trust");
    let said = by_hand(&folder).expect("accepted");
    assert!(said.contains("Verified OK") && said.contains("policy.tlog: OK"), "{said}");
    assert!(said.contains(&fingerprint.replace(' ', "")), "{said}");
    for (name, wanted) in [
        ("trusted_root.json", "trusted_root.json: FAILED"),
        ("trust.dsse.json", ""),
        ("root.pub.pem", ""),
        ("another.pem", "> another.pem"),
    ] {
        let path = folder.join(name);
        let good = std::fs::read(&path).ok();
        let mut changed = good.clone().unwrap_or_default();
        let place = changed.len() / 2;
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 1;
        }
        std::fs::write(&path, changed).unwrap();
        let said = by_hand(&folder).expect_err(name);
        assert!(said.contains(wanted), "{name}: {said}");
        match good {
            Some(good) => std::fs::write(&path, good).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    }
    by_hand(&folder).expect("as it was");
}

/// A key that was rotated and then stolen: the folder is written anew under the same fingerprint, and says
/// for how long each key counts.
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_says_when_each_key_counts() {
    let company = certified().await;
    let folder = export(&company, "latest", "first").await;
    let fingerprint = trust(&company).await;
    company.quietus(&["keys", "rotate", "issuer"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    let second = latest_certificate(&company).await;
    let newer = export(&company, &second, "second").await;
    let words = |folder: &str| [folder.to_owned(), "--fingerprint".to_owned(), fingerprint.clone()];
    let seen = async |folder: &str, code: i32| {
        let words = words(folder);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let steps = verified(&company, &words, code).await;
        assert_eq!(finding(&steps, "trust-folder").0, "PASS", "{steps:?}");
        steps
    };
    let steps = seen(&newer, 1).await;
    assert_eq!(finding(&steps, "issuer-key").0, "FAIL", "the folder is from before the new key");
    assert_eq!(trust(&company).await, fingerprint);
    for folder in [&folder, &newer] {
        assert_eq!(finding(&seen(folder, 0).await, "key-validity").0, "PASS");
    }
    let retired = company
        .store_rows("SELECT lower(hex(key_id)) FROM signing_keys WHERE retired_at IS NOT NULL")
        .await
        .remove(0);
    let stolen = ["keys", "compromise", &retired, "--since", "2026-01-01", "--reason", "stolen"];
    company.quietus(&stolen).await.expect(0);
    assert_eq!(finding(&seen(&folder, 0).await, "key-validity").0, "PASS", "an older folder");
    assert_eq!(trust(&company).await, fingerprint);
    let steps = seen(&folder, 1).await;
    let (found, said) = finding(&steps, "key-validity");
    assert!(found == "FAIL" && said.contains("may have been in other hands"), "{said}");
    assert_eq!(finding(&seen(&newer, 0).await, "key-validity").0, "PASS");
}

async fn refused(company: &Company, to: &str) -> Ended {
    company.quietus(&["keys", "trust", "--to", to]).await.expect(2)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_key_is_never_replaced_unnoticed() {
    let company = certified().await;
    let to = company.path("trust").to_str().unwrap().to_owned();
    std::fs::create_dir(company.path("trust")).unwrap();
    company.write("trust/notes.txt", "mine");
    let said = refused(&company, &to).await.err;
    assert!(said.contains("notes.txt") && said.contains("name a new or an empty folder"), "{said}");
    assert!(!company.path("keys/root.pem").exists(), "nothing was changed");
    std::fs::remove_file(company.path("trust/notes.txt")).unwrap();
    let fingerprint = trust(&company).await;
    let added = company
        .store_rows("SELECT kind FROM evidence_details WHERE kind = 'key.added'")
        .await
        .len();
    assert_eq!(trust(&company).await, fingerprint, "over the one of before");
    let again = company
        .store_rows("SELECT kind FROM evidence_details WHERE kind = 'key.added'")
        .await
        .len();
    assert_eq!((added, again), (3, 3), "an epoch, the issuer and, once, the root");

    let (key, aside) = (company.path("keys/root.pem"), company.path("aside"));
    std::fs::rename(&key, &aside).unwrap();
    let said = refused(&company, &to).await.err;
    assert!(said.contains("is missing") && said.contains("restore it from your copy"), "{said}");
    assert!(!key.exists());
    std::fs::rename(company.path("keys/root.pub.pem"), company.path("aside.pub")).unwrap();
    assert_ne!(trust(&company).await, fingerprint, "a new one, on purpose");
    std::fs::rename(company.path("aside.pub"), company.path("keys/root.pub.pem")).unwrap();
    let said = refused(&company, &to).await.err;
    assert!(said.contains("is another than the one whose public half"), "{said}");
    std::fs::rename(&aside, &key).unwrap();
    assert_eq!(trust(&company).await, fingerprint);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_signs_the_folder() {
    let company = certified().await;
    signer(&company, "vault", MESSAGE);
    let instance = company.read("quietus.yaml");
    let signers = "signers:\n  root: {command: [sh, vault.sh], public_key: vault.pub.pem}\n";
    company.write("quietus.yaml", &format!("{instance}{signers}"));
    let fingerprint = trust(&company).await;
    assert!(!company.path("keys/root.pem").exists(), "the key is held elsewhere");
    assert_eq!(company.read("trust/root.pub.pem").trim(), company.read("vault.pub.pem").trim());
    let steps = verified(&company, &["--fingerprint", &fingerprint], 0).await;
    assert_eq!(finding(&steps, "trust-folder").0, "PASS");
    by_hand(&company.path("trust")).expect("accepted");
    company.write("vault.sh", "exit 3\n");
    let to = company.path("trust").to_str().unwrap().to_owned();
    let said = company.quietus(&["keys", "trust", "--to", &to]).await.expect(1).err;
    assert!(said.contains("the trust folder is not written"), "{said}");
}
