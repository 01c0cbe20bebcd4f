//! Time stamps: asked for, checked, kept, handed out, and verified by us and by openssl.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sigstore_verify::PublicKeyVerificationPolicy;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};

use super::{anchor, authority, authority_file, authority_url, company, export, states, step};
use crate::company::Company;

fn bundle(company: &Company, folder: &str) -> Value {
    let path = company.path(folder).join("certificate.sigstore.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What `sigstore-verify` says of a bundle beside the files of the export `latest`.
fn sigstore(company: &Company, bundle: &Value) -> Result<(), String> {
    let root = TrustedRoot::from_json(&company.read("latest/trusted_root.json"))
        .map_err(|error| error.to_string())?;
    let bundle = Bundle::from_json(&bundle.to_string()).map_err(|error| error.to_string())?;
    let key = DerPublicKey::from_pem(&company.read("latest/issuer.pub.pem"))
        .map_err(|error| error.to_string())?;
    let policy = PublicKeyVerificationPolicy::new(key);
    let manifest = company.read("latest/manifest.json");
    sigstore_verify::verify(manifest.as_bytes(), &bundle, &policy, &root)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Runs the commands for tokens of the exported instructions, each in the exported folder.
async fn openssl_accepts(company: &Company, folder: &str, commands: usize) {
    let text = company.read(&format!("{folder}/VERIFY.txt"));
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| line.starts_with("openssl ts -verify")).collect();
    assert_eq!(lines.len(), commands, "{text}");
    for line in lines {
        let ended = tokio::process::Command::new("sh")
            .args(["-c", line])
            .current_dir(company.path(folder))
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned()
            + &String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && said.contains("Verification: OK"), "{line}\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_down_delays_nothing_and_the_bytes_stay() {
    let company = company().await;
    let stamps = authority(&company, "rsa", ", required: true") + &authority(&company, "ecdsa", "");
    anchor(&company, &stamps.replace(&authority_url("rsa"), "http://127.0.0.1:1/"), "", "");
    let ran = company.quietus(&["run", "--once"]).await.expect(0);
    assert!(ran.out.contains("`rsa` does not vouch for the log"), "{}", ran.out);
    assert_eq!(states(&company).await, ["logged"]);
    export(&company, "latest", "early").await;
    let early = bundle(&company, "early");
    let (found, said) = step(&company, "time", false).await;
    assert_eq!(found, "PASS", "the other authority has stamped: {said}");

    anchor(&company, &stamps, "", "");
    let now = company.quietus(&["anchor", "now"]).await.expect(0);
    assert!(now.out.contains("1 certificate(s) anchored"), "{}", now.out);
    assert_eq!(states(&company).await, ["anchored"]);
    let shown = company.quietus(&["certificate", "show", "latest"]).await.expect(0);
    assert!(shown.out.contains("state: anchored"), "{}", shown.out);
    let (found, said) = step(&company, "time", false).await;
    assert_eq!(found, "PASS", "{said}");
    let late = bundle(&company, "latest");
    assert_eq!(early["dsseEnvelope"], late["dsseEnvelope"], "what is certified never changes");
    let stamped = &late["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
    // Stock verifiers take keys on elliptic curves only; the other one is kept and stamps heads.
    assert_eq!(stamped.as_array().unwrap().len(), 1, "that of the authority with such a key");
    openssl_accepts(&company, "latest", 2).await;
    company.quietus(&["anchor", "list"]).await.expect(0);

    // A verifier that nobody here wrote checks the tokens in the bundle too.
    assert_eq!(sigstore(&company, &late), Ok(()));
    let mut changed = late.clone();
    let token = &mut changed["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
        [0]["signedTimestamp"];
    let mut bytes = STANDARD.decode(token.as_str().unwrap()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    *token = STANDARD.encode(bytes).into();
    assert!(sigstore(&company, &changed).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stamped_heads_bound_a_certificate_from_both_sides() {
    let company = company().await;
    anchor(&company, &authority(&company, "ecdsa", ""), "", "");
    company.quietus(&["run", "--once"]).await.expect(0);
    let (found, said) = step(&company, "time", false).await;
    assert_eq!(found, "PASS", "{said}");
    assert!(said.contains("not proven"), "nothing was stamped before: {said}");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored", "anchored"]);
    let (found, said) = step(&company, "time", false).await;
    assert_eq!(found, "PASS", "{said}");
    assert!(said.contains("The last head without it that was stamped is of"), "{said}");
    openssl_accepts(&company, "latest", 2).await;
    for file in
        ["anchor-before.checkpoint", "anchor-after.checkpoint", "anchor-authority.ecdsa.pem"]
    {
        assert!(company.path("latest").join(file).exists(), "{file}");
    }
    printed_forms_say_so(&company);
}

/// Printed forms say what others vouch for, carry it, and say what they did not check.
fn printed_forms_say_so(company: &Company) {
    let text = company.read("latest/certificate.txt");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "It was in the log by",
        "time stamp of ecdsa.",
        "The last stamped head of the log without it is of",
        "that the log had not grown by then is the issuer\u{2019}s word.",
        "No witness: that everybody is shown the same log is not proven.",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let page = company.read("latest/certificate.html");
    for held in ["anchor-before.1.ecdsa.tsr", "anchor-after.1.ecdsa.tsr", "policy.tlog"] {
        assert!(page.contains(&format!("<a download=\"{held}\"")), "{held}");
    }
    assert!(page.contains("the time stamps are among the files below"));
    assert!(page.contains("no signature of a witness is here"));
}

/// One changed byte of a token, a checkpoint or a proof is seen.
#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_an_anchor_can_change() {
    let company = company().await;
    anchor(&company, &authority(&company, "rsa", ""), "", "");
    company.quietus(&["run", "--once"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(step(&company, "time", false).await.0, "PASS");
    let folder = company.path("latest");
    for (file, place) in [
        ("anchor-before.1.rsa.tsr", 120),
        ("anchor-after.1.rsa.tsr", 120),
        ("anchor-before.checkpoint", 0),
        ("anchor-after.checkpoint", 40),
        ("anchor-before.consistency", 12),
    ] {
        let path = folder.join(file);
        let good = std::fs::read(&path).unwrap();
        let mut changed = good.clone();
        changed[place] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let verdict =
            company.quietus(&["verify", folder.to_str().unwrap(), "--format", "json"]).await;
        assert_eq!(verdict.code, 1, "{file}: {}", verdict.out);
        let failed: Vec<Value> = verdict.json()["steps"].as_array().unwrap().clone();
        let failed: Vec<&Value> = failed.iter().filter(|one| one["finding"] == "FAIL").collect();
        assert!(failed.iter().any(|one| one["name"] == "time"), "{file}: {failed:?}");
        std::fs::write(&path, good).unwrap();
    }
    company.quietus(&["verify", folder.to_str().unwrap()]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_authority_is_not_kept() {
    let company = company().await;
    let entry = authority(&company, "rsa", "");
    company.write("rsa.pem", &authority_file("ecdsa", "root.pem"));
    anchor(&company, &entry, "", "");
    company.quietus(&["run", "--once"]).await.expect(0);
    let now = company.quietus(&["anchor", "now"]).await.expect(1);
    assert!(now.out.contains("does not lead to one of the authority"), "{}", now.out);
    assert_eq!(company.count_of("time_stamps").await, 0);
    assert_eq!(states(&company).await, ["logged"]);
    let listed = company.quietus(&["anchor", "list"]).await.expect(1);
    assert!(listed.out.contains("has never vouched"), "{}", listed.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_the_file_are_told_with_their_line() {
    let company = company().await;
    let entry = authority(&company, "rsa", "");
    let twice = format!("{entry}{entry}");
    let told = async |stamps: &str, witnesses: &str, more: &str| {
        anchor(&company, stamps, witnesses, more);
        let ended = company.quietus(&["check"]).await.expect(2);
        let told = ended.out + &ended.err;
        assert!(told.contains("quietus.yaml"), "{told}");
        told
    };
    assert!(told(&twice, "", "").await.contains("`rsa` stands here twice"));
    let missing = entry.replace("file:rsa.pem", "file:nowhere.pem");
    assert!(told(&missing, "", "").await.contains("there is no file `nowhere.pem`"));
    let plain = entry.replace("file:rsa.pem", "env:CERTIFICATE");
    assert!(told(&plain, "", "").await.contains("read from a file"));
    company.write("text.pem", "text");
    let text = entry.replace("file:rsa.pem", "file:text.pem");
    assert!(told(&text, "", "").await.contains("no certificates that can be read"));
    let ftp = entry.replace("http://", "ftp://");
    assert!(told(&ftp, "", "").await.contains("nobody can be asked at this address"));
    let upper = entry.replace("name: rsa", "name: Rsa Notary");
    assert!(told(&upper, "", "").await.contains("is no name of somebody who vouches"));
    assert!(told(&entry, "", "  quorum: 1\n").await.contains("1 of 0 witnesses can never be"));
    company.write("w.keys", "witness.example+00000000+AAAA\n");
    let wrong = "    - { name: w, url: \"https://w.example\", keys: \"file:w.keys\" }\n";
    assert!(told("", wrong, "").await.contains("identifier"));
}
