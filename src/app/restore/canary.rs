//! Under which name our row stands in a system. It is written down beside the number, so that it stays
//! whatever becomes of the names of controller and log; other instances have rows of their own.

use quietus_connectors::{CanarySight, Connector, Fault};

use crate::app::{AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::origin::LogName;
use crate::store::Canary;

/// Names that our row may have.
pub(super) struct CanaryNames {
    /// By what all logs of this store share.
    by_log: String,
    /// By that and our key of the log, where somebody else's row has the first name.
    by_key: String,
    /// All that a row may have of which the name was not written down.
    before: Vec<String>,
}

/// Our row as a system shows it.
pub(super) struct OwnRow {
    /// Its name.
    pub(super) name: String,
    /// What was seen of it.
    pub(super) sight: CanarySight,
}

impl Quietus {
    /// Names that our row may have in any system.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(super) async fn canary_names(&self) -> Result<CanaryNames, AppError> {
        let logs = self.store.logs().await?;
        let named = &self.instance.evidence_origin;
        // The first log keeps its name, and the later ones share what stands before the year.
        let first = logs.first().map_or(named, |log| &log.origin);
        let base = LogName::of(first).base;
        let key = hex::encode(self.keys.log.public().0);
        let (by_log, by_key) = (name_by(&base), name_by(&format!("{base}\n{key}")));
        // Earlier versions went by what the instance file says, which may be another name by now.
        let mut before = vec![by_log.clone(), by_key.clone(), name_by(first), name_by(named)];
        before.sort_unstable();
        before.dedup();
        Ok(CanaryNames { by_log, by_key, before })
    }
}

impl CanaryNames {
    /// The name under which the next row is written where none could be looked for.
    pub(super) fn name_after(&self, last: &Canary) -> String {
        last.name.as_ref().unwrap_or(&self.by_log).clone()
    }

    /// Looks at our row: by its name, or by each that it may have. Where we have written none yet, what
    /// stands there under the first name is somebody else's, and ours gets the other one.
    ///
    /// # Errors
    /// Where the system does not answer.
    pub(super) async fn look(
        &self,
        connector: &dyn Connector,
        last: Option<&Canary>,
    ) -> Result<OwnRow, Fault> {
        match last {
            Some(Canary { name: Some(name), .. }) => look_at(connector, name).await,
            Some(_) => self.look_at_all(connector).await,
            None => {
                let row = look_at(connector, &self.by_log).await?;
                match row.sight {
                    CanarySight::Seen(_) => look_at(connector, &self.by_key).await,
                    CanarySight::Missing | CanarySight::NotKept => Ok(row),
                }
            }
        }
    }

    /// The row with the highest number among those that may be ours.
    async fn look_at_all(&self, connector: &dyn Connector) -> Result<OwnRow, Fault> {
        let mut newest = look_at(connector, &self.by_log).await?;
        for name in &self.before {
            let row = look_at(connector, name).await?;
            if number_of(&row) > number_of(&newest) {
                newest = row;
            }
        }
        Ok(newest)
    }
}

async fn look_at(connector: &dyn Connector, name: &str) -> Result<OwnRow, Fault> {
    Ok(OwnRow { name: name.to_owned(), sight: connector.canary(name).await? })
}

fn number_of(row: &OwnRow) -> Option<u64> {
    match row.sight {
        CanarySight::Seen(seen) => Some(seen.number),
        CanarySight::Missing | CanarySight::NotKept => None,
    }
}

fn name_by(text: &str) -> String {
    let digest = Digest::of(text.as_bytes()).to_string();
    format!("canary-{}", &digest[..32])
}
