//! What an auditor does with an exported certificate: check it step by step, run the script that
//! needs no tool of ours, and see that a changed copy is refused.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use uuid::Uuid;

use super::{Untrue, must, right};
use crate::app::{AppError, Quietus};
use crate::cli::certificates::write_export;
use crate::cli::opening::say;
use crate::cli::verify;
use crate::evidence::certificate::Predicate;
use crate::evidence::export::{BUNDLE_NAME, SCRIPT_NAME};
use crate::evidence::verify::{Finding, Verdict};

/// Writes the certificate in force of a case into a folder; its identifier and the names of the
/// files.
///
/// # Errors
/// Where there is none.
pub(super) async fn export(
    product: &Arc<Quietus>,
    case: Uuid,
    to: &Path,
) -> Result<(Uuid, Vec<String>), Untrue> {
    let certificate = product
        .store
        .certificate_of_case(case)
        .await
        .map_err(AppError::from)?
        .ok_or_else(|| Untrue("there is no certificate".to_owned()))?;
    let names = write_export(product, certificate.summary.id, None, to).await?;
    Ok((certificate.summary.id, names))
}

/// Checks an exported folder and says what each step found; what the certificate says.
///
/// # Errors
/// Where a step fails.
pub(super) fn check_aloud(folder: &Path) -> Result<Predicate, Untrue> {
    let verdict = check(folder, None)?;
    for step in &verdict.steps {
        say(format!("   {:<11} {}: {}", step.finding.as_str(), step.name, step.sentence));
    }
    passed(verdict)
}

/// Checks an exported folder and says in one line how many steps passed; what the certificate says.
///
/// # Errors
/// Where a step fails.
pub(super) fn check_briefly(folder: &Path) -> Result<Predicate, Untrue> {
    let verdict = check(folder, None)?;
    let count = |wanted| verdict.steps.iter().filter(|step| step.finding == wanted).count();
    let (fine, open) = (count(Finding::Pass), count(Finding::NotChecked));
    let certificate = passed(verdict)?;
    right(format!(
        "`quietus verify {}`: {fine} steps passed, none failed, {open} not checked",
        folder.display()
    ));
    Ok(certificate)
}

/// Checks an exported folder without a word; what the certificate says.
///
/// # Errors
/// Where a step fails.
pub(super) fn check_quietly(folder: &Path) -> Result<Predicate, Untrue> {
    passed(check(folder, None)?)
}

/// Whether the file beside a certificate is the one that it is about.
///
/// # Errors
/// Where the folder cannot be read.
pub(super) fn is_its_subject(folder: &Path) -> Result<bool, Untrue> {
    let verdict = check(folder, None)?;
    let mut steps = verdict.steps.iter();
    Ok(steps.any(|step| step.name == "manifest" && step.finding == Finding::Pass))
}

fn passed(verdict: Verdict) -> Result<Predicate, Untrue> {
    must(verdict.passed(), "the certificate does not verify")?;
    let certificate = verdict.certificate.ok_or_else(|| Untrue("it cannot be read".to_owned()))?;
    Ok(certificate.predicate)
}

/// Runs the script that needs no tool of ours, where its tools are.
///
/// # Errors
/// Where it refuses the certificate.
pub(super) fn run_script(certificate: &Path) -> Result<(), Untrue> {
    let shell = |command: &str, argument: &Path| {
        Command::new("sh").arg("-c").arg(command).arg("sh").arg(argument).output()
    };
    let tools = shell("command -v jq && command -v openssl", certificate);
    if !tools.is_ok_and(|found| found.status.success()) {
        say("   verify.sh was not run: it needs sh, jq and openssl");
        return Ok(());
    }
    let script = certificate.join(SCRIPT_NAME);
    let done = shell("sh \"$1\"", &script).map_err(|error| Untrue(error.to_string()))?;
    must(done.status.success(), "verify.sh refuses the certificate")?;
    right("verify.sh, which needs no tool of ours, finds the same");
    Ok(())
}

/// Changes one byte of a copy, which has to be refused.
///
/// # Errors
/// Where it is accepted.
pub(super) fn show_refusal(folder: &Path, copy: &Path) -> Result<(), Untrue> {
    let mut tampered = read(&folder.join(BUNDLE_NAME))?;
    let place = tampered.len() / 3;
    tampered[place] = if tampered[place] == b'A' { b'B' } else { b'A' };
    std::fs::write(copy, &tampered).map_err(|error| Untrue(error.to_string()))?;
    let verdict = check(folder, Some(copy))?;
    must(!verdict.passed(), "the tampered copy was accepted")?;
    for step in verdict.steps.iter().filter(|step| step.finding == Finding::Fail) {
        say(format!("   FAIL  {}: {}", step.name, step.sentence));
    }
    Ok(())
}

/// Reads a file.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Untrue> {
    std::fs::read(path).map_err(|error| Untrue(format!("`{}`: {error}", path.display())))
}

fn check(folder: &Path, instead: Option<&Path>) -> Result<Verdict, Untrue> {
    verify::check_folder(folder, instead).map_err(|error| Untrue(error.to_string()))
}
