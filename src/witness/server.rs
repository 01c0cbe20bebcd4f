//! The witness over HTTP: `POST /add-checkpoint` for logs, `GET /logs/{name}/checkpoint` for
//! whoever compares, where `name` is the SHA-256 of the log's name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Answer, Witness};
use crate::domain::Digest;
use crate::evidence::witnessing::QUESTION_BYTES;
use crate::http::connection::BoundedListener;

/// How long open connections may take to end after the stop.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A witness, bound to its address.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    witness: Arc<Witness>,
}

impl Server {
    /// Binds an address; port 0 takes any free one.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn bind(address: SocketAddr, witness: Arc<Witness>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, witness })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let router = Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/logs/{name}/checkpoint", get(last_head))
            .layer(DefaultBodyLimit::max(QUESTION_BYTES))
            .with_state(self.witness);
        let serving = serve(BoundedListener::new(self.listener), router)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            ended = async { serving.await } => {
                if let Err(error) = ended {
                    tracing::error!(kind = %error.kind(), "the witness ended");
                }
            }
            () = too_long => tracing::warn!("connections were still open and are cut"),
        }
    }
}

fn response(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, answer.media_type)], answer.body).into_response()
}

fn broken() -> Response {
    response(Answer {
        status: 500,
        media_type: "text/plain; charset=utf-8",
        body: "the witness cannot answer now\n".to_owned(),
    })
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    // Waiting for the disk must not keep other connections waiting.
    tokio::task::spawn_blocking(move || witness.add_checkpoint(&body))
        .await
        .map_or_else(|_| broken(), response)
}

async fn last_head(State(witness): State<Arc<Witness>>, Path(name): Path<String>) -> Response {
    let Some(name) = Digest::parse(&name) else { return StatusCode::NOT_FOUND.into_response() };
    match tokio::task::spawn_blocking(move || witness.last_head(&name)).await {
        Ok(Ok(Some(text))) => {
            let kind = "text/plain; charset=utf-8";
            (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(_)) | Err(_) => broken(),
    }
}
