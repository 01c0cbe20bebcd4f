//! Example Marketing, an invented processor of the telecom company: it sends newsletters, keeps
//! contacts of its own, speaks OpenDSR 2.0 over TLS on a free port, and signs what it answers.
//!
//! It lives inside the demonstration's process. It takes a day for a request, and looks at what it
//! has to do whenever somebody asks how a request stands.

mod identity;
mod line;
mod requests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::routing::{get, post};
use quietus_connectors::opendsr::intake::{Answer, Answers, Complaint};
use quietus_connectors::opendsr::protocol::{Dialect, Discovery};
use quietus_connectors::opendsr::signature::{SignatureFault, Signer};
use quietus_connectors::sample;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::identity::Identity;
use self::line::Line;
use self::requests::Requests;
use crate::domain::{Clock, Ids};

/// Its name, as people know it.
pub(super) const NAME: &str = "Example Marketing";
/// The domain under which it is a processor.
pub(super) const DOMAIN: &str = "opendsr.marketing.example";
/// What it calls the telecom company.
const CONTROLLER: &str = "example-telecom";
/// The one dialect that it speaks.
const DIALECT: Dialect = Dialect::V2;
const CONTACTS: &str = include_str!("../company/marketing.sql");

/// The processor at work; it is gone when this is dropped.
pub(super) struct Marketing {
    /// Where it is reached.
    pub(super) address: SocketAddr,
    /// What the telecom company shows when it asks something.
    pub(super) token: String,
    /// The authority that vouches for its certificate, as PEM.
    pub(super) authority: String,
    /// Its contacts.
    pub(super) contacts: PathBuf,
    office: Arc<Office>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Drop for Marketing {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Marketing {
    /// Begins to work, with its contacts in `folder`.
    ///
    /// # Errors
    /// Where no port is free, a file cannot be written or a key cannot be made.
    pub(super) async fn start(
        folder: &Path,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
    ) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let contacts = folder.join("contacts.db");
        sample::write(&contacts, CONTACTS).await.map_err(|fault| fault.to_string())?;
        let Identity { authority, signer, tls } = Identity::make(clock.now())?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let token = hex::encode(ids.random());
        let office = Arc::new(Office {
            authorization: format!("Bearer {token}"),
            signer,
            certificate_url: format!("https://{address}/certificate.pem"),
            requests: Requests::new(contacts.clone(), ids.random()),
            clock,
        });
        let line = Line::new(listener, tls);
        let router = router(Arc::clone(&office));
        let server = tokio::spawn(async move { axum::serve(line, router).await });
        Ok(Self { address, token, authority, contacts, office, server })
    }

    /// What it has answered to questions about requests, by their states.
    pub(super) async fn answered(&self) -> Vec<&'static str> {
        self.office.requests.told().await
    }
}

/// Who answers.
struct Office {
    authorization: String,
    signer: Signer,
    certificate_url: String,
    requests: Requests,
    clock: Arc<dyn Clock>,
}

fn router(office: Arc<Office>) -> Router {
    Router::new()
        .route("/certificate.pem", get(certificate))
        .route("/v2/discovery", get(discovery))
        .route("/v2/requests", post(create))
        .route("/v2/requests/{id}", get(status))
        .with_state(office)
}

impl Office {
    fn answers(&self) -> Answers<'_> {
        Answers { dialect: DIALECT, domain: DOMAIN, controller: CONTROLLER, signer: &self.signer }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Complaint> {
        let shown = headers.get("authorization").map(HeaderValue::as_bytes);
        if shown == Some(self.authorization.as_bytes()) {
            Ok(())
        } else {
            Err(Complaint::unauthorised())
        }
    }

    /// Sends an answer, or the complaint in place of it.
    fn send(&self, answer: Result<Answer, Refusal>) -> Response<Body> {
        let answer = answer.unwrap_or_else(|refusal| self.answers().refusal(&refusal.0));
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(answer.body)).unwrap_or_default()
    }
}

/// Why there is no answer.
struct Refusal(Complaint);

impl From<Complaint> for Refusal {
    fn from(complaint: Complaint) -> Self {
        Self(complaint)
    }
}

impl From<SignatureFault> for Refusal {
    fn from(fault: SignatureFault) -> Self {
        Self(Complaint::new(500, fault.to_string()))
    }
}

impl From<quietus_connectors::Fault> for Refusal {
    fn from(_: quietus_connectors::Fault) -> Self {
        Self(Complaint::new(500, "the contacts cannot be reached"))
    }
}

async fn certificate(State(office): State<Arc<Office>>) -> String {
    office.signer.certificates().pem()
}

async fn discovery(State(office): State<Arc<Office>>, headers: HeaderMap) -> Response<Body> {
    let rules = requests::rules();
    let answer = office.admit(&headers).map(|()| {
        office.answers().discovery(&Discovery {
            api_version: None,
            identities: rules.identities,
            request_types: rules.request_types,
            certificate_url: Some(office.certificate_url.clone()),
        })
    });
    office.send(answer.map_err(Refusal))
}

async fn create(
    State(office): State<Arc<Office>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = async {
        office.admit(&headers)?;
        let taken = office.requests.take_in(&body, office.clock.now()).await?;
        let answers = office.answers();
        Ok(answers.created(taken.id, taken.received_at, taken.expected_at, &body)?)
    };
    office.send(answer.await)
}

async fn status(
    State(office): State<Arc<Office>>,
    UrlPath(id): UrlPath<Uuid>,
    headers: HeaderMap,
) -> Response<Body> {
    let answer = async {
        office.admit(&headers)?;
        office.requests.work(office.clock.now()).await?;
        let standing = office.requests.standing(id).await.ok_or_else(Complaint::not_found)?;
        Ok(office.answers().status(&standing)?)
    };
    office.send(answer.await)
}
