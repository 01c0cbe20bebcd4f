//! Invented authorities, certificates and keys.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

/// How a key signs, the forbidden ways among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    Rsa,
    P256,
    P256Raw,
    RsaPss,
    P384,
    Ed25519,
}

/// An authority with a root and an intermediate certificate.
pub struct Authority {
    root_pem: String,
    intermediate_pem: String,
    intermediate: Issuer<'static, KeyPair>,
}

/// A key with its certificate.
pub struct Identity {
    /// Leaf, then intermediate, with a line of text before each as many servers have.
    pub bundle: String,
    pub key_pem: String,
    pub hand: Hand,
    pkcs8: Vec<u8>,
}

/// For whom and when a certificate is.
#[derive(Clone)]
pub struct Issue<'a> {
    pub names: &'a [&'a str],
    pub years: (i32, i32),
    pub hand: Hand,
}

pub const DOMAIN: &str = "opendsr.processor.example";

impl Default for Issue<'_> {
    fn default() -> Self {
        Self {
            names: &[DOMAIN, "opengdpr.processor.example"],
            years: (2025, 2030),
            hand: Hand::Rsa,
        }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root_params = authority_params(&format!("{name} root"));
        let root_pem = root_params.self_signed(&root_key).unwrap().pem();
        let root = Issuer::new(root_params, root_key);
        let key = KeyPair::generate().unwrap();
        let params = authority_params(&format!("{name} intermediate"));
        let intermediate_pem = params.signed_by(&key, &root).unwrap().pem();
        Self { root_pem, intermediate_pem, intermediate: Issuer::new(params, key) }
    }

    /// What a client trusts.
    pub fn pem(&self) -> &str {
        &self.root_pem
    }

    /// The authority's list of what it has revoked: these.
    pub fn revoked(&self, identities: &[&Identity]) -> String {
        let serial = |identity: &&Identity| {
            let (_, pem) = x509_parser::pem::parse_x509_pem(identity.bundle.as_bytes()).unwrap();
            RevokedCertParams {
                serial_number: SerialNumber::from_slice(pem.parse_x509().unwrap().raw_serial()),
                revocation_time: date_time_ymd(2026, 6, 1),
                reason_code: None,
                invalidity_date: None,
            }
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 6, 1),
            next_update: date_time_ymd(2026, 7, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: identities.iter().map(serial).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.intermediate).unwrap().pem().unwrap()
    }

    pub fn issue(&self, issue: &Issue<'_>) -> Identity {
        let (pkcs8, pair) = key(issue.hand);
        let names: Vec<String> = issue.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(issue.years.0, 1, 1);
        params.not_after = date_time_ymd(issue.years.1, 1, 1);
        // An ordinary certificate of a web server, as processors have.
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&pair, &self.intermediate).unwrap().pem();
        let bundle = format!("subject: leaf\n{leaf}issuer: below\n{}", self.intermediate_pem);
        let key_pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(&pkcs8)
        );
        Identity { bundle, key_pem, hand: issue.hand, pkcs8 }
    }
}

fn key(hand: Hand) -> (Vec<u8>, KeyPair) {
    let algorithm = match hand {
        Hand::Rsa | Hand::RsaPss => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
            let pkcs8 = pkcs8.as_ref().to_vec();
            let der = PrivatePkcs8KeyDer::from(pkcs8.clone());
            return (pkcs8, KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).unwrap());
        }
        Hand::P256 | Hand::P256Raw => &PKCS_ECDSA_P256_SHA256,
        Hand::P384 => &PKCS_ECDSA_P384_SHA384,
        Hand::Ed25519 => &PKCS_ED25519,
    };
    let pair = KeyPair::generate_for(algorithm).unwrap();
    (pair.serialize_der(), pair)
}

impl Identity {
    /// Signs without any code of the product.
    pub fn sign(&self, body: &[u8]) -> String {
        let random = SystemRandom::new();
        let rsa = |padding| {
            let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).unwrap();
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &random, body, &mut signature).unwrap();
            signature
        };
        let p256 = |algorithm| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8).unwrap();
            pair.sign(&random, body).unwrap().as_ref().to_vec()
        };
        let signature = match self.hand {
            Hand::Rsa => rsa(&RSA_PKCS1_SHA256),
            Hand::RsaPss => rsa(&RSA_PSS_SHA256),
            Hand::P256 => p256(&ECDSA_P256_SHA256_ASN1_SIGNING),
            Hand::P256Raw => p256(&ECDSA_P256_SHA256_FIXED_SIGNING),
            hand => unreachable!("{hand:?} does not sign"),
        };
        STANDARD.encode(signature)
    }
}
