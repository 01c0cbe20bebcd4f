//! From what a person gave to all that is held.

use std::collections::BTreeMap;

use quietus_connectors::{Answer, FieldType, LinkKind, Record, SubjectAction, Value};

use super::super::{
    Lesson, Person, answer_name, can_be_shared_out, evaluate, learn, questions, scope_of, shares,
};
use super::fixture::*;
use super::persons::{fate, known_shop};
use crate::domain::{IdentityType, IdentityTypes, Normalisation};

fn types() -> IdentityTypes {
    let mut types = BTreeMap::new();
    for (name, normalise, one_per_person) in [
        ("email", Normalisation::Email, false),
        ("customer_id", Normalisation::Trim, true),
        ("ticket_no", Normalisation::Trim, false),
    ] {
        let name = name.to_owned();
        types.insert(name.clone(), IdentityType { name, normalise, one_per_person });
    }
    IdentityTypes(types)
}

fn person(reference: &str, identities: &[(&str, &str)]) -> Person {
    let mut person = Person::new(reference);
    for (kind, value) in identities {
        assert!(person.add(&types().of(kind), value).unwrap());
    }
    person
}

/// Collections with their records, as a system would answer.
type Content = Vec<(&'static str, Vec<Record>)>;

/// What a system with this content answers about these people.
fn answers(world: &World, content: &Content, persons: &[Person]) -> Vec<Answer> {
    let asking = questions(&world.input(), &system_name(), persons).unwrap();
    let answer = |question: &quietus_connectors::Question| {
        let all = content.iter().find(|(name, _)| *name == question.collection);
        let all = all.map(|(_, records)| records.as_slice()).unwrap_or_default();
        let belongs = |record: &&Record| {
            let value_of = |field: &quietus_connectors::FieldRef| {
                record.get(&answer_name(field)).cloned().unwrap_or(Value::Null)
            };
            evaluate(&question.predicate, &value_of, &asking.order.lists)
        };
        let asked: Vec<String> = question.fields.iter().map(answer_name).collect();
        let only_asked = |record: &Record| -> Record {
            let value = |name: &String| record.get(name).cloned().unwrap_or(Value::Null);
            asked.iter().map(|name| (name.clone(), value(name))).collect()
        };
        let records = all.iter().filter(belongs).map(only_asked).collect();
        Answer { collection: question.collection.clone(), records, more: false }
    };
    asking.questions.iter().map(answer).collect()
}

/// Asks until nothing is new, as the use cases do.
fn resolve(world: &World, content: &Content, persons: &mut [Person]) -> (Lesson, u32) {
    for round in 1..=10 {
        let answers = answers(world, content, persons);
        let lesson = learn(&world.input(), &types(), &system_name(), &answers, persons).unwrap();
        if !lesson.news {
            return (lesson, round);
        }
    }
    panic!("no end");
}

fn customer(id: i64, email: &str) -> Record {
    record(&[("id", Value::Integer(id)), ("email", text(email))])
}

fn order(id: i64, of: i64, email: &str, invoiced: &str) -> Record {
    record(&[
        ("id", Value::Integer(id)),
        ("customer.id", Value::Integer(of)),
        ("customer.email", text(email)),
        ("invoiced_on", day(invoiced)),
    ])
}

#[test]
fn an_address_leads_to_the_number_and_on_to_the_orders() {
    let world = known_shop();
    let content: Content = vec![
        ("customers", vec![customer(1, "Grace@Example.org"), customer(2, "alan@example.org")]),
        (
            "orders",
            vec![
                order(7, 1, "x@example.org", "2024-02-29"),
                order(8, 1, "x@example.org", "2025-02-01"),
                order(9, 2, "alan@example.org", "2025-02-01"),
            ],
        ),
    ];
    let mut persons = [person("p1", &[("email", "Grace@Example.org")])];
    let (lesson, rounds) = resolve(&world, &content, &mut persons);
    assert_eq!(rounds, 2);
    let known: Vec<(&str, &str)> =
        persons[0].identities().map(|one| (one.kind.as_str(), one.value.as_str())).collect();
    assert_eq!(known, [("customer_id", "1"), ("email", "grace@example.org")]);
    assert!(lesson.ambiguities.is_empty() && lesson.too_many.is_empty());
    let found = |name: &str| lesson.found.get(&("p1".to_owned(), collection_name(name))).copied();
    assert_eq!((found("customers"), found("orders"), found("lines")), (Some(1), Some(2), None));
    // Eight calendar years after the later invoice.
    let kept = &lesson.kept[0];
    assert_eq!((lesson.kept.len(), kept.records, kept.limit.as_str()), (1, 2, "ao-147"));
    assert_eq!(kept.until, Some(moment("2033-12-31T23:00:00Z")));
    let ends = ["2032-12-31T23:00:00Z", "2033-12-31T23:00:00Z"].map(moment);
    assert_eq!(kept.ends, ends.into());
    // Every customer is named by a number that stays, so no key is needed.
    let scope = scope_of(SubjectAction::Erase, &persons, None, lesson.records.clone());
    assert!(lesson.records.values().all(std::collections::BTreeSet::is_empty));
    assert!(scope.identities["email"].contains("Grace@Example.org"));
    assert!(!format!("{persons:?} {scope:?}").to_lowercase().contains("grace"));
}

#[test]
fn a_shared_order_is_found_once_it_is_theirs_alone_and_teaches_nothing() {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    let ticket = identity("ticket_no", field("ticket", FieldType::Integer, ""));
    orders.fields.insert("ticket".to_owned(), ticket);
    orders.fields.insert("payer_id".to_owned(), field("payer_id", FieldType::Integer, ""));
    orders.links.push(link("payer", "customers", "payer_id"));
    for link in &mut orders.links {
        link.kind = quietus_connectors::LinkKind::Shared;
    }
    let order = |id: i64, payer: i64| {
        let mut order = order(id, 1, "grace@example.org", "2025-02-01");
        order.insert("payer.id".to_owned(), Value::Integer(payer));
        order.insert("ticket".to_owned(), Value::Integer(70 + id));
        order
    };
    let content: Content = vec![
        ("customers", vec![customer(1, "grace@example.org"), customer(2, "alan@example.org")]),
        ("orders", vec![order(7, 1), order(8, 2)]),
    ];
    let grace = || person("p1", &[("email", "grace@example.org")]);
    let alan = || person("p2", &[("email", "alan@example.org")]);
    let orders_of = |lesson: &Lesson, name: &str| {
        lesson.found.get(&(name.to_owned(), collection_name("orders"))).copied()
    };
    let (lesson, _) = resolve(&world, &content, &mut [grace()]);
    assert_eq!(orders_of(&lesson, "p1"), Some(1));
    assert_eq!(lesson.kept[0].records, 1);
    let mut both = [grace(), alan()];
    let (lesson, _) = resolve(&world, &content, &mut both);
    assert_eq!((orders_of(&lesson, "p1"), orders_of(&lesson, "p2")), (Some(2), Some(1)));
    assert!(both.iter().flat_map(Person::identities).all(|one| one.kind != "ticket_no"));
}

#[test]
fn two_people_under_one_address_are_told_and_not_guessed() {
    let world = known_shop();
    let content: Content =
        vec![("customers", vec![customer(1, "home@example.org"), customer(2, "home@example.org")])];
    let mut persons = [person("p1", &[("email", "home@example.org")])];
    let (lesson, _) = resolve(&world, &content, &mut persons);
    assert_eq!(lesson.ambiguities.len(), 1);
    assert_eq!(
        (lesson.ambiguities[0].identity.as_str(), lesson.ambiguities[0].values),
        ("customer_id", 2)
    );
}

#[test]
fn nobody_is_not_found_and_everybody_keeps_their_own() {
    let world = known_shop();
    let content: Content = vec![(
        "customers",
        vec![customer(1, "grace@example.org"), customer(2, "alan@example.org")],
    )];
    let mut persons = [
        person("p1", &[("email", "grace@example.org")]),
        person("p2", &[("email", "alan@example.org")]),
        person("p3", &[("email", "nobody@example.org")]),
        Person::new("p4"),
    ];
    let (lesson, _) = resolve(&world, &content, &mut persons);
    let found: Vec<&str> = lesson.found.keys().map(|(person, _)| person.as_str()).collect();
    assert_eq!(found, ["p1", "p2"]);
    assert_eq!(
        persons[1].subject(&["customer_id".to_owned()].into()).unwrap().identities[0].value,
        "2"
    );
    assert!(persons[2].subject(&["customer_id".to_owned()].into()).is_none());
    let nobody = questions(&world.input(), &system_name(), &[Person::new("p4")]).unwrap();
    assert!(nobody.questions.is_empty());
}

#[test]
fn a_record_that_only_a_going_field_names_gives_its_key() {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let mut letters = collection(
        "letters",
        vec![
            field("id", FieldType::Integer, ""),
            identity("email", field("to", FieldType::Text, "contact")),
            identity("customer_id", field("customer", FieldType::Integer, "")),
        ],
    );
    letters.links = Vec::new();
    shop.collections.insert(letters.name.clone(), letters);
    let letter = |id: i64, customer: Value| {
        record(&[
            ("id", Value::Integer(id)),
            ("to", text("grace@example.org")),
            ("customer", customer),
        ])
    };
    let content: Content = vec![
        ("customers", vec![customer(1, "grace@example.org")]),
        ("letters", vec![letter(5, Value::Null), letter(6, Value::Integer(1))]),
    ];
    let mut persons = [person("p1", &[("email", "grace@example.org")])];
    let (lesson, _) = resolve(&world, &content, &mut persons);
    let keys = &lesson.records[&(system_name(), collection_name("letters"))];
    assert_eq!(keys.iter().collect::<Vec<_>>(), [&vec![Value::Integer(5)]]);
}

/// Storage limitation (GDPR article 5(1)(e)): no record waits for the minimum of another.
#[test]
fn each_record_goes_when_its_own_minimum_ends() {
    let world = known_shop();
    let orders = ["2018-05-01", "2024-02-29", "2018-11-30"].map(|invoiced| {
        let of_one = [
            ("customer_id", Value::Integer(1)),
            ("customer.id", Value::Integer(1)),
            ("customer.email", text("grace@example.org")),
            ("customer.country", text("DE")),
            ("invoiced_on", day(invoiced)),
        ];
        record(&of_one)
    });
    let content: Content = vec![("orders", orders.to_vec())];
    let kept_at = |moment: &str| {
        let world = known_shop().at(moment);
        let mut persons = [person("p1", &[("customer_id", "1")])];
        let (mut lesson, _) = resolve(&world, &content, &mut persons);
        let kept = lesson.kept.pop().map(|one| {
            let ends: Vec<_> = one.ends.into_iter().collect();
            (one.records, ends, one.until)
        });
        assert!(lesson.kept.is_empty());
        kept
    };
    let (first, last) = (moment("2026-12-31T23:00:00Z"), moment("2032-12-31T23:00:00Z"));
    let all = (3, vec![first, last], Some(last));
    assert_eq!(kept_at("2026-11-23T10:00:00Z"), Some(all.clone()));
    assert_eq!(kept_at("2026-12-31T22:59:59Z"), Some(all));
    assert_eq!(kept_at("2026-12-31T23:00:00Z"), Some((1, vec![last], Some(last))));
    assert_eq!(kept_at("2032-12-31T23:00:00Z"), None);

    let scope = scope_of(
        SubjectAction::Erase,
        &[person("p1", &[("customer_id", "1")])],
        None,
        BTreeMap::new(),
    );
    let gone_at = |moment| {
        let world = World { moment, ..known_shop() };
        orders.each_ref().map(|order| {
            let fate = fate(&world, &scope, "orders", order);
            assert_ne!(fate.goes, fate.restricted, "{fate:?}");
            fate.goes
        })
    };
    assert_eq!(gone_at(world.moment), [false; 3]);
    assert_eq!(gone_at(first), [true, false, true]);
    assert_eq!(gone_at(last), [true; 3]);
}

#[test]
fn without_a_start_a_minimum_has_no_end() {
    let world = known_shop();
    let mut open = order(7, 1, "grace@example.org", "2024-02-29");
    open.insert("invoiced_on".to_owned(), Value::Null);
    let content: Content =
        vec![("orders", vec![order(8, 1, "grace@example.org", "2024-02-29"), open])];
    let mut persons = [person("p1", &[("customer_id", "1")])];
    let (lesson, _) = resolve(&world, &content, &mut persons);
    assert_eq!((lesson.kept.len(), lesson.kept[0].until, lesson.kept[0].records), (1, None, 2));
    assert_eq!(lesson.kept[0].ends, [moment("2032-12-31T23:00:00Z")].into(), "of the other one");
    // What is over keeps nothing.
    let (lesson, _) = resolve(
        &world,
        &vec![("orders", vec![order(8, 1, "grace@example.org", "2001-02-28")])],
        &mut persons,
    );
    assert!(lesson.kept.is_empty());
}

/// Strangers, two who share an address, one who ordered under another's address, and nobody.
#[test]
fn of_many_each_learns_what_would_be_learned_alone() {
    let world = known_shop();
    let content: Content = vec![
        (
            "customers",
            vec![
                customer(1, "grace@example.org"),
                customer(2, "home@example.org"),
                customer(3, "home@example.org"),
                customer(4, "alan@example.org"),
            ],
        ),
        (
            "orders",
            vec![
                order(7, 1, "grace@example.org", "2024-02-29"),
                order(8, 2, "home@example.org", "2025-02-01"),
                order(9, 4, "grace@example.org", "2025-02-01"),
                order(10, 3, "home@example.org", "2012-02-01"),
            ],
        ),
    ];
    let many = [
        person("p1", &[("email", "grace@example.org")]),
        person("p1", &[("customer_id", "2")]),
        person("p1", &[("email", "home@example.org")]),
        person("p1", &[("customer_id", "4")]),
        person("p1", &[("ticket_no", "nothing")]),
    ];
    let mut together = many.clone();
    let mut alone = many;
    for round in 1..=3 {
        let all = answers(&world, &content, &together);
        let shares = shares(&world.input(), &system_name(), &all, &together).unwrap();
        for (number, (share, person)) in shares.iter().zip(&mut together).enumerate() {
            let own = std::slice::from_mut(person);
            let lesson = learn(&world.input(), &types(), &system_name(), share, own).unwrap();
            let one = std::slice::from_mut(&mut alone[number]);
            let answers = answers(&world, &content, one);
            let expected = learn(&world.input(), &types(), &system_name(), &answers, one).unwrap();
            assert_eq!(lesson, expected, "round {round}, person {number}");
        }
        assert_eq!(together, alone);
    }
    let known = |person: &Person| person.identities().count();
    assert_eq!(together.iter().map(known).collect::<Vec<_>>(), [2, 3, 3, 2, 1]);
}

/// A record that the database has found without regard to capitals is known by its person, and
/// teaches how it is written.
#[test]
fn capitals_do_not_hide_whose_a_record_is() {
    let mut world = known_shop();
    let ask = |world: &World| {
        let mut persons = [person("p1", &[("email", "grace@example.org")])];
        let answers = [Answer {
            collection: "customers".to_owned(),
            records: vec![customer(7, "GrAcE@Example.org"), customer(8, "grace@example.orG ")],
            more: false,
        }];
        let lesson = learn(&world.input(), &types(), &system_name(), &answers, &mut persons);
        let found = lesson.unwrap().found.values().sum::<u64>();
        let kinds = persons[0].identities().filter(|one| one.kind == "customer_id").count();
        let spelt = persons[0].known().any(|(_, all)| all.contains("GrAcE@Example.org"));
        (found, kinds, spelt)
    };
    assert_eq!(ask(&world), (0, 0, false));
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    customers.fields.get_mut("email").unwrap().ignores_case = true;
    assert_eq!(ask(&world), (1, 1, true));
}

/// What the database has found without regard to capitals is in its person's share too.
#[test]
fn capitals_do_not_keep_a_record_out_of_its_share() {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    customers.fields.get_mut("email").unwrap().ignores_case = true;
    let persons = [
        person("p1", &[("email", "grace@example.org")]),
        person("p2", &[("email", "alan@example.org")]),
    ];
    let records = vec![customer(7, "GrAcE@Example.org"), customer(8, "ALAN@example.org")];
    let collection = "customers".to_owned();
    let answers = vec![Answer { collection, records: records.clone(), more: false }];
    let shares = shares(&world.input(), &system_name(), &answers, &persons).unwrap();
    let found: Vec<&[Record]> = shares.iter().map(|share| share[0].records.as_slice()).collect();
    assert_eq!(found, [&records[..1], &records[1..]]);
}

/// Whose a shared record is depends on all who share it, so such a system is asked one by one.
#[test]
fn shared_links_are_not_shared_out() {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    assert!(can_be_shared_out(shop));
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    orders.links[0].kind = LinkKind::Shared;
    assert!(!can_be_shared_out(shop));
}
