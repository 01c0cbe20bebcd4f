//! What a person is known by, as OpenDSR writes it: a type, a format and a value that never
//! prints.

use std::fmt;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Types of the core list of 2.0.
const CORE: &[&str] = &[
    "controller_customer_id",
    "android_advertising_id",
    "android_id",
    "email",
    "fire_advertising_id",
    "ios_advertising_id",
    "ios_vendor_id",
    "microsoft_advertising_id",
    "microsoft_publisher_id",
    "roku_publisher_id",
    "roku_advertising_id",
];

/// Types of our own extension: the core list has none for telephone networks.
const OURS: &[&str] = &["msisdn", "imsi", "imei", "iccid"];

/// No identity is longer than this, in bytes.
const LONGEST_VALUE: usize = 1024;

/// A type of identity, in the spelling of OpenDSR.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityType(String);

impl IdentityType {
    /// Reads any type: lowercase letters, digits and `_`, at most 64 of them. Processors have
    /// types of their own.
    pub fn read(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    /// Reads a type that this crate knows: of the core list or of our extension.
    pub fn read_known(text: &str) -> Option<Self> {
        Self::read(text).filter(|kind| kind.is_core() || kind.is_ours())
    }

    /// Every type that this crate knows, the core list first.
    pub fn known() -> impl Iterator<Item = Self> {
        CORE.iter().chain(OURS).map(|name| Self((*name).to_owned()))
    }

    /// It is of the core list, so it stands in `subject_identities`. Any other type stands in the
    /// processor's extension.
    pub fn is_core(&self) -> bool {
        CORE.contains(&self.0.as_str())
    }

    /// It is of our extension.
    pub fn is_ours(&self) -> bool {
        OURS.contains(&self.0.as_str())
    }

    /// The type's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdentityType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How the value is written, in the order in which a client prefers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// As it is.
    Raw,
    /// SHA-256 of it.
    Sha256,
    /// SHA-1 of it.
    Sha1,
    /// MD5 of it.
    Md5,
}

impl Format {
    /// Every format, the preferred ones first.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Sha256, Self::Sha1, Self::Md5];

    /// Reads a format.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// The format's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
        }
    }

    /// Hexadecimal digits of a value in this format; `None` for `raw`.
    fn digits(self) -> Option<usize> {
        match self {
            Self::Raw => None,
            Self::Sha256 => Some(64),
            Self::Sha1 => Some(40),
            Self::Md5 => Some(32),
        }
    }
}

/// Why an identity is of no use. The value is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is nothing in it, or too much, or signs that no identity has.
    #[error("the value is empty, longer than 1024 bytes or holds control characters")]
    Shape,
    /// It would fit everybody or nobody.
    #[error("the value is a wildcard or a place holder that many people share")]
    Shared,
    /// It does not look like its type.
    #[error("the value does not look like its type")]
    WrongType,
    /// It is no digest of the format.
    #[error("the value is no hexadecimal digest of its format")]
    WrongFormat,
}

/// One identity of one person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectIdentity {
    /// Its type.
    pub kind: IdentityType,
    /// How its value is written.
    pub format: Format,
    /// Its value: personal data.
    pub value: String,
}

impl fmt::Debug for SubjectIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} as {}>", self.kind, self.format.as_str())
    }
}

impl SubjectIdentity {
    /// Writes a raw value in a format. An address of mail is hashed in small letters, since that
    /// is what others hash.
    pub fn of(kind: IdentityType, format: Format, raw: &str) -> Self {
        let small;
        let hashed = if kind.as_str() == "email" {
            small = raw.trim().to_lowercase();
            small.as_bytes()
        } else {
            raw.as_bytes()
        };
        let value = match format {
            Format::Raw => raw.to_owned(),
            Format::Sha256 => hex::encode(Sha256::digest(hashed)),
            Format::Sha1 => hex::encode(Sha1::digest(hashed)),
            Format::Md5 => hex::encode(Md5::digest(hashed)),
        };
        Self { kind, format, value }
    }

    /// Checks that the identity can belong to one person.
    ///
    /// # Errors
    /// Where it is empty, a wildcard, a place holder, or not what its type or format says.
    pub fn check(&self) -> Result<(), Unusable> {
        let value = self.value.as_str();
        let padded = value.trim() != value;
        let too_long = value.len() > LONGEST_VALUE;
        if value.is_empty() || padded || too_long || value.chars().any(char::is_control) {
            return Err(Unusable::Shape);
        }
        if let Some(digits) = self.format.digits() {
            let digest =
                value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !digest {
                return Err(Unusable::WrongFormat);
            }
            // Nobody: the digest of nothing at all.
            let empty = Self::of(self.kind.clone(), self.format, "");
            let shared = value.eq_ignore_ascii_case(&empty.value) || all_same(value);
            return if shared { Err(Unusable::Shared) } else { Ok(()) };
        }
        // An advertising identity of nothing but zeros is what everybody has who declined it.
        let bare: String = value.chars().filter(|sign| sign.is_alphanumeric()).collect();
        let wildcard = value.contains(['*', '%']) && !is_mail(&self.kind);
        let placeholder = matches!(
            value.to_ascii_lowercase().as_str(),
            "null" | "none" | "undefined" | "unknown" | "n/a" | "na" | "anonymous"
        );
        let zeros = !bare.is_empty() && bare.bytes().all(|byte| byte == b'0');
        if bare.is_empty() || wildcard || placeholder || zeros {
            return Err(Unusable::Shared);
        }
        if looks_like(&self.kind, value) { Ok(()) } else { Err(Unusable::WrongType) }
    }
}

fn is_mail(kind: &IdentityType) -> bool {
    kind.as_str() == "email"
}

fn all_same(value: &str) -> bool {
    let mut signs = value.bytes();
    signs.next().is_some_and(|first| signs.all(|sign| sign == first))
}

/// Whether a raw value can be of a type; types without a shape of their own fit everything.
fn looks_like(kind: &IdentityType, value: &str) -> bool {
    let digits = |text: &str, few: usize, many: usize| {
        (few..=many).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match kind.as_str() {
        "email" => {
            let local_and_host = value.rsplit_once('@');
            local_and_host.is_some_and(|(local, host)| {
                let wildcard = |part: &str| part == "*" || part == "%";
                let host_fits = host.contains('.')
                    && !host.starts_with('.')
                    && !host.contains(['*', '%', ' ', '@']);
                !local.is_empty() && !wildcard(local) && host_fits
            })
        }
        "msisdn" => digits(value.strip_prefix('+').unwrap_or(value), 6, 15),
        "imsi" => digits(value, 6, 15),
        "imei" => digits(value, 14, 16),
        "iccid" => digits(value, 18, 22),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: &str, format: Format, value: &str) -> SubjectIdentity {
        SubjectIdentity { kind: IdentityType::read(kind).unwrap(), format, value: value.to_owned() }
    }

    #[test]
    fn types_are_of_the_core_list_or_of_our_extension() {
        assert_eq!(IdentityType::known().count(), 15);
        assert!(IdentityType::read_known("email").unwrap().is_core());
        assert!(IdentityType::read_known("msisdn").unwrap().is_ours());
        assert_eq!(IdentityType::read_known("mobile_number"), None);
        assert!(IdentityType::read("mobile_number").is_some());
        for wrong in ["", "Email", "e-mail", &"a".repeat(65)] {
            assert_eq!(IdentityType::read(wrong), None);
        }
    }

    #[test]
    fn an_identity_does_not_print() {
        let identity = identity("email", Format::Raw, "mara.lind@example.com");
        assert_eq!(format!("{identity:?}"), "<email as raw>");
    }

    #[test]
    fn digests_are_those_that_everybody_computes() {
        let email = IdentityType::read("email").unwrap();
        let of = |format| SubjectIdentity::of(email.clone(), format, " Mara@Example.com").value;
        assert_eq!(of(Format::Raw), " Mara@Example.com");
        // printf 'mara@example.com' | sha256sum (sha1sum, md5sum)
        assert_eq!(
            of(Format::Sha256),
            "f2f3041fac627fd59304aaf6577e39e4f97b15270c4b1d8b59b5ed1479e2333d"
        );
        assert_eq!(of(Format::Sha1), "59ed5061f1a93a42654f97a169b22d9ccf1661ee");
        assert_eq!(of(Format::Md5), "ec0b5b5f013f246e0729ebaea54e85d5");
        let customer = IdentityType::read("controller_customer_id").unwrap();
        let upper = SubjectIdentity::of(customer.clone(), Format::Md5, "A").value;
        assert_ne!(upper, SubjectIdentity::of(customer, Format::Md5, "a").value);
    }

    #[test]
    fn what_could_be_anybody_is_refused() {
        let check = |kind: &str, value: &str| identity(kind, Format::Raw, value).check();
        assert_eq!(check("email", "mara@example.com"), Ok(()));
        assert_eq!(check("email", "o'hara+100%@example.com"), Ok(()));
        assert_eq!(check("msisdn", "+4915100000000"), Ok(()));
        assert_eq!(check("imei", "490154203237518"), Ok(()));
        assert_eq!(check("controller_customer_id", "C-1'; DROP TABLE customers"), Ok(()));
        for (kind, value) in [("email", ""), ("email", " "), ("email", "a@b.c\n"), ("imsi", " 1")] {
            assert_eq!(check(kind, value), Err(Unusable::Shape), "{value}");
        }
        for (kind, value) in [
            ("controller_customer_id", "*"),
            ("controller_customer_id", "4%"),
            ("controller_customer_id", "null"),
            ("controller_customer_id", "0"),
            ("email", "@"),
            ("ios_advertising_id", "00000000-0000-0000-0000-000000000000"),
        ] {
            assert_eq!(check(kind, value), Err(Unusable::Shared), "{value}");
        }
        for (kind, value) in [
            ("email", "C-1"),
            ("email", "*@example.com"),
            ("email", "mara@*.com"),
            ("msisdn", "mara@example.com"),
            ("imei", "1"),
            ("iccid", "490154203237518"),
        ] {
            assert_eq!(check(kind, value), Err(Unusable::WrongType), "{value}");
        }
        let digest = identity("email", Format::Md5, "not a digest").check();
        assert_eq!(digest, Err(Unusable::WrongFormat));
        let nothing = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(identity("email", Format::Md5, nothing).check(), Err(Unusable::Shared));
        let zeros = "0".repeat(64);
        assert_eq!(identity("email", Format::Sha256, &zeros).check(), Err(Unusable::Shared));
    }
}
