//! Certificates: lists, facts, exact bytes, and the folder that an auditor receives.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Api;
use super::answer::{Answer, OwnPolicy, Refusal, bytes, file, json};
use super::gate::Caller;
use super::intake::{Accepts, Id, Json, Parameters, Part, remark};
use crate::app::correction::Correcting;
use crate::app::reading::Lookup;
use crate::app::reading::certificates::{
    CertificatePart, CertificateQuery, Language, PAGE_NAME, PDF_NAME, TEXT_NAME,
    language_of_browser, page_policy,
};
use crate::app::status_list::CertificateDecision;

/// Media type of a Sigstore bundle.
pub(super) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Media type of an in-toto statement.
const STATEMENT: &str = "application/vnd.in-toto+json";
const TEXT: &str = "text/plain; charset=utf-8";
const PAGE: &str = "text/html; charset=utf-8";
const PDF: &str = "application/pdf";

/// Where the code of a printed certificate leads.
pub const PRINTED: &str = "/c/{id}";

/// Parameters of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    system: Option<String>,
    rule: Option<String>,
    text: Option<String>,
    case: Option<Uuid>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    before: Option<Uuid>,
    limit: Option<u32>,
}

impl Accepts for ListParameters {
    const FIELDS: &'static str = "`system`, `rule`, `text`, `case`, `from` and `to` (instants such as `2026-01-31T00:00:00Z`), `before` (of `next`) and `limit` (1 to 500)";
}

/// Parameter of printed forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintParameters {
    language: Option<String>,
}

impl Accepts for PrintParameters {
    const FIELDS: &'static str = "`language` (`en`, `de` or `zh`)";
}

impl PrintParameters {
    /// The language; `None` leaves it to the instance or the request.
    fn language(&self) -> Result<Option<Language>, Refusal> {
        let unknown = || Refusal::unfit("`language` is none of `en`, `de` and `zh`");
        self.language.as_deref().map(|tag| Language::parse(tag).ok_or_else(unknown)).transpose()
    }
}

/// What was asked for, for links to the same in the same language.
fn query_of(language: Option<Language>) -> String {
    language.map(|one| format!("?language={}", one.code())).unwrap_or_default()
}

/// `GET /v1/certificates`.
pub async fn list(State(api): State<Api>, Parameters(given): Parameters<ListParameters>) -> Answer {
    let query = CertificateQuery {
        system: given.system,
        rule: given.rule,
        text: given.text.filter(|text| !text.is_empty()),
        case: given.case,
        from: given.from,
        to: given.to,
        before: given.before,
        limit: given.limit,
    };
    Ok(json(&api.product.read_certificates(query).await?))
}

/// `GET /v1/certificates/{id}`.
pub async fn one(State(api): State<Api>, Id(id): Id) -> Answer {
    let found = api.product.read_certificate(id).await?;
    Ok(json(&found.ok_or_else(Refusal::nothing_here)?))
}

/// `GET /v1/certificates/{id}/statement`: the signed words, byte for byte.
pub async fn statement(State(api): State<Api>, Id(id): Id) -> Answer {
    part(&api, id, CertificatePart::Statement, STATEMENT).await
}

/// `GET /v1/certificates/{id}/manifest`.
pub async fn manifest(State(api): State<Api>, Id(id): Id) -> Answer {
    part(&api, id, CertificatePart::Manifest, "application/json").await
}

/// `GET /v1/certificates/{id}/bundle`.
pub async fn bundle(State(api): State<Api>, Id(id): Id) -> Answer {
    part(&api, id, CertificatePart::Bundle, BUNDLE).await
}

async fn part(api: &Api, id: Uuid, part: CertificatePart, content_type: &'static str) -> Answer {
    let found = api.product.read_certificate_part(id, part).await?;
    Ok(bytes(content_type, here(found)?))
}

fn here<T>(found: Lookup<T>) -> Result<T, Refusal> {
    match found {
        Lookup::Here(found) => Ok(found),
        Lookup::NotYet => Err(Refusal::not_yet()),
        Lookup::Missing => Err(Refusal::nothing_here()),
    }
}

/// What somebody says of a certificate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredBody {
    status: CertificateDecision,
    reason: String,
}

impl Accepts for DeclaredBody {
    const FIELDS: &'static str = "`status` (`withdrawn`, `disputed` or `current`) and `reason`";
}

/// `POST /v1/certificates/{id}/status`: it was issued in error, is contested, or no longer is.
pub async fn declare(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<DeclaredBody>,
) -> Answer {
    let decision = body.status;
    let reason = remark("reason", &body.reason)?;
    if api.product.read_certificate(id).await?.is_none() {
        return Err(Refusal::nothing_here());
    }
    let product = api.product.clone();
    let declared = async move {
        product.declare_certificate(id, decision, reason.as_str(), &caller.actor()).await
    };
    api.change(declared).await.map_err(Refusal::about_state)?;
    Ok(json(&serde_json::json!({ "certificate": id, "status": decision.as_str() })))
}

/// How a withdrawn certificate is corrected.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectionBody {
    what_was_wrong: String,
    #[serde(default)]
    without: BTreeSet<String>,
}

impl Accepts for CorrectionBody {
    const FIELDS: &'static str =
        "`what_was_wrong` and `without` (systems that nobody can ask any more)";
}

/// `POST /v1/certificates/{id}/correction`: states the case of a withdrawn certificate anew.
pub async fn correct(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Json(body): Json<CorrectionBody>,
) -> Answer {
    let what_was_wrong = remark("what_was_wrong", &body.what_was_wrong)?.as_str().to_owned();
    if api.product.read_certificate(id).await?.is_none() {
        return Err(Refusal::nothing_here());
    }
    let correcting = Correcting { what_was_wrong, without: body.without };
    let product = api.product.clone();
    let correct = async move {
        Box::pin(product.correct_certificate(id, &correcting, &caller.actor())).await
    };
    let corrected = api.change(correct).await.map_err(Refusal::about_state)?;
    Ok(json(&serde_json::json!({
        "certificate": corrected.certificate,
        "corrects": id,
        "says": corrected.overall.as_str(),
        "looked_again_in": corrected.looked_again_in,
        "on_record_only": corrected.on_record_only,
    })))
}

/// `GET /v1/certificates/{id}/text`.
pub async fn text(
    State(api): State<Api>,
    Id(id): Id,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    Ok(bytes(TEXT, printed(&api, id, &print, TEXT_NAME).await?))
}

/// `GET /v1/certificates/{id}/html`.
pub async fn html(
    State(api): State<Api>,
    Id(id): Id,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    let mut answer = bytes(PAGE, printed(&api, id, &print, PAGE_NAME).await?);
    answer.extensions_mut().insert(OwnPolicy(page_policy()));
    Ok(answer)
}

/// `GET /c/{id}`: where the code of a printed certificate leads. The page is the auditor's, which
/// names no person and says whether a later certificate has taken this one's place. Whoever has the
/// identifier may see it, as whoever holds the paper may: 74 of its bits are not the time, and at
/// least 32 of those are drawn anew for each, so it is not guessed, and who tries is counted and
/// turned away.
pub async fn printed_link(
    State(api): State<Api>,
    Part(id): Part,
    Parameters(print): Parameters<PrintParameters>,
    headers: HeaderMap,
) -> Answer {
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let wanted = print.language()?.or_else(|| language_of_browser(accepted.unwrap_or_default()));
    let found = match Uuid::try_parse(&id) {
        Ok(id) => api.product.read_certificate_file(id, PAGE_NAME, wanted).await?,
        Err(_) => Lookup::Missing,
    };
    match found {
        Lookup::Missing if !api.gate.one_more_failure() => Err(Refusal::too_many_failures(1)),
        found => {
            let mut answer = bytes(PAGE, here(found)?);
            answer.extensions_mut().insert(OwnPolicy(page_policy()));
            answer.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex"));
            Ok(answer)
        }
    }
}

/// `GET /v1/certificates/{id}/pdf`.
pub async fn pdf(
    State(api): State<Api>,
    Id(id): Id,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    Ok(bytes(PDF, printed(&api, id, &print, PDF_NAME).await?))
}

async fn printed(
    api: &Api,
    id: Uuid,
    print: &PrintParameters,
    name: &str,
) -> Result<Vec<u8>, Refusal> {
    let language = print.language()?;
    here(api.product.read_certificate_file(id, name, language).await?)
}

#[derive(Serialize)]
struct Folder {
    certificate: Uuid,
    files: Vec<FileOfFolder>,
}

#[derive(Serialize)]
struct FileOfFolder {
    name: String,
    bytes: usize,
    address: String,
}

/// `GET /v1/certificates/{id}/export`: the files of the folder.
pub async fn folder(
    State(api): State<Api>,
    Id(id): Id,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    let language = print.language()?;
    let folder = here(api.product.read_certificate_folder(id, language).await?)?;
    let query = query_of(language);
    let files = folder.into_iter().map(|(name, content)| FileOfFolder {
        address: format!("/v1/certificates/{id}/export/{name}{query}"),
        bytes: content.len(),
        name,
    });
    Ok(json(&Folder { certificate: id, files: files.collect() }))
}

/// `GET /v1/certificates/{id}/export/{file}`.
pub async fn exported(
    State(api): State<Api>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    let Ok(Path((id, name))) = path else { return Err(Refusal::nothing_here()) };
    let id = Uuid::try_parse(&id).map_err(|_| Refusal::nothing_here())?;
    let content = printed(&api, id, &print, &name).await?;
    Ok(served(&name, content))
}

/// `GET /v1/certificates/{id}/export-for-person`: the files of the copy for the person that the
/// certificate is about. The opening among them names the person: no auditor gets it.
pub async fn folder_for_person(
    State(api): State<Api>,
    Id(id): Id,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    let language = print.language()?;
    ready(&api, id).await?;
    let query = query_of(language);
    let files = api.product.files_for_person(id, language).await;
    let files = files.map_err(|error| Refusal::from(error).about_state())?;
    let files = files.into_iter().map(|(name, bytes)| FileOfFolder {
        address: format!("/v1/certificates/{id}/export-for-person/{name}{query}"),
        bytes,
        name,
    });
    Ok(json(&Folder { certificate: id, files: files.collect() }))
}

/// `GET /v1/certificates/{id}/export-for-person/{file}`: that it was handed out is on record.
pub async fn exported_for_person(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    Parameters(print): Parameters<PrintParameters>,
) -> Answer {
    let Ok(Path((id, name))) = path else { return Err(Refusal::nothing_here()) };
    let id = Uuid::try_parse(&id).map_err(|_| Refusal::nothing_here())?;
    let language = print.language()?;
    ready(&api, id).await?;
    let content = api.product.file_for_person(id, &name, language, &caller.actor()).await;
    let content = content.map_err(|error| Refusal::from(error).about_state())?;
    Ok(served(&name, content.ok_or_else(Refusal::nothing_here)?))
}

/// The certificate is there and in the log.
async fn ready(api: &Api, id: Uuid) -> Result<(), Refusal> {
    here(api.product.read_certificate_part(id, CertificatePart::Bundle).await?).map(drop)
}

fn served(name: &str, content: Vec<u8>) -> Response {
    let content_type = match name.rsplit('.').next() {
        Some("json") if name == "certificate.sigstore.json" => BUNDLE,
        Some("json") => "application/json",
        Some("html") => PAGE,
        Some("pdf") => PDF,
        Some("txt") => TEXT,
        Some("pem") => "application/x-pem-file",
        _ => "application/octet-stream",
    };
    file(content_type, name, content)
}
