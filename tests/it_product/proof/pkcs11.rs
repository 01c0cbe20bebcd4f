//! Keys in a token sign certificates and trust folders, without a command in between (`SoftHSM`): keys
//! are made there, take each other's place, and a token that is not there costs nothing but time.

use super::issuers::latest_certificate;
use super::tokens::{PIN, module, run};
use crate::company::database::Kind;
use crate::company::{Company, heap, until};

/// How long something that a service does by itself may take, in seconds.
const SOON: u64 = 60;

/// A token without keys.
async fn make_token(company: &Company) {
    std::fs::create_dir_all(company.path("token/objects")).unwrap();
    let objects = company.path("token/objects").display().to_string();
    company.write("token/softhsm2.conf", &format!("directories.tokendir = {objects}\n"));
    let words = "--init-token --free --label quietus --pin 471147 --so-pin 114711";
    shell(company, &format!("softhsm2-util {words}")).await;
}

/// Runs a script in the company's folder with its token; what it says.
async fn shell(company: &Company, script: &str) -> String {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-ec", script]).current_dir(company.folder()).env("PIN", PIN);
    command.env("SOFTHSM2_CONF", company.path("token/softhsm2.conf"));
    crate::company::ended(command).await.expect(0).out
}

/// Has the token sign from now on.
fn sign_with(company: &Company, issuer: &str) {
    let instance = company.read("quietus.yaml");
    let instance = instance.split("signers:").next().unwrap();
    let module = module().display().to_string();
    let signer = |name: &str, key: &str| {
        format!(
            "  {name}:\n    pkcs11:\n      module: {module}\n      token: quietus\n      key: {key}\n      pin: env:QUIETUS_PIN\n"
        )
    };
    let signers = [signer("issuer", issuer), signer("root", "root")].concat();
    company.write("quietus.yaml", &format!("{instance}signers:\n{signers}"));
}

/// The line of the instance file with these words.
fn line(company: &Company, words: &str) -> String {
    let instance = company.read("quietus.yaml");
    let line = instance.lines().position(|line| line.contains(words)).unwrap() + 1;
    format!("quietus.yaml:{line}: ")
}

async fn with_token() -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    make_token(&company).await;
    sign_with(&company, "certificates-2026");
    company
}

const ONCE: &[&str] = &["run", "--once"];
const GENERATE: &[&str] = &["keys", "generate", "issuer"];

/// Makes more records that are due.
async fn more(company: &Company, from: u32) {
    let rows = format!(
        "INSERT INTO notes SELECT id + {from}, person, 'a note', '2020-01-01T00:00:00Z'
         FROM notes WHERE made_at > '2080' LIMIT 5"
    );
    company.database("heap").run(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_in_a_token_and_sign() {
    let company = with_token().await;
    let refused = run(&company, ONCE, PIN).await.expect(2).err;
    assert!(refused.contains(&line(&company, "key: certificates-2026")), "{refused}");
    assert!(refused.contains("quietus keys generate"), "{refused}");
    assert_eq!(heap::left(&company).await, 40, "something was deleted all the same");

    let made = run(&company, GENERATE, PIN).await.expect(0).out;
    assert!(made.contains("key `certificates-2026` in the PKCS#11 token `quietus`"), "{made}");
    let again = run(&company, GENERATE, PIN).await.expect(2).err;
    assert!(again.contains("no key is ever written over"), "{again}");
    run(&company, ONCE, PIN).await.expect(0);
    company.certificate("latest").await;
    assert!(!company.path("keys/issuer.pem").exists(), "the key is in the token only");

    // As somebody else's tools see it: the key is in the token and does not leave it, and what it
    // signed is checked by openssl.
    let token = format!(
        "pkcs11-tool --module {} --token-label quietus --login --pin env:PIN",
        module().display()
    );
    let listed = shell(&company, &format!("{token} --list-objects --type privkey")).await;
    assert!(listed.contains("certificates-2026"), "{listed}");
    assert!(listed.contains("sensitive") && listed.contains("never extractable"), "{listed}");
    let read =
        "--read-object --type pubkey --label certificates-2026 --output-file token/public.der";
    let pem = "openssl pkey -pubin -inform DER -in token/public.der";
    let public = shell(&company, &format!("{token} {read} >&2; {pem}")).await;
    assert!(made.contains(public.trim()), "{made}\n{public}");
    assert_eq!(company.read("export-latest/issuer.pub.pem").trim(), public.trim());
    let verified = shell(&company, "sh export-latest/verify.sh").await;
    assert!(verified.contains("PASS  the issuer signed the statement"), "{verified}");

    // The folder that auditors check with is signed by another key of the same token.
    let to = company.path("trust").to_str().unwrap().to_owned();
    let trust = ["keys", "trust", "--to", &to];
    let refused = run(&company, &trust, PIN).await.expect(2).err;
    assert!(refused.contains(&line(&company, "key: root")), "{refused}");
    run(&company, &["keys", "generate", "root"], PIN).await.expect(0);
    let told = run(&company, &trust, PIN).await.expect(0).out;
    assert!(!company.path("keys/root.pem").exists(), "the key is in the token only");
    let fingerprint = told.trim_end().lines().last().unwrap();
    let folder = company.path("export-latest").to_str().unwrap().to_owned();
    let words =
        ["verify", &folder, "--trust", &to, "--fingerprint", fingerprint, "--require-trust"];
    company.quietus(&words).await.expect(0);
    let listed = run(&company, &["keys", "list"], PIN).await.expect(0).out;
    assert!(listed.contains("PKCS#11 token `quietus` signs certificates"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_token_takes_the_place_of_another() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    // From a file into the token, and there from one key to the next.
    company.quietus(ONCE).await.expect(0);
    let mut certificates = vec![latest_certificate(&company).await];
    make_token(&company).await;
    for (number, key) in [(1000, "certificates-2026"), (2000, "certificates-2027")] {
        sign_with(&company, key);
        run(&company, GENERATE, PIN).await.expect(0);
        more(&company, number).await;
        assert_ne!(run(&company, ONCE, PIN).await.code, 0, "no key signs before its time");
        let rotate = ["keys", "rotate", "issuer", "--reason", "yearly"];
        run(&company, &rotate, PIN).await.expect(0);
        run(&company, ONCE, PIN).await;
        certificates.push(latest_certificate(&company).await);
    }
    certificates.dedup();
    assert_eq!(certificates.len(), 3);
    let mut keys = std::collections::BTreeSet::new();
    for id in &certificates {
        company.certificate(id).await;
        keys.insert(company.read(&format!("export-{id}/issuer.pub.pem")));
    }
    assert_eq!(keys.len(), 3, "each certificate has the key that signed it");
    let again = run(&company, &["keys", "rotate", "issuer"], PIN).await.expect(2).err;
    assert!(again.contains("give it the new one first"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_with_its_line_and_a_pin_is_never_tried_twice() {
    let company = with_token().await;
    let right = company.read("quietus.yaml");
    let module = module().display().to_string();
    for (from, to, what) in [
        (module.as_str(), "/usr/lib/no-such-module.so", "cannot be loaded"),
        ("token: quietus", "token: elsewhere", "there is no PKCS#11 token `elsewhere`"),
        ("key: certificates-2026", "key: nothing", "has no public key `nothing`"),
    ] {
        company.write("quietus.yaml", &right.replacen(from, to, 1));
        let refused = run(&company, ONCE, PIN).await.expect(2).err;
        assert!(refused.contains(what), "{refused}");
        assert!(refused.contains(&line(&company, to)), "{refused}");
    }
    company.write("quietus.yaml", &right);
    let wrong = run(&company, GENERATE, "000000").await.expect(2).err;
    assert!(wrong.contains(&line(&company, "pin: env:QUIETUS_PIN")), "{wrong}");
    assert!(wrong.contains("refuses the PIN"), "{wrong}");
    run(&company, GENERATE, PIN).await.expect(0);

    // A whole run asks for several signatures, and the token for one PIN.
    let ended = run(&company, ONCE, "000000").await;
    assert_ne!(ended.code, 0, "{}", ended.out);
    let said = ended.out + &ended.err;
    assert_eq!(said.matches("refuses the PIN. It is not tried again").count(), 1, "{said}");
    assert!(!said.contains("000000"), "{said}");
    assert!(company.store_rows("SELECT overall FROM certificates").await.is_empty());
    assert_eq!(heap::left(&company).await, 10, "what was done is done");
    let ended = run(&company, ONCE, PIN).await;
    company.certificate("latest").await;
    assert!(!(ended.out + &ended.err).contains(PIN));
    // Nor is it in any file but the token's own.
    let found = shell(&company, "grep -rlF --exclude-dir=token \"$PIN\" . || true").await;
    assert_eq!(found, "", "the PIN is in these files");
}

/// A service whose token is taken out deletes on, loses nothing, and certifies once it is back.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_follow_when_the_token_is_back() {
    let company = with_token().await;
    run(&company, GENERATE, PIN).await.expect(0);
    // Each case waits for a second person, so that the test says when it begins.
    company.write("schedules/notes.yaml", &heap::rules("{ records: 1 }"));
    let mut service = company.command(&["run"]);
    service.env("SOFTHSM2_CONF", company.path("token/softhsm2.conf")).env("QUIETUS_PIN", PIN);
    service.stdout(std::process::Stdio::null());
    let service = service.spawn().unwrap();
    let certificates = async || company.store_rows("SELECT overall FROM certificates").await.len();
    let begin = async || {
        run(&company, ONCE, PIN).await.expect(1);
        company.latest_case().await
    };
    let approve = async |case: &str| {
        let words = ["approve", case, "--by", "Grace Example", "--reason", "checked"];
        run(&company, &words, PIN).await.expect(0);
    };
    // The session is in use before it is lost.
    approve(&begin().await).await;
    until("the first certificate", SOON, async || (certificates().await == 1).then_some(())).await;

    more(&company, 1000).await;
    let case = begin().await;
    let (slot, away) = (company.path("token/objects"), company.path("token/away"));
    std::fs::rename(&slot, &away).unwrap();
    // Not even a place for tokens is there, and then an empty one.
    let refused = run(&company, ONCE, PIN).await.expect(2).err;
    assert!(refused.contains(&line(&company, "module: ")), "{refused}");
    assert!(refused.contains("does not begin"), "{refused}");
    std::fs::create_dir(&slot).unwrap();
    let refused = run(&company, ONCE, PIN).await.expect(2).err;
    assert!(refused.contains("there is no PKCS#11 token `quietus`"), "{refused}");
    approve(&case).await;
    let gone = async || (heap::left(&company).await == 10).then_some(());
    until("the records are gone", SOON, gone).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(certificates().await, 1, "nothing signs without the token");
    let listed = run(&company, &["keys", "list"], PIN).await.expect(0).out;
    assert!(listed.contains("it is not there"), "{listed}");

    std::fs::remove_dir(&slot).unwrap();
    std::fs::rename(&away, &slot).unwrap();
    let logged = "SELECT overall FROM certificates WHERE bundle IS NOT NULL";
    let followed = async || (company.store_rows(logged).await.len() == 2).then_some(());
    until("the second certificate, in the log", SOON, followed).await;
    drop(service);
    run(&company, &["status"], PIN).await.expect(0);
    company.certificate_of(&case).await;
    company.check_log().await;
}
