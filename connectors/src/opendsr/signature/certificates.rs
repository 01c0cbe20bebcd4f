//! A processor's certificate with its chain: whom it is for, until when, and what its key signed.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator,
    KeyPurposeIdIter, RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::faults::{CertificateFault, SignatureFault};
use super::trust::Trust;

/// A chain is not longer than this.
const MOST_CERTIFICATES: usize = 10;

/// Base64 as senders write it, with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
}

/// A certificate that signs receipts, and the chain that came with it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningCertificates {
    /// Leaf first; never empty.
    chain: Vec<CertificateDer<'static>>,
    key_kind: KeyKind,
    /// The leaf's `SubjectPublicKeyInfo`.
    key: Vec<u8>,
    names: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl fmt::Debug for SigningCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningCertificates")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl SigningCertificates {
    /// Reads a bundle as PEM, leaf first, or one certificate as DER.
    ///
    /// # Errors
    /// `Unreadable` where there is none, one is broken or there are more than ten; `Key` where the
    /// leaf's key is of another sort than RSA of at least 2048 bits or P-256.
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateFault> {
        let mut chain = CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| CertificateFault::Unreadable)?;
        if chain.is_empty() {
            chain.push(CertificateDer::from(bytes.to_vec()));
        }
        if chain.len() > MOST_CERTIFICATES {
            return Err(CertificateFault::Unreadable);
        }
        for certificate in &chain {
            parse(certificate)?;
        }
        let leaf = parse(&chain[0])?;
        let key_kind = key_kind(&leaf)?;
        let key = leaf.public_key().raw.to_vec();
        let moment =
            |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateFault::Unreadable);
        let not_before = moment(leaf.validity().not_before.timestamp())?;
        let not_after = moment(leaf.validity().not_after.timestamp())?;
        let names = names(&leaf);
        Ok(Self { chain, key_kind, key, names, not_before, not_after })
    }

    /// Checks whom the certificate is for, that it is valid at a moment, and that an authority
    /// that is trusted vouches for it. What else the certificate may be used for does not matter:
    /// processors sign with the certificate of their web server.
    ///
    /// # Errors
    /// See [`CertificateFault`].
    pub fn check(
        &self,
        trust: &Trust,
        domain: &str,
        now: Timestamp,
    ) -> Result<(), CertificateFault> {
        let leaf =
            EndEntityCert::try_from(&self.chain[0]).map_err(|_| CertificateFault::Unreadable)?;
        let seconds = u64::try_from(now.as_second()).map_err(|_| CertificateFault::NotYet)?;
        // Each list by itself, so that an older one beside a newer one hides nothing.
        let lists: Vec<[&CertRevocationList<'static>; 1]> =
            trust.revoked().map(|list| [list]).collect();
        let verify = |revocation| {
            let verified = leaf.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                trust.anchors(),
                &self.chain[1..],
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                AnyUsage,
                revocation,
                None,
            );
            verified.map(|_| ()).map_err(|error| match error {
                webpki::Error::CertRevoked => CertificateFault::Revoked,
                webpki::Error::CertExpired { .. } => CertificateFault::Expired,
                webpki::Error::CertNotValidYet { .. } => CertificateFault::NotYet,
                _ => CertificateFault::Untrusted,
            })
        };
        verify(None)?;
        // A list that is late still names what was revoked before; an authority without one has
        // revoked nothing that we know.
        for list in &lists {
            let options = RevocationOptionsBuilder::new(list);
            let options = options.map_err(|_| CertificateFault::List)?;
            let options = options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore);
            verify(Some(options.build()))?;
        }
        let other = || CertificateFault::OtherDomain { domain: domain.to_owned() };
        let name = ServerName::try_from(domain).map_err(|_| other())?;
        leaf.verify_is_valid_for_subject_name(&name).map_err(|_| other())
    }

    /// Checks a signature over a body.
    ///
    /// # Errors
    /// Where it is no base64, or was not made by the leaf's key over these bytes.
    pub fn verify(&self, body: &[u8], signature: &str) -> Result<(), SignatureFault> {
        self.verify_hashed(&digest(&SHA256, body), signature)
    }

    /// Checks a signature over a body of which only the SHA-256 is left.
    ///
    /// # Errors
    /// As [`SigningCertificates::verify`].
    pub fn verify_digest(&self, sha256: [u8; 32], signature: &str) -> Result<(), SignatureFault> {
        let digest =
            Digest::import_less_safe(&sha256, &SHA256).map_err(|_| SignatureFault::Wrong)?;
        self.verify_hashed(&digest, signature)
    }

    fn verify_hashed(&self, digest: &Digest, signature: &str) -> Result<(), SignatureFault> {
        let signature = LENIENT.decode(signature).map_err(|_| SignatureFault::Unreadable)?;
        let by = |algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, &self.key).verify_digest(digest, &signature).is_ok()
        };
        let right = match self.key_kind {
            KeyKind::Rsa => by(&RSA_PKCS1_2048_8192_SHA256),
            // DER may by chance be 64 bytes long, so both are tried.
            KeyKind::P256 if signature.len() == 64 => {
                by(&ECDSA_P256_SHA256_FIXED) || by(&ECDSA_P256_SHA256_ASN1)
            }
            KeyKind::P256 => by(&ECDSA_P256_SHA256_ASN1),
        };
        if right { Ok(()) } else { Err(SignatureFault::Wrong) }
    }

    /// The chain as PEM, leaf first, and nothing else: whatever stood between the certificates is
    /// gone.
    pub fn pem(&self) -> String {
        let mut pem = String::new();
        for certificate in &self.chain {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            let text = STANDARD.encode(certificate);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (line, after) = rest.split_at(rest.len().min(64));
                pem.push_str(line);
                pem.push('\n');
                rest = after;
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        pem
    }

    /// Domains that the leaf is issued for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// When the leaf begins to be valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When the leaf ends to be valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// SHA-256 of the leaf, in lowercase hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex::encode(digest(&SHA256, &self.chain[0]))
    }

    /// How the leaf's key signs, in words.
    pub fn algorithm(&self) -> &'static str {
        match self.key_kind {
            KeyKind::Rsa => "RSA PKCS#1 v1.5 with SHA-256",
            KeyKind::P256 => "ECDSA P-256 with SHA-256",
        }
    }
}

/// Any use of a certificate will do.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _uses: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CertificateFault> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(CertificateFault::Unreadable),
    }
}

fn key_kind(leaf: &X509Certificate<'_>) -> Result<KeyKind, CertificateFault> {
    let key = leaf.public_key();
    let algorithm = &key.algorithm;
    let parsed = key.parsed().map_err(|_| CertificateFault::Key)?;
    let bits = parsed.key_size();
    let curve = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    match parsed {
        PublicKey::RSA(_) if algorithm.algorithm == OID_PKCS1_RSAENCRYPTION => {
            if (2048..=8192).contains(&bits) {
                Ok(KeyKind::Rsa)
            } else {
                Err(CertificateFault::Key)
            }
        }
        PublicKey::EC(_)
            if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256) =>
        {
            Ok(KeyKind::P256)
        }
        _ => Err(CertificateFault::Key),
    }
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let extension = leaf.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}
