//! Who vouches for the evidence log, from the instance file.

use std::path::{Path, PathBuf};

use super::document::InstanceDocument;
use super::document::anchors::{AnchorName, AuthorityDocument, WitnessDocument};
use super::leaf::Reference;
use super::load::read_bounded;
use super::problem::{At, Problem};
use super::read::items;
use crate::datamap::SecretReference;
use crate::domain::RetentionPeriod;
use crate::evidence::cosignature::Cosigner;
use crate::evidence::time_stamp::TimeStampAuthority;

/// More of a kind help nobody.
const MOST: usize = 16;

/// Who vouches for the evidence log; nobody if both lists are empty.
#[derive(Debug, Clone, Default)]
pub struct AnchorSettings {
    /// Time-stamp authorities.
    pub authorities: Vec<AuthoritySettings>,
    /// Witnesses.
    pub witnesses: Vec<WitnessSettings>,
    /// So many witnesses are enough, from 1; 0 without witnesses.
    pub quorum: usize,
    /// So long before what stamped the log is no longer sound it is stamped anew.
    pub renew_before: Option<RetentionPeriod>,
}

/// A time-stamp authority.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// Its name here.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// Certificates that are trusted.
    pub trusted: TimeStampAuthority,
    /// No certificate is anchored without it.
    pub required: bool,
    /// It stamps so often while the log grows.
    pub every: RetentionPeriod,
    /// It stamps signatures of certificates.
    pub certificates_too: bool,
}

/// A witness.
#[derive(Debug, Clone)]
pub struct WitnessSettings {
    /// Its name here.
    pub name: String,
    /// Where it is asked, without a `/` at the end.
    pub url: String,
    /// Its keys; each signature of one of them counts.
    pub keys: Vec<Cosigner>,
    /// Authorities that are trusted beside those of the machine, below the instance's folder.
    pub trust: Option<PathBuf>,
}

impl AnchorSettings {
    /// Whether anybody vouches at all.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty() && self.witnesses.is_empty()
    }
}

/// Makes the settings of the document.
pub(super) fn compile(
    document: &InstanceDocument,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> AnchorSettings {
    let Some(written) = document.anchors.as_ref().map(|at| &at.value) else {
        return AnchorSettings::default();
    };
    let (stamping, witnessing) =
        (items(written.time_stamps.as_ref()), items(written.witnesses.as_ref()));
    for (list, what) in [
        (written.time_stamps.as_ref().map(|at| (&at.place, stamping.len())), "authorities"),
        (written.witnesses.as_ref().map(|at| (&at.place, witnessing.len())), "witnesses"),
    ] {
        if let Some((place, _)) = list.filter(|(_, count)| *count > MOST) {
            problems.push(
                Problem::error(place, format!("more than {MOST} {what}"))
                    .help("name those on whom others rely; each is asked for every head"),
            );
        }
    }
    let mut names: Vec<&str> = Vec::new();
    let all = stamping.iter().map(|at| at.value.name.as_ref());
    for name in all.chain(witnessing.iter().map(|at| at.value.name.as_ref())).flatten() {
        refuse_twice(name, &mut names, problems);
    }
    let authorities: Vec<_> =
        stamping.iter().filter_map(|at| authority(&at.value, folder, problems)).collect();
    let witnesses: Vec<_> =
        witnessing.iter().filter_map(|at| witness(&at.value, folder, problems)).collect();
    refuse_shared_keys(&witnesses, witnessing, problems);
    let usual = if witnessing.is_empty() { 0 } else { witnessing.len() / 2 + 1 };
    let quorum = written.quorum.as_ref().map_or(usual, |at| {
        let asked = usize::try_from(at.value.0).unwrap_or(usize::MAX);
        if asked > witnessing.len() {
            problems.push(
                Problem::error(
                    &at.place,
                    format!("{asked} of {} witnesses can never be", witnessing.len()),
                )
                .help("write a smaller number, or name more witnesses"),
            );
        }
        asked
    });
    AnchorSettings {
        authorities,
        witnesses,
        quorum,
        renew_before: written.renew_before.as_ref().map(|at| at.value),
    }
}

fn refuse_twice<'a>(
    name: &'a At<AnchorName>,
    names: &mut Vec<&'a str>,
    problems: &mut Vec<Problem>,
) {
    let text = name.value.0.as_str();
    if names.contains(&text) {
        problems.push(
            Problem::error(&name.place, format!("`{text}` stands here twice"))
                .help("give each authority and each witness a name of its own"),
        );
    }
    names.push(text);
}

fn refuse_shared_keys(
    witnesses: &[WitnessSettings],
    documents: &[At<WitnessDocument>],
    problems: &mut Vec<Problem>,
) {
    for (number, witness) in witnesses.iter().enumerate() {
        let earlier = witnesses.iter().take(number);
        let shared = earlier.flat_map(|one| &one.keys).any(|key| witness.keys.contains(key));
        let place = documents
            .iter()
            .filter_map(|at| at.value.name.as_ref().zip(at.value.keys.as_ref()))
            .find(|(name, _)| name.value.0 == witness.name)
            .map(|(_, keys)| &keys.place);
        if let Some(place) = place.filter(|_| shared) {
            problems.push(
                Problem::error(place, "these are the keys of another witness too")
                    .help("one that signs twice is still one witness: name each once"),
            );
        }
    }
}

fn file_of(reference: &At<Reference>, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    if let SecretReference::File(path) = &reference.value.0 {
        return Some(path.clone());
    }
    problems.push(
        Problem::error(&reference.place, "this is read from a file")
            .help("write `file:` and a path, such as `file:certificates/tsa.pem`"),
    );
    None
}

/// The text of a file that is named in the instance file.
fn text_of(
    reference: &At<Reference>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let path = file_of(reference, problems)?;
    let read = read_bounded(&folder.join(&path)).ok().and_then(|it| String::from_utf8(it).ok());
    if read.is_none() {
        problems.push(
            Problem::error(
                &reference.place,
                format!("there is no file `{}`, or it is no text", path.display()),
            )
            .help("write a path from the folder of quietus.yaml"),
        );
    }
    read
}

fn authority(
    document: &AuthorityDocument,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<AuthoritySettings> {
    let at = document.certificates.as_ref()?;
    let text = text_of(at, folder, problems)?;
    let Some(trusted) = TimeStampAuthority::from_pem(&text) else {
        problems.push(
            Problem::error(&at.place, "the file holds no certificates that can be read")
                .help("put the authority's certificates there, PEM, at most 16"),
        );
        return None;
    };
    #[expect(clippy::expect_used, reason = "an hour is a period")]
    let an_hour = RetentionPeriod::parse("PT1H").expect("an hour is a period");
    Some(AuthoritySettings {
        name: document.name.as_ref()?.value.0.clone(),
        url: document.url.as_ref()?.value.0.clone(),
        trusted,
        required: document.required.as_ref().is_some_and(|it| it.value.0),
        every: document.every.as_ref().map_or(an_hour, |it| it.value),
        certificates_too: document.certificates_too.as_ref().is_none_or(|it| it.value.0),
    })
}

fn witness(
    document: &WitnessDocument,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<WitnessSettings> {
    let at = document.keys.as_ref()?;
    let text = text_of(at, folder, problems)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Result<Vec<Cosigner>, _> =
        lines.filter(|line| !line.starts_with('#')).map(Cosigner::parse).collect();
    let keys = match keys {
        Ok(keys) if !keys.is_empty() => keys,
        Ok(_) => {
            problems.push(
                Problem::error(&at.place, "the file holds no keys")
                    .help("put the lines there that `quietus witness keys` prints"),
            );
            return None;
        }
        Err(error) => {
            problems.push(
                Problem::error(&at.place, error.to_string())
                    .help("put the lines there that `quietus witness keys` prints"),
            );
            return None;
        }
    };
    Some(WitnessSettings {
        name: document.name.as_ref()?.value.0.clone(),
        url: document.url.as_ref()?.value.0.trim_end_matches('/').to_owned(),
        keys,
        trust: document.trust.as_ref().and_then(|it| file_of(it, problems)),
    })
}
