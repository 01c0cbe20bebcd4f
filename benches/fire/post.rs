//! Speaking to the replicas as other programs of a company do: over HTTP, to whichever answers, and
//! again where none did.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::company::TOKEN;
use crate::dice::Dice;
use crate::replica::Doors;

/// How long somebody tries, whatever happens to the replicas meanwhile.
const PATIENCE: Duration = Duration::from_mins(3);
/// Requests that are brought side by side.
const AT_ONCE: usize = 8;

/// Whoever posts.
pub struct Poster {
    client: reqwest::Client,
    doors: Doors,
    dice: Mutex<Dice>,
}

impl Poster {
    pub fn to(doors: &Doors, seed: u64) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { client, doors: doors.clone(), dice: Mutex::new(Dice::of(seed, 1)) })
    }

    /// Posts until a replica has taken it in. `name` is what makes it the same when it is brought again.
    pub async fn post(&self, path: &str, body: &Value, name: Option<&str>) -> Result<Value> {
        let (begun, mut last) = (Instant::now(), "no replica is there".to_owned());
        let mut unanswered = false;
        while begun.elapsed() < PATIENCE {
            let open = self.doors.open();
            let door =
                self.dice.lock().unwrap_or_else(PoisonError::into_inner).pick(&open).copied();
            if let Some(door) = door {
                let mut request =
                    self.client.post(format!("http://{door}{path}")).bearer_auth(TOKEN);
                if let Some(name) = name {
                    request = request.header("idempotency-key", name);
                }
                match answer(request.json(body)).await {
                    Ok(Answer::Taken(answer)) => return Ok(answer),
                    // It was done, and the answer was lost.
                    Ok(Answer::NothingThere(_)) if unanswered => return Ok(Value::Null),
                    Ok(Answer::Refused(words) | Answer::NothingThere(words)) => {
                        bail!("POST {path}: {words}")
                    }
                    Ok(Answer::NotNow(words)) => last = words,
                    Err(error) => (unanswered, last) = (true, error.to_string()),
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("POST {path}: nobody has taken it in for {} s: {last}", PATIENCE.as_secs())
    }

    /// Brings a request of a person to be erased; its identifier.
    pub async fn erase(&self, person: i64) -> Result<String> {
        let body = json!({
            "right": "erasure",
            "identities": [{ "type": "customer_id", "value": person }],
            "identity_check": { "assurance": "substantial", "method": "login" },
        });
        let answer = self.post("/v1/requests", &body, Some(&format!("person {person}"))).await?;
        let id = answer["id"].as_str().context("a request without an identifier")?;
        Ok(id.to_owned())
    }

    /// Brings the requests of so many persons; `pause` is between two of them, where there is one.
    pub async fn erase_all(
        &self,
        persons: RangeInclusive<i64>,
        pause: Option<Duration>,
    ) -> Result<()> {
        let next = AtomicI64::new(*persons.start());
        let begun = Instant::now();
        let bring = async || -> Result<()> {
            loop {
                let person = next.fetch_add(1, Ordering::Relaxed);
                if person > *persons.end() {
                    return Ok(());
                }
                if let Some(pause) = pause {
                    let before = u32::try_from(person - persons.start()).unwrap_or(u32::MAX);
                    let turn = begun + pause.saturating_mul(before);
                    tokio::time::sleep_until(turn.into()).await;
                }
                self.erase(person).await?;
            }
        };
        let bringing = (0..AT_ONCE).map(|_| bring());
        futures_util::future::try_join_all(bringing).await.map(drop)
    }
}

enum Answer {
    Taken(Value),
    /// Again in a moment.
    NotNow(String),
    /// What it is about is not there, or not any more.
    NothingThere(String),
    /// Nobody will take it in.
    Refused(String),
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    Ok(if status.is_success() {
        Answer::Taken(serde_json::from_str(&text)?)
    } else if status.is_server_error() || status.as_u16() == 429 {
        Answer::NotNow(format!("{status} {text}"))
    } else if status.as_u16() == 404 {
        Answer::NothingThere(format!("{status} {text}"))
    } else {
        Answer::Refused(format!("{status} {text}"))
    })
}
