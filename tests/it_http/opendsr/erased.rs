//! Two companies: what a person asks of the shop, the shop asks of its partner, which serves
//! OpenDSR. The person is erased in both, the partner calls back, and its receipt can be checked
//! when the person is forgotten.

use std::sync::Arc;

use quietus_connectors::Proof;
use quietus_connectors::opendsr::signature::{Trust, check_digest};
use serde_json::{Value, json};

use super::authority::{Authority, Identity};
use super::company::{Company, DOMAIN, Hands, controllers, nothing_logged, processor, secret};
use super::front::{free_port, front};

const SHOP: &str = "
controller: {name: Example Shop GmbH, zone: Europe/Berlin, country: DE}
store: sqlite:quietus.db
listen: 127.0.0.1:0
workers: 1
tokens:
  - {name: audit, role: auditor, secret: file:secrets/auditor}
  - {name: night-shift, role: operator, secret: file:secrets/operator}
identities: {email_sha256: {normalise: lower}}
";

/// The shop, its partner, and the way between them.
pub struct Pair {
    pub shop: Company,
    pub partner: Company,
    pub identity: Identity,
    pub authority: Authority,
    /// Where the shop is called back.
    pub own_url: String,
}

impl Pair {
    /// Both run on one clock. The partner speaks in this spelling.
    pub async fn open(dialect: &str, path: &str) -> Self {
        let clock = Hands::at_noon();
        let authority = Authority::new();
        let identity = authority.issue(DOMAIN);
        let (port, tls) = (free_port(), free_port());
        let hosts = format!("private_callback_hosts: ['localhost:{tls}']");
        let instance = processor(port, &controllers(&hosts));
        let files = [
            ("quietus.yaml", instance.as_str()),
            ("secrets/opendsr.pem", identity.key.as_str()),
            ("certificates/opendsr.pem", identity.certificate.as_str()),
            ("certificates/authority.pem", authority.pem.as_str()),
        ];
        let partner = Company::open(Arc::clone(&clock), &files).await;
        let own_url = format!("https://localhost:{tls}/opendsr/callbacks/partner");
        let system = format!(
            "
system: partner
kind: opendsr
role: processor
owner: Marketing
operator: Example Partner Ltd
connection:
  url: http://127.0.0.1:{port}{path}
  trust: file:certificates/authority.pem
  private_hosts: ['127.0.0.1:{port}']
parameters:
  domain: {DOMAIN}
  dialect: {dialect}
  user: shop
  key: file:secrets/partner
  callback_url: {own_url}
persons: {{categories: [contact], identities: [email]}}
"
        );
        let files = [
            ("quietus.yaml", SHOP),
            ("systems/partner.yaml", system.as_str()),
            ("secrets/partner", &secret("shop")),
            ("certificates/authority.pem", authority.pem.as_str()),
        ];
        let shop = Company::open(clock, &files).await;
        front(tls, &authority.issue("localhost"), shop.address).await;
        Self { shop, partner, identity, authority, own_url }
    }

    /// Alan asks the shop, which asks its partner.
    pub async fn ask(&self) {
        let body = json!({
            "right": "erasure",
            "identities": [{"type": "email", "value": "alan@mail.example"}],
            "received_at": "2026-11-20T08:30:00Z",
            "identity_check": {"assurance": "substantial", "method": "login"},
        });
        let body = body.to_string().into_bytes();
        self.shop.ask("operator", "POST", "/v1/requests", &body).await.expect(201);
        self.shop.carry_on().await;
    }

    /// The shop's job at its partner.
    pub async fn job(&self) -> Value {
        let page = self.shop.only_request().await;
        let systems = page["systems"].as_array().unwrap();
        let partner = systems.iter().find(|one| one["system"] == "partner").unwrap();
        partner["jobs"][0].clone()
    }

    /// The name under which the partner knows the request.
    pub async fn id(&self) -> String {
        self.partner.only_request().await["external_id"].as_str().unwrap().to_owned()
    }
}

/// What the shop's certificate says of its partner.
async fn recipient(pair: &Pair) -> Value {
    let page = pair.shop.only_request().await;
    let certificate = page["certificate"].as_str().unwrap();
    let path = format!("/v1/certificates/{certificate}/statement");
    let statement = pair.shop.get("auditor", &path).await.expect(200).json();
    let statements = statement["predicate"]["statements"].as_array().unwrap().clone();
    let partner = statements.into_iter().find(|one| one["system"]["id"] == "partner").unwrap();
    assert_eq!(partner["outcome"], "attested-by-processor", "{partner}");
    partner["recipient"].clone()
}

#[tokio::test]
async fn a_person_is_erased_at_a_second_quietus_in_every_spelling() {
    for (dialect, path) in [("v2", "/opendsr/v2"), ("v3", "/opendsr/v3"), ("v1", "/opendsr/v1")] {
        let pair = Pair::open(dialect, path).await;
        pair.ask().await;
        assert_eq!(pair.shop.customers("SELECT COUNT(*) FROM customers WHERE id = 2").await, 0);
        let asked = pair.partner.only_request().await;
        assert_eq!(asked["source"], "opendsr:shop");
        assert_eq!(asked["received_at"], "2026-11-20T08:30:00Z", "the same clock runs at both");
        assert_eq!(asked["state"], "cooling_off");
        assert_eq!(pair.partner.customers("SELECT COUNT(*) FROM customers WHERE id = 2").await, 1);
        let waits = pair.job().await;
        assert_eq!(waits["state"], "waiting");
        let ask_at = waits["available_at"].as_str().unwrap().to_owned();
        pair.shop.carry_on().await;
        assert_eq!(pair.job().await["available_at"], ask_at.as_str(), "nobody asks before");

        pair.partner.clock.pass_hours(25);
        pair.partner.carry_on().await;
        assert_eq!(pair.partner.customers("SELECT COUNT(*) FROM customers WHERE id = 2").await, 0);
        // The partner calls, and the job that would have asked later asks at once.
        pair.partner.product.tell_controllers().await.unwrap();
        let called = pair.partner.only_request().await["callbacks"].clone();
        assert!(
            called.as_array().unwrap().iter().all(|one| one["state"] == "delivered"),
            "{called}"
        );
        assert_eq!(called.as_array().unwrap().len(), 2);
        pair.shop.carry_on().await;
        let job = pair.job().await;
        assert_eq!(job["state"], "completed", "{job}");
        assert_eq!(
            (&job["said"][0]["result"], &job["said"][0]["grade"]),
            (&json!("done"), &json!("signed"))
        );
        assert_eq!(pair.shop.only_request().await["outcome"], "fulfilled");

        // The receipt stands on the certificate and can be checked from its digest alone.
        let recipient = recipient(&pair).await;
        assert_eq!(recipient["grade"], "signed");
        let text = |name: &str| recipient[name].as_str().unwrap().to_owned();
        let proof = Proof {
            format: "opendsr".to_owned(),
            document_sha256: text("receiptSha256"),
            signature: Some(text("signature")),
            certificates: Some(text("certificates")),
        };
        let signatory = check_digest(&proof).unwrap();
        let trust = Trust::only(&pair.authority.pem).unwrap();
        let now = super::company::NOON.parse().unwrap();
        assert_eq!(signatory.check(&trust, DOMAIN, now), Ok(()));
        let mut forged = proof.clone();
        forged
            .document_sha256
            .replace_range(..1, if proof.document_sha256.starts_with('0') { "1" } else { "0" });
        assert!(check_digest(&forged).is_err(), "it signs this answer and no other");
        assert!(!recipient.to_string().contains("alan"));
    }
    nothing_logged(&[]);
}
