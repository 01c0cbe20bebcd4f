//! The laws of what is said: of each certificate when it appears, and of all of them at the end.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use quietus::app::audit::{Depth, ReplayFrom};
use quietus::store::{CaseFilter, CertificateFilter};
use quietus_verify::certificate::{Certificate, CertificateClass, Predicate};
use quietus_verify::statement::{StatementOutcome, SystemStatement};
use quietus_verify::summary::Overall;
use quietus_verify::verify::{Material, Source, verify};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::estate::{DATABASES, PLACES, PLANTED};
use super::journal::{Deed, Row};
use super::laws::{Law, name_of};
use super::mutation::Mutation;
use super::world::{Hold, MOST_AHEAD, Moment, World};

/// Certificates and cases that are looked at in one go.
const PAGE: u32 = 1000;

/// What a system was looked at for, in a case.
struct Look {
    system: &'static str,
    /// When the last second look came to its end.
    at: u64,
}

impl World {
    /// Looks at cases and certificates that are new, after something that was begun then.
    pub async fn look_at_cases(&mut self, since: Moment) {
        let number = self.somebody().await;
        let store = self.product(number).store.clone();
        let filter = CaseFilter { limit: 12, ..CaseFilter::default() };
        let (now, begun) = (self.moment(), since.min(self.cases_seen));
        self.cases_seen = now;
        for case in store.list_cases(filter).await.unwrap() {
            self.opened.entry(case.id).or_insert(begun);
        }
        let filter = CertificateFilter { limit: 12, ..CertificateFilter::default() };
        for summary in store.list_certificates(filter).await.unwrap() {
            if self.certified.contains_key(&summary.id) {
                continue;
            }
            self.certified.insert(summary.id, now.counted);
            let certificate = store.certificate(summary.id).await.unwrap().unwrap();
            let stated: Certificate = serde_json::from_slice(&certificate.statement).unwrap();
            self.check_claims(&stated.predicate).await;
        }
    }

    /// Whatever a certificate says is gone has to be, and somebody has to have looked. What it keeps
    /// for a reason is not said to be gone.
    async fn check_claims(&mut self, predicate: &Predicate) {
        let case = predicate.trigger.case_id;
        let (looks, customer) = (self.looks_of(case).await, self.customer_of(case).await);
        let mut wrong = Vec::new();
        for place in 0..PLACES.len() {
            if says_gone(predicate, place) {
                wrong.extend(self.wrong_claim((predicate, customer.as_ref()), place, &looks));
            }
        }
        if predicate.summary.overall == Overall::Complete
            && let Some(customer) = customer
            && self.systems.processor.knows(&customer)
        {
            wrong.push(format!("the processor knows {customer}"));
        }
        for how in wrong {
            let (id, overall) = (predicate.certificate_id, predicate.summary.overall.as_str());
            let how = format!("{how}, and certificate {id} is {overall}");
            self.break_law(Law::NoFalseComplete, how);
        }
    }

    /// What is wrong where a certificate says that everything of a collection is gone.
    fn wrong_claim(
        &self,
        about: (&Predicate, Option<&String>),
        place: usize,
        looks: &[Look],
    ) -> Option<String> {
        let of = &PLACES[place];
        let Some(look) = looks.iter().find(|look| look.system == of.system) else {
            return Some(format!("nobody has looked at {}.{}", of.system, of.collection));
        };
        if self.restored_since(look) {
            return None;
        }
        let there = self.rows().into_iter().find(|row| {
            row.place == place && row.born < look.at && self.speaks_of(about, row, look)
        })?;
        Some(format!("{} is there", name_of(&there)))
    }

    /// The second looks behind a case.
    async fn looks_of(&mut self, case: Uuid) -> Vec<Look> {
        let number = self.somebody().await;
        let jobs = self.product(number).store.jobs_of_case(case).await.unwrap();
        let mut looks: Vec<Look> = Vec::new();
        self.journal.read(|deeds| {
            for (at, deed) in deeds {
                let Deed::Looked(system, job) = deed else { continue };
                if jobs.iter().any(|one| Some(one.id) == *job) {
                    looks.retain(|look| look.system != *system);
                    looks.push(Look { system, at: *at });
                }
            }
        });
        looks
    }

    fn restored_since(&self, look: &Look) -> bool {
        let restored = |(at, deed): &(u64, Deed)| match deed {
            Deed::Restored(system) => *system == look.system && *at > look.at,
            _ => false,
        };
        self.journal.read(|deeds| deeds.iter().any(restored))
    }

    /// Whether a certificate speaks of a record: it belongs to the person who asked, or was due when
    /// the case was planned, and is still.
    fn speaks_of(
        &self,
        (predicate, customer): (&Predicate, Option<&String>),
        row: &Row,
        look: &Look,
    ) -> bool {
        let moment = predicate.trigger.planned_at;
        if predicate.class == CertificateClass::RightsRequest {
            return customer.is_some()
                && customer == row.customer.as_ref()
                && self.asked_for(row, look.at, moment);
        }
        let version = self.versions.get(&predicate.scope.rule_set_sha256);
        let (Some(version), CertificateClass::ScheduledDisposal) = (version, predicate.class)
        else {
            return false;
        };
        // What was told after the case was planned is not in it, by whatever clock, and what was
        // taken back since keeps what it keeps.
        let Some(Moment { counted: opened, at }) =
            self.opened.get(&predicate.trigger.case_id).copied()
        else {
            return false;
        };
        let margin = SignedDuration::from_secs(3 * MOST_AHEAD);
        if self
            .told
            .iter()
            .any(|one| Some(&one.customer) == row.customer.as_ref() && one.at + margin > at)
        {
            return false;
        }
        let due = |known| self.due_at(row, *version, known).is_some_and(|due| due <= moment);
        due(opened) && due(look.at) && due(u64::MAX)
    }

    /// Who asked for a case.
    async fn customer_of(&mut self, case: Uuid) -> Option<String> {
        let number = self.somebody().await;
        let request = self.product(number).store.request_of_case(case).await.unwrap()?;
        let asked = self.asked.iter().find(|one| one.request == request.id)?;
        Some(asked.customer.clone())
    }

    /// What certificates count is what systems have written down.
    pub async fn check_counts(&mut self) {
        let number = self.somebody().await;
        let store = self.product(number).store.clone();
        let filter = CertificateFilter { limit: PAGE, ..CertificateFilter::default() };
        for summary in store.list_certificates(filter).await.unwrap() {
            if summary.superseded_by.is_some() || !summary.overall.starts_with("complete") {
                continue;
            }
            let jobs = store.jobs_of_case(summary.case_id).await.unwrap();
            let jobs: BTreeSet<Uuid> = jobs.iter().map(|job| job.id).collect();
            let looks = self.looks_of(summary.case_id).await;
            let certificate = store.certificate(summary.id).await.unwrap().unwrap();
            let stated: Certificate = serde_json::from_slice(&certificate.statement).unwrap();
            for place in 0..PLACES.len() {
                self.check_count(&stated.predicate, (&jobs, &looks), place);
            }
        }
    }

    fn check_count(
        &mut self,
        predicate: &Predicate,
        (jobs, looks): (&BTreeSet<Uuid>, &[Look]),
        place: usize,
    ) {
        let of = &PLACES[place];
        let here: Vec<&SystemStatement> =
            predicate.statements.iter().filter(|one| is_about(one, place)).collect();
        let Some(stated) = here.iter().map(|one| one.records.deleted.0).max() else { return };
        let opened = self.opened.get(&predicate.trigger.case_id).map_or(0, |one| one.counted);
        let look = looks.iter().find(|look| look.system == of.system);
        let meanwhile = |born: u64| born > opened && look.is_none_or(|look| born < look.at);
        let (mut gone, mut gone_by_any) = (BTreeSet::new(), BTreeSet::new());
        let (mut restored, mut arrived) = (false, BTreeSet::new());
        let (mut looked, mut let_go) = (None, BTreeSet::new());
        let there = self.rows().into_iter().filter(|row| row.place == place);
        arrived.extend(there.map(|row| row.born));
        self.journal.read(|deeds| {
            for (number, deed) in deeds {
                match deed {
                    Deed::Erased(row, under) if row.place == place => {
                        arrived.insert(row.born);
                        gone_by_any.insert(row.born);
                        if under.job.is_some_and(|job| jobs.contains(&job)) {
                            gone.insert(row.born);
                            if looked.is_some_and(|look| self.was_let_go(row, opened, look)) {
                                let_go.insert(row.born);
                            }
                        }
                    }
                    Deed::Looked(system, Some(job))
                        if *system == of.system && jobs.contains(job) =>
                    {
                        looked.get_or_insert(*number);
                    }
                    Deed::Restored(system) => restored |= *system == of.system,
                    _ => {}
                }
            }
        });
        // What arrived between count and look may be held to have come back, and then counts once; so
        // may what a hold kept from being counted, and a look has found after its release.
        arrived.retain(|born| meanwhile(*born));
        let later = arrived.union(&let_go).count() as u64;
        let (gone, most) = (gone.len() as u64, gone_by_any.len() as u64);
        // What arrived back with a restore and went again may be counted by either.
        if stated > most || (!restored && stated + later < gone) {
            let said: Vec<String> =
                here.iter().map(|one| format!("{:?} {:?}", one.outcome, one.records)).collect();
            let how = format!(
                "certificate {} says that {stated} went from {}.{}, and it was {gone}: {said:?}",
                predicate.certificate_id, of.system, of.collection
            );
            self.break_law(Law::OneOutcome, how);
        }
    }

    /// Whether a hold on a record was released between two moments.
    fn was_let_go(&self, row: &Row, after: u64, before: u64) -> bool {
        let released = |hold: &Hold| hold.released.is_some_and(|at| after < at && at < before);
        self.holds.iter().any(|hold| hold.covers(row) && released(hold))
    }

    /// The log is counted anew, and every certificate is verified as a stranger would.
    pub async fn check_proof(&mut self) {
        let number = self.somebody().await;
        let product = self.product(number);
        if self.systems.mutation == Some(Mutation::LeafChanged) {
            change_leaf(&self.path().join("quietus.db")).await;
        }
        let logs = product.replay_logs(ReplayFrom::Store, Depth::Leaves, &mut |_, _, _| {}).await;
        for log in logs.unwrap() {
            if let Some(fault) = log.counted.faults.first() {
                self.break_law(Law::LogVerifies, format!("log {}: {fault}", log.origin));
            }
        }
        let filter = CertificateFilter { limit: PAGE, ..CertificateFilter::default() };
        let mut trusted = None;
        for summary in product.store.list_certificates(filter).await.unwrap() {
            let certificate = product.store.certificate(summary.id).await.unwrap().unwrap();
            // The store compresses them, so that nothing is found in its files.
            for words in [&certificate.statement, &certificate.manifest] {
                self.check_words("a certificate", &String::from_utf8_lossy(words));
            }
            let Some(bundle) = certificate.bundle else {
                self.break_law(Law::LogVerifies, format!("{} has no bundle", summary.id));
                continue;
            };
            if trusted.is_none() {
                let file = async |name: &str| {
                    product.export_file(summary.id, name, None).await.unwrap().unwrap()
                };
                trusted = Some((file("trusted_root.json").await, file("issuer.pub.pem").await));
            }
            let (root, key) = trusted.as_ref().unwrap();
            let stated: Certificate = serde_json::from_slice(&certificate.statement).unwrap();
            // What a person's certificate is about has only the person.
            let counts = stated.predicate.is_of_counts();
            let verdict = verify(&Material {
                bundle: &bundle,
                trusted_root: Some((root, Source::Given)),
                issuer_key: Some((key, Source::Given)),
                manifest: Some(certificate.manifest.as_slice()).filter(|_| counts),
                ..Material::default()
            });
            if !verdict.passed() {
                let how = format!("certificate {}: {:?}", summary.id, verdict.steps);
                self.break_law(Law::LogVerifies, how);
            }
        }
    }

    /// Nothing in the store's files and in what was logged begins as the strings of people do.
    pub fn check_silence(&mut self) {
        let logged = self.heard.words();
        self.check_words("what was logged", &logged);
        for name in ["quietus.db", "quietus.db-wal"] {
            let content = std::fs::read(self.path().join(name)).unwrap_or_default();
            self.check_words(name, &String::from_utf8_lossy(&content));
        }
    }

    fn check_words(&mut self, place: &str, text: &str) {
        let digits: Vec<String> = PLANTED.bytes().map(|byte| format!("{byte:02x}")).collect();
        for needle in [PLANTED, digits.concat().as_str()] {
            if let Some(at) = text.find(needle) {
                let from = text[..at].char_indices().rev().nth(80).map_or(0, |(at, _)| at);
                let until = text[at..].char_indices().nth(40).map_or(text.len(), |(i, _)| at + i);
                let how = format!("{place}: …{}…", &text[from..until]);
                self.break_law(Law::NothingTold, how);
            }
        }
    }
}

/// Whether a statement is about a collection.
fn is_about(statement: &SystemStatement, place: usize) -> bool {
    let of = &PLACES[place];
    statement.system.id.as_str() == of.system
        && statement.collection.as_ref().is_some_and(|name| name.as_str() == of.collection)
}

/// Whether a certificate says that everything is gone from a collection that it speaks of.
fn says_gone(predicate: &Predicate, place: usize) -> bool {
    let mut here = predicate.statements.iter().filter(|one| is_about(one, place)).peekable();
    here.peek().is_some()
        && here.all(|one| {
            let gone = [StatementOutcome::Completed, StatementOutcome::NotFound];
            gone.contains(&one.outcome) && one.failure.is_none() && one.kept.is_empty()
        })
}

/// Changes a leaf of the log, as somebody who has the store's file could.
async fn change_leaf(store: &Path) {
    let mut connection = SqliteConnectOptions::new().filename(store).connect().await.unwrap();
    let refuse =
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_leaves'";
    let triggers: Vec<String> =
        sqlx::query_scalar(refuse).fetch_all(&mut connection).await.unwrap();
    for trigger in triggers {
        let drop = format!("DROP TRIGGER {trigger}");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
    }
    let change = "UPDATE log_leaves SET body = CAST(body || ' ' AS BLOB) WHERE idx = 3";
    let changed = sqlx::query(change).execute(&mut connection).await.unwrap();
    assert!(changed.rows_affected() > 0);
    connection.close().await.unwrap();
}

/// Databases of the estate are the only ones that are looked into.
#[test]
fn every_place_is_in_a_database() {
    assert!(PLACES.iter().all(|place| DATABASES.contains(&place.system)));
}
