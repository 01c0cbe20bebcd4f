//! Somebody who has copies of everything and opens what opens: AES-256-GCM with every key that lies
//! in a folder, past the product.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quietus::domain::Digest;

use crate::company::Company;

/// What may have been sealed for.
const PURPOSES: [&str; 8] = [
    "data key",
    "request key",
    "evidence detail",
    "person",
    "letter",
    "legal hold",
    "business event",
    "",
];

/// Keys, of 32 bytes each.
pub struct Burglar {
    secrets: Vec<[u8; 32]>,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derived(secret: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"quietus vault 1");
    let mut key = [0; 32];
    let material = salt.extract(secret);
    material.expand(&[purpose], Length(32)).and_then(|it| it.fill(&mut key)).unwrap();
    key
}

fn keyed(secret: &[u8; 32], purpose: &str, value: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &derived(secret, b"tag"));
    hmac::sign(&key, format!("{purpose}\0{value}").as_bytes()).as_ref().to_vec()
}

fn opened(key: [u8; 32], purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, message) = sealed.split_at_checked(12)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let mut message = message.to_vec();
    let text = key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut message).ok()?;
    Some(text.to_vec())
}

/// Every key that a file may hold: lines of 32 bytes in Base64, the last 32 bytes of what Base64 it
/// has, and its digest.
fn keys_in(file: &Path) -> Vec<[u8; 32]> {
    let bytes = std::fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let mut found = vec![Digest::of(&bytes).0];
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    for encoded in text.lines().map(ToOwned::to_owned).chain([body]) {
        let Ok(decoded) = STANDARD.decode(encoded.trim()) else { continue };
        found.extend(decoded.first_chunk().copied());
        found.extend(decoded.last_chunk().copied());
    }
    found
}

/// Sealed bytes of the store, by where they are.
#[derive(Default)]
pub struct Sealed {
    /// Wrapped keys of cases and requests.
    pub wrapped: Vec<Vec<u8>>,
    /// Details, with the digest that stands in the leaf.
    pub details: Vec<(String, Vec<u8>)>,
    /// What names the person of a request.
    pub persons: Vec<Vec<u8>>,
}

/// What was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loot {
    pub keys: usize,
    pub details: usize,
    pub persons: Vec<String>,
}

/// All that belongs to a case in the company's store, read past the product.
pub async fn sealed_of(company: &Company, case: &str) -> Sealed {
    let hex = |column: &str| match company.store {
        Some(_) => format!("encode({column}, 'hex')"),
        None => format!("lower(hex({column}))"),
    };
    let case = company.store_id(case);
    let read = async |columns: &str, from: &str, there: &str| {
        let query =
            format!("SELECT {columns} FROM {from} WHERE case_id = {case} AND {there} IS NOT NULL");
        company.store_rows(&query).await
    };
    let bytes = |text: &str| hex::decode(text).unwrap();
    let mut wrapped = read(&hex("wrapped"), "data_keys", "wrapped").await;
    wrapped.extend(read(&hex("wrapped_key"), "requests", "wrapped_key").await);
    let both = format!("{} || '.' || {}", hex("detail_sha256"), hex("sealed"));
    let mut details = read(&both, "evidence_details", "sealed").await;
    details.sort();
    let persons = read(&hex("sealed"), "requests", "sealed").await;
    Sealed {
        wrapped: wrapped.iter().map(|one| bytes(one)).collect(),
        details: details
            .iter()
            .map(|one| one.split_once('.').unwrap())
            .map(|(digest, sealed)| (digest.to_owned(), bytes(sealed)))
            .collect(),
        persons: persons.iter().map(|one| bytes(one)).collect(),
    }
}

impl Burglar {
    /// With every key of this folder and what is below it.
    pub fn with_keys_of(folder: &Path) -> Self {
        let (mut folders, mut secrets) = (vec![folder.to_owned()], vec![[0; 32]]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { secrets.extend(keys_in(&path)) }
            }
        }
        Self { secrets }
    }

    /// Whether somebody whose address one guesses is known in the company's store: by a digest under
    /// any key, or under any key of one under any.
    pub async fn finds(&self, company: &Company, email: &str) -> bool {
        let hex = if company.store.is_some() { "encode(tag, 'hex')" } else { "lower(hex(tag))" };
        let known = company.store_rows(&format!("SELECT {hex} FROM request_persons")).await;
        assert!(!known.is_empty(), "somebody is known");
        self.secrets.iter().any(|secret| {
            let once = keyed(secret, "person email", email);
            let again = |other| keyed(other, "person tag", &hex::encode(&once));
            let guesses = self.secrets.iter().map(again).chain([once.clone()]);
            guesses.map(hex::encode).any(|guess| known.contains(&guess))
        })
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let keys = self.secrets.iter().flat_map(|secret| [*secret, derived(secret, b"seal")]);
        keys.flat_map(|key| PURPOSES.map(|purpose| opened(key, purpose, sealed)))
            .find_map(|opened| opened)
    }

    /// Opens what opens, first keys, and then with these what is sealed under them.
    pub fn break_into(mut self, sealed: &Sealed) -> Loot {
        let mut loot = Loot::default();
        for wrapped in &sealed.wrapped {
            let Some(text) = self.open(wrapped) else { continue };
            let text: String = serde_json::from_slice(&text).unwrap();
            self.secrets.push(hex::decode(text).unwrap().try_into().unwrap());
            loot.keys += 1;
        }
        for (digest, sealed) in &sealed.details {
            let Some(text) = self.open(sealed) else { continue };
            let text: String = serde_json::from_slice(&text).unwrap();
            assert_eq!(Digest::of(text.as_bytes()).to_string(), *digest, "what the leaf says");
            loot.details += 1;
        }
        let persons = sealed.persons.iter().filter_map(|sealed| self.open(sealed));
        loot.persons = persons.map(|text| String::from_utf8(text).unwrap()).collect();
        loot
    }
}
