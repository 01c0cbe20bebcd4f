//! The demonstration as a newcomer runs it: everything that it tells is true, what it hands out
//! verifies, and the folder that it leaves goes on to work although its processor is gone.
//!
//! Only with `QUIETUS_TEST_LONG`: it works on hundreds of thousands of records.

use std::path::Path;
use std::process::Stdio;

use crate::company::{Ended, ended, long_tests};

async fn quietus(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quietus"));
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .arg("--dir")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    ended(command).await
}

/// What a certificate in a folder says, as `quietus verify` reads it.
async fn verified(folder: &Path, certificate: &str) -> serde_json::Value {
    let path = folder.join(certificate);
    let path = path.to_str().unwrap();
    let checked = quietus(folder, &["verify", path, "--format", "json"]).await.expect(0).json();
    assert_eq!(checked["passed"], true, "{certificate}: {checked}");
    checked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_holds_and_leaves_a_folder_that_works() {
    if !long_tests() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("demo");
    let told = quietus(&folder, &["demo"]).await.expect(0);
    for line in [
        "8. A copy with one byte changed is refused",
        "nothing is looked for or erased before it is sure who asks",
        "Plain SQL finds 14 records of hers in the three databases",
        "billing.orders 2, billing.payments 2, crm.customers 1, crm.devices 1, crm.logins 2, support.messages 4, support.tickets 2",
        "it answers `in_progress`, and her contact is still there",
        "marketing (third party): done, by their own word",
        "she stands in: billing.orders 1, billing.payments 1, support.messages 1, support.tickets 1",
        "0 contacts at Example Marketing",
        "It claims partial:",
        "the processor's receipt holds",
        "the SHA-256 of this file is what the certificate is about",
        "her ticket goes by itself",
        "plain SQL finds nothing of hers anywhere",
        "she is forgotten",
        "The disk of crm is lost",
        "the guard stands in the way of whoever wants to open it now",
        "1 of 1 cases of persons are not done again yet",
        "crm is open after",
        "It certifies that 1 person was back, with 4 records",
    ] {
        assert!(told.out.contains(line), "`{line}` is not in\n{}\n{}", told.out, told.err);
    }

    let run = verified(&folder, "certificate").await;
    assert_eq!(run["overall"], "complete-with-exceptions");
    let request = verified(&folder, "request-certificate").await;
    assert_eq!(request["overall"], "partial");
    let hers = verified(&folder, "request-certificate-for-the-person").await;
    assert_eq!(hers["certificateId"], request["certificateId"]);
    let last = verified(&folder, "years-later/request-certificate").await;
    assert_ne!(last["certificateId"], request["certificateId"]);
    let restored = verified(&folder, "a-restore/restore-certificate").await;
    assert_eq!(restored["overall"], "complete-with-exceptions");
    verified(&folder, "a-restore/request-certificate").await;
    let opening = folder.join("request-certificate-for-the-person/subject-opening.json");
    assert!(std::fs::read_to_string(opening).unwrap().contains("grace.example@mail.example"));
    for entry in std::fs::read_dir(folder.join("request-certificate")).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&text).to_lowercase();
        assert!(!text.contains("grace"), "the certificate for an auditor names the person");
    }

    // The processor is gone, and nobody asks it for anything.
    quietus(&folder, &["check"]).await.expect(0);
    let again = quietus(&folder, &["run", "--once"]).await.expect(0);
    assert!(again.out.contains("complete"), "{}", again.out);
    let twice = quietus(&folder, &["demo"]).await.expect(2);
    assert!(twice.err.contains("is not empty"), "{}", twice.err);
}
