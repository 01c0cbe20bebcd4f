//! Signers somewhere else: tokens and commands that sign with keys that this machine does not hold.

use std::path::{Path, PathBuf};

use super::document::InstanceDocument;
use super::document::signers::{Pkcs11Document, SignerDocument, SignersDocument};
use super::problem::{At, Place, Problem};
use super::read::items;
use crate::datamap::SecretReference;
use crate::pkcs11::{KeyName, KeyPlace, TokenFault, TokenName};

/// Who signs instead of files of the keys folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignersSettings {
    /// For certificates; `None` is `issuer.pem` of the keys folder.
    pub issuer: Option<SignerSettings>,
    /// For trust folders; `None` is `root.pem` of the keys folder.
    pub root: Option<SignerSettings>,
}

/// A signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerSettings {
    /// A command.
    Command(CommandSettings),
    /// A token behind PKCS#11.
    Token(Box<TokenSettings>),
}

/// A command that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// Where it is started: the instance's folder.
    pub folder: PathBuf,
    /// The PEM file of the public key that it signs with.
    pub public_key: PathBuf,
    /// What it is given.
    pub input: SignerInput,
}

/// A key in a token that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Where the key is.
    pub place: KeyPlace,
    /// Where its PIN is found, read each time that somebody logs in.
    pub pin: SecretReference,
    /// Where relative paths start: the instance's folder.
    pub folder: PathBuf,
    /// Where it is written.
    written: Written,
}

/// Places in the instance file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    module: Place,
    token: Place,
    key: Place,
    pin: Place,
}

impl TokenSettings {
    /// What a fault comes from: the file, the line and what is wrong there.
    pub fn told(&self, fault: &TokenFault) -> String {
        let Written { module, token, key, pin } = &self.written;
        let place = match fault {
            TokenFault::Module { .. } | TokenFault::NotBegun { .. } => module,
            TokenFault::NoKey { .. }
            | TokenFault::SeveralKeys { .. }
            | TokenFault::Exists { .. }
            | TokenFault::WrongKey(_) => key,
            TokenFault::NoPin(_)
            | TokenFault::WrongPin(_)
            | TokenFault::WrongPinBefore(_)
            | TokenFault::LastTry(_)
            | TokenFault::Locked(_) => pin,
            TokenFault::NoToken { .. }
            | TokenFault::SeveralTokens(_)
            | TokenFault::NoLogin { .. }
            | TokenFault::Silent
            | TokenFault::Refused(_) => token,
        };
        format!("{}:{}: {fault}", place.file, place.span.line)
    }
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
        signer.and_then(|signer| compile_one(signer, folder, problems))
    };
    let SignersDocument { issuer, root, .. } = &signers.value;
    SignersSettings { issuer: one(issuer.as_ref()), root: one(root.as_ref()) }
}

fn compile_one(
    at: &At<SignerDocument>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<SignerSettings> {
    let signer = &at.value;
    let of_command = ["command", "public_key", "input"];
    let given = |name: &&str| signer.gives(name);
    match (signer.gives("pkcs11"), of_command.iter().find(|name| given(name))) {
        (true, Some(other)) => {
            problems.push(
                Problem::error(&at.place, format!("`pkcs11` and `{other}` do not go together"))
                    .help("a token tells its public key itself: write `pkcs11` alone, or `command` with `public_key`"),
            );
            None
        }
        (true, None) => {
            let token = &signer.pkcs11.as_ref()?.value;
            token_of(token, &signer.pkcs11.as_ref()?.place, folder, problems)
                .map(|token| SignerSettings::Token(Box::new(token)))
        }
        (false, _) => command_of(at, folder, problems).map(SignerSettings::Command),
    }
}

fn command_of(
    at: &At<SignerDocument>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<CommandSettings> {
    let signer = &at.value;
    let command: Vec<String> =
        items(signer.command.as_ref()).iter().map(|word| word.value.0.clone()).collect();
    if let (true, Some(place)) = (command.is_empty(), &signer.command) {
        problems.push(
            Problem::error(&place.place, "a signer is a program with its arguments")
                .help("write a list, such as `[/usr/local/bin/sign-certificates]`"),
        );
    }
    for needed in ["command", "public_key"] {
        if !signer.gives(needed) {
            problems.push(
                Problem::error(&at.place, format!("`{needed}` is missing"))
                    .help("write `pkcs11`, or `command` with `public_key`"),
            );
        }
    }
    let public_key = signer.public_key.as_ref().filter(|_| !command.is_empty())?;
    Some(CommandSettings {
        command,
        folder: folder.to_owned(),
        public_key: folder.join(&public_key.value.0),
        input: signer.input.as_ref().map_or_else(SignerInput::default, |it| it.value.0),
    })
}

/// Which token, and where that is written.
fn token_name(
    document: &Pkcs11Document,
    whole: &Place,
    problems: &mut Vec<Problem>,
) -> (Option<TokenName>, Place) {
    match (&document.token, &document.serial) {
        (Some(label), None) => (Some(TokenName::Label(label.value.0.clone())), label.place.clone()),
        (None, Some(serial)) => {
            (Some(TokenName::Serial(serial.value.0.clone())), serial.place.clone())
        }
        (Some(label), Some(_)) => {
            problems.push(
                Problem::error(
                    &label.place,
                    "a token is named by its label or by its serial number",
                )
                .help("write `token` or `serial`, not both"),
            );
            (None, label.place.clone())
        }
        (None, None) => {
            if !document.gives("token") && !document.gives("serial") {
                problems.push(Problem::error(whole, "it does not say which token").help(
                    "write `token` and its label, as `pkcs11-tool --list-token-slots` shows it",
                ));
            }
            (None, whole.clone())
        }
    }
}

fn token_of(
    document: &Pkcs11Document,
    whole: &Place,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<TokenSettings> {
    let (token, token_place) = token_name(document, whole, problems);
    let id = document.id.as_ref().map(|id| (id, hex::decode(&id.value.0)));
    if let Some((at, Err(_))) = &id {
        problems.push(
            Problem::error(&at.place, "an identifier of a key is written in hexadecimal")
                .help("write an even number of digits, such as `01`"),
        );
        return None;
    }
    let key_place = document.key.as_ref().map(|key| &key.place);
    let key_place = key_place.or(document.id.as_ref().map(|id| &id.place)).unwrap_or(whole);
    if !document.gives("key") && !document.gives("id") {
        problems.push(
            Problem::error(whole, "it does not say which key of the token")
                .help("write `key` and its label, or `id` and its identifier"),
        );
        return None;
    }
    let pin = document.pin.as_ref()?;
    if let SecretReference::Plain(_) = pin.value.0 {
        problems.push(
            Problem::error(&pin.place, "a PIN never stands in this file")
                .help("write `env:NAME` or `file:PATH`")
                .secret(),
        );
    }
    let module = document.module.as_ref()?;
    Some(TokenSettings {
        place: KeyPlace {
            module: folder.join(&module.value.0),
            token: token?,
            key: KeyName {
                label: document.key.as_ref().map(|key| key.value.0.clone()),
                id: id.and_then(|(_, bytes)| bytes.ok()),
            },
        },
        pin: pin.value.0.clone(),
        folder: folder.to_owned(),
        written: Written {
            module: module.place.clone(),
            token: token_place,
            key: key_place.clone(),
            pin: pin.place.clone(),
        },
    })
}
