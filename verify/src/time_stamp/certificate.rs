//! Certificates of time-stamp authorities (X.509, RFC 5280): what a chain needs of them.

use jiff::Timestamp;

use super::der::{
    BOOLEAN, CONTEXT_0, CONTEXT_3, Element, INTEGER, OCTET_STRING, OID, SEQUENCE, element,
};
use super::signature::{Algorithm, verifies};

/// `basicConstraints`, 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// `extKeyUsage`, 2.5.29.37.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// `keyUsage`, 2.5.29.15.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// `subjectKeyIdentifier`, 2.5.29.14.
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
/// `id-kp-timeStamping`, 1.3.6.1.5.5.7.3.8.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
/// `nameConstraints` and others are not understood; a critical one refuses the certificate.
const UNDERSTOOD: &[&[u8]] = &[
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_KEY_ID,
    // `certificatePolicies`: a token is not asked for a policy.
    &[0x55, 0x1d, 0x20],
];

/// A certificate, taken apart and not verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate<'a> {
    /// All of its bytes.
    pub whole: &'a [u8],
    signed: &'a [u8],
    algorithm: Element<'a>,
    signature: &'a [u8],
    /// Its serial number.
    pub serial: &'a [u8],
    /// Who issued it.
    pub issuer: &'a [u8],
    /// Whose it is.
    pub subject: &'a [u8],
    /// First moment.
    pub from: Timestamp,
    /// Last moment.
    pub until: Timestamp,
    /// Its `SubjectPublicKeyInfo`.
    pub key: &'a [u8],
    extensions: Option<Element<'a>>,
}

/// An extension: identifier, whether it is critical, value.
type Extension<'a> = (&'a [u8], bool, &'a [u8]);

impl<'a> Certificate<'a> {
    /// Takes a certificate apart; `None` where it is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let whole = element(der)?.is(SEQUENCE)?;
        let parts = whole.inside()?;
        let [signed, algorithm, signature] = parts.as_slice() else { return None };
        let fields = signed.is(SEQUENCE)?.inside()?;
        // The version is left out in certificates of version 1.
        let start = usize::from(fields.first()?.tag == CONTEXT_0);
        let [serial, inner_algorithm, issuer, validity, subject, key, rest @ ..] =
            fields.get(start..)?
        else {
            return None;
        };
        if inner_algorithm.whole != algorithm.whole {
            return None;
        }
        let validity = validity.is(SEQUENCE)?.inside()?;
        let [from, until] = validity.as_slice() else { return None };
        Some(Self {
            whole: whole.whole,
            signed: signed.whole,
            algorithm: *algorithm,
            signature: signature.bits()?,
            serial: serial.is(INTEGER)?.value,
            issuer: issuer.is(SEQUENCE)?.whole,
            subject: subject.is(SEQUENCE)?.whole,
            from: from.moment()?,
            until: until.moment()?,
            key: key.is(SEQUENCE)?.whole,
            extensions: rest.iter().copied().find(|one| one.tag == CONTEXT_3),
        })
    }

    fn extensions(&self) -> Option<Vec<Extension<'a>>> {
        let Some(tagged) = self.extensions else { return Some(Vec::new()) };
        element(tagged.value)?
            .is(SEQUENCE)?
            .inside()?
            .into_iter()
            .map(|one| match one.is(SEQUENCE)?.inside()?.as_slice() {
                [id, value] => Some((id.is(OID)?.value, false, value.is(OCTET_STRING)?.value)),
                [id, critical, value] => Some((
                    id.is(OID)?.value,
                    critical.is(BOOLEAN)?.value == [0xff],
                    value.is(OCTET_STRING)?.value,
                )),
                _ => None,
            })
            .collect()
    }

    fn extension(&self, id: &[u8]) -> Option<(bool, &'a [u8])> {
        let found = self.extensions()?.into_iter().find(|(one, _, _)| *one == id);
        found.map(|(_, critical, value)| (critical, value))
    }

    /// Whether every critical extension is one that is looked at here.
    pub(super) fn is_understood(&self) -> bool {
        self.extensions().is_some_and(|all| {
            all.iter().all(|(id, critical, _)| !critical || UNDERSTOOD.contains(id))
        })
    }

    /// Whether its key signs time stamps and nothing else (RFC 3161, section 2.3).
    pub(super) fn signs_time(&self) -> bool {
        let Some((true, value)) = self.extension(EXTENDED_KEY_USAGE) else { return false };
        let purposes = element(value).and_then(|one| one.is(SEQUENCE)?.inside());
        matches!(purposes.as_deref(), Some([only]) if only.tag == OID && only.value == TIME_STAMPING)
    }

    /// Whether it may issue certificates.
    pub(super) fn is_authority(&self) -> bool {
        let Some((_, value)) = self.extension(BASIC_CONSTRAINTS) else { return false };
        let parts = element(value).and_then(|one| one.is(SEQUENCE)?.inside());
        matches!(parts.as_deref(), Some([first, ..]) if first.tag == BOOLEAN && first.value == [0xff])
            && self.may_sign_certificates()
    }

    /// `keyCertSign`, bit 5, where the use of its key is limited at all.
    fn may_sign_certificates(&self) -> bool {
        let Some((_, value)) = self.extension(KEY_USAGE) else { return true };
        match element(value).and_then(|one| one.is(super::der::BIT_STRING)).map(|one| one.value) {
            Some([_, first, ..]) => first & 0x04 != 0,
            _ => false,
        }
    }

    /// Identifier of its key.
    pub(super) fn key_id(&self) -> Option<&'a [u8]> {
        let (_, value) = self.extension(SUBJECT_KEY_ID)?;
        Some(element(value)?.is(OCTET_STRING)?.value)
    }

    /// Whether it is in force at this moment.
    pub(super) fn is_valid_at(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment <= self.until
    }

    /// Whether the other certificate's key signed this one.
    pub(super) fn is_issued_by(&self, issuer: &Certificate<'_>) -> bool {
        self.issuer == issuer.subject
            && Algorithm::read(self.algorithm, None)
                .is_some_and(|one| verifies(one, issuer.key, self.signed, self.signature))
    }

    /// What the subject is called: the last common name, or organisation, in it.
    pub(super) fn common_name(&self) -> Option<String> {
        let mut name = None;
        for set in element(self.subject)?.inside()? {
            for pair in set.inside()? {
                if let [id, value] = pair.inside()?.as_slice()
                    && id.value == [0x55, 0x04, 0x03]
                {
                    name = std::str::from_utf8(value.value).ok().map(str::to_owned);
                }
            }
        }
        name
    }
}
