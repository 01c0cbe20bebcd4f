//! Carrying out what two persons want erased inside copies, and what a look may say of it afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{BackupStore, InsideErasure, InsidePart, Stay};
use serde_json::json;
use uuid::Uuid;

use super::inside::{Matter, of, parts_of, written};
use super::seen::{InsideSeen, Trouble, later};
use crate::app::crash::CrashPoint;
use crate::app::{AppError, Quietus};
use crate::datamap::{Backup, System};
use crate::domain::SystemName;
use crate::store::{InsideErasureRow, InsideState, Lead};

/// What could not be carried out is tried again after this time.
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_hours(1);

/// Systems whose files of a person were erased inside of copies, each with what the store has of them.
pub(crate) type ErasedInside = BTreeMap<SystemName, InsideSeen>;

/// How an erasure inside copies went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsideEnd {
    /// It was carried out.
    Done {
        /// Files and folders that went.
        gone: u64,
        /// Of how many copies.
        copies: u64,
        /// What the store keeps, each reason with how often it is given.
        kept: Vec<(Stay, u64)>,
    },
    /// It could not be carried out, and is tried again.
    PutOff {
        /// Why, without personal data.
        why: String,
        /// When.
        try_at: Timestamp,
    },
}

/// What a done erasure may say of a case, if the store has nothing of these paths.
#[derive(Default)]
struct Claim {
    /// When each was erased.
    systems: BTreeMap<SystemName, Timestamp>,
    parts: Vec<InsidePart>,
}

impl Quietus {
    /// Carries out every erasure inside copies that was agreed to and is not done; how many.
    ///
    /// # Errors
    /// Where our own store is not there. What a store of copies does not do is tried again.
    pub async fn carry_out_approved_inside(&self) -> Result<u64, AppError> {
        let mut carried_out = 0;
        for row in self.store.inside_erasures_to_carry_out(self.now()).await? {
            carried_out += u64::from(Box::pin(self.carry_out_inside(&row)).await?.is_some());
        }
        Ok(carried_out)
    }

    /// Carries one out; `None` where another process does, or has.
    pub(super) async fn carry_out_inside(
        &self,
        row: &InsideErasureRow,
    ) -> Result<Option<InsideEnd>, AppError> {
        let name = format!("erasure inside {}", row.store);
        let holder = self.ids.new_id().to_string();
        if !self.lead_inside(&name, &holder).await? {
            return Ok(None);
        }
        let end = tokio::select! {
            end = self.erase_inside(row.id) => end,
            () = self.keep_leading_inside(&name, &holder) => Ok(None),
        };
        self.store.yield_lead(&name, &holder).await?;
        self.wake.up();
        end
    }

    async fn lead_inside(&self, name: &str, holder: &str) -> Result<bool, AppError> {
        let lead = Lead { name, holder, until: self.lease_until() };
        Ok(self.store.try_lead(lead, self.now()).await?)
    }

    /// Ends once another process leads.
    async fn keep_leading_inside(&self, name: &str, holder: &str) {
        let pause = (self.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            match self.lead_inside(name, holder).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "the lead could not be renewed"),
            }
        }
    }

    async fn erase_inside(&self, id: Uuid) -> Result<Option<InsideEnd>, AppError> {
        let row = self.inside_row(id).await?;
        if row.state != InsideState::Approved {
            return Ok(None);
        }
        let erased = match self.matter_as_asked(&row).await {
            Err(error @ AppError::Store(_)) => return Err(error),
            Err(error) => Err(error.to_string()),
            Ok(matter) => self.erase_matter(&row, &matter).await?,
        };
        match erased {
            Ok(erasure) => self.inside_ended(&row, &erasure).await.map(Some),
            Err(why) => {
                let try_at = later(self.now(), AFTER_A_FAULT);
                tracing::warn!(
                    store = row.store,
                    why,
                    "files could not be erased inside of copies"
                );
                let entry = self.inside_entry(of(&row), "failed", json!({ "why": why })).await?;
                let put_off = (why.as_str(), try_at);
                self.store.put_off_inside_erasure(id, put_off, self.now(), vec![entry]).await?;
                Ok(Some(InsideEnd::PutOff { why, try_at }))
            }
        }
    }

    /// The intent is on record before the store is asked.
    async fn erase_matter(
        &self,
        row: &InsideErasureRow,
        matter: &Matter<'_>,
    ) -> Result<Result<InsideErasure, String>, AppError> {
        let store = match self.open_store(matter.system, matter.backup) {
            Ok(store) => store,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let begun = json!({ "paths": matter.parts.len() });
        let begun = self.inside_entry(of(row), "begun", begun).await?;
        self.store.record_evidence(vec![begun], self.now()).await?;
        self.crash.reach(CrashPoint::InsideBegun);
        let erased = store.erase_inside(&matter.parts).await;
        self.crash.reach(CrashPoint::InsideErased);
        Ok(erased.map_err(|fault| fault.to_string()))
    }

    async fn inside_ended(
        &self,
        row: &InsideErasureRow,
        erasure: &InsideErasure,
    ) -> Result<InsideEnd, AppError> {
        let gone = erasure.gone.iter().map(|one| one.entries).sum();
        let copies = u64::try_from(erasure.gone.len()).unwrap_or(u64::MAX);
        let kept = by_reason(erasure);
        let many: u64 = kept.iter().map(|(_, many)| many).sum();
        let reasons: Vec<_> = kept
            .iter()
            .map(|(stay, many)| json!({ "why": stay.why, "until": stay.until, "copies": many }))
            .collect();
        let about = json!({ "files": gone, "copies": copies, "kept": reasons });
        let entry = self.inside_entry(of(row), "ended", about).await?;
        self.store.end_inside_erasure(row, (gone, many), self.now(), vec![entry]).await?;
        tracing::info!(
            store = row.store, erasure = %row.id, gone, copies, kept = many,
            "files were erased inside of copies"
        );
        Ok(InsideEnd::Done { gone, copies, kept })
    }

    /// Of each of these cases, what the store has of files that were erased inside of its copies. It is
    /// asked again; where the person is forgotten, or the data map says something else by now, nothing
    /// is said.
    ///
    /// # Errors
    /// Where our own store is not there.
    pub(super) async fn erased_inside(
        &self,
        (system, backup): (&System, &Backup),
        cases: &[Uuid],
    ) -> Result<Vec<ErasedInside>, AppError> {
        let mut claims = Vec::with_capacity(cases.len());
        for case in cases {
            claims.push(self.claim_of((system, backup), *case).await?);
        }
        // Once for all; one by one only where something is left.
        let all: Vec<InsidePart> = claims.iter().flat_map(|one| one.parts.clone()).collect();
        let mut found = vec![ErasedInside::new(); cases.len()];
        if all.is_empty() {
            return Ok(found);
        }
        let store = self.open_store(system, backup);
        let together = has_any(store.as_deref(), &all).await;
        for (claim, found) in claims.iter().zip(&mut found) {
            let left = match together {
                Some(Trouble::Held) if cases.len() > 1 && !claim.parts.is_empty() => {
                    has_any(store.as_deref(), &claim.parts).await
                }
                left => left,
            };
            found.extend(claim.systems.iter().map(|(name, erased_at)| {
                let clear = InsideSeen::Clear(*erased_at);
                (name.clone(), left.map_or(clear, InsideSeen::NotClear))
            }));
        }
        Ok(found)
    }

    async fn claim_of(
        &self,
        (system, backup): (&System, &Backup),
        case: Uuid,
    ) -> Result<Claim, AppError> {
        let mut claim = Claim::default();
        if backup.inside.is_empty() {
            return Ok(claim);
        }
        let row = self.store.inside_erasure_of_case(case, system.name.as_str()).await?;
        let Some((row, (ended_at, ..))) = row.and_then(|row| Some((row.clone(), row.ended?)))
        else {
            return Ok(claim);
        };
        let Some(stored) = self.store.request_of_case(case).await? else { return Ok(claim) };
        let person = match self.open_request(stored) {
            Ok(request) => request.person,
            Err(error @ AppError::Store(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(%case, %error, "nobody knows whose files copies were to hold");
                None
            }
        };
        let Some(person) = person else { return Ok(claim) };
        for (name, inside) in &backup.inside {
            // It was erased by another word of the data map: that says nothing of this one.
            if row.declared.get(name.as_str()) != Some(&written(inside)) {
                continue;
            }
            if let Some(parts) = parts_of(&person, inside) {
                claim.parts.extend(parts);
                claim.systems.insert(name.clone(), ended_at);
            }
        }
        Ok(claim)
    }
}

/// Why no copy may be called clear of this; `None` where the store has answered that each is.
async fn has_any(
    store: Result<&dyn BackupStore, &AppError>,
    parts: &[InsidePart],
) -> Option<Trouble> {
    let holding = match store {
        Ok(store) => store.holding(parts).await.map_err(|fault| fault.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match holding {
        Ok(holding) => (!holding.is_empty()).then_some(Trouble::Held),
        Err(why) => {
            tracing::warn!(why, "copies could not be looked into");
            Some(Trouble::Unlisted)
        }
    }
}

fn by_reason(erasure: &InsideErasure) -> Vec<(Stay, u64)> {
    let mut reasons: Vec<(Stay, u64)> = Vec::new();
    for (_, stay) in &erasure.kept {
        match reasons.iter_mut().find(|(one, _)| one == stay) {
            Some((_, many)) => *many += 1,
            None => reasons.push((stay.clone(), 1)),
        }
    }
    reasons
}
