//! What people decide about a request on the command line: refusals, fees and objections, with a
//! second person where the law wants one.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use uuid::Uuid;

use super::NOT_DONE;
use super::opening::{read_id, say};
use super::remark::actor;
use super::requests::show;
use crate::app::request::{Charged, FeeEnd, Judged, Refused};
use crate::app::{AppError, Quietus};
use crate::domain::Remark;

/// A decision about a request, and why.
#[derive(Debug, Args)]
pub struct DecisionArguments {
    /// The request.
    #[arg(value_parser = read_id)]
    pub request: Uuid,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// Who decides.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// A refusal, and why.
#[derive(Debug, Args)]
pub struct RefuseArguments {
    /// The request.
    #[arg(value_parser = read_id)]
    pub request: Uuid,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// Who proposes or agrees; two persons are needed.
    #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// How an objection is decided, and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus request decide 0198… --uphold --reason \"no compelling grounds, T-128\" --by \"Ada Example\"
  quietus request decide 0198… --reject --reason \"fraud prevention, T-128\" --by \"Ada Example\"
  quietus request decide 0198… --reject --reason \"agreed, T-128\" --by \"Grace Example\"

Upheld, what the objection covers is erased by a request of its own. Rejected by two persons, its
restriction is lifted by a request of its own, once the person was told (GDPR article 18(3)).")]
#[command(group(ArgGroup::new("verdict").required(true).args(["uphold", "reject"])))]
pub struct DecideArguments {
    /// The request.
    #[arg(value_parser = read_id)]
    pub request: Uuid,
    /// The person's reasons weigh more.
    #[arg(long)]
    pub uphold: bool,
    /// The controller's grounds are compelling; two persons are needed.
    #[arg(long)]
    pub reject: bool,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// Who decides, proposes or agrees.
    #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// A fee: an amount and a reason from two persons, or how it ended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus request fee 0198… --amount \"12.50 EUR\" --reason \"third copy this month, T-129\" --by \"Ada Example\"
  quietus request fee 0198… --amount \"12.50 EUR\" --reason \"agreed, T-129\" --by \"Grace Example\"
  quietus request fee 0198… --paid --by \"Ada Example\"

Only for requests that are manifestly unfounded or excessive (GDPR article 12(5)). Nothing is
carried out before it is paid or waived; the clock stands where the law has it so. Tell the person
how to pay: no letter does.")]
#[command(group(ArgGroup::new("what").required(true).args(["amount", "paid", "waived"])))]
pub struct FeeArguments {
    /// The request.
    #[arg(value_parser = read_id)]
    pub request: Uuid,
    /// How much; two persons agree to the same amount.
    #[arg(long, value_name = "AMOUNT CURRENCY", requires = "reason")]
    pub amount: Option<String>,
    /// With `--amount`: why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY", requires = "amount")]
    pub reason: Option<Remark>,
    /// It was paid.
    #[arg(long)]
    pub paid: bool,
    /// The controller does without it.
    #[arg(long)]
    pub waived: bool,
    /// Who proposes, agrees or says so.
    #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Charges a fee, or says how it ended.
pub async fn fee(product: &Arc<Quietus>, one: &FeeArguments) -> Result<u8, AppError> {
    let (request, by) = (one.request, actor(&one.by));
    let (Some(amount), Some(reason)) = (&one.amount, &one.reason) else {
        let end = if one.paid { FeeEnd::Paid } else { FeeEnd::Waived };
        product.end_fee(request, end, &by).await?;
        product.advance_log().await?;
        return show(product, request).await;
    };
    let charged = product.charge_fee(request, amount, &by, reason.as_str()).await?;
    product.advance_log().await?;
    match charged {
        Charged::Agreed => show(product, request).await,
        Charged::WaitsForSecond => {
            say(format!(
                "{} proposes a fee of {amount} for request {request}; it goes on as before until somebody else agrees:\n  quietus request fee {request} --amount \"{amount}\" --reason WHY --by NAME",
                one.by
            ));
            Ok(NOT_DONE)
        }
    }
}

/// Proposes or agrees to refuse a request.
pub async fn refuse(product: &Arc<Quietus>, one: &RefuseArguments) -> Result<u8, AppError> {
    let refused = product.refuse_request(one.request, &actor(&one.by), one.reason.as_str()).await?;
    product.advance_log().await?;
    let request = one.request;
    match refused {
        Refused::Closed => show(product, request).await,
        Refused::WaitsForSecond => {
            say(format!(
                "{} proposes to refuse request {request}; it goes on as before until somebody else agrees:\n  quietus request refuse {request} --reason WHY --by NAME",
                one.by
            ));
            Ok(NOT_DONE)
        }
    }
}

/// Decides an objection, or proposes to reject it.
pub async fn decide(product: &Arc<Quietus>, one: &DecideArguments) -> Result<u8, AppError> {
    let (by, reason) = (actor(&one.by), one.reason.as_str());
    let judged = product.decide_objection(one.request, one.uphold, &by, reason).await?;
    product.advance_log().await?;
    let request = one.request;
    match judged {
        Judged::Decided { by } => {
            let code = show(product, request).await?;
            say(format!("request {by} carries the decision out: `quietus request show {by}`"));
            Ok(code)
        }
        Judged::WaitsForSecond => {
            say(format!(
                "{} proposes to reject the objection of request {request}; what it covers stays restricted until somebody else agrees:\n  quietus request decide {request} --reject --reason WHY --by NAME",
                one.by
            ));
            Ok(NOT_DONE)
        }
    }
}
