//! Canonical JSON (RFC 8785): the one encoder for everything that is hashed or signed.
//!
//! What was read is never encoded again to be checked: verification hashes the bytes as they came.

use serde::Serialize;
use serde_json::Value;

/// Canonical bytes; `None` where the value holds what JSON cannot carry exactly.
pub fn to_bytes(value: &impl Serialize) -> Option<Vec<u8>> {
    let value = serde_json::to_value(value).ok()?;
    if !exact(&value) {
        return None;
    }
    serde_json_canonicalizer::to_vec(&value).ok()
}

/// Whether all integers survive in a double, which is all that RFC 8785 knows.
fn exact(value: &Value) -> bool {
    const LIMIT: u64 = 1 << 53;
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number <= LIMIT,
            (None, Some(number)) => number.unsigned_abs() <= LIMIT,
            (None, None) => true,
        },
        Value::Array(values) => values.iter().all(exact),
        Value::Object(fields) => fields.values().all(exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_numbers_that_would_change_are_refused() {
        assert_eq!(
            to_bytes(&json!({"b": 1, "a": [true, null]})),
            Some(br#"{"a":[true,null],"b":1}"#.to_vec())
        );
        assert_eq!(to_bytes(&json!({"a": u64::MAX})), None);
        assert_eq!(to_bytes(&json!([-(1_i64 << 60)])), None);
    }
}
