//! A token that never gives its key away signs certificates, through PKCS#11 (`SoftHSM`).

use std::path::PathBuf;

use crate::company::database::Kind;
use crate::company::{Company, Ended, ended, heap};

/// Where the module of `SoftHSM` may lie.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];
const PIN: &str = "471147";

fn module() -> PathBuf {
    let found = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("SoftHSM is installed: `tests/run` does so")
}

/// A token with a key in it, whose public half is in `token.pub.pem`.
async fn make_token(company: &Company) {
    std::fs::create_dir_all(company.path("token/objects")).unwrap();
    let objects = company.path("token/objects").display().to_string();
    company.write("token/softhsm2.conf", &format!("directories.tokendir = {objects}\n"));
    let script = format!(
        "set -e
         softhsm2-util --init-token --free --label quietus --pin $PIN --so-pin $PIN
         token() {{ pkcs11-tool --module {} --token-label quietus \"$@\"; }}
         token --login --pin env:PIN --keypairgen --key-type EC:prime256v1 --label issuer --id 01
         token --read-object --type pubkey --label issuer --output-file token/public.der
         openssl pkey -pubin -inform DER -in token/public.der -out token.pub.pem",
        module().display()
    );
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(company.folder()).env("PIN", PIN);
    command.env("SOFTHSM2_CONF", company.path("token/softhsm2.conf"));
    let made = ended(command).await.expect(0);
    assert!(made.out.contains("never extractable"), "{}", made.out);
}

async fn run(company: &Company, pin: &str) -> Ended {
    let mut command = company.command(&["run", "--once"]);
    command.env("SOFTHSM2_CONF", company.path("token/softhsm2.conf")).env("QUIETUS_PIN", pin);
    ended(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_signs_through_pkcs11() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    make_token(&company).await;
    let instance = company.read("quietus.yaml");
    let signers = format!(
        "signers:\n  issuer:\n    command: [pkcs11-tool, --module, {}, --token-label, quietus, --login, \
         --pin, \"env:QUIETUS_PIN\", --sign, --mechanism, ECDSA, --signature-format, openssl, --label, \
         issuer]\n    public_key: token.pub.pem\n    input: digest\n",
        module().display()
    );
    company.write("quietus.yaml", &format!("{instance}{signers}"));
    assert_ne!(run(&company, "000000").await.code, 0, "the token is closed");
    assert!(company.store_rows("SELECT overall FROM certificates").await.is_empty());
    run(&company, PIN).await;
    company.certificate("latest").await;
    assert!(!company.path("keys/issuer.pem").exists(), "the key is in the token only");
    let exported = company.read("export-latest/issuer.pub.pem");
    assert_eq!(exported.trim(), company.read("token.pub.pem").trim());
}
