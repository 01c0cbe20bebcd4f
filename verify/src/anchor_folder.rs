//! Anchors as they are handed out: plain files beside a certificate, which tools of others read.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::anchors::{AnchorFiles, AnchoredHead};
use crate::note::Note;
use crate::verify::Source;

/// The files about one stamped head, as they are handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadFiles {
    /// The checkpoint with its signatures.
    pub checkpoint: Vec<u8>,
    /// Proof that it and the certificate's are of one history.
    pub growth: Vec<u8>,
    /// Who stamped it and when, for instructions; in the order of the stamps.
    pub names: Vec<(String, Timestamp)>,
    /// Time stamps.
    pub stamps: Vec<Vec<u8>>,
}

/// Everything about anchors that is handed out with a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnchorFolder {
    /// The last stamped head without the certificate's entry.
    pub before: Option<HeadFiles>,
    /// The first stamped head with it.
    pub after: Option<HeadFiles>,
    /// A later head, stamped anew.
    pub renewed: Option<HeadFiles>,
    /// Certificates of authorities, PEM, by the authority's name; for tools of others.
    pub chains: Vec<(String, Vec<u8>)>,
    /// `certificate.tlog-proof`.
    pub proof: Option<Vec<u8>>,
    /// `policy.tlog`.
    pub policy: Option<Vec<u8>>,
}

/// Name of the proof with the signatures of witnesses.
pub const PROOF_NAME: &str = "certificate.tlog-proof";

/// Name of the policy.
pub const POLICY_NAME: &str = "policy.tlog";

impl AnchorFolder {
    /// What is checked.
    pub fn files(&self, policy: Source) -> AnchorFiles<'_> {
        fn head(files: Option<&HeadFiles>) -> Option<AnchoredHead<'_>> {
            files.map(|files| AnchoredHead {
                checkpoint: &files.checkpoint,
                growth: &files.growth,
                stamps: &files.stamps,
            })
        }
        AnchorFiles {
            before: head(self.before.as_ref()),
            after: head(self.after.as_ref()),
            renewed: head(self.renewed.as_ref()),
            proof: self.proof.as_deref(),
            policy: self.policy.as_deref().map(|bytes| (bytes, policy)),
        }
    }

    fn heads(&self) -> [(&'static str, Option<&HeadFiles>); 3] {
        [
            ("before", self.before.as_ref()),
            ("after", self.after.as_ref()),
            ("renewed", self.renewed.as_ref()),
        ]
    }

    /// The time stamps over heads: name of the head, of the file, who, and when.
    pub fn stamps(&self) -> Vec<(&'static str, String, &str, Timestamp)> {
        let heads = self.heads().into_iter().filter_map(|(name, head)| Some((name, head?)));
        heads
            .flat_map(|(name, head)| {
                (1..).zip(&head.names).map(move |(number, (authority, at))| {
                    let file = format!("anchor-{name}.{number}.{authority}.tsr");
                    (name, file, authority.as_str(), *at)
                })
            })
            .collect()
    }

    /// The files by name.
    pub fn to_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for (name, head) in self.heads() {
            let Some(head) = head else { continue };
            let text = Note::parse(std::str::from_utf8(&head.checkpoint).unwrap_or_default());
            files.push((format!("anchor-{name}.checkpoint"), head.checkpoint.clone()));
            files.push((format!("anchor-{name}.consistency"), head.growth.clone()));
            // Tools of others stamp-check a file that holds just what was stamped.
            let text = text.map(|note| note.text).unwrap_or_default();
            files.push((format!("anchor-{name}.text"), text.into_bytes()));
        }
        let stamps = self.heads().into_iter().filter_map(|(_, head)| head);
        let stamps = stamps.flat_map(|head| head.stamps.iter().cloned());
        files.extend(self.stamps().into_iter().map(|(_, file, _, _)| file).zip(stamps));
        let mut all: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for (authority, chain) in &self.chains {
            all.entry(authority).or_default().extend_from_slice(chain);
        }
        files.extend(
            all.into_iter().map(|(name, chain)| (format!("anchor-authority.{name}.pem"), chain)),
        );
        let others = [(PROOF_NAME, &self.proof), (POLICY_NAME, &self.policy)];
        for (name, bytes) in others {
            files.extend(bytes.iter().map(|bytes| (name.to_owned(), bytes.clone())));
        }
        files
    }

    /// Whether a file of this name belongs here.
    pub fn has_name(name: &str) -> bool {
        name.starts_with("anchor-") || name == PROOF_NAME || name == POLICY_NAME
    }

    /// Takes the files as they lie in a folder, in any order; others are left out.
    pub fn from_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut folder = Self::default();
        let mut all: Vec<(String, Vec<u8>)> = files.into_iter().collect();
        all.sort();
        for (name, bytes) in all {
            match name.as_str() {
                PROOF_NAME => folder.proof = Some(bytes),
                POLICY_NAME => folder.policy = Some(bytes),
                _ => {
                    let Some(rest) = name.strip_prefix("anchor-") else { continue };
                    let Some((head, part)) = rest.split_once('.') else { continue };
                    let head = match head {
                        "before" => &mut folder.before,
                        "after" => &mut folder.after,
                        "renewed" => &mut folder.renewed,
                        _ => continue,
                    };
                    let head = head.get_or_insert_default();
                    match part {
                        "checkpoint" => head.checkpoint = bytes,
                        "consistency" => head.growth = bytes,
                        _ => {
                            if part.strip_suffix(".tsr").is_some() {
                                head.stamps.push(bytes);
                            }
                        }
                    }
                }
            }
        }
        folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_survives_its_files() {
        let head = |name: &str| HeadFiles {
            checkpoint: format!("example.com/log\n7\nroot\n\n\u{2014} {name} AAAAAAAA\n")
                .into_bytes(),
            growth: b"old 7\n\n".to_vec(),
            names: vec![("notary".to_owned(), Timestamp::UNIX_EPOCH); 2],
            stamps: vec![b"one".to_vec(), b"two".to_vec()],
        };
        let folder = AnchorFolder {
            before: Some(head("before")),
            after: Some(head("after")),
            renewed: None,
            chains: vec![("notary".to_owned(), b"PEM".to_vec()); 2],
            proof: Some(b"proof".to_vec()),
            policy: Some(b"policy".to_vec()),
        };
        let files = folder.to_files();
        assert!(files.iter().all(|(name, _)| AnchorFolder::has_name(name)), "{files:?}");
        let named = |wanted: &str| {
            files.iter().find(|(name, _)| name == wanted).map(|(_, bytes)| bytes.clone())
        };
        assert_eq!(named("anchor-authority.notary.pem"), Some(b"PEMPEM".to_vec()));
        assert_eq!(named("anchor-after.text"), Some(b"example.com/log\n7\nroot\n".to_vec()));
        let mut read = AnchorFolder::from_files(files.into_iter().rev());
        assert_eq!(read.files(Source::Beside).after.map(|head| head.stamps.len()), Some(2));
        // Names and chains are for instructions and for tools of others; nothing is checked by them.
        for (one, other) in [(&mut read.before, &folder.before), (&mut read.after, &folder.after)] {
            let written = other.as_ref().map(|head| head.names.clone());
            one.as_mut().expect("head").names = written.expect("head");
        }
        read.chains.clone_from(&folder.chains);
        assert_eq!(read, folder);
    }
}
