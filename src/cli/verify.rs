//! `quietus verify`: checks a certificate offline and says step by step what was found.
//!
//! It reads files and nothing else: no configuration, no store, no network.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::opening::complain;
use crate::config;
use crate::evidence::anchor_folder::AnchorFolder;
use crate::evidence::bundle::BUNDLE_BYTES;
use crate::evidence::certificate::{MANIFEST_NAME, OPENING_NAME};
use crate::evidence::export::{BUNDLE_NAME, ISSUER_KEY_NAME, TRUSTED_ROOT_NAME};
use crate::evidence::verify::{Anchor, Finding, Material, Source, Verdict, printable, verify};

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
  quietus verify certificate/ --format json")]
pub struct VerifyArguments {
    /// A certificate (`certificate.sigstore.json`) or an exported folder.
    #[arg(value_name = "FILE_OR_FOLDER")]
    path: PathBuf,
    /// The trusted root that you have from the issuer; otherwise the one beside the certificate.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The issuer's public key that you have from the issuer; otherwise the one beside the
    /// certificate.
    #[arg(long, value_name = "FILE")]
    issuer_key: Option<PathBuf>,
    /// The manifest that was signed for; otherwise the one beside the certificate.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The policy that you have from the issuer, which says which witnesses have to have signed;
    /// otherwise the one beside the certificate.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
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

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{}` cannot be read: {}; name an exported folder or its `certificate.sigstore.json`",
    .path.display(),
    config::why(source)
)]
pub(super) struct Unreadable {
    path: PathBuf,
    source: io::Error,
}

/// Runs the command; the answer is the exit code. `out` gets ANSI colours in the human form.
pub fn run(arguments: &VerifyArguments, out: &mut dyn Write) -> u8 {
    let verdict = match check(arguments) {
        Ok(verdict) => verdict,
        Err(error) => {
            complain(&error);
            return UNREADABLE;
        }
    };
    let trusted = !arguments.require_trust || verdict.anchor == Anchor::Both;
    let code = if verdict.passed() && trusted { PASSED } else { FAILED };
    let printed = match arguments.format {
        Format::Human => print_steps(&verdict, out),
        Format::Json => print_json(&verdict, out),
    };
    finish(&printed, code)
}

/// A closed pipe must not turn into a pass: what could not be said was not reported.
fn finish(printed: &io::Result<()>, code: u8) -> u8 {
    if printed.is_ok() { code } else { code.max(UNREADABLE) }
}

impl VerifyArguments {
    /// Everything as it lies in the folder of the certificate.
    fn alone(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            trusted_root: None,
            issuer_key: None,
            manifest: None,
            policy: None,
            require_trust: false,
            format: Format::Human,
        }
    }
}

/// Checks an exported folder by itself, or this other bundle beside its files.
///
/// # Errors
/// Where a file cannot be read.
pub(super) fn check_folder(folder: &Path, bundle: Option<&Path>) -> Result<Verdict, Unreadable> {
    let own = folder.join(BUNDLE_NAME);
    check_files(&VerifyArguments::alone(folder), folder, bundle.unwrap_or(&own))
}

fn check(arguments: &VerifyArguments) -> Result<Verdict, Unreadable> {
    if arguments.path.is_dir() {
        return check_files(arguments, &arguments.path, &arguments.path.join(BUNDLE_NAME));
    }
    let folder = arguments.path.parent().unwrap_or(Path::new(""));
    check_files(arguments, folder, &arguments.path)
}

fn check_files(
    arguments: &VerifyArguments,
    folder: &Path,
    bundle: &Path,
) -> Result<Verdict, Unreadable> {
    let bundle = read(bundle)?;
    let trusted_root = given_or_beside(arguments.trusted_root.as_ref(), folder, TRUSTED_ROOT_NAME)?;
    let issuer_key = given_or_beside(arguments.issuer_key.as_ref(), folder, ISSUER_KEY_NAME)?;
    let manifest = match given_or_beside(arguments.manifest.as_ref(), folder, MANIFEST_NAME)? {
        Some(counts) => Some(counts),
        None => given_or_beside(None, folder, OPENING_NAME)?,
    };
    let mut anchors = anchors_beside(folder)?;
    let mut policy = Source::Beside;
    if let Some(path) = &arguments.policy {
        anchors.policy = Some(read(path)?);
        policy = Source::Given;
    }
    Ok(verify(&Material {
        bundle: &bundle,
        trusted_root: trusted_root.as_ref().map(|(bytes, source)| (bytes.as_slice(), *source)),
        issuer_key: issuer_key.as_ref().map(|(bytes, source)| (bytes.as_slice(), *source)),
        manifest: manifest.as_ref().map(|(bytes, _)| bytes.as_slice()),
        anchors: anchors.files(policy),
    }))
}

/// Most files about anchors that are read from one folder.
const MOST_ANCHOR_FILES: usize = 200;

/// Time stamps and cosignatures that lie beside a certificate.
fn anchors_beside(folder: &Path) -> Result<AnchorFolder, Unreadable> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let unreadable = |source| Unreadable { path: here.to_path_buf(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(here).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if AnchorFolder::has_name(&name) && files.len() < MOST_ANCHOR_FILES {
            files.push((name, read(&entry.path())?));
        }
    }
    Ok(AnchorFolder::from_files(files))
}

fn given_or_beside(
    given: Option<&PathBuf>,
    folder: &Path,
    name: &str,
) -> Result<Option<(Vec<u8>, Source)>, Unreadable> {
    if let Some(path) = given {
        return Ok(Some((read(path)?, Source::Given)));
    }
    match read(&folder.join(name)) {
        Ok(bytes) => Ok(Some((bytes, Source::Beside))),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file, but never more than a bundle may have.
fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let unreadable = |source| Unreadable { path: path.to_path_buf(), source };
    let limit = u64::try_from(BUNDLE_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(bytes)
}

fn style(finding: Finding) -> Style {
    let colour = match finding {
        Finding::Pass => AnsiColor::Green,
        Finding::Fail => AnsiColor::Red,
        Finding::NotChecked => AnsiColor::Yellow,
    };
    colour.on_default().bold()
}

fn print_steps(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    for step in &verdict.steps {
        let style = style(step.finding);
        let word = step.finding.as_str();
        writeln!(out, "{style}{word:<11}{style:#}  {:<12}  {}", step.name, step.sentence)?;
    }
    let count = |wanted| verdict.steps.iter().filter(|step| step.finding == wanted).count();
    writeln!(
        out,
        "\n{} passed, {} failed, {} not checked",
        count(Finding::Pass),
        count(Finding::Fail),
        count(Finding::NotChecked)
    )?;
    match &verdict.certificate {
        Some(certificate) if verdict.passed() => writeln!(
            out,
            "certificate {} of {} claims `{}` as of {}",
            certificate.predicate.certificate_id,
            printable(&certificate.predicate.issuer.name),
            certificate.predicate.summary.overall.as_str(),
            certificate.predicate.as_of
        )?,
        _ => return writeln!(out, "do not rely on this certificate"),
    }
    match verdict.anchor.warning() {
        Some(warning) => writeln!(out, "{warning}"),
        None => Ok(()),
    }
}

fn print_json(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let claim = verdict.certificate.as_ref().filter(|_| verdict.passed());
    let answer = json!({
        "passed": verdict.passed(),
        "anchored": verdict.anchor == Anchor::Both,
        "comparedWith": verdict.anchor,
        "steps": verdict.steps,
        "certificateId": claim.map(|one| one.predicate.certificate_id),
        "overall": claim.map(|one| one.predicate.summary.overall),
        "asOf": claim.map(|one| one.predicate.as_of),
    });
    writeln!(out, "{answer:#}")
}
