//! Removing versions and markers, many at once, each by its identifier.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::outbound::Method;
use crate::receipt::Fault;

use super::bucket::{Bucket, Wanted};
use super::faults::known_characters;
use super::xml::{Element, written};

/// Most of one call, as S3 has it.
const AT_ONCE: usize = 1_000;

/// What became of the wish to remove versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Key and version of what is gone.
    pub gone: Vec<(String, String)>,
    /// Key and version of what the store keeps, with the code of its reason.
    pub kept: Vec<((String, String), String)>,
}

impl Bucket {
    /// Removes versions and markers by key and version. What is gone already counts as gone.
    ///
    /// The store answers yes to the whole and may say no to each; what it says nothing of is a
    /// fault.
    ///
    /// # Errors
    /// Where the store says no to the whole, is too busy for one of them, or answers with something
    /// else; what was removed before stays removed.
    pub async fn remove(&self, versions: &[(String, String)]) -> Result<Removal, Fault> {
        let mut removal = Removal::default();
        for part in versions.chunks(AT_ONCE) {
            self.remove_part(part, &mut removal).await?;
        }
        Ok(removal)
    }

    async fn remove_part(
        &self,
        part: &[(String, String)],
        removal: &mut Removal,
    ) -> Result<(), Fault> {
        let what = "the removal of versions";
        let order = order(part).ok_or_else(|| {
            self.misconfigured("an object's name has a character that this interface cannot say")
        })?;
        let wanted = Wanted {
            method: Method::POST,
            headers: vec![("content-type".to_owned(), "application/xml".to_owned())],
            body: order.into_bytes(),
            ..Wanted::get(what, "s3:DeleteObjectVersion", &[("delete", "")])
        };
        let answer = self.document(&wanted, "DeleteResult", &[]).await?;
        let answer = answer.ok_or_else(|| self.nonsense(what))?;
        let mut open: BTreeSet<&(String, String)> = part.iter().collect();
        for child in &answer.children {
            let Some((named, code)) = outcome(child) else { return Err(self.nonsense(what)) };
            let Some(code) = code else {
                removal.gone.extend(open.take(&named).cloned());
                continue;
            };
            match code.as_str() {
                "NoSuchKey" | "NoSuchVersion" => removal.gone.extend(open.take(&named).cloned()),
                "SlowDown" | "InternalError" | "ServiceUnavailable" | "OperationAborted" => {
                    return Err(Fault::Transient {
                        message: format!("{}: {what}: the store answered `{code}`", self.who),
                        retry_after_ms: None,
                    });
                }
                _ => removal.kept.extend(open.take(&named).map(|one| (one.clone(), code))),
            }
        }
        if open.is_empty() { Ok(()) } else { Err(self.nonsense(what)) }
    }
}

fn order(part: &[(String, String)]) -> Option<String> {
    let mut order = String::from(
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>false</Quiet>",
    );
    for (key, version) in part {
        let (key, version) = (written(key)?, written(version)?);
        let object = format!("<Key>{key}</Key><VersionId>{version}</VersionId>");
        write!(order, "<Object>{object}</Object>").ok()?;
    }
    order.push_str("</Delete>");
    Some(order)
}

/// Key and version of one answer, with the code of a no; `None` for what is no answer.
fn outcome(element: &Element) -> Option<((String, String), Option<String>)> {
    let key = element.one("Key")?.text.clone();
    // Stores leave out the identifier of what was never versioned.
    let version = element.word("VersionId").filter(|version| !version.is_empty());
    let named = (key, version.unwrap_or("null").to_owned());
    match element.name.as_str() {
        "Deleted" => Some((named, None)),
        "Error" => Some((named, Some(known_characters(element.word("Code")?)))),
        _ => None,
    }
}
