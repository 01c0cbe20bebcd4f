//! Erasing one person's files inside of copies, where the data map says that a store keeps them by
//! themselves: one person asks, another one agrees, and it is carried out as it was asked.
//!
//! What was erased in the live systems can still be in copies until these go. Here it is taken out of
//! them. It cannot be taken back, so nothing of it happens by itself, and nothing while a legal hold
//! speaks of what is in the store.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{InsideCopy, InsidePart, SubjectAction};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::over_jobs::is_look;
use crate::app::recording::About;
use crate::app::request::{OpenRequest, Person, action_of};
use crate::app::{Actor, AppError, Quietus};
use crate::datamap::{Backup, Inside, System};
use crate::domain::{JobState, SystemName};
use crate::evidence::EvidenceKind;
use crate::store::{
    InsideErasureRow, InsideState, Job, JobKind, NewInsideErasure, OutboxEntry, PauseScope,
};

pub(super) use super::inside_care::ErasedInside;
pub use super::inside_care::InsideEnd;

/// What an erasure inside copies would be about; nothing is erased.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InsidePreview {
    /// The store.
    pub store: String,
    /// The person's case.
    pub case: Uuid,
    /// The systems whose copied files are looked for.
    pub systems: BTreeSet<SystemName>,
    /// Copies that hold files of the person.
    pub copies: Vec<InsideCopy>,
}

impl InsidePreview {
    /// How many files and folders all copies hold together.
    pub fn entries(&self) -> u64 {
        self.copies.iter().map(|one| one.entries).sum()
    }
}

/// What is to be erased where, as everything stands now.
pub(super) struct Matter<'a> {
    pub(super) system: &'a System,
    pub(super) backup: &'a Backup,
    pub(super) case: Uuid,
    declared: BTreeMap<SystemName, Inside>,
    pub(super) parts: Vec<InsidePart>,
}

impl Matter<'_> {
    /// Where the person's files are, as it is written down: of nobody.
    fn declared(&self) -> Value {
        self.declared.iter().map(|(name, inside)| (name.to_string(), written(inside))).collect()
    }

    fn paths(&self) -> u64 {
        u64::try_from(self.parts.len()).unwrap_or(u64::MAX)
    }
}

/// How the data map's word for one system is written down.
pub(super) fn written(inside: &Inside) -> Value {
    json!({ "identity": inside.identity, "files": inside.files.to_string() })
}

impl Quietus {
    /// Which copies of a store hold files of the person of a request; nothing is changed.
    ///
    /// # Errors
    /// Where the store does not say where such files are, the case is not done with in its systems,
    /// a legal hold or a pause stands in the way, or the store does not answer.
    pub async fn inside_preview(
        &self,
        store: &str,
        request: Uuid,
    ) -> Result<InsidePreview, AppError> {
        let matter = self.inside_matter(store, &self.rights_request(request).await?).await?;
        self.preview_of(&matter).await
    }

    async fn preview_of(&self, matter: &Matter<'_>) -> Result<InsidePreview, AppError> {
        let store = self.open_store(matter.system, matter.backup)?;
        let system = matter.system.name.to_string();
        let copies = store.holding(&matter.parts).await;
        let copies = copies.map_err(|fault| AppError::System { system, fault })?;
        Ok(InsidePreview {
            store: matter.system.name.to_string(),
            case: matter.case,
            systems: matter.declared.keys().cloned().collect(),
            copies,
        })
    }

    /// Asks for an erasure inside the copies of a store; its identifier, and what it is about.
    ///
    /// # Errors
    /// As [`Self::inside_preview`]; where no copy holds anything, or it was asked for before.
    pub async fn ask_inside(
        &self,
        store: &str,
        request: Uuid,
        (actor, reason): (&Actor, &str),
    ) -> Result<(Uuid, InsidePreview), AppError> {
        let matter = self.inside_matter(store, &self.rights_request(request).await?).await?;
        let preview = self.preview_of(&matter).await?;
        if preview.copies.is_empty() {
            return Err(AppError::Input(format!(
                "no copy in `{store}` holds files of the person: there is nothing to erase"
            )));
        }
        let id = self.ids.new_id();
        let (case, declared) = (matter.case, matter.declared());
        let about = json!({
            "by": actor.0, "reason": reason, "declared": declared, "paths": matter.paths(),
            "copies": preview.copies.len(), "files": preview.entries(),
        });
        let entry = self.inside_entry((id, case, store), "asked", about).await?;
        let new = NewInsideErasure {
            id,
            case_id: case,
            store: store.to_owned(),
            declared,
            parts: matter.paths(),
            asked_by: actor.0.clone(),
            reason: reason.to_owned(),
        };
        if self.store.ask_inside_erasure(new, self.now(), vec![entry]).await? {
            return Ok((id, preview));
        }
        Err(AppError::Input(format!(
            "an erasure of the same person inside `{store}` is asked for or under way: see `quietus backup inside`"
        )))
    }

    /// A second person agrees, and it is carried out at once. One that was agreed to and is not done
    /// is taken up again.
    ///
    /// # Errors
    /// Where it does not wait, it is the person who asked, the instance names people who may approve
    /// and this is none of them, or what was asked is not what would be done now.
    pub async fn approve_inside(&self, id: Uuid, actor: &Actor) -> Result<InsideEnd, AppError> {
        let row = self.inside_row(id).await?;
        self.may_approve(&row, actor)?;
        if row.state == InsideState::Asked {
            self.matter_as_asked(&row).await?;
            let about = json!({ "by": actor.0 });
            let entry = self.inside_entry(of(&row), "approved", about).await?;
            self.store.approve_inside_erasure(id, &actor.0, self.now(), vec![entry]).await?;
        }
        let row = self.inside_row(id).await?;
        if row.state != InsideState::Approved {
            return Err(over(&row));
        }
        self.carry_out_inside(&row).await?.ok_or_else(|| {
            AppError::Input(format!(
                "another process erases inside `{}` at this moment: see `quietus backup inside`",
                row.store
            ))
        })
    }

    fn may_approve(&self, row: &InsideErasureRow, actor: &Actor) -> Result<(), AppError> {
        self.is_among_approvers(actor)?;
        if row.asked_by.to_lowercase() == actor.0.to_lowercase() {
            return Err(AppError::Input(format!(
                "`{}` asked for it: somebody else has to approve",
                actor.0
            )));
        }
        if matches!(row.state, InsideState::Done | InsideState::Refused) {
            return Err(over(row));
        }
        Ok(())
    }

    /// Decides that it is not carried out, or not any more; what has gone is gone.
    ///
    /// # Errors
    /// Where it has ended.
    pub async fn refuse_inside(
        &self,
        id: Uuid,
        (actor, reason): (&Actor, &str),
    ) -> Result<(), AppError> {
        let row = self.inside_row(id).await?;
        let about = json!({ "by": actor.0, "reason": reason });
        let entry = self.inside_entry(of(&row), "refused", about).await?;
        let why = (actor.0.as_str(), reason);
        if self.store.refuse_inside_erasure(id, why, self.now(), vec![entry]).await? {
            return Ok(());
        }
        Err(over(&self.inside_row(id).await?))
    }

    /// The latest erasures inside copies, at most so many.
    ///
    /// # Errors
    /// Where our own store is not there.
    pub async fn inside_erasures(&self, limit: u32) -> Result<Vec<InsideErasureRow>, AppError> {
        Ok(self.store.inside_erasures(limit).await?)
    }

    pub(super) async fn inside_row(&self, id: Uuid) -> Result<InsideErasureRow, AppError> {
        self.store.inside_erasure(id).await?.ok_or_else(|| {
            AppError::Input(format!(
                "there is no erasure inside copies `{id}`: see `quietus backup inside`"
            ))
        })
    }

    /// What was asked, where that is what would be done now.
    pub(super) async fn matter_as_asked(
        &self,
        row: &InsideErasureRow,
    ) -> Result<Matter<'_>, AppError> {
        let stored = self.store.request_of_case(row.case_id).await?;
        let stored = stored.ok_or_else(|| {
            AppError::Input(format!("case `{}` has no request any more", row.case_id))
        })?;
        let matter = self.inside_matter(&row.store, &self.open_request(stored)?).await?;
        if matter.declared() == row.declared && matter.paths() == row.parts {
            return Ok(matter);
        }
        Err(AppError::Input(
            "the data map, or what is known of the person, is no longer what it was when this was asked for: refuse it and ask again".to_owned(),
        ))
    }

    async fn inside_matter(
        &self,
        store: &str,
        request: &OpenRequest,
    ) -> Result<Matter<'_>, AppError> {
        let (system, backup) = self.store_named(store)?;
        if backup.inside.is_empty() {
            return Err(AppError::Input(format!(
                "`{store}` does not say where its copies keep the files of each person: if they do, write `inside: {{SYSTEM: {{identity: …, files: \"customers/{{}}/\"}}}}` into its file; see docs/backups.md"
            )));
        }
        let (case, person) = erased_person(request)?;
        self.nothing_stops(system, backup, case).await?;
        let jobs = self.store.jobs_of_case(case).await?;
        let (mut declared, mut parts) = (BTreeMap::new(), BTreeSet::new());
        for (name, inside) in &backup.inside {
            if !is_done_with(name, &jobs)? {
                continue;
            }
            parts.extend(parts_of(person, inside).ok_or_else(|| no_parts(name, inside))?);
            declared.insert(name.clone(), inside.clone());
        }
        if declared.is_empty() {
            return Err(AppError::Input(format!(
                "the request has erased nothing in a system whose files in `{store}` are known by person: {}",
                names(backup.inside.keys())
            )));
        }
        Ok(Matter { system, backup, case, declared, parts: parts.into_iter().collect() })
    }

    async fn nothing_stops(
        &self,
        system: &System,
        backup: &Backup,
        case: Uuid,
    ) -> Result<(), AppError> {
        let pauses = self.store.active_pauses().await?;
        let of_case = pauses.iter().any(|pause| pause.scope == PauseScope::Case(case));
        if of_case || self.store_is_paused(system).await? {
            return Err(AppError::Input(format!(
                "`{}`, the case or everything is paused: see `quietus status`",
                system.name
            )));
        }
        match self.matter_that_keeps(system, backup).await? {
            None => Ok(()),
            Some(matter) => Err(AppError::Input(format!(
                "a legal hold (`{matter}`) speaks of what is in `{}`: nothing is erased inside of copies while it lasts",
                system.name
            ))),
        }
    }

    /// An entry of the log about an erasure inside copies; about the look of the case at that store,
    /// where there is one, so that certificates cite it where they speak of its copies.
    pub(super) async fn inside_entry(
        &self,
        (id, case, store): (Uuid, Uuid, &str),
        result: &str,
        mut about: Value,
    ) -> Result<OutboxEntry, AppError> {
        about["erasure"] = json!(id);
        about["case"] = json!(case);
        about["store"] = json!(store);
        about["result"] = json!(result);
        let jobs = self.store.jobs_of_case(case).await?;
        let looks = jobs.iter().filter(|job| job.kind == JobKind::Backup && job.system == store);
        let look = looks.max_by_key(|job| (job.created_at, job.id)).map(|job| job.id);
        let of_look = About { case: Some(case), job: look };
        self.record(EvidenceKind::BackupErasedInside, of_look, &about)
    }
}

pub(super) fn of(row: &InsideErasureRow) -> (Uuid, Uuid, &str) {
    (row.id, row.case_id, row.store.as_str())
}

fn over(row: &InsideErasureRow) -> AppError {
    AppError::Input(format!(
        "the erasure inside copies `{}` is {}: it waits for nobody",
        row.id, row.state
    ))
}

/// The case and the person of a request by which somebody is erased.
fn erased_person(request: &OpenRequest) -> Result<(Uuid, &Person), AppError> {
    let id = request.stored.id;
    let refuse = |why: &str| Err(AppError::Input(format!("request `{id}` {why}")));
    if action_of(request) != SubjectAction::Erase {
        return refuse("is for no erasure: files inside of copies are only ever erased");
    }
    let Some(case) = request.stored.case_id else {
        return refuse("has no case yet: erase in the live systems first");
    };
    let Some(person) = &request.person else {
        return refuse("has forgotten its person: copies go as the store lets them go");
    };
    if request.record.incomplete || !request.record.not_asked.is_empty() {
        return refuse("waits for a system to say what it knows of the person: ask again later");
    }
    Ok((case, person))
}

/// Whether a case has erased in a system and is done with it; `false` where it has done nothing there.
///
/// # Errors
/// Where something is left to do, or a law keeps something for longer.
fn is_done_with(name: &SystemName, jobs: &[Job]) -> Result<bool, AppError> {
    let own: Vec<&Job> =
        jobs.iter().filter(|job| job.system == name.as_str() && !is_look(job)).collect();
    let open = |job: &&Job| !job.state.is_final() || job.state == JobState::Failed;
    if own.iter().any(open) {
        return Err(AppError::Input(format!(
            "the case is not done with in `{name}`, or something is kept there for longer: its copies stay until it is; see `quietus request show`"
        )));
    }
    Ok(own.iter().any(|job| job.state == JobState::Completed))
}

/// The person's paths by the data map's word for one system; `None` where nothing of the identity type
/// is known, or a value cannot stand in a path.
pub(super) fn parts_of(person: &Person, inside: &Inside) -> Option<BTreeSet<InsidePart>> {
    let identities = person.given.iter().chain(&person.learned).chain(&person.found_by);
    let own = identities.filter(|one| one.kind == inside.identity);
    let parts: Option<BTreeSet<InsidePart>> = own.map(|one| inside.files.of(&one.value)).collect();
    parts.filter(|parts| !parts.is_empty())
}

fn no_parts(name: &SystemName, inside: &Inside) -> AppError {
    AppError::Input(format!(
        "no `{}` of the person is known, or one has characters that stand in no path here (letters, digits and `. _ @ + -` do): what copies hold of `{name}` cannot be told apart by it",
        inside.identity
    ))
}

fn names<'a>(names: impl Iterator<Item = &'a SystemName>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
