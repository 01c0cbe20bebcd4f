//! The processor's line: connections that come in over TLS. One that does not shake hands in time
//! is dropped and keeps nobody waiting for longer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// Longest time for shaking hands.
const PATIENCE: Duration = Duration::from_secs(5);

/// A port that speaks TLS.
pub(super) struct Line {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Line {
    /// Speaks TLS on a port that is open.
    pub(super) fn new(listener: TcpListener, tls: ServerConfig) -> Self {
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(tls)) }
    }
}

impl Listener for Line {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.listener).await;
            let greeting = tokio::time::timeout(PATIENCE, self.acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = greeting {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
