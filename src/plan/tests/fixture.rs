//! A small shop with invented customers, orders and lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use quietus_connectors::{
    FieldRef, FieldType, Instruction, Link, LinkKind, Pace, PartitionPolicy, Record, Restriction,
    Stored, Strategy, TreatmentKind, Value,
};
use uuid::Uuid;

use super::super::{
    Acting, EventKeys, Explanation, Marks, Plan, PlanInput, RecordState, SystemPlan, answer_name,
    compile, evaluate, explain, fields_needed, plan,
};
use crate::datamap::{
    Collection, DataMap, Field, FieldClass, Manifest, Role, SecretReference, StartSource, System,
};
use crate::domain::{
    CategoryName, CollectionName, Digest, HoldScope, IdentityTypes, LegalHold, RetentionPeriod,
    Rounding, RuleName, ScheduleName, SystemName,
};
use crate::schedule::{
    Action, Cap, Condition, Exemption, LegalBasis, Limit, LimitKind, RetentionRule, RuleSet,
};

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn at(text: &str) -> Value {
    Value::Timestamp(moment(text))
}

pub(super) fn day(text: &str) -> Value {
    Value::Date(text.parse::<Date>().unwrap())
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn category(name: &str) -> CategoryName {
    CategoryName::parse(name).unwrap()
}

pub(super) fn rule_name(name: &str) -> RuleName {
    RuleName::parse(name).unwrap()
}

pub(super) fn system_name() -> SystemName {
    SystemName::parse("shop").unwrap()
}

pub(super) fn collection_name(name: &str) -> CollectionName {
    CollectionName::parse(name).unwrap()
}

/// Everything a plan is made from, owned.
pub(super) struct World {
    pub(super) map: DataMap,
    pub(super) identities: IdentityTypes,
    pub(super) rules: RuleSet,
    pub(super) zone: TimeZone,
    pub(super) moment: Timestamp,
    /// The day of the moment where nothing is said.
    pub(super) today: Option<Date>,
    pub(super) holds: Vec<LegalHold>,
    pub(super) events: EventKeys,
    pub(super) marks: Marks,
    pub(super) paused: BTreeSet<RuleName>,
    pub(super) acting: Acting,
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules.rules {
            writeln!(
                formatter,
                "{} {:?} from {} {} {:?} grace {:?} when {:?}",
                rule.name,
                rule.action,
                rule.starting_point,
                rule.period,
                rule.rounding,
                rule.grace,
                rule.when
            )?;
        }
        for limit in &self.rules.limits {
            writeln!(
                formatter,
                "{} from {} {} {:?} when {:?}",
                limit.name, limit.starting_point, limit.period, limit.rounding, limit.when
            )?;
        }
        writeln!(formatter, "{:?} paused {:?} marks {:?}", self.holds, self.paused, self.marks)
    }
}

impl World {
    pub(super) fn input(&self) -> PlanInput<'_> {
        PlanInput {
            map: &self.map,
            identities: &self.identities,
            rules: &self.rules,
            limits: &self.rules.limits,
            zone: &self.zone,
            moment: self.moment,
            today: self.today.unwrap_or_else(|| self.zone.to_datetime(self.moment).date()),
            holds: &self.holds,
            events: &self.events,
            marks: &self.marks,
            paused: &self.paused,
            acting: &self.acting,
            persons: None,
        }
    }

    pub(super) fn at(mut self, text: &str) -> Self {
        self.moment = moment(text);
        self
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.input())
    }

    pub(super) fn compiled(&self) -> SystemPlan {
        compile(&self.input(), &system_name()).unwrap()
    }

    pub(super) fn instruction(&self, collection: &str) -> Instruction {
        let compiled = self.compiled();
        compiled.instructions.into_iter().find(|one| one.collection == collection).unwrap()
    }

    pub(super) fn explain(&self, collection: &str, record: &Record) -> Explanation {
        explain(&self.input(), &system_name(), &collection_name(collection), record).unwrap()
    }

    pub(super) fn fields_needed(&self, collection: &str) -> Vec<String> {
        let fields = fields_needed(&self.input(), &system_name(), &collection_name(collection));
        fields.unwrap().iter().map(answer_name).collect()
    }

    /// What the order does to a record; held against what `explain` says of it.
    pub(super) fn fate(&self, collection: &str, record: &Record) -> Fate {
        let compiled = self.compiled();
        let order = compiled.order("test", 1).unwrap();
        let instruction =
            order.instructions.iter().find(|one| one.collection == collection).unwrap();
        let value_of =
            |field: &FieldRef| record.get(&answer_name(field)).cloned().unwrap_or(Value::Null);
        let holds = |predicate| evaluate(predicate, &value_of, &order.lists);
        let held = holds(&instruction.held);
        let treatments = instruction.treatments.iter().filter(|one| !held && holds(&one.due));
        let fate = Fate {
            goes: !held && holds(&instruction.delete_when),
            cleared: treatments
                .clone()
                .filter(|one| one.kind == TreatmentKind::Clear)
                .map(|one| one.category.clone())
                .collect(),
            anonymised: treatments
                .filter(|one| one.kind == TreatmentKind::Anonymise)
                .map(|one| one.category.clone())
                .collect(),
            restricted: !held && holds(&instruction.restrict_when),
            probes: instruction
                .probes
                .iter()
                .filter(|probe| holds(&probe.predicate))
                .map(|probe| probe.name.clone())
                .collect(),
        };
        if self.acting == Acting::Everything {
            let explained = self.explain(collection, record);
            assert_eq!(fate.goes, explained.record == RecordState::Due, "{explained:#?}");
        }
        fate
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) goes: bool,
    pub(super) cleared: Vec<String>,
    pub(super) anonymised: Vec<String>,
    pub(super) restricted: bool,
    pub(super) probes: BTreeSet<String>,
}

impl Fate {
    pub(super) fn untouched(&self) -> bool {
        !self.goes && self.cleared.is_empty() && self.anonymised.is_empty() && !self.restricted
    }
}

pub(super) fn record(values: &[(&str, Value)]) -> Record {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// A field: `category` is empty for structure, `!reason` for an exemption.
pub(super) fn field(name: &str, field_type: FieldType, class: &str) -> Field {
    let class = match class.strip_prefix('!') {
        Some(reason) => FieldClass::Exempt(reason.to_owned()),
        None if class.is_empty() => FieldClass::Structure,
        None => FieldClass::Category(category(class)),
    };
    Field {
        name: name.to_owned(),
        field_type,
        stored: Stored::Native,
        zone: "UTC".to_owned(),
        class,
        identity: None,
        ignores_case: false,
        clear: Strategy::Null,
        anonymise: None,
    }
}

pub(super) fn identity(identity: &str, field: Field) -> Field {
    Field { identity: Some(identity.to_owned()), ..field }
}

pub(super) fn collection(name: &str, fields: Vec<Field>) -> Collection {
    Collection {
        name: collection_name(name),
        source: format!("public.{name}"),
        key: vec!["id".to_owned()],
        fields: fields.into_iter().map(|field| (field.name.clone(), field)).collect(),
        links: Vec::new(),
        starting_points: BTreeMap::new(),
        attributes: BTreeMap::new(),
        restriction: None,
        partitions: PartitionPolicy::Records,
        manifest: Manifest::None,
    }
}

pub(super) fn link(name: &str, to: &str, field: &str) -> Link {
    Link {
        name: name.to_owned(),
        to: to.to_owned(),
        fields: vec![(field.to_owned(), "id".to_owned())],
        kind: LinkKind::Deep,
        needed: false,
        clear: Vec::new(),
    }
}

pub(super) fn via(link: &str, field: &str) -> FieldRef {
    FieldRef { via: vec![link.to_owned()], field: field.to_owned() }
}

pub(super) fn rule(name: &str, of: &str, start: &str, period: &str) -> RetentionRule {
    RetentionRule {
        name: rule_name(name),
        version: "2026.1".to_owned(),
        digest: Digest::of(name.as_bytes()),
        author: "Ada Example".to_owned(),
        category: category(of),
        systems: Vec::new(),
        starting_point: start.to_owned(),
        period: RetentionPeriod::parse(period).unwrap(),
        rounding: Rounding::None,
        action: Action::Erase,
        when: Condition::Always,
        basis: LegalBasis { citation: "contract".to_owned(), note: None },
        schedule: ScheduleName::parse("nightly").unwrap(),
        cap: Cap::default(),
        grace: None,
    }
}

pub(super) fn minimum(name: &str, of: &str, start: &str, period: &str) -> Limit {
    Limit {
        name: rule_name(name),
        version: "2026.1".to_owned(),
        kind: LimitKind::Minimum,
        category: category(of),
        starting_point: start.to_owned(),
        period: RetentionPeriod::parse(period).unwrap(),
        rounding: Rounding::None,
        when: Condition::Always,
        jurisdiction: "DE".to_owned(),
        citation: "AO § 147(3)".to_owned(),
        valid_from: None,
        valid_to: None,
    }
}

pub(super) fn exemption(reason: &str) -> Exemption {
    Exemption { reason: reason.to_owned(), owner: "Ada Example".to_owned() }
}

pub(super) fn hold(number: u128, scope: HoldScope) -> LegalHold {
    LegalHold {
        id: Uuid::from_u128(number),
        matter: "matter-1".to_owned(),
        scope,
        reason: "dispute".to_owned(),
        placed_by: "Ada Example".to_owned(),
        placed_at: moment("2026-01-01T00:00:00Z"),
        review_on: None,
        released_at: None,
    }
}

fn customers() -> Collection {
    let mut customers = collection(
        "customers",
        vec![
            field("id", FieldType::Integer, ""),
            identity("email", field("email", FieldType::Text, "contact")),
            field("country", FieldType::Text, "!needed for statistics"),
            field("last_login_at", FieldType::Timestamp, ""),
            field("last_order_on", FieldType::Date, ""),
            field("restricted", FieldType::Boolean, ""),
        ],
    );
    customers.starting_points = BTreeMap::from([
        (
            "inactivity".to_owned(),
            StartSource::Latest(vec![
                FieldRef::own("last_login_at"),
                FieldRef::own("last_order_on"),
            ]),
        ),
        (
            "relationship.ended".to_owned(),
            StartSource::Event { event: "contract.ended".to_owned(), field: FieldRef::own("id") },
        ),
    ]);
    customers
}

fn orders() -> Collection {
    let mut orders = collection(
        "orders",
        vec![
            field("id", FieldType::Integer, ""),
            field("customer_id", FieldType::Integer, ""),
            field("completed_at", FieldType::Timestamp, ""),
            field("invoiced_on", FieldType::Date, ""),
            field("delivery_address", FieldType::Text, "delivery"),
            field("invoice_name", FieldType::Text, "invoice"),
            field("restricted", FieldType::Boolean, ""),
        ],
    );
    orders.links = vec![link("customer", "customers", "customer_id")];
    orders.restriction = Some(Restriction::Flag { field: "restricted".to_owned() });
    orders.starting_points = BTreeMap::from([
        ("order.completed".to_owned(), StartSource::Field(FieldRef::own("completed_at"))),
        ("invoice.issued".to_owned(), StartSource::Field(FieldRef::own("invoiced_on"))),
    ]);
    orders.attributes = BTreeMap::from([("country".to_owned(), via("customer", "country"))]);
    orders
}

fn lines() -> Collection {
    let mut lines = collection(
        "lines",
        vec![
            field("id", FieldType::Integer, ""),
            field("order_id", FieldType::Integer, ""),
            field("engraving", FieldType::Text, "delivery"),
        ],
    );
    lines.links = vec![link("order", "orders", "order_id")];
    lines.starting_points = BTreeMap::from([(
        "order.completed".to_owned(),
        StartSource::Field(via("order", "completed_at")),
    )]);
    lines
}

pub(super) fn system(collections: Vec<Collection>) -> System {
    System {
        name: system_name(),
        kind: "sqlite".to_owned(),
        role: Role::Database,
        owner: "Ada Example".to_owned(),
        region: None,
        url: SecretReference::Plain("sqlite:shop.db".to_owned()),
        progress_table: "quietus_progress".to_owned(),
        pace: Pace::default(),
        limits: crate::domain::SystemLimits::default(),
        collections: collections.into_iter().map(|one| (one.name.clone(), one)).collect(),
        exempt: Vec::new(),
        third_party: None,
        backup: None,
        no_backups: None,
        drill: None,
        residues: None,
        restore: crate::datamap::RestoreSettings::default(),
    }
}

pub(super) fn world_of(system: System, rules: Vec<RetentionRule>, limits: Vec<Limit>) -> World {
    World {
        map: DataMap {
            systems: BTreeMap::from([(system.name.clone(), system)]),
            digest: Digest::of(b"map"),
        },
        identities: IdentityTypes::default(),
        rules: RuleSet {
            rules,
            limits,
            exemptions: BTreeMap::new(),
            schedules: BTreeMap::new(),
            categories: BTreeMap::new(),
            digest: Digest::of(b"rules"),
        },
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        moment: moment("2026-06-01T00:00:00Z"),
        today: None,
        holds: Vec::new(),
        events: EventKeys::default(),
        marks: Marks::new(),
        paused: BTreeSet::new(),
        acting: Acting::Everything,
    }
}

/// Delivery after 90 days, invoices after eight calendar years, contact after three idle years.
pub(super) fn shop() -> World {
    let rules = vec![
        rule("delivery-90d", "delivery", "order.completed", "P90D"),
        rule("invoice", "invoice", "order.completed", "P6M"),
        rule("contact", "contact", "inactivity", "P3Y"),
    ];
    let limits = vec![Limit {
        rounding: Rounding::EndOfCalendarYear,
        ..minimum("ao-147", "invoice", "invoice.issued", "P8Y")
    }];
    world_of(system(vec![customers(), orders(), lines()]), rules, limits)
}

/// An order that was completed and invoiced in March 2020.
pub(super) fn order_of_2020() -> Record {
    record(&[
        ("id", Value::Integer(7)),
        ("customer_id", Value::Integer(1)),
        ("completed_at", at("2020-03-05T10:00:00Z")),
        ("invoiced_on", day("2020-03-01")),
        ("delivery_address", text("Example Street 1")),
        ("invoice_name", text("Grace Example")),
        ("customer.country", text("DE")),
        ("customer.email", text("grace@example.org")),
    ])
}
