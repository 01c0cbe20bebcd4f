//! One message to one server, step by step, so that it is known at which step it failed: before
//! the text was handed over nothing was sent; a server that answers has decided; and where the
//! connection ends between the last byte and the answer, nobody knows.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use secrecy::{ExposeSecret as _, SecretString};

use super::message::Message;

/// How long one step may take.
const LONGEST_STEP: Duration = Duration::from_secs(30);
/// How long a server may take to accept a text; by RFC 5321 it may be slow here.
const LONGEST_ACCEPTANCE: Duration = Duration::from_mins(2);
/// Longer than all steps together: an attempt that began so long ago has ended, whatever came of it.
pub const LONGEST_ATTEMPT: Duration = Duration::from_mins(10);

/// How a connection is kept from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// TLS after `STARTTLS`; a server that does not offer it gets nothing.
    StartTls,
    /// None.
    None,
}

/// A server that takes mail.
pub struct Server {
    /// Its name, which its certificate has to bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from being read.
    pub encryption: Encryption,
    /// User and password, where it wants them.
    pub login: Option<(SecretString, SecretString)>,
    /// Certificates of authorities that are trusted beside those that everybody trusts, as PEM.
    pub trust: Option<Vec<u8>>,
}

/// Where a conversation stood when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Before anything was sent: our own settings or the message are no good.
    Preparing,
    /// Reaching and greeting it, encryption included.
    Connecting,
    /// Logging in.
    LoggingIn,
    /// Naming who sends.
    Sender,
    /// Naming to whom it goes.
    Recipient,
    /// Handing over the text.
    Text,
}

/// What went wrong, without any word of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Where it failed.
    pub step: Step,
    /// The server's code (RFC 5321), where it answered.
    pub code: Option<u16>,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.words())?;
        match self.code {
            Some(code) => write!(formatter, " ({code})"),
            None => Ok(()),
        }
    }
}

impl Trouble {
    fn words(self) -> &'static str {
        match (self.step, self.code) {
            (Step::Preparing, _) => "the message or the settings of `mail` cannot be used",
            (Step::Connecting, None) => {
                "the mail server cannot be reached, or not with the encryption that is asked for"
            }
            (Step::Connecting, Some(_)) => "the mail server did not let us in",
            (Step::LoggingIn, _) => "the mail server did not accept user and password",
            (Step::Sender, _) => "the mail server did not accept the sender",
            (Step::Recipient, _) => "the mail server did not accept the recipient",
            (Step::Text, Some(_)) => "the mail server did not accept the text",
            (Step::Text, None) => "the connection ended before the mail server had answered",
        }
    }
}

/// What became of a message that the server did not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It was not sent, and may be tried again.
    #[error("{0}")]
    Later(Trouble),
    /// The server does not want it for this address: trying again is of no use.
    #[error("{0}")]
    Refused(Trouble),
    /// The text was handed over and nobody answered: it may be on its way.
    #[error("{0}")]
    Unknown(Trouble),
}

impl Server {
    /// Sends one message.
    ///
    /// # Errors
    /// Where the server has not accepted it, or nobody knows.
    pub async fn send(&self, message: &Message<'_>) -> Result<(), NotSent> {
        let later = |step: Step| NotSent::Later(Trouble { step, code: None });
        let bytes = message.bytes().ok_or_else(|| later(Step::Preparing))?;
        let mut connection = within(Step::Connecting, self.connect()).await?;
        if let Some((user, password)) = &self.login {
            let (user, password) = (user.expose_secret(), password.expose_secret());
            let credentials = Credentials::new(user.to_owned(), password.to_owned());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            within(Step::LoggingIn, connection.auth(&mechanisms, &credentials)).await?;
        }
        let (from, to) = (&message.from.0.email, &message.to.0.email);
        let mut options = Vec::new();
        if !from.to_string().is_ascii() || !to.to_string().is_ascii() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let trouble = Trouble { step: Step::Recipient, code: None };
                return Err(NotSent::Refused(trouble));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let sender = Mail::new(Some(from.clone()), options);
        within(Step::Sender, connection.command(sender)).await?;
        let recipient = connection.command(Rcpt::new(to.clone(), Vec::new()));
        within(Step::Recipient, recipient).await?;
        // Before the server has asked for the text, nothing is on its way.
        within(Step::Recipient, connection.command(Data)).await?;
        let handed_over = tokio::time::timeout(LONGEST_ACCEPTANCE, connection.message(&bytes));
        match handed_over.await {
            Ok(Ok(_)) => {
                // It has accepted the message; whether it says goodbye changes nothing.
                drop(tokio::time::timeout(LONGEST_STEP, connection.quit()).await);
                Ok(())
            }
            Ok(Err(error)) => Err(not_accepted(&error)),
            Err(_) => Err(NotSent::Unknown(Trouble { step: Step::Text, code: None })),
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::default();
        let tls = match self.encryption {
            Encryption::None => None,
            Encryption::Implicit | Encryption::StartTls => Some(self.tls()?),
        };
        let address = (self.host.as_str(), self.port);
        let patience = Some(LONGEST_STEP);
        if self.encryption == Encryption::Implicit {
            return AsyncSmtpConnection::connect_tokio1(address, patience, &hello, tls, None).await;
        }
        let connecting = AsyncSmtpConnection::connect_tokio1(address, patience, &hello, None, None);
        let mut connection = connecting.await?;
        if let Some(tls) = tls {
            // Refused where the server does not offer it: nothing goes in the open instead.
            connection.starttls(tls, &hello).await?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, Error> {
        let mut tls = TlsParameters::builder(self.host.clone());
        if let Some(pem) = &self.trust {
            tls = tls.add_root_certificate(Certificate::from_pem(pem)?);
        }
        tls.build()
    }
}

/// One step, bounded. What fails here has sent nothing.
async fn within<T>(step: Step, work: impl Future<Output = Result<T, Error>>) -> Result<T, NotSent> {
    match tokio::time::timeout(LONGEST_STEP, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            let trouble = Trouble { step, code: code_of(&error) };
            // A login or a sender that is refused is a matter of our settings, not of this message.
            let for_good = error.is_permanent() && step == Step::Recipient;
            Err(if for_good { NotSent::Refused(trouble) } else { NotSent::Later(trouble) })
        }
        Err(_) => Err(NotSent::Later(Trouble { step, code: None })),
    }
}

/// What an error after the text means.
fn not_accepted(error: &Error) -> NotSent {
    let trouble = Trouble { step: Step::Text, code: code_of(error) };
    if error.is_permanent() {
        NotSent::Refused(trouble)
    } else if error.is_transient() {
        NotSent::Later(trouble)
    } else {
        NotSent::Unknown(trouble)
    }
}

/// The server's code; its words may repeat an address and are dropped.
fn code_of(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}
