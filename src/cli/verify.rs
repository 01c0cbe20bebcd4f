//! `quietus verify`: checks a certificate offline and says step by step what was found.
//!
//! It reads files and nothing else: no configuration, no store, no network.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use quietus_verify::folder::{Files, Unreadable};
use quietus_verify::print::{self, Ink};

use super::opening::complain;
use crate::domain::{Clock as _, Digest};
use crate::evidence::export::BUNDLE_NAME;
use crate::evidence::trust_folder::read_fingerprint;
use crate::evidence::verify::{Anchor, Finding, Verdict};
use crate::telemetry::SystemClock;

/// Nothing failed.
const PASSED: u8 = 0;
/// A step failed.
const FAILED: u8 = 1;
/// A file could not be read.
const UNREADABLE: u8 = 2;

/// Checks a certificate offline: PASS, FAIL or NOT CHECKED for each step.
///
/// Exit code 0: no step failed (some may be NOT CHECKED; see `--require-trust`). 1: a step failed.
/// 2: a file could not be read.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  quietus verify certificate/
  quietus verify certificate/ --trusted-root root.json --issuer-key issuer.pem --require-trust
  quietus verify certificate/ --trust from-the-contract/ --fingerprint \"5f70 bf18 a086 0070 16e9 48b0 4aed 3b82 103a 36be a417 55b6 cddf af10 ace3 c6ef\" --require-trust
  quietus verify --trust from-the-contract/
  quietus verify certificate/ --format json
  quietus verify record-proof/ --trust from-the-contract/ --require-trust")]
pub struct VerifyArguments {
    /// A certificate (`certificate.sigstore.json`), an exported folder, or one that
    /// `quietus audit record` wrote; may be left out where only the folder of `--trust` is checked.
    #[arg(value_name = "FILE_OR_FOLDER", required_unless_present = "trust")]
    path: Option<PathBuf>,
    /// The trusted root that you have from the issuer; otherwise the one beside the certificate.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The issuer's public key that you have from the issuer; otherwise the one beside the
    /// certificate.
    #[arg(long, value_name = "FILE")]
    issuer_key: Option<PathBuf>,
    /// The trust folder from the issuer with both: `trusted_root.json` and `issuer.pub.pem`. Where it
    /// is signed as a whole (it has `trust.dsse.json`), every file of it is checked first.
    #[arg(long, value_name = "FOLDER", visible_alias = "trust-package")]
    trust: Option<PathBuf>,
    /// The fingerprint of the issuer's root key, from your contract: the folder of `--trust` has to be
    /// signed with that key.
    #[arg(long, value_name = "HEX", requires = "trust", value_parser = fingerprint)]
    fingerprint: Option<Digest>,
    /// The manifest or opening that was signed for; otherwise the one beside the certificate.
    #[arg(long, value_name = "FILE", visible_alias = "opening")]
    manifest: Option<PathBuf>,
    /// The policy that you have from the issuer, which says which witnesses have to have signed;
    /// otherwise the one of `--trust`, or beside the certificate.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The newest status list that you have got from the issuer (`GET /v1/status/…`); otherwise the
    /// one beside the certificate. Without a fresh one the certificate's status is unknown.
    #[arg(long, value_name = "FILE")]
    status: Option<PathBuf>,
    /// Fail unless the trusted root and the issuer's key are given: files that came along prove
    /// only that they agree with each other.
    #[arg(long)]
    require_trust: bool,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// How the steps are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Words and colours.
    Human,
    /// JSON.
    Json,
}

fn fingerprint(text: &str) -> Result<Digest, &'static str> {
    read_fingerprint(text)
        .ok_or("write 64 digits of hex, with blanks, colons or dashes between them if you like")
}

/// Runs the command; the answer is the exit code. `out` gets ANSI colours in the human form.
pub fn run(arguments: &VerifyArguments, out: &mut dyn Write) -> u8 {
    if arguments.path.is_none() {
        return check_trust(arguments, out);
    }
    let files = arguments.files();
    if files.is_record_proof() {
        return check_record(arguments, &files, out);
    }
    let verdict = match files.verify() {
        Ok(verdict) => verdict,
        Err(error) => {
            complain(&error);
            return UNREADABLE;
        }
    };
    let trusted = !arguments.require_trust || verdict.anchor == Anchor::Both;
    let code = if verdict.passed() && trusted { PASSED } else { FAILED };
    let printed = match arguments.format {
        Format::Human => print::steps(&verdict, Ink::Colours, out),
        Format::Json => writeln!(out, "{}", print::json(&verdict)),
    };
    finish(&printed, code)
}

/// A folder that proves that a record was in a run.
fn check_record(arguments: &VerifyArguments, files: &Files, out: &mut dyn Write) -> u8 {
    let verdict = match files.verify_record() {
        Ok(verdict) => verdict,
        Err(error) => {
            complain(&error);
            return UNREADABLE;
        }
    };
    let trusted = !arguments.require_trust || verdict.anchored;
    let code = if verdict.passed() && trusted { PASSED } else { FAILED };
    let printed = match arguments.format {
        Format::Human => print::record_steps(&verdict, Ink::Colours, out),
        Format::Json => writeln!(out, "{}", print::record_json(&verdict)),
    };
    finish(&printed, code)
}

/// Checks the trust folder alone.
fn check_trust(arguments: &VerifyArguments, out: &mut dyn Write) -> u8 {
    let checked = match arguments.files().check_trust() {
        Ok(checked) => checked,
        Err(error) => {
            complain(&error);
            return UNREADABLE;
        }
    };
    let code = if checked.step.finding == Finding::Fail { FAILED } else { PASSED };
    let printed = match arguments.format {
        Format::Human => print::trust(&checked, Ink::Colours, out),
        Format::Json => writeln!(out, "{}", print::trust_json(&checked)),
    };
    finish(&printed, code)
}

/// A closed pipe must not turn into a pass: what could not be said was not reported.
fn finish(printed: &io::Result<()>, code: u8) -> u8 {
    if printed.is_ok() { code } else { code.max(UNREADABLE) }
}

impl VerifyArguments {
    fn files(&self) -> Files {
        Files {
            path: self.path.clone().unwrap_or_default(),
            trusted_root: self.trusted_root.clone(),
            issuer_key: self.issuer_key.clone(),
            trust: self.trust.clone(),
            fingerprint: self.fingerprint,
            subject: self.manifest.clone(),
            policy: self.policy.clone(),
            status: self.status.clone(),
            now: Some(SystemClock.now()),
        }
    }
}

/// Checks an exported folder by itself, or this other bundle beside its files.
///
/// # Errors
/// Where a file cannot be read.
pub(super) fn check_folder(folder: &Path, bundle: Option<&Path>) -> Result<Verdict, Unreadable> {
    let own = folder.join(BUNDLE_NAME);
    let files = Files { now: Some(SystemClock.now()), ..Files::beside(folder) };
    files.verify_bundle(folder, bundle.unwrap_or(&own))
}
