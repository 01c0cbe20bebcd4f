//! What a store says when it says no, in words that lead on.

use crate::outbound::Reply;
use crate::receipt::Fault;

use super::xml::Element;

/// Longest code of an error that is repeated.
const MOST_CODE_BYTES: usize = 64;

/// A no of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP's status.
    pub status: u16,
    /// The code of the error, such as `NoSuchKey`; empty where it says none, as to `HEAD`.
    pub code: String,
    /// The region in which the bucket is, where the store says so.
    pub region: Option<String>,
    /// The store asked for this pause, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// Reads an answer; `None` where it is no refusal.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        if (200..=299).contains(&reply.status()) {
            return None;
        }
        let error = Element::parse(reply.body(), "Error");
        let code = error.as_ref().and_then(|error| error.word("Code")).unwrap_or_default();
        let region = reply.header("x-amz-bucket-region").map(str::to_owned);
        let region = region.or_else(|| error.as_ref()?.word("Region").map(str::to_owned));
        let plain = |text: &String| {
            text.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-') && text.len() < 40
        };
        Some(Self {
            status: reply.status(),
            code: known_characters(code),
            region: region.filter(plain),
            retry_after_ms: reply.retry_after_ms(),
        })
    }

    /// It says that something is not there, or that nothing of the kind was ever set.
    pub(super) fn is_one_of(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// What it means to somebody who wanted `what`, which needs the permission `grant`.
    pub(super) fn fault(&self, who: &str, what: &str, grant: &str) -> Fault {
        let Self { status, code, .. } = self;
        let said = match code.as_str() {
            "" => format!("{who}: {what}: the store answered {status}"),
            code => format!("{who}: {what}: the store answered {status} `{code}`"),
        };
        let advice = match (code.as_str(), *status) {
            ("InvalidAccessKeyId", _) => "it does not know the access key: check `access_key`",
            ("SignatureDoesNotMatch", _) => {
                "the secret is not that of the access key: check `secret_key`, and `region`"
            }
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => {
                "the credentials have ended: renew `session_token`"
            }
            ("RequestTimeTooSkewed" | "RequestExpired", _) => {
                "this machine's clock is wrong: let it be set by the network"
            }
            ("NoSuchBucket", _) => "there is no such bucket: correct the place, or make it",
            ("InvalidBucketName", _) => "no bucket is called so: correct the place",
            ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect", _)
            | ("IllegalLocationConstraintException", _)
            | (_, 300..=399) => {
                let region = self.region.as_ref();
                let region = region.map_or_else(String::new, |one| format!(" (it says `{one}`)"));
                return misconfigured(format!(
                    "{said}: the bucket is elsewhere: correct `region`{region} or `endpoint`"
                ));
            }
            ("NotImplemented" | "MethodNotAllowed", _) | (_, 405 | 501) => {
                return misconfigured(format!("{said}: this store cannot do that"));
            }
            (_, 401 | 403 | 407) => {
                return misconfigured(format!("{said}: grant `{grant}` to the access key"));
            }
            ("SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable", _)
            | ("OperationAborted" | "Throttling" | "Busy", _)
            | (_, 408 | 425 | 429 | 500..=599) => {
                return Fault::Transient { message: said, retry_after_ms: self.retry_after_ms };
            }
            _ => return Fault::Rejected { message: said },
        };
        misconfigured(format!("{said}: {advice}"))
    }
}

fn misconfigured(message: String) -> Fault {
    Fault::Misconfigured { message }
}

/// Codes are words; anything else may repeat what nobody may read.
pub(super) fn known_characters(code: &str) -> String {
    let word = code.len() <= MOST_CODE_BYTES && code.bytes().all(|one| one.is_ascii_alphanumeric());
    if word { code.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, code: &str) -> Fault {
        let code = code.to_owned();
        let refusal = Refusal { status, code, region: None, retry_after_ms: Some(7) };
        refusal.fault("backup store `vault`", "its list", "s3:ListBucketVersions")
    }

    #[test]
    fn each_no_leads_on() {
        let advice = |status, code| {
            let Fault::Misconfigured { message } = fault(status, code) else { panic!("{code}") };
            message
        };
        assert!(advice(403, "AccessDenied").contains("grant `s3:ListBucketVersions`"));
        assert!(advice(403, "").contains("grant `s3:ListBucketVersions`"));
        assert!(advice(403, "SignatureDoesNotMatch").contains("`secret_key`"));
        assert!(advice(403, "RequestTimeTooSkewed").contains("clock"));
        assert!(advice(404, "NoSuchBucket").contains("correct the place"));
        assert!(advice(301, "").contains("`region`"));
        assert!(advice(501, "NotImplemented").contains("cannot do that"));
        for (status, code) in [(503, "SlowDown"), (500, ""), (429, ""), (400, "RequestTimeout")] {
            let Fault::Transient { retry_after_ms, .. } = fault(status, code) else {
                panic!("{status} {code}")
            };
            assert_eq!(retry_after_ms, Some(7));
        }
        assert!(matches!(fault(400, "InvalidArgument"), Fault::Rejected { .. }));
        assert_eq!(known_characters("a person@example"), "");
    }
}
