//! A token that never gives its key away signs certificates, through a command that speaks PKCS#11
//! (`SoftHSM`).

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
pub(super) const PIN: &str = "471147";

pub(super) fn module() -> PathBuf {
    let found = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("SoftHSM is installed: `tests/run` does so")
}

/// A token with two keys in it, whose public halves are in `issuer.pub.pem` and `root.pub.pem`.
async fn make_token(company: &Company) {
    std::fs::create_dir_all(company.path("token/objects")).unwrap();
    let objects = company.path("token/objects").display().to_string();
    company.write("token/softhsm2.conf", &format!("directories.tokendir = {objects}\n"));
    let script = format!(
        "set -e
         softhsm2-util --init-token --free --label quietus --pin $PIN --so-pin $PIN
         token() {{ pkcs11-tool --module {} --token-label quietus \"$@\"; }}
         for key in issuer:01 root:02; do
           label=${{key%:*}} id=${{key#*:}}
           token --login --pin env:PIN --keypairgen --key-type EC:prime256v1 --label $label --id $id
           token --read-object --type pubkey --id $id --output-file token/public.der
           openssl pkey -pubin -inform DER -in token/public.der -out $label.pub.pem
         done",
        module().display()
    );
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(company.folder()).env("PIN", PIN);
    command.env("SOFTHSM2_CONF", company.path("token/softhsm2.conf"));
    let made = ended(command).await.expect(0);
    assert!(made.out.contains("never extractable"), "{}", made.out);
}

pub(super) async fn run(company: &Company, arguments: &[&str], pin: &str) -> Ended {
    let mut command = company.command(arguments);
    command.env("SOFTHSM2_CONF", company.path("token/softhsm2.conf")).env("QUIETUS_PIN", pin);
    ended(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_signs_through_pkcs11() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    make_token(&company).await;
    let instance = company.read("quietus.yaml");
    let signer = |label: &str, id: &str| {
        format!(
            "  {label}:\n    command: [pkcs11-tool, --module, {}, --token-label, quietus, --login, \
             --pin, \"env:QUIETUS_PIN\", --sign, --mechanism, ECDSA, --signature-format, openssl, \
             --id, \"{id}\"]\n    public_key: {label}.pub.pem\n    input: digest\n",
            module().display()
        )
    };
    let signers = format!("signers:\n{}{}", signer("issuer", "01"), signer("root", "02"));
    company.write("quietus.yaml", &format!("{instance}{signers}"));
    let once = ["run", "--once"];
    assert_ne!(run(&company, &once, "000000").await.code, 0, "the token is closed");
    assert!(company.store_rows("SELECT overall FROM certificates").await.is_empty());
    run(&company, &once, PIN).await;
    company.certificate("latest").await;
    assert!(!company.path("keys/issuer.pem").exists(), "the key is in the token only");
    let exported = company.read("export-latest/issuer.pub.pem");
    assert_eq!(exported.trim(), company.read("issuer.pub.pem").trim());

    // The folder that auditors check with is signed by the other key of the token.
    let to = company.path("trust").to_str().unwrap().to_owned();
    let trust = ["keys", "trust", "--to", &to];
    assert_ne!(run(&company, &trust, "000000").await.code, 0, "the token is closed");
    let told = run(&company, &trust, PIN).await.expect(0).out;
    assert!(!company.path("keys/root.pem").exists(), "the key is in the token only");
    assert_eq!(company.read("trust/root.pub.pem").trim(), company.read("root.pub.pem").trim());
    let fingerprint = told.trim_end().lines().last().unwrap();
    company.quietus(&["verify", "--trust", &to, "--fingerprint", fingerprint]).await.expect(0);
}
