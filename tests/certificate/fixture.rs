//! A certificate of an invented shop, logged among other entries. Fresh keys for each test.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use quietus::domain::{CategoryName, CollectionName, Digest, RuleName, ScheduleName, SystemName};
use quietus::evidence::certificate::{
    CertificateClass, Issuer, IssuerRole, NotCovered, STANDING_LIMITS, Scope, Tool, Trigger, nonce,
};
use quietus::evidence::dsse::Envelope;
use quietus::evidence::print::{Language, Printing};
use quietus::evidence::signing::{SubjectFile, seal, sign, sign_status_list};
use quietus::evidence::statement::{
    CertifiedAction, Count, EvidenceReference, KeptReason, RemovalGrade, StatedCutOff,
    StatedFailure, StatedKept, StatedMethod, StatedRecords, StatedRule, StatedSystem,
    StatedVerification, StatementOutcome, SystemKind, VerificationFinding, VerificationType,
};
use quietus::evidence::status_list::{CertificateStatus, StatusBits, StatusEntry, StatusList};
use quietus::evidence::summary::systems_stated;
use quietus::evidence::{
    Bundle, EvidenceKind, Frontier, Inclusion, IssuerKey, LogIdentity, LogKey, Predicate,
    SystemStatement, TileId, TrustedLog, TrustedRoot, canonical, checkpoint, evidence_entry,
    hashedrekord, merkle, summarise, tiles,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Name of the invented log.
pub const ORIGIN: &str = "erasure.example.com/evidence/2026";

/// Name of its status list.
pub const STATUS_LIST: &str = "erasure.example.com/evidence/2026/status/1";

/// The certificate's place in it.
pub const STATUS_INDEX: u32 = 94_567;

pub fn moment(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

pub fn statement(id: &str, system: &str, collection: &str, category: &str) -> SystemStatement {
    SystemStatement {
        id: id.to_owned(),
        job_id: Some(Uuid::from_u128(0x10)),
        system: StatedSystem {
            id: SystemName::parse(system).expect("name"),
            kind: SystemKind::Database,
            operator: "self".to_owned(),
            region: Some("EU".to_owned()),
        },
        collection: Some(CollectionName::parse(collection).expect("name")),
        category: Some(CategoryName::parse(category).expect("name")),
        rules: vec![StatedRule {
            id: RuleName::parse("contact-90-days").expect("name"),
            version: "7".to_owned(),
            sha256: Digest::of(b"rule"),
            basis: "GDPR article 5(1)(e)".to_owned(),
        }],
        cut_offs: vec![StatedCutOff {
            rule: RuleName::parse("contact-90-days").expect("name"),
            starting_point: "relationship.ended".to_owned(),
            period: "P90D".to_owned(),
            at_or_before: moment("2026-08-25T00:00:00Z"),
        }],
        limits_rule_set_sha256: None,
        action: CertifiedAction::Erase,
        outcome: StatementOutcome::Completed,
        method: StatedMethod {
            nist80088: RemovalGrade::Clear,
            technique: "delete in chunks".to_owned(),
            tool: "postgresql connector 0.1.0".to_owned(),
        },
        records: StatedRecords {
            matched: Count(5231),
            deleted: Count(5000),
            cleared: Count(231),
            ..StatedRecords::default()
        },
        kept: Vec::new(),
        staying_fields: Vec::new(),
        verification: StatedVerification {
            kind: VerificationType::PostQuery,
            at: Some(moment("2026-11-23T03:07:00Z")),
            result: VerificationFinding::Absent,
            method: "second query over another connection".to_owned(),
        },
        started_at: Some(moment("2026-11-23T03:00:00Z")),
        completed_at: Some(moment("2026-11-23T03:07:30Z")),
        failure: None,
        exception: None,
        backup: Vec::new(),
        files: None,
        recipient: None,
        evidence: vec![EvidenceReference {
            log: ORIGIN.to_owned(),
            index: Count(3),
            leaf_hash: Digest::of(b"leaf"),
            detail_sha256: Digest::of(b"detail"),
        }],
    }
}

/// Printed in English, with moments in UTC.
pub fn plain() -> Printing {
    Printing::plain(Language::English)
}

/// Everything done and verified.
pub fn complete() -> Vec<SystemStatement> {
    let mut second = statement("s2", "billing", "invoices", "order.delivery");
    second.outcome = StatementOutcome::NotFound;
    second.records = StatedRecords::default();
    vec![statement("s1", "shop", "customers", "account.contact"), second]
}

/// Something stays for a hold and for a reference.
pub fn with_exceptions() -> Vec<SystemStatement> {
    let mut statements = complete();
    let first = &mut statements[0];
    first.records.deleted = Count(4990);
    first.kept = vec![
        StatedKept {
            reason: KeptReason::LegalHold,
            records: Count(3),
            because: "matter 2026-014".to_owned(),
            until: None,
            first_until: None,
            review_on: Some("2027-01-15".parse().expect("a day")),
            restricted: true,
        },
        StatedKept {
            reason: KeptReason::Referenced,
            records: Count(7),
            because: "invoices".to_owned(),
            until: Some("2034-12-31".parse().expect("a day")),
            first_until: None,
            review_on: None,
            restricted: false,
        },
    ];
    statements
}

/// One done without verification, one failed.
pub fn failed() -> Vec<SystemStatement> {
    let mut statements = complete();
    statements[0].verification = StatedVerification {
        kind: VerificationType::None,
        at: None,
        result: VerificationFinding::Unknown,
        method: "not looked".to_owned(),
    };
    let second = &mut statements[1];
    second.outcome = StatementOutcome::Failed;
    second.records = StatedRecords { matched: Count(12), left: Count(12), ..Default::default() };
    second.verification.kind = VerificationType::None;
    second.verification.at = None;
    second.verification.result = VerificationFinding::Unknown;
    second.failure = Some(StatedFailure {
        reason: "the system refused the credentials".to_owned(),
        attempts: 5,
        owner: Some("billing team".to_owned()),
        next_attempt_at: None,
    });
    statements
}

/// The predicate around statements, with the summary that they amount to.
pub fn predicate(statements: Vec<SystemStatement>) -> Predicate {
    let systems = systems_stated(&statements);
    let scope = Scope {
        plan_sha256: Digest::of(b"plan"),
        data_map_sha256: Digest::of(b"map"),
        data_map_log_index: Some(Count(1)),
        rule_set_sha256: Digest::of(b"rules"),
        systems_in_scope: systems,
        systems_stated: systems,
        not_covered: vec![NotCovered {
            system: Some(SystemName::parse("shop").expect("name")),
            collection: Some(CollectionName::parse("audit_trail").expect("name")),
            category: None,
            reason: "exempt: needed to detect fraud".to_owned(),
        }],
    };
    Predicate {
        certificate_id: Uuid::from_u128(0x7e57),
        nonce: nonce([9; 32]),
        class: CertificateClass::ScheduledDisposal,
        issuer: Issuer {
            name: "Example Shop <GmbH> & Co.".to_owned(),
            role: IssuerRole::Controller,
            log: ORIGIN.to_owned(),
        },
        tool: Tool { name: "quietus".to_owned(), version: "0.1.0".to_owned() },
        issued_at: moment("2026-11-23T03:10:00Z"),
        as_of: moment("2026-11-23T03:07:00Z"),
        trigger: Trigger {
            case_id: Uuid::from_u128(0xca5e),
            schedule: Some(ScheduleName::parse("nightly").expect("name")),
            occurrence: Some(moment("2026-11-23T03:00:00Z")),
            planned_at: moment("2026-11-23T03:00:00Z"),
            approved_by: None,
        },
        request: None,
        summary: summarise(&scope, &statements),
        scope,
        statements,
        pending: None,
        supersedes: None,
        correction: None,
        status: Some(StatusEntry::new(STATUS_LIST.to_owned(), STATUS_INDEX)),
        restores: Vec::new(),
        reappearances: Vec::new(),
        limits: STANDING_LIMITS.iter().map(|&limit| limit.to_owned()).collect(),
    }
}

/// A certificate as it is handed out, with the keys behind it.
#[derive(Clone)]
pub struct Issued {
    pub bundle: Vec<u8>,
    pub trusted_root: Vec<u8>,
    pub issuer_key: Vec<u8>,
    pub manifest: Vec<u8>,
    pub read: Bundle,
    pub log: LogIdentity,
    /// The head that was signed when the log had half of its entries.
    pub earlier: String,
    /// That the log only grew since.
    pub consistency: Vec<Digest>,
    pub tiles: BTreeMap<TileId, Vec<u8>>,
    /// Status lists are signed and logged with these.
    pub issuer: Arc<IssuerKey>,
    pub log_key: Arc<LogKey>,
}

/// A status list that says this of the certificate, and `current` of all others.
pub fn status_list(status: CertificateStatus) -> StatusList {
    let mut bits = StatusBits::default();
    bits.set(STATUS_INDEX.into(), status);
    StatusList {
        list: STATUS_LIST.to_owned(),
        issued_at: moment("2026-11-23T03:15:00Z"),
        valid_until: moment("2026-11-25T03:15:00Z"),
        bits,
    }
}

impl Issued {
    /// Signs a status list, logs it in the same log, and bundles it.
    pub fn publish(&self, list: &StatusList) -> Vec<u8> {
        let (envelope, leaf) = sign_status_list(list, &self.issuer).expect("signed");
        self.bundle_alone(envelope, leaf)
    }

    /// A bundle of a signed statement that is the log's second entry.
    pub fn bundle_alone(&self, envelope: Envelope, leaf: Vec<u8>) -> Vec<u8> {
        let leaves = [Digest::of(b"the first entry"), merkle::leaf_hash(&leaf)];
        let grown =
            tiles::append(&Frontier::default(), &BTreeMap::new(), &leaves).expect("an empty log");
        let inclusion = Inclusion {
            index: 1,
            size: 2,
            root: grown.root,
            path: vec![leaves[0]],
            checkpoint: checkpoint::sign(ORIGIN, 2, grown.root, &self.log_key).expect("signed"),
        };
        Bundle::new(envelope, leaf, inclusion, &self.log).to_json()
    }
}

/// Logs `before` evidence entries, the certificate and `after` more, and assembles the bundle.
pub fn issue(statements: Vec<SystemStatement>, before: u64, after: u64) -> Issued {
    issue_changed(statements, before, after, |_| {})
}

/// The same, with a statement that was changed before it was signed.
pub fn issue_changed(
    statements: Vec<SystemStatement>,
    before: u64,
    after: u64,
    change: impl FnOnce(&mut Value),
) -> Issued {
    issue_about(predicate(statements), SubjectFile::Counts, (before, after), change)
}

/// The same for any predicate and subject.
pub fn issue_about(
    predicate: Predicate,
    about: SubjectFile<'_>,
    (before, after): (u64, u64),
    change: impl FnOnce(&mut Value),
) -> Issued {
    let issuer = IssuerKey::generate().expect("key");
    let key = LogKey::generate().expect("key");
    let mut signed = sign(predicate, about, &issuer).expect("sound");
    let mut statement: Value = serde_json::from_slice(&signed.envelope.payload).expect("json");
    change(&mut statement);
    let payload = canonical::to_bytes(&statement).expect("json");
    if payload != signed.envelope.payload {
        signed.envelope = seal(payload, &issuer).expect("signed");
        signed.leaf = hashedrekord::leaf(&signed.envelope, &issuer.public());
    }
    let other = |number: u64| {
        let salt = Digest::of(&number.to_be_bytes()).0;
        let time = moment("2026-11-23T03:05:00Z");
        let entry =
            evidence_entry(EvidenceKind::ErasureStep, &json!({"n": number}), salt, "n1", time);
        merkle::leaf_hash(&entry.expect("entry").body)
    };
    let mut leaves: Vec<Digest> = (0..before).map(other).collect();
    leaves.push(merkle::leaf_hash(&signed.leaf));
    leaves.extend((0..after).map(|number| other(number + 1_000_000)));
    let appended =
        tiles::append(&Frontier::default(), &BTreeMap::new(), &leaves).expect("an empty log");
    let stored: BTreeMap<_, _> =
        appended.tiles.iter().map(|write| (write.tile, write.bytes.clone())).collect();
    let size = appended.frontier.size();
    let read_tile = |tile: TileId| stored.get(&tile).cloned();
    let path = tiles::inclusion_proof(before, size, read_tile);
    let half = size.div_ceil(2);
    let root = tiles::root(half, read_tile).expect("stored tiles");
    let earlier = checkpoint::sign(ORIGIN, half, root, &key).expect("signed");
    let consistency = tiles::consistency_proof(half, size, read_tile).expect("stored tiles");
    let log = LogIdentity::new(ORIGIN, key.public()).expect("origin");
    let inclusion = Inclusion {
        index: before,
        size,
        root: appended.root,
        path: path.expect("stored tiles"),
        checkpoint: checkpoint::sign(ORIGIN, size, appended.root, &key).expect("signed"),
    };
    let read = Bundle::new(signed.envelope, signed.leaf, inclusion, &log);
    let root = TrustedRoot {
        logs: vec![TrustedLog {
            log: log.clone(),
            valid_from: Some(moment("2026-01-01T00:00:00Z")),
            valid_until: None,
        }],
        authorities: Vec::new(),
    };
    Issued {
        bundle: read.to_json(),
        trusted_root: root.to_json(),
        issuer_key: issuer.public().to_pem().into_bytes(),
        manifest: signed.manifest,
        read,
        log,
        earlier,
        consistency,
        tiles: stored,
        issuer: Arc::new(issuer),
        log_key: Arc::new(key),
    }
}
