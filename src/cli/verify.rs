//! `quietus verify`: checks a certificate offline and says step by step what was found.
//!
//! It reads files and nothing else: no configuration, no store, no network.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use quietus_verify::folder::{Files, Unreadable};
use quietus_verify::print::{self, Ink};

use super::opening::complain;
use crate::domain::Clock as _;
use crate::evidence::export::BUNDLE_NAME;
use crate::evidence::verify::{Anchor, Verdict};
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
  quietus verify certificate/ --format json
  quietus verify record-proof/ --trust from-the-contract/ --require-trust")]
pub struct VerifyArguments {
    /// A certificate (`certificate.sigstore.json`), an exported folder, or one that
    /// `quietus audit record` wrote.
    #[arg(value_name = "FILE_OR_FOLDER")]
    path: PathBuf,
    /// The trusted root that you have from the issuer; otherwise the one beside the certificate.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The issuer's public key that you have from the issuer; otherwise the one beside the
    /// certificate.
    #[arg(long, value_name = "FILE")]
    issuer_key: Option<PathBuf>,
    /// A folder from the issuer with both: `trusted_root.json` and `issuer.pub.pem`.
    #[arg(long, value_name = "FOLDER")]
    trust: Option<PathBuf>,
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

/// Runs the command; the answer is the exit code. `out` gets ANSI colours in the human form.
pub fn run(arguments: &VerifyArguments, out: &mut dyn Write) -> u8 {
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

/// A closed pipe must not turn into a pass: what could not be said was not reported.
fn finish(printed: &io::Result<()>, code: u8) -> u8 {
    if printed.is_ok() { code } else { code.max(UNREADABLE) }
}

impl VerifyArguments {
    fn files(&self) -> Files {
        Files {
            path: self.path.clone(),
            trusted_root: self.trusted_root.clone(),
            issuer_key: self.issuer_key.clone(),
            trust: self.trust.clone(),
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
