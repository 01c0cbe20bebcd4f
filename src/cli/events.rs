//! `quietus event`: post a business event.

use std::path::{Path, PathBuf};

use clap::Args;
use quietus_connectors::Value;

use super::FINE;
use super::opening::{read_first_line, read_moment, say, with_product};
use super::remark::actor;
use crate::app::event::PostedEvent;
use crate::app::{AppError, Quietus};
use crate::domain::Remark;
use crate::store::Recorded;

/// Post a business event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus event customer.left 4711                   it happened just now
  quietus event customer.left 4711 --at 2026-03-31
  quietus event customer.left --key-file -           the key comes from standard input
  quietus event customer.left 4711 --revoke          the customer came back")]
pub struct Arguments {
    /// Name of the event, as the data map writes it.
    pub name: String,
    /// The key that it names, such as a customer number. On shared machines use `--key-file`:
    /// other users see what is typed here.
    #[arg(required_unless_present = "key_file")]
    pub key: Option<String>,
    /// Read the key from the first line of this file; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub key_file: Option<PathBuf>,
    /// When it happened: a day or an instant; now if nothing is said.
    #[arg(long, value_name = "DAY OR INSTANT")]
    pub at: Option<String>,
    /// Take it back: the period no longer runs.
    #[arg(long)]
    pub revoke: bool,
    /// Posting twice under the same key records once.
    #[arg(long, value_name = "TEXT")]
    pub idempotency_key: Option<String>,
    /// Who posts it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| post(product, arguments).await.map(|()| FINE)).await
}

async fn post(product: &Quietus, arguments: &Arguments) -> Result<(), AppError> {
    let occurred_at = match &arguments.at {
        Some(text) => read_moment(text, product.zone())?,
        None => product.now(),
    };
    let key = read_key(arguments)?;
    let recorded = product
        .post_event(PostedEvent {
            name: arguments.name.clone(),
            key: Value::Text(key),
            occurred_at,
            revokes: arguments.revoke,
            idempotency_key: arguments.idempotency_key.clone(),
            actor: actor(&arguments.by),
        })
        .await?;
    say(match recorded {
        Recorded::New => "recorded",
        Recorded::Duplicate | Recorded::Differs => "it was recorded before; nothing was changed",
    });
    Ok(())
}

fn read_key(arguments: &Arguments) -> Result<String, AppError> {
    let key = match (&arguments.key, &arguments.key_file) {
        (Some(key), _) => key.trim().to_owned(),
        (None, Some(path)) => read_first_line(path)?,
        (None, None) => String::new(),
    };
    if key.is_empty() {
        return Err(AppError::Input(
            "the event names no key: write one, such as a customer number".to_owned(),
        ));
    }
    Ok(key)
}
