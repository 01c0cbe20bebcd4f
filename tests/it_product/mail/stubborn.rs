//! A mail server that does what a test wants, good or bad; a few lines, so that what it does is
//! plain to see.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::maildir::Received;

/// What it does with the next messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Accepts,
    /// `535` for every login.
    RefusesLogin,
    /// `550` for every recipient.
    RefusesRecipient,
    /// `451` for every recipient: try again.
    Greylists,
    /// `552` after the text.
    RefusesText,
    /// Takes the text and hangs up without a word.
    HangsUp,
}

/// The server.
pub struct Stubborn {
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<Vec<String>>>,
}

impl Stubborn {
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, taken) = (Arc::new(Mutex::new(mood)), Arc::new(Mutex::new(Vec::new())));
        let logins = Arc::new(Mutex::new(Vec::new()));
        let server = Self {
            port,
            mood: Arc::clone(&mood),
            taken: Arc::clone(&taken),
            logins: Arc::clone(&logins),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mood = *mood.lock().unwrap();
                // A client that goes away ends its own conversation and nothing else.
                if let Ok(Some(text)) = converse(stream, mood, &logins).await {
                    taken.lock().unwrap().push(text);
                }
            }
        });
        server
    }

    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What logged in, as it was sent.
    pub fn logins(&self) -> Vec<String> {
        self.logins.lock().unwrap().clone()
    }

    /// Texts that were handed over, whether it said so or hung up.
    pub fn taken(&self) -> Vec<Received> {
        self.taken.lock().unwrap().iter().map(|text| Received::read(text)).collect()
    }
}

/// One conversation; the text, if it came so far.
async fn converse(
    stream: TcpStream,
    mood: Mood,
    logins: &Mutex<Vec<String>>,
) -> std::io::Result<Option<String>> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await?;
    let mut taken = None;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer: &[u8] = match line.get(..4).unwrap_or_default() {
            "EHLO" => b"250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
            "AUTH" => {
                logins.lock().unwrap().extend(line.split_whitespace().nth(2).map(str::to_owned));
                if mood == Mood::RefusesLogin { b"535 no\r\n" } else { b"235 come in\r\n" }
            }
            "RCPT" if mood == Mood::RefusesRecipient => b"550 nobody of that name <secret>\r\n",
            "RCPT" if mood == Mood::Greylists => b"451 greylisted\r\n",
            "DATA" => b"354 go on\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer).await?;
        if line.starts_with("DATA") {
            let mut text = String::new();
            while stream.read_line(&mut text).await? > 0 && !text.ends_with("\r\n.\r\n") {}
            let text = text.trim_end_matches(".\r\n").to_owned();
            match mood {
                Mood::HangsUp => return Ok(Some(text)),
                Mood::RefusesText => stream.write_all(b"552 too much\r\n").await?,
                _ => {
                    taken = Some(text);
                    stream.write_all(b"250 queued\r\n").await?;
                }
            }
        }
        line.clear();
    }
    Ok(taken)
}
