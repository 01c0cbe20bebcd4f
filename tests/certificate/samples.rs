//! Certificates as people meet them: complete, partial, superseded, not held, gone from live systems
//! while copies for recovery remain, withdrawn, disputed, and the correction of one.

use jiff::civil::date;
use jiff::tz::TimeZone;
use quietus::domain::{Digest, SystemName};
use quietus::evidence::certificate::{
    CertificateClass, Correction, NotCovered, Pending, Supersedes,
};
use quietus::evidence::export::export;
use quietus::evidence::print::{LANGUAGES, Language, Printing};
use quietus::evidence::signing::{SubjectFile, opening};
use quietus::evidence::statement::{
    CertifiedAction, Count, KeptReason, RemovalGrade, StatedFailure, StatedKept, StatedRecipient,
    StatedRecords, StatedVerification, StatementOutcome, SystemKind, VerificationFinding,
    VerificationType,
};
use quietus::evidence::status_list::CertificateStatus;
use quietus::evidence::{Predicate, SystemStatement};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use uuid::Uuid;

use super::fixture::{Issued, issue_about, moment, predicate, statement};
use super::{copies, files};

/// A certificate with how it is printed.
pub struct Sample {
    pub name: &'static str,
    pub issued: Issued,
    pub opening: Option<Vec<u8>>,
    pub superseded_by: Option<Uuid>,
    pub decided: Option<CertificateStatus>,
}

impl Sample {
    /// The exported folder in a language.
    pub fn folder(&self, language: Language) -> BTreeMap<String, Vec<u8>> {
        let printing = Printing {
            zone: TimeZone::get("Europe/Berlin").expect("a zone"),
            host: Some("erasure.example.com".to_owned()),
            superseded_by: self.superseded_by,
            decided: self.decided,
            ..Printing::plain(language)
        };
        let Issued { bundle, trusted_root, issuer_key, .. } = &self.issued;
        export(bundle, trusted_root, issuer_key, self.opening.as_deref(), &printing).expect("sound")
    }
}

/// What a sample is exported as, in one language.
pub struct Printed {
    pub sample: &'static Sample,
    pub language: Language,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// All of them in all languages; made once, because fonts are slow to read in tests.
pub fn printed() -> &'static [Printed] {
    static PRINTED: OnceLock<Vec<Printed>> = OnceLock::new();
    PRINTED.get_or_init(|| {
        let each = |sample: &'static Sample| {
            let print =
                move |language| Printed { sample, language, files: sample.folder(language) };
            LANGUAGES.into_iter().map(print)
        };
        samples().iter().flat_map(each).collect()
    })
}

/// All of them.
pub fn samples() -> &'static [Sample] {
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(make)
}

fn make() -> Vec<Sample> {
    let counts = |name, superseded_by| Sample {
        name,
        issued: issue_about(disposal(), SubjectFile::Counts, (40, 25), |_| {}),
        opening: None,
        superseded_by,
        decided: None,
    };
    let person = |name, predicate| {
        let identifiers = [("email".to_owned(), "lovelace@example.com".to_owned())];
        let opening = opening(&identifiers.into(), [7; 32]).expect("an opening");
        let about = SubjectFile::Opening(&opening);
        let issued = issue_about(predicate, about, (812, 95), |_| {});
        Sample { name, issued, opening: Some(opening), superseded_by: None, decided: None }
    };
    let decided = |decided, sample: Sample| Sample { decided: Some(decided), ..sample };
    vec![
        counts("complete", None),
        person("partial", partial()),
        counts("superseded", Some(Uuid::from_u128(0x5ec0_0de5))),
        person("not-held", not_held()),
        person("copies", copied()),
        decided(
            CertificateStatus::Withdrawn,
            Sample {
                superseded_by: Some(Uuid::from_u128(0xc0_44ec7)),
                ..person("withdrawn", not_held())
            },
        ),
        decided(CertificateStatus::Disputed, counts("disputed", None)),
        person("correction", corrected()),
        person("files", in_files()),
    ]
}

/// One database was not the right one, and was searched again.
fn corrected() -> Predicate {
    let mut failed = failing();
    failed.outcome = StatementOutcome::Failed;
    failed.system.id = SystemName::parse("crm").expect("a name");
    "s2".clone_into(&mut failed.id);
    failed.failure = Some(StatedFailure {
        reason: "verification found survivors: 7 record(s) of `parcels` are still there".to_owned(),
        attempts: 1,
        owner: Some("sales".to_owned()),
        next_attempt_at: None,
    });
    let statements = vec![
        statement("s1", "shop", "customers", "account.contact"),
        failed,
        party("s3", "mailwind", "Mailwind B.V.", Some("signed")),
    ];
    let mut predicate = of_person(statements);
    let name = |name: &str| SystemName::parse(name).expect("a name");
    predicate.class = CertificateClass::Correction;
    predicate.correction = Some(Correction {
        corrects: CertificateClass::RightsRequest,
        what_was_wrong: "the connection of `crm` led to the test database".to_owned(),
        looked_again_in: vec![name("crm"), name("shop")],
        on_record_only: vec![name("mailwind")],
    });
    predicate.supersedes = Some(Supersedes {
        certificate_id: Uuid::from_u128(0x0ea7_11e7),
        statement_sha256: Digest::of(b"earlier"),
        reason: "error".to_owned(),
    });
    predicate
}

/// Gone from the live systems; one store says until when, one was seen to be rid of it, and one could
/// not be listed.
fn copied() -> Predicate {
    let mut shop = statement("s1", "shop", "customers", "account.contact");
    shop.backup = vec![copies::dated("vault"), copies::gone("dumps")];
    let mut orders = statement("s2", "shop", "orders", "order.delivery");
    orders.backup.clone_from(&shop.backup);
    let mut calls = statement("s3", "telephony", "calls", "usage.traffic");
    calls.backup = vec![copies::undated("archive")];
    of_person(vec![shop, orders, calls])
}

/// Gone from the live systems; files and logs of one hold it still, and those of another do not.
fn in_files() -> Predicate {
    let mut shop = statement("s1", "shop", "customers", "account.contact");
    shop.files = Some(files::held());
    shop.backup = vec![copies::dated("vault")];
    let mut calls = statement("s2", "telephony", "calls", "usage.traffic");
    calls.files = Some(files::gone());
    let mut desk = statement("s3", "desk", "tickets", "account.contact");
    desk.files = Some(files::dated());
    of_person(vec![shop, calls, desk])
}

/// A night's run over three systems; it takes the place of one that was tried again.
fn disposal() -> Predicate {
    let mut calls = statement("s3", "telephony", "call_detail_records", "usage.traffic");
    calls.records = StatedRecords {
        matched: Count(1_284_503),
        deleted: Count(1_284_503),
        ..Default::default()
    };
    let mut none = statement("s2", "billing", "invoices", "order.delivery");
    none.outcome = StatementOutcome::NotFound;
    none.records = StatedRecords::default();
    let statements = vec![statement("s1", "shop", "customers", "account.contact"), none, calls];
    let mut predicate = predicate(statements);
    predicate.supersedes = Some(Supersedes {
        certificate_id: Uuid::from_u128(0x0ea7_11e7),
        statement_sha256: Digest::of(b"earlier"),
        reason: "tried-again".to_owned(),
    });
    predicate
}

fn of_person(statements: Vec<SystemStatement>) -> Predicate {
    let mut predicate = predicate(statements);
    predicate.class = CertificateClass::RightsRequest;
    predicate.trigger.schedule = None;
    predicate.trigger.occurrence = None;
    predicate.request = Some(json!({
        "id": Uuid::from_u128(0x4e9),
        "right": "erasure",
        "regime": "gdpr",
        "receivedAt": "2026-11-02T09:15:00Z",
        "identityCheck": {"method": "signed in to the account", "at": "2026-11-03T10:00:00Z"},
        "answerBy": "2026-12-02",
    }));
    predicate
}

/// Something of everything: kept by law and by a hold, promised, pending and failed.
fn partial() -> Predicate {
    let mut invoices = statement("s2", "billing", "invoices", "order.billing_address");
    invoices.outcome = StatementOutcome::Retained;
    invoices.records = StatedRecords { matched: Count(14), ..Default::default() };
    invoices.kept = vec![
        kept(KeptReason::StatutoryMinimum, 11, "tax-law: AO § 147(3), HGB § 257 (DE)"),
        StatedKept { until: None, ..kept(KeptReason::LegalHold, 3, "matter 2026-014") },
    ];
    invoices.kept[0].first_until = Some(date(2028, 12, 31));
    invoices.kept[1].review_on = Some(date(2027, 1, 15));
    let mut long = statement(
        "s3",
        "customer-relationship-management.production.eu-central-1",
        "marketing_campaign_recipients_with_a_long_name",
        "marketing.contact.preferences_and_consents",
    );
    long.staying_fields = vec!["customer_number".to_owned(), "country".to_owned()];
    let mut statements =
        vec![statement("s1", "shop", "customers", "account.contact"), invoices, long];
    statements.push(party("s4", "mailwind", "Mailwind B.V.", Some("signed")));
    statements.push(party("s5", "adloop", "Adloop Werbenetzwerk GmbH & Co. KG", Some("told")));
    statements.push(pending());
    statements.push(failing());
    let mut predicate = of_person(statements);
    predicate.pending = Some(Pending {
        next_review_at: Some(moment("2026-12-07T08:00:00Z")),
        final_certificate_by: Some(moment("2027-02-01T08:00:00Z")),
    });
    predicate.scope.not_covered.push(NotCovered {
        system: None,
        collection: None,
        category: None,
        reason: "it was not asked for".to_owned(),
    });
    predicate.limits.push(
        "System `billing` may still hold what was deleted in: binary logs until they are purged; \
         replicas until they have caught up, and backups until they expire."
            .to_owned(),
    );
    predicate
}

fn kept(reason: KeptReason, records: u64, because: &str) -> StatedKept {
    StatedKept {
        reason,
        records: Count(records),
        because: because.to_owned(),
        until: Some(date(2034, 12, 31)),
        first_until: None,
        review_on: None,
        restricted: true,
    }
}

fn nobody_looked() -> StatedVerification {
    StatedVerification {
        kind: VerificationType::None,
        at: None,
        result: VerificationFinding::Unknown,
        method: "nobody looked again".to_owned(),
    }
}

/// A third party that was told.
fn party(id: &str, system: &str, name: &str, grade: Option<&str>) -> SystemStatement {
    let mut told = statement(id, system, "unused", "unused");
    told.collection = None;
    told.category = None;
    told.rules.clear();
    told.cut_offs.clear();
    told.system.kind = SystemKind::Processor;
    name.clone_into(&mut told.system.operator);
    told.outcome = StatementOutcome::AttestedByProcessor;
    told.records = StatedRecords::default();
    told.method.nist80088 = RemovalGrade::NotApplicable;
    "deleted".clone_into(&mut told.method.technique);
    told.verification = nobody_looked();
    told.recipient = Some(StatedRecipient {
        name: name.to_owned(),
        notified_at: Some(moment("2026-11-23T03:01:00Z")),
        grade: grade.map(str::to_owned),
        words: grade.map(|_| "the account and all messages were deleted".to_owned()),
        receipt_sha256: (grade == Some("signed")).then(|| Digest::of(b"receipt")),
        signature: None,
        certificates: None,
    });
    told
}

fn pending() -> SystemStatement {
    let mut pending = party("s6", "parcel", "Paketdienst Beispiel AG", None);
    pending.outcome = StatementOutcome::Pending;
    pending.completed_at = None;
    pending.failure = Some(StatedFailure {
        reason: "the job is waiting".to_owned(),
        attempts: 2,
        owner: Some("logistics".to_owned()),
        next_attempt_at: Some(moment("2026-11-24T03:00:00Z")),
    });
    pending
}

/// A name that the fonts inside do not draw to the end.
fn failing() -> SystemStatement {
    let mut failing = statement("s7", "warehouse", "parcels", "order.delivery");
    failing.outcome = StatementOutcome::Partial;
    failing.records = StatedRecords {
        matched: Count(12),
        deleted: Count(5),
        left: Count(7),
        ..Default::default()
    };
    failing.action = CertifiedAction::Erase;
    failing.verification = nobody_looked();
    failing.failure = Some(StatedFailure {
        reason: "called off: the warehouse of 龘靐 Logistics moves this week".to_owned(),
        attempts: 5,
        owner: Some("warehouse team".to_owned()),
        next_attempt_at: None,
    });
    failing
}

/// A person whom no system knows.
fn not_held() -> Predicate {
    let systems = [("shop", "customers"), ("billing", "invoices"), ("crm", "contacts")];
    let statements = systems.into_iter().zip(1..).map(|((system, collection), number)| {
        let mut none = statement(&format!("s{number}"), system, collection, "unused");
        none.category = None;
        none.rules.clear();
        none.cut_offs.clear();
        none.outcome = StatementOutcome::NotFound;
        none.records = StatedRecords::default();
        none.method.nist80088 = RemovalGrade::NotApplicable;
        none
    });
    let mut predicate = of_person(statements.collect());
    predicate.class = CertificateClass::NotHeld;
    predicate
}
