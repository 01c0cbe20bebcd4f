//! Addresses: where mail goes and where it comes from. They identify people, so they never print.

use lettre::message::Mailbox;

/// Longest text that is looked at, in bytes: an address of RFC 5321 with a name before it.
const LONGEST: usize = 512;

/// An address of RFC 5321, with or without a name before it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub(super) Mailbox);

impl Address {
    /// Reads `ada@company.example` or `Ada Example <ada@company.example>`; `None` where the text is
    /// neither, or has line breaks or other control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return None;
        }
        let mailbox: Mailbox = text.parse().ok()?;
        // Without a dot it is a name of the own machine or a slip of the pen.
        let domain = mailbox.email.domain();
        (domain.contains('.') || domain.starts_with('[')).then_some(Self(mailbox))
    }

    /// Whether both lead to the same person, whatever their capitals and the names before them.
    pub fn is_same(&self, other: &Self) -> bool {
        let plain = |one: &Self| one.0.email.to_string().to_lowercase();
        plain(self) == plain(other)
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Address(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nothing_else() {
        for right in [
            "ada@company.example",
            " Ada.Example+q@Company.example ",
            "Ada Example <ada@company.example>",
            "\"Example, Ada\" <ada@company.example>",
            "jörg@firma.example",
        ] {
            assert!(Address::parse(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "ada",
            "ada@",
            "@company.example",
            "ada@localhost",
            "Example Street 1, 12345 Example",
            "+49 30 1234567",
            "ada@company.example\r\nBcc: eve@other.example",
            "ada@company.example, eve@other.example",
            "a b@company.example",
            &format!("{}@company.example", "a".repeat(600)),
        ] {
            assert!(Address::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_same_person_is_seen_and_nobody_is_printed() {
        let read = |text: &str| Address::parse(text).unwrap();
        let ada = read("Ada Example <ADA@company.example>");
        assert!(ada.is_same(&read("ada@Company.example")));
        assert!(!ada.is_same(&read("ben@company.example")));
        assert_eq!(ada.domain(), "company.example");
        assert!(!format!("{ada:?}").contains("ADA"));
    }
}
