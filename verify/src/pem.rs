//! PEM (RFC 7468): a label and base64 lines of 64 characters, so that openssl reads our keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Writes one PEM block.
pub fn encode(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}

/// The bytes of all PEM blocks of a text, which have this label; text around them says nothing
/// (RFC 7468, section 2). `None` where there is none, or another one.
pub fn decode_all(label: &str, text: &str) -> Option<Vec<Vec<u8>>> {
    let end = format!("-----END {label}-----");
    let (mut rest, mut blocks) = (text, Vec::new());
    while let Some(begin) = rest.find("-----BEGIN ") {
        let length = rest[begin..].find(&end)? + end.len();
        blocks.push(decode(label, &rest[begin..begin + length])?);
        rest = &rest[begin + length..];
    }
    (!blocks.is_empty()).then_some(blocks)
}

/// The bytes of the only PEM block with this label; `None` for anything else.
pub fn decode(label: &str, pem: &str) -> Option<Vec<u8>> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let body = pem.trim().strip_prefix(&begin)?.strip_suffix(&end)?;
    let joined: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(joined).ok()
}
