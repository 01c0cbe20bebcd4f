//! The step `key-validity`: whether the issuer's key counted when it signed a certificate, by what a
//! trust folder says of it. A key that may have been in other hands counts for what others vouch to
//! have been there before.

use jiff::Timestamp;

use crate::anchors::{CLOCK_SKEW, TimeBracket};
use crate::certificate::Certificate;
use crate::keys::IssuerPublicKey;
use crate::trust_folder::{TrustPredicate, TrustedIssuerKey};
use crate::verify::{Finding, Step, printable};

/// What the step is about; each is missing where it does not hold.
pub(crate) struct Ground<'a> {
    pub trust: &'a TrustPredicate,
    pub key: Option<IssuerPublicKey>,
    pub certificate: Option<&'a Certificate>,
    /// What others vouch for.
    pub bracket: TimeBracket,
}

/// The step.
pub(crate) fn step(ground: &Ground<'_>) -> Step {
    let (finding, sentence) = found(ground);
    Step { name: "key-validity", finding, sentence: printable(&sentence) }
}

fn found(ground: &Ground<'_>) -> (Finding, String) {
    let (Some(key), Some(certificate)) = (ground.key, ground.certificate) else {
        return (Finding::NotChecked, "There is no signature that holds.".to_owned());
    };
    let known = ground.trust.issuer_keys.iter().find(|one| one.sha256 == key.id());
    let Some(known) = known else {
        return (
            Finding::Fail,
            "The trust folder does not say when the key of the certificate counted.".to_owned(),
        );
    };
    let issued = certificate.predicate.issued_at;
    let vouched = [ground.bracket.signed_by, ground.bracket.logged_by].into_iter().flatten().min();
    judge(known, issued, vouched)
}

/// Whether a key counts for what was issued at a moment and, as others vouch, there by another one.
fn judge(
    key: &TrustedIssuerKey,
    issued: Timestamp,
    vouched: Option<Timestamp>,
) -> (Finding, String) {
    let early = key.from.and_then(|from| from.checked_sub(CLOCK_SKEW).ok());
    if early.is_some_and(|early| issued < early) {
        return (
            Finding::Fail,
            format!("It claims to have been issued at {issued}, before its key came into use."),
        );
    }
    let late = key.until.and_then(|until| until.checked_add(CLOCK_SKEW).ok());
    if late.is_some_and(|late| issued > late) {
        return (
            Finding::Fail,
            format!("It claims to have been issued at {issued}, when its key was out of use."),
        );
    }
    let Some(since) = key.compromised_since else {
        return (
            Finding::Pass,
            "Its key was in use when it claims to have been issued.".to_owned(),
        );
    };
    let hands = format!("The key may have been in other hands since {since}");
    match vouched {
        _ if issued >= since => {
            (Finding::Fail, format!("{hands}, and the certificate claims to be of later."))
        }
        Some(vouched) if vouched < since => {
            (Finding::Pass, format!("{hands}; others vouch that the certificate was there before."))
        }
        _ => (
            Finding::NotChecked,
            format!("{hands}, and nobody else vouches that the certificate was there before."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn moment(text: &str) -> Timestamp {
        format!("{text}T00:00:00Z").parse().expect("a moment")
    }

    #[test]
    fn a_key_counts_while_it_was_in_use_and_in_the_right_hands() {
        let key = |from: Option<&str>, until: Option<&str>, since: Option<&str>| TrustedIssuerKey {
            sha256: Digest::of(b"key"),
            from: from.map(moment),
            until: until.map(moment),
            compromised_since: since.map(moment),
        };
        let used = key(Some("2026-01-01"), Some("2027-01-01"), None);
        let stolen = key(None, Some("2027-01-01"), Some("2026-06-01"));
        for (key, issued, vouched, finding) in [
            (&used, "2026-05-05", None, Finding::Pass),
            (&used, "2025-12-31", None, Finding::Fail),
            (&used, "2027-01-02", None, Finding::Fail),
            (&key(None, None, None), "1999-01-01", None, Finding::Pass),
            (&stolen, "2026-06-01", None, Finding::Fail),
            (&stolen, "2026-07-01", Some("2026-07-01"), Finding::Fail),
            (&stolen, "2026-05-05", Some("2026-05-06"), Finding::Pass),
            (&stolen, "2026-05-05", Some("2026-06-01"), Finding::NotChecked),
            (&stolen, "2026-05-05", None, Finding::NotChecked),
        ] {
            let (found, said) = judge(key, moment(issued), vouched.map(moment));
            assert_eq!(found, finding, "{issued} {vouched:?}: {said}");
        }
    }
}
