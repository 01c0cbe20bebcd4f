//! The ten vendors, as their documentation describes them: credentials, paths, queries, headers,
//! bodies and status codes are checked, and whatever is not described is answered with 400.

pub mod cases;
pub mod customers;
pub mod messages;

use serde_json::{Value, json};

use crate::exchange::{Answer, Kept, Seen, World};

pub const TOKEN: &str = "pat-0123456789";

fn bearer(seen: &Seen, token: &str) -> bool {
    seen.header("authorization") == format!("Bearer {token}")
}

/// `user:password` of basic authentication.
fn basic(seen: &Seen) -> String {
    use base64::Engine as _;
    let text = seen.header("authorization").strip_prefix("Basic ").unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn there(world: &World, wanted: impl Fn(&&Kept) -> bool) -> Vec<Kept> {
    world.kept.iter().filter(|one| !one.gone && !one.hidden).filter(wanted).cloned().collect()
}

fn is_json(seen: &Seen) -> bool {
    seen.header("content-type") == "application/json"
}

fn not_described() -> Answer {
    Answer::json(400, &json!({"error": "not described"}))
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().cloned().unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
