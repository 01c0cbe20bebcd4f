//! One spelling for the keys of events.

use quietus_connectors::{FieldRef, FieldType, Value};

use super::super::event_key_text;
use super::fixture::*;
use crate::datamap::StartSource;

/// The shop where customers wait for `contract.ended` by a field of this type.
fn waiting(field_type: FieldType) -> World {
    let mut world = shop();
    wait(&mut world, "customers", field_type);
    world
}

fn wait(world: &mut World, collection: &str, field_type: FieldType) {
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let found = shop.collections.get_mut(&collection_name(collection)).unwrap();
    found.fields.insert("number".to_owned(), field("number", field_type, ""));
    found.starting_points.insert(
        "relationship.ended".to_owned(),
        StartSource::Event { event: "contract.ended".to_owned(), field: FieldRef::own("number") },
    );
}

fn spelt(world: &World, key: &str) -> String {
    event_key_text(&world.map, "contract.ended", &text(key))
}

#[test]
fn keys_that_one_field_cannot_tell_apart_are_one_key() {
    let numbers = waiting(FieldType::Integer);
    for key in ["4711", "04711", " 4711 ", "+4711"] {
        assert_eq!(spelt(&numbers, key), "4711");
    }
    assert_eq!(event_key_text(&numbers.map, "contract.ended", &Value::Integer(4711)), "4711");
    assert_eq!(spelt(&numbers, "A-1"), "A-1", "a key that fits nothing stays as it is");
    let identifiers = waiting(FieldType::Uuid);
    let lower = "0b0e7a52-7c5c-4d3b-9a52-3f1d6c2e9a10";
    assert_eq!(spelt(&identifiers, &lower.to_uppercase()), lower);
    assert_eq!(spelt(&identifiers, &lower.replace('-', "")), lower);
    let amounts = waiting(FieldType::Decimal);
    for key in ["7.50", "07.5", "+7.500"] {
        let key = Value::Decimal(key.to_owned());
        assert_eq!(event_key_text(&amounts.map, "contract.ended", &key), "7.5");
    }
}

#[test]
fn keys_that_a_text_field_tells_apart_stay_apart() {
    let texts = waiting(FieldType::Text);
    assert_eq!(spelt(&texts, "04711"), "04711");
    assert_ne!(spelt(&texts, "04711"), spelt(&texts, "4711"));
    // Where another field waits that cannot tell them apart, a revocation of one revokes both.
    let mut both = texts;
    wait(&mut both, "orders", FieldType::Integer);
    assert_eq!(spelt(&both, "04711"), spelt(&both, "4711"));
}
