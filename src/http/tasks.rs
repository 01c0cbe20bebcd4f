//! What people do by hand: listing, showing, saying that it is done and confirming it.

use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal, json};
use super::gate::Caller;
use super::holds::NoFields;
use super::intake::{Accepts, Id, Json, Parameters, remark};
use crate::app::task::{ListedTask, Onlooker, SaidOfTask, task_result};
use crate::domain::Digest;

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskParameters {
    #[serde(default)]
    all: bool,
}

impl Accepts for TaskParameters {
    const FIELDS: &'static str =
        "`all` (true or false): confirmed ones and those that were called off too";
}

/// `GET /v1/tasks`: names nobody whom a task is about.
pub async fn list(State(api): State<Api>, Parameters(given): Parameters<TaskParameters>) -> Answer {
    let tasks = api.product.tasks(!given.all).await?;
    let tasks: Vec<Value> = tasks.iter().map(told).collect();
    Ok(json(&json!({ "tasks": tasks })))
}

fn told(listed: &ListedTask) -> Value {
    let task = &listed.task;
    json!({
        "task": task.job_id,
        "case": task.case_id,
        "system": task.system,
        "assignee": task.assignee,
        "state": task.state.as_str(),
        "overdue": listed.overdue,
        "opened_at": task.opened_at,
        "due_at": task.due_at,
        "reminded_at": task.reminded_at,
        "result": task.result,
        "done_at": task.done.as_ref().map(|(_, at)| at),
        "done_by": task.done.as_ref().map(|(by, _)| by),
        "evidence_sha256": task.evidence_sha256,
        "note": task.note,
        "confirmed_at": task.confirmed.as_ref().map(|(_, at)| at),
        "confirmed_by": task.confirmed.as_ref().map(|(by, _)| by),
    })
}

/// `GET /v1/tasks/{id}`: the one address that tells whom a task is about; each look is on record.
pub async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Answer {
    must_be(&api, id).await?;
    let product = api.product.clone();
    let who = Onlooker::Operator(caller.actor());
    let looking = api.change(async move { product.task_sheet(id, &who).await });
    let sheet = looking.await.map_err(Refusal::about_state)?;
    let identities: Vec<Value> = sheet
        .identities
        .iter()
        .map(|one| json!({ "identity": one.kind, "value": one.value }))
        .collect();
    Ok(json(&json!({
        "task": told(&sheet.listed),
        "operator": sheet.operator,
        "instructions": sheet.instructions,
        "asked": sheet.asked,
        "request": sheet.request,
        "identities": identities,
    })))
}

/// What somebody says of a task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoneBody {
    result: String,
    evidence_sha256: Option<String>,
    note: Option<String>,
}

impl Accepts for DoneBody {
    const FIELDS: &'static str = "`result` (`done`, `absent` or `refused`), `evidence_sha256` (64 hexadecimal digits of the file that shows it) and `note`";
}

/// `POST /v1/tasks/{id}/done`.
pub async fn done(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<DoneBody>,
) -> Answer {
    let result = task_result(&body.result)
        .ok_or_else(|| Refusal::unfit("`result` is `done`, `absent` or `refused`"))?;
    let digest = body.evidence_sha256.as_deref().map(|text| {
        Digest::parse(text).ok_or_else(|| Refusal::unfit("`evidence_sha256` is no SHA-256"))
    });
    let note = body.note.as_deref().map(|note| remark("note", note)).transpose()?;
    must_be(&api, id).await?;
    let said =
        SaidOfTask { result, evidence_sha256: digest.transpose()?, note: note.map(String::from) };
    if said.evidence_sha256.is_none() && said.note.is_none() {
        return Err(Refusal::unfit("`evidence_sha256` or `note` says what shows it"));
    }
    let product = api.product.clone();
    let reporting = api.change(async move { product.report_task(id, said, &caller.actor()).await });
    reporting.await.map_err(Refusal::about_state)?;
    Ok(json(&json!({ "task": id, "done": true })))
}

/// `POST /v1/tasks/{id}/confirm`: not by who said that it is done.
pub async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(NoFields {}): Json<NoFields>,
) -> Answer {
    must_be(&api, id).await?;
    let product = api.product.clone();
    let confirming = api.change(async move { product.confirm_task(id, &caller.actor()).await });
    confirming.await.map_err(Refusal::about_state)?;
    Ok(json(&json!({ "task": id, "confirmed": true })))
}

async fn must_be(api: &Api, task: uuid::Uuid) -> Result<(), Refusal> {
    if api.product.has_task(task).await? { Ok(()) } else { Err(Refusal::nothing_here()) }
}
