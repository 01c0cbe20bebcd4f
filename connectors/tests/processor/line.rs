//! The line itself: only declared hosts, no private addresses, no redirects, bounded bodies and
//! waits, trusted certificates, and nothing of a person in messages or logs.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quietus_connectors::outbound::{Call, Limits, Method, Outbound, OutboundSettings};
use quietus_connectors::{Fault, SubjectResult, open_processor};
use serde_json::json;
use url::Url;

use crate::exchange::{Answer, Exchange, Kept, Notes, Trick, World, done, erase, now};
use crate::vendors::customers;

const KEY: (&str, &str) = ("secret_key", "sk_test_0123456789");
const JANE: &str = "jane@shop.example";

fn jane() -> Vec<Kept> {
    vec![Kept { id: "cus_1001".to_owned(), email: JANE.to_owned(), ..Kept::default() }]
}

fn outbound(hosts: &[&str], private: &[&str], limits: Limits) -> Outbound {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    Outbound::new(OutboundSettings {
        system: "marketing".to_owned(),
        hosts: owned(hosts),
        private_hosts: owned(private),
        trust: None,
        limits,
        now: Arc::new(now),
    })
    .unwrap()
}

async fn get(outbound: &Outbound, url: &str) -> Result<u16, Fault> {
    let call = Call::reading(Method::GET, Url::parse(url).unwrap());
    outbound.send(call).await.map(|reply| reply.status())
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Exchange::open(customers::stripe, jane()).await;
    let exchange = Exchange::open(customers::stripe, jane()).await;
    // Even a host that may be spoken to is not gone to because another one says so.
    let mut settings = exchange.settings("stripe", &[KEY]);
    settings.private_hosts.push(elsewhere.host.clone());
    let connector = open_processor("processor", settings).unwrap();
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://{}/v1/customers", elsewhere.host);
        let trick = Trick::Instead(Answer::status(status).with("location", &to));
        exchange.world().tricks.push_back(trick);
        let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
        let Err(Fault::Misconfigured { message }) = fault else { panic!("{fault:?}") };
        assert!(message.contains(&status.to_string()) && !message.contains(&to), "{message}");
    }
    assert!(elsewhere.world().seen.is_empty());
    assert_eq!(exchange.world().changes(), 0);
}

#[tokio::test]
async fn a_next_page_on_another_host_gets_no_credentials() {
    let elsewhere = Exchange::open(customers::stripe, jane()).await;
    let exchange = Exchange::open(customers::zendesk, Vec::new()).await;
    let parameters =
        [("subdomain", "shop"), ("login", "staff@shop.example"), ("api_token", "zd0123456789")];
    let mut settings = exchange.settings("zendesk", &parameters);
    settings.private_hosts.push(elsewhere.host.clone());
    let connector = open_processor("processor", settings).unwrap();
    let page = json!({"users": [], "next_page": format!("http://{}/v1", elsewhere.host)});
    exchange.world().tricks.push_back(Trick::Instead(Answer::json(200, &page)));
    let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Misconfigured { .. })), "{fault:?}");
    assert!(elsewhere.world().seen.is_empty());
}

#[tokio::test]
async fn private_addresses_have_to_be_declared_with_their_port() {
    let exchange = Exchange::open(customers::stripe, jane()).await;
    let port = exchange.host.rsplit_once(':').unwrap().1.to_owned();
    let names = ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"];
    for name in names {
        let host = format!("{name}:{port}");
        let declared = outbound(&[&host], &[], Limits::default());
        let fault = get(&declared, &format!("https://{host}/")).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Misconfigured { message } if message.contains("private")),
            "{name}: {fault:?}"
        );
        let fault = get(&declared, &format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(fault, Fault::Misconfigured { .. }), "{name} without TLS: {fault:?}");
    }
    let right = outbound(&[], &[&exchange.host], Limits::default());
    assert_eq!(get(&right, &format!("http://{}/", exchange.host)).await.unwrap(), 401);
    // Another port of the same host is another matter, and so is any other host.
    let other = outbound(&["127.0.0.1:1"], &[&exchange.host], Limits::default());
    for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://example.com/"] {
        let fault = get(&other, url).await.unwrap_err();
        assert!(matches!(fault, Fault::Misconfigured { .. }), "{url}: {fault:?}");
    }
    let fault = get(&right, &format!("http://user:secret@{}/", exchange.host)).await.unwrap_err();
    assert!(!fault.to_string().contains("secret"), "{fault}");
    assert_eq!(exchange.world().seen.len(), 1);
}

fn huge(world: &mut World, seen: &crate::exchange::Seen) -> Answer {
    if seen.method == "GET" && seen.path.len() == 2 {
        let body = vec![b' '; 2 * 1_048_576];
        return Answer { status: 200, body, ..Answer::default() };
    }
    customers::stripe(world, seen)
}

#[tokio::test]
async fn huge_bodies_and_nonsense_are_not_believed() {
    let exchange = Exchange::open(huge, jane()).await;
    let connector = exchange.connector("stripe", &[KEY]);
    let outcome = done(connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Refused);
    assert!(outcome.testimonies[0].words.contains("more than 1048576 bytes"));

    let exchange = Exchange::open(customers::stripe, jane()).await;
    let connector = exchange.connector("stripe", &[KEY]);
    for body in ["", "<html>jane@shop.example</html>", "{\"data\": {}}", "[]", "{\"data\": [{}]"] {
        let nonsense = Answer { status: 200, body: body.as_bytes().to_vec(), ..Answer::default() };
        exchange.world().tricks.push_back(Trick::Instead(nonsense.clone()));
        let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
        let Err(Fault::Misconfigured { message }) = fault else { panic!("`{body}`: {fault:?}") };
        assert!(!message.contains("jane") && !message.contains("html"), "{message}");
        // After a change, nonsense leaves open what happened.
        exchange.world().tricks_on_changes.push_back(Trick::Instead(nonsense));
        let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
        assert!(matches!(fault, Err(Fault::Unknown { .. })), "`{body}`: {fault:?}");
    }
    assert_eq!(exchange.world().alive(), ["cus_1001"]);
}

#[tokio::test]
async fn silence_is_borne_for_so_long_and_means_different_things() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let limits = Limits { read_ms: 200, total_ms: 200, ..Limits::default() };
    let outbound = outbound(&[], &[&host], limits);
    let url = Url::parse(&format!("http://{host}/people/jane")).unwrap();
    let began = std::time::Instant::now();
    let read = outbound.send(Call::reading(Method::GET, url.clone())).await.unwrap_err();
    assert!(matches!(&read, Fault::Transient { .. }), "{read:?}");
    let changed = outbound.send(Call::changing(Method::DELETE, url)).await.unwrap_err();
    assert!(matches!(&changed, Fault::Unknown { .. }), "{changed:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!read.to_string().contains("people") && !changed.to_string().contains("jane"));
}

/// A server with a certificate that nobody knows; answers once for each connection.
fn tls_server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            let mut buffer = [0_u8; 1_024];
            if tls.read(&mut buffer).is_ok() {
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                let sent = tls.write_all(answer).and_then(|()| tls.flush());
                assert!(sent.is_ok());
            }
        }
    });
    (format!("localhost:{port}"), pem)
}

#[tokio::test]
async fn certificates_are_checked_and_more_can_be_trusted() {
    let (host, pem) = tls_server();
    let settings = |trust: Option<&str>| OutboundSettings {
        system: "marketing".to_owned(),
        hosts: Vec::new(),
        private_hosts: vec![host.clone()],
        trust: trust.map(str::to_owned),
        limits: Limits::default(),
        now: Arc::new(now),
    };
    let url = format!("https://{host}/");
    let fault = get(&Outbound::new(settings(None)).unwrap(), &url).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Misconfigured { message } if message.contains("not trusted")),
        "{fault:?}"
    );
    assert_eq!(get(&Outbound::new(settings(Some(&pem))).unwrap(), &url).await.unwrap(), 204);
    for wrong in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let fault = Outbound::new(settings(Some(wrong))).unwrap_err();
        assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_of_a_person_or_a_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let exchange = Exchange::open(customers::stripe, jane()).await;
    let connector = exchange.connector("stripe", &[KEY]);
    let order = erase(1, &[("email", JANE)]);
    tracing::info!("the log is kept");
    let outcome = done(connector.execute(&order, &Notes::going_on()).await);
    exchange.world().tricks.push_back(Trick::Instead(Answer::status(400)));
    let refused = connector.execute(&order, &Notes::going_on()).await;
    drop(guard);
    let shown = format!(
        "{}{outcome:?}{refused:?}{order:?}{:?}",
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap(),
        exchange.settings("stripe", &[KEY])
    );
    assert!(shown.contains("the log is kept"));
    for private in [JANE, "jane", "jane%40", "cus_1001", KEY.1] {
        assert!(!shown.contains(private), "`{private}` is shown in {shown}");
    }
}
