//! What a certificate says of a third party: that it was asked, what it answered, and how strong
//! its word is. Nothing here is ours to have seen, except where we looked again ourselves.

use quietus_connectors::{Grade, SubjectAction, SubjectResult, Testimony};

use super::statement::SystemAccount;
use crate::datamap::ThirdParty;
use crate::domain::{Digest, JobState};
use crate::evidence::statement::{
    CertifiedAction, Count, KeptReason, RemovalGrade, StatedFailure, StatedKept, StatedMethod,
    StatedRecipient, StatedRecords, StatedSystem, StatedVerification, StatementOutcome, SystemKind,
    SystemStatement, VerificationFinding, VerificationType,
};
use crate::schedule::Action;

/// What is said where something may have been sent before a legal hold came, and nobody can look.
const UNKNOWN: &str = "an attempt to have it erased had begun before the legal hold came, and \
                       whether anything is left is not known";
/// What is said where something may have been sent before a legal hold came, and something is there.
const IN_PART: &str =
    "an attempt to have it erased had begun before the legal hold came, and a part may be gone";

impl SystemAccount<'_> {
    /// One statement for the third party as a whole.
    pub(super) fn state_third_party(
        &self,
        party: &ThirdParty,
        asked: SubjectAction,
    ) -> SystemStatement {
        let testimonies = self.said.as_slice();
        let held = self.held_back(testimonies);
        let (outcome, failure) = match held {
            Some(_) if self.is_unknown_under_hold() => {
                (StatementOutcome::Pending, Some(self.failure(UNKNOWN.to_owned())))
            }
            Some(_) => (StatementOutcome::Retained, None),
            None => self.outcome_of(testimonies),
        };
        let weakest = testimonies.iter().map(|one| one.grade).max();
        let done = matches!(
            outcome,
            StatementOutcome::Completed
                | StatementOutcome::NotFound
                | StatementOutcome::AttestedByProcessor
        );
        SystemStatement {
            id: String::new(),
            job_id: self.job.map(|job| job.id),
            system: StatedSystem {
                id: self.system.name.clone(),
                kind: SystemKind::Processor,
                operator: party.operator.clone(),
                region: self.system.region.clone(),
            },
            collection: None,
            category: None,
            rules: Vec::new(),
            cut_offs: Vec::new(),
            limits_rule_set_sha256: None,
            action: match asked {
                SubjectAction::Erase => CertifiedAction::Erase,
                SubjectAction::Restrict => CertifiedAction::Restrict,
                SubjectAction::Lift => CertifiedAction::None,
            },
            outcome,
            method: StatedMethod {
                nist80088: RemovalGrade::NotApplicable,
                technique: self.capabilities.erasure_grade.clone(),
                tool: format!("quietus {} {}", self.capabilities.kind, env!("CARGO_PKG_VERSION")),
            },
            records: StatedRecords {
                matched: Count(u64::from(held.is_some())),
                ..StatedRecords::default()
            },
            kept: held.into_iter().collect(),
            staying_fields: Vec::new(),
            verification: self.look_at_third_party(weakest.filter(|_| done)),
            started_at: self.started_at,
            completed_at: self.job.and_then(|job| job.settled_at),
            failure,
            exception: None,
            backup: Vec::new(),
            files: None,
            recipient: Some(self.recipient(party, testimonies, weakest)),
            evidence: self.evidence.clone(),
        }
    }

    /// What a legal hold keeps there, where it was not asked because of it, or was before it came and
    /// has not answered. Nothing was counted, so the person stands for one record.
    fn held_back(&self, said: &[Testimony]) -> Option<StatedKept> {
        let held = self.ordered.held_back.as_ref();
        let held = held.filter(|_| said.is_empty() && self.is_completed())?;
        let matters: Vec<&str> = held.matters.iter().map(String::as_str).collect();
        let mut because = match matters.as_slice() {
            [matter] => format!("matter {matter}"),
            several => format!("one or more of the matters {}", several.join(", ")),
        };
        if self.done.sent {
            because.push_str("; ");
            because.push_str(if self.is_unknown_under_hold() { UNKNOWN } else { IN_PART });
        }
        Some(StatedKept {
            reason: KeptReason::LegalHold,
            records: Count(1),
            because,
            until: None,
            first_until: None,
            review_on: held.review_on,
            restricted: false,
        })
    }

    /// It was asked before a hold came, and nobody has seen since what is there.
    fn is_unknown_under_hold(&self) -> bool {
        let seen = self.verification.as_ref().is_some_and(|look| !look.found.survivors.is_empty());
        self.done.sent && !seen
    }

    fn outcome_of(&self, said: &[Testimony]) -> (StatementOutcome, Option<StatedFailure>) {
        let failed = |reason: String| StatedFailure {
            reason,
            attempts: self.job.map_or(0, |job| job.attempt),
            owner: Some(self.system.owner.clone()).filter(|owner| !owner.is_empty()),
            next_attempt_at: self
                .job
                .filter(|job| !job.state.is_final())
                .map(|job| job.available_at),
        };
        let state = self.job.map(|job| job.state);
        if state != Some(JobState::Completed) {
            let words = self.job.and_then(|job| job.last_fault.as_ref());
            let words = words.map_or_else(
                || {
                    state.map_or_else(
                        || "no job was made".to_owned(),
                        |one| format!("the job is {one}"),
                    )
                },
                |fault| fault.message.clone(),
            );
            return match state {
                Some(JobState::Failed) => (StatementOutcome::Failed, Some(failed(words))),
                Some(JobState::Cancelled) => {
                    let why = self.called_off.unwrap_or("called off").to_owned();
                    (StatementOutcome::Skipped, Some(failed(why)))
                }
                Some(_) => (StatementOutcome::Pending, Some(failed(words))),
                None => (StatementOutcome::Skipped, Some(failed(words))),
            };
        }
        let refused = said.iter().find(|one| one.result == SubjectResult::Refused);
        if let Some(refused) = refused {
            return (StatementOutcome::Failed, Some(failed(refused.words.clone())));
        }
        if said.is_empty() {
            let why = "it answered, and said nothing of the person".to_owned();
            return (StatementOutcome::Pending, Some(failed(why)));
        }
        if said.iter().any(|one| one.grade != Grade::Verified) {
            return (StatementOutcome::AttestedByProcessor, None);
        }
        // Who is gone after an attempt without an answer may have been there before it.
        let lost = self.lost || (self.done.sent && self.ordered.held_back.is_some());
        if said.iter().all(|one| one.result == SubjectResult::Absent) && !lost {
            return (StatementOutcome::NotFound, None);
        }
        (StatementOutcome::Completed, None)
    }

    fn look_at_third_party(&self, weakest: Option<Grade>) -> StatedVerification {
        let Some((grade, look)) = weakest.zip(self.verification.as_ref()) else {
            return StatedVerification {
                kind: VerificationType::None,
                at: None,
                result: VerificationFinding::Unknown,
                method: "nobody looked again".to_owned(),
            };
        };
        let ours = grade == Grade::Verified && !look.found.relied_upon;
        StatedVerification {
            kind: if ours { VerificationType::PostQuery } else { VerificationType::Attestation },
            at: Some(look.at),
            result: if !ours {
                VerificationFinding::Unknown
            } else if look.found.survivors.is_empty() {
                VerificationFinding::Absent
            } else {
                VerificationFinding::Survivors
            },
            method: look.found.method.clone(),
        }
    }

    fn recipient(
        &self,
        party: &ThirdParty,
        said: &[Testimony],
        weakest: Option<Grade>,
    ) -> StatedRecipient {
        let proof = said.iter().find_map(|one| one.proof.as_ref());
        let mut words: Vec<&str> = said.iter().map(|one| one.words.as_str()).collect();
        words.dedup();
        let digest = proof.and_then(|proof| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(&proof.document_sha256, &mut bytes).ok()?;
            Some(Digest(bytes))
        });
        StatedRecipient {
            name: party.operator.clone(),
            notified_at: self.started_at,
            grade: weakest.map(|grade| grade.as_str().to_owned()),
            words: (!words.is_empty()).then(|| words.join("; ")),
            receipt_sha256: digest,
            signature: proof.and_then(|proof| proof.signature.clone()),
            certificates: proof.and_then(|proof| proof.certificates.clone()),
        }
    }
}

/// What a person asked for, in the words of rules; lifting has none.
pub(super) fn action_asked(asked: SubjectAction) -> Option<Action> {
    match asked {
        SubjectAction::Erase => Some(Action::Erase),
        SubjectAction::Restrict => Some(Action::Restrict),
        SubjectAction::Lift => None,
    }
}
