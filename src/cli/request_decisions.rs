//! What people decide about a request on the command line: refusals and objections, with a
//! second person where the law wants one.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use uuid::Uuid;

use super::NOT_DONE;
use super::opening::{read_id, say};
use super::remark::actor;
use super::requests::show;
use crate::app::request::{Judged, Refused};
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
