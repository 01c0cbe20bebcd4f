//! The Maildir of the test's mail server, and messages as their readers see them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A message that has arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub head: String,
    pub text: String,
}

impl Received {
    /// Reads a message of ours: one part in Base64.
    pub fn read(message: &str) -> Self {
        let message = message.replace("\r\n", "\n");
        let (head, body) = message.split_once("\n\n").unwrap();
        // Long headers go on in the next line, behind a space.
        let head = head.replace("\n ", " ");
        let text = STANDARD.decode(body.replace('\n', "")).unwrap();
        let text = String::from_utf8(text).unwrap().replace("\r\n", "\n");
        Self { head, text }
    }

    pub fn header(&self, name: &str) -> &str {
        let of = |line: &&str| {
            line.split_once(": ").is_some_and(|(one, _)| one.eq_ignore_ascii_case(name))
        };
        let line = self.head.lines().find(of).unwrap_or_else(|| panic!("{name} in {}", self.head));
        line.split_once(": ").unwrap().1
    }

    /// The words of the subject, which are encoded by RFC 2047 where they are not ASCII.
    pub fn subject(&self) -> String {
        let mut words = String::new();
        let mut last_encoded = false;
        for word in self.header("Subject").split(' ') {
            let inner = word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?="));
            if !(words.is_empty() || last_encoded && inner.is_some()) {
                words.push(' ');
            }
            last_encoded = inner.is_some();
            match inner {
                None => words.push_str(word),
                Some(inner) => {
                    words.push_str(&String::from_utf8(STANDARD.decode(inner).unwrap()).unwrap());
                }
            }
        }
        words
    }

    /// The word of the link in it.
    pub fn token(&self) -> String {
        let (_, rest) = self.text.split_once("/v1/tasks/answer/").expect("a link in the mail");
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

/// A variable of the test's environment.
#[expect(clippy::disallowed_methods, reason = "the environment says where the mail server is")]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("`{name}` is not set: run the tests with `tests/run`, which starts the servers")
    })
}

/// The port of the mail server.
pub fn port() -> u16 {
    variable("QUIETUS_TEST_SMTP").rsplit(':').next().unwrap().parse().unwrap()
}

/// What has arrived for an address, in the order of arrival. A mail server that has accepted a
/// message has it in its Maildir.
pub fn received_by(address: &str) -> Vec<Received> {
    let folder = std::path::PathBuf::from(variable("QUIETUS_TEST_MAILDIR")).join("new");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let message = std::fs::read_to_string(&path).unwrap();
        if message.lines().any(|line| line == format!("X-RcptTo: {address}")) {
            found.push((std::fs::metadata(&path).unwrap().modified().unwrap(), message));
        }
    }
    found.sort();
    found.into_iter().map(|(_, message)| Received::read(&message)).collect()
}
