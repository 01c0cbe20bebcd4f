//! What a verdict says: lines for people, JSON for programs; the same from every binary.

use std::io::{self, Write};

use serde_json::json;

use crate::record_proof::RecordVerdict;
use crate::trust_folder::{CheckedTrust, grouped};
use crate::verify::{Anchor, Finding, Step, Verdict, printable};

/// How words stand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// They do not.
    Plain,
    /// By ANSI colours.
    Colours,
}

/// The code that begins a finding's colour, and the one that ends it.
fn colour(finding: Finding, ink: Ink) -> (&'static str, &'static str) {
    let begin = match (ink, finding) {
        (Ink::Plain, _) => return ("", ""),
        (Ink::Colours, Finding::Pass) => "\u{1b}[1m\u{1b}[32m",
        (Ink::Colours, Finding::Fail) => "\u{1b}[1m\u{1b}[31m",
        (Ink::Colours, Finding::NotChecked) => "\u{1b}[1m\u{1b}[33m",
    };
    (begin, "\u{1b}[0m")
}

fn line(step: &Step, ink: Ink, out: &mut dyn Write) -> io::Result<()> {
    let (begin, end) = colour(step.finding, ink);
    let word = step.finding.as_str();
    writeln!(out, "{begin}{word:<11}{end}  {:<12}  {}", step.name, step.sentence)
}

/// Prints what was found of a trust folder alone.
///
/// # Errors
/// Where it cannot be written.
pub fn trust(checked: &CheckedTrust, ink: Ink, out: &mut dyn Write) -> io::Result<()> {
    line(&checked.step, ink, out)
}

/// The same as JSON over several lines, without a line feed at its end.
pub fn trust_json(checked: &CheckedTrust) -> String {
    let answer = json!({
        "passed": checked.step.finding != Finding::Fail,
        "steps": [checked.step],
        "fingerprint": checked.root.as_ref().map(grouped),
        "issuer": checked.predicate.as_ref().map(|one| &one.issuer),
        "issuedAt": checked.predicate.as_ref().map(|one| one.issued_at),
    });
    format!("{answer:#}")
}

/// Prints each step, how many there were of each finding, and what the certificate claims.
///
/// # Errors
/// Where it cannot be written.
pub fn steps(verdict: &Verdict, ink: Ink, out: &mut dyn Write) -> io::Result<()> {
    lines(&verdict.steps, ink, out)?;
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

/// A line for each step, and how many there were of each finding.
fn lines(steps: &[Step], ink: Ink, out: &mut dyn Write) -> io::Result<()> {
    for step in steps {
        line(step, ink, out)?;
    }
    let count = |wanted| steps.iter().filter(|step| step.finding == wanted).count();
    writeln!(
        out,
        "\n{} passed, {} failed, {} not checked",
        count(Finding::Pass),
        count(Finding::Fail),
        count(Finding::NotChecked)
    )
}

/// Prints what was found of a proof that a record was in a run.
///
/// # Errors
/// Where it cannot be written.
pub fn record_steps(verdict: &RecordVerdict, ink: Ink, out: &mut dyn Write) -> io::Result<()> {
    lines(&verdict.steps, ink, out)?;
    let Some(record) = &verdict.record else {
        return writeln!(out, "do not rely on this proof");
    };
    writeln!(
        out,
        "the record that `record.json` names was deleted from `{}` of `{}` in that run, as the log tells it",
        printable(&record.collection),
        printable(&record.system)
    )?;
    if verdict.anchored {
        return Ok(());
    }
    writeln!(
        out,
        "the log was not compared with the trusted root that you have from the issuer; give --trusted-root"
    )
}

/// The same as JSON over several lines, without a line feed at its end.
pub fn record_json(verdict: &RecordVerdict) -> String {
    let answer = json!({
        "passed": verdict.passed(),
        "anchored": verdict.anchored,
        "steps": verdict.steps,
    });
    format!("{answer:#}")
}

/// The verdict as JSON over several lines, without a line feed at its end.
pub fn json(verdict: &Verdict) -> String {
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
    format!("{answer:#}")
}
