//! Vendors that keep customers: Stripe, `HubSpot`, Zendesk, Intercom and Salesforce.

use serde_json::{Value, json};

use super::{TOKEN, basic, bearer, is_json, not_described, there};
use crate::exchange::{Answer, Kept, Seen, World};

pub fn stripe(world: &mut World, seen: &Seen) -> Answer {
    if seen.header("authorization") != "Bearer sk_test_0123456789" {
        return Answer::status(401);
    }
    if seen.header("stripe-version") != "2024-06-20" {
        return not_described();
    }
    match seen.route() {
        ("GET", path) if path == ["v1", "customers"] => {
            let all = there(world, |one| {
                seen.query("email").is_empty() || one.email == seen.query("email")
            });
            let limit: usize = seen.query("limit").parse().unwrap();
            let start = all.iter().position(|one| one.id == seen.query("starting_after"));
            let rest: Vec<_> = all.into_iter().skip(start.map_or(0, |at| at + 1)).collect();
            let more = rest.len() > limit;
            let data: Vec<Value> = rest
                .iter()
                .take(limit)
                .map(|one| json!({"id": one.id, "object": "customer", "email": one.email}))
                .collect();
            Answer::json(200, &json!({"object": "list", "has_more": more, "data": data}))
        }
        ("GET", path) if path == ["v1", "customers", "search"] => {
            let query = seen.query("query");
            let Some(text) = query.strip_prefix("email:\"").and_then(|it| it.strip_suffix('"'))
            else {
                return not_described();
            };
            let wanted = text.replace("\\\"", "\"").replace("\\\\", "\\");
            let data: Vec<Value> = there(world, |one| one.email.eq_ignore_ascii_case(&wanted))
                .iter()
                .map(|one| json!({"id": one.id, "object": "customer", "email": one.email}))
                .collect();
            Answer::json(200, &json!({"object": "search_result", "has_more": false, "data": data}))
        }
        (method, path) if path.len() == 3 && path[..2] == ["v1", "customers"] => {
            let Some(one) = world.by_id(path[2]) else { return Answer::status(404) };
            match method {
                "DELETE" => one.hidden = true,
                "GET" => {}
                _ => return not_described(),
            }
            let mut body = json!({"id": one.id, "object": "customer"});
            if one.hidden {
                body["deleted"] = json!(true);
            }
            Answer::json(200, &body)
        }
        _ => not_described(),
    }
}

pub fn hubspot(world: &mut World, seen: &Seen) -> Answer {
    if !bearer(seen, TOKEN) {
        return Answer::status(401);
    }
    let contacts = ["crm", "v3", "objects", "contacts"];
    match seen.route() {
        ("GET", path) if path == contacts => Answer::json(200, &json!({"results": []})),
        ("POST", path) if path[..4] == contacts && path[4] == "search" && is_json(seen) => {
            let body = seen.json();
            let filter = &body["filterGroups"][0]["filters"][0];
            if filter["propertyName"] != "email" || filter["operator"] != "EQ" {
                return not_described();
            }
            let found = there(world, |one| filter["value"] == one.email);
            let at: usize = body["after"].as_str().unwrap_or("0").parse().unwrap();
            let results: Vec<Value> = found
                .iter()
                .skip(at)
                .take(1)
                .map(|one| json!({"id": one.id, "properties": {"email": one.email}}))
                .collect();
            let mut page = json!({"total": found.len(), "results": results});
            if found.len() > at + 1 {
                page["paging"] = json!({"next": {"after": (at + 1).to_string()}});
            }
            Answer::json(200, &page)
        }
        ("POST", path) if path[..4] == contacts && path[4] == "gdpr-delete" && is_json(seen) => {
            let body = seen.json();
            if body.get("idProperty").is_some() {
                return not_described();
            }
            let Some(one) = world.by_id(body["objectId"].as_str().unwrap()) else {
                return Answer::status(404);
            };
            one.gone = true;
            Answer::status(204)
        }
        ("GET", path) if path.len() == 5 && path[..4] == contacts => match world.by_id(path[4]) {
            Some(one) => Answer::json(200, &json!({"id": one.id, "properties": {}})),
            None => Answer::status(404),
        },
        _ => not_described(),
    }
}

pub fn zendesk(world: &mut World, seen: &Seen) -> Answer {
    if basic(seen) != "staff@shop.example/token:zd0123456789" {
        return Answer::status(401);
    }
    let show = |one: &Kept| {
        let id: u64 = one.id.parse().unwrap();
        json!({"id": id, "email": one.email, "name": "N", "active": !one.hidden})
    };
    match seen.route() {
        ("GET", path) if path == ["api", "v2", "users", "me"] => {
            Answer::json(200, &json!({"user": {"id": 1}}))
        }
        ("GET", path) if path == ["api", "v2", "users", "search"] => {
            let query = seen.query("query");
            let text = query.strip_prefix("email:\"").and_then(|rest| rest.strip_suffix('"'));
            let Some(text) = text else { return not_described() };
            // A search finds more than was asked for.
            let users: Vec<Value> =
                there(world, |one| one.email.contains(&text[..1])).iter().map(show).collect();
            Answer::json(200, &json!({"users": users, "next_page": null, "count": 1}))
        }
        ("GET", path) if path == ["api", "v2", "deleted_users"] => {
            let hidden: Vec<&Kept> = world.kept.iter().filter(|one| one.hidden).collect();
            let at: usize = seen.query("page[after]").parse().unwrap_or(0);
            let page: Vec<Value> = hidden.iter().skip(at).take(1).map(|one| show(one)).collect();
            let next = (hidden.len() > at + 1).then(|| {
                format!(
                    "http://{}/api/v2/deleted_users?page[after]={}",
                    seen.header("host"),
                    at + 1
                )
            });
            Answer::json(200, &json!({"deleted_users": page, "links": {"next": next}}))
        }
        (method, path) if path.len() == 4 && path[..2] == ["api", "v2"] => {
            let deleted = path[2] == "deleted_users";
            let Some(one) = world.by_id(path[3]).filter(|one| one.hidden == deleted) else {
                return Answer::status(404);
            };
            match (method, deleted) {
                ("DELETE", false) => one.hidden = true,
                ("DELETE", true) => one.gone = true,
                ("GET", _) => {}
                _ => return not_described(),
            }
            let name = if deleted { "deleted_user" } else { "user" };
            Answer::json(200, &json!({ name: show(one) }))
        }
        _ => not_described(),
    }
}

pub fn intercom(world: &mut World, seen: &Seen) -> Answer {
    if !bearer(seen, TOKEN) {
        return Answer::status(401);
    }
    if seen.header("intercom-version") != "2.11" {
        return not_described();
    }
    match seen.route() {
        ("GET", path) if path == ["me"] => Answer::json(200, &json!({"type": "admin", "id": "1"})),
        ("POST", path) if path == ["contacts", "search"] && is_json(seen) => {
            let body = seen.json();
            if body["query"]["operator"] != "=" || body["pagination"]["per_page"] != 50 {
                return not_described();
            }
            let value = &body["query"]["value"];
            let found = match body["query"]["field"].as_str() {
                Some("email") => there(world, |one| *value == one.email),
                Some("external_id") => there(world, |one| *value == one.external),
                _ => return not_described(),
            };
            let at: usize =
                body["pagination"]["starting_after"].as_str().unwrap_or("0").parse().unwrap();
            let data: Vec<Value> = found
                .iter()
                .skip(at)
                .take(1)
                .map(|one| {
                    json!({"type": "contact", "id": one.id, "email": one.email,
                        "external_id": one.external})
                })
                .collect();
            let mut pages = json!({"type": "pages", "page": 1, "per_page": 50});
            if found.len() > at + 1 {
                pages["next"] = json!({"page": 2, "starting_after": (at + 1).to_string()});
            }
            Answer::json(200, &json!({"type": "list", "data": data, "pages": pages}))
        }
        (method, path) if path.len() == 2 && path[0] == "contacts" => {
            let Some(one) = world.by_id(path[1]) else { return Answer::status(404) };
            match method {
                "GET" => Answer::json(200, &json!({"type": "contact", "id": one.id})),
                "DELETE" => {
                    one.gone = true;
                    Answer::json(200, &json!({"type": "contact", "id": one.id, "deleted": true}))
                }
                _ => not_described(),
            }
        }
        _ => not_described(),
    }
}

pub fn salesforce(world: &mut World, seen: &Seen) -> Answer {
    if seen.route() == ("POST", vec!["services", "oauth2", "token"]) {
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(&seen.body).into_owned().collect();
        let right = form["grant_type"] == "client_credentials"
            && form["client_id"] == "client0123456789"
            && form["client_secret"] == "s3cret&with=signs";
        if !right || seen.header("content-type") != "application/x-www-form-urlencoded" {
            return Answer::json(400, &json!({"error": "invalid_client"}));
        }
        world.tokens += 1;
        let token = format!("token-{}", world.tokens);
        return Answer::json(200, &json!({"access_token": token, "token_type": "Bearer"}));
    }
    if !bearer(seen, &format!("token-{}", world.tokens)) {
        return Answer::status(401);
    }
    let (method, path) = seen.route();
    if path.len() < 4 || path[..3] != ["services", "data", "v61.0"] {
        return not_described();
    }
    match (method, &path[3..]) {
        ("GET", ["limits"]) => {
            Answer::json(200, &json!({"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}))
        }
        ("GET", ["query"]) => {
            let Some((object, email)) = soql(seen.query("q")) else { return not_described() };
            let records: Vec<Value> = world
                .kept
                .iter()
                .filter(|one| !one.gone && one.place == object && one.email == email)
                .map(|one| json!({"Id": one.id, "Email": one.email}))
                .collect();
            Answer::json(
                200,
                &json!({"totalSize": records.len(), "done": true, "records": records}),
            )
        }
        (method, ["sobjects", object, id]) => {
            let one = world
                .kept
                .iter_mut()
                .find(|one| one.id == *id && one.place == **object && !one.gone);
            let Some(one) = one else {
                return Answer::json(404, &json!([{"errorCode": "NOT_FOUND"}]));
            };
            match method {
                "GET" => Answer::json(200, &json!({"Id": one.id})),
                "DELETE" => {
                    one.gone = true;
                    Answer::status(204)
                }
                _ => not_described(),
            }
        }
        _ => not_described(),
    }
}

/// Reads the one query that is expected, with its escapes: the object and the address.
fn soql(query: &str) -> Option<(String, String)> {
    let rest = query.strip_prefix("SELECT Id, Email FROM ")?;
    let (object, rest) = rest.split_once(" WHERE Email = '")?;
    let mut email = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '\\' => email.push(characters.next()?),
            '\'' => break,
            other => email.push(other),
        }
    }
    let tail: String = characters.collect();
    let fits = match object {
        "Contact" => tail.is_empty(),
        "Lead" => tail == " AND IsConverted = false",
        _ => false,
    };
    fits.then(|| (object.to_owned(), email))
}
