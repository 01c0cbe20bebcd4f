//! Requests of persons: brought, handled, refused by two persons, and read. What a person is known
//! by comes in and never goes out.

use axum::Extension;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Api;
use super::answer::{Answer, Refusal, json, json_with};
use super::cases::ReasonBody;
use super::gate::Caller;
use super::holds::NoFields;
use super::intake::{Accepts, Id, Json, Parameters, remark};
use crate::app::AppError;
use crate::app::brought::{Brought, BroughtCheck, read_check};
use crate::app::reading::alarms::Pressing;
use crate::app::reading::requests::RequestQuery;
use crate::app::request::{FeeEnd, Requester, Taken};
use crate::app::spans;
use crate::domain::Assurance;

/// The header under which a client brings the same request again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestParameters {
    state: Option<String>,
    #[serde(default)]
    open: bool,
    pressing: Option<PressingWord>,
    before: Option<Uuid>,
    limit: Option<u32>,
}

/// How requests press.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PressingWord {
    AtRisk,
    Overdue,
}

impl From<PressingWord> for Pressing {
    fn from(word: PressingWord) -> Self {
        match word {
            PressingWord::AtRisk => Self::AtRisk,
            PressingWord::Overdue => Self::Overdue,
        }
    }
}

impl Accepts for RequestParameters {
    const FIELDS: &'static str = "`state`, `open` (true or false): only those that are not closed, `pressing` (`at_risk` or `overdue`), `before` (of `next`) and `limit` (1 to 500)";
}

/// `GET /v1/requests`.
pub async fn list(
    State(api): State<Api>,
    Parameters(given): Parameters<RequestParameters>,
) -> Answer {
    let RequestParameters { state, open, pressing, before, limit } = given;
    let pressing = pressing.map(Into::into);
    let query = RequestQuery { state, open, pressing, before, limit };
    Ok(json(&api.product.read_requests(query).await?))
}

/// `GET /v1/requests/{id}`.
pub async fn one(State(api): State<Api>, Id(id): Id) -> Answer {
    let found = api.product.read_request(id).await?;
    Ok(json(&found.ok_or_else(Refusal::nothing_here)?))
}

/// What a person is known by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityBody {
    #[serde(rename = "type")]
    kind: String,
    value: Value,
}

/// How somebody made sure who is asking.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckBody {
    assurance: Assurance,
    method: String,
    reference: Option<String>,
}

impl Accepts for CheckBody {
    const FIELDS: &'static str = "`assurance` (`low`, `substantial` or `high`), `method` (a word such as `call-back`) and `reference` (where that is on record, such as the number of a ticket)";
}

impl From<CheckBody> for BroughtCheck {
    fn from(body: CheckBody) -> Self {
        Self { assurance: body.assurance, method: body.method, reference: body.reference }
    }
}

/// A request as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    right: String,
    identities: Vec<IdentityBody>,
    received_at: Option<Timestamp>,
    channel: Option<String>,
    #[serde(default)]
    requester: Requester,
    ground: Option<String>,
    regime: Option<String>,
    language: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
    contact: Option<String>,
    identity_check: Option<CheckBody>,
}

impl Accepts for RequestBody {
    const FIELDS: &'static str = "`right` (`erasure`, `restriction`, `lifting`, `objection`, `access`, `rectification` or `portability`), `identities` (a list of `type` and `value`), `received_at` (an instant such as `2026-11-01T09:00:00+01:00`), `channel`, `requester` (`person`, `guardian`, `relative` or `agent`), `ground`, `regime`, `language`, `categories` (names), `contact` (where letters go) and `identity_check` (`assurance`, `method` and `reference`)";
}

/// `POST /v1/requests`: 201 where it is new, 200 where it was on record already under the same
/// `Idempotency-Key`, 409 where the same person asks for the same and that is under way.
pub async fn bring(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(body): Json<RequestBody>,
) -> Answer {
    let brought = Brought {
        right: body.right,
        identities: identities(body.identities)?,
        received_at: body.received_at,
        channel: body.channel,
        requester: body.requester,
        ground: body.ground,
        regime: body.regime,
        language: body.language,
        categories: body.categories,
        contact: body.contact,
        check: body.identity_check.map(Into::into),
        external_id: idempotency_key(&headers)?,
    };
    let asked = api.product.read_brought(brought, caller.actor())?;
    let product = api.product.clone();
    let taken = api.change(async move { product.take_in(asked).await }).await?;
    let (status, id) = match taken {
        Taken::New(request) => (StatusCode::CREATED, request.stored.id),
        Taken::Same(request) => (StatusCode::OK, request.stored.id),
        Taken::UnderWay(earlier) => {
            return Err(Refusal::conflict(
                format!("this person asks for the same in request `{earlier}`, which is under way"),
                "look at `GET /v1/requests/{id}` of that request; nothing was changed",
            ));
        }
    };
    spans::brought(id);
    let mut response = stands(&api, status, id).await?;
    if let Ok(address) = format!("/v1/requests/{id}").parse() {
        response.headers_mut().insert(LOCATION, address);
    }
    Ok(response)
}

/// The name that the client gives its request, where it gives one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let unfit =
        || Refusal::unfit("the header `Idempotency-Key` stands once and has visible characters");
    let text = value.to_str().map_err(|_| unfit())?;
    if given.next().is_some() {
        return Err(unfit());
    }
    let read = remark("Idempotency-Key", text)?;
    Ok(Some(read.into()))
}

/// Identities as pairs; a whole number is read as its digits.
fn identities(given: Vec<IdentityBody>) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = given.into_iter().map(|one| match one.value {
        Value::String(text) => Ok((one.kind, text)),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            Ok((one.kind, number.to_string()))
        }
        _ => Err(Refusal::unfit("the value of an identity is a text or a whole number")),
    });
    pairs.collect()
}

/// How a request stands now.
async fn stands(api: &Api, status: StatusCode, id: Uuid) -> Answer {
    let facts = api.product.read_request_facts(id).await?;
    Ok(json_with(status, &facts.ok_or_else(Refusal::nothing_here)?))
}

/// Carries a change of a request through and answers how it stands; what its state does not allow
/// is a conflict.
async fn changed<T, W>(api: &Api, id: Uuid, work: W) -> Answer
where
    T: Send + 'static,
    W: Future<Output = Result<T, AppError>> + Send + 'static,
{
    must_be(api, id).await?;
    api.change(work).await.map_err(Refusal::about_state)?;
    stands(api, StatusCode::OK, id).await
}

async fn must_be(api: &Api, id: Uuid) -> Result<(), Refusal> {
    if api.product.has_request(id).await? { Ok(()) } else { Err(Refusal::nothing_here()) }
}

/// `POST /v1/requests/{id}/ask-identity`: the person was asked who they are.
pub async fn ask_identity(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(NoFields {}): Json<NoFields>,
) -> Answer {
    let product = api.product.clone();
    let work = async move { product.ask_identity(id, &caller.actor()).await };
    changed(&api, id, Box::pin(work)).await
}

/// `POST /v1/requests/{id}/confirm`: somebody has made sure who is asking.
pub async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<CheckBody>,
) -> Answer {
    let check = read_check(body.into())?;
    let product = api.product.clone();
    let work = async move { product.confirm_identity(id, check, &caller.actor()).await };
    changed(&api, id, Box::pin(work)).await
}

/// Which of several persons is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TellApartBody {
    identities: Vec<IdentityBody>,
}

impl Accepts for TellApartBody {
    const FIELDS: &'static str =
        "`identities` (a list of `type` and `value`) that take the place of those given before";
}

/// `POST /v1/requests/{id}/tell-apart`.
pub async fn tell_apart(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<TellApartBody>,
) -> Answer {
    let given = identities(body.identities)?;
    api.product.check_identities(&given)?;
    let product = api.product.clone();
    let work = async move { product.tell_apart(id, &given, &caller.actor()).await };
    changed(&api, id, Box::pin(work)).await
}

/// `POST /v1/requests/{id}/cancel`: the person takes it back.
pub async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<ReasonBody>,
) -> Answer {
    let reason = remark("reason", body.reason())?;
    let product = api.product.clone();
    let work = async move { product.cancel_request(id, &caller.actor(), reason.as_str()).await };
    changed(&api, id, Box::pin(work)).await
}

/// `POST /v1/requests/{id}/refuse`: one person proposes, another one agrees.
pub async fn refuse(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<ReasonBody>,
) -> Answer {
    let reason = remark("reason", body.reason())?;
    let product = api.product.clone();
    let work = async move { product.refuse_request(id, &caller.actor(), reason.as_str()).await };
    changed(&api, id, Box::pin(work)).await
}

/// `POST /v1/requests/{id}/extend`: the time is prolonged once.
pub async fn extend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<ReasonBody>,
) -> Answer {
    let reason = remark("reason", body.reason())?;
    let product = api.product.clone();
    let work = async move { product.extend_request(id, &caller.actor(), reason.as_str()).await };
    changed(&api, id, Box::pin(work)).await
}

/// `POST /v1/requests/{id}/close`: a person has carried it out.
pub async fn close(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<ReasonBody>,
) -> Answer {
    let reason = remark("reason", body.reason())?;
    let product = api.product.clone();
    let work = async move { product.close_request(id, &caller.actor(), reason.as_str()).await };
    changed(&api, id, Box::pin(work)).await
}

/// How an objection is decided.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DecisionWord {
    Uphold,
    Reject,
}

/// A decision about an objection, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    decision: DecisionWord,
    reason: String,
}

impl Accepts for DecisionBody {
    const FIELDS: &'static str =
        "`decision` (`uphold` or `reject`) and `reason` (one line that names nobody)";
}

/// `POST /v1/requests/{id}/decide`: one person upholds an objection; to reject it, one proposes and
/// another one agrees.
pub async fn decide(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<DecisionBody>,
) -> Answer {
    let reason = remark("reason", &body.reason)?;
    let upheld = matches!(body.decision, DecisionWord::Uphold);
    let product = api.product.clone();
    let work =
        async move { product.decide_objection(id, upheld, &caller.actor(), reason.as_str()).await };
    changed(&api, id, Box::pin(work)).await
}

/// A fee: proposed or agreed to with an amount and a reason, or ended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeBody {
    amount: Option<String>,
    reason: Option<String>,
    ended: Option<FeeEnd>,
}

impl Accepts for FeeBody {
    const FIELDS: &'static str = "`amount` (such as `12.50 EUR`) with `reason`, from two persons; or `ended` (`paid` or `waived`)";
}

/// `POST /v1/requests/{id}/fee`: one person proposes a fee, another one agrees to it; or it is paid
/// or waived.
pub async fn fee(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<FeeBody>,
) -> Answer {
    let product = api.product.clone();
    match (body.amount, body.reason, body.ended) {
        (Some(amount), Some(reason), None) => {
            let reason = remark("reason", &reason)?;
            let amount = remark("amount", &amount)?;
            let work = async move {
                let (by, reason) = (caller.actor(), reason.as_str());
                product.charge_fee(id, amount.as_str(), &by, reason).await
            };
            changed(&api, id, Box::pin(work)).await
        }
        (None, None, Some(end)) => {
            let work = async move { product.end_fee(id, end, &caller.actor()).await };
            changed(&api, id, Box::pin(work)).await
        }
        _ => Err(Refusal::unfit(format!("this is no fee; there is {}", FeeBody::FIELDS))),
    }
}
