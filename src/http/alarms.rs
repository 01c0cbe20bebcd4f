//! Alarms: what somebody has to see to, and who has heard of it.

use axum::extract::State;
use serde::Deserialize;

use super::Api;
use super::answer::{Answer, json};
use super::intake::{Accepts, Parameters};

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmParameters {
    cleared: Option<bool>,
    limit: Option<u32>,
}

impl Accepts for AlarmParameters {
    const FIELDS: &'static str = "`cleared` (`true` or `false`), and `limit`, at most 1000";
}

/// `GET /v1/alarms`: what is open, the oldest first, or what was cleared, the latest first; and how it
/// stands with whoever is told.
pub async fn list(
    State(api): State<Api>,
    Parameters(given): Parameters<AlarmParameters>,
) -> Answer {
    let limit = given.limit.unwrap_or(100).clamp(1, 1000);
    let alarms = api.product.read_alarms(given.cleared.unwrap_or(false), limit).await?;
    Ok(json(&alarms))
}
