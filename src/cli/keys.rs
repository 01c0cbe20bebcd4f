//! `quietus keys`: list keys, put new ones in place, end epochs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::opening::{GOOD, WARN, fail, load, number, read_moment, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::key_care::EpochEnd;
use crate::app::trust::TrustFolder;
use crate::app::{AppError, Quietus, token};
use crate::config::{self, SignerSettings};
use crate::domain::{Digest, EpochName, Remark};
use crate::evidence::export::{ISSUER_KEY_NAME, TRUSTED_ROOT_NAME};
use crate::evidence::trust_folder::{TRUST_MANIFEST_NAME, grouped, names_of};
use crate::store::KeyEpoch;

/// List and end the keys of this instance.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus keys list
  quietus keys generate issuer      in a token
  quietus keys rotate issuer --reason \"yearly\"
  quietus keys trust --to from-the-contract/
  quietus keys destroy-epoch 2026-10")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the keys of this instance and how long they last.
    #[command(after_help = "Example:
  quietus keys list")]
    List,
    /// Put a new key in the place of one that signs.
    #[command(after_help = "Example:
  quietus keys rotate issuer --reason \"yearly\" --by \"Ada Example\"

Certificates are signed with the new key from then on. What the earlier one has signed verifies and is
handed out as before, with its own public key; its private key is destroyed. With a signer elsewhere
(`signers` in `quietus.yaml`) give it the new key first; this command then puts it in place. In a token
behind PKCS#11 that is another `key` in the instance file, and `quietus keys generate issuer`; what
earlier certificates need of the earlier one is on record, and you may delete it from the token.")]
    Rotate {
        /// Which key.
        #[arg(value_enum)]
        key: Rotatable,
        /// Why, as it stands in evidence.
        #[arg(long, value_name = "WHY", default_value = "its time is over")]
        reason: Remark,
        /// Who does it, as it stands in evidence.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Make a key in the token that the instance file names, which it never leaves.
    #[command(after_help = "Example:
  quietus keys generate issuer

with, in `quietus.yaml`:
  signers:
    issuer:
      pkcs11:
        module: /usr/lib/softhsm/libsofthsm2.so
        token: quietus
        key: certificates-2027
        pin: env:QUIETUS_PIN

The token makes a P-256 key of that label (and `id`) that cannot be read out, and no key is ever written
over. The token itself has to be there: `softhsm2-util --init-token`, or what its maker has for it. The
first key of an instance is in use from its first run on; one that takes another's place is put there
with `quietus keys rotate issuer`. Keys that other tools made there serve as well, such as by
`pkcs11-tool --keypairgen --key-type EC:prime256v1`.")]
    Generate {
        /// Which key.
        #[arg(value_enum)]
        key: InToken,
    },
    /// Write the folder with which auditors check all certificates of this instance.
    #[command(after_help = "Examples:
  quietus keys trust --to from-the-contract/
  quietus verify --trust from-the-contract/

It has `trusted_root.json` (the logs and who stamps them), `policy.tlog` (which witnesses have to have
signed), the keys of the issuer of all times, of all logs and of the authorities, and a README. All of it
is signed with a root key that signs nothing else (`keys/root.pem`, made when it is first needed, or
`signers: {root: ...}` in `quietus.yaml`). The fingerprint of that key, which is printed, belongs into a
contract or another paper that auditors have: with it they check the folder, however they got it. Write
the folder anew after a rotation and when a year's log begins; the fingerprint stays.")]
    Trust {
        /// The folder: a new or an empty one, or one that was written so before.
        #[arg(long, value_name = "FOLDER", visible_alias = "out")]
        to: PathBuf,
    },
    /// Put on record that a key may have been in other hands.
    #[command(after_help = "Example:
  quietus keys compromise 3f9a2c --since 2027-01-15 --reason \"a stolen machine\"

A key in use is replaced first: `quietus keys rotate issuer`. What was signed before that moment stands;
what was signed since is only as good as its place in the log.")]
    Compromise {
        /// The beginning of the key's digest, as `quietus keys list` shows it.
        #[arg(value_name = "DIGEST")]
        key: String,
        /// Since when: a day or an instant.
        #[arg(long, value_name = "DAY OR INSTANT")]
        since: String,
        /// Why, as it stands in evidence.
        #[arg(long, value_name = "WHY")]
        reason: Remark,
        /// Who says so, as it stands in evidence.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Destroy the key of a month: what was shredded is then gone from every copy of the database.
    #[command(after_help = "Examples:
  quietus keys destroy-epoch 2026-10
  quietus keys destroy-epoch 2026-10 --early --by \"Ada Example\"

All that lives is wrapped anew with the newest key first. The key is destroyed once copies of the
database from before are gone (`evidence: {copies_for: P35D}`); `quietus run` does so by itself. With
`--early` such a copy can be restored, but nothing in it that was sealed in that month can be read.
Copies of the keys folder are yours to destroy.")]
    DestroyEpoch {
        /// The month, such as `2026-10`.
        #[arg(value_name = "MONTH", value_parser = read_epoch)]
        epoch: EpochName,
        /// Do not wait until copies of the database from before are gone.
        #[arg(long)]
        early: bool,
        /// Who does it, as it stands in evidence.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
}

/// A key that signs and can be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rotatable {
    /// Signs certificates.
    Issuer,
}

/// A key that can be held in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InToken {
    /// Signs certificates.
    Issuer,
    /// Signs the folders that auditors check with.
    Root,
}

fn read_epoch(text: &str) -> Result<EpochName, &'static str> {
    EpochName::parse(text).ok_or("write a month, such as `2026-10`")
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    // Before there is a key, there is nothing to open.
    if let Command::Generate { key } = arguments.command {
        return generate(folder, key).unwrap_or_else(|code| code);
    }
    with_product(folder, async |product| match &arguments.command {
        Command::Generate { .. } => Ok(FINE),
        Command::List => list(product).await,
        Command::Rotate { key: Rotatable::Issuer, reason, by } => {
            let rotated = product.rotate_issuer(reason.as_str(), &actor(by)).await?;
            product.advance_log().await?;
            say(format!(
                "{GOOD}rotated{GOOD:#}: {} signs certificates from now on, {} no longer; give auditors what `quietus keys trust` writes",
                rotated.to.short(),
                rotated.from.short()
            ));
            Ok(FINE)
        }
        Command::Trust { to } => {
            let earlier = earlier_files(to)?;
            let trust = product.trust_folder().await?;
            write_trust(&trust, &earlier, to)?;
            tell_trust(&trust);
            // That a root key came into use need not wait for the next run to be in the log.
            if trust.is_first {
                product.advance_log().await?;
            }
            Ok(FINE)
        }
        Command::Compromise { key, since, reason, by } => {
            let since = read_moment(since, product.zone())?;
            let said = (reason.as_str(), &actor(by));
            let key = product.compromise_issuer(key, since, said).await?;
            product.advance_log().await?;
            say(format!("on record: {} may have been in other hands since {since}", key.id.short()));
            Ok(FINE)
        }
        Command::DestroyEpoch { epoch, early, by } => {
            let ended = product.end_epoch(epoch, *early, &actor(by)).await?;
            product.advance_log().await?;
            Ok(tell_end(epoch, ended))
        }
    })
    .await
}

/// Makes a key in a token.
fn generate(folder: &Path, key: InToken) -> Result<u8, u8> {
    let signers = load(folder)?.instance.signers;
    let (signer, name) = match key {
        InToken::Issuer => (signers.issuer, "issuer"),
        InToken::Root => (signers.root, "root"),
    };
    let Some(SignerSettings::Token(settings)) = signer else {
        return Err(fail(&AppError::Input(format!(
            "`quietus.yaml` names no token for it: write `signers: {{{name}: {{pkcs11: …}}}}`; `quietus keys generate --help` shows one"
        ))));
    };
    let made = token::generate(&settings).map_err(|error| fail(&error))?;
    say(format!("{GOOD}made{GOOD:#}: the {}, SHA-256 {}", made.place, made.id));
    say(made.public.trim_end());
    if key == InToken::Issuer {
        say(
            "where another key signs certificates now, put this one in its place: quietus keys rotate issuer",
        );
    }
    Ok(FINE)
}

/// What an earlier trust folder has left at a place. A folder with anything else is refused, because a
/// verifier refuses it too.
fn earlier_files(to: &Path) -> Result<Vec<String>, AppError> {
    let manifest = std::fs::read(to.join(TRUST_MANIFEST_NAME)).unwrap_or_default();
    let named = names_of(&manifest);
    let before_manifests = [TRUST_MANIFEST_NAME, TRUSTED_ROOT_NAME, ISSUER_KEY_NAME];
    let entries = match std::fs::read_dir(to) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unwritable(to, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unwritable(to, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !named.contains(&name) && !before_manifests.contains(&name.as_str()) {
            return Err(AppError::Input(format!(
                "`{}` is not part of a trust folder, and auditors would be told so: name a new or an empty folder",
                to.join(name).display()
            )));
        }
        found.push(name);
    }
    Ok(found)
}

fn unwritable(to: &Path, error: &std::io::Error) -> AppError {
    let why = config::why(error);
    AppError::Input(format!("`{}` cannot be written: {why}; name another folder", to.display()))
}

/// Writes a trust folder in the place of an earlier one.
fn write_trust(trust: &TrustFolder, earlier: &[String], to: &Path) -> Result<(), AppError> {
    let refuse = |error: std::io::Error| unwritable(to, &error);
    std::fs::create_dir_all(to).map_err(refuse)?;
    for name in earlier.iter().filter(|&name| !trust.files.contains_key(name)) {
        std::fs::remove_file(to.join(name)).map_err(refuse)?;
    }
    for (name, bytes) in &trust.files {
        std::fs::write(to.join(name), bytes).map_err(refuse)?;
    }
    Ok(())
}

fn tell_trust(trust: &TrustFolder) {
    for (name, bytes) in &trust.files {
        say(format!("{}  {name}", Digest::of(bytes)));
    }
    if trust.is_first {
        say(
            "\nthe root key signs for the first time: keep a copy of it, apart from those of the database",
        );
    }
    say(format!(
        "\nfingerprint of the root key, for contracts:\n{GOOD}{}{GOOD:#}",
        grouped(&trust.fingerprint)
    ));
}

fn tell_end(epoch: &EpochName, ended: EpochEnd) -> u8 {
    match ended {
        EpochEnd::Destroyed => {
            say(format!("{GOOD}destroyed{GOOD:#}: the key of epoch {epoch}"));
            FINE
        }
        EpochEnd::Left { rewrapped, destroy_from } => {
            say(format!(
                "{} key(s) are wrapped anew, and nothing needs the key of epoch {epoch} but copies of the database from before: destroy it from {} on, or with `--early`",
                number(rewrapped),
                day(destroy_from)
            ));
            NOT_DONE
        }
    }
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

async fn list(product: &Quietus) -> Result<u8, AppError> {
    let mut table = new_table(&["issuer", "from", "until", "state"]);
    for key in product.store.issuer_keys().await? {
        let state = match (key.compromised_since, key.retired_at) {
            (Some(since), _) => format!("compromised since {since}"),
            (None, Some(_)) => "retired".to_owned(),
            (None, None) => "in use".to_owned(),
        };
        let until = key.retired_at.map(day).unwrap_or_default();
        table.add_row([key.id.to_string(), day(key.added_at), until, state]);
    }
    say(table);
    if let Some(signer) = &product.instance.signers.issuer {
        say(match signer {
            SignerSettings::Token(token) => format!("the {} signs certificates", token.place),
            SignerSettings::Command(it) => format!("`{}` signs certificates", it.command[0]),
        });
        if let Err(error) = product.signer_is_there() {
            say(format!("{WARN}it is not there{WARN:#}: {error}"));
        }
    }
    let mut table = new_table(&["epoch", "begun", "wraps", "state"]);
    let epochs = product.store.key_epochs().await?;
    for epoch in &epochs {
        let wraps = format!(
            "{} case key(s), {} request key(s)",
            number(epoch.data_keys),
            number(epoch.request_keys)
        );
        let is_newest = epochs.last() == Some(epoch);
        let state = if is_newest { "in use".to_owned() } else { state_of(product, epoch) };
        table.add_row([epoch.name.to_string(), day(epoch.begun_at), wraps, state]);
    }
    say(table);
    Ok(FINE)
}

/// How far the end of an epoch has come that is over.
fn state_of(product: &Quietus, epoch: &KeyEpoch) -> String {
    match (epoch.destroyed_at, epoch.left_at) {
        (Some(at), _) => format!("destroyed {}", day(at)),
        (None, Some(left_at)) => {
            format!("left, to be destroyed from {} on", day(product.copies_end(left_at)))
        }
        (None, None) => "over, and still needed".to_owned(),
    }
}
