//! `quietus-verify`: checks a certificate without the product that made it.
//!
//! It reads the files that it is told to and nothing else: no network, no database, no settings.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use quietus_verify::folder::Files;
use quietus_verify::print::{self, Ink};
use quietus_verify::trust_folder::read_fingerprint;
use quietus_verify::verify::{Anchor, Finding};

/// Nothing failed.
const PASSED: u8 = 0;
/// A step failed.
const FAILED: u8 = 1;
/// Wrong words on the command line, or a file that cannot be read.
const UNREADABLE: u8 = 2;

const HELP: &str = "\
Checks a certificate of Quietus offline: PASS, FAIL or NOT CHECKED for each step.

usage: quietus-verify [FILE_OR_FOLDER] [options]

  FILE_OR_FOLDER         a certificate (`certificate.sigstore.json`), an exported folder, or a
                         folder that proves that a record was in a run; may be left out where only
                         the folder of `--trust` is checked

  --trusted-root FILE    the trusted root that you have from the issuer; otherwise the one beside
                         the certificate
  --issuer-key FILE      the issuer's public key that you have from the issuer; otherwise the one
                         beside the certificate
  --trust FOLDER         the trust folder from the issuer with both: `trusted_root.json`,
                         `issuer.pub.pem`; also `--trust-package`. Where it is signed as a whole (it has
                         `trust.dsse.json`), every file of it is checked first
  --fingerprint HEX      the fingerprint of the issuer's root key, from your contract: the folder of
                         `--trust` has to be signed with that key
  --manifest FILE        the manifest that was signed for; otherwise the one beside the certificate
  --opening FILE         the opening that says whom the certificate is about, likewise
  --policy FILE          the policy that you have from the issuer: which witnesses have to have
                         signed; otherwise that of `--trust`, or beside the certificate
  --status FILE          the newest status list that you have got from the issuer; otherwise the one
                         beside the certificate. Without a fresh one its status is unknown
  --require-trust        fail unless the trusted root and the issuer's key are given: files that
                         came along prove only that they agree with each other
  --json                 for programs
  --help, --version

Exit code 0: no step failed (some may be NOT CHECKED). 1: a step failed. 2: a file could not be
read, or the command line was wrong.

Examples:
  quietus-verify certificate/
  quietus-verify certificate/ --trust from-the-contract/ --require-trust
  quietus-verify certificate.sigstore.json --opening subject-opening.json --trust from-the-contract/
  quietus-verify certificate/ --json
  quietus-verify record-proof/ --trust from-the-contract/ --require-trust
  quietus-verify --trust from-the-contract/ --fingerprint 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
";

/// What is said of a fingerprint that cannot be read.
const NO_FINGERPRINT: &str =
    "`--fingerprint` is 64 digits of hex, with blanks, colons or dashes between them if you like";

/// What the command line says.
enum Line {
    Check { files: Files, require_trust: bool, json: bool },
    CheckTrust { files: Files, json: bool },
    Say(String),
}

fn main() -> ExitCode {
    let code = match read(std::env::args_os()) {
        Ok(Line::Say(text)) => written(&text, PASSED),
        Ok(Line::Check { files, require_trust, json }) => check(&files, require_trust, json),
        Ok(Line::CheckTrust { files, json }) => check_trust(&files, json),
        Err(problem) => complain(&problem),
    };
    ExitCode::from(code)
}

fn complain(problem: &dyn std::fmt::Display) -> u8 {
    // Nobody can be told that standard error is closed.
    writeln!(io::stderr(), "error: {problem}").unwrap_or_default();
    UNREADABLE
}

fn read(arguments: std::env::ArgsOs) -> Result<Line, String> {
    use lexopt::prelude::{Long, Short, Value};

    let mut files = Files { now: now(), ..Files::default() };
    let (mut path, mut require_trust, mut json) = (None, false, false);
    let mut parser = lexopt::Parser::from_iter(arguments);
    let told = |error: lexopt::Error| format!("{error}; see quietus-verify --help");
    while let Some(argument) = parser.next().map_err(told)? {
        let place = match argument {
            Long("trusted-root") => &mut files.trusted_root,
            Long("issuer-key") => &mut files.issuer_key,
            Long("trust" | "trust-package") => &mut files.trust,
            Long("policy") => &mut files.policy,
            Long("status") => &mut files.status,
            Long("manifest" | "opening") => &mut files.subject,
            Value(value) if path.is_none() => {
                path = Some(value.into());
                continue;
            }
            Long("fingerprint") => {
                let text = parser.value().map_err(told)?;
                let read = text.to_str().and_then(read_fingerprint);
                files.fingerprint = Some(read.ok_or(NO_FINGERPRINT)?);
                continue;
            }
            Long("require-trust") => {
                require_trust = true;
                continue;
            }
            Long("json") => {
                json = true;
                continue;
            }
            Long("help") | Short('h') => return Ok(Line::Say(HELP.to_owned())),
            Long("version") | Short('V') => {
                return Ok(Line::Say(format!("quietus-verify {}\n", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(told(other.unexpected())),
        };
        if place.is_some() {
            return Err("the same file is named twice; see quietus-verify --help".to_owned());
        }
        *place = Some(parser.value().map_err(told)?.into());
    }
    if files.fingerprint.is_some() && files.trust.is_none() {
        return Err("`--fingerprint` is about the folder of `--trust`: name that too".to_owned());
    }
    let Some(path) = path else {
        if files.trust.is_some() {
            return Ok(Line::CheckTrust { files, json });
        }
        return Err("name an exported folder or its `certificate.sigstore.json`; see \
                    quietus-verify --help"
            .to_owned());
    };
    files.path = path;
    Ok(Line::Check { files, require_trust, json })
}

/// What time it is; `None` where the machine does not know.
#[expect(clippy::disallowed_methods, reason = "this program has no other door for time")]
fn now() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

fn check(files: &Files, require_trust: bool, json: bool) -> u8 {
    if files.is_record_proof() {
        return check_record(files, require_trust, json);
    }
    let verdict = match files.verify() {
        Ok(verdict) => verdict,
        Err(error) => return complain(&error),
    };
    let trusted = !require_trust || verdict.anchor == Anchor::Both;
    let code = if verdict.passed() && trusted { PASSED } else { FAILED };
    if json {
        return written(&format!("{}\n", print::json(&verdict)), code);
    }
    let mut text = Vec::new();
    // Memory takes everything.
    print::steps(&verdict, ink(), &mut text).unwrap_or_default();
    written(&String::from_utf8_lossy(&text), code)
}

/// A folder that proves that a record was in a run.
fn check_record(files: &Files, require_trust: bool, json: bool) -> u8 {
    let verdict = match files.verify_record() {
        Ok(verdict) => verdict,
        Err(error) => return complain(&error),
    };
    let trusted = !require_trust || verdict.anchored;
    let code = if verdict.passed() && trusted { PASSED } else { FAILED };
    if json {
        return written(&format!("{}\n", print::record_json(&verdict)), code);
    }
    let mut text = Vec::new();
    print::record_steps(&verdict, ink(), &mut text).unwrap_or_default();
    written(&String::from_utf8_lossy(&text), code)
}

fn check_trust(files: &Files, json: bool) -> u8 {
    let checked = match files.check_trust() {
        Ok(checked) => checked,
        Err(error) => return complain(&error),
    };
    let code = if checked.step.finding == Finding::Fail { FAILED } else { PASSED };
    if json {
        return written(&format!("{}\n", print::trust_json(&checked)), code);
    }
    let mut text = Vec::new();
    // Memory takes everything.
    print::trust(&checked, ink(), &mut text).unwrap_or_default();
    written(&String::from_utf8_lossy(&text), code)
}

/// Colours where a person looks at a terminal and has not asked for none (<https://no-color.org>).
fn ink() -> Ink {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stdout().is_terminal() && !plain { Ink::Colours } else { Ink::Plain }
}

/// A closed pipe must not turn into a pass: what could not be said was not reported.
fn written(text: &str, code: u8) -> u8 {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if printed.is_ok() { code } else { code.max(UNREADABLE) }
}
