//! Refresh tokens that a vendor replaces at every use, and that it holds against whoever uses one
//! twice: they are kept over restarts, and two at once do not burn each other's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use quietus_connectors::{Connector, Fault, TokenKeeper, Tokens, open_processor};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::credentials::definition;
use crate::exchange::{Answer, Exchange, Seen, World, erase};

/// Gives an access token for the newest refresh token only. One that was used before is held to be
/// stolen, and ends everything. Access tokens are good for `expires_in` seconds, which the path says.
fn strict(world: &mut World, seen: &Seen) -> Answer {
    if seen.path[0] != "token" {
        let newest = format!("Bearer token-{}", world.tokens);
        return Answer::json(
            if seen.header("authorization") == newest { 200 } else { 401 },
            &json!({}),
        );
    }
    let form = String::from_utf8(seen.body.clone()).unwrap();
    let expected = format!("refresh_token=refresh-{}", world.tokens);
    if !form.ends_with(&expected) {
        world.tokens = 1_000_000;
        return Answer::json(400, &json!({"error": "invalid_grant"}));
    }
    world.tokens += 1;
    Answer::json(
        200,
        &json!({
            "access_token": format!("token-{}", world.tokens),
            "refresh_token": format!("refresh-{}", world.tokens),
            "expires_in": seen.path[1].parse::<u64>().unwrap(),
        }),
    )
}

/// Keeps tokens in memory, for every connector of a test.
#[derive(Default)]
struct Memory {
    kept: Mutex<Option<Tokens>>,
    taken: AtomicBool,
    away: AtomicBool,
}

#[async_trait]
impl TokenKeeper for Memory {
    async fn kept(&self) -> Result<Option<Tokens>, Fault> {
        if self.away.load(Ordering::SeqCst) {
            let message = "the store does not answer".to_owned();
            return Err(Fault::Transient { message, retry_after_ms: None });
        }
        Ok(self.kept.lock().unwrap().clone())
    }

    async fn claim(&self) -> Result<bool, Fault> {
        Ok(!self.taken.swap(true, Ordering::SeqCst))
    }

    async fn keep(&self, tokens: &Tokens) -> Result<(), Fault> {
        *self.kept.lock().unwrap() = Some(tokens.clone());
        self.give_back().await;
        Ok(())
    }

    async fn give_back(&self) {
        self.taken.store(false, Ordering::SeqCst);
    }
}

fn connector(
    exchange: &Exchange,
    memory: &Arc<Memory>,
    first: &str,
    seconds: u32,
) -> Box<dyn Connector> {
    let text = definition(&format!(
        "oauth2_refresh_token: {{ token_url: /token/{seconds}, client_id: '{{user}}', \
         client_secret: '{{secret}}', refresh_token: '{first}' }}"
    ));
    let mut settings = exchange.settings(&text, &[("user", "anna"), ("secret", "s3cret")]);
    settings.tokens = Some(Arc::clone(memory) as Arc<dyn TokenKeeper>);
    open_processor("processor", settings).unwrap()
}

fn asked_for_tokens(exchange: &Exchange) -> usize {
    exchange.world().seen.iter().filter(|seen| seen.path[0] == "token").count()
}

#[tokio::test]
async fn a_restart_goes_on_with_the_token_that_replaced_the_first() {
    let exchange = Exchange::open(strict, Vec::new()).await;
    let memory = Arc::new(Memory::default());
    for used in 1..=3 {
        // Access tokens that have ended at once: each connector has to renew.
        connector(&exchange, &memory, "refresh-0", 0).check(&erase(1, &[])).await.unwrap();
        assert_eq!(asked_for_tokens(&exchange), used);
    }
    let kept = memory.kept.lock().unwrap().clone().unwrap();
    assert_eq!(kept.refresh.expose_secret(), "refresh-3");
    assert!(!format!("{kept:?}").contains("refresh-3"), "tokens do not print");
    // An access token that has not ended is used by whoever comes next.
    connector(&exchange, &memory, "refresh-0", 600).check(&erase(1, &[])).await.unwrap();
    connector(&exchange, &memory, "refresh-0", 600).check(&erase(1, &[])).await.unwrap();
    assert_eq!(asked_for_tokens(&exchange), 4);
}

#[tokio::test]
async fn two_at_once_do_not_burn_each_others_token() {
    for seconds in [0, 600] {
        let exchange = Exchange::open(strict, Vec::new()).await;
        let memory = Arc::new(Memory::default());
        let order = erase(1, &[]);
        let all: Vec<_> =
            (0..8).map(|_| connector(&exchange, &memory, "refresh-0", seconds)).collect();
        let checks = all.iter().map(|one| one.check(&order));
        let mut refused = 0;
        for ended in futures_util::future::join_all(checks).await {
            // With tokens that end at once another one's renewal may end ours; never the access.
            refused += usize::from(ended.is_err());
        }
        assert!(exchange.world().tokens < 1_000_000, "a refresh token was used twice");
        let forms: Vec<String> = exchange
            .world()
            .seen
            .iter()
            .filter(|seen| seen.path[0] == "token")
            .map(|seen| String::from_utf8_lossy(&seen.body).into_owned())
            .collect();
        let distinct: BTreeSet<&String> = forms.iter().collect();
        assert_eq!(distinct.len(), forms.len(), "{forms:?}");
        if seconds > 0 {
            assert_eq!((forms.len(), refused), (1, 0), "one renewal is enough for all");
        }
        connector(&exchange, &memory, "refresh-0", seconds).check(&order).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_ends_early_is_renewed_once_for_all() {
    let exchange = Exchange::open(strict, Vec::new()).await;
    let memory = Arc::new(Memory::default());
    let (one, other) = (
        connector(&exchange, &memory, "refresh-0", 600),
        connector(&exchange, &memory, "refresh-0", 600),
    );
    one.check(&erase(1, &[])).await.unwrap();
    other.check(&erase(1, &[])).await.unwrap();
    // The vendor forgets the access token before its time.
    exchange.world().tokens = 5;
    memory.kept.lock().unwrap().as_mut().unwrap().refresh = "refresh-5".into();
    one.check(&erase(1, &[])).await.unwrap();
    other.check(&erase(1, &[])).await.unwrap();
    assert_eq!(exchange.world().tokens, 6, "the second one took what the first had renewed");
}

#[tokio::test]
async fn a_token_that_the_user_writes_anew_begins_anew() {
    let exchange = Exchange::open(strict, Vec::new()).await;
    let memory = Arc::new(Memory::default());
    connector(&exchange, &memory, "refresh-0", 0).check(&erase(1, &[])).await.unwrap();
    exchange.world().tokens = 40;
    let lost = connector(&exchange, &memory, "refresh-0", 0).check(&erase(1, &[])).await;
    let Err(Fault::Misconfigured { message }) = lost else { panic!("{lost:?}") };
    assert!(message.contains("granted anew") && !message.contains("refresh-"), "{message}");
    assert!(!memory.taken.load(Ordering::SeqCst), "the right was given back");
    exchange.world().tokens = 40;
    connector(&exchange, &memory, "refresh-40", 0).check(&erase(1, &[])).await.unwrap();
    assert_eq!(exchange.world().tokens, 41);
}

#[tokio::test]
async fn nothing_is_renewed_where_it_could_not_be_kept() {
    let exchange = Exchange::open(strict, Vec::new()).await;
    let memory = Arc::new(Memory::default());
    memory.away.store(true, Ordering::SeqCst);
    let fault = connector(&exchange, &memory, "refresh-0", 0).check(&erase(1, &[])).await;
    assert!(matches!(fault, Err(Fault::Transient { .. })), "{fault:?}");
    assert_eq!(asked_for_tokens(&exchange), 0);
    memory.away.store(false, Ordering::SeqCst);
    connector(&exchange, &memory, "refresh-0", 0).check(&erase(1, &[])).await.unwrap();
}
