//! Many people at once: parts of requests in one database whose orders are alike but for the person
//! go to it as one. Each job keeps its key, attempt, intent, counts, second look and evidence; only
//! the statements are shared. What was done is committed under the key of each job, so one that was
//! stopped, called off or lost goes on alone or in other company. What the database cannot tell
//! apart, or refuses, is carried out job by job.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quietus_connectors::{Fault, LinkKind, Order, Together, alike};
use tokio_util::sync::CancellationToken;

use super::carry_out::{Attempt, Payload};
use super::crash::CrashPoint;
use super::done::Done;
use super::forecast::groups_of;
use super::joint_watch::JointWatch;
use super::prepare::{Compiled, Prepared, Ready, compiled_with, order_of, payload_of, system_of};
use super::request::{Ground, Seeking};
use super::{AppError, Quietus};
use crate::datamap::System;
use crate::plan::Acting;
use crate::store::{
    Claim, ClaimedJob, JobKind, JointStep, StillMine, TOGETHER_AFTER_FAULT, Tenure,
};

/// Jobs that one worker carries out together.
const MOST_TOGETHER: u32 = 250;
/// Attempts that have to be left of a job: one that fails again and again goes alone, so that it
/// fails nobody else's.
const FEWEST_ATTEMPTS_LEFT: u32 = 5;

/// One of several jobs, ready to be carried out.
pub(super) struct Member<'a> {
    pub(super) attempt: &'a Attempt<'a>,
    pub(super) order: Order,
    plan: crate::plan::SystemPlan,
    /// What earlier attempts have done.
    pub(super) done: Done,
    pub(super) started: StillMine,
}

/// A job whose order is compiled.
struct Planned<'a> {
    attempt: &'a Attempt<'a>,
    compiled: Compiled,
    order: Order,
}

/// What members of one undertaking share.
#[derive(Clone, Copy)]
struct Joint<'a> {
    stop: &'a CancellationToken,
    /// The store did not answer when the leases were to be renewed.
    blind: &'a AtomicBool,
}

impl Quietus {
    /// Claims jobs that could go together with one that was just claimed.
    pub(super) async fn claim_company(
        &self,
        claimed: &ClaimedJob,
        worker: &str,
    ) -> Result<Vec<ClaimedJob>, AppError> {
        let job = &claimed.job;
        let of_request = matches!(job.kind, JobKind::Request | JobKind::Retained);
        let joins = self.system(&job.system).is_ok_and(can_join);
        let left = job.attempts_allowed.saturating_sub(job.attempt);
        let fails = job.last_fault.is_some() && job.attempt > TOGETHER_AFTER_FAULT;
        if !of_request
            || fails
            || !joins
            || job.reference.is_some()
            || job.cancel_requested.is_some()
            || left < FEWEST_ATTEMPTS_LEFT
        {
            return Ok(Vec::new());
        }
        let claim = Claim {
            worker: worker.to_owned(),
            now: self.now(),
            lease_until: self.lease_until(),
            limit: MOST_TOGETHER - 1,
        };
        Ok(self.store.claim_company(claim, &job.system, FEWEST_ATTEMPTS_LEFT).await?)
    }

    /// Carries out jobs of one system that one worker has claimed, together as far as they are
    /// alike.
    pub(super) async fn carry_out_together(
        &self,
        claimed: &[ClaimedJob],
        worker: (&str, jiff::Timestamp),
        stop: &CancellationToken,
    ) -> Result<(), AppError> {
        let mut attempts = Vec::with_capacity(claimed.len());
        for one in claimed {
            match self.attempt_of(one, worker).await {
                Ok(attempt) => attempts.push(attempt),
                Err(AppError::Store(error)) => return Err(error.into()),
                // It is in nobody else's way; its lease ends.
                Err(error) => {
                    tracing::error!(job = %one.job.id, %error, "a job cannot be read");
                }
            }
        }
        let tenures: Vec<Tenure> = attempts.iter().map(|one| one.tenure.clone()).collect();
        let blind = AtomicBool::new(false);
        let joint = Joint { stop, blind: &blind };
        tokio::select! {
            done = self.go_together(&attempts, joint) => done,
            () = self.keep_leases(&tenures, &blind) => Ok(()),
        }
    }

    /// Keeps the leases of all of them alive, whoever's turn it is. Which of them is lost is told
    /// by the guard of its next step.
    async fn keep_leases(&self, tenures: &[Tenure], blind: &AtomicBool) {
        let pause = (self.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            let step = |tenure: &Tenure| JointStep { tenure: tenure.clone(), done: None };
            let steps = tenures.iter().map(step).collect();
            if let Err(error) = self.store.save_joint_progress(steps, self.lease_until()).await {
                tracing::warn!(%error, "leases could not be renewed; the orders stop");
                blind.store(true, Ordering::Relaxed);
            }
        }
    }

    async fn go_together(
        &self,
        attempts: &[Attempt<'_>],
        joint: Joint<'_>,
    ) -> Result<(), AppError> {
        let mut wanted = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let timetable = self.timetable_of(&attempt.case);
            match self.not_now(attempt, timetable.as_ref()) {
                Some(ready) => self.end(attempt, ready).await?,
                None => wanted.push(attempt),
            }
        }
        let mut planned = Vec::with_capacity(wanted.len());
        let same = |one: &&Attempt<'_>, other: &&Attempt<'_>| ground_of(one) == ground_of(other);
        for group in groups_of(wanted, same) {
            let compiled = match Box::pin(self.compile_together(&group)).await {
                Ok(compiled) => compiled,
                Err(AppError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    cannot_be_prepared(&group, &error);
                    continue;
                }
            };
            for (attempt, compiled) in group.into_iter().zip(compiled) {
                let order = match self.compiled_or_ended(attempt, compiled) {
                    Ok(Ok(compiled)) => {
                        order_of(attempt, &compiled).map(|order| Some((compiled, order)))
                    }
                    Ok(Err(ready)) => self.end(attempt, *ready).await.map(|()| None),
                    Err(error) => Err(error),
                };
                match order {
                    Ok(Some((compiled, order))) => {
                        planned.push(Planned { attempt, compiled, order });
                    }
                    Ok(None) => {}
                    Err(AppError::Store(error)) => return Err(error.into()),
                    Err(error) => cannot_be_prepared(&[attempt], &error),
                }
            }
        }
        for group in groups_of(planned, |one, other| alike(&one.order, &other.order)) {
            Box::pin(self.carry_out_group(group, joint)).await?;
        }
        Ok(())
    }

    async fn end(&self, attempt: &Attempt<'_>, ready: Ready) -> Result<(), AppError> {
        match ready {
            Ready::Ended(ending) => self.settle_attempt(attempt, *ending).await,
            Ready::Order(_) => Ok(()),
        }
    }

    /// Finds the people of these jobs in their database, all with one round of questions after the
    /// other, and compiles the order of each. They are planned on the same ground.
    async fn compile_together(
        &self,
        attempts: &[&Attempt<'_>],
    ) -> Result<Vec<Result<Compiled, AppError>>, AppError> {
        let Some(first) = attempts.first() else { return Ok(Vec::new()) };
        let system = system_of(first)?;
        let pinned = match self.pinned(&first.case).await {
            Ok(pinned) => pinned,
            Err(AppError::Input(message)) => return Ok(all_refused(attempts, &message)),
            Err(error) => return Err(error),
        };
        let moment = moment_of(first)?.unwrap_or(first.case.moment);
        let ground = Ground { map: pinned.map(), rules: pinned.rules(), moment };
        let mut wanted = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            wanted.push(self.wanted_in(&attempt.case).await);
        }
        // Where more than this system has to be asked, the person is sought alone.
        let mut people: Vec<Seeking> = wanted
            .iter()
            .flatten()
            .filter(|one| !one.needs_all())
            .map(|one| one.seeking.clone())
            .collect();
        let found = match self.find_people(ground, &mut people, Some(&system)).await {
            Ok(found) => found,
            Err(AppError::Input(message)) => return Ok(all_refused(attempts, &message)),
            Err(error) => return Err(error),
        };
        let acting = Acting::Everything;
        let circumstances = self.circumstances(ground.basis(&acting, &self.zone)).await?;
        let mut known = people.into_iter().zip(found);
        let mut compiled = Vec::with_capacity(attempts.len());
        for (attempt, wanted) in attempts.iter().zip(wanted) {
            let part = match wanted {
                Err(error) => Err(error),
                Ok(wanted) if wanted.needs_all() => {
                    compiled.push(self.compile_job(attempt, &pinned, &system).await);
                    continue;
                }
                Ok(mut wanted) => {
                    let (seeking, found) = known.next().ok_or_else(nobody_found)?;
                    wanted.seeking = seeking;
                    self.compile_found(ground, &system, (wanted, Some(found)), &circumstances).await
                }
            };
            compiled.push(
                part.and_then(|part| compiled_with(attempt, ground.map, part.plan, &circumstances)),
            );
        }
        Ok(compiled)
    }

    /// Carries out orders that are alike: records the intent of each, and sends them.
    async fn carry_out_group(
        &self,
        group: Vec<Planned<'_>>,
        joint: Joint<'_>,
    ) -> Result<(), AppError> {
        let mut members = Vec::with_capacity(group.len());
        for Planned { attempt, compiled, order } in group {
            match self.start(attempt, &order, &compiled).await? {
                Ok(started) => {
                    let Compiled { plan, ordered, .. } = compiled;
                    let done = Done { ordered: Some(ordered), ..attempt.done.clone() };
                    members.push(Member { attempt, order, plan, done, started });
                }
                Err(ready) => self.end(attempt, *ready).await?,
            }
        }
        self.crash.reach(CrashPoint::Started);
        let alone = self.send_together(members, joint).await?;
        for member in alone {
            self.carry_out_alone(member, joint).await?;
        }
        Ok(())
    }

    async fn carry_out_alone(&self, member: Member<'_>, joint: Joint<'_>) -> Result<(), AppError> {
        // Its turn may have come long after its intent was recorded, and it goes on only if nothing
        // has come since.
        let alone = std::slice::from_ref(&member);
        let watch = JointWatch::new(self, alone, (joint.stop, joint.blind));
        if !watch.may_go_on().await {
            return self.settle_stopped([(0, member)], &watch).await;
        }
        let Member { attempt, order, plan, done, started } = member;
        let job = &attempt.claimed.job;
        let ending = match self.system(&job.system).and_then(|system| self.connect(system)) {
            Ok(connector) => {
                let uncounted_since = None;
                let timetable = self.timetable_of(&attempt.case);
                let prepared =
                    Prepared { order, plan, done, uncounted_since, connector, started, timetable };
                self.carry_on(attempt, &prepared, joint.stop).await
            }
            Err(error) => {
                let fault = Fault::Misconfigured { message: error.to_string() };
                self.ending_of_fault(attempt, &order.key, &fault, done)
            }
        };
        self.settle_attempt(attempt, ending).await?;
        self.crash.reach(CrashPoint::Settled);
        Ok(())
    }

    /// Sends the orders of all members as one and settles what comes back; gives those back that
    /// have to be carried out by themselves.
    async fn send_together<'a>(
        &self,
        mut members: Vec<Member<'a>>,
        joint: Joint<'_>,
    ) -> Result<Vec<Member<'a>>, AppError> {
        let mut alone = Vec::new();
        while members.len() > 1 {
            let system = &members[0].attempt.claimed.job.system;
            let Ok(connector) = self.system(system).and_then(|one| self.connect(one)) else {
                break;
            };
            let orders: Vec<Order> = members.iter().map(|one| one.order.clone()).collect();
            let watch = JointWatch::new(self, &members, (joint.stop, joint.blind));
            if !watch.may_go_on().await {
                self.settle_stopped(members.into_iter().enumerate(), &watch).await?;
                return Ok(alone);
            }
            let answer = connector.execute_together(&orders, &watch).await;
            self.crash.reach(CrashPoint::Answered);
            for (member, current) in members.iter_mut().zip(watch.current()) {
                member.done.current = current;
            }
            match answer {
                Ok(Together::Receipts(receipts)) if receipts.len() == members.len() => {
                    self.settle_receipts(members, receipts, &watch, connector.as_ref()).await?;
                    return Ok(alone);
                }
                Ok(Together::Apart { which, why }) => {
                    tracing::info!(system, orders = orders.len(), %why, "some orders go by themselves");
                    let mut number = 0;
                    let (apart, rest): (Vec<Member<'_>>, Vec<Member<'_>>) =
                        members.into_iter().partition(|_| {
                            number += 1;
                            which.is_empty() || which.contains(&(number - 1))
                        });
                    if apart.is_empty() {
                        alone.extend(rest);
                        return Ok(alone);
                    }
                    alone.extend(apart);
                    members = rest;
                }
                // What is wrong with one of them must not be wrong with all.
                Ok(Together::Receipts(_))
                | Err(Fault::Misconfigured { .. } | Fault::Rejected { .. }) => break,
                Err(fault) => {
                    for member in members {
                        let Member { attempt, order, done, .. } = member;
                        let ending = self.ending_of_fault(attempt, &order.key, &fault, done);
                        self.settle_attempt(attempt, ending).await?;
                    }
                    return Ok(alone);
                }
            }
        }
        alone.extend(members);
        Ok(alone)
    }
}

/// A database whose orders can go together. Where associations are emptied or the last parent takes
/// a record along, they cannot, and then several workers side by side are faster than one.
fn can_join(system: &System) -> bool {
    let mut links = system.collections.values().flat_map(|one| &one.links);
    system.third_party.is_none() && links.all(|link| link.kind == LinkKind::Deep)
}

fn all_refused(attempts: &[&Attempt<'_>], why: &str) -> Vec<Result<Compiled, AppError>> {
    attempts.iter().map(|_| Err(AppError::Input(why.to_owned()))).collect()
}

/// Their leases end, as if each had been alone, and the others go on.
fn cannot_be_prepared(attempts: &[&Attempt<'_>], error: &AppError) {
    for attempt in attempts {
        tracing::error!(job = %attempt.claimed.job.id, %error, "a job could not be prepared");
    }
}

fn nobody_found() -> AppError {
    AppError::Unreadable { what: "an answer", why: "somebody who was sought is missing".to_owned() }
}

/// The moment that a job carries; `None` is that of its case.
fn moment_of(attempt: &Attempt<'_>) -> Result<Option<jiff::Timestamp>, AppError> {
    Ok(match payload_of(attempt)? {
        Payload::Person { moment, .. } => moment,
        Payload::First { .. } => None,
    })
}

/// What has to be the same for jobs to be planned together.
fn ground_of<'a>(attempt: &'a Attempt<'_>) -> impl PartialEq + use<'a> {
    let case = &attempt.case;
    let moment = moment_of(attempt).ok().flatten().unwrap_or(case.moment);
    (case.rules_digest, case.map_digest, moment)
}
