//! Checking a list before anything is taken from it: the newest index that the log knows, its parts,
//! and every entry, each against the digest that commits to it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::entry::name_of;
use super::index::{Index, IndexFile, Part, number_of, part_name};
use super::place::ListPlace;
use crate::app::log_refill::{Part as LogPart, bundles};
use crate::app::{AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::EvidenceKind;
use crate::evidence::entries;
use crate::evidence::leaf::read_leaf;
use crate::evidence::tiles::WIDTH;
use crate::store::{ListMatter, ListRows};

/// Faults that are named before the rest is only counted.
const MOST_FAULTS: usize = 10;

/// An entry that was found to be what the index names.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    /// What it is about.
    pub(super) matter: ListMatter,
    /// Digest of its file.
    pub(super) sha256: Digest,
}

/// A list that was checked as a whole.
pub(super) struct CheckedList {
    /// The index.
    pub(super) index: Index,
    /// All entries.
    pub(super) entries: Vec<Checked>,
}

/// Faults, for people.
#[derive(Default)]
struct Faults {
    named: Vec<String>,
    others: usize,
}

impl Faults {
    fn add(&mut self, fault: String) {
        if self.named.len() < MOST_FAULTS {
            self.named.push(fault);
        } else {
            self.others += 1;
        }
    }

    fn settle(self) -> Result<(), AppError> {
        if self.named.is_empty() {
            return Ok(());
        }
        let others = match self.others {
            0 => String::new(),
            many => format!("\n  and {many} more"),
        };
        Err(AppError::Input(format!(
            "the re-erasure list is not what the log commits to; nothing was changed:\n  {}{others}\nName another copy of it, or look into its earlier versions",
            self.named.join("\n  ")
        )))
    }
}

impl Quietus {
    /// Checks a list against the log that leads to the head that was signed last.
    ///
    /// # Errors
    /// `Input` with the names of all files at fault.
    pub(super) async fn check_list(
        &self,
        place: &ListPlace,
        parts: &[LogPart],
    ) -> Result<CheckedList, AppError> {
        let index = self.newest_index(place, parts).await?;
        let mut faults = Faults::default();
        let mut named = Vec::new();
        for (part, name) in &index.parts {
            let file = part_name(part, &name.number);
            let Some(bytes) = place.read(&file).await? else {
                faults.add(format!("`{}` is missing", place.display(&file)));
                continue;
            };
            let read: Option<Part> = serde_json::from_slice(&bytes).ok();
            match read.filter(|one| one.is(part) && Digest::of(&bytes) == name.sha256) {
                Some(part) => named.extend(part.entries),
                None => faults.add(format!(
                    "`{}` is not the part that index {} names",
                    place.display(&file),
                    index.number()
                )),
            }
        }
        faults.settle()?;
        let (mut faults, mut entries) = (Faults::default(), Vec::new());
        for one in named {
            match self.open_named(place, one.id, one.sha256).await? {
                Ok((matter, _)) => entries.push(Checked { matter, sha256: one.sha256 }),
                Err(fault) => faults.add(fault),
            }
        }
        faults.settle()?;
        if entries.len().to_string() != index.entries {
            return Err(AppError::Input(format!(
                "index {} of the re-erasure list counts {} entries and names {}; nothing was changed",
                index.number(),
                index.entries,
                entries.len()
            )));
        }
        entries.sort_by_key(|one| one.matter);
        Ok(CheckedList { index, entries })
    }

    /// Reads and opens an entry that an index names; or says what is wrong with its file.
    pub(super) async fn open_named(
        &self,
        place: &ListPlace,
        id: Uuid,
        sha256: Digest,
    ) -> Result<Result<(ListMatter, ListRows), String>, AppError> {
        let name = name_of(id, sha256);
        let shown = place.display(&name);
        let Some(bytes) = place.read(&name).await? else {
            return Ok(Err(format!("`{shown}` is missing")));
        };
        if Digest::of(&bytes) != sha256 {
            return Ok(Err(format!(
                "`{shown}` is not the entry that the index names: an older one, or another one"
            )));
        }
        Ok(self.open_entry(id, &bytes).map_err(|why| format!("`{shown}` {why}")))
    }

    /// The newest index that the log commits to.
    async fn newest_index(&self, place: &ListPlace, parts: &[LogPart]) -> Result<Index, AppError> {
        let mut known = BTreeMap::new();
        let mut faults = Vec::new();
        for name in place.names().await? {
            if number_of(&name).is_none() {
                continue;
            }
            let Some(bytes) = place.read(&name).await? else { continue };
            match IndexFile::read(&bytes) {
                Ok((digest, index)) => drop(known.insert(digest, index)),
                Err(why) => faults.push(format!("`{}` {why}", place.display(&name))),
            }
        }
        if known.is_empty() {
            let faults =
                if faults.is_empty() { String::new() } else { format!(": {}", faults.join("; ")) };
            return Err(AppError::Input(format!(
                "`{}` holds no re-erasure list{faults}; nothing was changed",
                place.display("")
            )));
        }
        let mut later = Vec::new();
        for part in parts.iter().rev() {
            let all: Vec<(u64, u64)> = bundles(0, part.size()).collect();
            for (index, width) in all.into_iter().rev() {
                for body in self.leaves_of(part, index, width).await?.iter().rev() {
                    let leaf =
                        read_leaf(body).filter(|leaf| leaf.kind == EvidenceKind::ListWritten);
                    let Some(digest) = leaf.map(|leaf| leaf.spec.detail_sha256) else { continue };
                    if let Some(found) = known.remove(&digest) {
                        return newest(found, &known, &later);
                    }
                    later.push(digest);
                }
            }
        }
        Err(AppError::Input(format!(
            "the log commits to none of the indices in `{}`: it is the list of another instance, or of another time; nothing was changed",
            place.display("")
        )))
    }

    /// Leaves of a log: those that the store has from the store, the others from the files that
    /// were checked.
    async fn leaves_of(
        &self,
        part: &LogPart,
        index: u64,
        width: u64,
    ) -> Result<Vec<Vec<u8>>, AppError> {
        let missing = || AppError::Unreadable {
            what: "the evidence log",
            why: format!("bundle {index} of its entries is not whole"),
        };
        let has = part.from().saturating_sub(index * WIDTH).min(width);
        let mut bodies = Vec::new();
        if has > 0 {
            let bundle = self.entry_bundle(part.log_id(), index, has).await?.ok_or_else(missing)?;
            bodies = entries::decode(&bundle, has).map_err(|_| missing())?;
        }
        if has < width {
            let skip = usize::try_from(has).unwrap_or(usize::MAX);
            bodies.extend(part.entries(index, width)?.into_iter().skip(skip));
        }
        Ok(bodies)
    }
}

/// The index that was found last in the log, if nothing says that there is a newer one. Entries of
/// one batch are in no order, so that those behind it may be before it in time.
fn newest(
    found: Index,
    others: &BTreeMap<Digest, Index>,
    later: &[Digest],
) -> Result<Index, AppError> {
    let unknown: Vec<&Digest> = later.iter().filter(|one| !found.earlier.contains(one)).collect();
    if unknown.is_empty() {
        return Ok(found);
    }
    // The other way round: one of the same batch that comes before it in the log and names it.
    let newer = others.values().find(|one| later.iter().all(|digest| one.earlier.contains(digest)));
    if let Some(newer) = newer.filter(|one| one.number() > found.number()) {
        return Ok(newer.clone());
    }
    Err(AppError::Input(format!(
        "the log says that the re-erasure list was written {} more time(s) after index {}: name its newest copy; nothing was changed",
        unknown.len(),
        found.number()
    )))
}
