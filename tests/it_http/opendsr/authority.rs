//! An invented authority, and the certificates that it issues.

use quietus_connectors::opendsr::signature::{Signer, SigningCertificates};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use secrecy::SecretString;

/// A root that tests trust.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A key with its certificate.
pub struct Identity {
    pub key: String,
    pub certificate: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "invented authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for one name, valid from 2025 to 2030.
    pub fn issue(&self, name: &str) -> Identity {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        let certificate = params.signed_by(&pair, &self.issuer).unwrap().pem();
        Identity { key: pair.serialize_pem(), certificate }
    }
}

impl Identity {
    pub fn sign(&self, body: &[u8]) -> String {
        let key = SecretString::from(self.key.clone());
        Signer::read(&key, &self.certificate).unwrap().sign(body).unwrap()
    }

    pub fn certificates(&self) -> SigningCertificates {
        SigningCertificates::read(self.certificate.as_bytes()).unwrap()
    }
}
