//! How jobs that went together end: each by its own receipt and its own second look, with evidence
//! of its own. What one of them has come to says nothing of another.

use quietus_connectors::{Connector, Fault, Order, Receipt};
use tracing::Span;

use super::carry_out::{Attempt, Ending, Look, Midway};
use super::crash::CrashPoint;
use super::forecast::count_together;
use super::joint_watch::JointWatch;
use super::settle::{has_ended, order_keys};
use super::together::Member;
use super::{AppError, Quietus, spans};
use crate::store::{Settled, Settlement};

impl Quietus {
    /// Gives back what was stopped, and calls off what is to be; each with its number among those that
    /// are watched.
    pub(super) async fn settle_stopped(
        &self,
        members: impl IntoIterator<Item = (usize, Member<'_>)>,
        watch: &JointWatch<'_>,
    ) -> Result<(), AppError> {
        for (number, member) in members {
            let Member { attempt, order, mut done, .. } = member;
            done.sent |= watch.has_sent(number);
            let (settlement, words) = self.settlement_of_stop(attempt, watch.stopped(number));
            let order_key = order.key;
            let ending = Ending { settlement, done, order_key, verification: None, words };
            self.settle_attempt(attempt, ending).await?;
        }
        Ok(())
    }

    /// Orders that are carried out are looked after once more and settled; those that were stopped
    /// are given back.
    pub(super) async fn settle_receipts(
        &self,
        members: Vec<Member<'_>>,
        answers: Vec<Result<Receipt, Fault>>,
        watch: &JointWatch<'_>,
        connector: &dyn Connector,
    ) -> Result<(), AppError> {
        let (mut carried_out, mut stopped) = (Vec::new(), Vec::new());
        let mut through = None;
        for (number, (mut member, answer)) in members.into_iter().zip(answers).enumerate() {
            spans::answered(&member.asking, &answer);
            member.done.sent |= watch.has_sent(number);
            match answer {
                Ok(Receipt::Done(current)) => {
                    let done = std::mem::take(&mut member.done);
                    member.done = done.answered(&member.attempt.done, current);
                    carried_out.push(member);
                }
                Ok(Receipt::Stopped(current)) => {
                    member.done.current = current;
                    stopped.push((number, member));
                }
                Ok(receipt) => {
                    let Member { attempt, order, done, started, .. } = member;
                    let midway = Midway { done, started, stopped: watch.stopped(number) };
                    let asked = (&order, connector);
                    let ending = self.not_done_yet(attempt, asked, midway, receipt).await;
                    let ending = Ending { order_key: order.key, ..ending };
                    through = through.or(ending.came_through().then_some(attempt));
                    self.settle_attempt(attempt, ending).await?;
                }
                Err(fault) => {
                    let Member { attempt, order, done, .. } = member;
                    let ending = self.ending_of_fault(attempt, &order.key, &fault, done);
                    self.settle_attempt(attempt, ending).await?;
                }
            }
        }
        self.settle_stopped(stopped, watch).await?;
        let by_name = carried_out.iter().any(|member| member.order.persons.is_some());
        let mut endings = if by_name {
            self.look_again_one_by_one(carried_out, connector).await
        } else {
            self.look_again_together(carried_out, connector).await
        };
        self.crash.reach(CrashPoint::Verified);
        for (attempt, order_key, ending) in &mut endings {
            ending.order_key.clone_from(order_key);
            through = through.or(ending.came_through().then_some(*attempt));
        }
        let endings = endings.into_iter().map(|(attempt, _, ending)| (attempt, ending)).collect();
        let (forgotten, settled) = self.settle_all(endings).await;
        if !forgotten.is_empty()
            && let Err(fault) = connector.forget_all(&forgotten).await
        {
            tracing::warn!(%fault, "progress kept in the system could not be dropped");
        }
        if let Some(attempt) = through {
            self.came_through(&attempt.claimed.job);
        }
        self.crash.reach(CrashPoint::Settled);
        settled
    }

    /// Settles those that are completed in one transaction and the others each by itself; the keys of
    /// the orders that are over. What fails leaves the rest to the next attempts.
    async fn settle_all(
        &self,
        endings: Vec<(&Attempt<'_>, Ending)>,
    ) -> (Vec<String>, Result<(), AppError>) {
        let is_completed =
            |ending: &Ending| matches!(ending.settlement, Settlement::Completed { .. });
        let (completed, mut others): (Vec<_>, Vec<_>) =
            endings.into_iter().partition(|(_, ending)| is_completed(ending));
        let mut over = Vec::new();
        match self.settle_completed(&completed).await {
            Ok(true) => {
                over.extend(
                    completed.iter().flat_map(|(attempt, ending)| keys_of(attempt, ending)),
                );
            }
            Ok(false) => others.extend(completed),
            Err(error) => {
                // What is the matter with one of them is no matter of the others.
                tracing::warn!(%error, "jobs cannot be settled together, and are settled one by one");
                others.extend(completed);
            }
        }
        for (attempt, ending) in others {
            let keys: Vec<String> = keys_of(attempt, &ending).collect();
            match self.settle_and_remember(attempt, ending).await {
                Ok(true) => over.extend(keys),
                Ok(false) => {}
                Err(error) => return (over, Err(error)),
            }
        }
        (over, Ok(()))
    }

    /// `false`, with nothing settled, where one of them cannot be settled with the others.
    async fn settle_completed(
        &self,
        completed: &[(&Attempt<'_>, Ending)],
    ) -> Result<bool, AppError> {
        if completed.is_empty() {
            return Ok(true);
        }
        let mut settles = Vec::with_capacity(completed.len());
        for (attempt, ending) in completed {
            attempt.has_come_to_its_end();
            let settle = self.settle_of(attempt, ending.clone()).await?;
            settles.push((settle, attempt.hearing.so_far()));
        }
        let settling = completed.iter().map(|(attempt, _)| spans::settle(&attempt.span));
        let settling: Vec<Span> = settling.collect();
        let Settled { settled, moved } = self.store.settle_hearing(settles).await?;
        if let Some((attempt, _)) = completed.first() {
            self.breaker_moved(&attempt.claimed.job.system, moved);
        }
        if settled {
            drop(settling);
            for (attempt, ending) in completed {
                has_ended(attempt, settled, &ending.words);
            }
            self.wake.up();
        }
        Ok(settled)
    }

    /// Verifies one after the other: what is asked about one says nothing of another.
    async fn look_again_one_by_one<'a>(
        &self,
        members: Vec<Member<'a>>,
        connector: &dyn Connector,
    ) -> Vec<(&'a Attempt<'a>, String, Ending)> {
        let mut endings = Vec::with_capacity(members.len());
        for Member { attempt, order, done, .. } in members {
            let ending = self.look_again(attempt, &order, connector, done).await;
            endings.push((attempt, order.key, ending));
        }
        endings
    }

    /// Verifies over another connection by another query, and counts what stays.
    async fn look_again_together<'a>(
        &self,
        members: Vec<Member<'a>>,
        connector: &dyn Connector,
    ) -> Vec<(&'a Attempt<'a>, String, Ending)> {
        let orders: Vec<Order> = members.iter().map(|one| one.order.clone()).collect();
        let mut endings = Vec::with_capacity(members.len());
        let looking: Vec<Span> =
            members.iter().map(|member| spans::looking(&member.attempt.span)).collect();
        let verified = connector.verify_together(&orders).await;
        if let Some(first) = members.first() {
            self.hear(first.attempt, verified.as_ref());
        }
        let found = match verified {
            Ok(found) if found.len() == orders.len() => found,
            Ok(_) | Err(Fault::Misconfigured { .. } | Fault::Rejected { .. }) => {
                drop(looking);
                return self.look_again_one_by_one(members, connector).await;
            }
            Err(fault) => {
                for looking in &looking {
                    spans::looked(looking, Err(&fault));
                }
                if let Some(first) = members.first() {
                    self.failed_together(&first.attempt.claimed.job, members.len(), &fault);
                }
                for Member { attempt, order, done, .. } in members {
                    let ending = self.ending_of_fault(attempt, &order.key, &fault, done);
                    endings.push((attempt, order.key, ending));
                }
                return endings;
            }
        };
        let (mut clean, mut clean_orders) = (Vec::new(), Vec::new());
        for ((member, found), looking) in members.into_iter().zip(found).zip(looking) {
            let Member { attempt, order, done, .. } = member;
            let found = self.look_as_mutated(found);
            spans::looked(&looking, Ok(&found));
            if found.survivors.is_empty() {
                clean_orders.push(order);
                clean.push((attempt, Look { at: self.now(), found }, done));
            } else {
                let ending = self.ending_of_survivors(attempt, found, done);
                endings.push((attempt, order.key, ending));
            }
        }
        let counted = count_together(connector, &clean_orders).await;
        for (((attempt, look, done), order), counted) in
            clean.into_iter().zip(clean_orders).zip(counted)
        {
            let ending = self.ending_of_look(attempt, &order, (look, counted), done);
            endings.push((attempt, order.key, ending));
        }
        endings
    }
}

/// The keys of an attempt's orders.
fn keys_of(attempt: &Attempt<'_>, ending: &Ending) -> impl Iterator<Item = String> + use<> {
    order_keys(attempt.claimed.job.id, ending.done.rounds.len() + 1)
}
