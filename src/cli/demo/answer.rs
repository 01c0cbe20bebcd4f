//! What comes of the request: the letters, the certificate that is partial and says why, and the
//! opening by which the person shows whom it is about.

use quietus_connectors::Proof;
use quietus_connectors::opendsr::signature::{Trust, check_digest};

use super::asking::{Asked, command};
use super::stage::Stage;
use super::{Untrue, audit, heading, marketing, must, right, tally};
use crate::app::Actor;
use crate::cli::certificates::write_files;
use crate::cli::opening::{STRONG, WARN, say};
use crate::domain::{Clock as _, Digest};
use crate::evidence::certificate::{OPENING_NAME, Predicate};
use crate::evidence::statement::{StatedRecipient, SystemStatement};
use crate::evidence::summary::{Overall, Standing, standing};
use crate::store::LetterKind;

/// The folder of the request's certificate.
pub(super) const CERTIFICATE: &str = "request-certificate";
/// The folder of the copy that she gets.
const FOR_HER: &str = "request-certificate-for-the-person";

/// Tells it; the certificate's identifier.
pub(super) async fn tell(stage: &Stage, asked: &Asked) -> Result<uuid::Uuid, Untrue> {
    heading(14, "The letters");
    show_letters(stage, asked).await?;

    heading(15, "The certificate of the request: partial, and it says why");
    let to = stage.path(CERTIFICATE);
    let (id, _) = audit::export(&stage.product, asked.case, &to).await?;
    say(format!("   It is in {}, with the same files.", to.display()));
    let certificate = audit::check_briefly(&to)?;
    audit::run_script(&to)?;
    must(certificate.certificate_id == id, "another certificate was exported")?;
    show_why(&certificate)?;
    check_receipt(stage, &certificate)?;
    let compared = tally::compare(&asked.before, &asked.after, &certificate)?;
    right(format!("its counts are those of plain SQL before and after ({compared} compared)"));

    heading(16, "Whom it is about, only she can show");
    show_opening(stage, id, &certificate).await?;
    Ok(id)
}

async fn show_letters(stage: &Stage, asked: &Asked) -> Result<(), Untrue> {
    say(command(&format!("letter list {}", asked.request)));
    let letters = stage.product.letters_of(asked.request).await?;
    for letter in &letters {
        let kind = match letter.kind {
            LetterKind::Recipient => "notice (GDPR article 19)",
            kind => kind.as_str(),
        };
        say(format!("   {kind} to {}", letter.recipient));
    }
    let answer = letters.iter().find(|letter| letter.kind == LetterKind::Outcome);
    let answer = answer.ok_or_else(|| Untrue("no answer was written".to_owned()))?;
    say(command(&format!("letter show {}", answer.id)));
    let opened = stage.product.open_letter(answer.id, &Actor("Ben Example".to_owned())).await?;
    if let Some(to) = &opened.to {
        say(format!("   │ To: {to}"));
    }
    say(format!("   │ Subject: {}\n   │", opened.subject));
    for line in opened.text.trim_end().lines() {
        say(format!("   │ {line}").trim_end());
    }
    Ok(())
}

/// Says what the certificate claims as a whole, and every reason for which it is not complete.
fn show_why(certificate: &Predicate) -> Result<(), Untrue> {
    let summary = &certificate.summary;
    must(summary.overall == Overall::Partial, "the certificate is not partial")?;
    let only_unverified = (summary.unverified, summary.pending, summary.failed) == (1, 0, 0);
    must(only_unverified, "the certificate is partial for another reason")?;
    say(format!("   It claims {WARN}{}{WARN:#}:", summary.overall.as_str()));
    for one in &certificate.statements {
        if let (Standing::Unverified, Some(said)) = (standing(one), &one.recipient) {
            say(format!(
                "   - {STRONG}not verified{STRONG:#}: {} has {} \"{}\", and nobody else could look",
                said.name,
                said.grade.as_deref().unwrap_or("not said"),
                said.words.as_deref().unwrap_or_default()
            ));
        }
        for kept in &one.kept {
            let until = kept.until.map_or_else(String::new, |day| format!(", until {day}"));
            let restricted = if kept.restricted { ", restricted meanwhile" } else { "" };
            let records = if kept.records.0 == 1 { "record" } else { "records" };
            say(format!(
                "   - {STRONG}kept{STRONG:#}: {} {records} of {}: {}{until}{restricted}",
                kept.records,
                place(one),
                kept.because
            ));
        }
    }
    Ok(())
}

fn place(one: &SystemStatement) -> String {
    let collection = one.collection.as_ref().map(|name| format!(".{name}")).unwrap_or_default();
    let category = one.category.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{}{collection}{category}", one.system.id)
}

/// Checks the processor's receipt from what stands on the certificate, as an auditor can.
fn check_receipt(stage: &Stage, certificate: &Predicate) -> Result<(), Untrue> {
    let mut said = certificate.statements.iter().filter_map(|one| one.recipient.as_ref());
    let said = said.next().ok_or_else(|| Untrue("no receipt is stated".to_owned()))?;
    let untrue = |why: &dyn std::fmt::Display| Untrue(format!("the processor's receipt: {why}"));
    let signatory = check_digest(&proof_of(said)).map_err(|fault| untrue(&fault))?;
    let trust = Trust::only(&stage.marketing.authority).map_err(|fault| untrue(&fault))?;
    let now = stage.clock.now();
    signatory.check(&trust, marketing::DOMAIN, now).map_err(|fault| untrue(&fault))?;
    let another = StatedRecipient { receipt_sha256: Some(Digest::of(b"another")), ..said.clone() };
    must(check_digest(&proof_of(&another)).is_err(), "the receipt holds for another answer")?;
    right(format!(
        "the processor's receipt holds: signed by the certificate of {}, checked from its digest alone",
        marketing::DOMAIN
    ));
    Ok(())
}

fn proof_of(said: &StatedRecipient) -> Proof {
    Proof {
        format: "opendsr".to_owned(),
        document_sha256: said.receipt_sha256.map(|one| one.to_string()).unwrap_or_default(),
        signature: said.signature.clone(),
        certificates: said.certificates.clone(),
    }
}

async fn show_opening(
    stage: &Stage,
    id: uuid::Uuid,
    certificate: &Predicate,
) -> Result<(), Untrue> {
    let bundle = audit::read(&stage.path(CERTIFICATE).join("certificate.txt"))?;
    let names_her = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase().contains("grace");
    let written = serde_json::to_vec(certificate).map_err(|error| Untrue(error.to_string()))?;
    must(!names_her(&bundle) && !names_her(&written), "the certificate names her")?;
    right("nothing on the certificate names her");
    let to = stage.path(FOR_HER);
    let ben = Actor("Ben Example".to_owned());
    write_files(stage.product.export_for_person(id, None, &ben).await?, &to)?;
    let opening = audit::read(&to.join(OPENING_NAME))?;
    must(names_her(&opening), "the opening does not name her")?;
    say(format!("   Her copy, in {}, has one file more, {OPENING_NAME}:", to.display()));
    say(format!("   {}", String::from_utf8_lossy(&opening)));
    audit::check_briefly(&to)?;
    must(audit::is_its_subject(&to)?, "the opening is not the certificate's subject")?;
    right(format!(
        "the SHA-256 of this file is what the certificate is about: {}",
        Digest::of(&opening)
    ));
    Ok(())
}
