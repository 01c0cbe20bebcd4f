//! Cases, their jobs and their evidence; forecasts; and what people decide about them.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Api;
use super::answer::{Answer, Refusal, json, json_with};
use super::gate::Caller;
use super::holds::NoFields;
use super::intake::{Accepts, Id, Json, Parameters, remark};
use crate::app::AppError;
use crate::app::open_case::{CaseOpened, words_for};
use crate::app::reading::cases::CaseQuery;

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseParameters {
    state: Option<String>,
    schedule: Option<String>,
    before: Option<Uuid>,
    limit: Option<u32>,
}

impl Accepts for CaseParameters {
    const FIELDS: &'static str = "`state`, `schedule`, `before` (of `next`) and `limit` (1 to 500)";
}

/// `GET /v1/cases`.
pub async fn list(State(api): State<Api>, Parameters(given): Parameters<CaseParameters>) -> Answer {
    let CaseParameters { state, schedule, before, limit } = given;
    let query = CaseQuery { state, schedule, before, limit };
    Ok(json(&api.product.read_cases(query).await?))
}

/// `GET /v1/cases/{id}`.
pub async fn one(State(api): State<Api>, Id(id): Id) -> Answer {
    let found = api.product.read_case(id).await?;
    Ok(json(&found.ok_or_else(Refusal::nothing_here)?))
}

/// Parameters of the evidence of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceParameters {
    from: Option<u64>,
    limit: Option<u32>,
}

impl Accepts for EvidenceParameters {
    const FIELDS: &'static str = "`from` (of `next`) and `limit` (1 to 500)";
}

/// `GET /v1/evidence/cases/{id}`.
pub async fn evidence(
    State(api): State<Api>,
    Id(id): Id,
    Parameters(given): Parameters<EvidenceParameters>,
) -> Answer {
    let found = api.product.read_evidence(id, given.from.unwrap_or(0), given.limit).await?;
    Ok(json(&found.ok_or_else(Refusal::nothing_here)?))
}

/// Parameters of a forecast.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParameters {
    at: Option<Timestamp>,
    system: Option<String>,
    schedule: Option<String>,
}

impl Accepts for PlanParameters {
    const FIELDS: &'static str =
        "`at` (an instant such as `2027-01-31T00:00:00Z`), `system` and `schedule`";
}

/// `GET /v1/plan`: what would be due, counted in the systems.
pub async fn plan(State(api): State<Api>, Parameters(given): Parameters<PlanParameters>) -> Answer {
    let _place = api.plans.try_acquire().map_err(|_| Refusal::busy())?;
    let moment = given.at.unwrap_or_else(|| api.product.now());
    let schedules: Vec<String> = given.schedule.into_iter().collect();
    let facts = api.product.forecast(moment, given.system.as_deref(), &schedules).await?;
    Ok(json(&facts))
}

/// A case to open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    #[serde(default)]
    schedules: Vec<String>,
    as_of: Option<Timestamp>,
}

impl Accepts for CaseBody {
    const FIELDS: &'static str = "`schedules` (names; all rules where it is left out) and `as_of` (an instant, not in the future)";
}

/// `POST /v1/cases`: opens a case for what is due now.
pub async fn open(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<CaseBody>,
) -> Answer {
    let product = api.product.clone();
    let opened = api
        .change(
            async move { product.open_case_now(&body.schedules, body.as_of, caller.actor()).await },
        )
        .await?;
    let (case, body) = match opened {
        CaseOpened::Open { case } => (case, json!({ "case": case, "state": "executing" })),
        CaseOpened::AwaitingApproval { case, exceeded } => (
            case,
            json!({
                "case": case,
                "state": "awaiting_approval",
                "waits_because": words_for(&exceeded),
            }),
        ),
        CaseOpened::Lost | CaseOpened::Overlapping(_) => {
            return Err(Refusal::conflict(
                "another process opened a case at the same moment",
                "look at `GET /v1/cases`, then try again",
            ));
        }
    };
    let mut response = json_with(StatusCode::CREATED, &body);
    if let Ok(address) = format!("/v1/cases/{case}").parse() {
        response.headers_mut().insert(LOCATION, address);
    }
    Ok(response)
}

/// Why somebody decides so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    reason: String,
}

impl Accepts for ReasonBody {
    const FIELDS: &'static str = "`reason`";
}

impl ReasonBody {
    /// As it was sent.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Why somebody agrees, and to what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveBody {
    reason: String,
    /// As the case says it; where it asks for something else by now, nothing is agreed to.
    question: Option<String>,
}

impl Accepts for ApproveBody {
    const FIELDS: &'static str = "`reason` and `question`";
}

/// `POST /v1/cases/{id}/approve`.
pub async fn approve(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<ApproveBody>,
) -> Answer {
    let ApproveBody { reason, question } = body;
    decide(&api, &caller, (id, reason.as_str()), Decision::Approve { question }).await
}

/// `POST /v1/cases/{id}/cancel`.
pub async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<ReasonBody>,
) -> Answer {
    decide(&api, &caller, (id, body.reason()), Decision::Cancel).await
}

/// What a person decides about a case.
enum Decision {
    Approve { question: Option<String> },
    Cancel,
}

async fn decide(
    api: &Api,
    caller: &Caller,
    (case, reason): (Uuid, &str),
    decision: Decision,
) -> Answer {
    let reason = remark("reason", reason)?;
    must_be(api.product.has_case(case).await?)?;
    let (product, actor) = (api.product.clone(), caller.actor());
    let done = match decision {
        Decision::Approve { .. } => "approved",
        Decision::Cancel => "cancelled",
    };
    let work = async move {
        match decision {
            Decision::Approve { question } => {
                product.approve((case, question.as_deref()), &actor, reason.as_str()).await
            }
            Decision::Cancel => product.cancel(case, &actor, reason.as_str()).await,
        }
    };
    decided(api, json!({ "case": case, done: true }), work).await
}

/// `POST /v1/jobs/{id}/retry`.
pub async fn retry(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(NoFields {}): Json<NoFields>,
) -> Answer {
    must_be(api.product.has_job(id).await?)?;
    let product = api.product.clone();
    let work = async move { product.retry_job(id, &caller.actor()).await };
    decided(&api, json!({ "job": id, "retried": true }), work).await
}

/// Carries a decision about a case or a job through; one that its state does not allow is a
/// conflict.
async fn decided<W>(api: &Api, done: Value, work: W) -> Answer
where
    W: Future<Output = Result<(), AppError>> + Send + 'static,
{
    api.change(work).await.map_err(Refusal::about_state)?;
    Ok(json(&done))
}

fn must_be(is_there: bool) -> Result<(), Refusal> {
    if is_there { Ok(()) } else { Err(Refusal::nothing_here()) }
}
