//! A message as RFC 5322 has it: plain text in UTF-8, written by a machine and marked so (RFC
//! 3834), under an identifier that is the same whenever the same message is sent.

use jiff::Timestamp;
use lettre::message::SinglePart;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use uuid::Uuid;

use super::address::Address;

/// A message.
pub struct Message<'a> {
    /// Its identifier: the same message has the same one, so that readers see it once.
    pub id: Uuid,
    /// Who sends it.
    pub from: &'a Address,
    /// Where answers go, where not to who sends it.
    pub reply_to: Option<&'a Address>,
    /// To whom it goes: one address, so that nobody learns of anybody else.
    pub to: &'a Address,
    /// When it was written.
    pub at: Timestamp,
    /// Its subject, one line.
    pub subject: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The language that it is in, such as `de`.
    pub language: &'a str,
}

/// Says that a machine wrote it, so that other machines do not answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The language of the text (RFC 3282).
#[derive(Clone)]
struct ContentLanguage(String);

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

impl Message<'_> {
    /// Its bytes; `None` where a header cannot be written.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        // A line break in a header would begin another header.
        let subject: String =
            self.subject.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
        let tag = |one: char| one.is_ascii_alphanumeric() || one == '-';
        let language: String = self.language.chars().filter(|one| tag(*one)).take(35).collect();
        let mut message = lettre::Message::builder()
            .from(self.from.0.clone())
            .to(self.to.0.clone())
            .date(self.at.into())
            .message_id(Some(format!("<{}@{}>", self.id, self.from.domain())))
            .subject(subject)
            .header(AutoSubmitted);
        if let Some(reply_to) = self.reply_to {
            message = message.reply_to(reply_to.0.clone());
        }
        if !language.is_empty() {
            message = message.header(ContentLanguage(language));
        }
        // Base64 passes every server as it is, also one that knows nothing of 8BITMIME.
        let text = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::Base64)
            .body(self.text.replace("\r\n", "\n").replace('\n', "\r\n"));
        Some(message.singlepart(text).ok()?.formatted())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_message_has_its_headers_and_its_text() {
        let read = |text: &str| Address::parse(text).unwrap();
        let (from, to) = (read("Example Shop <privacy@shop.example>"), read("ada@mail.example"));
        let reply_to = read("people@shop.example");
        let bytes = Message {
            id: Uuid::from_u128(7),
            from: &from,
            reply_to: Some(&reply_to),
            to: &to,
            at: "2026-11-23T12:00:00Z".parse().unwrap(),
            subject: "Ihre Anfrage für Grüße\r\nBcc: eve@other.example",
            text: "Guten Tag,\n\nälter als .\n.\n",
            language: "de\r\nX: y",
        }
        .bytes()
        .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_ascii() && text.lines().all(|line| line.len() < 998));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for header in [
            "From: \"Example Shop\" <privacy@shop.example>",
            "Reply-To: people@shop.example",
            "To: ada@mail.example",
            "Date: Mon, 23 Nov 2026 12:00:00 +0000",
            "Message-ID: <00000000-0000-0000-0000-000000000007@shop.example>",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Language: deXy",
            "MIME-Version: 1.0",
        ] {
            assert!(head.lines().any(|line| line == header), "`{header}` in\n{head}");
        }
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        let body = STANDARD.decode(body.replace("\r\n", "")).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), "Guten Tag,\r\n\r\nälter als .\r\n.\r\n");
    }
}
