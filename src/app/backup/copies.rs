//! What a certificate says of the copies of what its case has erased, and who looks after them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::seen::{Seen, Trouble, earlier, later, settled_at};
use crate::app::carry_out::{GoneFrom, Payload};
use crate::app::recording::About;
use crate::app::residue::FilesOfCase;
use crate::app::{AppError, Quietus};
use crate::datamap::{Backup, Expire, System};
use crate::domain::{JobState, SystemName};
use crate::evidence::EvidenceKind;
use crate::evidence::statement::{Count, EvidenceReference, StatedBackup, SystemStatement};
use crate::store::{Case, Detail, Job, JobKind, NewJob, OutboxEntry};

/// A statement may rest on a listing of this age; it says of when it is.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_hours(2);
/// For so long whoever certifies waits for a store that nobody has listed yet.
const MOST_PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
/// A store that could not be listed is looked at again after this time.
pub(super) const AFTER_A_FAULT: SignedDuration = SignedDuration::from_hours(1);
/// A store is looked at again after this time where no day is known.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// A store that keeps data of copies which it no longer lists is asked again after this time: a day
/// has a moment at which it was cleared away and nothing else has gone since, and what is looked for
/// is looked for in the whole store.
const WHILE_DATA_REMAINS: SignedDuration = SignedDuration::from_hours(6);
/// Attempts of a look that are lost before a person is asked; those that end do not count.
const ATTEMPTS: u32 = 8;

/// The copies of what one case has erased, and the files and logs that it came from.
#[derive(Default)]
pub(crate) struct CopiesOfCase {
    stores: Vec<StoreOfCase>,
    files: FilesOfCase,
}

/// One store of them.
struct StoreOfCase {
    store: SystemName,
    expire: Expire,
    systems: BTreeMap<SystemName, Seen>,
    /// Entries of the log about looks at it.
    evidence: Vec<EvidenceReference>,
    /// A look that nobody has planned yet.
    planned: Option<NewJob>,
    /// Looks that this one takes the place of.
    outdated: Vec<Uuid>,
}

/// What a look at a store is for.
pub(crate) struct StoreLook {
    /// What was gone, and when, and what was seen of it when the look was planned.
    pub(super) planned: BTreeMap<SystemName, GoneFrom>,
    /// What was seen last.
    pub(super) latest: BTreeMap<SystemName, Seen>,
}

impl StoreLook {
    /// As it was planned, and as it was seen last.
    pub(super) fn of(job: &Job) -> Result<Self, AppError> {
        let unreadable = |why: String| AppError::Unreadable { what: "a job", why };
        let planned = match serde_json::from_value(job.payload.clone()) {
            Ok(Payload::Backup { systems }) => systems,
            Ok(_) => return Err(unreadable("it is no look at a store".to_owned())),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let done = job.done.as_ref().and_then(|done| done.get("systems"));
        let latest = done.and_then(|systems| serde_json::from_value(systems.clone()).ok());
        let latest = latest.unwrap_or_else(|| {
            planned.iter().map(|(name, gone)| (name.clone(), gone.seen.clone())).collect()
        });
        Ok(Self { planned, latest })
    }
}

/// When something was last erased in a system.
pub(crate) type Erased = BTreeMap<SystemName, Timestamp>;

impl Quietus {
    /// What is known of the copies of everything that a case has erased, with a look at each store
    /// that is not planned yet. Stores of which nothing is known are listed now.
    ///
    /// # Errors
    /// Where our own store is not there.
    pub(crate) async fn copies_of_case(
        &self,
        jobs: &[Job],
        statements: &[SystemStatement],
        details: &[Detail],
    ) -> Result<CopiesOfCase, AppError> {
        let files = self.files_of_case(jobs, statements, details).await?;
        let erased = self.erased(jobs, statements);
        let mut stores = Vec::new();
        let case = jobs.first().map(|job| job.case_id);
        for store in self.stores_of_case(jobs, &erased) {
            let looks: Vec<&Job> = looks_at(jobs, &store).collect();
            let evidence = self.references_about(&looks, details).await?;
            let mut one = self.store_of_case((case, store), &looks, &erased).await?;
            one.evidence = evidence;
            stores.push(one);
        }
        Ok(CopiesOfCase { stores, files })
    }

    /// When each system was done with, of those in which something was erased.
    pub(crate) fn erased(&self, jobs: &[Job], statements: &[SystemStatement]) -> Erased {
        let mut erased = Erased::new();
        for statement in statements.iter().filter(|one| has_erased(one)) {
            let system = &statement.system.id;
            let own = jobs
                .iter()
                .filter(|job| job.system == system.as_str() && job.kind != JobKind::Residue);
            // What is not done with may erase more at this very moment.
            let at_work = |job: &&Job| !job.state.is_final() && job.done.is_some();
            let ends = own.map(|job| if at_work(&job) { Some(self.now()) } else { job.settled_at });
            let last = ends.flatten().max().unwrap_or_else(|| self.now());
            erased.insert(system.clone(), last);
        }
        erased
    }

    /// Stores that copy one of these systems, and those at which somebody looks for this case.
    fn stores_of_case(&self, jobs: &[Job], erased: &Erased) -> BTreeSet<SystemName> {
        let copying = |(_, backup): &(&System, &Backup)| {
            backup.copies.iter().any(|system| erased.contains_key(system))
        };
        let mut stores: BTreeSet<SystemName> =
            self.stores().filter(copying).map(|(system, _)| system.name.clone()).collect();
        if !erased.is_empty() {
            let looked_at = jobs.iter().filter(|job| job.kind == JobKind::Backup);
            stores.extend(looked_at.filter_map(|job| SystemName::parse(&job.system).ok()));
        }
        stores
    }

    async fn store_of_case(
        &self,
        (case, store): (Option<Uuid>, SystemName),
        looks: &[&Job],
        erased: &Erased,
    ) -> Result<StoreOfCase, AppError> {
        let mapped = self.map.systems.get(&store);
        let mapped = mapped.and_then(|system| Some((system, system.backup.as_ref()?)));
        let last = looks.iter().filter(|job| job.state != JobState::Cancelled);
        let last = last.max_by_key(|job| (job.created_at, job.id)).copied();
        let before = last.map(|job| Ok::<_, AppError>((job, StoreLook::of(job)?))).transpose()?;
        let mut wanted: Erased = erased.clone();
        match (mapped, &before) {
            // What it copied once is in its copies, whatever it copies now.
            (Some((_, backup)), before) => wanted.retain(|system, _| {
                let once =
                    before.as_ref().is_some_and(|(_, look)| look.planned.contains_key(system));
                once || backup.copies.contains(system)
            }),
            (None, Some((_, look))) => wanted.retain(|system, _| look.planned.contains_key(system)),
            (None, None) => wanted.clear(),
        }
        let mut one = StoreOfCase {
            store,
            expire: mapped.map_or(Expire::ByStore, |(_, backup)| backup.expire),
            systems: BTreeMap::new(),
            evidence: Vec::new(),
            planned: None,
            outdated: Vec::new(),
        };
        if let Some((job, StoreLook { planned, latest: seen })) = before {
            let covers = wanted
                .iter()
                .all(|(name, at)| planned.get(name).is_some_and(|gone| gone.at >= *at));
            let speaks = !job.state.is_final() || seen.values().all(|seen| seen.gone);
            if covers && speaks {
                one.systems =
                    seen.into_iter().filter(|(name, _)| wanted.contains_key(name)).collect();
                return Ok(one);
            }
        }
        if wanted.is_empty() {
            return Ok(one);
        }
        let open = looks.iter().filter(|job| !job.state.is_final());
        one.outdated = open.map(|job| job.id).collect();
        let longest = mapped.map_or(A_DAY, |(_, backup)| backup.longest());
        one.systems = self.see(mapped, case, &wanted).await?;
        one.planned = Some(self.look_to_plan(&one, &wanted, longest)?);
        Ok(one)
    }

    /// What a store has of each system, now or as it was listed a while ago.
    async fn see(
        &self,
        mapped: Option<(&System, &Backup)>,
        case: Option<Uuid>,
        wanted: &Erased,
    ) -> Result<BTreeMap<SystemName, Seen>, AppError> {
        let all = |seen: Seen| wanted.keys().map(|name| (name.clone(), seen.clone())).collect();
        let Some((system, backup)) = mapped else {
            return Ok(all(Seen::nothing(Trouble::Unmapped)));
        };
        let listing = self.listing(system, backup, earlier(self.now(), LISTED_WITHIN));
        let listed = self.answer_in_time(&system.name, MOST_PATIENCE, listing).await;
        let Some(Ok(listing)) = listed else { return Ok(all(Seen::nothing(Trouble::Unlisted))) };
        let mut inside = self.erased_inside((system, backup), &Vec::from_iter(case)).await?;
        let inside = inside.pop().unwrap_or_default();
        let seen: BTreeMap<SystemName, Seen> = wanted
            .iter()
            .map(|(name, at)| (name.clone(), listing.seen_inside(*at, inside.get(name).copied())))
            .collect();
        let remains = self.remains_of((system, backup), seen.values());
        let remains = tokio::time::timeout(MOST_PATIENCE, remains).await;
        let remains = remains.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
        Ok(seen.into_iter().map(|(name, seen)| (name, seen.unless(&remains))).collect())
    }

    fn look_to_plan(
        &self,
        store: &StoreOfCase,
        wanted: &Erased,
        longest: SignedDuration,
    ) -> Result<NewJob, AppError> {
        let gone = wanted.iter().filter_map(|(name, at)| {
            let seen = store.systems.get(name)?.clone();
            Some((name.clone(), GoneFrom { at: *at, seen }))
        });
        let systems: BTreeMap<SystemName, GoneFrom> = gone.collect();
        let available_at = self.next_look(&systems, store.systems.values(), longest);
        Ok(NewJob {
            id: self.ids.new_id(),
            system: store.store.clone(),
            kind: JobKind::Backup,
            blocked: None,
            held_by: None,
            available_at,
            attempts_allowed: ATTEMPTS,
            payload: serde_json::to_value(Payload::Backup { systems })
                .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?,
            total_estimate: None,
        })
    }

    /// When somebody looks again: on the day on which the last copy is gone, and not before every
    /// copy that can hold something is listed; soon where no day is known.
    pub(super) fn next_look<'a>(
        &self,
        systems: &BTreeMap<SystemName, GoneFrom>,
        seen: impl Iterator<Item = &'a Seen>,
        longest: SignedDuration,
    ) -> Timestamp {
        let now = self.now();
        let settled = systems.values().map(|gone| settled_at(gone.at, longest)).max();
        let again = seen.filter(|seen| !seen.gone).map(|seen| match (seen.gone_by, seen.trouble) {
            // Only a copy that is being taken can hold it, and that is seen once all are listed.
            _ if seen.erased_inside_at.is_some() => now,
            (Some(day), None) if day > now => day,
            (_, Some(Trouble::Unlisted)) => later(now, AFTER_A_FAULT),
            _ if seen.remains.is_some() => later(now, WHILE_DATA_REMAINS),
            _ => later(now, A_DAY),
        });
        again.max().unwrap_or_else(|| later(now, A_DAY)).max(settled.unwrap_or(now))
    }

    /// What a certificate's writing brings to the log about copies: what was seen of each store the
    /// first time.
    pub(crate) fn first_looks(
        &self,
        case: &Case,
        copies: &CopiesOfCase,
    ) -> Result<Vec<OutboxEntry>, AppError> {
        let planned = copies.stores.iter().filter_map(|one| Some((one, one.planned.as_ref()?)));
        let entries = planned.map(|(one, job)| {
            self.record(
                EvidenceKind::BackupObserved,
                About { case: Some(case.id), job: None },
                &json!({
                    "case": case.id,
                    "job": job.id,
                    "store": one.store,
                    "systems": one.systems,
                    "lookedAtAgain": job.available_at,
                }),
            )
        });
        let mut entries = entries.collect::<Result<Vec<OutboxEntry>, AppError>>()?;
        entries.extend(self.first_sights(case, &copies.files)?);
        Ok(entries)
    }

    /// Calls off looks that later ones have taken the place of. One that goes on all the same
    /// changes nothing.
    pub(crate) async fn call_off_outdated(&self, copies: &CopiesOfCase) -> Result<(), AppError> {
        let outdated = copies.stores.iter().flat_map(|one| one.outdated.iter().copied());
        for job in outdated.chain(copies.files.outdated()) {
            self.store.cancel_job(job, crate::app::fire::SCHEDULER, self.now(), Vec::new()).await?;
        }
        Ok(())
    }
}

impl CopiesOfCase {
    /// Looks that are not planned yet.
    pub(crate) fn planned(&self) -> Vec<NewJob> {
        let at_stores = self.stores.iter().filter_map(|one| one.planned.clone());
        at_stores.chain(self.files.planned()).collect()
    }

    /// States them where something was erased.
    pub(crate) fn state(
        &self,
        statements: &mut [SystemStatement],
        now: Timestamp,
        zone: &TimeZone,
    ) {
        self.files.state(statements, now, zone);
        for statement in statements.iter_mut().filter(|one| has_erased(one)) {
            for one in &self.stores {
                let Some(seen) = one.systems.get(&statement.system.id) else { continue };
                statement.backup.push(stated(one, seen, now, zone));
                statement.evidence.extend(one.evidence.iter().cloned());
            }
        }
    }
}

/// Whether something was erased, as far as a statement says.
pub(crate) fn has_erased(statement: &SystemStatement) -> bool {
    let records = &statement.records;
    records.deleted.0 > 0 || records.cleared.0 > 0 || records.anonymised.0 > 0
}

fn stated(one: &StoreOfCase, seen: &Seen, now: Timestamp, zone: &TimeZone) -> StatedBackup {
    let day = |moment: Timestamp| moment.to_zoned(zone.clone()).date();
    // A day that is over without anybody having looked is promised to nobody.
    let gone_by = seen.gone_by.filter(|at| !seen.gone && *at > now);
    StatedBackup {
        store: one.store.to_string(),
        newest_copy_containing: seen.newest_at.filter(|_| !seen.gone),
        copies: seen.copies.map(Count),
        gone_by: gone_by.map(day),
        without_day: (!seen.gone && gone_by.is_none()).then(|| seen.why_without_day().to_owned()),
        seen_gone_at: seen.listed_at.filter(|_| seen.gone),
        listed_at: seen.listed_at,
        mechanism: match one.expire {
            _ if seen.erased_inside_at.is_some() => "erasure inside copies",
            Expire::ByStore => "expiry",
            Expire::ByQuietus => "expiry by quietus",
        }
        .to_owned(),
        re_delete_on_restore: false,
    }
}

fn looks_at<'a>(jobs: &'a [Job], store: &SystemName) -> impl Iterator<Item = &'a Job> {
    let store = store.to_string();
    jobs.iter().filter(move |job| job.kind == JobKind::Backup && job.system == store)
}
