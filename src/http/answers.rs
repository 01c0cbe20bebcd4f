//! The page behind the link of a mail: the only doors beside `/health` that need no token, because
//! the link is one. `GET` shows what is to be done and changes nothing, however often a program
//! that reads mail follows it; whom it is about and the answer need the form of the page.

use std::borrow::Cow;

use askama::Template;
use axum::extract::{Form, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::Api;
use super::answer::{Refusal, WithForm};
use super::intake::{Part, remark};
use crate::app::mail::answer::Purpose;
use crate::app::mail::{LinkAnswer, LinkError, LinkPage};
use crate::app::task::{SaidOfTask, TaskIdentity, task_result};
use crate::domain::Digest;

/// Where it is.
pub const ADDRESS: &str = "/v1/tasks/answer/{token}";

/// What a page shows.
enum Content {
    /// A sentence.
    Message { heading: &'static str, words: Cow<'static, str> },
    /// A task, with whom it is about where somebody has asked for that, and what was wrong with
    /// what was written.
    Task { page: Box<LinkPage>, identities: Option<Vec<TaskIdentity>>, problem: Option<String> },
}

#[derive(Template)]
#[template(path = "answer.html", config = "src/http/askama.toml")]
struct Page {
    title: &'static str,
    content: Content,
}

/// What a form of the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filled {
    form: String,
    act: Act,
    result: Option<String>,
    evidence_sha256: Option<String>,
    note: Option<String>,
}

/// What somebody wants.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Act {
    Show,
    Answer,
    Confirm,
}

/// `GET /v1/tasks/answer/{token}`: what is to be done, without whom it is about. Changes nothing.
pub async fn look(State(api): State<Api>, Part(token): Part) -> Response {
    match api.product.look_behind_link(&token).await {
        Ok(page) => task_page(StatusCode::OK, page, None, None),
        Err(error) => turned_away(&api, &error),
    }
}

/// `POST /v1/tasks/answer/{token}`: shows whom it is about, or takes the answer.
pub async fn answer(
    State(api): State<Api>,
    Part(token): Part,
    headers: HeaderMap,
    filled: Result<Form<Filled>, axum::extract::rejection::FormRejection>,
) -> Response {
    if comes_from_elsewhere(&headers) {
        return turned_away(&api, &LinkError::Form);
    }
    let Ok(Form(filled)) = filled else { return turned_away(&api, &LinkError::Form) };
    if filled.act == Act::Show {
        return show(&api, &token, &filled.form).await;
    }
    let answer = match answer_of(&filled) {
        Ok(answer) => answer,
        Err(problem) => return with_problem(&api, &token, problem).await,
    };
    let (product, link, form) = (api.product.clone(), token.clone(), filled.form);
    let work = async move { Ok(product.answer_behind_link(&link, &form, answer).await) };
    match api.change(work).await {
        Ok(Ok(())) => thanks(filled.act),
        Ok(Err(LinkError::Unfit(problem))) => with_problem(&api, &token, problem).await,
        Ok(Err(error)) => turned_away(&api, &error),
        Err(refusal) => refused(&refusal),
    }
}

async fn show(api: &Api, token: &str, form: &str) -> Response {
    let (product, link, form) = (api.product.clone(), token.to_owned(), form.to_owned());
    let work = async move { Ok(product.show_behind_link(&link, &form).await) };
    match api.change(work).await {
        Ok(Ok((page, identities))) => task_page(StatusCode::OK, page, Some(identities), None),
        Ok(Err(error)) => turned_away(api, &error),
        Err(refusal) => refused(&refusal),
    }
}

/// The page once more, with what was wrong.
async fn with_problem(api: &Api, token: &str, problem: String) -> Response {
    match api.product.look_behind_link(token).await {
        Ok(page) => task_page(StatusCode::UNPROCESSABLE_ENTITY, page, None, Some(problem)),
        Err(error) => turned_away(api, &error),
    }
}

/// Reads what somebody says; what does not fit is told and not repeated.
fn answer_of(filled: &Filled) -> Result<LinkAnswer, String> {
    if filled.act == Act::Confirm {
        return Ok(LinkAnswer::Confirmed);
    }
    let written = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let result = filled.result.as_deref().and_then(task_result);
    let result = result.ok_or("say what became of it: nothing was put on record")?;
    let digest = written(&filled.evidence_sha256)
        .map(|text| {
            Digest::parse(&text.to_lowercase()).ok_or("a SHA-256 has 64 digits from 0 to f")
        })
        .transpose()?;
    let note = written(&filled.note).map(|note| remark("note", &note)).transpose();
    let note = note.map_err(|refusal| refusal.words().to_owned())?;
    if digest.is_none() && note.is_none() {
        return Err("name the SHA-256 of a file that shows it, or write a note".to_owned());
    }
    let note = note.map(String::from);
    Ok(LinkAnswer::Said(SaidOfTask { result, evidence_sha256: digest, note }))
}

/// Browsers say from where a form comes; ours comes from our own page.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn thanks(act: Act) -> Response {
    let (heading, words) = if act == Act::Confirm {
        ("Confirmed", "It is on record with your name, and the request goes on.")
    } else {
        ("On record", "Thank you. A second person confirms it; you have nothing more to do.")
    };
    message(StatusCode::OK, heading, words.into())
}

fn turned_away(api: &Api, error: &LinkError) -> Response {
    let (status, heading) = match error {
        LinkError::Forged => {
            if !api.gate.one_more_failure() {
                let words = "too many links that are none of ours: wait a moment and try again";
                return message(StatusCode::TOO_MANY_REQUESTS, "Please wait", words.into());
            }
            (StatusCode::NOT_FOUND, "This link is not good")
        }
        LinkError::Expired | LinkError::Over(_) => {
            (StatusCode::GONE, "This link is not good any more")
        }
        LinkError::Form => (StatusCode::FORBIDDEN, "Nothing was changed"),
        LinkError::Unfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed"),
        LinkError::App(error) => {
            tracing::error!(%error, "a link could not be served");
            let words = "this could not be done just now: try again in a moment";
            return message(StatusCode::SERVICE_UNAVAILABLE, "Not now", words.into());
        }
    };
    message(status, heading, error.to_string().into())
}

fn refused(refusal: &Refusal) -> Response {
    message(refusal.status(), "Not now", refusal.words().to_owned().into())
}

fn message(status: StatusCode, heading: &'static str, words: Cow<'static, str>) -> Response {
    page(status, &Page { title: heading, content: Content::Message { heading, words } })
}

fn task_page(
    status: StatusCode,
    shown: LinkPage,
    identities: Option<Vec<TaskIdentity>>,
    problem: Option<String>,
) -> Response {
    let title = match shown.purpose {
        Purpose::Doing => "A task for you",
        Purpose::Confirming => "A task to confirm",
    };
    page(
        status,
        &Page { title, content: Content::Task { page: Box::new(shown), identities, problem } },
    )
}

fn page(status: StatusCode, shown: &Page) -> Response {
    let Ok(html) = shown.render() else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let mut response = Response::new(html.into());
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response.extensions_mut().insert(WithForm);
    response
}
