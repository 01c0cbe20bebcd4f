//! `quietus certificate`: list, show, export.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::FINE;
use super::opening::{complain, say, with_product};
use super::plan_text::new_table;
use crate::app::{AppError, Quietus};
use crate::config;
use crate::store::CertificateFilter;

/// List, show and export certificates.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus certificate list --system billing
  quietus certificate show latest
  quietus certificate export latest --to certificate/
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
  quietus certificate show 0198a2f3")]
    Show {
        /// The certificate, the beginning of its identifier, or `latest`.
        certificate: String,
    },
    /// Write the folder that an auditor receives.
    #[command(after_help = "Example:
  quietus certificate export latest --to certificate/")]
    Export {
        /// The certificate, the beginning of its identifier, or `latest`.
        certificate: String,
        /// The folder; it is made if it is missing.
        #[arg(long, value_name = "FOLDER", default_value = "certificate")]
        to: PathBuf,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        match &arguments.command {
            Command::List { system, rule, limit } => {
                list(product, system.clone(), rule.clone(), *limit).await?;
            }
            Command::Show { certificate } => show(product, certificate).await?,
            Command::Export { certificate, to } => export(product, certificate, to).await?,
        }
        Ok(FINE)
    })
    .await
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

async fn show(product: &Quietus, text: &str) -> Result<(), AppError> {
    let found = product.find_certificate(text).await?;
    let files = product.export_certificate(found.id).await?;
    let printed = files.get("certificate.txt").cloned().unwrap_or_default();
    say(String::from_utf8_lossy(&printed));
    Ok(())
}

async fn export(product: &Quietus, text: &str, to: &Path) -> Result<(), AppError> {
    let found = product.find_certificate(text).await?;
    let names = write_export(product, found.id, to).await?;
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
    id: uuid::Uuid,
    to: &Path,
) -> Result<Vec<String>, AppError> {
    write_files(product.export_certificate(id).await?, to)
}

/// Writes the files of a certificate into a folder; their names.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_files(files: BTreeMap<String, Vec<u8>>, to: &Path) -> Result<Vec<String>, AppError> {
    let refuse = |error: std::io::Error| {
        let why = config::why(&error);
        AppError::Input(format!("`{}` cannot be written: {why}; name another folder", to.display()))
    };
    std::fs::create_dir_all(to).map_err(refuse)?;
    for (name, bytes) in &files {
        std::fs::write(to.join(name), bytes).map_err(refuse)?;
    }
    if files.is_empty() {
        complain(&"the export is empty");
    }
    Ok(files.into_keys().collect())
}
