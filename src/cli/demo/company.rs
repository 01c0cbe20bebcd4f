//! The invented company: its files, its databases, and what must be true of them after a run.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use quietus_connectors::{Fault, sample};

use crate::config;

/// The ticket that is under a legal hold: long closed, so only the hold keeps it.
pub const HELD_TICKET: &str = "61";

/// An order of a German customer that is three to eight years old.
pub const EXPLAINED_ORDER: &str = "A-0000099";

const CUSTOMERS: &str = "60000";
const LOGINS: &str = "120000";
const ORDERS: &str = "100000";
const TICKETS: &str = "40000";

const DATABASES: &[(&str, &str)] = &[
    ("crm", include_str!("company/crm.sql")),
    ("billing", include_str!("company/billing.sql")),
    ("support", include_str!("company/support.sql")),
];

const FILES: &[(&str, &str)] = &[
    ("quietus.yaml", include_str!("company/quietus.yaml")),
    ("systems/crm.yaml", include_str!("company/systems/crm.yaml")),
    ("systems/billing.yaml", include_str!("company/systems/billing.yaml")),
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
    /// Writes files and databases.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub async fn make(folder: &Path) -> Result<Self, String> {
        let refuse = |error: std::io::Error| {
            format!(
                "`{}` cannot be written: {}; name another folder with `--dir`",
                folder.display(),
                config::why(&error)
            )
        };
        for (name, text) in FILES {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(refuse)?;
            }
            std::fs::write(path, text).map_err(refuse)?;
        }
        std::fs::create_dir_all(folder.join("data")).map_err(refuse)?;
        let company = Self { folder: folder.to_owned() };
        let today = today();
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

    /// What must be true after a run of everything.
    pub fn claims() -> Vec<Claim> {
        let claim = |database, none, words, query: &str| Claim {
            database,
            query: query.to_owned(),
            none,
            words,
        };
        vec![
            claim(
                "crm",
                true,
                "customers whose contract ended more than 91 days ago still have a name or an address",
                "SELECT count(*) FROM customers WHERE contract_ended_at < datetime('now', '-91 days')
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
                "SELECT count(*) FROM logins WHERE logged_in_at < unixepoch('now', '-6 months', '-2 days')",
            ),
            claim(
                "billing",
                true,
                "orders completed more than 91 days ago still have a delivery address",
                "SELECT count(*) FROM orders WHERE completed_at < datetime('now', '-91 days')
                 AND delivery_street IS NOT NULL",
            ),
            claim(
                "billing",
                false,
                "German orders of three to eight years keep their invoice part, as the tax law wants",
                "SELECT count(*) FROM orders WHERE country = 'DE' AND invoice_name LIKE 'Invented%'
                 AND delivery_street IS NULL
                 AND completed_at BETWEEN datetime('now', '-8 years') AND datetime('now', '-3 years')",
            ),
            claim(
                "billing",
                true,
                "Austrian orders older than three years (and a day) are left, or their payments",
                "SELECT count(*) FROM orders LEFT JOIN payments USING (order_number)
                 WHERE country = 'AT' AND completed_at < datetime('now', '-3 years', '-1 day')",
            ),
            claim(
                "support",
                true,
                "tickets closed more than two years ago are left, but for the held one",
                "SELECT count(*) FROM tickets WHERE closed_at < datetime('now', '-2 years', '-1 day') AND id <> 61",
            ),
            claim(
                "support",
                false,
                "the ticket under legal hold is kept whole",
                "SELECT count(*) FROM tickets WHERE id = 61 AND contact_email IS NOT NULL",
            ),
        ]
    }
}

/// The first instant of the present day, in UTC, so that the sample always has something due.
fn today() -> String {
    use crate::domain::Clock as _;
    let now: Timestamp = crate::telemetry::SystemClock.now();
    format!("{}T00:00:00Z", now.strftime("%Y-%m-%d"))
}
