//! Whom a hold names, in whatever spelling: what was typed, and how systems have it.

use quietus_connectors::{FieldType, SubjectAction, Value};

use super::super::{
    FindingKind, PersonScope, PlanInput, RecordState, compile, may_be_named, third_party_holds,
};
use super::fixture::*;
use super::persons::{fate, for_persons, known_shop, mailer, scope};
use crate::domain::{HoldScope, IdentityType, Normalisation, Numbering, SystemName};

fn subject(kind: &str, value: Value) -> HoldScope {
    HoldScope { subject: Some((kind.to_owned(), value)), ..HoldScope::default() }
}

/// The shop of 2040, where everything is due, whose customers are known by their number, which the
/// orders have as text, and by two telephone numbers.
fn known_by_much() -> World {
    let mut world = known_shop().at("2040-01-01T00:00:00Z");
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    for (name, field_type) in [("mobile", FieldType::Text), ("landline", FieldType::Integer)] {
        let phone = identity("msisdn", field(name, field_type, "contact"));
        customers.fields.insert(name.to_owned(), phone);
    }
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    let buyer = identity("customer_id", field("buyer", FieldType::Text, ""));
    orders.fields.insert("buyer".to_owned(), buyer);
    let country = Numbering::of("DE").unwrap();
    world.identities.0.insert(
        "msisdn".to_owned(),
        IdentityType {
            name: "msisdn".to_owned(),
            normalise: Normalisation::Phone { country },
            one_per_person: false,
        },
    );
    world
}

fn held(kind: &str, value: Value) -> World {
    let mut world = known_by_much();
    world.holds = vec![hold(1, subject(kind, value))];
    world
}

/// A customer whom nobody has seen for long, with one more value.
fn customer(name: &str, value: Value) -> quietus_connectors::Record {
    record(&[
        ("id", Value::Integer(1)),
        ("last_login_at", at("2000-01-01T00:00:00Z")),
        (name, value),
    ])
}

#[test]
fn capitals_of_an_address_do_not_count() {
    let world = held("email", text(" GRACE@Example.org"));
    let grace = customer("email", text("grace@example.org"));
    assert!(world.fate("customers", &grace).untouched());
    assert!(world.fate("customers", &customer("email", text("GRACE@Example.org"))).untouched());
    assert!(world.fate("customers", &customer("email", text("alan@example.org"))).goes);
    // And through a link.
    let mut order = order_of_2020();
    assert!(world.fate("orders", &order).untouched());
    order.insert("customer.email".to_owned(), text("alan@example.org"));
    assert!(world.fate("orders", &order).goes);
}

#[test]
fn a_telephone_number_is_known_in_every_form() {
    for typed in ["+49 151 2345678", "0151 2345678", "0049-151-2345678"] {
        let world = held("msisdn", text(typed));
        for written in ["01512345678", "+491512345678", "00491512345678", "491512345678"] {
            let customer = customer("mobile", text(written));
            assert!(world.fate("customers", &customer).untouched(), "{typed}: {written}");
        }
        let as_number = |number| customer("landline", Value::Integer(number));
        assert!(world.fate("customers", &as_number(491_512_345_678)).untouched());
        assert!(world.fate("customers", &as_number(1_512_345_678)).untouched());
        assert!(world.fate("customers", &as_number(491_512_345_679)).goes);
        assert!(world.fate("customers", &customer("mobile", text("01512345679"))).goes);
    }
    // An older hold has lost what stood before the number.
    let world = held("msisdn", Value::Integer(1_512_345_678));
    assert!(world.fate("customers", &customer("mobile", text("+491512345678"))).untouched());
    assert!(world.fate("customers", &customer("mobile", text("01512345679"))).goes);
}

#[test]
fn zeros_in_front_do_not_count_where_a_field_has_lost_them() {
    let customer = |number: i64| {
        record(&[("id", Value::Integer(number)), ("last_login_at", at("2000-01-01T00:00:00Z"))])
    };
    let bought_by = |number: &str| {
        let mut order = order_of_2020();
        order.insert("buyer".to_owned(), text(number));
        order
    };
    // What was typed, and what earlier versions made of it.
    for named in [text("04711"), text("4711"), Value::Integer(4711)] {
        let world = held("customer_id", named.clone());
        assert!(world.fate("customers", &customer(4711)).untouched(), "{named:?}");
        assert!(world.fate("customers", &customer(4712)).goes);
        for written in ["04711", "4711", "0004711"] {
            assert!(world.fate("orders", &bought_by(written)).untouched(), "{written}");
        }
        for other in ["47110", "4712", "04712", "711"] {
            assert!(world.fate("orders", &bought_by(other)).goes, "{other}");
        }
        let findings = world.compiled().findings;
        assert!(findings.iter().all(|one| one.kind != FindingKind::HoldNotReadable));
    }
    // Where every system has it as text, they do.
    let mut world = held("customer_id", text("04711"));
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    customers.fields.get_mut("id").unwrap().identity = None;
    assert!(world.fate("orders", &bought_by("04711")).untouched());
    assert!(world.fate("orders", &bought_by("4711")).goes);
}

#[test]
fn a_third_party_is_not_asked_about_whoever_is_held_in_another_spelling() {
    let world = known_by_much();
    let mut map = world.map.clone();
    let party = mailer(&mut map);
    let known = [
        ("email", &["grace@example.org"][..]),
        ("msisdn", &["+491512345678"]),
        ("customer_id", &["4711"]),
    ];
    let grace = scope(SubjectAction::Erase, &known);
    let is_held = |persons: &PersonScope, kind: &str, value: Value| {
        let holds = [hold(1, subject(kind, value))];
        third_party_holds((&map, &world.identities), &holds, &party, persons).len() == 1
    };
    assert!(is_held(&grace, "email", text("GRACE@Example.org")));
    assert!(is_held(&grace, "msisdn", text("0151 2345678")));
    assert!(is_held(&grace, "customer_id", text("04711")));
    assert!(is_held(&grace, "customer_id", Value::Integer(4711)));
    let with_zero = scope(SubjectAction::Erase, &[("customer_id", &["04711"])]);
    assert!(is_held(&with_zero, "customer_id", Value::Integer(4711)));
    assert!(!is_held(&grace, "email", text("ALAN@Example.org")));
    assert!(!is_held(&grace, "msisdn", text("0151 2345679")));
    assert!(!is_held(&grace, "customer_id", text("04712")));
}

#[test]
fn what_a_system_takes_for_the_same_text_is_explained_as_held() {
    let state = |change: &dyn Fn(&mut World)| {
        let mut world = held("email", text("grace@example.org"));
        change(&mut world);
        let record = customer("email", text("Grace@Example.org"));
        let other = customer("email", text("alan@example.org"));
        assert_eq!(world.explain("customers", &other).record, RecordState::Due);
        world.explain("customers", &record).record
    };
    let shop = |world: &mut World, kind: &str, ignores_case: bool| {
        let shop = world.map.systems.get_mut(&system_name()).unwrap();
        shop.kind = kind.to_owned();
        let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
        customers.fields.get_mut("email").unwrap().ignores_case = ignores_case;
    };
    assert_eq!(state(&|world: &mut World| shop(world, "postgresql", false)), RecordState::Due);
    for (kind, ignores_case) in [("postgresql", true), ("mariadb", false), ("mysql", true)] {
        let found = state(&|world: &mut World| shop(world, kind, ignores_case));
        assert!(matches!(found, RecordState::Held { .. }), "{kind}: {found:?}");
    }
}

/// A ticket that came by mail belongs to the customer all the same.
#[test]
fn whoever_a_hold_names_keeps_what_is_theirs_by_something_else() {
    let mut world = known_by_much();
    let known = [("email", &["grace@example.org"][..]), ("customer_id", &["4711"])];
    let grace = scope(SubjectAction::Erase, &known);
    let mut by_mail = order_of_2020();
    by_mail.insert("customer.id".to_owned(), Value::Null);
    assert!(fate(&world, &grace, "orders", &by_mail).goes);
    world.holds = vec![hold(1, subject("customer_id", text("04711")))];
    assert!(fate(&world, &grace, "orders", &by_mail).untouched());
    // Of one category, that category of it.
    let delivery =
        HoldScope { category: Some(category("delivery")), ..subject("customer_id", text("4711")) };
    world.holds = vec![hold(1, delivery)];
    let kept = fate(&world, &grace, "orders", &by_mail);
    assert!(!kept.goes && kept.restricted);
    assert_eq!(kept.cleared, ["invoice"]);
    // A hold on somebody else, a released one, and somebody else's erasure.
    world.holds = vec![hold(1, subject("customer_id", text("4712")))];
    assert!(fate(&world, &grace, "orders", &by_mail).goes);
    world.holds = vec![hold(1, subject("customer_id", text("4711")))];
    let alan = [("email", &["grace@example.org"][..]), ("customer_id", &["12"])];
    assert!(fate(&world, &scope(SubjectAction::Erase, &alan), "orders", &by_mail).goes);
    // It keeps from erasing, and not from restricting.
    assert!(fate(&world, &scope(SubjectAction::Restrict, &known), "orders", &by_mail).restricted);
    world.holds[0].released_at = Some(moment("2026-02-01T00:00:00Z"));
    assert!(fate(&world, &grace, "orders", &by_mail).goes);
}

/// Nobody is held by what only a system that could not be asked can say.
#[test]
fn while_not_everybody_could_be_asked_a_hold_may_name_anybody() {
    let mut world = known_by_much();
    world.holds = vec![hold(1, subject("customer_id", text("4711")))];
    let mut grace = scope(SubjectAction::Erase, &[("email", &["grace@example.org"])]);
    let may = |world: &World, persons: &PersonScope| {
        let input = PlanInput { persons: Some(persons), ..world.input() };
        may_be_named(&input, &system_name(), persons)
    };
    let one_each = IdentityType { one_per_person: true, ..IdentityType::undeclared("customer_id") };
    world.identities.0.insert("customer_id".to_owned(), one_each);
    assert!(!may(&world, &grace), "everybody was asked");
    grace.incomplete = true;
    assert!(may(&world, &grace));
    let compiled = compile(&for_persons(&world, &grace), &system_name()).unwrap();
    assert!(compiled.acts(), "so whoever orders it has to wait");
    let known = [("email", &["grace@example.org"][..]), ("customer_id", &["12"])];
    let mut alan = scope(SubjectAction::Erase, &known);
    alan.incomplete = true;
    assert!(!may(&world, &alan));
    // Everybody may have another address.
    world.holds.push(hold(2, subject("email", text("grace@other.example"))));
    assert!(may(&world, &alan));
    world.holds[1].scope.system = Some(SystemName::parse("elsewhere").unwrap());
    assert!(!may(&world, &alan), "what it names is in another system");
    world.holds.pop();
    world.holds[0].released_at = Some(moment("2026-02-01T00:00:00Z"));
    assert!(!may(&world, &grace));
}
