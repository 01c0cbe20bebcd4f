//! The invented company: its files, its databases, and what must be true of them after a run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use quietus_connectors::{Fault, sample};

use super::marketing::Marketing;
use crate::config;

/// What a legal hold covers in the support desk: a ticket, long closed, and its two messages. Only
/// the hold keeps them.
pub const HELD: &[(&str, &str)] =
    &[("tickets", "40001"), ("messages", "80001"), ("messages", "80002")];

/// An order of a German customer that is three to eight years old.
pub const EXPLAINED_ORDER: &str = "A-0000099";

const CUSTOMERS: &str = "60000";
const LOGINS: &str = "120000";
const ORDERS: &str = "100000";
const TICKETS: &str = "40000";

/// The databases and the scripts that make them.
pub const DATABASES: &[(&str, &str)] = &[
    ("crm", include_str!("company/crm.sql")),
    ("billing", include_str!("company/billing.sql")),
    ("support", include_str!("company/support.sql")),
];

const FILES: &[(&str, &str)] = &[
    ("quietus.yaml", include_str!("company/quietus.yaml")),
    ("systems/crm.yaml", include_str!("company/systems/crm.yaml")),
    ("systems/billing.yaml", include_str!("company/systems/billing.yaml")),
    ("systems/marketing.yaml", include_str!("company/systems/marketing.yaml")),
    ("systems/support.yaml", include_str!("company/systems/support.yaml")),
    ("schedules/telecom.yaml", include_str!("company/schedules/telecom.yaml")),
];

/// The company in its folder.
pub struct Company {
    folder: PathBuf,
}

/// Something that must be true after the run.
pub struct Claim {
    /// Which database.
    pub database: &'static str,
    /// What counts it.
    pub query: String,
    /// The count must be nought; otherwise it must be more.
    pub none: bool,
    /// In words.
    pub words: &'static str,
}

/// Whether the folder is free.
///
/// # Errors
/// What to do instead.
pub fn may_be_made(folder: &Path) -> Result<(), String> {
    let taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken || folder.is_file() {
        return Err(format!(
            "`{}` is not empty: remove it, or name another folder with `--dir`",
            folder.display()
        ));
    }
    Ok(())
}

impl Company {
    /// Writes files and databases as of a moment, with the processor in the data map.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub async fn make(
        folder: &Path,
        moment: Timestamp,
        marketing: &Marketing,
    ) -> Result<Self, String> {
        let address = marketing.address.to_string();
        for (name, text) in FILES {
            write(&folder.join(name), &text.replace("{address}", &address), 0o644)?;
        }
        let authority = folder.join("certificates/example-marketing.pem");
        write(&authority, &marketing.authority, 0o644)?;
        write(&folder.join("secrets/example-marketing"), &marketing.token, 0o600)?;
        let company = Self::in_folder(folder);
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(|error| refused(&data, &error))?;
        let today = moment.strftime("%Y-%m-%dT00:00:00Z").to_string();
        for (name, script) in DATABASES {
            let script = script
                .replace("{today}", &today)
                .replace("{customers}", CUSTOMERS)
                .replace("{logins}", LOGINS)
                .replace("{orders}", ORDERS)
                .replace("{tickets}", TICKETS);
            sample::write(&company.database(name), &script)
                .await
                .map_err(|fault| fault.to_string())?;
        }
        Ok(company)
    }

    /// The company as it lies in a folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The file of a database.
    pub fn database(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(format!("{name}.db"))
    }

    /// All records of all databases.
    ///
    /// # Errors
    /// Where a database cannot be read.
    pub async fn records(&self) -> Result<u64, Fault> {
        let mut all = 0;
        for (database, tables) in [
            ("crm", ["customers", "devices", "logins"].as_slice()),
            ("billing", &["orders", "payments"]),
            ("support", &["tickets", "messages"]),
        ] {
            for table in tables {
                let query = format!("SELECT count(*) FROM {table}");
                all += sample::count(&self.database(database), &query).await?;
            }
        }
        Ok(all)
    }

    /// What must be true after a run of everything that is due at a moment.
    pub fn claims(moment: Timestamp) -> Vec<Claim> {
        let now = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let claim = |database, none, words, query: &str| Claim {
            database,
            query: query.replace("{now}", &now),
            none,
            words,
        };
        vec![
            claim(
                "crm",
                true,
                "customers whose contract ended more than 91 days ago still have a name or an address",
                "SELECT count(*) FROM customers WHERE contract_ended_at < datetime('{now}', '-91 days')
                 AND (full_name <> '(erased)' OR street IS NOT NULL OR email NOT LIKE 'erased-%')",
            ),
            claim(
                "crm",
                false,
                "customers with a contract are untouched",
                "SELECT count(*) FROM customers WHERE contract_ended_at IS NULL
                 AND full_name LIKE 'Invented%' AND birth_date IS NOT NULL",
            ),
            claim(
                "crm",
                true,
                "logins older than six months (and two days for the calendar) are left",
                "SELECT count(*) FROM logins WHERE logged_in_at < unixepoch('{now}', '-6 months', '-2 days')",
            ),
            claim(
                "billing",
                true,
                "orders completed more than 91 days ago still have a delivery address",
                "SELECT count(*) FROM orders WHERE completed_at < datetime('{now}', '-91 days')
                 AND delivery_street IS NOT NULL",
            ),
            claim(
                "billing",
                false,
                "German orders of three to eight years keep their invoice part, as the tax law wants, restricted",
                "SELECT count(*) FROM orders WHERE country = 'DE' AND invoice_name LIKE 'Invented%'
                 AND delivery_street IS NULL AND restricted_at IS NOT NULL
                 AND completed_at BETWEEN datetime('{now}', '-8 years') AND datetime('{now}', '-3 years')",
            ),
            claim(
                "billing",
                true,
                "Austrian orders older than three years (and a day) are left, or their payments",
                "SELECT count(*) FROM orders LEFT JOIN payments USING (order_number)
                 WHERE country = 'AT' AND completed_at < datetime('{now}', '-3 years', '-1 day')",
            ),
            claim(
                "support",
                true,
                "tickets closed more than two years ago are left, but for the held one",
                "SELECT count(*) FROM tickets WHERE closed_at < datetime('{now}', '-2 years', '-1 day') AND id <> 40001",
            ),
            claim(
                "support",
                false,
                "the ticket under legal hold is kept whole, with its messages",
                "SELECT count(*) FROM tickets WHERE id = 40001 AND contact_email IS NOT NULL
                 AND (SELECT count(*) FROM messages WHERE ticket_id = 40001) = 2",
            ),
        ]
    }
}

fn refused(path: &Path, error: &std::io::Error) -> String {
    let why = config::why(error);
    format!("`{}` cannot be written: {why}; name another folder with `--dir`", path.display())
}

/// Writes a file, and the folders that it is in.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let refuse = |error: std::io::Error| refused(path, &error);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(refuse)?;
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(refuse)
}
