//! Links in mails: which mail, for what and until when, under a keyed digest. A link holds nothing
//! of a person, cannot be guessed, and is good for one thing; that it is used once follows from the
//! task, which is open once and waits for its confirmation once.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::app::vault::Vault;

/// Purpose of the keyed digest of a link.
const LINK: &str = "link of a mail";
/// Purpose of the keyed digest of a form behind a link.
const FORM: &str = "form behind a link";
/// How long a form may stay open in a browser.
const FORM_LASTS: SignedDuration = SignedDuration::from_hours(2);
/// Bytes before the digest: the mail, the purpose, the last second.
const HEAD: usize = 16 + 1 + 8;
/// Bytes of the digest.
const DIGEST: usize = 32;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Saying what became of a task.
    Doing,
    /// Confirming, as a second person, what another one said.
    Confirming,
}

impl Purpose {
    fn byte(self) -> u8 {
        match self {
            Self::Doing => 1,
            Self::Confirming => 2,
        }
    }
}

/// A link that is ours; whether it is still good is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The mail that it stands in.
    pub mail: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// When it ends, in whole seconds.
    pub until: Timestamp,
}

impl Link {
    fn head(self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..16].copy_from_slice(self.mail.as_bytes());
        head[16] = self.purpose.byte();
        head[17..].copy_from_slice(&self.until.as_second().to_be_bytes());
        head
    }

    /// The word that stands in the address.
    pub fn token(self, vault: &Vault) -> String {
        let head = self.head();
        let digest = vault.tag(LINK, &hex::encode(head));
        URL_SAFE_NO_PAD.encode([&head[..], &digest[..]].concat())
    }

    /// Reads the word of an address; `None` where it is not one of ours to the last bit.
    pub fn read(token: &str, vault: &Vault) -> Option<Self> {
        let mut bytes = [0; HEAD + DIGEST];
        let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (head, digest) = bytes.split_at(HEAD);
        verify_slices_are_equal(&vault.tag(LINK, &hex::encode(head)), digest).ok()?;
        let purpose = match head[16] {
            1 => Purpose::Doing,
            2 => Purpose::Confirming,
            _ => return None,
        };
        let seconds = i64::from_be_bytes(head[17..].try_into().ok()?);
        Some(Self {
            mail: Uuid::from_slice(&head[..16]).ok()?,
            purpose,
            until: Timestamp::from_second(seconds).ok()?,
        })
    }
}

/// What a form of the page behind a link carries, so that nobody else's page can send it.
pub fn form(token: &str, vault: &Vault, now: Timestamp) -> String {
    let second = now.as_second();
    format!("{second}.{}", hex::encode(vault.tag(FORM, &format!("{second} {token}"))))
}

/// Whether a form was made for this link, and not too long ago.
pub fn is_form(given: &str, token: &str, vault: &Vault, now: Timestamp) -> bool {
    let Some((second, digest)) = given.split_once('.') else { return false };
    let Ok(made) = second.parse::<i64>() else { return false };
    let Ok(digest) = hex::decode(digest) else { return false };
    let expected = vault.tag(FORM, &format!("{made} {token}"));
    let age = now.as_second().saturating_sub(made);
    verify_slices_are_equal(&expected, &digest).is_ok() && (0..=FORM_LASTS.as_secs()).contains(&age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_link_is_read_and_one_changed_character_makes_it_another_word() {
        let vault = Vault::new(&[7; 32]).unwrap();
        let until = at("2026-12-17T12:00:00Z");
        let link = Link { mail: Uuid::from_u128(0x0198 << 100), purpose: Purpose::Doing, until };
        let token = link.token(&vault);
        assert_eq!(token.len(), 76);
        assert_eq!(Link::read(&token, &vault), Some(link));
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for place in 0..token.len() {
            for other in alphabet.chars().filter(|one| token[place..=place] != one.to_string()) {
                let changed = format!("{}{other}{}", &token[..place], &token[place + 1..]);
                assert_eq!(Link::read(&changed, &vault), None, "{place} {other}");
            }
        }
        let confirming = Link { purpose: Purpose::Confirming, ..link };
        assert_ne!(confirming.token(&vault), token);
        for wrong in ["", "a", &token[1..], &format!("{token}="), &format!("{token}AAAA")] {
            assert_eq!(Link::read(wrong, &vault), None, "{wrong}");
        }
        assert_eq!(Link::read(&token, &Vault::new(&[8; 32]).unwrap()), None);
    }

    #[test]
    fn a_form_belongs_to_its_link_and_to_its_hour() {
        let vault = Vault::new(&[7; 32]).unwrap();
        let noon = at("2026-11-23T12:00:00Z");
        let made = form("link", &vault, noon);
        assert!(is_form(&made, "link", &vault, noon));
        assert!(is_form(&made, "link", &vault, at("2026-11-23T14:00:00Z")));
        assert!(!is_form(&made, "link", &vault, at("2026-11-23T14:00:01Z")));
        assert!(!is_form(&made, "link", &vault, at("2026-11-23T11:59:59Z")), "from the future");
        assert!(!is_form(&made, "another", &vault, noon));
        assert!(!is_form(&made, "link", &Vault::new(&[8; 32]).unwrap(), noon));
        let later = made.replacen('.', "0.", 1);
        for wrong in ["", ".", "1.", "x.00", &made[..made.len() - 2], &later] {
            assert!(!is_form(wrong, "link", &vault, noon), "{wrong}");
        }
    }
}
