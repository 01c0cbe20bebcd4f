//! What others vouch for, as it is handed out with a certificate.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::super::log_chain::no_log;
use super::super::{AppError, Quietus};
use crate::evidence::anchor_folder::{AnchorFolder, HeadFiles};
use crate::evidence::bundle::Bundle;
use crate::evidence::time_stamp::in_der_order;
use crate::evidence::tlog_proof::TlogProof;
use crate::evidence::witnessing::Growth;
use crate::evidence::{merkle, tiles};
use crate::store::{Checkpoint, TimeStampRow};

impl Quietus {
    /// The heads before and after a certificate that others have stamped, the proof with the
    /// signatures of witnesses, and the policy.
    pub(crate) async fn anchor_folder(
        &self,
        log_id: &str,
        bundle: &Bundle,
    ) -> Result<AnchorFolder, AppError> {
        let own = (bundle.inclusion.size, bundle.inclusion.checkpoint.as_str());
        let index = bundle.inclusion.index;
        let before = self.store.last_stamped_without(log_id, index).await?;
        let after = match self.first_stamped_with(log_id, index).await? {
            Some(size) => Some(size),
            None => self.store.first_stamped_with(log_id, index, None).await?,
        };
        let renewed = match after {
            Some(size) => self.renewed_beyond(log_id, size).await?,
            None => None,
        };
        let mut folder = AnchorFolder::default();
        for (size, head) in [
            (before, &mut folder.before),
            (after, &mut folder.after),
            (renewed, &mut folder.renewed),
        ] {
            if let Some(size) = size {
                *head = self.head_files(log_id, size, own).await?;
            }
        }
        folder.chains = self
            .store
            .time_stamp_chains()
            .await?
            .into_iter()
            .map(|one| (one.authority, one.chain.into_bytes()))
            .collect();
        folder.proof = self.proof_with_cosignatures(log_id, bundle).await?;
        folder.policy = Some(self.policy(log_id).await?.to_string().into_bytes());
        Ok(folder)
    }

    /// The newest stamped head, where it is thought to be sound for longer than the one after the
    /// certificate.
    async fn renewed_beyond(&self, log_id: &str, size: u64) -> Result<Option<u64>, AppError> {
        let soundest = |stamps: &[crate::store::TimeStampRow]| {
            stamps.iter().map(|stamp| stamp.sound_until).max()
        };
        let Some(newest) = self.store.last_stamped_beyond(log_id, size).await? else {
            return Ok(None);
        };
        let first = soundest(&self.store.time_stamps_of_head(log_id, size).await?);
        let last = soundest(&self.store.time_stamps_of_head(log_id, newest).await?);
        Ok((last > first).then_some(newest))
    }

    /// A stamped head with its time stamps, and the proof that it and the certificate's are of one
    /// history.
    async fn head_files(
        &self,
        log_id: &str,
        size: u64,
        (own_size, own_note): (u64, &str),
    ) -> Result<Option<HeadFiles>, AppError> {
        let Some(head) = self.store.checkpoint_at(log_id, size).await? else { return Ok(None) };
        let note = self.cosigned_note(&head).await?;
        let (old, new) = (size.min(own_size), size.max(own_size));
        let path = self.path_between(log_id, old, new).await.map_err(AppError::Evidence)?;
        let later = if size > own_size { note.clone() } else { own_note.to_owned() };
        let stamps = telling(self.store.time_stamps_of_head(log_id, size).await?);
        Ok(Some(HeadFiles {
            checkpoint: note.into_bytes(),
            growth: Growth { old, path, note: later }.to_text().into_bytes(),
            names: stamps.iter().map(|one| (one.authority.clone(), one.stamped_at)).collect(),
            stamps: stamps.iter().map(|one| in_der_order(&one.answer)).collect(),
        }))
    }

    /// The certificate's place in the smallest head that enough witnesses signed, else in the one of
    /// its bundle.
    async fn proof_with_cosignatures(
        &self,
        log_id: &str,
        bundle: &Bundle,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let index = bundle.inclusion.index;
        let size = match self.first_witnessed_with(log_id, index).await? {
            Some(size) => size,
            None => bundle.inclusion.size,
        };
        let Some(head) = self.store.checkpoint_at(log_id, size).await? else { return Ok(None) };
        let log = self.store.head(log_id).await?.ok_or_else(no_log)?;
        self.sign_again(&log, &head).await?;
        let note = self.cosigned_note(&head).await?;
        let path = self.path_to(&head, index).await?;
        Ok(Some(TlogProof { index, path, note }.to_text().into_bytes()))
    }

    /// The audit path of an entry in the tree of a signed head.
    pub(in crate::app) async fn path_to(
        &self,
        head: &Checkpoint,
        index: u64,
    ) -> Result<Vec<crate::domain::Digest>, AppError> {
        let needed = tiles::tiles_of_inclusion(index, head.size);
        let stored = self.store.tiles(&head.log_id, &needed).await?;
        let refuse = |error: merkle::MerkleError| AppError::Evidence(error.to_string());
        tiles::inclusion_proof(index, head.size, |tile| stored.get(&tile).cloned()).map_err(refuse)
    }
}

/// Of the time stamps of one head, the first and the soundest of each authority: a head that stands
/// still is stamped anew again and again, and a verifier looks at few.
fn telling(stamps: Vec<TimeStampRow>) -> Vec<TimeStampRow> {
    let authorities: BTreeSet<&str> = stamps.iter().map(|one| one.authority.as_str()).collect();
    let mut wanted = BTreeSet::new();
    for authority in authorities {
        let theirs = || {
            stamps.iter().enumerate().filter(move |(_, one)| one.authority.as_str() == authority)
        };
        let first = theirs().min_by_key(|(_, one)| one.stamped_at);
        let soundest = theirs().max_by_key(|(_, one)| (one.sound_until, Reverse(one.stamped_at)));
        wanted.extend(first.into_iter().chain(soundest).map(|(number, _)| number));
    }
    let numbered = stamps.into_iter().enumerate();
    numbered.filter(|(number, _)| wanted.contains(number)).map(|(_, stamp)| stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn of_many_time_stamps_those_that_tell_something_are_handed_out() {
        let stamp = |authority: &str, at: i64, until: i64| TimeStampRow {
            authority: authority.to_owned(),
            answer: Vec::new(),
            stamped_at: Timestamp::from_second(at).unwrap(),
            sound_until: Timestamp::from_second(until).unwrap(),
        };
        let daily = (1..=90).map(|day| stamp("notary", day, 1_000));
        let told =
            telling(daily.chain([stamp("notary", 91, 2_000), stamp("other", 7, 9)]).collect());
        let told: Vec<(String, i64)> =
            told.into_iter().map(|one| (one.authority, one.stamped_at.as_second())).collect();
        let wanted = [("notary", 1), ("notary", 91), ("other", 7)];
        assert_eq!(told, wanted.map(|(authority, at)| (authority.to_owned(), at)));
    }
}
