//! A signer somewhere else, with a key that this machine does not hold: a token behind PKCS#11, or a
//! command that speaks to a KMS, an HSM or a card. What it gives back is believed only if it verifies
//! with its public key.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{AppError, token};
use crate::config::{CommandSettings, SignerInput, SignerSettings};
use crate::domain::Digest;
use crate::evidence::{IssuerKey, IssuerPublicKey};

/// How long a signer may take.
const LONGEST: Duration = Duration::from_secs(30);
/// Time between two looks whether it is done.
const PAUSE: Duration = Duration::from_millis(10);
/// No signature of ECDSA P-256 in DER is longer, in bytes.
const MOST_BYTES: u64 = 80;

/// A key behind a signer.
///
/// # Errors
/// Where its public half cannot be read.
pub(super) fn key_of(settings: &SignerSettings) -> Result<IssuerKey, AppError> {
    match settings {
        SignerSettings::Command(settings) => of_command(settings),
        SignerSettings::Token(settings) => token::key_of(settings),
    }
}

fn of_command(settings: &CommandSettings) -> Result<IssuerKey, AppError> {
    let wrong = |why: &str| {
        AppError::Secret(format!(
            "the public key `{}` of the signer {why}: give the PEM file of a P-256 key",
            settings.public_key.display()
        ))
    };
    let text = std::fs::read_to_string(&settings.public_key)
        .map_err(|error| wrong(&format!("cannot be read ({})", error.kind())))?;
    let public = IssuerPublicKey::from_pem(&text).ok_or_else(|| wrong("is no P-256 key"))?;
    let settings = settings.clone();
    let sign = move |message: &[u8]| {
        in_place(|| ask(&settings, message)).map_err(|why| {
            tracing::error!(command = settings.command[0], why, "the signer gave no signature");
        })
    };
    Ok(IssuerKey::elsewhere(public, Arc::new(sign)))
}

/// A signature takes as long as the signer does: others go on meanwhile where they can.
pub(super) fn in_place<T>(work: impl FnOnce() -> T) -> T {
    let many = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if many { tokio::task::block_in_place(work) } else { work() }
}

fn ask(settings: &CommandSettings, message: &[u8]) -> Result<Vec<u8>, String> {
    let input = match settings.input {
        SignerInput::Message => message.to_vec(),
        SignerInput::Digest => Digest::of(message).0.to_vec(),
    };
    let mut command = Command::new(&settings.command[0]);
    command.args(&settings.command[1..]).current_dir(&settings.folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| error.kind().to_string())?;
    let fed = child.stdin.take();
    // By itself, so that a signer that reads nothing is waited for no longer than any other.
    let fed = std::thread::spawn(move || fed.is_some_and(|mut fed| fed.write_all(&input).is_ok()));
    let output = child.stdout.take();
    let read = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.map(|output| output.take(MOST_BYTES + 1).read_to_end(&mut bytes));
        read.is_some_and(|read| read.is_ok()).then_some(bytes)
    });
    wait(&mut child)?;
    if !fed.join().unwrap_or_default() {
        return Err("it did not read what to sign".to_owned());
    }
    let signature = read.join().ok().flatten().unwrap_or_default();
    if signature.is_empty() || signature.len() as u64 > MOST_BYTES {
        return Err("it gave no DER signature of ECDSA P-256".to_owned());
    }
    Ok(signature)
}

fn wait(child: &mut Child) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("it ended with {status}")),
            Ok(None) if begun.elapsed() < LONGEST => std::thread::sleep(PAUSE),
            Ok(None) => {
                child.kill().map_err(|error| error.kind().to_string())?;
                child.wait().map_err(|error| error.kind().to_string())?;
                return Err(format!("it took longer than {} seconds", LONGEST.as_secs()));
            }
            Err(error) => return Err(error.kind().to_string()),
        }
    }
}
