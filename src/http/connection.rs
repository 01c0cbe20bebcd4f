//! Connections with bounds: so many at once, and none that stays silent.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once; further ones wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 256;
/// A connection to which nothing is answered for so long is closed. Longer than any request.
const LONGEST_SILENCE: Duration = Duration::from_secs(90);
/// The head of a request has to be there so soon after its first byte, and the first one so soon
/// after the connection was opened: whoever sends it byte by byte must not take all places.
const LONGEST_HEAD: Duration = Duration::from_secs(10);

/// A listener that accepts no more than it can serve.
pub struct BoundedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl BoundedListener {
    /// Over a bound listener.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(MOST_CONNECTIONS)) }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Only a closed semaphore gives no place, and nobody closes this one.
            Err(_) => std::future::pending().await,
        };
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let patience = Patience { head: LONGEST_HEAD, silence: LONGEST_SILENCE };
        (BoundedStream::new(stream, place, patience), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The rest of the head of a request, which ends with an empty line.
    Head {
        /// Whether a line has begun at all: empty lines before the first do not count.
        begun: bool,
        /// Line feeds since the last character.
        ends: u8,
    },
    /// The answer, and after it the next request. Only bytes that go out are a sign of life: what
    /// comes in may come for ever.
    Answer,
    /// The next request, of which nothing has come.
    Next,
}

const NEW_HEAD: Awaited = Awaited::Head { begun: false, ends: 0 };

impl Awaited {
    /// After these bytes of a head.
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Head { mut begun, mut ends } = self else { return self };
        for byte in bytes {
            match byte {
                b'\n' if begun => ends += 1,
                b'\r' | b'\n' => {}
                _ => (begun, ends) = (true, 0),
            }
            if ends == 2 {
                return Self::Answer;
            }
        }
        Self::Head { begun, ends }
    }
}

/// How long a connection may wait.
#[derive(Debug, Clone, Copy)]
struct Patience {
    head: Duration,
    silence: Duration,
}

/// A connection that gives its place back when it ends, and ends when it stays silent or does not
/// come to the point.
pub struct BoundedStream {
    stream: TcpStream,
    awaited: Awaited,
    patience: Patience,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl BoundedStream {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, patience: Patience) -> Self {
        let deadline = Box::pin(tokio::time::sleep(patience.head));
        Self { stream, awaited: NEW_HEAD, patience, deadline, _place: place }
    }

    fn wait_for(&mut self, awaited: Awaited) {
        let is_head = |awaited: Awaited| matches!(awaited, Awaited::Head { .. });
        let patience = if is_head(awaited) { self.patience.head } else { self.patience.silence };
        // A head that goes on keeps the deadline that it began with.
        if !(is_head(awaited) && is_head(self.awaited)) {
            self.deadline.as_mut().reset(Instant::now() + patience);
        }
        self.awaited = awaited;
    }

    /// These bytes came in.
    fn received(&mut self, bytes: &[u8]) {
        match self.awaited {
            Awaited::Head { .. } => {
                let after = self.awaited.after(bytes);
                self.wait_for(after);
            }
            Awaited::Next if !bytes.is_empty() => {
                self.wait_for(NEW_HEAD);
                let after = self.awaited.after(bytes);
                self.wait_for(after);
            }
            Awaited::Answer | Awaited::Next => {}
        }
    }

    /// While nothing comes or goes, `Ready` is the end of the connection.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        answer: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => answer,
        }
    }

    /// Something went out.
    fn sent(
        &mut self,
        context: &mut Context<'_>,
        answer: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if matches!(answer, Poll::Ready(Ok(1..))) {
            self.wait_for(Awaited::Next);
        }
        self.watch(context, answer)
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let answer = Pin::new(&mut self.stream).poll_read(context, buffer);
        if answer.is_ready() {
            self.received(buffer.filled().get(before..).unwrap_or_default());
        }
        self.watch(context, answer)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(context, answer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.sent(context, answer)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn pair(patience: Patience) -> (TcpStream, BoundedStream, Arc<Semaphore>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = TcpListener::accept(&listener).await.unwrap();
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        (client, BoundedStream::new(stream, place, patience), places)
    }

    const SHORT: Patience =
        Patience { head: Duration::from_millis(200), silence: Duration::from_mins(1) };

    #[tokio::test]
    async fn who_sends_a_head_byte_by_byte_is_cut_off() {
        let (mut client, mut server, places) = pair(SHORT).await;
        let dribble = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut all = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), server.read_to_end(&mut all));
        let error = ended.await.expect("it is cut off").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(all.len() > 1, "bytes came all the while");
        drop(server);
        assert_eq!(places.available_permits(), 1);
        dribble.abort();
    }

    #[tokio::test]
    async fn a_whole_head_may_be_answered_late_and_the_next_begins_anew() {
        let (mut client, mut server, _places) = pair(SHORT).await;
        for _ in 0..2 {
            client.write_all(b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut bytes = [0; 64];
            assert!(server.read(&mut bytes).await.unwrap() > 10);
            assert_eq!(server.awaited, Awaited::Answer);
            tokio::time::sleep(SHORT.head * 2).await;
            server.write_all(b"answer").await.unwrap();
            assert_eq!(server.awaited, Awaited::Next);
            tokio::time::sleep(SHORT.head * 2).await;
        }
        client.write_all(b"GE").await.unwrap();
        let mut bytes = [0; 64];
        assert_eq!(server.read(&mut bytes).await.unwrap(), 2);
        assert!(matches!(server.awaited, Awaited::Head { .. }));
        assert_eq!(server.read(&mut bytes).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut() {
        let head = b"\r\n\r\nGET / HTTP/1.1\r\na: b\r\n\r\n";
        for cut in 0..head.len() {
            let half = NEW_HEAD.after(&head[..cut]);
            assert!(matches!(half, Awaited::Head { .. }), "{cut}");
            assert_eq!(half.after(&head[cut..]), Awaited::Answer, "{cut}");
        }
    }
}
