//! How the list stands, for people.

use jiff::Timestamp;

use crate::app::{AppError, Quietus};

/// How a list stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStanding {
    /// Where it is.
    pub place: String,
    /// Number of its newest index; 0 before there is one.
    pub number: u64,
    /// How many entries it has.
    pub entries: u64,
    /// Changes that are not in it yet.
    pub waiting: u64,
    /// Files that no index names and that are not removed yet.
    pub leftovers: u64,
    /// When it was written last.
    pub written_at: Option<Timestamp>,
}

impl Quietus {
    /// How the list stands; `None` where none is kept.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn list_standing(&self) -> Result<Option<ListStanding>, AppError> {
        let Some(wanted) = &self.instance.re_erasure_list else { return Ok(None) };
        let state = self.store.re_erasure_list().await?;
        let Some(state) = state.filter(|state| state.place == wanted.to_string()) else {
            return Ok(Some(ListStanding {
                place: wanted.to_string(),
                number: 0,
                entries: 0,
                waiting: 0,
                leftovers: 0,
                written_at: None,
            }));
        };
        Ok(Some(ListStanding {
            place: state.place,
            number: state.number,
            entries: self.store.re_erasure_count().await?,
            waiting: self.store.re_erasure_waiting().await?,
            leftovers: self.store.re_erasure_leftovers(1_000).await?.len() as u64,
            written_at: state.written_at,
        }))
    }

    /// Brings the list up to date now, publishes the log and writes it beside it, and removes what
    /// no index names.
    ///
    /// # Errors
    /// `Input` where no list is kept; otherwise where the place cannot be written, or the log may
    /// not be published.
    pub async fn export_list(&self) -> Result<u64, AppError> {
        if self.instance.re_erasure_list.is_none() {
            return Err(AppError::Input(
                "no re-erasure list is kept: write `evidence: {re_erasure_list: FOLDER}` (or `s3://bucket/prefix`) into `quietus.yaml`".to_owned(),
            ));
        }
        let written = Box::pin(self.keep_whole_list()).await?;
        self.advance_log().await?;
        self.sweep_list_again().await?;
        Box::pin(self.tidy_list()).await?;
        Ok(written)
    }
}
