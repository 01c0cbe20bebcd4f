//! Single objects: reading, writing what is never written over, and what only by whoever has seen it.

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

/// What is known of an object by which it is seen whether somebody has written it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// There was none.
    Absent,
    /// The tag of its content (`ETag`), as the store wrote it.
    Tagged(String),
    /// There was one, and the store gave no tag.
    Untagged,
}

/// What became of writing over an object that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It was written.
    Written,
    /// Somebody else has written it since it was seen, or is writing it; it was not written.
    Changed,
}

impl Bucket {
    /// The content of the current version of an object; `None` where there is none.
    ///
    /// # Errors
    /// Where the store does not give it.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.see(key).await?.0)
    }

    /// The content of the current version of an object, `None` where there is none, and by what
    /// [`put_over`](Self::put_over) knows it again.
    ///
    /// # Errors
    /// Where the store does not give it.
    pub async fn see(&self, key: &str) -> Result<(Option<Vec<u8>>, Seen), Fault> {
        let wanted = Wanted { key: Some(key), ..Wanted::get("an object", "s3:GetObject", &[]) };
        match self.send(&wanted).await? {
            Answer::Yes(reply) => {
                let tag = reply.header("etag").map(str::to_owned);
                Ok((Some(reply.body().to_vec()), tag.map_or(Seen::Untagged, Seen::Tagged)))
            }
            Answer::No(refusal) if refusal.is_one_of(&["NoSuchKey"]) => Ok((None, Seen::Absent)),
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
            Some(412 | 409 | 404) => match self.get(key).await? {
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

    /// Writes an object where it still is what was seen. It is looked at once more, and then the store
    /// compares and writes in one step (`If-Match`, `If-None-Match`). Not every store does: one that
    /// knows no such conditions, or refuses one that holds, is written to all the same; one that takes
    /// them and does not heed them (Ceph, in buckets that keep versions) is not found out. There, what
    /// somebody writes between the look and the writing is written over.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn put_over(
        &self,
        key: &str,
        content: &[u8],
        seen: &Seen,
    ) -> Result<Replaced, Fault> {
        let condition = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let conditions = match seen {
            Seen::Absent => vec![condition("if-none-match", "*")],
            // Some stores compare what is between the quotes with what they were given.
            Seen::Tagged(tag) => {
                vec![condition("if-match", tag), condition("if-match", tag.trim_matches('"'))]
            }
            Seen::Untagged => Vec::new(),
        };
        if self.see(key).await?.1 != *seen {
            return Ok(Replaced::Changed);
        }
        for condition in conditions {
            match self.write(key, content, Some(condition)).await? {
                None => return Ok(Replaced::Written),
                Some(409 | 404) => return Ok(Replaced::Changed),
                Some(_) if self.see(key).await?.1 != *seen => return Ok(Replaced::Changed),
                Some(_) => {}
            }
        }
        self.put(key, content).await.map(|()| Replaced::Written)
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
    /// where something else is there, 404 where nothing is, 501 where it knows no conditions.
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
        if content.is_empty() {
            // Nobody adds it where there is no body, and stores want it.
            headers.push(("content-length".to_owned(), "0".to_owned()));
        }
        let wanted = Wanted {
            method: Method::PUT,
            key: Some(key),
            headers,
            body: content.to_vec(),
            ..Wanted::get("the writing of an object", "s3:PutObject", &[])
        };
        match self.send(&wanted).await? {
            Answer::Yes(_) => Ok(None),
            Answer::No(refusal)
                if conditional
                    && (matches!(refusal.status, 412 | 409 | 501)
                        || refusal.is_one_of(&["NoSuchKey"])) =>
            {
                Ok(Some(refusal.status))
            }
            Answer::No(refusal) => Err(self.no(&refusal, &wanted)),
        }
    }
}

fn compared(there: &[u8], content: &[u8]) -> Placed {
    if there == content { Placed::Same } else { Placed::Other }
}
