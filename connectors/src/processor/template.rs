//! Texts with places to fill in, and what a value has to look like in each place.
//!
//! `{name}` is a place, `{name|filter}` changes the value first, `{{` and `}}` are braces. Values
//! are escaped by where they stand; the text around them comes from the definition and is taken as
//! it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Where a text stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between slashes of a path.
    Path,
    /// As a value in a query or a form.
    Query,
    /// In a text of a JSON document: the writer of JSON escapes it.
    Json,
    /// In a header.
    Header,
    /// In a host's name.
    Host,
    /// In what is signed or encoded as a whole.
    Plain,
}

/// A value cannot stand where it should. The words never hold the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit(pub String);

/// One piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Taken as it is.
    Literal(String),
    /// Filled in.
    Slot {
        /// Which value.
        name: String,
        /// What is done to it first.
        filters: Vec<Filter>,
    },
}

/// What is done to a value before it is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// Small letters.
    Lower,
    /// SHA-256 in lowercase hexadecimal digits.
    Sha256,
    /// Inside of a SOQL string literal: `\` and `'` are escaped.
    Soql,
    /// Inside of double quotes, where a backslash escapes: `\` and `"` are escaped.
    Escaped,
    /// Inside of double quotes of a search language without escapes: a quote or backslash is
    /// refused.
    Quoted,
    /// A number in JSON.
    Number,
}

/// What is filled in, by name. It never prints.
pub(super) type Values = BTreeMap<String, String>;

/// Reads a template.
///
/// # Errors
/// In words, for the author of the definition.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '{' if rest.next_if_eq(&'{').is_some() => literal.push('{'),
            '}' if rest.next_if_eq(&'}').is_some() => literal.push('}'),
            '}' => {
                return Err(format!("`{text}` has a `}}` without `{{`: write `}}}}` for a brace"));
            }
            '{' => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                let mut inner = String::new();
                loop {
                    match rest.next() {
                        Some('}') => break,
                        Some(one) => inner.push(one),
                        None => return Err(format!("`{text}` has a `{{` that nothing closes")),
                    }
                }
                pieces.push(slot(&inner)?);
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn slot(inner: &str) -> Result<Piece, String> {
    let mut parts = inner.split('|').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let fine = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
    if name.is_empty() || !name.chars().all(fine) {
        return Err(format!(
            "`{{{inner}}}` names nothing: write lowercase letters, digits and `_`"
        ));
    }
    let filter = |text: &str| match text {
        "lower" => Ok(Filter::Lower),
        "sha256" => Ok(Filter::Sha256),
        "soql" => Ok(Filter::Soql),
        "escaped" => Ok(Filter::Escaped),
        "quoted" => Ok(Filter::Quoted),
        "number" => Ok(Filter::Number),
        other => Err(format!(
            "`{other}` is no filter: write `lower`, `sha256`, `soql`, `escaped`, `quoted` or \
             `number`"
        )),
    };
    let filters = parts.map(filter).collect::<Result<_, _>>()?;
    Ok(Piece::Slot { name: name.to_owned(), filters })
}

/// Names that a template uses.
///
/// # Errors
/// As [`parse`].
pub(super) fn names(text: &str) -> Result<Vec<String>, String> {
    let name = |piece| match piece {
        Piece::Slot { name, .. } => Some(name),
        Piece::Literal(_) => None,
    };
    Ok(parse(text)?.into_iter().filter_map(name).collect())
}

/// Fills a template in.
///
/// # Errors
/// Where a value is missing or cannot stand there.
pub(super) fn fill(text: &str, values: &Values, place: Place) -> Result<String, Unfit> {
    let mut filled = String::new();
    for piece in parse(text).map_err(Unfit)? {
        match piece {
            // The separators of a query stand outside of its values.
            Piece::Literal(literal) if place == Place::Query => filled.push_str(&percent(&literal)),
            Piece::Literal(literal) => filled.push_str(&literal),
            Piece::Slot { name, filters } => {
                let Some(value) = values.get(&name) else {
                    return Err(Unfit(format!("there is no value for `{name}`")));
                };
                let value = filtered(value, &filters, &name)?;
                filled.push_str(&escaped(&value, place, &name)?);
            }
        }
    }
    Ok(filled)
}

/// Fills the texts of a JSON document in. A text that is `{ids}` and nothing else becomes the list
/// of `ids`.
///
/// # Errors
/// As [`fill`].
pub(super) fn fill_json(
    document: &serde_json::Value,
    values: &Values,
    ids: &[String],
) -> Result<serde_json::Value, Unfit> {
    use serde_json::Value;
    Ok(match document {
        Value::String(text) if text == "{ids}" => Value::from(ids),
        Value::String(text) => {
            let filled = fill(text, values, Place::Json)?;
            let pieces = parse(text).map_err(Unfit)?;
            let is_number = matches!(
                pieces.as_slice(),
                [Piece::Slot { filters, .. }] if filters.last() == Some(&Filter::Number)
            );
            match filled.parse::<u64>() {
                Ok(number) if is_number => Value::from(number),
                _ => Value::String(filled),
            }
        }
        Value::Array(items) => {
            items.iter().map(|item| fill_json(item, values, ids)).collect::<Result<_, _>>()?
        }
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), fill_json(value, values, ids)?)))
            .collect::<Result<_, Unfit>>()?,
        other => other.clone(),
    })
}

fn filtered<'a>(value: &'a str, filters: &[Filter], name: &str) -> Result<Cow<'a, str>, Unfit> {
    let mut value = Cow::Borrowed(value);
    for filter in filters {
        value = match filter {
            Filter::Lower => value.to_lowercase().into(),
            Filter::Sha256 => hex::encode(Sha256::digest(value.as_bytes())).into(),
            Filter::Soql => value.replace('\\', "\\\\").replace('\'', "\\'").into(),
            Filter::Escaped => value.replace('\\', "\\\\").replace('"', "\\\"").into(),
            Filter::Quoted if value.contains(['"', '\\']) => {
                return Err(Unfit(format!(
                    "the value of `{name}` holds a quote or a backslash, which the search of this \
                     interface cannot express"
                )));
            }
            Filter::Number if value.parse::<u64>().is_err() => {
                return Err(Unfit(format!("the value of `{name}` is no whole number")));
            }
            Filter::Quoted | Filter::Number => value,
        };
    }
    Ok(value)
}

fn escaped<'a>(value: &'a str, place: Place, name: &str) -> Result<Cow<'a, str>, Unfit> {
    let refuse = |why: &str| Err(Unfit(format!("the value of `{name}` {why}")));
    match place {
        // A browser's rules read these two as a way up the path, however they are encoded.
        Place::Path if matches!(value, "" | "." | "..") => refuse("cannot stand in a path"),
        Place::Path | Place::Query => Ok(percent(value).into()),
        Place::Header if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) => {
            refuse("holds a character that cannot stand in a header")
        }
        Place::Host
            if value.is_empty()
                || !value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) =>
        {
            refuse("holds a character that cannot stand in a host name")
        }
        Place::Header | Place::Host | Place::Json | Place::Plain => Ok(value.into()),
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(super) fn percent(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{Place, Values, fill, fill_json, parse};
    use proptest::prelude::*;
    use serde_json::json;

    fn values(value: &str) -> Values {
        Values::from([("id".to_owned(), value.to_owned())])
    }

    #[test]
    fn values_are_escaped_by_where_they_stand() {
        let nasty = values("a/b?c=d&e%2F'\"\\ü*\u{202e}");
        let path = fill("/v1/x/{id}", &nasty, Place::Path).unwrap();
        assert_eq!(path, "/v1/x/a%2Fb%3Fc%3Dd%26e%252F%27%22%5C%C3%BC%2A%E2%80%AE");
        for up in ["", ".", ".."] {
            assert!(fill("/v1/{id}", &values(up), Place::Path).is_err());
        }
        assert!(fill("{id}", &values("a\r\nX-Evil: 1"), Place::Header).is_err());
        assert!(fill("{id}.example.com", &values("evil.example/"), Place::Host).is_err());
        let soql = fill("WHERE Email = '{id|soql}'", &values("a' OR ''='\\"), Place::Plain);
        assert_eq!(soql.unwrap(), "WHERE Email = 'a\\' OR \\'\\'=\\'\\\\'");
        let escaped = fill("email:\"{id|escaped}\"", &values("a\"\\b"), Place::Plain);
        assert_eq!(escaped.unwrap(), "email:\"a\\\"\\\\b\"");
        assert!(fill("email:\"{id|quoted}\"", &values("a\" OR *"), Place::Query).is_err());
        let body = fill_json(
            &json!({"a": ["{id}"], "n": "{id|number}", "all": "{ids}"}),
            &values("7"),
            &["x\"".to_owned()],
        );
        assert_eq!(body.unwrap(), json!({"a": ["7"], "n": 7, "all": ["x\""]}));
    }

    #[test]
    fn templates_say_what_is_wrong_with_them() {
        for wrong in ["{", "{a", "}", "{}", "{A}", "{a b}", "{a|unknown}"] {
            assert!(parse(wrong).is_err(), "`{wrong}` passes");
        }
        assert_eq!(fill("{{{id}}}", &values("1"), Place::Plain).unwrap(), "{1}");
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place_in_a_path(value in ".{1,40}") {
            prop_assume!(value != "." && value != "..");
            let path = fill("/a/{id}/b", &values(&value), Place::Path).unwrap();
            let url = url::Url::parse(&format!("https://h.example{path}")).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 3);
            prop_assert_eq!(url.path(), path.as_str());
            prop_assert!(url.query().is_none() && url.fragment().is_none());
        }
    }
}
