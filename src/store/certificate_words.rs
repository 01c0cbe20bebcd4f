//! What certificates say, searched: as they are kept, compressed, no database can look into them.

use jiff::Timestamp;
use uuid::Uuid;

use super::certificates::statement_of;
use super::connection::Store;
use super::error::StoreError;
use super::statement::{Sql, args};

/// Statements that are searched in one go.
const PAGE: u32 = 100;

const STATEMENTS_BEFORE: Sql = Sql::both(
    "SELECT id, issued_at, statement FROM certificates WHERE (issued_at, id) < ($1, $2)
     ORDER BY issued_at DESC, id DESC LIMIT $3",
);

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("certificate_words::STATEMENTS_BEFORE", STATEMENTS_BEFORE)];

/// Whether these bytes stand somewhere in others.
fn has_within(others: &[u8], bytes: &[u8]) -> bool {
    bytes.is_empty() || others.windows(bytes.len()).any(|window| window == bytes)
}

impl Store {
    /// Certificates whose signed words hold these bytes, the newest first. Reads all of them.
    pub async fn certificates_that_say(&self, bytes: &[u8]) -> Result<Vec<Uuid>, StoreError> {
        let (mut found, mut before) = (Vec::new(), (Timestamp::MAX, Uuid::max()));
        loop {
            let values = args![before.0, before.1, PAGE];
            let rows = self.read(STATEMENTS_BEFORE, values).await?;
            for row in &rows {
                if has_within(&statement_of(row)?, bytes) {
                    found.push(row.get("id")?);
                }
            }
            match rows.last().filter(|_| rows.len() == PAGE as usize) {
                Some(last) => before = (last.instant("issued_at")?, last.get("id")?),
                None => return Ok(found),
            }
        }
    }
}

/// A pattern for LIKE that finds these letters anywhere.
pub(super) fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
