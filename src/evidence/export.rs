//! The folder that an auditor receives: the signed bundle, what to check it with, and how.
//!
//! Only a certificate that verifies is exported. The scripts need `sh`, `jq`, `openssl` and the
//! core utilities, nothing of ours.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::certificate::{Certificate, CertificateClass, MANIFEST_NAME, OPENING_NAME};
use super::manifest;
use super::print::Printing;
use super::print::html::print_html;
use super::print::pdf::{Attachment, AttachmentKind, PdfError, print_pdf};
use super::print::sheet::{Sheet, sheet};
use super::print::text::print_text;
use super::trusted_root::fingerprint;
use super::verify::{Finding, Material, Source, verify};

/// Name of the signed bundle.
pub const BUNDLE_NAME: &str = "certificate.sigstore.json";

/// Name of the trusted root.
pub const TRUSTED_ROOT_NAME: &str = "trusted_root.json";

/// Name of the issuer's public key.
pub const ISSUER_KEY_NAME: &str = "issuer.pub.pem";

/// Name of the script that checks everything without a tool of ours.
pub const SCRIPT_NAME: &str = "verify.sh";

/// Name of the instructions.
const INSTRUCTIONS_NAME: &str = "VERIFY.txt";

/// Name of the certificate as text.
pub const TEXT_NAME: &str = "certificate.txt";

/// Name of the certificate as a page.
pub const PAGE_NAME: &str = "certificate.html";

/// Name of the certificate as PDF.
pub const PDF_NAME: &str = "certificate.pdf";

const SCRIPT: &str = include_str!("templates/verify.sh");
const INSTRUCTIONS: &str = include_str!("templates/VERIFY.txt");

const COUNTS_LINE: &str =
    "  manifest.json              the counts that were signed for; its SHA-256 is the subject";
const OPENING_LINE: &str =
    "  subject-opening.json       whom it is about; its SHA-256 is the subject. Only the person's copy
                             has it; without it, leave out what follows about it";
const PERSON_LINE: &str =
    "  subject-opening.json       whom it is about; its SHA-256 is the subject. Keep it to yourself: only
                             your copy has it";
const WHOM: &str = include_str!("templates/WHOM.txt");

/// Why nothing is exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The certificate does not verify.
    #[error("the certificate does not verify: {}", .0.join(" "))]
    Refused(Vec<String>),
    /// The page could not be printed.
    #[error("the page could not be printed")]
    Page(#[source] askama::Error),
    /// The PDF could not be printed.
    #[error("the PDF could not be printed")]
    Pdf(#[source] PdfError),
}

/// The files of the folder by name. A certificate about a person gets its opening only in the copy
/// for the person.
///
/// # Errors
/// Where the certificate does not verify against these files.
pub fn export(
    bundle: &[u8],
    trusted_root: &[u8],
    issuer_key: &[u8],
    opening: Option<&[u8]>,
    printing: &Printing,
) -> Result<BTreeMap<String, Vec<u8>>, ExportError> {
    let verdict = verify(&Material {
        bundle,
        trusted_root: Some((trusted_root, Source::Beside)),
        issuer_key: Some((issuer_key, Source::Beside)),
        manifest: opening,
    });
    let failed = verdict.steps.iter().filter(|step| step.finding == Finding::Fail);
    let sentences: Vec<String> = failed.map(|step| step.sentence.clone()).collect();
    let (Some(certificate), Some(read), true) =
        (&verdict.certificate, &verdict.bundle, sentences.is_empty())
    else {
        return Err(ExportError::Refused(sentences));
    };
    let manifest = manifest::manifest(&certificate.predicate).unwrap_or_default();
    let sheet = sheet(certificate, read, (trusted_root, issuer_key), printing);
    let mut files: Vec<(&'static str, &[u8])> = vec![
        (BUNDLE_NAME, bundle),
        (TRUSTED_ROOT_NAME, trusted_root),
        (ISSUER_KEY_NAME, issuer_key),
    ];
    if certificate.predicate.class == CertificateClass::ScheduledDisposal {
        files.insert(1, (MANIFEST_NAME, &manifest));
    } else if let Some(opening) = opening {
        files.insert(1, (OPENING_NAME, opening));
    }
    let (subject_file, subject_line, whom) = match (certificate.predicate.class, opening) {
        (CertificateClass::ScheduledDisposal, _) => (MANIFEST_NAME, COUNTS_LINE, ""),
        (_, None) => (OPENING_NAME, OPENING_LINE, ""),
        (_, Some(_)) => (OPENING_NAME, PERSON_LINE, WHOM),
    };
    let instructions = INSTRUCTIONS
        .replace("@WHOM@\n", whom)
        .replace("@SUBJECT_LINE@", subject_line)
        .replace("@SUBJECT_FILE@", subject_file)
        .replace("@MANIFEST_SHA256@", &subject_of(certificate))
        .replace("@TRUSTED_ROOT_SHA256@", &fingerprint(trusted_root).to_string())
        .replace("@ISSUER_KEY_SHA256@", &fingerprint(issuer_key).to_string());
    let made = certificate.predicate.issued_at;
    let mut folder = printed(&sheet, printing, &files, (&instructions, made))?;
    folder.extend(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    folder.insert(SCRIPT_NAME.to_owned(), SCRIPT.into());
    folder.insert(INSTRUCTIONS_NAME.to_owned(), instructions.into());
    Ok(folder)
}

/// The printed forms that are wanted, by name.
fn printed(
    sheet: &Sheet,
    printing: &Printing,
    files: &[(&'static str, &[u8])],
    (instructions, made): (&str, Timestamp),
) -> Result<BTreeMap<String, Vec<u8>>, ExportError> {
    let mut folder = BTreeMap::new();
    if printing.forms.has(TEXT_NAME) {
        folder.insert(TEXT_NAME.to_owned(), print_text(sheet, printing).into());
    }
    if printing.forms.has(PAGE_NAME) {
        let page = print_html(sheet, printing, files).map_err(ExportError::Page)?;
        folder.insert(PAGE_NAME.to_owned(), page.into());
    }
    if printing.forms.has(PDF_NAME) {
        let attached = attachments(files, instructions);
        let pdf = print_pdf(sheet, printing, &attached, made).map_err(ExportError::Pdf)?;
        folder.insert(PDF_NAME.to_owned(), pdf);
    }
    Ok(folder)
}

/// The signed files, and how to check them, as they are attached to the PDF.
fn attachments<'a>(
    files: &[(&'static str, &'a [u8])],
    instructions: &'a str,
) -> Vec<Attachment<'a>> {
    let kind = |name: &str| match name {
        BUNDLE_NAME => AttachmentKind::Source,
        MANIFEST_NAME | OPENING_NAME => AttachmentKind::Data,
        _ => AttachmentKind::Supplement,
    };
    let signed = files.iter().map(|&(name, bytes)| Attachment { name, bytes, kind: kind(name) });
    let help = [(SCRIPT_NAME, SCRIPT), (INSTRUCTIONS_NAME, instructions)];
    let help = help.into_iter().map(|(name, text)| Attachment {
        name,
        bytes: text.as_bytes(),
        kind: AttachmentKind::Supplement,
    });
    signed.chain(help).collect()
}

/// Digest of the file that the certificate is about.
fn subject_of(certificate: &Certificate) -> String {
    certificate.subject.first().map(|one| one.digest.sha256.to_string()).unwrap_or_default()
}
