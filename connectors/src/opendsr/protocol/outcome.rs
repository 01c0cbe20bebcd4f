//! Our own extension of the status: OpenDSR has no word for a part, a refusal or nobody found, so
//! the truth goes with `completed` under the processor's domain.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::document::plain_words;

/// What became of a request that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeWord {
    /// Everything was erased.
    Fulfilled,
    /// Something is kept, and said.
    PartiallyRetained,
    /// Nothing was erased.
    Refused,
    /// Nobody of that name is known.
    NotFound,
}

impl OutcomeWord {
    const ALL: [Self; 4] =
        [Self::Fulfilled, Self::PartiallyRetained, Self::Refused, Self::NotFound];

    /// Reads a word.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.as_str() == text)
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fulfilled => "fulfilled",
            Self::PartiallyRetained => "partially_retained",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
        }
    }
}

/// Something that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// The data category.
    pub category: String,
    /// Law or contract.
    pub basis: String,
    /// Until when, if that is known.
    pub until: Option<Date>,
}

/// The extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeReport {
    /// What became of the request.
    pub outcome: OutcomeWord,
    /// What is kept; at most 100 entries are read.
    pub retained: Vec<Retained>,
    /// Where the certificate is.
    pub certificate_url: Option<String>,
}

impl OutcomeReport {
    /// Reads the extension of a domain. Words that could name a person are left out.
    pub fn read(extensions: &Value, domain: &str) -> Option<Self> {
        let own = extensions.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(domain));
        let own = own?.1;
        let outcome = OutcomeWord::read(own.get("outcome")?.as_str()?)?;
        let entries = own.get("retained").and_then(Value::as_array);
        let retained = entries
            .into_iter()
            .flatten()
            .take(100)
            .map(|entry| {
                let words = |name: &str| {
                    let text = entry.get(name).and_then(Value::as_str).and_then(plain_words);
                    text.unwrap_or("not said").to_owned()
                };
                let until = entry.get("until").and_then(Value::as_str);
                // A moment is read as its day.
                let until = until.and_then(|text| text.get(..10)).and_then(|day| day.parse().ok());
                Retained { category: words("category"), basis: words("basis"), until }
            })
            .collect();
        let certificate_url = own.get("certificate_url").and_then(Value::as_str).map(str::to_owned);
        Some(Self { outcome, retained, certificate_url })
    }

    /// What stands under our domain.
    pub fn write(&self) -> Value {
        let retained: Vec<Value> = self
            .retained
            .iter()
            .map(|one| {
                json!({
                    "category": one.category,
                    "basis": one.basis,
                    "until": one.until.map(|day| day.to_string()),
                })
            })
            .collect();
        json!({
            "outcome": self.outcome.as_str(),
            "retained": retained,
            "certificate_url": self.certificate_url,
        })
    }

    /// What is kept, in words.
    pub fn retained_words(&self) -> String {
        let entry = |one: &Retained| match one.until {
            Some(until) => format!("{} until {until} ({})", one.category, one.basis),
            None => format!("{} without a date ({})", one.category, one.basis),
        };
        self.retained.iter().map(entry).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_written_and_read() {
        let report = OutcomeReport {
            outcome: OutcomeWord::PartiallyRetained,
            retained: vec![Retained {
                category: "invoices".to_owned(),
                basis: "§ 147 AO".to_owned(),
                until: Some("2031-12-31".parse().unwrap()),
            }],
            certificate_url: Some("https://opendsr.example.com/c/1".to_owned()),
        };
        let extensions = json!({ "opendsr.example.com": report.write() });
        assert_eq!(OutcomeReport::read(&extensions, "OpenDSR.example.com"), Some(report.clone()));
        assert_eq!(OutcomeReport::read(&extensions, "example.com"), None);
        assert_eq!(report.retained_words(), "invoices until 2031-12-31 (§ 147 AO)");
        let loose = json!({ "a.example": {
            "outcome": "partially_retained",
            "retained": [{ "category": "mail of mara@example.com", "until": "soon" }, 7],
        }});
        let read = OutcomeReport::read(&loose, "a.example").unwrap();
        assert_eq!(
            read.retained_words(),
            "not said without a date (not said), not said without a date (not said)"
        );
        assert_eq!(OutcomeReport::read(&json!({"a.example": {"outcome": "x"}}), "a.example"), None);
        assert_eq!(OutcomeReport::read(&json!([]), "a.example"), None);
    }
}
