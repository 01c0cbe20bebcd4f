//! What a third party answered, with its body read to the end.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::HeaderMap;

use super::call::Effect;
use crate::receipt::Fault;

/// No pause that a third party asks for is taken to be longer than a week.
const LONGEST_PAUSE_MS: u64 = 7 * 24 * 3_600_000;

/// An answer. Its `Debug` prints the host and the status code and nothing else.
#[derive(Clone)]
pub struct Reply {
    pub(super) system: String,
    pub(super) host: String,
    pub(super) effect: Effect,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) retry_after_ms: Option<u64>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} <{}>", self.status, self.host)
    }
}

impl Reply {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of a name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, as it came.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Pause that the third party asked for (`Retry-After`), in milliseconds; at most a week.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `Rejected` after a request that only reads, `Unknown` after one that changes something.
    pub fn json(&self) -> Result<serde_json::Value, Fault> {
        // The library's message may quote the body; it stays here.
        serde_json::from_slice(&self.body).map_err(|_| self.unexpected("a body that is not JSON"))
    }

    /// The fault of an answer that is not what the interface is known to give.
    ///
    /// `what` names it without quoting it: `Rejected` after a request that only reads, `Unknown`
    /// after one that changes something.
    pub fn unexpected(&self, what: &str) -> Fault {
        let message = format!(
            "system `{}`: `{}` answered {} with {what}: check the address and the version of the \
             interface",
            self.system, self.host, self.status
        );
        match self.effect {
            Effect::Reads => Fault::Rejected { message },
            Effect::Changes => Fault::Unknown { message },
        }
    }

    /// What the status code means when nobody knows better; `None` for 2xx.
    ///
    /// A redirect and 401, 403, 407 want a changed setting; 408, 425, 429 and 503 want patience;
    /// any other 5xx leaves open what happened to a change; any other 4xx is a no.
    pub fn fault(&self) -> Option<Fault> {
        let Self { system, host, status, .. } = self;
        let said = format!("system `{system}`: `{host}` answered {status}");
        let fault = match *status {
            200..=299 => return None,
            300..=399 => Fault::Misconfigured {
                message: format!(
                    "{said}, a redirect, and redirects are not followed: write the address that \
                     it leads to"
                ),
            },
            401 | 403 | 407 => Fault::Misconfigured {
                message: format!("{said}: check the credentials and what they are allowed to do"),
            },
            408 | 425 | 429 | 503 => {
                Fault::Transient { message: said, retry_after_ms: self.retry_after_ms }
            }
            500..=599 if self.effect == Effect::Changes => Fault::Unknown {
                message: format!("{said} to a change, which may or may not have happened"),
            },
            500..=599 => Fault::Transient { message: said, retry_after_ms: self.retry_after_ms },
            _ => Fault::Rejected { message: said },
        };
        Some(fault)
    }
}

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn retry_after_ms(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    let pause = if let Ok(seconds) = value.parse::<u64>() {
        seconds.saturating_mul(1_000)
    } else {
        let at = rfc2822::parse(value).ok()?.timestamp();
        u64::try_from(at.as_millisecond() - now.as_millisecond()).unwrap_or(0)
    };
    Some(pause.min(LONGEST_PAUSE_MS))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAUSE_MS, retry_after_ms};

    #[test]
    fn pauses_are_read_in_both_forms_and_bounded() {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after_ms("3", now), Some(3_000));
        assert_eq!(retry_after_ms(" 0 ", now), Some(0));
        assert_eq!(retry_after_ms("Mon, 23 Nov 2026 10:00:30 GMT", now), Some(30_000));
        assert_eq!(retry_after_ms("Mon, 23 Nov 2026 09:00:00 GMT", now), Some(0));
        assert_eq!(retry_after_ms("18446744073709551615", now), Some(LONGEST_PAUSE_MS));
        assert_eq!(retry_after_ms("soon", now), None);
        assert_eq!(retry_after_ms("-1", now), None);
    }
}
