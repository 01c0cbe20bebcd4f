//! What is handed out before tools that nobody here wrote: the same small programs around them to which
//! `tests/certificate/matrix.rs` shows changed files. `openssl ts` is always here; what `PyPI` has is
//! where `tests/servers/foreign.sh` has put it (`QUIETUS_TEST_FOREIGN`), which is not in a quick run.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{anchor, authority, company, export, start_witness, states, witness_entry};

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

/// Whether a program accepts a folder, by its one line.
fn accepted(command: &mut Command, folder: &str) {
    let output = command.arg(folder).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim_end(), format!("{folder}\taccepted"), "{command:?}: {complaints}");
}

fn python() -> Option<PathBuf> {
    let folder = std::env::var_os("QUIETUS_TEST_FOREIGN")?;
    let python = Path::new(&folder).join("venv/bin/python");
    if !python.exists() {
        let named = Path::new(&folder).join("not-run").exists();
        assert!(named, "the Python verifiers are neither here nor named as not run");
        return None;
    }
    Some(python)
}

#[tokio::test(flavor = "multi_thread")]
async fn time_stamps_and_cosignatures_are_accepted_by_tools_of_others() {
    let company = company().await;
    let witness = start_witness(&company, "w.example/1").await;
    let stamps = authority(&company, "rsa", "") + &authority(&company, "ecdsa", "");
    anchor(&company, &stamps, &witness_entry(&company, "w", &witness), "");
    company.quietus(&["run", "--once"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored", "anchored"]);
    let folder = export(&company, "latest", "latest").await;
    let tokens = std::fs::read_dir(&folder).unwrap().filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        Path::new(&name).extension().is_some_and(|extension| extension == "tsr")
    });
    assert_eq!(tokens.count(), 4, "two authorities, before and after");
    accepted(Command::new("sh").arg(program("tokens.sh")), &folder);
    let Some(python) = python() else { return };
    accepted(Command::new(&python).arg(program("tokens.py")), &folder);
    for library in ["cryptography", "dilithium-py"] {
        let cosignatures = program("cosignatures.py");
        accepted(Command::new(&python).arg(cosignatures).arg(library), &folder);
    }
}
