//! How jobs that went together end: each by its own receipt and its own second look, with evidence
//! of its own. What one of them has come to says nothing of another.

use quietus_connectors::{Connector, Fault, Order, Receipt};

use super::carry_out::{Attempt, Ending, Look};
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
        receipts: Vec<Receipt>,
        watch: &JointWatch<'_>,
        connector: &dyn Connector,
    ) -> Result<(), AppError> {
        let (mut carried_out, mut stopped) = (Vec::new(), Vec::new());
        for (number, (mut member, receipt)) in members.into_iter().zip(receipts).enumerate() {
            match receipt {
                Receipt::Done(current) => {
                    member.done.current = current;
                    carried_out.push(member);
                }
                Receipt::Stopped(current) => {
                    member.done.current = current;
                    stopped.push((number, member));
                }
                Receipt::Pending { .. } | Receipt::Deferred { .. } | Receipt::Refused { .. } => {
                    let fault = Fault::Unknown { message: "it answered something else".to_owned() };
                    let Member { attempt, order, done, .. } = member;
                    let ending = self.ending_of_fault(attempt, &order.key, &fault, done);
                    self.settle_attempt(attempt, ending).await?;
                }
            }
        }
        self.settle_stopped(stopped, watch).await?;
        let endings = self.look_again_together(carried_out, connector).await;
        self.crash.reach(CrashPoint::Verified);
        let (mut forgotten, mut settled) = (Vec::new(), Ok(()));
        for (attempt, order_key, mut ending) in endings {
            ending.order_key = order_key;
            let rounds = ending.done.rounds.len() + 1;
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
        self.crash.reach(CrashPoint::Settled);
        settled
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
                for Member { attempt, order, done, .. } in members {
                    let ending = self.look_again(attempt, &order, connector, done).await;
                    endings.push((attempt, order.key, ending));
                }
                return endings;
            }
            Err(fault) => {
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
