//! Must-show: a certificate before verifiers that nobody here wrote, whole and with one byte changed
//! in each of its parts. Each verifier accepts the whole one, and refuses every change in a part that
//! it looks at; what it does with the other parts is printed and not judged.
//!
//! `sigstore-verify` and the exported script (`openssl`, `jq`) are always here. What comes from npm,
//! `PyPI` and Debian is fetched by `tests/servers/foreign.sh`, which names the folder; our own
//! standalone binary and WebAssembly are built by `tests/run`, which starts a time-stamp authority too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use quietus::evidence::anchor_folder::PROOF_NAME;
use quietus::evidence::dsse::key_name;
use quietus::evidence::export::{BUNDLE_NAME, ISSUER_KEY_NAME, SCRIPT_NAME, TRUSTED_ROOT_NAME};
use quietus::evidence::status::STATUS_LIST_NAME;
use quietus::evidence::status_list::{CertificateStatus, STATUS_SUBJECT};
use quietus::evidence::{IssuerPublicKey, export};
use quietus_verify::folder::Files;
use serde_json::Value;

use super::fixture::{Issued, issue, moment, plain, status_list, with_exceptions};
use super::foreign::{ENTRY, Parts, flip_base64, flip_note_signature, tools};
use super::vouched::{AUTHORITY, SECOND_WITNESS, WITNESS, vouched};

/// Names of the parts, in the order of the columns.
const PARTS: [&str; 15] = [
    "payload",
    "signature",
    "leaf",
    "path",
    "checkpoint",
    "log signature",
    "subject file",
    "earlier head",
    "consistency",
    "tile",
    "status list",
    COSIGNATURE,
    SECOND_COSIGNATURE,
    TOKEN,
    HEAD_TOKEN,
];

/// Signature of a witness under the head, in Ed25519.
const COSIGNATURE: &str = "cosignature";

/// That of another one, in ML-DSA-44.
const SECOND_COSIGNATURE: &str = "... ML-DSA-44";

/// Time stamp over the certificate's signature.
const TOKEN: &str = "token";

/// Time stamp over a head of the log.
const HEAD_TOKEN: &str = "... of a head";

/// Which byte of a part is changed, modulo its length.
const PLACES: [usize; 3] = [3, 101, 1_000_003];

/// A verifier: its name, the parts that it looks at, and what it says about folders (`true` where it
/// accepts); `None` where it is not here.
struct Tool {
    name: &'static str,
    looks_at: &'static [&'static str],
    accepts: fn(&[PathBuf]) -> Option<Vec<bool>>,
}

const WHOLE: &[&str] =
    &["payload", "signature", "leaf", "path", "checkpoint", "log signature", "subject file"];

/// The same and the status list, which is a bundle too, and the time stamp in the bundle.
const ALL_BUNDLES: &[&str] = &[
    "payload",
    "signature",
    "leaf",
    "path",
    "checkpoint",
    "log signature",
    "subject file",
    "status list",
    TOKEN,
];

/// All that is handed out with a certificate.
const ALL: &[&str] = &[
    "payload",
    "signature",
    "leaf",
    "path",
    "checkpoint",
    "log signature",
    "subject file",
    "status list",
    COSIGNATURE,
    SECOND_COSIGNATURE,
    TOKEN,
    HEAD_TOKEN,
];

const TOKENS: &[&str] = &["signature", TOKEN, HEAD_TOKEN];

const TOOLS: [Tool; 13] = [
    Tool { name: "quietus verify (ours)", looks_at: ALL, accepts: ours },
    Tool { name: "quietus-verify (ours)", looks_at: ALL, accepts: small },
    Tool { name: "... as WebAssembly (ours)", looks_at: ALL, accepts: wasm },
    Tool { name: "sigstore-verify (Rust)", looks_at: ALL_BUNDLES, accepts: sigstore_rust },
    Tool {
        name: "@sigstore/verify (Node)",
        looks_at: &[
            "payload",
            "signature",
            "leaf",
            "path",
            "checkpoint",
            "log signature",
            "status list",
            TOKEN,
        ],
        accepts: sigstore_node,
    },
    Tool { name: "openssl and jq (sh)", looks_at: WHOLE, accepts: script },
    Tool { name: "openssl ts (sh)", looks_at: TOKENS, accepts: openssl_ts },
    Tool {
        name: "sumdb note and tlog (Go)",
        looks_at: &[
            "leaf",
            "path",
            "checkpoint",
            "log signature",
            "earlier head",
            "consistency",
            "tile",
            COSIGNATURE,
        ],
        accepts: tlog,
    },
    Tool {
        name: "securesystemslib (Python)",
        looks_at: &["payload", "signature", "status list"],
        accepts: securesystemslib,
    },
    Tool {
        name: "rfc8785 (Python)",
        looks_at: &["payload", "signature", "leaf", "subject file"],
        accepts: rfc8785,
    },
    Tool { name: "rfc3161-client (Python)", looks_at: TOKENS, accepts: rfc3161_client },
    Tool {
        name: "cryptography (Python)",
        looks_at: &[COSIGNATURE, SECOND_COSIGNATURE],
        accepts: cryptography,
    },
    Tool { name: "dilithium-py (Python)", looks_at: &[SECOND_COSIGNATURE], accepts: dilithium },
];

/// The files of a folder by name.
type Folder = BTreeMap<String, Vec<u8>>;

/// What a verifier of others may want: the export with what others vouch for, and the log around the
/// certificate.
fn whole(issued: &Issued) -> Folder {
    let vouched = vouched(issued);
    let (bundle, root) = (&vouched.bundle, &vouched.trusted_root);
    let (key, anchors) = (&issued.issuer_key, &vouched.anchors);
    let mut folder =
        export::export_anchored(bundle, root, key, None, anchors, &plain()).expect("sound");
    let pem = std::str::from_utf8(&issued.issuer_key).expect("text");
    let name = key_name(&IssuerPublicKey::from_pem(pem).expect("a key"));
    folder.insert("key_name.json".to_owned(), format!("\"{name}\"\n").into_bytes());
    folder.insert("log.vkey".to_owned(), format!("{}\n", issued.log.verifier_key()).into_bytes());
    folder.insert("earlier.checkpoint".to_owned(), issued.earlier.clone().into_bytes());
    let lines: String = issued.consistency.iter().fold(String::new(), |mut lines, hash| {
        writeln!(lines, "{}", base64_of(&hash.0)).expect("memory");
        lines
    });
    folder.insert("consistency".to_owned(), lines.into_bytes());
    let list = status_list(CertificateStatus::Current);
    folder.insert(STATUS_LIST_NAME.to_owned(), issued.publish(&list));
    folder.insert(STATUS_SUBJECT.to_owned(), list.bits.compressed());
    for (tile, bytes) in &issued.tiles {
        let width = u64::try_from(bytes.len() / 32).expect("small");
        folder.insert(tile.path(width), bytes.clone());
    }
    folder
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Changes a text of the certificate's bundle.
fn edit(folder: &mut Folder, pointer: &str, change: impl FnOnce(&str) -> String) {
    edit_in(folder, BUNDLE_NAME, pointer, change);
}

/// Changes a text of a bundle.
fn edit_in(folder: &mut Folder, name: &str, pointer: &str, change: impl FnOnce(&str) -> String) {
    let bundle = folder.get_mut(name).expect("a bundle");
    let mut value: Value = serde_json::from_slice(bundle).expect("json");
    let field = value.pointer_mut(pointer).expect("a field");
    *field = Value::String(change(field.as_str().expect("text")));
    *bundle = serde_json::to_vec(&value).expect("json");
}

/// Changes one byte of the text above a note's empty line.
fn flip_note_text(note: &str, place: usize) -> String {
    let length = note.find("\n\n").expect("an empty line");
    let mut bytes = note.as_bytes().to_vec();
    bytes[place % length] ^= 1;
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}

/// Changes one byte of the signature line of this name under a note.
fn flip_line(text: &str, name: &str, place: usize) -> String {
    let begin = format!("\u{2014} {name} ");
    let flipped = |line: &str| match line.strip_prefix(&begin) {
        Some(signature) => format!("{begin}{}\n", flip_base64(signature, place)),
        None => format!("{line}\n"),
    };
    text.lines().map(flipped).collect()
}

/// Which byte of a time stamp is changed: one of its length, of what it says, or of its signature, which
/// stands at its end. Certificates in between are not what it is about.
fn place_in_token(place: usize, length: usize) -> usize {
    if place < PLACES[2] { place } else { length - 1 - place % 32 }
}

/// The folder with one byte of a part changed.
fn changed(whole: &Folder, part: &str, place: usize) -> Folder {
    let mut folder = whole.clone();
    let checkpoint = format!("{ENTRY}/inclusionProof/checkpoint/envelope");
    let mut flip_file = |name: &str| {
        let bytes = folder.get_mut(name).expect("a file");
        let length = bytes.len();
        bytes[place % length] ^= 1;
    };
    match part {
        "payload" => edit(&mut folder, "/dsseEnvelope/payload", |text| flip_base64(text, place)),
        "signature" => {
            edit(&mut folder, "/dsseEnvelope/signatures/0/sig", |text| flip_base64(text, place));
        }
        "leaf" => edit(&mut folder, &format!("{ENTRY}/canonicalizedBody"), |text| {
            flip_base64(text, place)
        }),
        "path" => {
            let hash = format!("{ENTRY}/inclusionProof/hashes/{}", place % 3);
            edit(&mut folder, &hash, |text| flip_base64(text, place));
        }
        "checkpoint" => edit(&mut folder, &checkpoint, |note| flip_note_text(note, place)),
        "log signature" => edit(&mut folder, &checkpoint, |note| flip_note_signature(note, place)),
        "subject file" => flip_file("manifest.json"),
        "earlier head" => flip_file("earlier.checkpoint"),
        "consistency" => {
            let text = String::from_utf8(folder["consistency"].clone()).expect("text");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let line = place % lines.len();
            lines[line] = flip_base64(&lines[line], place);
            folder.insert("consistency".to_owned(), (lines.join("\n") + "\n").into_bytes());
        }
        // That of the certificate's own leaf, whose index is 300.
        "tile" => flip_file("tile/0/001"),
        "status list" => {
            let pointer = ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"][place % 2];
            edit_in(&mut folder, STATUS_LIST_NAME, pointer, |text| flip_base64(text, place));
        }
        COSIGNATURE | SECOND_COSIGNATURE => {
            let name = if part == COSIGNATURE { WITNESS } else { SECOND_WITNESS };
            let text = String::from_utf8(folder[PROOF_NAME].clone()).expect("text");
            folder.insert(PROOF_NAME.to_owned(), flip_line(&text, name, place).into_bytes());
        }
        TOKEN => edit(&mut folder, STAMP, |text| {
            flip_base64(text, place_in_token(place, text.trim_end_matches('=').len() * 3 / 4))
        }),
        HEAD_TOKEN => {
            let name = format!("anchor-after.1.{AUTHORITY}.tsr");
            let bytes = folder.get_mut(&name).expect("a time stamp");
            let length = bytes.len();
            bytes[place_in_token(place, length)] ^= 1;
        }
        other => panic!("there is no part `{other}`"),
    }
    folder
}

/// Where the time stamp stands in a bundle.
const STAMP: &str =
    "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";

fn write(folder: &Folder, path: &Path) {
    for (name, bytes) in folder {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, bytes).expect("written");
    }
}

fn parts(folder: &Path) -> Parts {
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a file");
    Parts {
        bundle: read(BUNDLE_NAME),
        trusted_root: read(TRUSTED_ROOT_NAME),
        issuer_key: read(ISSUER_KEY_NAME),
        manifest: read("manifest.json"),
    }
}

/// The status list in the place of the certificate, for tools that take it for what it is: signed,
/// logged, and about a file.
fn listed(folder: &Path) -> Parts {
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a file");
    Parts { bundle: read(STATUS_LIST_NAME), manifest: read(STATUS_SUBJECT), ..parts(folder) }
}

#[expect(clippy::unnecessary_wraps, reason = "one of the verifiers, some of which may be missing")]
fn ours(folders: &[PathBuf]) -> Option<Vec<bool>> {
    let passes = |folder: &PathBuf| {
        let now = Some(moment("2026-11-24T00:00:00Z"));
        let files = Files { trust: Some(folder.clone()), now, ..Files::beside(folder) };
        files.verify().expect("readable").passed()
    };
    Some(folders.iter().map(passes).collect())
}

/// The standalone binary as people get it.
fn small(folders: &[PathBuf]) -> Option<Vec<bool>> {
    let binary = std::env::var_os("QUIETUS_TEST_SMALL")?;
    let run = |folder: &PathBuf| {
        let mut command = Command::new(&binary);
        command.arg(folder).arg("--trust").arg(folder).arg("--require-trust");
        let output = command.output().expect("the program runs");
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}");
        code == Some(0)
    };
    Some(folders.iter().map(run).collect())
}

/// The same in another engine, as pages call it.
fn wasm(folders: &[PathBuf]) -> Option<Vec<bool>> {
    let module = std::env::var_os("QUIETUS_TEST_WASM")?;
    Some(told(Command::new("node").arg(program("wasm.mjs")).arg(module), folders))
}

#[expect(clippy::unnecessary_wraps, reason = "one of the verifiers, some of which may be missing")]
fn sigstore_rust(folders: &[PathBuf]) -> Option<Vec<bool>> {
    let both = |folder: &PathBuf| [parts(folder), listed(folder)].map(|parts| parts.sigstore());
    Some(folders.iter().map(|folder| both(folder).iter().all(Result::is_ok)).collect())
}

fn script(folders: &[PathBuf]) -> Option<Vec<bool>> {
    let run = |folder: &PathBuf| {
        let output = Command::new("sh").arg(SCRIPT_NAME).current_dir(folder).output();
        output.expect("a shell").status.success()
    };
    tools().then(|| folders.iter().map(run).collect())
}

fn openssl_ts(folders: &[PathBuf]) -> Option<Vec<bool>> {
    tools().then(|| told(Command::new("sh").arg(program("tokens.sh")), folders))
}

/// Whether everything could be fetched, so that a verifier that is not here was forgotten. Where it
/// could not, the summary of `tests/run` names what is missing, and a build server fails.
fn all_fetched() -> bool {
    let folder = std::env::var_os("QUIETUS_TEST_FOREIGN");
    folder.is_some_and(|folder| !Path::new(&folder).join("not-run").exists())
}

/// The folder with the verifiers that were fetched.
fn fetched(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("QUIETUS_TEST_FOREIGN")?).join(name);
    path.exists().then_some(path)
}

/// One of our small programs around a verifier, in `tests/foreign`.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

fn sigstore_node(folders: &[PathBuf]) -> Option<Vec<bool>> {
    let packages = fetched("npm/node_modules")?;
    let packages = packages.parent().expect("a folder");
    Some(told(Command::new("node").arg(program("sigstore.mjs")).arg(packages), folders))
}

fn tlog(folders: &[PathBuf]) -> Option<Vec<bool>> {
    Some(told(&mut Command::new(fetched("tlog")?), folders))
}

fn securesystemslib(folders: &[PathBuf]) -> Option<Vec<bool>> {
    Some(told(Command::new(fetched("venv/bin/python")?).arg(program("dsse.py")), folders))
}

fn rfc8785(folders: &[PathBuf]) -> Option<Vec<bool>> {
    Some(told(Command::new(fetched("venv/bin/python")?).arg(program("canonical.py")), folders))
}

fn rfc3161_client(folders: &[PathBuf]) -> Option<Vec<bool>> {
    Some(told(Command::new(fetched("venv/bin/python")?).arg(program("tokens.py")), folders))
}

fn cryptography(folders: &[PathBuf]) -> Option<Vec<bool>> {
    cosignatures("cryptography", folders)
}

fn dilithium(folders: &[PathBuf]) -> Option<Vec<bool>> {
    cosignatures("dilithium-py", folders)
}

fn cosignatures(library: &str, folders: &[PathBuf]) -> Option<Vec<bool>> {
    let mut python = Command::new(fetched("venv/bin/python")?);
    Some(told(python.arg(program("cosignatures.py")).arg(library), folders))
}

/// What a program says about each folder, a line each; anything else is neither.
fn told(command: &mut Command, folders: &[PathBuf]) -> Vec<bool> {
    let output = command.args(folders).output().expect("the program runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), folders.len(), "{said}{complaints}");
    let answer = |(line, folder): (&str, &PathBuf)| {
        let (path, answer) = line.split_once('\t').expect("a tab");
        assert_eq!(Path::new(path), folder, "{said}");
        assert!(answer == "accepted" || answer.starts_with("refused: "), "{said}");
        answer == "accepted"
    };
    said.lines().zip(folders).map(answer).collect()
}

#[test]
fn every_verifier_refuses_a_change_in_whatever_it_looks_at() {
    let issued = issue(with_exceptions(), 300, 337);
    let whole = whole(&issued);
    let place = tempfile::tempdir().expect("a folder");
    let mut folders = vec![place.path().join("whole")];
    write(&whole, &folders[0]);
    for part in PARTS {
        for (turn, at) in PLACES.into_iter().enumerate() {
            let folder = place.path().join(format!("{part} {turn}"));
            write(&changed(&whole, part, at), &folder);
            folders.push(folder);
        }
    }
    let mut table = format!("\n{:<26}", "changed, and refused by");
    for part in PARTS {
        write!(table, "  {part:>13}").expect("memory");
    }
    let mut wrong = Vec::new();
    for tool in &TOOLS {
        write!(table, "\n{:<26}", tool.name).expect("memory");
        let Some(accepted) = (tool.accepts)(&folders) else {
            table.push_str("  not here");
            if all_fetched() && !tool.name.ends_with("(ours)") {
                wrong.push(format!("{} is not here", tool.name));
            }
            continue;
        };
        if !accepted[0] {
            wrong.push(format!("{} refuses what nobody changed", tool.name));
        }
        for (part, accepted) in PARTS.iter().zip(accepted[1..].chunks(PLACES.len())) {
            let refused = accepted.iter().filter(|&&accepted| !accepted).count();
            let looks = tool.looks_at.contains(part);
            let cell = match (refused, looks) {
                (0, false) => "-".to_owned(),
                _ => format!("{refused} of {}", PLACES.len()),
            };
            write!(table, "  {cell:>13}").expect("memory");
            if looks && refused < PLACES.len() {
                wrong.push(format!("{} accepts a changed {part}", tool.name));
            }
        }
    }
    // Past the harness, which keeps what tests print to itself: this is for whoever reads the run.
    writeln!(std::io::stderr(), "{table}\n").expect("standard error");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
