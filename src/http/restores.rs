//! Restores of connected systems: how far they are, their beginning and their end.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::answer::{Answer, Refusal, json, json_with};
use super::gate::Caller;
use super::holds::NoFields;
use super::intake::{Accepts, Id, Json, Parameters, remark};
use crate::app::restore::BeginRestore;

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreParameters {
    limit: Option<u32>,
}

impl Accepts for RestoreParameters {
    const FIELDS: &'static str = "`limit`, at most 500";
}

/// `GET /v1/restores`: the latest first.
pub async fn list(
    State(api): State<Api>,
    Parameters(given): Parameters<RestoreParameters>,
) -> Answer {
    let limit = given.limit.unwrap_or(100).clamp(1, 500);
    Ok(json(&json!({ "restores": api.product.read_restores(limit).await? })))
}

/// `GET /v1/restores/{id}`: one, with who came back.
pub async fn one(State(api): State<Api>, Id(id): Id) -> Answer {
    let facts = api.product.read_restore(id).await?;
    Ok(json(&facts.ok_or_else(Refusal::nothing_here)?))
}

/// A restore as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    system: String,
    taken_at: Timestamp,
    copy: Option<String>,
    reason: String,
}

impl Accepts for RestoreBody {
    const FIELDS: &'static str = "`system`, `taken_at` (the moment whose state it holds now), `copy` (the copy that it was restored from) and `reason`";
}

/// `POST /v1/restores`: the system is in quarantine.
pub async fn begin(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<RestoreBody>,
) -> Answer {
    let reason = remark("reason", &body.reason)?;
    let given = BeginRestore {
        system: body.system,
        taken_at: body.taken_at,
        copy: body.copy,
        announced: true,
        back_since: None,
        reason: reason.into(),
        actor: caller.actor(),
    };
    let product = api.product.clone();
    let begun = api.change(async move { Box::pin(product.begin_restore(given)).await }).await?;
    Ok(json_with(
        StatusCode::CREATED,
        &json!({
            "restore": begun.restore,
            "case": begun.case,
            "waits_for_approval": begun.waits_for_approval,
            "replays": begun.replays,
            "forgotten": begun.forgotten,
            "not_kept_out": begun.not_kept_out,
        }),
    ))
}

/// `POST /v1/restores/{id}/open`: the system goes on, where nothing is missing.
pub async fn open(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(NoFields {}): Json<NoFields>,
) -> Answer {
    let restore = api.product.store.restore(id).await.map_err(crate::app::AppError::from)?;
    let restore = restore.filter(|one| one.opened.is_none()).ok_or_else(Refusal::nothing_here)?;
    let product = api.product.clone();
    let opened = api
        .change(
            async move { Box::pin(product.open_restored(&restore.system, &caller.actor())).await },
        )
        .await?;
    Ok(json(&json!({
        "restore": opened.restore,
        "came_back": opened.came_back,
        "records": opened.records,
        "certificate": opened.certificate,
    })))
}
