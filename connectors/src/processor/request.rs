//! A request of a definition becomes one that can be sent.

use reqwest::Method;
use url::Url;

use super::definition::Request;
use super::template::{Place, Unfit, Values, fill, fill_json, percent};

/// A request with everything filled in, before it is authenticated. It holds identities and does
/// not print.
#[derive(Clone)]
pub(super) struct Prepared {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    /// Body and its content type.
    pub body: Option<(&'static str, Vec<u8>)>,
}

/// What is changed from one page to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn {
    /// A query parameter.
    pub query: Option<(String, String)>,
    /// A place in the JSON body.
    pub json: Option<(String, String)>,
}

/// Fills a request in.
///
/// # Errors
/// Where a value cannot stand in its place.
pub(super) fn prepare(
    request: &Request,
    base: &str,
    values: &Values,
    ids: &[String],
    turn: &Turn,
) -> Result<Prepared, Unfit> {
    let (method, path) = request.send.split_once(' ').unwrap_or(("GET", "/"));
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Unfit("the method of a request cannot be read".to_owned()))?;
    let path = fill(path, values, Place::Path)?;
    let mut url = Url::parse(&format!("{base}{path}"))
        .map_err(|_| Unfit("the address of a request cannot be read".to_owned()))?;
    if !url.path().ends_with(&path) {
        return Err(Unfit("a value would change the path of a request".to_owned()));
    }
    let mut pairs = Vec::new();
    for (name, text) in &request.query {
        pairs.push((percent(name), fill(text, values, Place::Query)?));
    }
    if let Some((name, value)) = &turn.query {
        pairs.retain(|(key, _)| *key != percent(name));
        pairs.push((percent(name), percent(value)));
    }
    if !pairs.is_empty() {
        url.set_query(Some(&joined(&pairs)));
    }
    let mut headers = Vec::new();
    for (name, text) in &request.headers {
        headers.push((name.clone(), fill(text, values, Place::Header)?));
    }
    let body = match (&request.json, &request.form) {
        (Some(document), _) => {
            let mut document = fill_json(document, values, ids)?;
            if let Some((pointer, value)) = &turn.json {
                put(&mut document, pointer, value)?;
            }
            Some(("application/json", document.to_string().into_bytes()))
        }
        (None, Some(form)) => {
            let mut pairs = Vec::new();
            for (name, text) in form {
                pairs.push((percent(name), fill(text, values, Place::Query)?));
            }
            Some(("application/x-www-form-urlencoded", joined(&pairs).into_bytes()))
        }
        (None, None) => None,
    };
    Ok(Prepared { method, url, headers, body })
}

fn joined(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Puts a cursor into the body; objects on the way are made where they are missing.
fn put(document: &mut serde_json::Value, pointer: &str, value: &str) -> Result<(), Unfit> {
    let mut place = document;
    for key in pointer.trim_start_matches('/').split('/') {
        let Some(entries) = place.as_object_mut() else {
            return Err(Unfit("the next page's cursor has no place in the body".to_owned()));
        };
        place = entries.entry(key).or_insert_with(|| serde_json::json!({}));
    }
    *place = serde_json::Value::from(value);
    Ok(())
}
