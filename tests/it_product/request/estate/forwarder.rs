//! The line to a database server, which the test can cut and mend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};

pub struct Forwarder {
    /// `127.0.0.1:port`.
    pub host: String,
    open: Arc<AtomicBool>,
}

impl Forwarder {
    /// Forwards to a host with its port; the line is cut at first.
    pub async fn to(host: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = Arc::new(AtomicBool::new(false));
        let forwarder =
            Self { host: listener.local_addr().unwrap().to_string(), open: Arc::clone(&open) };
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let host = host.clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(host).await else { return };
                    // Either end may hang up.
                    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                });
            }
        });
        forwarder
    }

    pub fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// Host and port of a database URL, and the URL with another host.
pub fn by_way_of(url: &str) -> (String, impl Fn(&str) -> String) {
    let (before, rest) =
        url.split_at(url.rfind('@').map_or_else(|| url.find("://").unwrap() + 3, |at| at + 1));
    let (host, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:3306") };
    let (before, after) = (before.to_owned(), after.to_owned());
    (with_port, move |host: &str| format!("{before}{host}{after}"))
}
