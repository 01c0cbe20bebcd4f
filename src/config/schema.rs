//! JSON Schemas of the three languages, for editors; made of the same declarations that read them.

use schemars::{JsonSchema, generate::SchemaSettings};

use super::document::{InstanceDocument, PackDocument, SystemDocument};

/// Names of the schemas; each is the name of a file without `.json`.
pub const NAMES: [&str; 3] = ["instance", "system", "pack"];

/// The schema of this name, as the text of a file; `None` for an unknown name.
pub fn schema(name: &str) -> Option<String> {
    let (schema, title) = match name {
        "instance" => (made::<InstanceDocument>(), "Quietus: instance"),
        "system" => (made::<SystemDocument>(), "Quietus: data map of a system"),
        "pack" => (made::<PackDocument>(), "Quietus: rule pack"),
        _ => return None,
    };
    let mut schema = schema;
    schema.insert("title".to_owned(), title.into());
    serde_json::to_string_pretty(&schema).ok().map(|text| text + "\n")
}

fn made<T: JsonSchema>() -> schemars::Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// What editors are told as the first line of a file.
pub fn modeline(path: &str) -> String {
    format!("# yaml-language-server: $schema={path}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_fresh() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/start/schema");
        for name in NAMES {
            let committed = std::fs::read_to_string(folder.join(format!("{name}.json")));
            let stale = committed.ok() != schema(name);
            assert!(
                !stale,
                "run `quietus schema --write src/config/start/schema`: {name} is stale"
            );
        }
    }

    #[test]
    fn every_mapping_is_closed_and_described() {
        fn look(value: &serde_json::Value, path: &str) {
            if value.get("properties").is_some() {
                assert_eq!(value["additionalProperties"], false, "{path}");
                for (name, property) in value["properties"].as_object().into_iter().flatten() {
                    let short = path.ends_with("StrategyDocument") || path.contains("anyOf");
                    assert!(short || property.get("description").is_some(), "{path}.{name}");
                }
            }
            match value {
                serde_json::Value::Object(entries) => {
                    entries.iter().for_each(|(name, inner)| look(inner, &format!("{path}/{name}")));
                }
                serde_json::Value::Array(items) => {
                    for inner in items {
                        look(inner, &format!("{path}/anyOf"));
                    }
                }
                _ => {}
            }
        }
        for name in NAMES {
            look(&serde_json::from_str(&schema(name).unwrap()).unwrap(), name);
        }
    }
}
