//! Drills: how long an invented person took to be erased, and again.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::answer::{Answer, Refusal, json, json_with};
use super::gate::Caller;
use super::holds::NoFields;
use super::intake::{Accepts, Id, Json, Parameters};

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillParameters {
    limit: Option<u32>,
}

impl Accepts for DrillParameters {
    const FIELDS: &'static str = "`limit`, at most 500";
}

/// `GET /v1/drills`: the latest first, and how drills stand.
pub async fn list(
    State(api): State<Api>,
    Parameters(given): Parameters<DrillParameters>,
) -> Answer {
    let limit = given.limit.unwrap_or(100).clamp(1, 500);
    let standing = api.product.read_drill_standing().await?;
    let drills = api.product.read_drills(limit).await?;
    Ok(json(&json!({ "standing": standing, "drills": drills })))
}

/// `GET /v1/drills/{id}`: one, system by system.
pub async fn one(State(api): State<Api>, Id(drill): Id) -> Answer {
    let facts = api.product.read_drill(drill).await?;
    Ok(json(&facts.ok_or_else(Refusal::nothing_here)?))
}

/// `POST /v1/drills`: begins one; `quietus run` carries it out.
pub async fn begin(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(NoFields {}): Json<NoFields>,
) -> Answer {
    let (product, actor) = (api.product.clone(), caller.actor());
    let drill = api.change(async move { product.begin_drill(&actor).await }).await?;
    let facts = api.product.read_drill(drill).await?.ok_or_else(Refusal::nothing_here)?;
    Ok(json_with(StatusCode::CREATED, &facts))
}
