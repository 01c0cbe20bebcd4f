//! The connector of the kind `opendsr`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::composition::{asked, compose};
use super::exchange::Exchange;
use super::execution::{execute, follow};
use super::reference::Reference;
use super::request_id::request_id;
use super::settings::ClientSettings;
use crate::connector::{Connector, Progress};
use crate::kinds::ProcessorSettings;
use crate::opendsr::protocol::{Discovery, RequestType};
use crate::opendsr::signature::{SigningCertificates, Trust};
use crate::order::Order;
use crate::receipt::{Counts, Fault, Health, Receipt, Verification};
use crate::schema::{Capabilities, Schema};

/// A processor that speaks OpenDSR.
pub struct Client {
    exchange: Exchange,
}

impl Client {
    /// Reads the settings. No connection is made.
    ///
    /// Parameters: `domain` (needed), `dialect` (`v1`, `v2`, `v3`), `user` and `key` or `token`,
    /// `callback_url`, `regulation` (`gdpr`, `ccpa`), `identity.NAME` (the type that a name of the
    /// data map means), `field.NAME` (a further field of the request), `unsigned` (`accept`),
    /// `requests_per_minute` (300), `certificate_hosts` (with commas), `skip_waiting_period` (`true`, v3 only).
    ///
    /// # Errors
    /// `Misconfigured` where they do not fit.
    pub fn new(settings: ProcessorSettings) -> Result<Self, Fault> {
        Ok(Self { exchange: Exchange::new(ClientSettings::read(settings)?) })
    }

    /// The processor's domain.
    pub fn domain(&self) -> &str {
        &self.exchange.settings.domain
    }

    /// Where the processor is asked to call us back.
    pub fn callback_url(&self) -> Option<&str> {
        self.exchange.settings.callback_url.as_deref()
    }

    /// Authorities that may vouch for the processor's certificate.
    pub fn trust(&self) -> &Trust {
        &self.exchange.settings.trust
    }

    /// The processor's certificate, for checking its callbacks; fetched anew if the one at hand
    /// did not do. Whether it is to be trusted is checked with the callback.
    ///
    /// # Errors
    /// Where it cannot be fetched or read.
    pub async fn certificates(&self, anew: bool) -> Result<SigningCertificates, Fault> {
        Ok(self.exchange.certificates(anew).await?.0.as_ref().clone())
    }

    /// What it takes, in words.
    fn takes(discovery: &Discovery) -> String {
        let mut formats: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in &discovery.identities {
            formats.entry(one.kind.as_str()).or_default().push(one.format.as_str());
        }
        let words: Vec<String> = formats
            .iter()
            .map(|(kind, formats)| format!("{kind} ({})", formats.join(", ")))
            .collect();
        words.join(", ")
    }

    /// What a person has to mend before the processor can be asked.
    fn findings(&self, discovery: &Discovery, order: &Order) -> Vec<String> {
        let settings = &self.exchange.settings;
        let domain = &settings.domain;
        let mut findings = Vec::new();
        if !discovery.takes(RequestType::Erasure) {
            findings.push(format!("`{domain}` takes no requests for erasure: ask it another way"));
        }
        if discovery.identities.is_empty() {
            findings.push(format!("`{domain}` takes no type of identity: ask which it wants"));
        }
        if order.persons.is_some() {
            let composed = asked(settings, order)
                .and_then(|request| compose(settings, discovery, order, request));
            match composed {
                Ok(compositions) => {
                    for why in compositions.into_iter().filter_map(|one| one.requests.err()) {
                        if !findings.contains(&why) {
                            findings.push(why);
                        }
                    }
                }
                Err(fault) => findings.push(fault.to_string()),
            }
        }
        findings
    }

    /// A request that nobody made: asking for it shows whether the credentials do.
    fn nobody(&self) -> Uuid {
        request_id("check", "nobody", &self.exchange.settings.domain, 0)
    }
}

#[async_trait]
impl Connector for Client {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "opendsr".to_owned(),
            erasure_grade: "deleted".to_owned(),
            residues: vec![
                "what the processor keeps under duties of its own, as far as it does not say so"
                    .to_owned(),
                "the processor's backups and logs".to_owned(),
                "what the processor has passed on to others".to_owned(),
            ],
            can_verify: false,
            identities: self.exchange.settings.names(),
        }
    }

    async fn check(&self, order: &Order) -> Result<Health, Fault> {
        let settings = &self.exchange.settings;
        let discovery = self.exchange.discovery(true).await?;
        self.exchange.look_up(self.nobody()).await?;
        let mut findings = self.findings(&discovery, order);
        let unsigned = settings.accepts_unsigned && discovery.certificate_url.is_none();
        let certificate = if unsigned {
            "nothing it says is signed".to_owned()
        } else {
            match self.exchange.good_certificates().await {
                Ok(good) => {
                    format!("signs with {} until {}", good.algorithm(), good.not_after())
                }
                Err(Fault::Misconfigured { message }) => {
                    findings.push(message);
                    "its certificate does not do".to_owned()
                }
                Err(fault) => return Err(fault),
            }
        };
        let product = format!(
            "{} of {}; takes {}; {certificate}",
            settings.dialect.product(),
            settings.domain,
            Self::takes(&discovery),
        );
        Ok(Health { product, missing_privileges: findings, ..Health::default() })
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        let settings = &self.exchange.settings;
        let product = format!("{} of {}", settings.dialect.product(), settings.domain);
        Ok(Schema { product, collections: Vec::new() })
    }

    async fn preview(&self, order: &Order) -> Result<Counts, Fault> {
        let discovery = self.exchange.discovery(false).await?;
        Ok(Counts { refusals: self.findings(&discovery, order), ..Counts::default() })
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        execute(&self.exchange, order, progress).await
    }

    async fn follow(&self, order: &Order, reference: &str) -> Result<Receipt, Fault> {
        follow(&self.exchange, order, reference).await
    }

    fn expected_at(&self, reference: &str) -> Option<Timestamp> {
        Reference::read(reference).ok()?.expected_at()
    }

    async fn verify(&self, _order: &Order) -> Result<Verification, Fault> {
        let domain = &self.exchange.settings.domain;
        Ok(Verification {
            method: format!("nobody looked: this relies on the word of `{domain}` over OpenDSR"),
            relied_upon: true,
            ..Verification::default()
        })
    }

    async fn forget(&self, _order_key: &str) -> Result<(), Fault> {
        // Nothing is kept for resuming: the ids follow from the order.
        Ok(())
    }
}
