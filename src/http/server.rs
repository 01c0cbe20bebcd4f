//! Listening, serving, and stopping without losing what has been begun.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::BoundedListener;
use super::{Api, route};
use crate::app::Quietus;

/// How long open connections may take to end after the stop.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why the interface cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A token cannot be read.
    #[error("the tokens of the HTTP interface cannot be read: {0}")]
    Tokens(String),
    /// The instance cannot be an `OpenDSR` processor as its file says.
    #[error("`opendsr` of quietus.yaml cannot be served: {0}")]
    Opendsr(String),
    /// The address cannot be had.
    #[error(
        "nothing can listen at `{address}` ({why}); is it taken? `listen` in `quietus.yaml` names another"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: std::io::ErrorKind,
    },
}

/// The HTTP interface, bound to its address.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    writes: TaskTracker,
}

impl Server {
    /// Reads the tokens and binds the address of the instance; port 0 takes any free one.
    ///
    /// # Errors
    /// Where a token, a credential or a key cannot be read, or the address cannot be had.
    pub async fn bind(product: &Arc<Quietus>) -> Result<Self, BindError> {
        let tokens = product.tokens().map_err(|error| BindError::Tokens(error.to_string()))?;
        let desk = product.desk().map_err(|error| BindError::Opendsr(error.to_string()))?;
        let wanted = product.instance.listen;
        let refuse =
            |error: std::io::Error| BindError::Listen { address: wanted, why: error.kind() };
        let listener = TcpListener::bind(wanted).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let writes = TaskTracker::new();
        let router = route::router(&Api::new(product, (tokens, desk), &writes));
        Ok(Self { listener, address, router, writes })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then waits for what has been begun: requests for ten seconds, changes
    /// until they are written.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { listener, router, writes, .. } = self;
        let serving = axum::serve(BoundedListener::new(listener), router)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            ended = async { serving.await } => {
                if let Err(error) = ended {
                    tracing::error!(kind = %error.kind(), "the HTTP interface ended");
                }
            }
            () = too_long => tracing::warn!("connections were still open and are cut"),
        }
        writes.close();
        writes.wait().await;
    }
}
