//! Vendors that send messages: Mailchimp, `SendGrid`, Twilio, Segment and Braze.

use serde_json::{Value, json};

use super::{TOKEN, basic, bearer, is_json, not_described, texts, there};
use crate::exchange::{Answer, Kept, Seen, World};

pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

pub fn mailchimp(world: &mut World, seen: &Seen) -> Answer {
    if basic(seen) != "quietus:0123456789abcdef-us21" {
        return Answer::status(401);
    }
    match seen.route() {
        ("GET", path) if path == ["3.0", "ping"] => {
            Answer::json(200, &json!({"health_status": "Everything's Chimpy!"}))
        }
        ("GET", path) if path == ["3.0", "search-members"] => {
            let members: Vec<Value> = there(world, |one| one.email == seen.query("query"))
                .iter()
                .map(|one| json!({"id": one.id, "list_id": one.place, "email_address": one.email}))
                .collect();
            let total = members.len();
            Answer::json(
                200,
                &json!({"exact_matches": {"members": members, "total_items": total},
                    "full_search": {"members": [], "total_items": 0}}),
            )
        }
        (method, path) if path.len() >= 5 && path[..2] == ["3.0", "lists"] => {
            let (list, id) = (path[2], path[4]);
            let one =
                world.kept.iter_mut().find(|one| one.place == list && one.id == id && !one.gone);
            let Some(one) = one else { return Answer::status(404) };
            match (method, &path[5..]) {
                ("GET", []) => Answer::json(200, &json!({"email_address": one.email})),
                ("POST", ["actions", "delete-permanent"]) if seen.body.is_empty() => {
                    one.gone = true;
                    Answer::status(204)
                }
                _ => not_described(),
            }
        }
        _ => not_described(),
    }
}

pub fn sendgrid(world: &mut World, seen: &Seen) -> Answer {
    if !bearer(seen, "SG.0123456789") {
        return Answer::status(401);
    }
    match seen.route() {
        ("GET", path) if path == ["v3", "scopes"] => {
            Answer::json(200, &json!({"scopes": ["recipients.erasejob.create"]}))
        }
        ("POST", path) if path == ["v3", "recipients", "erasejob"] && is_json(seen) => {
            let addresses = texts(&seen.json()["email_addresses"]);
            if addresses.is_empty() || addresses.len() > 5_000 || seen.body.len() > 256 * 1024 {
                return not_described();
            }
            for one in &mut world.kept {
                one.gone |= addresses.contains(&one.email);
            }
            Answer::json(202, &json!({"job_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}))
        }
        _ => not_described(),
    }
}

pub fn twilio(world: &mut World, seen: &Seen) -> Answer {
    if basic(seen) != format!("SK{}:secret0123456789", &ACCOUNT[2..]) {
        return Answer::status(401);
    }
    let (method, path) = seen.route();
    if path.len() < 3 || path[..2] != ["2010-04-01", "Accounts"] {
        return not_described();
    }
    match (method, &path[2..]) {
        ("GET", [account]) if **account == format!("{ACCOUNT}.json") => {
            Answer::json(200, &json!({"sid": ACCOUNT, "status": "active"}))
        }
        ("GET", [account, list]) if *account == ACCOUNT => {
            let place = list.trim_end_matches(".json");
            let alive = |one: &&Kept| !one.gone && one.place == place;
            // `external` is the number that sent it.
            let found: Vec<Value> = world
                .kept
                .iter()
                .filter(alive)
                .filter(|one| match (seen.query("To"), seen.query("From")) {
                    ("", from) => one.external == from,
                    (to, _) => one.phone == to,
                })
                .map(|one| json!({"sid": one.id, "to": one.phone, "from": one.external}))
                .collect();
            let at: usize = seen.query("Page").parse().unwrap_or(0);
            let next = (found.len() > at + 1).then(|| {
                let query: Vec<String> = seen
                    .query
                    .iter()
                    .filter(|(name, _)| *name != "Page")
                    .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B")))
                    .collect();
                format!("/2010-04-01/Accounts/{ACCOUNT}/{list}?{}&Page={}", query.join("&"), at + 1)
            });
            let page: Vec<Value> = found.into_iter().skip(at).take(1).collect();
            Answer::json(200, &json!({ place.to_lowercase(): page, "next_page_uri": next }))
        }
        (method, [account, place, sid]) if *account == ACCOUNT => {
            let sid = sid.trim_end_matches(".json");
            let one = world
                .kept
                .iter_mut()
                .find(|one| one.id == sid && one.place == **place && !one.gone);
            let Some(one) = one else { return Answer::status(404) };
            match method {
                "GET" => Answer::json(200, &json!({"sid": one.id})),
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

pub fn segment(world: &mut World, seen: &Seen) -> Answer {
    if !bearer(seen, TOKEN) {
        return Answer::status(401);
    }
    match seen.route() {
        ("GET", path) if path == [""] => {
            Answer::json(200, &json!({"data": {"workspace": {"id": "w", "slug": "s"}}}))
        }
        ("POST", path) if path == ["regulations"] && is_json(seen) => {
            let body = seen.json();
            let ids = texts(&body["subjectIds"]);
            if body["regulationType"] != "SUPPRESS_WITH_DELETE"
                || body["subjectType"] != "USER_ID"
                || ids.is_empty()
            {
                return not_described();
            }
            let name = format!("fbf3d14f-{}", world.jobs.len());
            world.jobs.insert(name.clone(), (ids, 2));
            Answer::json(200, &json!({"data": {"regulateId": name}}))
        }
        ("GET", path) if path.len() == 2 && path[0] == "regulations" => {
            let Some((ids, left)) = world.jobs.get_mut(path[1]) else { return Answer::status(404) };
            let status = match *left {
                2 => "INITIALIZED",
                1 => "RUNNING",
                _ => "FINISHED",
            };
            *left = left.saturating_sub(1);
            let ids = ids.clone();
            if status == "FINISHED" {
                for one in &mut world.kept {
                    one.gone |= ids.contains(&one.id);
                }
            }
            let regulation = json!({"id": path[1], "workspaceId": "w", "overallStatus": status});
            Answer::json(200, &json!({"data": {"regulation": regulation}}))
        }
        _ => not_described(),
    }
}

pub fn braze(world: &mut World, seen: &Seen) -> Answer {
    if !bearer(seen, TOKEN) {
        return Answer::status(401);
    }
    let body = seen.json();
    match seen.route() {
        ("POST", path) if path == ["users", "export", "ids"] && is_json(seen) => {
            if body["fields_to_export"].as_array().is_none_or(Vec::is_empty) {
                return not_described();
            }
            let wanted = |one: &&Kept| {
                texts(&body["external_ids"]).contains(&one.external)
                    || body["email_address"] == one.email
                    || body["phone"] == one.phone
                    || body["braze_id"] == one.id
            };
            let users: Vec<Value> = world
                .kept
                .iter()
                .filter(|one| !one.gone)
                .filter(wanted)
                .map(|one| {
                    json!({"braze_id": one.id, "external_id": one.external, "email": one.email,
                        "phone": one.phone})
                })
                .collect();
            Answer::json(201, &json!({"message": "success", "users": users}))
        }
        ("POST", path) if path == ["users", "delete"] && is_json(seen) => {
            let ids = texts(&body["braze_ids"]);
            if ids.is_empty() || ids.len() > 50 || body.as_object().is_none_or(|all| all.len() != 1)
            {
                return not_described();
            }
            for one in &mut world.kept {
                one.gone |= ids.contains(&one.id);
            }
            Answer::json(201, &json!({"deleted": ids.len(), "message": "success"}))
        }
        _ => not_described(),
    }
}
