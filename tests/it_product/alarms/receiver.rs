//! A receiver of webhooks that believes nothing: it counts each signature for itself, by hand, as the
//! specification of Standard Webhooks has it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What a receiver answers.
#[derive(Debug, Clone, Copy)]
pub struct Says {
    pub status: u16,
    pub retry_after: Option<u64>,
}

/// A message that came.
#[derive(Debug, Clone)]
pub struct Came {
    pub id: String,
    pub second: i64,
    pub signatures: String,
    pub body: Value,
    pub text: String,
    /// What it was answered.
    pub status: u16,
}

impl Came {
    pub fn event(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    pub fn kind(&self) -> &str {
        self.body["data"]["kind"].as_str().unwrap()
    }
}

struct World {
    secret: Vec<u8>,
    next: VecDeque<Says>,
    usual: u16,
    came: Vec<Came>,
    forged: usize,
}

/// The receiver.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    world: Arc<Mutex<World>>,
}

/// A secret as it is handed out, of 32 bytes of one value.
pub fn secret(byte: u8) -> String {
    format!("whsec_{}", STANDARD.encode([byte; 32]))
}

/// HMAC-SHA-256 (RFC 2104), for keys that are no longer than a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(one, key)| *one ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[test]
fn what_is_counted_by_hand_is_what_the_specification_counts() {
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let message = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
    assert_eq!(
        STANDARD.encode(hmac(&key, message)),
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
}

impl Receiver {
    /// Starts one that answers 204 and knows the secret of this byte.
    pub async fn start(byte: u8) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let world = World {
            secret: vec![byte; 32],
            next: VecDeque::new(),
            usual: 204,
            came: Vec::new(),
            forged: 0,
        };
        let receiver = Self { address, world: Arc::new(Mutex::new(world)) };
        let router = axum::Router::new().route("/quietus", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What it says next, each once, before it says the usual again.
    pub fn says(&self, answers: &[(u16, Option<u64>)]) {
        let answers = answers.iter();
        self.world()
            .next
            .extend(answers.map(|&(status, retry_after)| Says { status, retry_after }));
    }

    /// What it usually says from now on.
    pub fn usually_says(&self, status: u16) {
        self.world().usual = status;
    }

    /// It knows another secret from now on.
    pub fn knows(&self, byte: u8) {
        self.world().secret = vec![byte; 32];
    }

    /// Everything that came, whatever it was answered; none of it was forged.
    pub fn came(&self) -> Vec<Came> {
        let world = self.world();
        assert_eq!(world.forged, 0, "a signature was wrong");
        world.came.clone()
    }

    /// What it has heard: type and kind of each message that was answered with 2xx.
    pub fn heard(&self) -> Vec<String> {
        let heard = self.came().into_iter().filter(|one| (200..300).contains(&one.status));
        heard.map(|one| format!("{} {}", one.event(), one.kind())).collect()
    }

    /// The same of one kind.
    pub fn heard_of(&self, kind: &str) -> Vec<String> {
        self.heard().into_iter().filter(|one| one.ends_with(&format!(" {kind}"))).collect()
    }

    pub fn forged(&self) -> usize {
        self.world().forged
    }

    /// The entry of the instance file, with more of it.
    pub fn entry(&self, name: &str, more: &str) -> String {
        format!(
            "    - {{name: {name}, url: \"http://{}/quietus\", secret: \"file:secrets/{name}\", private_host: true{more}}}\n",
            self.address
        )
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, second, signatures) =
        (of("webhook-id"), of("webhook-timestamp"), of("webhook-signature"));
    assert_eq!(of("content-type"), "application/json");
    assert!(!id.contains('.') && !second.contains('.'));
    let mut world = receiver.world();
    let signed = [format!("{id}.{second}.").as_bytes(), &body[..]].concat();
    let right = format!("v1,{}", STANDARD.encode(hmac(&world.secret, &signed)));
    if !signatures.split(' ').any(|one| one == right) {
        world.forged += 1;
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let usual = world.usual;
    let says = world.next.pop_front();
    let says = says.unwrap_or(Says { status: usual, retry_after: None });
    let text = String::from_utf8(body.to_vec()).unwrap();
    world.came.push(Came {
        id,
        second: second.parse().unwrap(),
        signatures,
        body: serde_json::from_str(&text).unwrap(),
        text,
        status: says.status,
    });
    let status = StatusCode::from_u16(says.status).unwrap();
    match says.retry_after {
        Some(seconds) => (status, [("retry-after", seconds.to_string())]).into_response(),
        None => status.into_response(),
    }
}
