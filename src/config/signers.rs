//! Signers somewhere else: commands that sign with keys that this machine does not hold.

use std::path::{Path, PathBuf};

use super::document::InstanceDocument;
use super::problem::Problem;
use super::read::items;

/// Who signs instead of files of the keys folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignersSettings {
    /// For certificates; `None` is `issuer.pem` of the keys folder.
    pub issuer: Option<SignerSettings>,
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
    let issuer = document.signers.as_ref().and_then(|it| it.value.issuer.as_ref());
    let Some(issuer) = issuer.map(|it| &it.value) else { return SignersSettings::default() };
    let command: Vec<String> =
        items(issuer.command.as_ref()).iter().map(|word| word.value.0.clone()).collect();
    if let (true, Some(place)) = (command.is_empty(), &issuer.command) {
        problems.push(
            Problem::error(&place.place, "a signer is a program with its arguments")
                .help("write a list, such as `[/usr/local/bin/sign-certificates]`"),
        );
    }
    let Some(public_key) = issuer.public_key.as_ref().filter(|_| !command.is_empty()) else {
        return SignersSettings::default();
    };
    SignersSettings {
        issuer: Some(SignerSettings {
            command,
            folder: folder.to_owned(),
            public_key: folder.join(&public_key.value.0),
            input: issuer.input.as_ref().map_or_else(SignerInput::default, |it| it.value.0),
        }),
    }
}
