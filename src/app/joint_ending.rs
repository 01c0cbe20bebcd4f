//! How jobs that went together end: each by its own receipt and its own second look, with evidence
//! of its own. What one of them has come to says nothing of another.

use quietus_connectors::{Connector, Fault, Order, Receipt};

use super::carry_out::{Attempt, Ending, Look, Midway};
use super::crash::CrashPoint;
use super::forecast::count_together;
use super::joint_watch::JointWatch;
use super::settle::order_keys;
use super::together::Member;
use super::{AppError, Quietus};

impl Quietus {
    /// Gives back what was stopped, and calls off what is to be; each with its number among those that
    /// are watched.
    pub(super) async fn settle_stopped(
        &self,
        members: impl IntoIterator<Item = (usize, Member<'_>)>,
        watch: &JointWatch<'_>,
    ) -> Result<(), AppError> {
        for (number, member) in members {
            let Member { attempt, order, done, .. } = member;
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
            match answer {
                Ok(Receipt::Done(current)) => {
                    member.done.current = current;
                    carried_out.push(member);
                }
                Ok(Receipt::Stopped(current)) => {
                    member.done.current = current;
                    stopped.push((number, member));
                }
                Ok(receipt) => {
                    let Member { attempt, order, done, started, .. } = member;
                    let midway = Midway { done, started, stopped: watch.stopped(number) };
                    let ending = self.not_done_yet(attempt, connector, midway, receipt);
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
        let endings = if by_name {
            self.look_again_one_by_one(carried_out, connector).await
        } else {
            self.look_again_together(carried_out, connector).await
        };
        self.crash.reach(CrashPoint::Verified);
        let (mut forgotten, mut settled) = (Vec::new(), Ok(()));
        for (attempt, order_key, mut ending) in endings {
            ending.order_key = order_key;
            let rounds = ending.done.rounds.len() + 1;
            through = through.or(ending.came_through().then_some(attempt));
            match self.settle_and_remember(attempt, ending).await {
                Ok(true) => forgotten.extend(order_keys(attempt.claimed.job.id, rounds)),
                Ok(false) => {}
                Err(error) => {
                    settled = Err(error);
                    break;
                }
            }
        }
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
        let found = match connector.verify_together(&orders).await {
            Ok(found) if found.len() == orders.len() => found,
            Ok(_) | Err(Fault::Misconfigured { .. } | Fault::Rejected { .. }) => {
                return self.look_again_one_by_one(members, connector).await;
            }
            Err(fault) => {
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
        for (Member { attempt, order, done, .. }, found) in members.into_iter().zip(found) {
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
