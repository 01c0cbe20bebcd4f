//! Secrets: read late, from the environment or from files that only their owner may read.
//!
//! No message repeats a secret or a URL. `check` never comes here.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};

use super::instance::{Instance, Token};
use crate::datamap::SecretReference;
use crate::domain::Digest;

/// No secret file is larger than this, in bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// A token that is shorter can be guessed.
pub const LEAST_TOKEN_CHARACTERS: usize = 32;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set, is empty or is no UTF-8.
    #[error("the environment variable `{0}` is not set; set it where quietus is started")]
    Environment(String),
    /// The file cannot be read.
    #[error("the secret file `{path}` cannot be read; create it and make it readable for quietus")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is empty, too large or no text.
    #[error("the secret file `{path}` {why}; write the secret on its first line")]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Others may read the file.
    #[error("others may read the secret file `{path}`; run `chmod 600 {path}`")]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// The token can be guessed.
    #[error("the token `{0}` is shorter than 32 characters; use 32 random bytes in hexadecimal")]
    Short(String),
    /// Two holders have the same token.
    #[error("`{0}` and `{1}` have the same token; give each its own")]
    Same(String, String),
}

impl SecretReference {
    /// Reads the whole text of a secret that has several lines, such as a key as PEM.
    ///
    /// # Errors
    /// As [`SecretReference::resolve`].
    pub fn resolve_whole(&self, folder: &Path) -> Result<SecretString, SecretError> {
        match self {
            Self::File(path) => read_whole(&folder.join(path)).map(SecretString::from),
            Self::Environment(_) | Self::Plain(_) => self.resolve(folder),
        }
    }

    /// Reads the secret; relative paths start in the instance's folder.
    ///
    /// # Errors
    /// Where it is not there, or where others may read its file.
    pub fn resolve(&self, folder: &Path) -> Result<SecretString, SecretError> {
        match self {
            Self::Environment(name) => environment(name),
            Self::File(path) => read_file(&folder.join(path)),
            Self::Plain(url) => Ok(SecretString::from(absolute(url, folder))),
        }
    }
}

fn environment(name: &str) -> Result<SecretString, SecretError> {
    #[expect(clippy::disallowed_methods, reason = "the room that reads the environment")]
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.map(SecretString::from).ok_or_else(|| SecretError::Environment(name.to_owned()))
}

fn read_whole(path: &Path) -> Result<String, SecretError> {
    let fault = |source| SecretError::File { path: path.to_owned(), source };
    let refuse = |why| SecretError::Content { path: path.to_owned(), why };
    let file = std::fs::File::open(path).map_err(fault)?;
    // The open file is asked, not its name, so that nobody can swap it in between.
    if others_may_read(&file).map_err(fault)? {
        return Err(SecretError::Permissions { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(fault)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(refuse("is larger than 64 KiB"));
    }
    Ok(text)
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let refuse = |why| SecretError::Content { path: path.to_owned(), why };
    let text = read_whole(path)?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(SecretString::from(line.to_owned())),
        None => Err(refuse("has no first line")),
    }
}

/// Whether anybody but the owner has a permission on the file.
#[cfg(unix)]
pub(super) fn others_may_read(file: &std::fs::File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

/// Other systems keep permissions elsewhere; their administrators answer for them.
#[cfg(not(unix))]
pub(super) fn others_may_read(_: &std::fs::File) -> std::io::Result<bool> {
    Ok(false)
}

/// `sqlite:data/crm.db` from the instance's folder; other URLs as they are.
fn absolute(url: &str, folder: &Path) -> String {
    let Some(rest) = url.strip_prefix("sqlite:") else { return url.to_owned() };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.starts_with(':') {
        return url.to_owned();
    }
    format!("sqlite://{}", folder.join(path).display())
}

/// A token as the instance keeps it in memory: its digest.
#[derive(Debug, Clone)]
pub struct KnownToken {
    /// Who holds it and what they may do.
    pub token: Token,
    digest: Digest,
}

impl KnownToken {
    /// Whether this is the token; takes the same time whatever was presented.
    pub fn matches(&self, presented: &str) -> bool {
        same(&self.digest, presented)
    }
}

/// The credential of a controller that asks over `OpenDSR`, kept as its digest.
#[derive(Debug, Clone)]
pub struct KnownController {
    /// The controller's name with us.
    pub id: String,
    digest: Digest,
}

impl KnownController {
    /// Whether this is the credential; takes the same time whatever was presented.
    pub fn matches(&self, presented: &str) -> bool {
        same(&self.digest, presented)
    }
}

fn same(digest: &Digest, presented: &str) -> bool {
    verify_slices_are_equal(&Digest::of(presented.as_bytes()).0, &digest.0).is_ok()
}

/// Reads all tokens of an instance.
///
/// # Errors
/// Where one is not there, is too short, or is another's too.
pub fn tokens(instance: &Instance) -> Result<Vec<KnownToken>, SecretError> {
    let mut known: Vec<KnownToken> = Vec::new();
    for token in &instance.tokens {
        let taken = known.iter().map(|other| (other.token.name.as_str(), other.digest));
        let digest = read_token(instance, (&token.name, &token.secret), taken)?;
        known.push(KnownToken { token: token.clone(), digest });
    }
    Ok(known)
}

/// Reads the credentials of all controllers that ask over `OpenDSR`.
///
/// # Errors
/// Where one is not there, is too short, or is another's too, tokens included.
pub fn controllers(
    instance: &Instance,
    tokens: &[KnownToken],
) -> Result<Vec<KnownController>, SecretError> {
    let mut known: Vec<KnownController> = Vec::new();
    for one in instance.opendsr.iter().flat_map(|settings| &settings.controllers) {
        let others = known.iter().map(|other| (other.id.as_str(), other.digest));
        let taken = tokens.iter().map(|other| (other.token.name.as_str(), other.digest));
        let digest = read_token(instance, (&one.id, &one.secret), taken.chain(others))?;
        known.push(KnownController { id: one.id.clone(), digest });
    }
    Ok(known)
}

fn read_token<'a>(
    instance: &Instance,
    (name, reference): (&str, &SecretReference),
    taken: impl Iterator<Item = (&'a str, Digest)>,
) -> Result<Digest, SecretError> {
    let secret = reference.resolve(&instance.folder)?;
    if secret.expose_secret().chars().count() < LEAST_TOKEN_CHARACTERS {
        return Err(SecretError::Short(name.to_owned()));
    }
    let mut taken = taken;
    if let Some((other, _)) = taken.find(|(_, digest)| same(digest, secret.expose_secret())) {
        return Err(SecretError::Same(other.to_owned(), name.to_owned()));
    }
    Ok(Digest::of(secret.expose_secret().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let reference = SecretReference::File("token".into());
        assert!(matches!(reference.resolve(folder.path()), Err(SecretError::File { .. })));
        std::fs::write(&path, "open sesame\nsecond line\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = reference.resolve(folder.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("sesame"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(reference.resolve(folder.path()).unwrap().expose_secret(), "open sesame");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(reference.resolve(folder.path()), Err(SecretError::Content { .. })));
    }

    #[test]
    fn plain_sqlite_urls_start_in_the_folder() {
        let plain = |url: &str| {
            let reference = SecretReference::Plain(url.to_owned());
            reference.resolve(Path::new("/srv/q")).unwrap().expose_secret().to_owned()
        };
        assert_eq!(plain("sqlite:data/a.db?mode=ro"), "sqlite:///srv/q/data/a.db?mode=ro");
        assert_eq!(plain("sqlite:///var/a.db"), "sqlite:///var/a.db");
        assert_eq!(plain("sqlite::memory:"), "sqlite::memory:");
        assert_eq!(plain("postgres://localhost/a"), "postgres://localhost/a");
    }

    #[test]
    fn an_unset_variable_is_named() {
        let reference = SecretReference::Environment("QUIETUS_NOT_SET_ANYWHERE".to_owned());
        let error = reference.resolve(Path::new(".")).unwrap_err();
        assert!(error.to_string().contains("`QUIETUS_NOT_SET_ANYWHERE`"));
    }

    #[test]
    fn tokens_are_compared_by_digest() {
        let token = Token {
            name: "audit".to_owned(),
            role: super::super::instance::TokenRole::Auditor,
            secret: SecretReference::Environment("X".to_owned()),
        };
        let known = KnownToken { token, digest: Digest::of(b"a token of many characters") };
        assert!(known.matches("a token of many characters"));
        assert!(!known.matches("a token of many character"));
        assert!(!known.matches(""));
    }
}
