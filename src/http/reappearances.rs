//! Data that are back: what was found again, and what somebody decides about it.

use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::answer::{Answer, json};
use super::gate::Caller;
use super::intake::{Accepts, Id, Json, Parameters, remark};
use crate::app::later_look::Decision;

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReappearanceParameters {
    limit: Option<u32>,
}

impl Accepts for ReappearanceParameters {
    const FIELDS: &'static str = "`limit`, at most 500";
}

/// `GET /v1/reappearances`: the latest first, and how later looks stand.
pub async fn list(
    State(api): State<Api>,
    Parameters(given): Parameters<ReappearanceParameters>,
) -> Answer {
    let limit = given.limit.unwrap_or(100).clamp(1, 500);
    let looks = api.product.read_later_looks().await?;
    let reappearances = api.product.read_reappearances(limit).await?;
    Ok(json(&json!({ "looks": looks, "reappearances": reappearances })))
}

/// Why somebody decides so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    reason: String,
}

impl Accepts for DecisionBody {
    const FIELDS: &'static str = "`reason`";
}

/// `POST /v1/reappearances/{id}/again`: what was done in the case is done again.
pub async fn again(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(case): Id,
    Json(body): Json<DecisionBody>,
) -> Answer {
    decide(&api, &caller, (case, Decision::Again), &body).await
}

/// `POST /v1/reappearances/{id}/leave`: what is back stays.
pub async fn leave(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(case): Id,
    Json(body): Json<DecisionBody>,
) -> Answer {
    decide(&api, &caller, (case, Decision::Leave), &body).await
}

async fn decide(
    api: &Api,
    caller: &Caller,
    (case, decision): (uuid::Uuid, Decision),
    body: &DecisionBody,
) -> Answer {
    let reason = remark("reason", &body.reason)?;
    let (product, actor) = (api.product.clone(), caller.actor());
    let decided = api
        .change(async move {
            let why = (&actor, reason.as_str());
            product.decide_about_reappeared(case, decision, why).await
        })
        .await?;
    Ok(json(&json!({ "case": case, "decision": decision.as_str(), "systems": decided })))
}
