//! `quietus certificate`: list, show, export.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::FINE;
use super::opening::{complain, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use crate::app::correction::{Corrected, Correcting};
use crate::app::{Actor, AppError, Quietus};
use crate::config;
use crate::domain::{Remark, SystemName};
use crate::evidence::anchor_folder::AnchorFolder;
use crate::evidence::certificate::{MANIFEST_NAME, OPENING_NAME};
use crate::evidence::export::TEXT_NAME;
use crate::evidence::print::{LANGUAGES, Language};
use crate::evidence::record_proof::RECORD_NAME;
use crate::evidence::status::{STATUS_LIST_NAME, SUCCESSOR_NAME};
use crate::evidence::status_list::CertificateStatus;
use crate::store::{CertificateDecision, CertificateFilter, CertificateState};

/// List, show and export certificates.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus certificate list --system billing
  quietus certificate show latest
  quietus certificate export latest --to certificate/
  quietus certificate export latest --for-person --to copy/
  quietus verify certificate/")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List certificates, newest first.
    #[command(after_help = "Examples:
  quietus certificate list
  quietus certificate list --system billing --limit 100")]
    List {
        /// Only those that speak of this system.
        #[arg(long, value_name = "NAME")]
        system: Option<String>,
        /// Only those that speak of this rule.
        #[arg(long, value_name = "NAME")]
        rule: Option<String>,
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
    },
    /// Print a certificate as text.
    #[command(after_help = "Examples:
  quietus certificate show latest
  quietus certificate show 0198a2f3 --language de")]
    Show {
        /// The certificate, the beginning of its identifier, or `latest`.
        certificate: String,
        /// Language: `en`, `de` or `zh`; that of the instance if left out.
        #[arg(long, value_name = "LANGUAGE", value_parser = language)]
        language: Option<Language>,
    },
    /// Write the folder that an auditor receives, or the one for the person that it is about.
    #[command(after_help = "Examples:
  quietus certificate export latest --to certificate/
  quietus certificate export latest --to zertifikat/ --language de
  quietus certificate export latest --for-person --to copy/ --by \"Ada Example\"

With `--for-person` the folder has `subject-opening.json`, which names the person: its SHA-256 is
what the certificate is about. Give it to nobody else; that it was handed out is on record.")]
    Export {
        /// The certificate, the beginning of its identifier, or `latest`.
        certificate: String,
        /// The folder; it is made if it is missing.
        #[arg(long, value_name = "FOLDER", default_value = "certificate")]
        to: PathBuf,
        /// Language of the printed forms: `en`, `de` or `zh`; that of the instance if left out, and
        /// with `--for-person` that of the request.
        #[arg(long, value_name = "LANGUAGE", value_parser = language)]
        language: Option<Language>,
        /// The person's own copy, with the opening that shows whom it is about.
        #[arg(long)]
        for_person: bool,
        /// With `--for-person`: who hands it out.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Say that a certificate was issued in error, is contested, or no longer is contested.
    #[command(after_help = "Examples:
  quietus certificate declare 0198a2f3 withdrawn --reason \"two shops were mixed up\" --by \"Ada Example\"
  quietus certificate declare 0198a2f3 disputed --reason \"the person found a letter\"
  quietus certificate declare 0198a2f3 current --reason \"the letter was of another person\"

The words of a certificate never change. Its status list, which is signed and logged anew at once,
says how it stands, and `quietus verify` fails with a list that says `withdrawn` or `disputed`.
Withdrawn is for good; `quietus certificate correct` then states the case anew.")]
    Declare {
        /// The certificate, the beginning of its identifier, or `latest`.
        certificate: String,
        /// What it is from now on: `withdrawn` (issued in error, for good), `disputed` (contested, and
        /// looked into) or `current` (not contested any more).
        #[arg(value_parser = decision)]
        status: CertificateDecision,
        /// Why; it goes into the sealed evidence. Name no person.
        #[arg(long, value_name = "TEXT")]
        reason: Remark,
        /// Who says so.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// State the case of a withdrawn certificate anew, in a certificate that takes its place.
    #[command(after_help = "Examples:
  quietus certificate declare 0198a2f3 withdrawn --reason \"the connection led to the test database\"
  quietus certificate correct 0198a2f3 --what-was-wrong \"crm was searched in the test database\" --by \"Ada Example\"

Every database of which the case says that it is done is searched once more, as it is connected now,
and the correction says what is there: mend the cause first. Of third parties, and of what failed, it
repeats what is on record, and says so. Nothing is erased by it: what is found to be left is stated as
failed, and goes with the next run or a new request. The correction supersedes the withdrawn one with
the reason `error`; each names the other, and the status list says `superseded`. What was wrong stands
on it in your words, for everybody to read: name no person.")]
    Correct {
        /// The withdrawn certificate, the beginning of its identifier, or `latest`.
        certificate: String,
        /// What was wrong, as it stands on the correction. Name no person.
        #[arg(long, value_name = "TEXT")]
        what_was_wrong: Remark,
        /// A system that nobody can ask any more: the correction says that nobody looked there; may be
        /// given several times.
        #[arg(long, value_name = "SYSTEM")]
        without: Vec<String>,
        /// Who corrects it.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        match &arguments.command {
            Command::List { system, rule, limit } => {
                list(product, system.clone(), rule.clone(), *limit).await?;
            }
            Command::Show { certificate, language } => {
                show(product, certificate, *language).await?;
            }
            Command::Export { certificate, to, language, for_person, by } => {
                let by = for_person.then(|| actor(by));
                export(product, certificate, (to, *language), by).await?;
            }
            Command::Declare { certificate, status, reason, by } => {
                let found = product.find_certificate(certificate).await?;
                product.declare_certificate(found.id, *status, reason.as_str(), &actor(by)).await?;
                say(format!("certificate {} is {status} from now on", found.id));
                say("hand out its newest status list: `quietus certificate export` writes it");
            }
            Command::Correct { certificate, what_was_wrong, without, by } => {
                let correcting = Correcting {
                    what_was_wrong: what_was_wrong.as_str().to_owned(),
                    without: without.iter().cloned().collect(),
                };
                let found = product.find_certificate(certificate).await?;
                let by = actor(by);
                let correct = product.correct_certificate(found.id, &correcting, &by);
                let corrected = Box::pin(correct).await?;
                tell_correction(found.id, &corrected);
            }
        }
        Ok(FINE)
    })
    .await
}

/// Says what came of a correction.
fn tell_correction(earlier: Uuid, corrected: &Corrected) {
    let named = |systems: &[SystemName]| {
        let names: Vec<&str> = systems.iter().map(SystemName::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    say(format!("certificate {} corrects {earlier}", corrected.certificate));
    say(format!("  it says: {}", corrected.overall.as_str()));
    say(format!("  searched again: {}", named(&corrected.looked_again_in)));
    say(format!("  repeated from the record: {}", named(&corrected.on_record_only)));
    say("hand it out to whoever has the earlier one: `quietus certificate export` writes it");
}

/// Reads what a certificate is declared to be.
fn decision(text: &str) -> Result<CertificateDecision, &'static str> {
    CertificateDecision::parse(text).ok_or("write `withdrawn`, `disputed` or `current`")
}

/// Reads the name of a language.
fn language(text: &str) -> Result<Language, String> {
    Language::parse(text).ok_or_else(|| {
        let known: Vec<String> = LANGUAGES.iter().map(|one| format!("`{}`", one.code())).collect();
        format!("certificates are printed in {}", known.join(", "))
    })
}

async fn list(
    product: &Quietus,
    system: Option<String>,
    rule: Option<String>,
    limit: u32,
) -> Result<(), AppError> {
    let filter = CertificateFilter { system, rule, limit, ..CertificateFilter::default() };
    let certificates = product.store.list_certificates(filter).await?;
    if certificates.is_empty() {
        say("no certificate yet: a finished run makes one");
        return Ok(());
    }
    let mut table = new_table(&["certificate", "issued", "says", "state"]);
    for one in certificates {
        table.add_row([
            one.id.to_string(),
            one.issued_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            one.overall.clone(),
            one.state.as_str().to_owned(),
        ]);
    }
    say(table);
    Ok(())
}

async fn show(product: &Quietus, text: &str, language: Option<Language>) -> Result<(), AppError> {
    let found = product.find_certificate(text).await?;
    let printed = product.export_file(found.id, TEXT_NAME, language).await?;
    say(String::from_utf8_lossy(&printed.unwrap_or_default()));
    say(state_in_words(found.state));
    say(status_in_words(product.certificate_status(found.id).await?, found.superseded_by));
    Ok(())
}

/// What became of a certificate.
fn status_in_words(status: CertificateStatus, successor: Option<Uuid>) -> String {
    match (status, successor) {
        (CertificateStatus::Superseded, Some(later)) => {
            format!("status: superseded by certificate {later}")
        }
        (CertificateStatus::Withdrawn, _) => "status: withdrawn, it was issued in error".to_owned(),
        (CertificateStatus::Disputed, _) => "status: disputed, it is looked into".to_owned(),
        _ => "status: current".to_owned(),
    }
}

/// How far a certificate has come, and what that means for whoever relies on it.
fn state_in_words(state: CertificateState) -> &'static str {
    match state {
        CertificateState::Signed => "state: signed; it is not in the log yet",
        CertificateState::Logged => {
            "state: logged; nobody else vouches for when, and that everybody is shown this log"
        }
        CertificateState::Anchored => {
            "state: anchored; `quietus verify` on an export says who vouches for what"
        }
    }
}

/// Writes the auditor's folder, or the person's where somebody hands it out.
async fn export(
    product: &Quietus,
    text: &str,
    (to, language): (&Path, Option<Language>),
    hands_out: Option<Actor>,
) -> Result<(), AppError> {
    let found = product.find_certificate(text).await?;
    let names = match hands_out {
        None => write_export(product, found.id, language, to).await?,
        Some(by) => {
            no_other_copy(to, OPENING_NAME)?;
            let files = product.export_for_person(found.id, language, &by).await?;
            product.advance_log().await?;
            write_files(files, to)?
        }
    };
    say(format!("certificate {} is in {}:", found.id, to.display()));
    for name in names {
        say(format!("  {name}"));
    }
    say(format!("check it: quietus verify {0}    or: sh {0}/verify.sh", to.display()));
    Ok(())
}

/// Writes the folder of a certificate; the names of its files.
///
/// # Errors
/// Where there is no such certificate or the folder cannot be written.
pub async fn write_export(
    product: &Quietus,
    id: Uuid,
    language: Option<Language>,
    to: &Path,
) -> Result<Vec<String>, AppError> {
    let files = product.export_certificate(id, language).await?;
    no_other_copy(to, if files.contains_key(MANIFEST_NAME) { MANIFEST_NAME } else { "" })?;
    write_files(files, to)
}

/// Refuses a folder that has the subject of another copy: an auditor must not be handed whom
/// somebody else's certificate is about, and a person's copy would not verify beside counts.
fn no_other_copy(to: &Path, own: &str) -> Result<(), AppError> {
    let other = [MANIFEST_NAME, OPENING_NAME]
        .into_iter()
        .find(|name| *name != own && to.join(name).exists());
    other.map_or(Ok(()), |name| {
        Err(AppError::Input(format!(
            "`{}` holds another copy with its `{name}`: name another folder",
            to.display()
        )))
    })
}

/// Writes the files of a certificate or of a record's proof into a folder; their names. A person's
/// copy and a record's proof are readable for their owner only.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_files(files: BTreeMap<String, Vec<u8>>, to: &Path) -> Result<Vec<String>, AppError> {
    let refuse = |error: std::io::Error| {
        let why = config::why(&error);
        AppError::Input(format!("`{}` cannot be written: {why}; name another folder", to.display()))
    };
    std::fs::create_dir_all(to).map_err(refuse)?;
    for entry in std::fs::read_dir(to).map_err(refuse)?.flatten() {
        // What somebody vouched for in an earlier export may be more than in this one.
        let name = entry.file_name().to_string_lossy().into_owned();
        let of_others = AnchorFolder::has_name(&name)
            || [STATUS_LIST_NAME, SUCCESSOR_NAME].contains(&name.as_str());
        if of_others && !files.contains_key(&name) {
            std::fs::remove_file(entry.path()).map_err(refuse)?;
        }
    }
    let names_a_person = files.contains_key(OPENING_NAME) || files.contains_key(RECORD_NAME);
    for (name, bytes) in &files {
        let path = to.join(name);
        if names_a_person {
            config::write_private(&path, bytes).map_err(refuse)?;
        } else {
            std::fs::write(path, bytes).map_err(refuse)?;
        }
    }
    if files.is_empty() {
        complain(&"the export is empty");
    }
    Ok(files.into_keys().collect())
}
