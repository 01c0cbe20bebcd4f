//! A definition as people and programs read it, and the file of a system to start from.

use std::fmt::Write as _;

use quietus_connectors::processor::testkit::Step;
use quietus_connectors::processor::{Definition, Parameter};
use serde_json::{Value, json};

/// A definition with its text, under the name by which a system names it.
pub struct Described {
    /// `stripe`, or `./definitions/own.yaml`.
    pub reference: String,
    /// What was read.
    pub definition: Definition,
    /// What was written.
    pub text: String,
}

impl Described {
    /// The head of the page: what the vendor understands, what erasing leaves, what to fill in.
    pub fn summary(&self) -> String {
        let definition = &self.definition;
        let mut text =
            format!("{}: {}, interface {}\n", definition.name, definition.vendor, definition.api);
        let mut row = |name: &str, words: &str| {
            let line = format!("  {name:<12}{words}\n");
            text.push_str(&line);
        };
        row("asked by", &self.kinds().join(", "));
        row("can", &self.actions().join(", "));
        row("erasure", &definition.erasure_grade);
        let mut name = "leaves";
        for residue in &definition.residues {
            row(name, residue);
            name = "";
        }
        if let Some(callback) = &definition.callback {
            row("calls back", &callback.in_words());
        }
        let mut name = "parameters";
        for (key, parameter) in &definition.parameters {
            row(name, &format!("{key}{}", remarks(parameter)));
            name = "";
        }
        text.trim_end().to_owned()
    }

    /// Everything: the head, the parameters in words, an example, and the definition.
    pub fn page(&self) -> String {
        let mut text = self.summary();
        text.push_str("\n\nWhat to fill in\n");
        for (key, parameter) in &self.definition.parameters {
            let about = &parameter.about;
            let shape = parameter.shape_in_words();
            write!(text, "  {key}{}: {about}\n    {shape}\n", remarks(parameter))
                .unwrap_or_default();
        }
        let head = format!("\nA file to start from: systems/{}.yaml\n\n", self.definition.name);
        text.push_str(&head);
        text.push_str(&self.example());
        let head = format!("\nThe definition, written from {}\n\n", self.definition.documentation);
        text.push_str(&head);
        text.push_str(&self.text);
        text
    }

    /// A system's file to start from. What a person has to decide is marked, and `check` refuses it
    /// until it is decided.
    pub fn example(&self) -> String {
        let definition = &self.definition;
        let (name, vendor) = (&definition.name, &definition.vendor);
        let mut text = format!(
            "# {vendor}, interface {}. `quietus check` tells what is left to decide, and
# `quietus connector test {name}` tries it without changing anything.
system: {name}
kind: processor
role: processor
owner: TO-DECIDE            # who answers for it
operator: {}
definition: {}
",
            definition.api,
            scalar(vendor),
            scalar(&self.reference),
        );
        if !definition.parameters.is_empty() {
            text.push_str("parameters:\n");
        }
        for (key, parameter) in &definition.parameters {
            let about = &parameter.about;
            let line = match &parameter.default {
                _ if definition.only_for_callbacks(key) => {
                    let variable = format!("{}_{key}", definition.name).to_uppercase();
                    format!(
                        "  # {about}; left out, nothing that the vendor calls is heard. It calls\n  # https://HOST/v1/callbacks/{name}, HOST being where this instance is reached\n  # {key}: env:{variable}\n"
                    )
                }
                _ if parameter.secret => {
                    let variable = format!("{}_{key}", definition.name).to_uppercase();
                    format!("  # {about}\n  {key}: env:{variable}\n")
                }
                Some(default) => format!("  # {about}; left out it is\n  # {key}: {default}\n"),
                None => format!("  # {about}\n  {key}: TO-DECIDE\n"),
            };
            text.push_str(&line);
        }
        let (asked_by, others) = self.asked_by();
        text.push_str(
            "persons:\n  categories: [TO-DECIDE]   # what it holds, in the words of your packs\n",
        );
        if !others.is_empty() {
            let others = others.join(", ");
            let line = format!(
                "  # It also understands {others}: a type that no field of yours has is declared\n  # under `identities` in quietus.yaml.\n"
            );
            text.push_str(&line);
        }
        let line = format!(
            "  identities: [{asked_by}]\n  answers_within: P30D       # as you agreed with it\n"
        );
        text.push_str(&line);
        text
    }

    /// The type of identity that most companies know their persons by, and the others.
    fn asked_by(&self) -> (&str, Vec<&str>) {
        let kinds = self.kinds();
        let usual = ["email", "msisdn"].into_iter().find(|one| kinds.contains(one));
        let chosen = usual.or(kinds.first().copied()).unwrap_or_default();
        (chosen, kinds.into_iter().filter(|one| *one != chosen).collect())
    }

    fn kinds(&self) -> Vec<&str> {
        self.definition.identities.iter().map(|rule| rule.kind.as_str()).collect()
    }

    fn actions(&self) -> Vec<&'static str> {
        let actions = &self.definition.actions;
        [
            ("erase", actions.erase.is_some()),
            ("restrict", actions.restrict.is_some()),
            ("lift", actions.lift.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, offered)| offered.then_some(name))
        .collect()
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let definition = &self.definition;
        let parameters: Vec<Value> = definition
            .parameters
            .iter()
            .map(|(name, one)| {
                json!({
                    "name": name,
                    "about": one.about,
                    "secret": one.secret,
                    "default": one.default,
                    "shape": one.shape_in_words(),
                })
            })
            .collect();
        json!({
            "name": definition.name,
            "definition": self.reference,
            "vendor": definition.vendor,
            "interface": definition.api,
            "documentation": definition.documentation,
            "identities": self.kinds(),
            "actions": self.actions(),
            "erasureGrade": definition.erasure_grade,
            "residues": definition.residues,
            "parameters": parameters,
            "callback": definition.callback.as_ref().map(|one| json!({
                "knownBy": one.in_words(),
                "reference": one.reference,
                "address": format!("/v1/callbacks/{}", definition.name),
            })),
        })
    }
}

/// A text as YAML has it: quoted where it may mean something else.
fn scalar(text: &str) -> String {
    let plain = |one: char| one.is_alphanumeric() || " ._-/".contains(one);
    if text.starts_with(|one: char| one.is_alphabetic() || one == '.') && text.chars().all(plain) {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// ` (secret)`, ` (… if left out)` or nothing.
fn remarks(parameter: &Parameter) -> String {
    match &parameter.default {
        _ if parameter.secret => " (secret)".to_owned(),
        Some(default) => format!(" ({default} if left out)"),
        None => String::new(),
    }
}

/// The steps of a check-up or a rehearsal for programs.
pub fn steps_json(system: &str, steps: &[Step]) -> Value {
    let told: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!({ "step": step.name, "ending": step.ending.to_string(), "words": step.words })
        })
        .collect();
    let failed = steps
        .iter()
        .any(|step| step.ending == quietus_connectors::processor::testkit::Ending::Fail);
    json!({ "system": system, "passed": !failed, "steps": told })
}
