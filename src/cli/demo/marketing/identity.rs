//! The processor's key and certificate, made for the occasion, and the authority that vouches for
//! it. As real processors do, it signs with the certificate of its web server.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::opendsr::signature::Signer;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use secrecy::SecretString;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::{DOMAIN, NAME};

const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// The certificate is valid for so long.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Everything that shows who the processor is.
pub(super) struct Identity {
    /// The authority's certificate, as PEM.
    pub(super) authority: String,
    /// Signs answers.
    pub(super) signer: Signer,
    /// Answers over TLS.
    pub(super) tls: ServerConfig,
}

impl Identity {
    /// Makes keys and certificates that are valid around a moment.
    ///
    /// # Errors
    /// Where the cryptographic library refuses.
    pub(super) fn make(now: Timestamp) -> Result<Self, String> {
        let refuse = |error: rcgen::Error| format!("no certificate could be made: {error}");

        let authority_key = KeyPair::generate().map_err(refuse)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(refuse)?;
        params.distinguished_name.push(DnType::CommonName, format!("{NAME} authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        be_valid_around(&mut params, now);
        let authority = params.self_signed(&authority_key).map_err(refuse)?.pem();
        let issuer = Issuer::new(params, authority_key);

        let key = KeyPair::generate().map_err(refuse)?;
        let names = vec![DOMAIN.to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).map_err(refuse)?;
        params.distinguished_name.push(DnType::CommonName, DOMAIN);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        be_valid_around(&mut params, now);
        let certificate = params.signed_by(&key, &issuer).map_err(refuse)?;

        let signer = Signer::read(&SecretString::from(key.serialize_pem()), &certificate.pem())
            .map_err(|fault| fault.to_string())?;
        let private_key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let chain = vec![certificate.der().clone()];
                builder.with_no_client_auth().with_single_cert(chain, private_key.into())
            })
            .map_err(|error| error.to_string())?;
        Ok(Self { authority, signer, tls })
    }
}

/// Makes a certificate valid from the day before a moment, in whole days as certificates write them.
fn be_valid_around(params: &mut CertificateParams, now: Timestamp) {
    let day = |moment: Timestamp| {
        let date = moment.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        date_time_ymd(i32::from(date.year()), month, day)
    };
    params.not_before = day(now.checked_sub(A_DAY).unwrap_or(now));
    params.not_after = day(now.checked_add(VALID_FOR).unwrap_or(now));
}
