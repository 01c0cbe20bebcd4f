//! The rules and the data map: those in force, and every version on record; how stores of copies
//! stand.

use axum::extract::State;

use super::Api;
use super::answer::{Answer, Refusal, bytes, json};
use super::intake::Part;
use crate::app::reading::documents::Documents;
use crate::domain::Digest;

/// `GET /v1/rules`.
pub async fn rules(State(api): State<Api>) -> Answer {
    Ok(json(&api.product.read_rules()))
}

/// `GET /v1/map`.
pub async fn map(State(api): State<Api>) -> Answer {
    Ok(json(&api.product.read_map()))
}

/// `GET /v1/backups`: how every store of copies stands, as this process listed it last.
pub async fn backups(State(api): State<Api>) -> Answer {
    Ok(json(&api.product.store_standings()))
}

/// `GET /v1/rules/{digest}`.
pub async fn rules_on_record(State(api): State<Api>, Part(digest): Part) -> Answer {
    on_record(&api, Documents::Rules, &digest).await
}

/// `GET /v1/map/{digest}`.
pub async fn map_on_record(State(api): State<Api>, Part(digest): Part) -> Answer {
    on_record(&api, Documents::Map, &digest).await
}

async fn on_record(api: &Api, documents: Documents, digest: &str) -> Answer {
    let digest = Digest::parse(digest).ok_or_else(Refusal::nothing_here)?;
    let found = api.product.read_document(documents, digest).await?;
    Ok(bytes("application/json", found.ok_or_else(Refusal::nothing_here)?))
}
