//! How a request shows who sends it.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use url::Url;

use super::definition::{Authentication, Encoding};
use super::parameters::Parameters;
use super::request::Prepared;
use super::template::{Place, fill, percent};
use crate::kinds::{Now, ProcessorSettings};
use crate::outbound::{Call, Outbound};
use crate::receipt::Fault;
use crate::tokens::{TokenKeeper, Tokens};

/// A token without a known end is asked for again after this.
const TOKEN_SECONDS: i64 = 900;

/// A token is not used in its last minute.
const MARGIN_SECONDS: i64 = 60;

/// While somebody else renews, it is looked again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Looks before it is given up: longer than the longest call.
const MOST_LOOKS: u32 = 900;

/// Address and form of a token request.
type Grant = (String, Vec<(&'static str, String)>);

struct Token {
    bearer: SecretString,
    until: Timestamp,
}

/// Adds credentials to requests.
pub(super) struct Authenticator {
    system: String,
    rule: Authentication,
    parameters: Arc<Parameters>,
    base: String,
    token: Mutex<Option<Token>>,
    /// The access token that was refused last.
    refused: Mutex<Option<SecretString>>,
    /// A refresh token that replaced the user's own, for as long as this connector lives, where
    /// nobody keeps it.
    rotated: Mutex<Option<SecretString>>,
    keeper: Option<Arc<dyn TokenKeeper>>,
    now: Now,
}

impl Authenticator {
    pub fn new(
        settings: &ProcessorSettings,
        rule: &Authentication,
        parameters: &Arc<Parameters>,
        base: &str,
    ) -> Self {
        Self {
            system: settings.system.clone(),
            rule: rule.clone(),
            parameters: Arc::clone(parameters),
            base: base.to_owned(),
            token: Mutex::new(None),
            refused: Mutex::new(None),
            rotated: Mutex::new(None),
            keeper: settings.tokens.clone(),
            now: settings.now.clone(),
        }
    }

    /// Whether a 401 may mean no more than that a token has ended early.
    pub fn can_renew(&self) -> bool {
        matches!(
            self.rule,
            Authentication::Oauth2ClientCredentials { .. }
                | Authentication::Oauth2RefreshToken { .. }
        )
    }

    /// Throws the token away: it was refused.
    pub async fn renew(&self) {
        let token = self.token.lock().await.take();
        if let Some(token) = token {
            *self.refused.lock().await = Some(token.bearer);
        }
    }

    /// Adds the credentials.
    ///
    /// # Errors
    /// As for sending, where a token has to be fetched.
    pub async fn sign(&self, outbound: &Outbound, prepared: &mut Prepared) -> Result<(), Fault> {
        let fill = |text: &str, place| self.parameters.fill(&self.system, text, place);
        match &self.rule {
            Authentication::None => {}
            Authentication::Header { name, value } => {
                prepared.headers.push((fill(name, Place::Header)?, fill(value, Place::Header)?));
            }
            Authentication::Query { name, value } => {
                let pair = format!("{}={}", percent(name), fill(value, Place::Query)?);
                let query =
                    prepared.url.query().map_or(pair.clone(), |so_far| format!("{so_far}&{pair}"));
                prepared.url.set_query(Some(&query));
            }
            Authentication::Basic { user, password } => {
                let both =
                    format!("{}:{}", fill(user, Place::Plain)?, fill(password, Place::Plain)?);
                let value = format!("Basic {}", STANDARD.encode(both));
                prepared.headers.push(("authorization".to_owned(), value));
            }
            Authentication::Bearer { token } => {
                let value = format!("Bearer {}", fill(token, Place::Header)?);
                prepared.headers.push(("authorization".to_owned(), value));
            }
            Authentication::Oauth2ClientCredentials { .. }
            | Authentication::Oauth2RefreshToken { .. } => {
                let value = format!("Bearer {}", self.token(outbound).await?.expose_secret());
                prepared.headers.push(("authorization".to_owned(), value));
            }
            Authentication::Hmac { .. } => self.sign_by_hmac(prepared)?,
        }
        Ok(())
    }

    fn sign_by_hmac(&self, prepared: &mut Prepared) -> Result<(), Fault> {
        let Authentication::Hmac { key, over, header, prefix, encoding, timestamp_header } =
            &self.rule
        else {
            return Ok(());
        };
        let key = self.parameters.fill(&self.system, key, Place::Plain)?;
        let timestamp = (self.now)().as_second().to_string();
        let body = prepared.body.as_ref().map_or(&[][..], |(_, body)| body.as_slice());
        let query = prepared.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut values = self.parameters.values();
        values.insert("method".to_owned(), prepared.method.to_string());
        values.insert("target".to_owned(), format!("{}{query}", prepared.url.path()));
        values.insert("timestamp".to_owned(), timestamp.clone());
        values.insert("body".to_owned(), String::from_utf8_lossy(body).into_owned());
        let text = fill(over, &values, Place::Plain).map_err(|unfit| Fault::Misconfigured {
            message: format!("system `{}`: {}", self.system, unfit.0),
        })?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes());
        let written = match encoding {
            Encoding::Hex => hex::encode(tag.as_ref()),
            Encoding::Base64 => STANDARD.encode(tag.as_ref()),
        };
        prepared.headers.push((header.clone(), format!("{prefix}{written}")));
        if let Some(header) = timestamp_header {
            prepared.headers.push((header.clone(), timestamp));
        }
        Ok(())
    }

    async fn token(&self, outbound: &Outbound) -> Result<SecretString, Fault> {
        let mut token = self.token.lock().await;
        let now = (self.now)();
        if let Some(token) = token.as_ref().filter(|token| now < token.until) {
            return Ok(token.bearer.clone());
        }
        let fetched =
            if let (Authentication::Oauth2RefreshToken { refresh_token, .. }, Some(keeper)) =
                (&self.rule, &self.keeper)
            {
                let written = self.parameters.fill(&self.system, refresh_token, Place::Plain)?;
                self.kept_or_renewed(outbound, keeper.as_ref(), &written).await?
            } else {
                let mut rotated = self.rotated.lock().await;
                let (token, next) = self.fetch(outbound, rotated.as_ref()).await?;
                if next.is_some() {
                    *rotated = next;
                }
                token
            };
        let bearer = fetched.bearer.clone();
        *token = Some(fetched);
        Ok(bearer)
    }

    /// A token that somebody has renewed already, or else a new one, which is kept. `written` is the
    /// user's own refresh token.
    async fn kept_or_renewed(
        &self,
        outbound: &Outbound,
        keeper: &dyn TokenKeeper,
        written: &str,
    ) -> Result<Token, Fault> {
        let origin = hex::encode(Sha256::digest(written.as_bytes()));
        for _ in 0..MOST_LOOKS {
            if let Some(token) = self.usable(keeper.kept().await?.as_ref(), &origin).await {
                return Ok(token);
            }
            if keeper.claim().await? {
                return self.renewed(outbound, keeper, (written, &origin)).await;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(Fault::Transient {
            message: format!(
                "system `{}`: somebody else renews its access token and does not come to an end",
                self.system
            ),
            retry_after_ms: None,
        })
    }

    /// Renews under the right to do so, and gives it back whatever comes.
    async fn renewed(
        &self,
        outbound: &Outbound,
        keeper: &dyn TokenKeeper,
        (written, origin): (&str, &str),
    ) -> Result<Token, Fault> {
        // Somebody may have renewed between the look and the claim.
        let kept = match keeper.kept().await {
            Ok(kept) => kept,
            Err(fault) => {
                keeper.give_back().await;
                return Err(fault);
            }
        };
        if let Some(token) = self.usable(kept.as_ref(), origin).await {
            keeper.give_back().await;
            return Ok(token);
        }
        let last = kept.filter(|kept| kept.descend_from == origin).map(|kept| kept.refresh);
        let refresh = last.unwrap_or_else(|| SecretString::from(written));
        let (token, next) = match self.fetch(outbound, Some(&refresh)).await {
            Ok(fetched) => fetched,
            Err(fault) => {
                keeper.give_back().await;
                return Err(fault);
            }
        };
        let tokens = Tokens {
            refresh: next.unwrap_or(refresh),
            access: token.bearer.clone(),
            until: token.until,
            descend_from: origin.to_owned(),
        };
        keeper.keep(&tokens).await?;
        Ok(token)
    }

    /// The token among the kept ones, where it may be used still.
    async fn usable(&self, kept: Option<&Tokens>, origin: &str) -> Option<Token> {
        let kept = kept.filter(|kept| kept.descend_from == origin)?;
        let refused = self.refused.lock().await;
        let was_refused =
            refused.as_ref().is_some_and(|one| one.expose_secret() == kept.access.expose_secret());
        let usable = (self.now)() < kept.until && !was_refused;
        usable.then(|| Token { bearer: kept.access.clone(), until: kept.until })
    }

    /// Asks for a token; with it comes the refresh token that replaces the one that was used, where
    /// the vendor sends one.
    async fn fetch(
        &self,
        outbound: &Outbound,
        refresh: Option<&SecretString>,
    ) -> Result<(Token, Option<SecretString>), Fault> {
        let now = (self.now)();
        let (address, pairs) = self.grant(refresh)?;
        let address =
            if address.starts_with('/') { format!("{}{address}", self.base) } else { address };
        let url =
            Url::parse(&address).map_err(|_| self.wrong("the token address is no address"))?;
        let form: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let call = Call::reading(Method::POST, url)
            .header("accept", "application/json")
            .body("application/x-www-form-urlencoded", form.join("&").into_bytes());
        let reply = outbound.send(call).await?;
        if matches!(reply.status(), 400 | 401 | 403) {
            return Err(self.wrong(&format!(
                "the token endpoint answered {}: check the client's id, secret and grant; a \
                 refresh token that was replaced or revoked has to be granted anew",
                reply.status()
            )));
        }
        if let Some(fault) = reply.fault() {
            return Err(fault);
        }
        let document = super::answers::document_of(&reply)?;
        let Some(bearer) = document["access_token"].as_str() else {
            return Err(self.wrong("the token endpoint answered without an access token"));
        };
        let next = document["refresh_token"].as_str().map(SecretString::from);
        let seconds = document["expires_in"].as_i64().unwrap_or(TOKEN_SECONDS).clamp(0, 86_400);
        let usable = SignedDuration::from_secs((seconds - MARGIN_SECONDS).max(0));
        let until = now.checked_add(usable).unwrap_or(now);
        Ok((Token { bearer: SecretString::from(bearer), until }, next))
    }

    /// Address and form of the token request.
    fn grant(&self, rotated: Option<&SecretString>) -> Result<Grant, Fault> {
        let plain = |text: &str| self.parameters.fill(&self.system, text, Place::Plain);
        match &self.rule {
            Authentication::Oauth2ClientCredentials {
                token_url,
                client_id,
                client_secret,
                scope,
            } => {
                let mut pairs = vec![
                    ("grant_type", "client_credentials".to_owned()),
                    ("client_id", plain(client_id)?),
                    ("client_secret", plain(client_secret)?),
                ];
                if let Some(scope) = scope {
                    pairs.push(("scope", plain(scope)?));
                }
                Ok((plain(token_url)?, pairs))
            }
            Authentication::Oauth2RefreshToken {
                token_url,
                client_id,
                client_secret,
                refresh_token,
            } => {
                let refresh_token = match rotated {
                    Some(rotated) => rotated.expose_secret().to_owned(),
                    None => plain(refresh_token)?,
                };
                let pairs = vec![
                    ("grant_type", "refresh_token".to_owned()),
                    ("client_id", plain(client_id)?),
                    ("client_secret", plain(client_secret)?),
                    ("refresh_token", refresh_token),
                ];
                Ok((plain(token_url)?, pairs))
            }
            _ => Err(self.wrong("this authentication has no token")),
        }
    }

    fn wrong(&self, why: &str) -> Fault {
        Fault::Misconfigured { message: format!("system `{}`: {why}", self.system) }
    }
}
