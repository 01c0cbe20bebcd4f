//! What the story is played with: the folder, the company in it, its processor, a clock that can be
//! turned on, and the product.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::clock::StoryClock;
use super::company::{self, Company};
use super::marketing::Marketing;
use super::restored::Backup;
use super::{Failure, Untrue, heading};
use crate::app::hold::PlaceHold;
use crate::app::{Actor, Quietus};
use crate::cli::opening::{complain, load, number, open_with, say};
use crate::cli::{FINE, WRONG_INPUT, run};
use crate::domain::{Clock, CollectionName, HoldScope, SystemName};
use crate::telemetry::SystemIds;

/// The story begins so long before the day on which it is told, and ends on that day.
const DAYS: i64 = 3;
/// The matter of the hold.
pub(super) const MATTER: &str = "LIT-2026-7";

/// Everything that is there when the story begins.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) clock: Arc<StoryClock>,
    pub(super) company: Company,
    pub(super) marketing: Marketing,
    pub(super) product: Arc<Quietus>,
    /// Of before the story.
    pub(super) backup: Backup,
}

impl Stage {
    /// Makes the company and its processor, and opens the product.
    pub(super) async fn set(folder: &Path) -> Result<Self, Failure> {
        let refuse = |why: String| {
            complain(&why);
            Failure::Code(WRONG_INPUT)
        };
        company::may_be_made(folder).map_err(refuse)?;
        heading(1, "An invented telecom company");
        let clock = StoryClock::days_ago(DAYS);
        let own = folder.join("example-marketing");
        let marketing = Marketing::start(&own, Arc::clone(&clock) as Arc<dyn Clock>, &SystemIds);
        let marketing = marketing.await.map_err(refuse)?;
        let company = Company::make(folder, clock.now(), &marketing).await.map_err(refuse)?;
        say(format!(
            "   {} records in three databases, with a data map and a rule pack, in {}",
            number(company.records().await?),
            folder.display()
        ));
        say(format!(
            "   Its newsletters are sent by a processor, Example Marketing, which speaks OpenDSR; in this\n   demonstration it lives at https://{}.",
            marketing.address
        ));
        let loaded = load(folder).map_err(Failure::Code)?;
        let product = open_with(loaded, Arc::clone(&clock) as Arc<dyn Clock>);
        let product = product.await.map_err(Failure::Code)?;
        let backup = Backup::take(&company, folder, product.now()).await?;
        let stage = Self { folder: folder.to_owned(), clock, company, marketing, product, backup };
        stage.place_holds().await?;
        say(format!(
            "   The story begins {DAYS} days ago, on {}, and ends today.",
            stage.day(stage.product.now())
        ));
        Ok(stage)
    }

    /// A file or folder of the stage.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The day of a moment in the company's zone.
    pub(super) fn day(&self, moment: Timestamp) -> jiff::civil::Date {
        self.product.zone().to_datetime(moment).date()
    }

    async fn place_holds(&self) -> Result<(), Untrue> {
        let name = |text: &str| Untrue(format!("`{text}` is no name"));
        for (collection, key) in company::HELD {
            let system = SystemName::parse("support").map_err(|_| name("support"))?;
            let mapped = self.product.collection(&system, collection)?;
            let scope = HoldScope {
                record: Some(self.product.read_key(mapped, key)?),
                system: Some(system),
                collection: Some(CollectionName::parse(collection).map_err(|_| name(collection))?),
                ..HoldScope::default()
            };
            self.product
                .place_hold(PlaceHold {
                    matter: MATTER.to_owned(),
                    scope,
                    reason: "a customer sues over a broken router".to_owned(),
                    review_on: None,
                    actor: Actor("Cleo Example".to_owned()),
                })
                .await?;
        }
        say(format!(
            "   One support ticket and its messages are under a legal hold (matter {MATTER})."
        ));
        Ok(())
    }

    /// Carries a case out in this process; it has to succeed.
    pub(super) async fn carry_out(&self, case: uuid::Uuid) -> Result<(), Untrue> {
        let code = run::carry_out(&self.product, case).await?;
        super::must(code == FINE, "the run did not carry out everything")
    }
}
