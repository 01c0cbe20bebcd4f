//! What a person is known by, as it is typed or read from a file. It does not print, and no message
//! repeats it.

use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use crate::app::AppError;
use crate::config;

/// Largest file of identities or of an address, in bytes.
const LARGEST_FILE: u64 = 64 * 1024;

/// `type=value` or `field=value`, as it was typed.
#[derive(Clone)]
pub struct Given(String);

impl std::fmt::Debug for Given {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Given")
    }
}

impl Given {
    /// What was typed.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for Given {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Identities that were typed, and those of a file (`-` is standard input).
///
/// # Errors
/// Where one is no pair, or the file cannot be read.
pub fn read_identities(
    typed: &[Given],
    file: Option<&Path>,
) -> Result<Vec<(String, String)>, AppError> {
    let mut found = typed.iter().map(|given| pair(&given.0)).collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = file {
        for line in read(path, "one `type=value` a line")?.lines() {
            if !line.trim().is_empty() {
                found.push(pair(line)?);
            }
        }
    }
    Ok(found)
}

/// The key fields of a record from a file (`-` is standard input), one `field=value` a line.
///
/// # Errors
/// Where it cannot be read.
pub fn read_key_lines(path: &Path) -> Result<Vec<String>, AppError> {
    let text = read(path, "one `field=value` a line")?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// Where letters go, from a file (`-` is standard input).
///
/// # Errors
/// Where it cannot be read.
pub fn read_contact(path: &Path) -> Result<String, AppError> {
    read(path, "the address for letters")
}

fn pair(text: &str) -> Result<(String, String), AppError> {
    let parts = text.split_once('=').map(|(kind, value)| (kind.trim(), value));
    match parts {
        Some((kind, value)) if !kind.is_empty() => Ok((kind.to_owned(), value.to_owned())),
        _ => Err(AppError::Input(
            "write what the person is known by as `type=value`, such as `customer_id=4711`"
                .to_owned(),
        )),
    }
}

fn read(path: &Path, what: &str) -> Result<String, AppError> {
    let mut bytes = Vec::new();
    let result = if path.as_os_str() == "-" {
        std::io::stdin().take(LARGEST_FILE + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
    };
    let refuse = |why: &str| {
        let path = path.display();
        AppError::Input(format!("`{path}` cannot be read: {why}; write {what} into a text file"))
    };
    let length = result.map_err(|error| refuse(&config::why(&error)))?;
    if length as u64 > LARGEST_FILE {
        return Err(refuse("it is larger than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| refuse("it is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_never_repeated() {
        assert_eq!(pair("email=a@b.example").unwrap(), ("email".into(), "a@b.example".into()));
        assert_eq!(pair(" code = a=b").unwrap(), ("code".into(), " a=b".into()));
        for wrong in ["grace@mail.example", "=grace", ""] {
            let error = pair(wrong).unwrap_err();
            assert!(error.is_input() && !error.to_string().contains("grace"));
        }
        let given: Given = "email=grace@mail.example".parse().unwrap();
        assert_eq!(format!("{given:?}"), "Given");
    }

    #[test]
    fn files_have_a_pair_a_line_and_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("person.txt");
        std::fs::write(&path, "email=a@b.example\r\n\n customer_id=4711\n").unwrap();
        let typed = ["msisdn=1".parse().unwrap()];
        let found = read_identities(&typed, Some(&path)).unwrap();
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["msisdn", "email", "customer_id"]);
        assert_eq!(found[1].1, "a@b.example");
        std::fs::write(&path, "a".repeat(70_000)).unwrap();
        assert!(read_contact(&path).unwrap_err().to_string().contains("64 KiB"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read_contact(&path).is_err());
        assert!(read_contact(&folder.path().join("nothing")).is_err());
    }
}
