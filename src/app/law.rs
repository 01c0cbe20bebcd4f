//! The law in force: minimums and maximums as they are when something is carried out, whatever the
//! rules were with which it was planned. The reason is the one for which holds are read anew: what
//! is deleted is deleted today.
//!
//! Purposes, and what a person wants, are those of the case. In force are the rules with which a
//! process has begun to work last: files that somebody is still writing are not. A process that works
//! by others, or cannot read them, leaves the jobs of persons to one that does not; what it does for
//! schedules keeps what a minimum of either keeps.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::carry_out::{Attempt, Ending};
use super::mutation::Mutation;
use super::opening::Pinned;
use super::recording::About;
use super::{AppError, Quietus};
use crate::config;
use crate::domain::{Digest, SystemName};
use crate::evidence::EvidenceKind;
use crate::plan::{digest_of_law, limits_of_both, says_the_same};
use crate::schedule::{Limit, RuleSet};
use crate::store::{ComingInForce, JobFault, RulesInForce, Settlement};

/// Tries to bring rules in force, while others do too.
const MOST_TRIES: usize = 8;
/// How long a job is left to a process that works by the rules in force.
const LEFT_FOR: Duration = Duration::from_mins(1);
/// The kind of the fault of a job that is left to such a process.
const EARLIER_RULES: &str = "earlier rules";

/// Rules in force that are not those of this process, as they were read last.
pub(crate) type ReadAnew = Mutex<Option<Arc<RuleSet>>>;

/// Whose law a job goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoesBy {
    /// What was counted, agreed to or done under the rules of its case stays so; what either keeps
    /// is kept.
    Both,
    /// A person's job decides anew by what is law now.
    InForce,
}

/// The minimums and maximums that something is carried out under.
pub(crate) struct Law {
    /// How often the rules in force had changed when it was read.
    pub(super) version: u64,
    /// The rule set in force.
    pub(super) digest: Digest,
    pub(super) limits: Vec<Limit>,
    /// They are not the limits of this process.
    pub(super) is_not_ours: bool,
}

/// Which law is in force, to be held against what was found under another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LawNow {
    /// How often the rules in force had changed when it was read.
    pub(crate) version: u64,
    /// Digest of the law of today; `None` where this process cannot read them.
    pub(crate) limits: Option<Digest>,
}

impl Law {
    /// The digest of the rule set in force, where it is not the one that a case was planned with.
    pub(super) fn other_than(&self, planned: Digest) -> Option<Digest> {
        Some(self.digest).filter(|digest| *digest != planned)
    }
}

impl Quietus {
    /// Brings the rules of this process in force: whoever begins to work does so. Where minimums or
    /// maximums differ from those of before, jobs that wait for a date come forward, in the systems
    /// that hold what these speak of: they are decided anew, so that nothing is kept a day too long,
    /// and what stays gets its new date.
    ///
    /// # Errors
    /// Where the store is not there, or others bring other rules in force all the time.
    pub async fn bring_rules_in_force(&self) -> Result<(), AppError> {
        for _ in 0..MOST_TRIES {
            let instead_of = self.store.rules_in_force().await?;
            if instead_of.digest == Some(self.rules.digest) {
                return Ok(());
            }
            let systems = self.systems_with_another_law(instead_of).await?;
            let in_force = instead_of.digest.map(|before| {
                let about = json!({
                    "sha256": self.rules.digest,
                    "insteadOf": before,
                    "otherLimitsIn": systems,
                });
                self.record(EvidenceKind::RulesPublished, About::default(), &about)
            });
            let coming = ComingInForce {
                instead_of,
                rules: self.rules_document.clone(),
                systems: systems.iter().map(ToString::to_string).collect(),
                now: self.now(),
                evidence: in_force.transpose()?.into_iter().collect(),
            };
            if let Some(forward) = self.store.bring_in_force(coming).await? {
                if forward > 0 {
                    tracing::info!(
                        jobs = forward,
                        "other minimums are law: jobs that wait for a date are decided anew"
                    );
                    self.wake.up();
                }
                return Ok(());
            }
        }
        let message = "other processes bring other rules in force again and again: give all of them the same files";
        Err(AppError::Input(message.to_owned()))
    }

    /// Systems with a category of which a minimum or maximum is another one than before; all of them
    /// where that cannot be told.
    async fn systems_with_another_law(
        &self,
        before: RulesInForce,
    ) -> Result<BTreeSet<SystemName>, AppError> {
        let earlier = match before.digest {
            None => None,
            Some(digest) => match self.rules_on_record(digest).await {
                Ok(rules) => Some(rules),
                Err(error @ AppError::Store(_)) => return Err(error),
                Err(_) => None,
            },
        };
        let categories = earlier.map(|earlier| {
            let of_one = changed(&earlier.limits, &self.rules.limits);
            let of_other = changed(&self.rules.limits, &earlier.limits);
            of_one.chain(of_other).map(|one| one.category.clone()).collect::<BTreeSet<_>>()
        });
        let concerned = self.map.systems.values().filter(|system| {
            let mut held = system.collections.values().flat_map(|one| one.categories());
            categories.as_ref().is_none_or(|changed| held.any(|one| changed.contains(one)))
        });
        Ok(concerned.map(|system| system.name.clone()).collect())
    }

    /// What is law for a job of a case.
    ///
    /// # Errors
    /// [`AppError::EarlierRules`] where the rules in force cannot be read here and somebody else may;
    /// else where they cannot be read, or do not know a category that the job is about.
    pub(super) async fn law_for(
        &self,
        (pinned, system): (&Pinned<'_>, Option<&SystemName>),
        goes_by: GoesBy,
    ) -> Result<Law, AppError> {
        let in_force = self.store.rules_in_force().await?;
        let digest = in_force.digest.unwrap_or(self.rules.digest);
        let of_case = pinned.rules();
        let about = system.map(|name| (pinned, name));
        if digest == self.rules.digest {
            let limits = self.limits_by(goes_by, (of_case, &self.rules), about)?;
            return Ok(Law { version: in_force.version, digest, limits, is_not_ours: false });
        }
        let rules = match self.rules_on_record(digest).await {
            Err(AppError::EarlierRules(words)) if goes_by == GoesBy::Both => {
                return Err(AppError::Input(words));
            }
            read => read?,
        };
        let limits = self.limits_by(goes_by, (of_case, rules.as_ref()), about)?;
        let is_not_ours = differ(&rules, &self.rules);
        Ok(Law { version: in_force.version, digest, limits, is_not_ours })
    }

    /// Whether this process works by other minimums or maximums than those in force, also where those
    /// cannot be read with its data map. `false` where they are damaged: whoever needs them says so.
    pub(super) async fn works_by_other_limits(&self) -> Result<bool, AppError> {
        let in_force = self.store.rules_in_force().await?.digest;
        let Some(digest) = in_force.filter(|digest| *digest != self.rules.digest) else {
            return Ok(false);
        };
        match self.rules_on_record(digest).await {
            Ok(rules) => Ok(differ(&rules, &self.rules)),
            Err(AppError::EarlierRules(_)) => Ok(true),
            Err(error @ AppError::Store(_)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Which law is in force.
    pub(super) async fn law_now(&self) -> Result<LawNow, AppError> {
        let in_force = self.store.rules_in_force().await?;
        let today = self.zone.to_datetime(self.now()).date();
        let limits = match in_force.digest.filter(|digest| *digest != self.rules.digest) {
            None => Some(digest_of_law(&self.rules.limits, today, today)),
            Some(digest) => match self.rules_on_record(digest).await {
                Ok(rules) => Some(digest_of_law(&rules.limits, today, today)),
                Err(error @ AppError::Store(_)) => return Err(error),
                Err(_) => None,
            },
        };
        let limits = limits.filter(|_| !self.suffers(Mutation::LimitsOfCase));
        Ok(LawNow { version: in_force.version, limits })
    }

    fn limits_by(
        &self,
        goes_by: GoesBy,
        (of_case, in_force): (&RuleSet, &RuleSet),
        about: Option<(&Pinned<'_>, &SystemName)>,
    ) -> Result<Vec<Limit>, AppError> {
        if of_case.digest == in_force.digest || self.suffers(Mutation::LimitsOfCase) {
            return Ok(of_case.limits.clone());
        }
        if let Some((pinned, name)) = about {
            every_category_is_known(pinned, name, in_force)?;
        }
        Ok(match goes_by {
            GoesBy::Both => limits_of_both(&of_case.limits, &in_force.limits),
            GoesBy::InForce => in_force.limits.clone(),
        })
    }

    /// A rule set on record, read with the data map of this process.
    async fn rules_on_record(&self, digest: Digest) -> Result<Arc<RuleSet>, AppError> {
        let known = || self.rules_read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known().as_ref().filter(|rules| rules.digest == digest) {
            return Ok(Arc::clone(rules));
        }
        let map_files = self.kept_files(self.map.digest).await?;
        let rule_files = self.kept_files(digest).await?;
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let read = config::compile(&map_files, &rule_files, zone);
        let (_, rules) = read.map_err(|_| {
            AppError::EarlierRules(format!(
                "the rules in force ({}) cannot be read with the data map of this process: start `quietus run` anew, on every machine",
                digest.short()
            ))
        })?;
        let rules = Arc::new(rules);
        *known() = Some(Arc::clone(&rules));
        Ok(rules)
    }

    /// How a person's job ends that this process leaves to one that works by the minimums in force, so
    /// that nobody gets a date by a law of before. It costs no attempt, and nothing was begun.
    pub(super) fn left_to_the_law(&self, attempt: &Attempt<'_>) -> Ending {
        let words = "this process works by other minimums than those in force, or cannot read those; one that was started since carries it out";
        tracing::warn!(job = %attempt.claimed.job.id, "{words}: start `quietus run` anew, on every machine");
        Ending {
            settlement: Settlement::Retry {
                available_at: self.after(LEFT_FOR),
                fault: JobFault { kind: EARLIER_RULES.to_owned(), message: words.to_owned() },
                free: true,
            },
            done: attempt.done.clone(),
            order_key: String::new(),
            verification: None,
            words: words.to_owned(),
        }
    }
}

fn differ(one: &RuleSet, other: &RuleSet) -> bool {
    let mut both = changed(&one.limits, &other.limits).chain(changed(&other.limits, &one.limits));
    both.next().is_some()
}

/// Limits of which the others have none that says the same.
fn changed<'a>(limits: &'a [Limit], others: &'a [Limit]) -> impl Iterator<Item = &'a Limit> {
    limits.iter().filter(|one| !others.iter().any(|other| says_the_same(one, other)))
}

/// Nobody can say which minimum keeps what the rules in force have no word for: it stays, and
/// somebody has to look.
fn every_category_is_known(
    pinned: &Pinned<'_>,
    system: &SystemName,
    in_force: &RuleSet,
) -> Result<(), AppError> {
    let collections =
        pinned.map().systems.get(system).into_iter().flat_map(|one| {
            one.collections.values().flat_map(|collection| collection.categories())
        });
    let exempt = &pinned.rules().exemptions;
    let unknown: BTreeSet<&str> = collections
        .filter(|one| !exempt.contains_key(*one) && !in_force.categories.contains_key(*one))
        .map(crate::domain::CategoryName::as_str)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unknown.into_iter().collect();
    Err(AppError::Input(format!(
        "the rules in force do not know `{}`, which this case is about, so nobody can say which minimum keeps it, and nothing is done: declare it under `categories` of a pack, with its minimums, or cancel the case",
        names.join("`, `")
    )))
}
