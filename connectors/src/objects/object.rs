//! Single objects: reading, and writing what is never written over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::outbound::Method;
use crate::receipt::Fault;

use super::bucket::{Answer, Bucket, Wanted};

/// What became of writing an object once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was written.
    Written,
    /// It was there with the same content.
    Same,
    /// It is there with other content, and was not written.
    Other,
}

impl Bucket {
    /// The content of the current version of an object; `None` where there is none.
    ///
    /// # Errors
    /// Where the store does not give it.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let wanted = Wanted { key: Some(key), ..Wanted::get("an object", "s3:GetObject", &[]) };
        match self.send(&wanted).await? {
            Answer::Yes(reply) => Ok(Some(reply.body().to_vec())),
            Answer::No(refusal) if refusal.is_one_of(&["NoSuchKey"]) => Ok(None),
            Answer::No(refusal) => Err(self.no(&refusal, &wanted)),
        }
    }

    /// Writes an object where there is none of this key. What is there is read and compared, and
    /// never written over: the store is asked to write only where there is nothing, and before that
    /// it is looked, because not every store heeds it.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn put_once(&self, key: &str, content: &[u8]) -> Result<Placed, Fault> {
        if let Some(there) = self.get(key).await? {
            return Ok(compared(&there, content));
        }
        let condition = ("if-none-match".to_owned(), "*".to_owned());
        match self.write(key, content, Some(condition)).await? {
            None => Ok(Placed::Written),
            // Somebody was faster.
            Some(412 | 409) => match self.get(key).await? {
                Some(there) => Ok(compared(&there, content)),
                None => Err(Fault::Transient {
                    message: format!("{}: an object is written and removed at once", self.who),
                    retry_after_ms: None,
                }),
            },
            Some(_) => match self.write(key, content, None).await? {
                None => Ok(Placed::Written),
                Some(_) => Err(self.nonsense("an object")),
            },
        }
    }

    /// Writes an object, also over one that is there.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn put(&self, key: &str, content: &[u8]) -> Result<(), Fault> {
        match self.write(key, content, None).await? {
            None => Ok(()),
            Some(_) => Err(self.nonsense("an object")),
        }
    }

    /// Writes, and gives the status where the store does not because of the condition: 412 and 409
    /// where something is there, 501 where it knows no conditions.
    async fn write(
        &self,
        key: &str,
        content: &[u8],
        condition: Option<(String, String)>,
    ) -> Result<Option<u16>, Fault> {
        let conditional = condition.is_some();
        let mut headers = vec![
            ("content-type".to_owned(), "application/octet-stream".to_owned()),
            ("x-amz-checksum-sha256".to_owned(), STANDARD.encode(Sha256::digest(content))),
        ];
        headers.extend(condition);
        let wanted = Wanted {
            method: Method::PUT,
            key: Some(key),
            headers,
            body: content.to_vec(),
            ..Wanted::get("the writing of an object", "s3:PutObject", &[])
        };
        match self.send(&wanted).await? {
            Answer::Yes(_) => Ok(None),
            Answer::No(refusal) if conditional && matches!(refusal.status, 412 | 409 | 501) => {
                Ok(Some(refusal.status))
            }
            Answer::No(refusal) => Err(self.no(&refusal, &wanted)),
        }
    }
}

fn compared(there: &[u8], content: &[u8]) -> Placed {
    if there == content { Placed::Same } else { Placed::Other }
}
