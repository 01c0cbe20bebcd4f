//! The definition language: what a vendor's interface looks like, written as YAML.
//!
//! The schema is closed: a key that is not known is refused with its line. What the parts mean
//! together is checked in `validation`; nothing in here sends anything.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Deserialize;
use serde_json::Value;

use super::callback::Callback;
use super::shape::Shape;

/// Most bytes of a definition.
const MOST_BYTES: usize = 256 * 1024;

/// One vendor's interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Version of this language; 1.
    pub processor: u32,
    /// Short name: lowercase letters, digits and `_`.
    pub name: String,
    /// Who it is.
    pub vendor: String,
    /// Version of the interface that was read when this was written.
    pub api: String,
    /// Where its erasure is documented.
    pub documentation: String,
    /// The kind of gone that it promises, in the words of the glossary.
    pub erasure_grade: String,
    /// What is left after it.
    #[serde(default)]
    pub residues: Vec<String>,
    /// What the user has to fill in.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Start of every address: `https://{host}` with a path where there is one.
    pub base: String,
    /// Further hosts that may be spoken to.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How requests are authenticated.
    pub authentication: Authentication,
    /// At most so many requests in a minute.
    pub requests_per_minute: Option<u32>,
    /// Identities understood.
    pub identities: Vec<IdentityRule>,
    /// A harmless request that shows that address and credentials are right.
    pub check: Request,
    /// What can be asked.
    pub actions: Actions,
    /// How the vendor calls back.
    pub callback: Option<Callback>,
}

/// Something that the user fills in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it is and where to find it.
    pub about: String,
    /// It never prints.
    #[serde(default)]
    pub secret: bool,
    /// Taken where the user writes nothing.
    pub default: Option<String>,
    /// What it looks like.
    pub shape: Option<Shape>,
}

impl Parameter {
    /// Whether a value has its shape.
    pub fn fits(&self, value: &str) -> bool {
        match &self.shape {
            Some(shape) => shape.fits(value),
            None => !value.is_empty() && !value.chars().any(char::is_control),
        }
    }

    /// Its shape in words.
    pub fn shape_in_words(&self) -> String {
        let any = || "text without control characters".to_owned();
        self.shape.as_ref().map_or_else(any, Shape::words)
    }
}

/// How requests are authenticated. Texts are templates of parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Authentication {
    /// Not at all.
    None,
    /// A key in a header.
    Header {
        /// Name of the header.
        name: String,
        /// Its value.
        value: String,
    },
    /// A key in the query.
    Query {
        /// Name of the query parameter.
        name: String,
        /// Its value.
        value: String,
    },
    /// User and password.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
    /// A bearer token.
    Bearer {
        /// The token.
        token: String,
    },
    /// OAuth 2, client credentials grant.
    Oauth2ClientCredentials {
        /// Address or path of the token endpoint.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: String,
        /// Scopes, separated by blanks.
        scope: Option<String>,
    },
    /// OAuth 2, refresh token grant.
    Oauth2RefreshToken {
        /// Address or path of the token endpoint.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: String,
        /// Refresh token.
        refresh_token: String,
    },
    /// HMAC-SHA-256 over the request.
    Hmac {
        /// The key, as text.
        key: String,
        /// What is signed; may use `{method}`, `{target}`, `{timestamp}` (seconds), `{body}`.
        over: String,
        /// Header that takes the signature.
        header: String,
        /// Text before the signature in its header.
        #[serde(default)]
        prefix: String,
        /// How the signature is written.
        encoding: Encoding,
        /// Header that takes the time stamp.
        timestamp_header: Option<String>,
    },
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Lowercase hexadecimal digits.
    Hex,
    /// Standard base64.
    Base64,
}

/// One type of identity, and how it leads to the vendor's records.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRule {
    /// The type, as the data map names it.
    pub kind: String,
    /// What a value looks like.
    pub shape: Shape,
    /// Requests that find records; without them the value itself is the vendor's id, `{id}`.
    #[serde(default)]
    pub resolve: Vec<Request>,
    /// Further parts of the record's name, for values that are the vendor's id.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// What can be asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    /// GDPR article 17.
    pub erase: Option<Action>,
    /// GDPR article 18.
    pub restrict: Option<Action>,
    /// The end of a restriction.
    pub lift: Option<Action>,
}

/// How one thing is done.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Requests that change something, one after the other, for each record.
    pub steps: Vec<Request>,
    /// Requests that look whether it is done; every one has to say so.
    #[serde(default)]
    pub verify: Vec<Request>,
    /// Asked before a later attempt sends anything; where it is missing, `verify` is.
    #[serde(default)]
    pub ask: Vec<Request>,
    /// Asks after something that is under way.
    pub follow: Option<Request>,
    /// The vendor documents that asking twice is harmless.
    #[serde(default)]
    pub repeatable: bool,
}

impl Action {
    /// Some step takes several records in one request.
    pub fn carries_many(&self) -> bool {
        self.steps.iter().any(|step| step.most.is_some_and(|most| most > 1))
    }
}

/// One request. Which parts it may have depends on its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Method and path: `DELETE /v1/customers/{id}`.
    pub send: String,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body; texts in it are templates.
    pub json: Option<Value>,
    /// A form as body.
    pub form: Option<BTreeMap<String, String>>,
    /// What answers mean; the first that fits.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// Resolve: where the list of records is; the whole body is one record without it.
    pub list: Option<String>,
    /// Resolve: parts of a record's name by where they stand in it; `id` among them.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
    /// Resolve: further parts of the record's name, the same for each.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Resolve: the field that has to be the identity, so that a search that finds more than was
    /// asked for erases nobody else.
    #[serde(rename = "match")]
    pub matching: Option<Match>,
    /// Resolve: how to get the next page.
    pub pages: Option<Pages>,
    /// Resolve: what it means that several records match.
    #[serde(default)]
    pub several: Several,
    /// Step: where the name of what is under way stands in the answer.
    pub reference: Option<String>,
    /// Step, follow: when to ask again, in seconds.
    pub ask_after_seconds: Option<u32>,
    /// Step: at most so many records in one request, as `{ids}`.
    pub most: Option<u32>,
    /// Step: what is said of each record of a batch.
    pub items: Option<Items>,
}

/// What one sort of answer means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Status codes; empty fits any of 2xx.
    #[serde(default)]
    pub status: Vec<u16>,
    /// A place in the body, as JSON pointer.
    pub at: Option<String>,
    /// The value that stands there.
    pub equals: Option<Value>,
    /// One of the values stands there.
    #[serde(default)]
    pub one_of: Vec<Value>,
    /// Whether anything but null stands there.
    pub exists: Option<bool>,
    /// What it means.
    pub means: Meaning,
    /// In words, without personal data, for the certificate.
    pub words: Option<String>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// What was asked is done, or what was looked for is so.
    Done,
    /// Under way; `reference` says where.
    Pending,
    /// There is no such record.
    Absent,
    /// It says no.
    Refused,
    /// The record is there, unchanged.
    Present,
    /// Try again later.
    Later,
}

/// A field that has to be the identity.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Where it stands in a record.
    pub at: String,
    /// Capital and small letters of ASCII are the same.
    #[serde(default)]
    pub ignore_case: bool,
}

/// What several matching records mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Several {
    /// Perhaps several persons: nothing is done.
    #[default]
    Refuse,
    /// All of them belong to the person.
    All,
}

impl Request {
    /// Pages that it reads at most.
    pub fn most_pages(&self) -> u32 {
        match &self.pages {
            None => 1,
            Some(
                Pages::Cursor { most, .. }
                | Pages::LastRecord { most, .. }
                | Pages::Link { most, .. }
                | Pages::Offset { most, .. },
            ) => *most,
        }
    }
}

/// How the next page is asked for. Every form is bounded by `most` pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pages {
    /// The answer holds a cursor.
    Cursor {
        /// Where; the last page has none.
        at: String,
        /// Query parameter that takes it.
        query: Option<String>,
        /// Place in the JSON body that takes it.
        json: Option<String>,
        /// Most pages.
        most: u32,
    },
    /// The last record of a page starts the next one.
    LastRecord {
        /// Where the answer says that there is more.
        more: String,
        /// Where the record's own name stands in it.
        at: String,
        /// Query parameter that takes it.
        query: String,
        /// Most pages.
        most: u32,
    },
    /// The answer holds the next page's address or path.
    Link {
        /// Where; the last page has none.
        at: String,
        /// Most pages.
        most: u32,
    },
    /// Pages are counted by records.
    Offset {
        /// Query parameter that takes the number of records to skip.
        query: String,
        /// Records on a full page; a shorter one is the last.
        size: u32,
        /// Most pages.
        most: u32,
    },
}

/// What is said of each record of a batch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// Where the list is.
    pub list: String,
    /// Where the record's id stands in an entry.
    pub id: String,
    /// What an entry means; the first that fits. Status codes do not count here.
    pub answers: Vec<Answer>,
}

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flaw {
    /// Line and column, from 1; where they are not known, `path` says where it is.
    pub place: Option<(u32, u32)>,
    /// The part that is wrong, such as `identities[0].resolve[1].send`; empty where it is unknown.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Flaw {
    /// A flaw of a part, whose name begins the message.
    pub(super) fn of(path: impl Into<String>, why: impl Display) -> Self {
        let path = path.into();
        Self { place: None, message: format!("`{path}` {why}"), path }
    }

    /// A flaw of the whole text.
    fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

impl Definition {
    /// Reads a definition's text.
    ///
    /// # Errors
    /// In words with the line and what to write instead; of several flaws the first.
    pub fn read(text: &str) -> Result<Self, String> {
        Self::examine(text).map_err(|flaws| {
            let first = flaws.into_iter().next().unwrap_or_default();
            match first.place {
                Some((line, column)) => format!("line {line}, column {column}: {}", first.message),
                None => first.message,
            }
        })
    }

    /// Reads a definition's text and tells everything that is wrong with it.
    ///
    /// # Errors
    /// Every flaw; what is no YAML or has an unknown key is told alone.
    pub fn examine(text: &str) -> Result<Self, Vec<Flaw>> {
        if text.len() > MOST_BYTES {
            let why = format!("the definition is larger than {MOST_BYTES} bytes: shorten it");
            return Err(vec![Flaw::whole(why)]);
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: 24,
                max_documents: 1,
                max_aliases: 100,
                max_anchors: 100,
            },
            strict_booleans: true,
            with_snippet: false,
        };
        let definition: Self = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| vec![in_words(error.without_snippet())])?;
        let flaws = super::validation::validate(&definition);
        if flaws.is_empty() { Ok(definition) } else { Err(flaws) }
    }

    /// Something can be asked for several records in one request.
    pub fn carries_many(&self) -> bool {
        let actions = [&self.actions.erase, &self.actions.restrict, &self.actions.lift];
        actions.into_iter().flatten().any(Action::carries_many)
    }

    /// The action, if the vendor offers it.
    pub fn action(&self, action: crate::subject::SubjectAction) -> Option<&Action> {
        match action {
            crate::subject::SubjectAction::Erase => self.actions.erase.as_ref(),
            crate::subject::SubjectAction::Restrict => self.actions.restrict.as_ref(),
            crate::subject::SubjectAction::Lift => self.actions.lift.as_ref(),
        }
    }
}

fn in_words(error: &serde_saphyr::Error) -> Flaw {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = first.split(" at line ").next().unwrap_or(first).trim_end_matches('.');
    let Some(location) = error.location() else { return Flaw::whole(first) };
    let prefix = format!("line {}, column {}: ", location.line(), location.column());
    let bare = first.strip_prefix(&prefix).unwrap_or(first);
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let place = Some((number(location.line()), number(location.column())));
    Flaw { place, ..Flaw::whole(bare) }
}
