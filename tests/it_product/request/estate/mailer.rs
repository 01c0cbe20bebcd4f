//! A mailing service that speaks OpenDSR, written from the specification without any code of the
//! product: it takes requests in at once, carries them out when the test says so, and signs every
//! answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use serde_json::{Value, json};

pub const DOMAIN: &str = "opendsr.mailer.example";

/// An authority's certificate, and a key with the certificate that it has issued.
struct Identity {
    authority: String,
    bundle: String,
    pkcs8: Vec<u8>,
}

impl Identity {
    fn new() -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.distinguished_name.push(DnType::CommonName, "Authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = root.self_signed(&root_key).unwrap().pem();
        let root = Issuer::new(root, root_key);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut leaf = CertificateParams::new(vec![DOMAIN.to_owned()]).unwrap();
        leaf.not_before = date_time_ymd(2020, 1, 1);
        leaf.not_after = date_time_ymd(2049, 1, 1);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let bundle = leaf.signed_by(&key, &root).unwrap().pem();
        Self { authority, bundle, pkcs8: key.serialize_der() }
    }

    fn sign(&self, body: &[u8]) -> String {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8).unwrap();
        STANDARD.encode(pair.sign(&SystemRandom::new(), body).unwrap())
    }
}

struct World {
    identity: Identity,
    addresses: BTreeSet<String>,
    /// Each request that was taken in: whom it is about, and how it stands.
    requests: BTreeMap<String, (String, &'static str)>,
    posts: usize,
    expected: String,
}

#[derive(Clone)]
pub struct Mailer {
    pub host: String,
    world: Arc<Mutex<World>>,
}

impl Mailer {
    pub async fn open(addresses: &[&str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let world = World {
            identity: Identity::new(),
            addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
            requests: BTreeMap::new(),
            posts: 0,
            expected: "2049-01-01T00:00:00Z".to_owned(),
        };
        let mailer = Self { host, world: Arc::new(Mutex::new(world)) };
        let router = axum::Router::new()
            .route("/cert.pem", get(certificate))
            .route("/v2/discovery", get(discovery))
            .route("/v2/requests", post(create))
            .route("/v2/requests/{id}", get(status))
            .with_state(mailer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        mailer
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What a controller trusts.
    pub fn authority(&self) -> String {
        self.world().identity.authority.clone()
    }

    /// Everything that it holds.
    pub fn holds(&self) -> Vec<String> {
        self.world().addresses.iter().cloned().collect()
    }

    /// How often it was asked to erase somebody.
    pub fn posts(&self) -> usize {
        self.world().posts
    }

    /// When it says that it will be done.
    pub fn expects(&self, at: &str) {
        at.clone_into(&mut self.world().expected);
    }

    /// Carries out everything that it has taken in.
    pub fn carry_out(&self) {
        let world = &mut *self.world();
        for (address, state) in world.requests.values_mut() {
            world.addresses.remove(address);
            *state = "completed";
        }
    }
}

fn signed(world: &World, status: u16, body: &Value) -> Response<Body> {
    let bytes = body.to_string().into_bytes();
    Response::builder()
        .status(status)
        .header("X-OpenDSR-Processor-Domain", DOMAIN)
        .header("X-OpenDSR-Signature", world.identity.sign(&bytes))
        .body(Body::from(bytes))
        .unwrap()
}

fn refused(status: u16, reason: &str) -> Response<Body> {
    let body = json!({ "error": { "code": status, "message": reason,
        "errors": [{ "domain": "request", "reason": reason, "message": reason }] } });
    Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
}

async fn certificate(State(mailer): State<Mailer>) -> String {
    mailer.world().identity.bundle.clone()
}

async fn discovery(State(mailer): State<Mailer>) -> String {
    json!({
        "api_version": "2.0",
        "supported_identities": [{ "identity_type": "email", "identity_format": "raw" }],
        "supported_subject_request_types": ["erasure"],
        "processor_certificate": format!("http://{}/cert.pem", mailer.host),
    })
    .to_string()
}

async fn create(State(mailer): State<Mailer>, bytes: Bytes) -> Response<Body> {
    let mut world = mailer.world();
    world.posts += 1;
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let id = body["subject_request_id"].as_str().unwrap().to_owned();
    if world.requests.contains_key(&id) {
        return refused(400, "DuplicateRequest");
    }
    let address = body["subject_identities"][0]["identity_value"].as_str().unwrap().to_owned();
    let answer = json!({
        "controller_id": "4711",
        "expected_completion_time": world.expected,
        "received_time": "2026-11-23T10:00:00Z",
        "encoded_request": STANDARD.encode(&bytes),
        "subject_request_id": id,
    });
    world.requests.insert(id, (address, "pending"));
    signed(&world, 201, &answer)
}

async fn status(State(mailer): State<Mailer>, Path(id): Path<String>) -> Response<Body> {
    let world = mailer.world();
    let Some((_, state)) = world.requests.get(&id) else { return refused(404, "NotFound") };
    let answer = json!({
        "controller_id": "4711",
        "expected_completion_time": world.expected,
        "subject_request_id": id,
        "request_status": state,
        "results_url": null,
        "extensions": null,
    });
    signed(&world, 200, &answer)
}
