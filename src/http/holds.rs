//! Legal holds and pauses: reading, placing and lifting them.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Api;
use super::answer::{Answer, Refusal, json, json_with};
use super::gate::Caller;
use super::intake::{Accepts, Json, Parameters, Part, remark};
use crate::app::hold::{HoldKey, PlaceHold};
use crate::app::posting::PostedScope;

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldParameters {
    #[serde(default)]
    all: bool,
}

impl Accepts for HoldParameters {
    const FIELDS: &'static str = "`all` (true or false): released ones too";
}

/// `GET /v1/holds`.
pub async fn list(State(api): State<Api>, Parameters(given): Parameters<HoldParameters>) -> Answer {
    let holds = api.product.read_holds(given.all).await?;
    Ok(json(&json!({ "holds": holds })))
}

/// A hold as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    matter: String,
    reason: String,
    review_on: Option<Date>,
    scope: ScopeBody,
}

/// What it covers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeBody {
    system: Option<String>,
    collection: Option<String>,
    category: Option<String>,
    record: Option<BTreeMap<String, Value>>,
    subject: Option<SubjectBody>,
    #[serde(default)]
    everything: bool,
}

/// Whom it names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectBody {
    identity: String,
    value: Value,
}

impl Accepts for HoldBody {
    const FIELDS: &'static str = "`matter`, `reason`, `review_on` (a day) and `scope` with `system`, `collection`, `category`, `record` (values by key field), `subject` (`identity` and `value`) or `everything`";
}

/// `POST /v1/holds`.
pub async fn place(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<HoldBody>,
) -> Answer {
    let matter = remark("matter", &body.matter)?;
    let reason = remark("reason", &body.reason)?;
    let scope = api.product.hold_scope(&PostedScope {
        system: body.scope.system,
        collection: body.scope.collection,
        category: body.scope.category,
        record: body.scope.record,
        subject: body.scope.subject.map(|subject| (subject.identity, subject.value)),
        everything: body.scope.everything,
    })?;
    let hold = PlaceHold {
        matter: matter.into(),
        scope,
        reason: reason.into(),
        review_on: body.review_on,
        actor: caller.actor(),
    };
    let product = api.product.clone();
    let id = api.change(async move { product.place_hold(hold).await }).await?;
    Ok(json_with(StatusCode::CREATED, &json!({ "hold": id })))
}

/// A body without any field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

impl Accepts for NoFields {
    const FIELDS: &'static str = "no field";
}

/// `POST /v1/holds/{hold}/release`: one hold by its identifier.
pub async fn release(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Part(hold): Part,
    Json(NoFields {}): Json<NoFields>,
) -> Answer {
    let id = Uuid::try_parse(&hold).map_err(|_| Refusal::nothing_here())?;
    lift(&api, &caller, HoldKey::Id(id)).await
}

/// A matter: people write into it what they like, so it stands in no address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatterBody {
    matter: String,
}

impl Accepts for MatterBody {
    const FIELDS: &'static str = "`matter`, whose holds are all released";
}

/// `POST /v1/holds/release`: all holds of a matter.
pub async fn release_matter(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<MatterBody>,
) -> Answer {
    lift(&api, &caller, HoldKey::Matter(body.matter)).await
}

async fn lift(api: &Api, caller: &Caller, key: HoldKey) -> Answer {
    let (product, actor) = (api.product.clone(), caller.actor());
    let released = api.change(async move { product.release_hold(key, &actor).await }).await;
    let released = released.map_err(Refusal::about_absence)?;
    Ok(json(&json!({ "released": released })))
}

/// `GET /v1/pauses`.
pub async fn pauses(State(api): State<Api>) -> Answer {
    Ok(json(&json!({ "pauses": api.product.read_pauses().await? })))
}

/// A pause as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    scope: String,
    name: Option<String>,
    reason: String,
}

impl Accepts for PauseBody {
    const FIELDS: &'static str = "`scope` (`everything`, `rule`, `system` or `case`), `name` (of the rule, system or case) and `reason`";
}

/// `POST /v1/pauses`: 201 where it begins, 200 where it was paused already.
pub async fn pause(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<PauseBody>,
) -> Answer {
    let reason = remark("reason", &body.reason)?;
    let scope = api.product.pause_scope(&body.scope, body.name.as_deref())?;
    let product = api.product.clone();
    let began = api
        .change(async move { product.pause(scope, &caller.actor(), reason.as_str()).await })
        .await?;
    let status = if began { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json_with(status, &json!({ "paused": true, "new": began })))
}

/// What is to go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeParameters {
    scope: String,
    name: Option<String>,
}

impl Accepts for ResumeParameters {
    const FIELDS: &'static str = "`scope` (`everything`, `rule`, `system` or `case`) and `name` (of the rule, system or case)";
}

/// `DELETE /v1/pauses`.
pub async fn resume(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Parameters(given): Parameters<ResumeParameters>,
) -> Answer {
    let scope = api.product.pause_scope(&given.scope, given.name.as_deref())?;
    let product = api.product.clone();
    let ended = api.change(async move { product.resume(&scope, &caller.actor()).await }).await?;
    Ok(json(&json!({ "resumed": ended })))
}
