//! Signers somewhere else: commands that sign with keys that this machine does not hold.

use std::path::{Path, PathBuf};

use super::document::InstanceDocument;
use super::document::signers::{SignerDocument, SignersDocument};
use super::problem::{At, Problem};
use super::read::items;

/// Who signs instead of files of the keys folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignersSettings {
    /// For certificates; `None` is `issuer.pem` of the keys folder.
    pub issuer: Option<SignerSettings>,
    /// For trust folders; `None` is `root.pem` of the keys folder.
    pub root: Option<SignerSettings>,
}

/// A command that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerSettings {
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// Where it is started: the instance's folder.
    pub folder: PathBuf,
    /// The PEM file of the public key that it signs with.
    pub public_key: PathBuf,
    /// What it is given.
    pub input: SignerInput,
}

/// What a signer is given on its standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SignerInput {
    /// The message, which it hashes itself.
    #[default]
    Message,
    /// The 32 bytes of the message's SHA-256.
    Digest,
}

/// The signers of an instance file.
pub(super) fn compile(
    document: &InstanceDocument,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> SignersSettings {
    let Some(signers) = &document.signers else { return SignersSettings::default() };
    let mut one = |signer: Option<&At<SignerDocument>>| {
        signer.and_then(|signer| compile_one(&signer.value, folder, problems))
    };
    let SignersDocument { issuer, root, .. } = &signers.value;
    SignersSettings { issuer: one(issuer.as_ref()), root: one(root.as_ref()) }
}

fn compile_one(
    signer: &SignerDocument,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<SignerSettings> {
    let command: Vec<String> =
        items(signer.command.as_ref()).iter().map(|word| word.value.0.clone()).collect();
    if let (true, Some(place)) = (command.is_empty(), &signer.command) {
        problems.push(
            Problem::error(&place.place, "a signer is a program with its arguments")
                .help("write a list, such as `[/usr/local/bin/sign-certificates]`"),
        );
    }
    let public_key = signer.public_key.as_ref().filter(|_| !command.is_empty())?;
    Some(SignerSettings {
        command,
        folder: folder.to_owned(),
        public_key: folder.join(&public_key.value.0),
        input: signer.input.as_ref().map_or_else(SignerInput::default, |it| it.value.0),
    })
}
