//! The copy of a certificate that its person receives, written by the command line and checked
//! with what everybody has.

use std::path::Path;

use super::person;
use crate::company::identifier_in;

fn shell(folder: &Path, script: &str) -> String {
    let mut command = std::process::Command::new("sh");
    let output = command.arg("-c").arg(script).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// What the instructions say that `sha256sum` must print.
fn digest_in(words: &str) -> &str {
    let place = words.find("must print ").expect("what sha256sum must print") + "must print ".len();
    &words[place..place + 64]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sha256sum_of_the_opening_shows_whom_the_certificate_is_about() {
    let company = person::company("").await;
    person::brought(&company, "erasure", "customer_id=2\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    // The run itself makes a certificate of its own, which is about counts.
    let which = company.quietus(&["certificate", "list"]).await.expect(0);
    let to = company.path("copy");
    let mut copied = false;
    for line in which.out.lines().filter(|line| line.matches('-').count() > 4) {
        let id = identifier_in(line);
        let arguments =
            ["certificate", "export", &id, "--for-person", "--to", to.to_str().unwrap()];
        let ended = company.quietus(&arguments).await;
        if ended.code == 0 {
            copied = true;
            let auditor = company.path("audit");
            let plain = ["certificate", "export", &id, "--to", auditor.to_str().unwrap()];
            company.quietus(&plain).await.expect(0);
            // Nobody is handed an opening because it lay in the same folder.
            let same = ["certificate", "export", &id, "--to", to.to_str().unwrap()];
            let refused = company.quietus(&same).await.expect(2);
            assert!(refused.err.contains("name another folder"), "{}", refused.err);
        } else {
            assert_eq!(ended.code, 2);
            assert!(ended.err.contains("is about no person"), "{}", ended.err);
        }
    }
    assert!(copied, "{}", which.out);

    let words = company.read("copy/VERIFY.txt");
    let printed = shell(&to, "sha256sum subject-opening.json");
    assert_eq!(printed.split(' ').next(), Some(digest_in(&words)));
    let signed = "jq -r .dsseEnvelope.payload certificate.sigstore.json | base64 -d | jq -r '.subject[0].digest.sha256'";
    assert_eq!(shell(&to, signed).trim(), digest_in(&words));
    assert_eq!(shell(&to, "jq -r '.identifiers[0].value' subject-opening.json").trim(), "2");
    let script = shell(&to, "sh verify.sh .");
    assert!(script.contains("subject-opening.json is the file signed for"), "{script}");
    let verified = company.quietus(&["verify", to.to_str().unwrap()]).await.expect(0);
    assert!(
        verified.out.contains("The file `subject-opening.json` is the one signed for."),
        "{}",
        verified.out
    );
    let mode = shell(&to, "stat -c %a subject-opening.json certificate.html");
    assert_eq!(mode, "600\n600\n");
    let folder = company.path("deutsch");
    let folder = folder.to_str().unwrap();
    let german = ["certificate", "export", "latest", "--to", folder, "--language", "de"];
    company.quietus(&german).await.expect(0);
    assert!(company.read("deutsch/certificate.txt").starts_with("LÖSCHBESCHEINIGUNG"));
    assert!(company.path("deutsch/certificate.pdf").exists());
    let chinese = company.quietus(&["certificate", "show", "latest", "--language", "zh"]).await;
    assert!(chinese.expect(0).out.contains("数据删除证明"));
    company.quietus(&["certificate", "show", "latest", "--language", "tlh"]).await.expect(2);
    assert!(!company.path("audit/subject-opening.json").exists());
    assert!(!company.read("audit/VERIFY.txt").contains("WHOM IT IS ABOUT"));

    // One letter of another person, and it proves nothing.
    shell(&to, "sed -i 's/\"value\":\"2\"/\"value\":\"3\"/' subject-opening.json");
    company.quietus(&["verify", to.to_str().unwrap()]).await.expect(1);
}
