//! Plans for persons: whose records go, what keeps them, what is restricted and who is asked.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{FieldType, Predicate, Record, Restriction, SubjectAction, Value};

use super::super::answer_name;
use super::super::{
    FindingKind, PersonScope, Plan, PlanInput, StaysRestricted, StepStatus, SystemPlan, compile,
    concerns_system, evaluate, plan, third_party_holds,
};
use super::fixture::*;
use crate::datamap::{DataMap, SecretReference, System, ThirdParty};
use crate::domain::{HoldScope, IdentityTypes, LegalHold, SystemName};
use crate::schedule::Action;

pub(super) fn scope(action: SubjectAction, identities: &[(&str, &[&str])]) -> PersonScope {
    let of = |(kind, values): &(&str, &[&str])| {
        ((*kind).to_owned(), values.iter().map(|one| (*one).to_owned()).collect())
    };
    PersonScope {
        action,
        identities: identities.iter().map(of).collect(),
        of_one_person: identities.iter().all(|(_, values)| values.len() < 2),
        categories: None,
        records: BTreeMap::new(),
        incomplete: false,
        stays_restricted: Vec::new(),
        later_than: None,
    }
}

/// The shop, where customers are known by their number too, and can be restricted.
pub(super) fn known_shop() -> World {
    let mut world = shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    customers.fields.get_mut("id").unwrap().identity = Some("customer_id".to_owned());
    customers.restriction = Some(Restriction::Flag { field: "restricted".to_owned() });
    world
}

pub(super) fn for_persons<'a>(world: &'a World, scope: &'a PersonScope) -> PlanInput<'a> {
    PlanInput { persons: Some(scope), ..world.input() }
}

/// What the order does to a record.
pub(super) fn fate(world: &World, scope: &PersonScope, collection: &str, record: &Record) -> Fate {
    let compiled = compile(&for_persons(world, scope), &system_name()).unwrap();
    let order = compiled.order("test", 1).unwrap();
    let one = order.instructions.iter().find(|one| one.collection == collection).unwrap();
    let value_of = |field: &quietus_connectors::FieldRef| {
        record.get(&answer_name(field)).cloned().unwrap_or(Value::Null)
    };
    let holds = |predicate: &Predicate| evaluate(predicate, &value_of, &order.lists);
    let held = holds(&one.held);
    let treated = |kind| -> Vec<String> {
        let own = one.treatments.iter().filter(|it| it.kind == kind && !held && holds(&it.due));
        own.map(|it| it.category.clone()).collect()
    };
    assert!(!one.keep || (one.delete_when == Predicate::Never && one.treatments.is_empty()));
    Fate {
        goes: !held && holds(&one.delete_when),
        cleared: treated(quietus_connectors::TreatmentKind::Clear),
        anonymised: treated(quietus_connectors::TreatmentKind::Anonymise),
        restricted: !held && (holds(&one.restrict_when) || holds(&one.lift_when)),
        probes: BTreeSet::new(),
    }
}

fn planned(world: &World, scope: &PersonScope) -> Plan {
    plan(&for_persons(world, scope))
}

#[test]
fn a_persons_records_go_whatever_their_age_and_nobody_elses() {
    let world = known_shop().at("2020-03-06T00:00:00Z");
    let grace =
        scope(SubjectAction::Erase, &[("email", &["grace@example.org"]), ("customer_id", &["1"])]);
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    let fate_of = |order: &Record| fate(&world, &grace, "orders", order);
    // The invoice is kept by the minimum, and the order is restricted meanwhile.
    assert_eq!(fate_of(&order).cleared, ["delivery"]);
    assert!(!fate_of(&order).goes && fate_of(&order).restricted);
    let line = record(&[("order.customer.id", Value::Integer(1))]);
    assert!(fate(&world, &grace, "lines", &line).goes);
    let customer = record(&[("id", Value::Integer(1)), ("email", text("old@example.org"))]);
    assert!(fate(&world, &grace, "customers", &customer).goes);
    order.insert("customer.id".to_owned(), Value::Integer(2));
    order.insert("customer.email".to_owned(), text("alan@example.org"));
    assert!(fate_of(&order).untouched());
}

/// For a count and for a look it is the same, also where the plan was written down in between.
#[test]
fn only_a_plan_for_persons_says_whose_records_they_are() {
    let world = known_shop().at("2020-03-06T00:00:00Z");
    let compiled = compile(&world.input(), &system_name()).unwrap();
    assert!(compiled.instructions.iter().all(|one| one.of_persons.is_none()));
    assert_eq!(compiled.known_by, None);
    let grace = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    let compiled = compile(&for_persons(&world, &grace), &system_name()).unwrap();
    let stored = serde_json::to_string(&compiled).unwrap();
    let read: SystemPlan = serde_json::from_str(&stored).unwrap();
    assert_eq!(read.instructions, compiled.instructions);
    // What more is known of somebody is seen without knowing what it is.
    let more = &[("customer_id", &["1"][..]), ("email", &["grace@example.org"])];
    let more = scope(SubjectAction::Erase, more);
    let more = compile(&for_persons(&world, &more), &system_name()).unwrap();
    assert!(read.known_by > Some(0) && read.known_by < more.known_by, "{:?}", more.known_by);
    let order = compiled.order("test", 1).unwrap();
    let of = |collection: &str| {
        order.instructions.iter().find(|one| one.collection == collection).unwrap()
    };
    assert!(order.instructions.iter().all(|one| one.of_persons.is_some()));
    // Theirs is also what a minimum keeps.
    let mut kept = order_of_2020();
    let mut is_own = |customer: i64| {
        kept.insert("customer.id".to_owned(), Value::Integer(customer));
        let value_of = |field: &quietus_connectors::FieldRef| {
            kept.get(&answer_name(field)).cloned().unwrap_or(Value::Null)
        };
        let holds = |one: &Predicate| evaluate(one, &value_of, &order.lists);
        assert!(!holds(&of("orders").delete_when));
        holds(of("orders").records_of_persons().unwrap())
    };
    assert_eq!((is_own(1), is_own(2)), (true, false));
}

#[test]
fn when_the_minimum_is_over_the_order_goes() {
    let world = known_shop().at("2029-01-01T00:00:00Z");
    let grace = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    let fate = fate(&world, &grace, "orders", &order);
    assert!(fate.goes && !fate.restricted);
}

#[test]
fn nothing_acts_for_nobody() {
    let world = known_shop();
    for identities in
        [&[][..], &[("email", &[][..])], &[("customer_id", &["one", "1.0", " 1", "+1"])]]
    {
        let nobody = scope(SubjectAction::Erase, identities);
        let compiled = compile(&for_persons(&world, &nobody), &system_name()).unwrap();
        assert!(!compiled.acts());
        assert!(planned(&world, &nobody).systems.iter().all(|one| !one.acts()));
    }
}

#[test]
fn a_field_that_goes_is_not_read_where_the_keys_are_known() {
    let world = known_shop();
    let email = &[("email", &["grace@example.org"][..])][..];
    let reads_email = |scope: &PersonScope| {
        let compiled = compile(&for_persons(&world, scope), &system_name()).unwrap();
        let customers = compiled.instructions.iter().find(|one| one.collection == "customers");
        let customers = customers.unwrap().clone();
        let treats = customers.treatments.iter().flat_map(|one| &one.fields);
        let treats = treats.clone().any(|one| one.field == "email");
        (format!("{:?}", customers.delete_when).contains("\"email\""), treats, compiled)
    };
    // Nobody looked: the address is read, and stays as long as its record.
    let (reads, treats, compiled) = reads_email(&scope(SubjectAction::Erase, email));
    assert!(reads && !treats);
    assert!(compiled.findings.iter().any(|one| one.kind == FindingKind::FieldSteers));
    let mut known = scope(SubjectAction::Erase, email);
    let customers = (system_name(), collection_name("customers"));
    known.records.insert(customers.clone(), BTreeSet::from([vec![Value::Integer(7)]]));
    let (reads, treats, _) = reads_email(&known);
    assert!(!reads && treats);
    let guest = record(&[("id", Value::Integer(7)), ("email", Value::Null)]);
    assert!(fate(&world, &known, "customers", &guest).goes);
    let order = record(&[("customer.id", Value::Integer(7)), ("invoiced_on", day("2001-01-01"))]);
    assert!(fate(&world, &known, "orders", &order).goes);
    let other = record(&[("id", Value::Integer(8)), ("email", text("grace@example.org"))]);
    assert!(fate(&world, &known, "customers", &other).untouched());
    // A restriction clears nothing, so it reads everything.
    known.action = SubjectAction::Restrict;
    assert!(fate(&world, &known, "customers", &other).restricted);
}

#[test]
fn a_hold_keeps_what_it_covers_and_forbids_its_restriction() {
    let mut world = known_shop();
    let grace = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    let customer = record(&[("id", Value::Integer(1)), ("email", text("grace@example.org"))]);
    let hold_of = |scope| vec![hold(1, scope)];
    world.holds = hold_of(HoldScope {
        subject: Some(("customer_id".to_owned(), Value::Integer(1))),
        ..HoldScope::default()
    });
    assert!(fate(&world, &grace, "customers", &customer).untouched());
    let compiled = compile(&for_persons(&world, &grace), &system_name()).unwrap();
    assert!(compiled.findings.iter().any(|one| one.kind == FindingKind::HeldNotRestricted));
    // A hold on one category of it keeps the record, which is restricted meanwhile.
    world.holds = hold_of(HoldScope {
        collection: Some(collection_name("customers")),
        category: Some(category("contact")),
        ..HoldScope::default()
    });
    let kept = fate(&world, &grace, "customers", &customer);
    assert!(!kept.goes && kept.cleared.is_empty() && kept.restricted);
}

#[test]
fn only_what_is_asked_for_goes() {
    let world = known_shop().at("2029-01-01T00:00:00Z");
    let mut grace = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    grace.categories = Some(BTreeSet::from([category("delivery")]));
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    let fate_of = fate(&world, &grace, "orders", &order);
    assert_eq!(fate_of.cleared, ["delivery"]);
    assert!(!fate_of.goes && !fate_of.restricted);
    let compiled = compile(&for_persons(&world, &grace), &system_name()).unwrap();
    let invoice = compiled.steps.iter().find(|one| one.category == category("invoice")).unwrap();
    assert_eq!(invoice.status, StepStatus::NotAsked);
}

#[test]
fn categories_without_a_rule_go_and_exempt_ones_stay() {
    let mut world = known_shop().at("2029-01-01T00:00:00Z");
    let grace = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    world.rules.rules.clear();
    assert!(fate(&world, &grace, "orders", &order).goes);
    world.rules.exemptions.insert(category("invoice"), exemption("court file"));
    let kept = fate(&world, &grace, "orders", &order);
    assert!(!kept.goes && !kept.restricted);
    assert_eq!(kept.cleared, ["delivery"]);
}

#[test]
fn what_a_rule_makes_anonymous_becomes_anonymous() {
    let mut world = known_shop().at("2029-01-01T00:00:00Z");
    world.rules.rules[0].action = Action::Anonymise;
    world.rules.rules[0].grace = Some(crate::domain::RetentionPeriod::parse("P14D").unwrap());
    world.paused.insert(world.rules.rules[1].name.clone());
    let grace = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    let kept = fate(&world, &grace, "orders", &order);
    assert_eq!(
        (kept.anonymised, kept.cleared, kept.goes),
        (vec!["delivery".into()], vec!["invoice".into()], false)
    );
}

#[test]
fn restriction_and_its_end_change_nothing_else() {
    let world = known_shop();
    for action in [SubjectAction::Restrict, SubjectAction::Lift] {
        let grace = scope(action, &[("email", &["grace@example.org"])]);
        let customer = record(&[("id", Value::Integer(1)), ("email", text("grace@example.org"))]);
        let fate_of = fate(&world, &grace, "customers", &customer);
        assert!(fate_of.restricted && !fate_of.goes && fate_of.cleared.is_empty());
        let compiled = compile(&for_persons(&world, &grace), &system_name()).unwrap();
        let lifts = compiled.instructions.iter().any(|one| one.lift_when != Predicate::Never);
        let restricts =
            compiled.instructions.iter().any(|one| one.restrict_when != Predicate::Never);
        assert_eq!(
            (restricts, lifts),
            (action == SubjectAction::Restrict, action == SubjectAction::Lift)
        );
        let lines = compiled.findings.iter().find(|one| one.kind == FindingKind::NoRestriction);
        assert_eq!(lines.unwrap().collection, collection_name("lines"));
    }
}

#[test]
fn lifting_leaves_what_the_law_or_another_request_keeps_restricted() {
    let world = known_shop().at("2020-03-06T00:00:00Z");
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    let customer = record(&[("id", Value::Integer(1)), ("email", text("grace@example.org"))]);
    let lifted = |stays: &[StaysRestricted]| {
        let mut grace = scope(SubjectAction::Lift, &[("customer_id", &["1"])]);
        grace.stays_restricted = stays.to_vec();
        let of = |name: &str, record: &Record| fate(&world, &grace, name, record).restricted;
        (of("customers", &customer), of("orders", &order))
    };
    let some = |name: &str| Some(BTreeSet::from([category(name)]));
    // Nothing but her own request has restricted it.
    assert_eq!(lifted(&[]), (true, true));
    // An erasure has left the invoice for its minimum; one of the address alone restricted nothing.
    assert_eq!(lifted(&[StaysRestricted::ByErasure(None)]), (true, false));
    assert_eq!(lifted(&[StaysRestricted::ByErasure(some("delivery"))]), (true, true));
    // Another request of hers wants it restricted.
    assert_eq!(lifted(&[StaysRestricted::ByRequest(None)]), (false, false));
    assert_eq!(lifted(&[StaysRestricted::ByRequest(some("contact"))]), (false, true));
    // Once the minimum is over, the erasure restricts nothing any more.
    let later = known_shop().at("2029-01-01T00:00:00Z");
    let mut grace = scope(SubjectAction::Lift, &[("customer_id", &["1"])]);
    grace.stays_restricted = vec![StaysRestricted::ByErasure(None)];
    assert!(fate(&later, &grace, "orders", &order).restricted);
}

#[test]
fn lifting_leaves_what_a_rule_restricts() {
    let mut world = known_shop().at("2029-01-01T00:00:00Z");
    let mut order = order_of_2020();
    order.insert("customer.id".to_owned(), Value::Integer(1));
    let grace = scope(SubjectAction::Lift, &[("customer_id", &["1"])]);
    assert!(fate(&world, &grace, "orders", &order).restricted);
    for rule in &mut world.rules.rules {
        rule.action = Action::Restrict;
    }
    assert!(!fate(&world, &grace, "orders", &order).restricted);
}

pub(super) fn mailer(map: &mut DataMap) -> SystemName {
    let name = SystemName::parse("mailer").unwrap();
    let third_party = ThirdParty {
        operator: "Example Mail Ltd".to_owned(),
        address: Some(SecretReference::Plain("https://mail.example.com".to_owned())),
        trust: None,
        private_hosts: Vec::new(),
        definition: None,
        definition_text: None,
        parameters: BTreeMap::new(),
        categories: BTreeSet::from([category("contact")]),
        identities: BTreeSet::from(["email".to_owned()]),
        answers_within: None,
        task: None,
        mail: None,
        language: None,
    };
    let system = System {
        name: name.clone(),
        kind: "opendsr".to_owned(),
        third_party: Some(third_party),
        ..system(Vec::new())
    };
    map.systems.insert(name.clone(), system);
    name
}

#[test]
fn third_parties_are_asked_only_for_persons_whom_they_know() {
    let mut world = known_shop();
    let mailer = mailer(&mut world.map);
    let swept = world.plan();
    assert!(swept.system(&mailer).is_none());
    assert_eq!(swept.left_out.len(), 1);
    assert!(swept.left_out[0].why.contains("only on a person's request"));
    let why = |scope: &PersonScope| {
        let planned = planned(&world, scope);
        let part = planned.system(&mailer).and_then(|one| one.persons.clone());
        let why =
            planned.left_out.iter().find(|one| one.system == mailer).map(|one| one.why.clone());
        assert_ne!(part.is_some(), why.is_some());
        why
    };
    let mut grace = scope(SubjectAction::Erase, &[("email", &["grace@example.org"])]);
    assert_eq!(why(&grace), None);
    grace.categories = Some(BTreeSet::from([category("invoice")]));
    assert!(why(&grace).unwrap().contains("none of the categories"));
    let number = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
    assert!(why(&number).unwrap().contains("no known identity reaches it"));
    let phone = scope(SubjectAction::Erase, &[("msisdn", &["+4915123456789"])]);
    let planned = planned(&world, &phone);
    assert!(planned.systems.is_empty() && planned.left_out.len() == 2, "{:?}", planned.left_out);
}

/// A system that could not be asked may know what leads to the others.
#[test]
fn nobody_is_left_out_while_a_system_could_not_be_asked() {
    let mut world = known_shop();
    let mailer = mailer(&mut world.map);
    let mut phone = scope(SubjectAction::Erase, &[("msisdn", &["+4915123456789"])]);
    phone.incomplete = true;
    let waits = planned(&world, &phone);
    assert_eq!((waits.systems.len(), waits.left_out.len()), (2, 0), "{:?}", waits.left_out);
    let part = waits.system(&mailer).and_then(|one| one.persons.clone()).expect("its part");
    assert!(part.identities.is_empty() && !part.categories.is_empty(), "{part:?}");
    let database = waits.systems.iter().find(|one| one.system != mailer).expect("the shop");
    assert!(!database.acts(), "nothing is done before somebody is known there");
    // What is not asked for is left out all the same.
    phone.categories = Some(BTreeSet::from([category("invoice")]));
    let narrow = planned(&world, &phone);
    assert!(narrow.left_out.iter().any(|one| one.why.contains("none of the categories")));
}

#[test]
fn a_stored_plan_names_nobody() {
    let world = known_shop();
    let grace = scope(
        SubjectAction::Erase,
        &[("email", &["grace@example.org"]), ("customer_id", &["77001"])],
    );
    let planned = planned(&world, &grace);
    let stored = serde_json::to_string(&planned).unwrap();
    assert!(!stored.contains("grace") && !stored.contains("77001"));
    assert!(stored.contains("\"persons\""));
    assert!(!format!("{planned:?} {grace:?}").contains("grace"));
    let read: Plan = serde_json::from_str(&stored).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    assert!(read.systems[0].order("key", 1).is_err());
}

#[test]
fn a_number_is_no_other_number() {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    let other = identity("site_id", field("site", FieldType::Integer, ""));
    customers.fields.insert("site".to_owned(), other);
    let site = scope(SubjectAction::Erase, &[("site_id", &["1"])]);
    let customer = record(&[("id", Value::Integer(1)), ("site", Value::Integer(9))]);
    assert!(fate(&world, &site, "customers", &customer).untouched());
    let zeros = scope(SubjectAction::Erase, &[("customer_id", &["01", "001"])]);
    assert!(fate(&world, &zeros, "customers", &customer).untouched());
}

/// A third party can only be asked for a person as a whole, so whatever a hold covers of theirs
/// keeps all of it; a hold that names somebody or something else keeps nothing there.
#[test]
fn a_hold_keeps_a_third_party_from_being_asked_to_erase() {
    let mut world = known_shop();
    let mailer = mailer(&mut world.map);
    let other = SystemName::parse("letters").unwrap();
    let mut second = world.map.systems[&mailer].clone();
    second.name = other.clone();
    second.third_party.as_mut().unwrap().categories = BTreeSet::from([category("delivery")]);
    world.map.systems.insert(other.clone(), second);
    let types = IdentityTypes::default();
    let of = |map: &DataMap, persons: &PersonScope, scope: HoldScope| {
        third_party_holds((map, &types), &[hold(1, scope)], &mailer, persons).len() == 1
    };
    let known = [("email", &["grace@example.org"][..]), ("customer_id", &["1"])];
    let mut grace = scope(SubjectAction::Erase, &known);
    let named = |identity: &str, value: Value| HoldScope {
        subject: Some((identity.to_owned(), value)),
        ..HoldScope::default()
    };
    let place =
        |system: Option<&SystemName>, collection: Option<&str>, held: Option<&str>| HoldScope {
            system: system.cloned(),
            collection: collection.map(collection_name),
            category: held.map(category),
            ..HoldScope::default()
        };
    let gone = SystemName::parse("gone").unwrap();
    for covers in [
        HoldScope::default(),
        place(Some(&mailer), None, None),
        place(Some(&mailer), None, Some("contact")),
        place(None, None, Some("contact")),
        // Names that the data map does not have cover whatever might be meant.
        place(Some(&gone), None, None),
        place(Some(&mailer), Some("readers"), None),
        place(None, None, Some("dreams")),
        // By a number that the third party never hears of.
        named("customer_id", Value::Integer(1)),
        named("email", Value::Text("grace@example.org".to_owned())),
    ] {
        assert!(of(&world.map, &grace, covers.clone()), "{covers:?}");
        let hold = hold(1, covers);
        assert!(concerns_system(&world.map, &hold, &mailer));
        let released = LegalHold { released_at: Some(hold.placed_at), ..hold };
        assert!(!concerns_system(&world.map, &released, &mailer));
        assert!(third_party_holds((&world.map, &types), &[released], &mailer, &grace).is_empty());
    }
    for covers_not in [
        place(Some(&other), None, None),
        place(Some(&system_name()), None, None),
        place(None, Some("orders"), None),
        place(None, None, Some("delivery")),
        named("customer_id", Value::Integer(2)),
        named("email", Value::Text("alan@example.org".to_owned())),
        named("msisdn", Value::Text("+4915123456789".to_owned())),
    ] {
        assert!(!of(&world.map, &grace, covers_not.clone()), "{covers_not:?}");
    }
    // As long as not everybody was asked, it may be theirs.
    grace.incomplete = true;
    assert!(of(&world.map, &grace, named("msisdn", Value::Text("+4915123456789".to_owned()))));
    grace.incomplete = false;
    // A hold keeps from erasing, and neither from restricting nor from lifting.
    world.holds = vec![hold(1, HoldScope::default())];
    for (action, held) in
        [(SubjectAction::Erase, 1), (SubjectAction::Restrict, 0), (SubjectAction::Lift, 0)]
    {
        grace.action = action;
        let planned = planned(&world, &grace);
        let part = planned.system(&mailer).and_then(|one| one.persons.clone()).unwrap();
        assert_eq!(part.held.len(), held, "{action:?}");
    }
}
