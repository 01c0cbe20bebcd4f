//! What a definition has to be beyond its schema: every place can be filled in, every answer can
//! be understood, and after a crash the vendor can be asked before anything is sent again.

use std::collections::BTreeSet;

use serde_json::Value;

use super::definition::{
    Action, Answer, Authentication, Definition, Flaw, IdentityRule, Meaning, Pages, Parameter,
    Request,
};
use super::template;

/// Words of the glossary for kinds of gone.
const GRADES: [&str; 5] =
    ["hidden", "deleted", "deleted with dependents", "key destroyed", "physically purged"];

/// Values that every request of an order may use.
const OF_THE_ORDER: [&str; 4] = ["order", "idempotency_key", "regime", "submitted_at"];

/// Where a request stands, which decides what it may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Check,
    Resolve,
    Step,
    Look,
    Follow,
}

type Names = BTreeSet<String>;

/// Checks a definition as a whole and tells everything that is wrong with it: of each part, such as
/// an identity or an action, the first thing.
pub(super) fn validate(definition: &Definition) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut note = |result: Result<(), Flaw>| flaws.extend(result.err());
    note(head(definition));
    for (key, one) in &definition.parameters {
        note(parameter(key, one));
    }
    let parameters: Names = definition.parameters.keys().cloned().collect();
    note(templated("base", &definition.base, &parameters));
    for (index, text) in definition.hosts.iter().enumerate() {
        note(templated(&format!("hosts[{index}]"), text, &parameters));
    }
    for (key, text) in &definition.headers {
        note(templated(&format!("headers.{key}"), text, &parameters));
    }
    for text in texts_of(&definition.authentication) {
        let mut allowed = parameters.clone();
        allowed.extend(["method", "target", "timestamp", "body"].map(str::to_owned));
        note(templated("authentication", text, &allowed));
    }
    note(request("check", &definition.check, Role::Check, &parameters));
    let mut of_order = parameters.clone();
    of_order.extend(OF_THE_ORDER.map(str::to_owned));
    let mut parts: Option<Names> = None;
    let mut identities_are_fine = !definition.identities.is_empty();
    if definition.identities.is_empty() {
        note(Err(Flaw::of("identities", "names none: write at least one")));
    }
    for (index, rule) in definition.identities.iter().enumerate() {
        match identity(&format!("identities[{index}]"), rule, &of_order) {
            Ok(own) => {
                parts = Some(match parts.take() {
                    None => own,
                    Some(so_far) => &so_far & &own,
                });
            }
            Err(flaw) => {
                identities_are_fine = false;
                note(Err(flaw));
            }
        }
    }
    // What a record is called follows from the identities: where they are wrong, it is not known.
    let parts = parts.filter(|_| identities_are_fine);
    for flaw in actions(definition, &of_order, parts.as_ref()) {
        note(Err(flaw));
    }
    note(super::callback::validate(definition));
    flaws
}

/// Checks what can be asked; without `parts` only what needs no names of records.
fn actions(definition: &Definition, of_order: &Names, parts: Option<&Names>) -> Vec<Flaw> {
    let actions = [
        ("actions.erase", &definition.actions.erase),
        ("actions.restrict", &definition.actions.restrict),
        ("actions.lift", &definition.actions.lift),
    ];
    if actions.iter().all(|(_, action)| action.is_none()) {
        return vec![Flaw::of("actions", "offers nothing: write at least `erase`")];
    }
    let resolves = definition.identities.iter().all(|rule| !rule.resolve.is_empty());
    let mut flaws = Vec::new();
    for (place, one) in actions {
        let Some(one) = one else { continue };
        if let Some(parts) = parts {
            flaws.extend(action(place, one, of_order, parts).err());
        }
        let found_by_resolving = place == "actions.erase" && resolves;
        if one.verify.is_empty() && one.ask.is_empty() && !one.repeatable && !found_by_resolving {
            flaws.push(Flaw::of(
                place,
                "cannot be asked about after a crash: write `verify` or `ask`, or `repeatable: \
                 true` where the vendor documents that asking twice is harmless",
            ));
        }
    }
    flaws
}

fn head(definition: &Definition) -> Result<(), Flaw> {
    if definition.processor != 1 {
        let version = definition.processor;
        let why = format!("is {version}, a version of the language that is not known: write 1");
        return Err(Flaw::of("processor", why));
    }
    name("name", &definition.name)?;
    for (key, text) in [("vendor", &definition.vendor), ("api", &definition.api)] {
        if text.trim().is_empty() {
            return Err(Flaw::of(key, "is empty: write who and which version was read"));
        }
    }
    if !definition.documentation.starts_with("https://") {
        let why = "is no address: write where the erasure is documented";
        return Err(Flaw::of("documentation", why));
    }
    if !GRADES.contains(&definition.erasure_grade.as_str()) {
        let why = format!("is none that is known: write `{}`", GRADES.join("`, `"));
        return Err(Flaw::of("erasure_grade", why));
    }
    if !definition.base.starts_with("https://") || definition.base.ends_with('/') {
        let why = "has to start with `https://` and not to end with `/`";
        return Err(Flaw::of("base", why));
    }
    if definition.requests_per_minute == Some(0) {
        let why = "is 0, which sends nothing: leave it out";
        return Err(Flaw::of("requests_per_minute", why));
    }
    Ok(())
}

fn parameter(key: &str, one: &Parameter) -> Result<(), Flaw> {
    let place = format!("parameters.{key}");
    let wrong = |why: &str| Err(Flaw::of(&place, why));
    name(&place, key)?;
    if OF_THE_ORDER.contains(&key) || ["id", "ids", "reference"].contains(&key) {
        return wrong("has a name with a meaning of its own: rename it");
    }
    if one.secret && one.default.is_some() {
        return wrong("is a secret and has a default: remove the default");
    }
    let fits = match (&one.default, &one.shape) {
        (Some(default), Some(shape)) => shape.fits(default),
        _ => true,
    };
    if !fits {
        return wrong("has a default that does not have its shape: correct one of them");
    }
    Ok(())
}

fn name(place: &str, text: &str) -> Result<(), Flaw> {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fine) {
        return Err(Flaw::of(
            place,
            format!("holds the name `{text}`: write at most 64 lowercase letters, digits and `_`"),
        ));
    }
    Ok(())
}

/// Checks a rule and gives the parts of a record's name that it provides.
fn identity(place: &str, rule: &IdentityRule, of_order: &Names) -> Result<Names, Flaw> {
    name(&format!("{place}.kind"), &rule.kind)?;
    let mut allowed = of_order.clone();
    allowed.insert(rule.kind.clone());
    if rule.resolve.is_empty() {
        let mut parts: Names = rule.set.keys().cloned().collect();
        parts.insert("id".to_owned());
        return Ok(parts);
    }
    if !rule.set.is_empty() {
        return Err(Flaw::of(
            format!("{place}.set"),
            "is for values that are the id: write it in `resolve`",
        ));
    }
    let mut parts: Option<Names> = None;
    for (index, one) in rule.resolve.iter().enumerate() {
        request(&format!("{place}.resolve[{index}]"), one, Role::Resolve, &allowed)?;
        let own: Names = one.take.keys().chain(one.set.keys()).cloned().collect();
        parts = Some(match parts.take() {
            None => own,
            Some(so_far) => &so_far & &own,
        });
    }
    Ok(parts.unwrap_or_default())
}

fn action(place: &str, one: &Action, of_order: &Names, parts: &Names) -> Result<(), Flaw> {
    if one.steps.is_empty() {
        return Err(Flaw::of(format!("{place}.steps"), "is empty: write at least one request"));
    }
    let of_record: Names = of_order | parts;
    for (index, step) in one.steps.iter().enumerate() {
        let here = format!("{place}.steps[{index}]");
        if step.most.is_some() {
            request(&here, step, Role::Step, of_order)?;
        } else {
            request(&here, step, Role::Step, &of_record)?;
        }
        let pends = step.answers.iter().any(|answer| answer.means == Meaning::Pending);
        if pends && index + 1 != one.steps.len() {
            return Err(Flaw::of(&here, "may be pending, which only the last step can be"));
        }
        let complete =
            step.reference.is_some() && step.ask_after_seconds.is_some() && one.follow.is_some();
        if pends && !complete {
            return Err(Flaw::of(
                &here,
                "may be pending: write `reference`, `ask_after_seconds` and `follow`",
            ));
        }
    }
    for (key, requests) in [("verify", &one.verify), ("ask", &one.ask)] {
        for (index, look) in requests.iter().enumerate() {
            let here = format!("{place}.{key}[{index}]");
            request(&here, look, Role::Look, &of_record)?;
            if one.carries_many() && names_in(look).contains("idempotency_key") {
                return Err(Flaw::of(
                    here,
                    "uses `{idempotency_key}`, and the key of a batch is not that of a record in \
                     it: ask by the record",
                ));
            }
        }
    }
    if let Some(follow) = &one.follow {
        let mut allowed = of_order.clone();
        allowed.insert("reference".to_owned());
        request(&format!("{place}.follow"), follow, Role::Follow, &allowed)?;
    }
    Ok(())
}

fn request(place: &str, one: &Request, role: Role, allowed: &Names) -> Result<(), Flaw> {
    let (method, path) = one
        .send
        .split_once(' ')
        .ok_or_else(|| Flaw::of(format!("{place}.send"), "has no path: write `GET /path`"))?;
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        return Err(Flaw::of(
            format!("{place}.send"),
            format!("starts with `{method}`, which is no method"),
        ));
    }
    if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
        return Err(Flaw::of(
            format!("{place}.send"),
            format!(
                "has the path `{path}`: start it with `/` and write what follows a `?` \
             under `query`"
            ),
        ));
    }
    if one.json.is_some() && one.form.is_some() {
        return Err(Flaw::of(place, "has a `json` and a `form`: write one of them"));
    }
    if method == "GET" && (one.json.is_some() || one.form.is_some()) {
        return Err(Flaw::of(place, "is a GET with a body: remove it"));
    }
    templated(&format!("{place}.send"), path, allowed)?;
    let form = one.form.iter().flatten().map(|entry| ("form", entry));
    let query = one.query.iter().map(|entry| ("query", entry));
    let headers = one.headers.iter().map(|entry| ("headers", entry));
    for (part, (key, text)) in query.chain(headers).chain(form) {
        templated(&format!("{place}.{part}.{key}"), text, allowed)?;
    }
    if let Some(json) = &one.json {
        let mut allowed = allowed.clone();
        if one.most.is_some() {
            allowed.insert("ids".to_owned());
        }
        in_json(&format!("{place}.json"), json, &allowed)?;
    }
    answers(place, &one.answers)?;
    parts_of_role(place, one, role)
}

fn parts_of_role(place: &str, one: &Request, role: Role) -> Result<(), Flaw> {
    let only = |present: bool, key: &str, here: &[Role]| {
        if present && !here.contains(&role) {
            return Err(Flaw::of(format!("{place}.{key}"), "has no meaning here: remove it"));
        }
        Ok(())
    };
    only(one.list.is_some(), "list", &[Role::Resolve])?;
    only(!one.take.is_empty(), "take", &[Role::Resolve])?;
    only(!one.set.is_empty(), "set", &[Role::Resolve])?;
    only(one.matching.is_some(), "match", &[Role::Resolve])?;
    only(one.pages.is_some(), "pages", &[Role::Resolve])?;
    only(one.most.is_some(), "most", &[Role::Step])?;
    only(one.items.is_some(), "items", &[Role::Step])?;
    only(one.reference.is_some(), "reference", &[Role::Step, Role::Look])?;
    only(one.ask_after_seconds.is_some(), "ask_after_seconds", &[Role::Step, Role::Follow])?;
    if role == Role::Resolve {
        if !one.take.contains_key("id") {
            return Err(Flaw::of(
                format!("{place}.take"),
                "has no `id`: write where the record's id stands",
            ));
        }
        if one.matching.is_none() {
            return Err(Flaw::of(
                format!("{place}.match"),
                "is missing: write which field of a record has to be the identity",
            ));
        }
    } else if one.answers.is_empty() {
        return Err(Flaw::of(format!("{place}.answers"), "is empty: write what the answers mean"));
    }
    if one.items.is_some() && one.most.is_none() {
        return Err(Flaw::of(format!("{place}.items"), "is for batches: write `most` as well"));
    }
    let most = one.most_pages();
    if most == 0 || most > 1_000 || one.most.is_some_and(|most| most == 0 || most > 10_000) {
        return Err(Flaw::of(place, "has a `most` that is 0 or too large"));
    }
    if let Some(Pages::Cursor { query: None, json: None, .. }) = &one.pages {
        return Err(Flaw::of(
            format!("{place}.pages.cursor"),
            "goes nowhere: write `query` or `json`",
        ));
    }
    pointers(place, one)
}

fn pointers(place: &str, one: &Request) -> Result<(), Flaw> {
    let of_pages: Vec<&String> = match &one.pages {
        Some(Pages::Cursor { at, json, .. }) => {
            [Some(at), json.as_ref()].into_iter().flatten().collect()
        }
        Some(Pages::LastRecord { more, at, .. }) => vec![more, at],
        Some(Pages::Link { at, .. }) => vec![at],
        Some(Pages::Offset { .. }) | None => Vec::new(),
    };
    let items = one.items.iter().flat_map(|items| [&items.list, &items.id]);
    let own = one.list.iter().chain(one.take.values()).chain(one.reference.iter());
    let matching = one.matching.iter().map(|matching| &matching.at);
    for text in own.chain(matching).chain(items).chain(of_pages) {
        pointer(place, text)?;
    }
    if let Some(items) = &one.items {
        answers(&format!("{place}.items"), &items.answers)?;
    }
    Ok(())
}

fn pointer(place: &str, text: &str) -> Result<(), Flaw> {
    if text.is_empty() || text.starts_with('/') {
        return Ok(());
    }
    Err(Flaw::of(place, format!("has `{text}` where a JSON pointer belongs: start it with `/`")))
}

fn answers(place: &str, answers: &[Answer]) -> Result<(), Flaw> {
    for (index, answer) in answers.iter().enumerate() {
        let here = format!("{place}.answers[{index}]");
        if answer.status.iter().any(|status| !(200..600).contains(status)) {
            return Err(Flaw::of(format!("{here}.status"), "is no status code"));
        }
        let conditions = usize::from(answer.equals.is_some())
            + usize::from(!answer.one_of.is_empty())
            + usize::from(answer.exists.is_some());
        match (&answer.at, conditions) {
            (None, 0) => {}
            (Some(at), 1) => pointer(&here, at)?,
            (None, _) => return Err(Flaw::of(&here, "compares nothing: write `at`")),
            (Some(_), _) => {
                return Err(Flaw::of(
                    &here,
                    "has to say one thing of `at`: `equals`, `one_of` or `exists`",
                ));
            }
        }
    }
    Ok(())
}

fn in_json(place: &str, document: &Value, allowed: &Names) -> Result<(), Flaw> {
    match document {
        Value::String(text) => templated(place, text, allowed),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| in_json(&format!("{place}[{index}]"), item, allowed)),
        Value::Object(entries) => entries
            .iter()
            .try_for_each(|(key, value)| in_json(&format!("{place}.{key}"), value, allowed)),
        _ => Ok(()),
    }
}

fn templated(place: &str, text: &str, allowed: &Names) -> Result<(), Flaw> {
    for name in template::names(text).map_err(|why| Flaw::of(place, why))? {
        if !allowed.contains(&name) {
            let known: Vec<&str> = allowed.iter().map(String::as_str).collect();
            return Err(Flaw::of(
                place,
                format!(
                    "uses `{{{name}}}`, which has no value there: write one of `{}`",
                    known.join("`, `")
                ),
            ));
        }
    }
    Ok(())
}

/// What a request uses, by name.
pub(super) fn names_in(request: &Request) -> Names {
    texts_in(request).iter().flat_map(|text| template::names(text).unwrap_or_default()).collect()
}

/// Every text of a request that may use names.
fn texts_in(request: &Request) -> Vec<String> {
    fn in_json(document: &Value, found: &mut Vec<String>) {
        match document {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| in_json(item, found)),
            Value::Object(entries) => entries.values().for_each(|value| in_json(value, found)),
            _ => {}
        }
    }
    let mut found = vec![request.send.clone()];
    let entries = request.query.values().chain(request.headers.values());
    found.extend(entries.chain(request.form.iter().flat_map(|form| form.values())).cloned());
    if let Some(document) = &request.json {
        in_json(document, &mut found);
    }
    found
}

/// Every text of a definition that may use parameters, but for those about callbacks.
pub(super) fn texts(definition: &Definition) -> Vec<String> {
    let mut found = vec![definition.base.clone()];
    found.extend(definition.hosts.iter().chain(definition.headers.values()).cloned());
    found.extend(texts_of(&definition.authentication).into_iter().cloned());
    let actions = &definition.actions;
    let actions = [&actions.erase, &actions.restrict, &actions.lift].into_iter().flatten();
    let of_actions = actions
        .flat_map(|one| one.steps.iter().chain(&one.verify).chain(&one.ask).chain(&one.follow));
    let of_identities = definition.identities.iter().flat_map(|rule| &rule.resolve);
    for request in of_actions.chain(of_identities).chain([&definition.check]) {
        found.extend(texts_in(request));
    }
    found
}

fn texts_of(authentication: &Authentication) -> Vec<&String> {
    match authentication {
        Authentication::None => Vec::new(),
        Authentication::Header { name, value } | Authentication::Query { name, value } => {
            vec![name, value]
        }
        Authentication::Basic { user, password } => vec![user, password],
        Authentication::Bearer { token } => vec![token],
        Authentication::Oauth2ClientCredentials { token_url, client_id, client_secret, scope } => {
            [token_url, client_id, client_secret].into_iter().chain(scope).collect()
        }
        Authentication::Oauth2RefreshToken {
            token_url,
            client_id,
            client_secret,
            refresh_token,
        } => {
            vec![token_url, client_id, client_secret, refresh_token]
        }
        Authentication::Hmac { key, over, .. } => vec![key, over],
    }
}
