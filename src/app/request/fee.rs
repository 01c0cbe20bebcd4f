//! A fee for a request that is manifestly unfounded or excessive (GDPR article 12(5)): one person
//! proposes it, another one agrees, and nothing is carried out before it is paid or waived. The clock
//! stands meanwhile, where the law has it so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{BEFORE, not_restricted};
use super::gate::expect_state;
use super::record::{Decided, Move, OpenRequest};
use crate::app::{Actor, AppError, Quietus};
use crate::domain::RequestState;
use crate::rights::{ClockStop, StopReason};

/// Most digits before the point of an amount.
const MOST_DIGITS: usize = 6;

/// How a fee ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeEnd {
    /// The person has paid it.
    Paid,
    /// The controller does without it.
    Waived,
}

/// A fee that a request costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// How much, such as `12.50 EUR`.
    pub amount: String,
    /// Who proposed it, and why.
    pub proposed: Decided,
    /// Who agreed; without a second person there is no fee.
    pub agreed: Option<Decided>,
    /// How it ended, and when.
    pub ended: Option<(FeeEnd, Timestamp)>,
}

impl Fee {
    /// Two persons want it and it is neither paid nor waived.
    pub fn is_owed(&self) -> bool {
        self.agreed.is_some() && self.ended.is_none()
    }
}

/// What became of the wish for a fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// It waits for a second person; the request goes on as before.
    WaitsForSecond,
    /// Two persons agree: nothing goes on before it is paid or waived.
    Agreed,
}

impl Quietus {
    /// One person proposes a fee, another one agrees to the same amount.
    ///
    /// # Errors
    /// Where it is being carried out or closed, the amount is none or another one, or the same
    /// person proposes and agrees.
    pub async fn charge_fee(
        &self,
        id: Uuid,
        amount: &str,
        actor: &Actor,
        reason: &str,
    ) -> Result<Charged, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, BEFORE)?;
        not_restricted(&request)?;
        let amount = read_amount(amount)?;
        let decided = self.decided(actor, reason)?;
        let Some(fee) = request.record.fee.as_mut() else {
            request.record.fee = Some(Fee { amount, proposed: decided, agreed: None, ended: None });
            let evidence = self.record_change(&request, "fee proposed", actor, Some(reason))?;
            self.keep_request(&request, Move::stay(&request.stored), vec![evidence]).await?;
            return Ok(Charged::WaitsForSecond);
        };
        let complaint = if fee.agreed.is_some() {
            Some(format!("two persons have agreed to a fee for request `{id}` before"))
        } else if fee.proposed.by.eq_ignore_ascii_case(&actor.0) {
            Some(format!(
                "`{}` proposed a fee for request `{id}`: somebody else has to agree",
                actor.0
            ))
        } else if fee.amount != amount {
            Some(format!("`{}` was proposed for request `{id}`: agree to that", fee.amount))
        } else {
            None
        };
        if let Some(complaint) = complaint {
            return Err(AppError::Input(complaint));
        }
        fee.agreed = Some(decided);
        let stop = ClockStop { from: self.now(), until: None, because: StopReason::Fee };
        request.record.stops.push(stop);
        request.record.needs = Some(needs(&request));
        self.count_again(&mut request)?;
        let evidence = self.record_change(&request, "fee agreed", actor, Some(reason))?;
        self.keep_request(&request, Move::stay(&request.stored), vec![evidence]).await?;
        Ok(Charged::Agreed)
    }

    /// A fee was paid, or the controller does without it: the request goes on.
    ///
    /// # Errors
    /// Where nothing is owed.
    pub async fn end_fee(
        &self,
        id: Uuid,
        end: FeeEnd,
        actor: &Actor,
    ) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, BEFORE)?;
        let now = self.now();
        let Some(fee) = request.record.fee.as_mut().filter(|fee| fee.is_owed()) else {
            return Err(AppError::Input(format!("no fee is owed for request `{id}`")));
        };
        fee.ended = Some((end, now));
        for stop in request.record.stops.iter_mut().filter(|it| it.because == StopReason::Fee) {
            stop.until.get_or_insert(now);
        }
        request.record.needs = None;
        self.count_again(&mut request)?;
        let mut next = Move::stay(&request.stored);
        if request.stored.state == RequestState::Ready {
            next.look_at = Some(now);
        }
        let words = match end {
            FeeEnd::Paid => "fee paid",
            FeeEnd::Waived => "fee waived",
        };
        let evidence = self.record_change(&request, words, actor, None)?;
        self.keep_request(&request, next, vec![evidence]).await?;
        self.rights_request(id).await
    }

    /// Whether a request may be carried out as far as its fee goes; where it may not, it is looked
    /// at again once the fee has ended.
    pub(super) async fn owes_nothing(&self, request: &mut OpenRequest) -> Result<bool, AppError> {
        if !owes(request) {
            return Ok(true);
        }
        request.record.needs = Some(needs(request));
        let next = Move { look_at: None, ..Move::stay(&request.stored) };
        self.keep_request(request, next, Vec::new()).await?;
        Ok(false)
    }
}

/// Whether a fee is owed.
pub(super) fn owes(request: &OpenRequest) -> bool {
    request.record.fee.as_ref().is_some_and(Fee::is_owed)
}

fn needs(request: &OpenRequest) -> String {
    let id = request.stored.id;
    format!("its fee is not paid: `quietus request fee {id} --paid` once it is, or `--waived`")
}

/// An amount in money: digits, at most two behind a point, and a currency of three capitals.
fn read_amount(text: &str) -> Result<String, AppError> {
    let fits = || {
        let (number, currency) = text.split_once(' ')?;
        let (whole, cents) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|one| one.is_ascii_digit())
        };
        let capitals = currency.len() == 3 && currency.bytes().all(|one| one.is_ascii_uppercase());
        let something = number.bytes().any(|one| (b'1'..=b'9').contains(&one));
        (digits(whole, MOST_DIGITS) && digits(cents, 2) && capitals && something).then_some(())
    };
    if fits().is_some() {
        return Ok(text.to_owned());
    }
    Err(AppError::Input("a fee is an amount and its currency, such as `12.50 EUR`".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_currency() {
        for amount in ["12.50 EUR", "5 GBP", "999999.9 USD", "0.05 EUR"] {
            assert_eq!(read_amount(amount).unwrap(), amount);
        }
        for wrong in [
            "",
            "12.50",
            "EUR 12",
            "12,50 EUR",
            "-1 EUR",
            "0.00 EUR",
            "1.234 EUR",
            "1 Eur",
            "a EUR",
        ] {
            assert!(read_amount(wrong).is_err(), "{wrong}");
        }
        assert!(read_amount("1234567 EUR").is_err());
    }
}
