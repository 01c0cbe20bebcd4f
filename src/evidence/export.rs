//! The folder that an auditor receives: the signed bundle, what to check it with, and how.
//!
//! Only a certificate that verifies is exported. The scripts need `sh`, `jq`, `openssl` and the
//! core utilities, nothing of ours.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::anchor_folder::AnchorFolder;
use super::certificate::{Certificate, MANIFEST_NAME, OPENING_NAME};
use super::manifest;
use super::print::html::print_html;
use super::print::pdf::{Attachment, AttachmentKind, PdfError, print_pdf};
use super::print::sheet::{Sheet, sheet};
use super::print::text::print_text;
use super::print::{Printing, Vouching};
use super::status::StatusFiles;
use super::trusted_root::fingerprint;
use super::verify::{Finding, Material, Source, verify};

pub use quietus_verify::folder::{BUNDLE_NAME, ISSUER_KEY_NAME, TRUSTED_ROOT_NAME};

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
    export_anchored(bundle, trusted_root, issuer_key, opening, &AnchorFolder::default(), printing)
}

/// The same, with what others vouch for.
///
/// # Errors
/// Where the certificate does not verify against these files.
pub fn export_anchored(
    bundle: &[u8],
    trusted_root: &[u8],
    issuer_key: &[u8],
    opening: Option<&[u8]>,
    anchors: &AnchorFolder,
    printing: &Printing,
) -> Result<BTreeMap<String, Vec<u8>>, ExportError> {
    let verdict = verify(&Material {
        bundle,
        trusted_root: Some((trusted_root, Source::Beside)),
        issuer_key: Some((issuer_key, Source::Beside)),
        manifest: opening,
        anchors: anchors.files(Source::Beside),
        // What has been superseded may be handed out too; the folder says so.
        status: StatusFiles::default(),
        trust: None,
    });
    let failed = verdict.steps.iter().filter(|step| step.finding == Finding::Fail);
    let sentences: Vec<String> = failed.map(|step| step.sentence.clone()).collect();
    let (Some(certificate), Some(read), true) =
        (&verdict.certificate, &verdict.bundle, sentences.is_empty())
    else {
        return Err(ExportError::Refused(sentences));
    };
    let manifest = manifest::manifest(&certificate.predicate).unwrap_or_default();
    let vouching = Vouching::of(&verdict.vouched, read, anchors);
    let sheet = sheet(certificate, read, (trusted_root, issuer_key), &vouching, printing);
    let mut files: Vec<(&str, &[u8])> = vec![
        (BUNDLE_NAME, bundle),
        (TRUSTED_ROOT_NAME, trusted_root),
        (ISSUER_KEY_NAME, issuer_key),
    ];
    if certificate.predicate.is_of_counts() {
        files.insert(1, (MANIFEST_NAME, &manifest));
    } else if let Some(opening) = opening {
        files.insert(1, (OPENING_NAME, opening));
    }
    let (subject_file, subject_line, whom) = match (certificate.predicate.is_of_counts(), opening) {
        (true, _) => (MANIFEST_NAME, COUNTS_LINE, ""),
        (_, None) => (OPENING_NAME, OPENING_LINE, ""),
        (_, Some(_)) => (OPENING_NAME, PERSON_LINE, WHOM),
    };
    let instructions = INSTRUCTIONS
        .replace("@WHOM@\n", whom)
        .replace("@SUBJECT_LINE@", subject_line)
        .replace("@SUBJECT_FILE@", subject_file)
        .replace("@MANIFEST_SHA256@", &subject_of(certificate))
        .replace("@TRUSTED_ROOT_SHA256@", &fingerprint(trusted_root).to_string())
        .replace("@ISSUER_KEY_SHA256@", &fingerprint(issuer_key).to_string())
        + &about_anchors(anchors);
    let instructions = without_lacks(&instructions, anchors);
    let vouched = anchors.to_files();
    files.extend(vouched.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    files.push((SCRIPT_NAME, SCRIPT.as_bytes()));
    files.push((INSTRUCTIONS_NAME, instructions.as_bytes()));
    let mut folder = printed(&sheet, printing, &files, certificate.predicate.issued_at)?;
    folder.extend(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    Ok(folder)
}

/// Takes out what is said of others who do not vouch, where they do.
fn without_lacks(instructions: &str, anchors: &AnchorFolder) -> String {
    let stamped = !anchors.stamps().is_empty();
    let witnessed = anchors.policy.as_ref().is_some_and(|policy| {
        String::from_utf8_lossy(policy).lines().any(|line| line.starts_with("witness "))
    });
    let lacks = |line: &str| {
        stamped && line.starts_with("  When it was claimed:")
            || witnessed && line.starts_with("  That everybody is shown the same log:")
    };
    instructions.split_inclusive('\n').filter(|line| !lacks(line)).collect()
}

/// How others check what others vouch for; nothing where nobody does.
fn about_anchors(anchors: &AnchorFolder) -> String {
    let stamps = anchors.stamps();
    if stamps.is_empty() && anchors.proof.is_none() {
        return String::new();
    }
    let mut text = String::from(
        "\nWhat others vouch for\n\n\
         The head `after` was stamped once it held this certificate: it was in the log by then.\n\
         `before` is the last stamped head without it; that the log had not grown by then is the\n\
         issuer's word. Compare the certificates of the\n\
         authorities with those that they publish themselves. A certificate that has expired since\n\
         counts as of the moment that the time stamp names.\n\n",
    );
    let commands: Vec<String> = stamps
        .into_iter()
        .map(|(head, file, authority, at)| {
            format!(
                "    openssl ts -verify -data anchor-{head}.text -in {file} -partial_chain -CAfile anchor-authority.{authority}.pem -attime {}\n",
                at.as_second()
            )
        })
        .collect();
    text += &commands.concat();
    text.push_str(
        "\n`certificate.tlog-proof` holds the place of the certificate and the head with the signatures\n\
         of witnesses, `policy.tlog` their keys and how many of them are enough: forms of C2SP\n\
         (c2sp.org/tlog-proof, tlog-cosignature and tlog-policy), which other tools read.\n",
    );
    text
}

/// The printed forms that are wanted, by name; each carries all of the files.
fn printed(
    sheet: &Sheet,
    printing: &Printing,
    files: &[(&str, &[u8])],
    made: Timestamp,
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
        let attached: Vec<Attachment<'_>> = files
            .iter()
            .map(|&(name, bytes)| Attachment { name, bytes, kind: kind(name) })
            .collect();
        let pdf = print_pdf(sheet, printing, &attached, made).map_err(ExportError::Pdf)?;
        folder.insert(PDF_NAME.to_owned(), pdf);
    }
    Ok(folder)
}

/// What a file is to the PDF that it is attached to.
fn kind(name: &str) -> AttachmentKind {
    match name {
        BUNDLE_NAME => AttachmentKind::Source,
        MANIFEST_NAME | OPENING_NAME => AttachmentKind::Data,
        _ => AttachmentKind::Supplement,
    }
}

/// Digest of the file that the certificate is about.
fn subject_of(certificate: &Certificate) -> String {
    certificate.subject.first().map(|one| one.digest.sha256.to_string()).unwrap_or_default()
}
