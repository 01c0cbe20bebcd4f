//! The page behind the link of a mail: doors that need no token, because the link is one. `GET` shows what is to be done and changes nothing, however often a program
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
use super::answer_words::{PageWords, words_in};
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
    Message { heading: &'static str, said: Cow<'static, str> },
    /// A task, with whom it is about where somebody has asked for that, and what was wrong with
    /// what was written.
    Task { page: Box<LinkPage>, identities: Option<Vec<TaskIdentity>>, problem: Option<String> },
}

#[derive(Template)]
#[template(path = "answer.html", config = "src/http/askama.toml")]
struct Page {
    words: &'static PageWords,
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
        Err(error) => {
            let words = words_for(&api, &token).await;
            turned_away(&api, &error, words)
        }
    }
}

/// The words of whoever a link was sent to.
async fn words_for(api: &Api, token: &str) -> &'static PageWords {
    words_in(api.product.language_behind_link(token).await)
}

/// `POST /v1/tasks/answer/{token}`: shows whom it is about, or takes the answer.
pub async fn answer(
    State(api): State<Api>,
    Part(token): Part,
    headers: HeaderMap,
    filled: Result<Form<Filled>, axum::extract::rejection::FormRejection>,
) -> Response {
    let words = words_for(&api, &token).await;
    if comes_from_elsewhere(&headers) {
        return turned_away(&api, &LinkError::Form, words);
    }
    let Ok(Form(filled)) = filled else { return turned_away(&api, &LinkError::Form, words) };
    if filled.act == Act::Show {
        return show(&api, &token, &filled.form, words).await;
    }
    let answer = match answer_of(&filled, words) {
        Ok(answer) => answer,
        Err(problem) => return with_problem(&api, &token, problem).await,
    };
    let (product, link, form) = (api.product.clone(), token.clone(), filled.form);
    let work = async move { Ok(product.answer_behind_link(&link, &form, answer).await) };
    match api.change(work).await {
        Ok(Ok(())) => thanks(filled.act, words),
        Ok(Err(LinkError::Unfit(problem))) => {
            with_problem(&api, &token, words.unfit_because(&problem).into_owned()).await
        }
        Ok(Err(error)) => turned_away(&api, &error, words),
        Err(refusal) => refused(&refusal, words),
    }
}

async fn show(api: &Api, token: &str, form: &str, words: &'static PageWords) -> Response {
    let (product, link, form) = (api.product.clone(), token.to_owned(), form.to_owned());
    let work = async move { Ok(product.show_behind_link(&link, &form).await) };
    match api.change(work).await {
        Ok(Ok((page, identities))) => task_page(StatusCode::OK, page, Some(identities), None),
        Ok(Err(error)) => turned_away(api, &error, words),
        Err(refusal) => refused(&refusal, words),
    }
}

/// The page once more, with what was wrong.
async fn with_problem(api: &Api, token: &str, problem: String) -> Response {
    match api.product.look_behind_link(token).await {
        Ok(page) => task_page(StatusCode::UNPROCESSABLE_ENTITY, page, None, Some(problem)),
        Err(error) => {
            let words = words_for(api, token).await;
            turned_away(api, &error, words)
        }
    }
}

/// Reads what somebody says; what does not fit is told and not repeated.
fn answer_of(filled: &Filled, words: &PageWords) -> Result<LinkAnswer, String> {
    if filled.act == Act::Confirm {
        return Ok(LinkAnswer::Confirmed);
    }
    let written = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let result = filled.result.as_deref().and_then(task_result);
    let result = result.ok_or(words.say_what_became)?;
    let digest = written(&filled.evidence_sha256)
        .map(|text| Digest::parse(&text.to_lowercase()).ok_or(words.wrong_digest))
        .transpose()?;
    let note = written(&filled.note).map(|note| remark("note", &note)).transpose();
    let note = note.map_err(|refusal| words.unfit_because(refusal.words()).into_owned())?;
    if digest.is_none() && note.is_none() {
        return Err(words.digest_or_note.to_owned());
    }
    let note = note.map(String::from);
    Ok(LinkAnswer::Said(SaidOfTask { result, evidence_sha256: digest, note }))
}

/// Browsers say from where a form comes; ours comes from our own page.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn thanks(act: Act, words: &'static PageWords) -> Response {
    let (heading, said) = if act == Act::Confirm {
        (words.confirmed, words.confirmed_words)
    } else {
        (words.on_record, words.on_record_words)
    };
    message(StatusCode::OK, words, heading, said.into())
}

fn turned_away(api: &Api, error: &LinkError, words: &'static PageWords) -> Response {
    let (status, heading) = match error {
        LinkError::Forged => {
            if !api.gate.one_more_failure() {
                let (heading, said) = (words.please_wait, words.too_many);
                return message(StatusCode::TOO_MANY_REQUESTS, words, heading, said.into());
            }
            (StatusCode::NOT_FOUND, words.not_good)
        }
        LinkError::Expired | LinkError::Over(_) => (StatusCode::GONE, words.not_good_any_more),
        LinkError::Form => (StatusCode::FORBIDDEN, words.nothing_changed),
        LinkError::Unfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, words.nothing_changed),
        LinkError::App(error) => {
            tracing::error!(%error, "a link could not be served");
            (StatusCode::SERVICE_UNAVAILABLE, words.not_now)
        }
    };
    message(status, words, heading, words.why(error))
}

fn refused(refusal: &Refusal, words: &'static PageWords) -> Response {
    message(refusal.status(), words, words.not_now, words.try_again.into())
}

fn message(
    status: StatusCode,
    words: &'static PageWords,
    heading: &'static str,
    said: Cow<'static, str>,
) -> Response {
    let content = Content::Message { heading, said };
    page(status, &Page { words, title: heading, content })
}

fn task_page(
    status: StatusCode,
    shown: LinkPage,
    identities: Option<Vec<TaskIdentity>>,
    problem: Option<String>,
) -> Response {
    let words = words_in(shown.language);
    let title = match shown.purpose {
        Purpose::Doing => words.a_task,
        Purpose::Confirming => words.a_task_to_confirm,
    };
    let content = Content::Task { page: Box::new(shown), identities, problem };
    page(status, &Page { words, title, content })
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
