//! A new issuer's key takes the place of the earlier one, whose certificates stand; and a key that
//! is held elsewhere signs through a command.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use quietus::app::Actor;
use quietus::evidence::IssuerKey;

use super::certified;
use crate::company::Company;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::heap;

pub(super) async fn latest_certificate(company: &Company) -> String {
    let id = company
        .store_rows("SELECT lower(hex(id)) FROM certificates ORDER BY issued_at DESC, id DESC")
        .await
        .remove(0);
    uuid::Uuid::parse_str(&id).unwrap().to_string()
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_key_signed_stands() {
    let company = certified().await;
    let first = latest_certificate(&company).await;
    company.certificate(&first).await;
    let old = company.read(&format!("export-{first}/issuer.pub.pem"));
    let said = company.quietus(&["keys", "rotate", "issuer", "--reason", "yearly"]).await.expect(0);
    assert!(said.out.contains("signs certificates from now on"), "{}", said.out);
    company.quietus(&["run", "--once"]).await.expect(0);
    let second = latest_certificate(&company).await;
    assert_ne!(first, second);
    company.certificate(&second).await;
    company.certificate(&first).await;
    let new = company.read(&format!("export-{second}/issuer.pub.pem"));
    assert_ne!(old, new);
    assert_eq!(old, company.read(&format!("export-{first}/issuer.pub.pem")));
    let key = company.path(&format!("export-{second}/issuer.pub.pem"));
    let folder = company.path(&format!("export-{first}"));
    let crossed = ["verify", folder.to_str().unwrap(), "--issuer-key", key.to_str().unwrap()];
    assert_ne!(company.quietus(&crossed).await.code, 0, "the keys are not confused");

    // One folder from the issuer serves for both.
    let trust = company.path("trust").to_str().unwrap().to_owned();
    let told = company.quietus(&["keys", "trust", "--to", &trust]).await.expect(0).out;
    assert!(told.contains("  issuer.pub.pem") && told.contains("  trusted_root.json"), "{told}");
    assert_eq!(company.read("trust/issuer.pub.pem").matches("BEGIN PUBLIC KEY").count(), 2);
    for certificate in [&first, &second] {
        let folder = company.path(&format!("export-{certificate}")).to_str().unwrap().to_owned();
        let words = ["verify", &folder, "--trust", &trust, "--require-trust"];
        company.quietus(&words).await.expect(0);
    }
    let list = company.quietus(&["keys", "list"]).await.expect(0).out;
    assert!(list.contains("retired") && list.contains("in use"), "{list}");
    let kinds = company
        .store_rows("SELECT kind FROM evidence_details WHERE kind LIKE 'key.%' ORDER BY kind")
        .await;
    let added = ["key.added"; 4];
    assert_eq!(kinds[..4], added, "an epoch, two of the issuer, and the root");
    assert_eq!(kinds[4..], ["key.retired"]);
    company.check_log().await;

    let retired = company
        .store_rows("SELECT lower(hex(key_id)) FROM signing_keys WHERE retired_at IS NOT NULL")
        .await
        .remove(0);
    let in_use = company
        .store_rows("SELECT lower(hex(key_id)) FROM signing_keys WHERE retired_at IS NULL")
        .await
        .remove(0);
    let compromised = |key: String| {
        let company = &company;
        async move {
            let words = ["keys", "compromise", &key, "--since", "2026-01-01", "--reason", "stolen"];
            company.quietus(&words).await
        }
    };
    let refused = compromised(in_use).await.expect(2);
    assert!(refused.err.contains("put a new one in its place first"), "{}", refused.err);
    compromised(retired[..10].to_owned()).await.expect(0);
    let list = company.quietus(&["keys", "list"]).await.expect(0).out;
    assert!(list.contains("compromised since 2025-12-31T23:00:00Z"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_died_half_way_is_finished_or_thrown_away() {
    let company = certified().await;
    let (path, next) = (company.path("keys/issuer.pem"), company.path("keys/issuer.next.pem"));
    let old = company.read("keys/issuer.pem");
    company.quietus(&["keys", "rotate", "issuer"]).await.expect(0);
    let new = company.read("keys/issuer.pem");
    assert_ne!(old, new);
    // It died between the store and the file.
    write_private(&path, &old);
    write_private(&next, &new);
    company.quietus(&["status"]).await.expect(0);
    assert_eq!(company.read("keys/issuer.pem"), new);
    assert!(!next.exists());
    // It died between the old file and the new one.
    std::fs::rename(&path, &next).unwrap();
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(company.read("keys/issuer.pem"), new);
    // The same with its name of its own.
    let own = company.path(&format!("keys/issuer.next.{}.pem", in_use(&company).await));
    write_private(&path, &old);
    write_private(&own, &new);
    company.quietus(&["status"]).await.expect(0);
    assert_eq!(company.read("keys/issuer.pem"), new);
    assert!(!own.exists());
    // It died before the store knew of it.
    let own = company.path(&format!("keys/issuer.next.{}.pem", "0".repeat(64)));
    write_private(&own, &old);
    write_private(&next, &old);
    company.quietus(&["status"]).await.expect(0);
    assert_eq!(company.read("keys/issuer.pem"), new);
    company.quietus(&["keys", "rotate", "issuer"]).await.expect(0);
    assert!(!next.exists() && !own.exists());
    assert!(![old, new].contains(&company.read("keys/issuer.pem")));
    company.certificate("latest").await;
}

/// Digest of the key in use by the record.
async fn in_use(company: &Company) -> String {
    company
        .store_rows("SELECT lower(hex(key_id)) FROM signing_keys WHERE retired_at IS NULL")
        .await
        .remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rotations_at_once_the_key_of_one_is_in_use_and_there() {
    let company = certified().await;
    let clock = TurnedClock::at_present();
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    let ada = Actor("Ada Example".to_owned());
    for _ in 0..5 {
        let both =
            tokio::join!(one.rotate_issuer("at once", &ada), other.rotate_issuer("at once", &ada));
        assert!(both.0.is_ok() || both.1.is_ok(), "{both:?}");
        let key = IssuerKey::from_pem(&company.read("keys/issuer.pem").into()).unwrap();
        assert_eq!(key.public().id().to_string(), in_use(&company).await);
        let keys = std::fs::read_dir(company.path("keys")).unwrap();
        let names = keys.map(|one| one.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.starts_with("issuer.next")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    company.quietus(&["run", "--once"]).await.expect(0);
    company.certificate("latest").await;
}

/// A key as OpenSSL makes it, outside of the keys folder, and a script that signs with it.
pub(super) fn signer(company: &Company, name: &str, sign: &str) {
    let script = format!(
        "set -e\nopenssl ecparam -name prime256v1 -genkey -noout -out {name}.pem\n\
         openssl ec -in {name}.pem -pubout -out {name}.pub.pem 2>/dev/null\n"
    );
    let made = Command::new("sh").arg("-c").arg(script).current_dir(company.folder()).status();
    assert!(made.unwrap().success());
    company.write(&format!("{name}.sh"), &sign.replace("KEY", &format!("{name}.pem")));
}

pub(super) const MESSAGE: &str = "exec openssl dgst -sha256 -sign KEY\n";
const DIGEST: &str = "exec openssl pkeyutl -sign -inkey KEY\n";

async fn with_signer(name: &str, sign: &str, input: &str) -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    signer(&company, name, sign);
    use_signer(&company, name, input);
    company
}

fn use_signer(company: &Company, name: &str, input: &str) {
    let instance = company.read("quietus.yaml");
    let instance = instance.split("signers:").next().unwrap();
    let signers = format!(
        "signers:\n  issuer: {{command: [sh, {name}.sh], public_key: {name}.pub.pem, input: {input}}}\n"
    );
    company.write("quietus.yaml", &format!("{instance}{signers}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_signs_messages() {
    let company = with_signer("kms", MESSAGE, "message").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company.certificate("latest").await;
    assert!(!company.path("keys/issuer.pem").exists(), "the key is held elsewhere");
    let exported = company.read("export-latest/issuer.pub.pem");
    assert_eq!(exported.trim(), company.read("kms.pub.pem").trim());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_signs_digests() {
    let company = with_signer("kms", DIGEST, "digest").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company.certificate("latest").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_signs_with_another_key_is_not_believed() {
    let company = with_signer("kms", MESSAGE, "message").await;
    signer(&company, "other", MESSAGE);
    let honest = company.read("kms.sh");
    for wrong in [company.read("other.sh"), "cat >/dev/null\n".to_owned(), "exit 3\n".to_owned()] {
        company.write("kms.sh", &wrong);
        let ended = company.quietus(&["run", "--once"]).await;
        assert_ne!(ended.code, 0, "{}", ended.out);
        assert!(company.store_rows("SELECT overall FROM certificates").await.is_empty());
    }
    company.write("kms.sh", &honest);
    company.quietus(&["run", "--once"]).await;
    company.certificate("latest").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_takes_the_place_of_a_file() {
    let company = certified().await;
    let first = latest_certificate(&company).await;
    signer(&company, "kms", MESSAGE);
    use_signer(&company, "kms", "message");
    let ended = company.quietus(&["run", "--once"]).await;
    assert_ne!(ended.code, 0, "nothing is signed with a key that was not put in place");
    assert_eq!(latest_certificate(&company).await, first);
    company.quietus(&["keys", "rotate", "issuer", "--reason", "into the KMS"]).await.expect(0);
    company.quietus(&["run", "--once"]).await;
    let second = latest_certificate(&company).await;
    assert_ne!(second, first);
    company.certificate(&second).await;
    company.certificate(&first).await;
    let again = company.quietus(&["keys", "rotate", "issuer"]).await.expect(2);
    assert!(again.err.contains("give it the new one first"), "{}", again.err);
}
