//! Many people at once: parts of requests in one system whose orders are alike but for the person
//! go to it as one. Each job keeps its key, attempt, intent, counts, second look and evidence; only
//! the statements are shared, or at a third party the requests. What was done is committed under
//! the key of each job, so one that was stopped, called off or lost goes on alone or in other
//! company; a third party is asked first what became of it. What a system cannot tell apart, or
//! refuses, is carried out job by job.

use quietus_connectors::{Connector, Fault, Order, Receipt, Together, alike};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::carry_out::{Attempt, Payload, attempt_with};
use super::crash::CrashPoint;
use super::done::Done;
use super::forecast::groups_of;
use super::joint_leases::Leases;
use super::joint_watch::JointWatch;
use super::law::GoesBy;
use super::over_jobs::as_of;
use super::prepare::{Compiled, Prepared, Ready, order_of, payload_of, system_of};
use super::request::{Ground, Seeking};
use super::{AppError, Quietus, spans};
use crate::plan::Acting;
use crate::store::{ClaimedJob, Start, Started, StillMine};

/// One of several jobs, ready to be carried out.
pub(super) struct Member<'a> {
    pub(super) attempt: &'a Attempt<'a>,
    pub(super) order: Order,
    plan: crate::plan::SystemPlan,
    /// What earlier attempts have done.
    pub(super) done: Done,
    pub(super) started: StillMine,
    /// The system is asked for it together with others.
    pub(super) asking: Span,
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
    leases: &'a Leases,
}

impl Quietus {
    /// Carries out jobs of one system that one worker has claimed, together as far as they are
    /// alike.
    pub(super) async fn carry_out_together(
        &self,
        claimed: &[ClaimedJob],
        worker: (&str, jiff::Timestamp),
        stop: &CancellationToken,
    ) -> Result<(), AppError> {
        let attempts = self.attempts_of(claimed, worker).await?;
        for attempt in &attempts {
            attempt.span.record("together", attempts.len());
        }
        let leases = Leases::default();
        let joint = Joint { stop, leases: &leases };
        tokio::select! {
            done = self.go_together(&attempts, joint) => done,
            () = self.keep_leases(&attempts, &leases) => Ok(()),
        }
    }

    /// Attempts that a worker has just claimed together, without those that are left to a newer version;
    /// one that cannot be read is in nobody else's way, and its lease ends.
    async fn attempts_of<'a>(
        &self,
        claimed: &'a [ClaimedJob],
        worker: (&str, jiff::Timestamp),
    ) -> Result<Vec<Attempt<'a>>, AppError> {
        let wanted = claimed.iter().map(|one| one.job.case_id).collect();
        let cases = self.store.cases(&wanted).await?;
        let dated = claimed.iter().filter(|one| self.system_with_a_date(&one.job).is_some());
        let dated = dated.map(|one| one.job.case_id).collect();
        let requests = self.store.requests_of_cases(&dated).await?;
        let mut attempts = Vec::with_capacity(claimed.len());
        for one in claimed {
            if self.leave_to_newer(one, worker.0).await? {
                continue;
            }
            let (job, case) = (&one.job, one.job.case_id);
            let attempt =
                self.expected_by(job, requests.get(&case).cloned()).and_then(|expected| {
                    attempt_with(one, (cases.get(&case).cloned(), expected), worker)
                });
            match attempt {
                Ok(attempt) => attempts.push(attempt),
                Err(error) => tracing::error!(job = %job.id, %error, "a job cannot be read"),
            }
        }
        Ok(attempts)
    }

    async fn go_together(
        &self,
        attempts: &[Attempt<'_>],
        joint: Joint<'_>,
    ) -> Result<(), AppError> {
        let mut wanted = Vec::with_capacity(attempts.len());
        let left_to_others = self.works_by_other_limits().await?;
        for attempt in attempts {
            // Nobody is planned on the ground of one that cannot be read.
            if let Err(error) = payload_of(attempt) {
                cannot_be_prepared(&[attempt], &error);
                continue;
            }
            if left_to_others {
                self.settle_attempt(attempt, self.left_to_the_law(attempt)).await?;
                continue;
            }
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
            // They were asked for with one call.
            let failed = compiled.iter().find_map(|one| one.as_ref().err());
            if let (Some(first), Some(error)) = (group.first(), failed) {
                self.hear_error(first, error);
            }
            for (attempt, compiled) in group.into_iter().zip(compiled) {
                match self.order_or_end(attempt, compiled).await {
                    Ok(Some((compiled, order))) => {
                        planned.push(Planned { attempt, compiled, order });
                    }
                    Ok(None) => {}
                    Err(AppError::Store(error)) => return Err(error.into()),
                    Err(error) => cannot_be_prepared(&[attempt], &error),
                }
            }
        }
        // Third parties are spoken to by the definition that a case was planned with.
        let map = |one: &Planned<'_>| one.attempt.case.map_digest;
        let same = |one: &Planned<'_>, other: &Planned<'_>| {
            alike(&one.order, &other.order) && map(one) == map(other)
        };
        for group in groups_of(planned, same) {
            Box::pin(self.carry_out_group(group, joint)).await?;
        }
        Ok(())
    }

    /// The order of one of them; `None` where there is none and it has ended.
    async fn order_or_end(
        &self,
        attempt: &Attempt<'_>,
        compiled: Result<Compiled, AppError>,
    ) -> Result<Option<(Compiled, Order)>, AppError> {
        let compiled = match self.compiled_or_ended(attempt, compiled)? {
            Ok(compiled) => compiled,
            Err(ready) => return self.end(attempt, *ready).await.map(|()| None),
        };
        if let Some(ready) = self.nobody_is_asked(attempt, &compiled).await? {
            return self.end(attempt, ready).await.map(|()| None);
        }
        let order = self.as_mutated(order_of(attempt, &compiled)?);
        Ok(Some((compiled, order)))
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
        let law = match self.law_for((&pinned, Some(&system)), GoesBy::InForce).await {
            Ok(law) => law,
            Err(AppError::Input(message)) => return Ok(all_refused(attempts, &message)),
            Err(AppError::EarlierRules(words)) => {
                let left = |_: &&Attempt<'_>| Err(AppError::EarlierRules(words.clone()));
                return Ok(attempts.iter().map(left).collect());
            }
            Err(error) => return Err(error),
        };
        let moment = as_of(&first.claimed.job).unwrap_or(first.case.moment);
        let (map, rules) = (pinned.map(), pinned.rules());
        let ground = Ground { map, rules, limits: &law.limits, moment };
        let cases = attempts.iter().map(|one| one.case.id).collect();
        let requests = self.store.requests_of_cases(&cases).await?;
        let mut wanted = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let request = requests.get(&attempt.case.id).cloned();
            wanted.push(self.wanted_anew_by(request, is_anew(attempt)));
        }
        let by_name = ground.map.systems.get(&system).is_some_and(|one| one.third_party.is_some());
        // Where more than this system has to be asked, the person is sought alone; a third party is
        // not asked before it gets an order.
        let mut people: Vec<Seeking> = wanted
            .iter()
            .flatten()
            .filter(|one| !one.needs_all() && !by_name)
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
                Ok(wanted) if by_name && !wanted.needs_all() => {
                    self.compile_found(ground, &system, (wanted, None), &circumstances).await
                }
                Ok(wanted) if wanted.needs_all() => {
                    let with = (&pinned, &law);
                    compiled.push(self.compile_job(attempt, with, &system).await);
                    continue;
                }
                Ok(mut wanted) => {
                    let (seeking, found) = known.next().ok_or_else(nobody_found)?;
                    wanted.seeking = seeking;
                    self.compile_found(ground, &system, (wanted, Some(found)), &circumstances).await
                }
            };
            let with = (ground.map, &law);
            compiled
                .push(part.and_then(|part| Compiled::of_part(attempt, with, part, &circumstances)));
        }
        Ok(compiled)
    }

    /// Carries out orders that are alike: records the intent of each, and sends them.
    async fn carry_out_group(
        &self,
        mut group: Vec<Planned<'_>>,
        joint: Joint<'_>,
    ) -> Result<(), AppError> {
        let many = group.len();
        let mut members = Vec::with_capacity(many);
        // The same jobs stand in the same order, by whomever they were claimed.
        group.sort_by_key(|one| one.attempt.claimed.job.id);
        let started = self.start_all(&group).await?;
        for (Planned { attempt, compiled, order }, started) in group.into_iter().zip(started) {
            match self.may_begin(attempt, &compiled, started) {
                Ok(started) => {
                    let Compiled { plan, ordered, .. } = compiled;
                    let done = Done { ordered: Some(ordered), ..attempt.done.clone() };
                    let asking = Span::none();
                    members.push(Member { attempt, order, plan, done, started, asking });
                }
                Err(ready) => {
                    // Holds or pauses came while so many were planned.
                    self.too_many_together(&attempt.claimed.job, many);
                    self.end(attempt, *ready).await?;
                }
            }
        }
        self.crash.reach(CrashPoint::Started);
        let alone = self.send_together(members, joint).await?;
        for member in alone {
            self.carry_out_alone(member, joint).await?;
        }
        Ok(())
    }

    /// Records the intents, in one transaction where nothing stands in the way of any of them.
    async fn start_all(&self, group: &[Planned<'_>]) -> Result<Vec<Started>, AppError> {
        let start = |one: &Planned<'_>| self.start_of(one.attempt, &one.order, &one.compiled);
        let starts = group.iter().map(start).collect::<Result<Vec<Start>, AppError>>()?;
        if let Some(seen) = self.store.start_together(starts.clone()).await? {
            return Ok(seen.into_iter().map(Started::Yes).collect());
        }
        let mut started = Vec::with_capacity(starts.len());
        for start in starts {
            started.push(self.store.start_attempt(start).await?);
        }
        Ok(started)
    }

    async fn carry_out_alone(&self, member: Member<'_>, joint: Joint<'_>) -> Result<(), AppError> {
        // Its turn may have come long after its intent was recorded, and it goes on only if nothing
        // has come since.
        let alone = std::slice::from_ref(&member);
        let watch = JointWatch::new(self, alone, (joint.stop, joint.leases));
        if !watch.may_go_on().await {
            return self.settle_stopped([(0, member)], &watch).await;
        }
        let Member { attempt, order, plan, done, started, .. } = member;
        let ending = match self.connect_for(attempt).await {
            Ok(connector) => {
                let is_uncounted = false;
                let timetable = self.timetable_of(&attempt.case);
                let prepared =
                    Prepared { order, plan, done, is_uncounted, connector, started, timetable };
                let span = attempt.span.clone();
                self.carry_on(attempt, &prepared, joint.stop).instrument(span).await
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

    /// A connector for an attempt: to a third party by the definition that its case was planned with.
    pub(super) async fn connect_for(
        &self,
        attempt: &Attempt<'_>,
    ) -> Result<Box<dyn Connector>, AppError> {
        let pinned = self.pinned(&attempt.case).await?;
        self.connect_as_planned(pinned.map(), &attempt.claimed.job.system)
    }

    /// Sends the orders of all members as one and settles what comes back; gives those back that
    /// have to be carried out by themselves.
    async fn send_together<'a>(
        &self,
        members: Vec<Member<'a>>,
        joint: Joint<'_>,
    ) -> Result<Vec<Member<'a>>, AppError> {
        // Who has to be counted once more is counted alone.
        let (mut alone, mut members): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|one| one.done.is_of_more());
        let mut begun_now = true;
        while members.len() > 1 {
            let job = &members[0].attempt.claimed.job;
            let many = members.len();
            let Ok(connector) = self.connect_for(members[0].attempt).await else { break };
            let orders: Vec<Order> = members.iter().map(|one| one.order.clone()).collect();
            let watch = JointWatch::new(self, &members, (joint.stop, joint.leases));
            if !watch.goes_on(std::mem::take(&mut begun_now)).await {
                if watch.stopped_for_all() {
                    self.too_many_together(job, many);
                }
                self.settle_stopped(members.into_iter().enumerate(), &watch).await?;
                return Ok(alone);
            }
            for member in &mut members {
                member.asking = spans::asking(&member.attempt.span);
            }
            let answer = tokio::select! {
                answer = connector.execute_together(&orders, &watch) => Some(answer),
                () = watch.one_is_lost() => None,
            };
            for (member, current) in members.iter_mut().zip(watch.current()) {
                member.done.current = current;
                if answer.is_some() {
                    member.asking.record("over", true);
                }
            }
            let Some(answer) = answer else {
                // Who has lost theirs is told by the next step; the others are given back.
                watch.may_go_on().await;
                self.settle_stopped(members.into_iter().enumerate(), &watch).await?;
                return Ok(alone);
            };
            self.crash.reach(CrashPoint::Answered);
            if watch.stopped_for_all() {
                self.too_many_together(job, many);
            }
            let first = members[0].attempt;
            let answers: Vec<Result<Receipt, Fault>> = match answer {
                Ok(Together::Receipts(receipts)) => receipts.into_iter().map(Ok).collect(),
                Ok(Together::Each(answers)) => answers,
                Ok(Together::Apart { which, why }) => {
                    tracing::info!(system = %job.system, orders = many, %why, "some orders go by themselves");
                    let (apart, rest) = apart_from(members, &which);
                    if apart.is_empty() {
                        alone.extend(rest);
                        return Ok(alone);
                    }
                    alone.extend(apart);
                    members = rest;
                    continue;
                }
                // What is wrong with one of them must not be wrong with all.
                Err(Fault::Misconfigured { .. } | Fault::Rejected { .. }) => break,
                Err(fault) => members.iter().map(|_| Err(fault.clone())).collect(),
            };
            self.hear_each(first, &answers);
            if answers.len() != many {
                break;
            }
            if let Some(fault) = answers.iter().find_map(|one| one.as_ref().err()) {
                self.failed_together(job, many, fault);
            }
            self.settle_receipts(members, answers, &watch, connector.as_ref()).await?;
            return Ok(alone);
        }
        alone.extend(members);
        Ok(alone)
    }
}

/// Those that go by themselves, and the others; without names it is all of them.
fn apart_from<'a>(members: Vec<Member<'a>>, which: &[usize]) -> (Vec<Member<'a>>, Vec<Member<'a>>) {
    let (apart, rest): (Vec<_>, Vec<_>) = members
        .into_iter()
        .enumerate()
        .partition(|(number, _)| which.is_empty() || which.contains(number));
    let members = |some: Vec<(usize, Member<'a>)>| some.into_iter().map(|one| one.1).collect();
    (members(apart), members(rest))
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

/// Systems may know the person of the job by something else now.
fn is_anew(attempt: &Attempt<'_>) -> bool {
    matches!(payload_of(attempt), Ok(Payload::Person { anew: true, .. }))
}

/// What has to be the same for jobs to be planned together.
fn ground_of<'a>(attempt: &'a Attempt<'_>) -> impl PartialEq + use<'a> {
    let case = &attempt.case;
    let moment = as_of(&attempt.claimed.job).unwrap_or(case.moment);
    (case.rules_digest, case.map_digest, moment)
}
