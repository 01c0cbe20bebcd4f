//! The desk: our key with its certificate, the controllers that may ask, and the lines on which they
//! are called back. Secrets are read once, when the first one is needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use quietus_connectors::opendsr::calling::{CallbackLine, LineSettings};
use quietus_connectors::opendsr::intake::{Answer, Answers, Complaint, IntakeRules};
use quietus_connectors::opendsr::protocol::{Dialect, Discovery, RequestType, SupportedIdentity};
use quietus_connectors::opendsr::signature::Signer;

use crate::app::{AppError, Quietus};
use crate::config::{self, ControllerAtDesk, KnownController, OpendsrSettings};
use crate::domain::AskedRight;

/// Addresses that one request may want to be called at.
const MOST_CALLBACKS: usize = 5;

/// Who asks, and in which spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The controller's name with us.
    pub controller: String,
    /// The spelling.
    pub dialect: Dialect,
}

/// The desk at which other controllers bring requests.
#[derive(Debug)]
pub struct Desk {
    pub(super) settings: OpendsrSettings,
    pub(super) signer: Signer,
    credentials: Vec<KnownController>,
    lines: BTreeMap<String, CallbackLine>,
}

impl Quietus {
    /// The desk; `None` where the instance is no `OpenDSR` processor.
    ///
    /// # Errors
    /// Where the key, the certificate or a credential cannot be read, or they do not fit.
    pub fn desk(&self) -> Result<Option<Arc<Desk>>, AppError> {
        let Some(settings) = &self.instance.opendsr else { return Ok(None) };
        if let Some(desk) = self.desk.get() {
            return Ok(Some(Arc::clone(desk)));
        }
        let desk = Arc::new(self.open_desk(settings)?);
        Ok(Some(Arc::clone(self.desk.get_or_init(|| desk))))
    }

    fn open_desk(&self, settings: &OpendsrSettings) -> Result<Desk, AppError> {
        let folder = &self.instance.folder;
        let refuse = |words: String| AppError::Secret(words);
        let key = settings
            .key
            .resolve_whole(folder)
            .map_err(|error| refuse(format!("the key of `opendsr`: {error}")))?;
        let read = |path: &std::path::Path| {
            std::fs::read_to_string(folder.join(path)).map_err(|error| {
                refuse(format!("`{}` cannot be read: {}", path.display(), error.kind()))
            })
        };
        let certificates = read(&settings.certificate)?;
        let signer = Signer::read(&key, &certificates)
            .map_err(|fault| refuse(format!("key and certificate of `opendsr`: {fault}")))?;
        if signer.certificates().not_after() <= self.now() {
            tracing::error!(domain = %settings.domain, "the OpenDSR certificate has expired: controllers will not believe what it signs");
        }
        let tokens = self.tokens()?;
        let credentials = config::controllers(&self.instance, &tokens)
            .map_err(|error| refuse(error.to_string()))?;
        let trust = settings.trust.as_deref().map(read).transpose()?;
        let mut lines = BTreeMap::new();
        for one in &settings.controllers {
            let line = LineSettings {
                controller: one.id.clone(),
                hosts: one.callback_hosts.clone(),
                trust: trust.clone(),
            };
            let line = CallbackLine::open(line, self.time())
                .map_err(|fault| refuse(format!("callbacks of `opendsr`: {fault}")))?;
            lines.insert(one.id.clone(), line);
        }
        Ok(Desk { settings: settings.clone(), signer, credentials, lines })
    }
}

impl Desk {
    /// Whose credential it is, where `user` (if one is given) is the controller's name. All are
    /// compared, so that the time tells nothing.
    pub fn controller(&self, user: Option<&str>, secret: &str) -> Option<&str> {
        let mut found = None;
        for known in &self.credentials {
            let named = user.is_none_or(|user| user == known.id);
            if known.matches(secret) && named {
                found = Some(known.id.as_str());
            }
        }
        found.filter(|_| !secret.is_empty())
    }

    /// Our certificate with its chain, PEM.
    pub fn certificate(&self) -> String {
        self.signer.certificates().pem()
    }

    /// What we offer.
    pub fn discovery(&self, asking: &Asking) -> Answer {
        let settings = &self.settings;
        let discovery = Discovery {
            api_version: None,
            identities: self.identities(),
            request_types: settings.rights.iter().filter_map(|one| type_of(*one)).collect(),
            certificate_url: Some(format!("{}/opendsr/certificate.pem", settings.address)),
        };
        self.answers(asking).discovery(&discovery)
    }

    /// A refusal in the spelling of whoever asked.
    pub fn refusal(&self, dialect: Dialect, complaint: &Complaint) -> Answer {
        let asking = Asking { controller: String::new(), dialect };
        self.answers(&asking).refusal(complaint)
    }

    pub(super) fn answers<'a>(&'a self, asking: &'a Asking) -> Answers<'a> {
        Answers {
            dialect: asking.dialect,
            domain: &self.settings.domain,
            controller: &asking.controller,
            signer: &self.signer,
        }
    }

    pub(super) fn line(&self, controller: &str) -> Option<&CallbackLine> {
        self.lines.get(controller)
    }

    pub(super) fn settings_of(&self, controller: &str) -> Option<&ControllerAtDesk> {
        self.settings.controllers.iter().find(|one| one.id == controller)
    }

    /// What is taken of a controller.
    pub(super) fn rules(&self, controller: &str, earliest: Timestamp) -> IntakeRules {
        let settings = &self.settings;
        IntakeRules {
            domain: settings.domain.clone(),
            request_types: settings.rights.iter().filter_map(|one| type_of(*one)).collect(),
            identities: self.identities(),
            earliest_submission: earliest,
            callback_hosts: self
                .settings_of(controller)
                .map(|one| one.callback_hosts.clone())
                .unwrap_or_default(),
            most_callbacks: MOST_CALLBACKS,
        }
    }

    fn identities(&self) -> Vec<SupportedIdentity> {
        let supported = self
            .settings
            .identities
            .iter()
            .map(|one| SupportedIdentity { kind: one.kind.clone(), format: one.format });
        supported.collect()
    }
}

impl Quietus {
    /// Nobody asked before this moment.
    pub(super) fn earliest_submission(&self, desk: &Desk) -> Timestamp {
        let now = self.now();
        let day = self.zone.to_datetime(now).date();
        let back = day.checked_sub(desk.settings.oldest.span()).unwrap_or(day);
        let start = back.to_zoned(self.zone.clone()).map(|zoned| zoned.timestamp());
        start.unwrap_or(now)
    }
}

/// A right in the words of `OpenDSR`; `None` for rights that it does not know.
fn type_of(asked: AskedRight) -> Option<RequestType> {
    match asked {
        AskedRight::Erasure => Some(RequestType::Erasure),
        AskedRight::Access => Some(RequestType::Access),
        AskedRight::Portability => Some(RequestType::Portability),
        _ => None,
    }
}
