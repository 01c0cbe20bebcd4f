//! Guesses from the names of fields, in English and German. A guess is only ever a comment, an
//! identity type or a starting point that a person looks at.

use quietus_connectors::{CollectionSchema, FieldSchema, FieldType};

/// What a field may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guess {
    /// Name of a category.
    pub category: &'static str,
    /// Identity type.
    pub identity: Option<&'static str>,
    /// It holds a network address.
    pub address: bool,
}

/// Words in names of fields, what they speak for, and the identity type if any. The first that
/// fits counts; a word fits where a part of the name between `_` begins with it, one with `=` only
/// where the part is the whole word.
const WORDS: [(&[&str], &str, Option<&str>); 14] = [
    (&["email", "e-mail", "=mail", "mailadresse"], "account.contact", Some("email")),
    (&["msisdn"], "account.contact", Some("msisdn")),
    (
        &["phone", "mobile", "=tel", "telefon", "telephone", "handy", "rufnummer", "=fax"],
        "account.contact",
        Some("phone"),
    ),
    (&["username", "benutzername", "=login", "nickname"], "account.contact", Some("username")),
    (&["=ip", "ipaddress", "ipaddr", "ipv4", "ipv6"], "technical.log", Some("ip_address")),
    (&["useragent", "session", "cookie", "=agent", "geraet", "device"], "technical.log", None),
    (&["birth", "=dob", "geburt"], "account.profile", None),
    (&["gender", "geschlecht", "salutation", "anrede", "title", "titel"], "account.profile", None),
    (
        &[
            "street",
            "strasse",
            "straße",
            "=zip",
            "zipcode",
            "=plz",
            "postal",
            "postleitzahl",
            "=city",
            "=ort",
            "=stadt",
            "wohnort",
            "address",
            "adresse",
            "anschrift",
            "hausnummer",
        ],
        "account.address",
        None,
    ),
    (
        &["iban", "=bic", "kontonummer", "=card", "kreditkarte", "bankverbindung"],
        "payment.details",
        None,
    ),
    (&["password", "passwort", "kennwort", "=salt", "secret"], "account.credentials", None),
    (
        &["firstname", "lastname", "surname", "fullname", "vorname", "nachname", "=first", "=last"],
        "account.contact",
        None,
    ),
    (&["invoice", "rechnung", "=vat", "ustid", "steuer", "=tax"], "order.invoice", None),
    (
        &["comment", "kommentar", "=note", "=notes", "bemerkung", "notiz", "message", "nachricht"],
        "free.text (people write anything into it)",
        None,
    ),
];

/// What comes before `name` where it is a person's.
const PEOPLE: [&str; 14] = [
    "first",
    "last",
    "full",
    "user",
    "customer",
    "kunden",
    "contact",
    "person",
    "middle",
    "display",
    "owner",
    "sender",
    "recipient",
    "billing",
];

/// What a field may be, from its name.
pub fn field(field: &FieldSchema) -> Option<Guess> {
    let parts = parts(&field.name);
    let joined = parts.concat();
    let fits = |word: &str| match word.strip_prefix('=') {
        Some(whole) => parts.iter().any(|part| part == whole),
        None => parts.iter().any(|part| part.starts_with(word)) || joined.starts_with(word),
    };
    let is_moment = matches!(field.field_type, FieldType::Timestamp | FieldType::Boolean);
    let found = WORDS.iter().find(|(words, _, _)| words.iter().any(|word| fits(word)));
    if let Some((_, category, identity)) = found.filter(|_| !is_moment) {
        let address = field.field_type == FieldType::Address || *identity == Some("ip_address");
        let identity = if address { Some("ip_address") } else { *identity };
        return Some(Guess { category, identity, address });
    }
    let name = parts.last().is_some_and(|last| last == "name");
    let person = parts.len() == 1
        || parts.iter().any(|part| PEOPLE.iter().any(|word| part.starts_with(word)));
    if name && person && field.field_type == FieldType::Text {
        return Some(Guess { category: "account.contact", identity: None, address: false });
    }
    let address = field.field_type == FieldType::Address;
    address.then_some(Guess { category: "technical.log", identity: Some("ip_address"), address })
}

/// The words of a name: `Kunden_EMail2` and `kundenEmail` are cut at `_`, `-`, ` `, `.` and where
/// a capital letter follows a small one.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before_small = false;
    for character in name.chars() {
        let cut = matches!(character, '_' | '-' | ' ' | '.');
        if cut || (character.is_uppercase() && before_small) {
            parts.push(String::new());
        }
        if !cut && let Some(part) = parts.last_mut() {
            part.extend(character.to_lowercase());
        }
        before_small = character.is_lowercase();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// A starting point that may be one.
#[derive(Debug)]
pub struct StartGuess {
    /// Its name.
    pub name: String,
    /// The fields; the latest counts where there are several.
    pub fields: Vec<String>,
    /// Why.
    pub why: &'static str,
}

impl StartGuess {
    /// As the data map writes it.
    pub fn written(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(|field| super::scalar(field)).collect();
        if fields.len() == 1 {
            fields.concat()
        } else {
            format!("{{latest: [{}]}}", fields.join(", "))
        }
    }
}

/// Starting points from the names of date and timestamp fields.
pub fn starting_points(collection: &CollectionSchema, name: &str) -> Vec<StartGuess> {
    let mut found: Vec<StartGuess> = Vec::new();
    let mut activity = Vec::new();
    let moments = collection.fields.iter().filter(|field| {
        matches!(field.field_type, FieldType::Timestamp | FieldType::Date) && !field.generated
    });
    for field in moments {
        let parts = parts(&field.name);
        let has = |words: &[&str]| {
            parts.iter().any(|part| words.iter().any(|word| part.starts_with(word)))
        };
        let start = |name: String, why| StartGuess { name, fields: vec![field.name.clone()], why };
        if has(&["birth", "geburt", "dob"]) {
            continue;
        }
        if has(&["creat", "insert", "erstellt", "angelegt", "erfasst", "registered", "signup"]) {
            if !found.iter().any(|known| known.name == "collection") {
                found.push(start("collection".to_owned(), "when the data were collected"));
            }
        } else if has(&["last", "letzt", "seen", "login", "updated", "geaendert", "modified"]) {
            activity.push(field.name.clone());
        } else if has(&[
            "end",
            "clos",
            "cancel",
            "terminat",
            "complet",
            "finish",
            "deliver",
            "paid",
            "gekuendigt",
            "kuendigung",
            "beendet",
            "abgeschlossen",
            "bezahlt",
            "deleted",
            "expire",
        ]) {
            let what: Vec<&str> = parts
                .iter()
                .map(String::as_str)
                .filter(|part| *part != "at" && *part != "on")
                .collect();
            let name = format!("{name}.{}", what.join("-"));
            if !found.iter().any(|known| known.name == name) {
                found.push(start(name, "the end of a process"));
            }
        }
    }
    if !activity.is_empty() {
        // Who never came back was active when the data were collected.
        let collected = found.iter().filter(|start| start.name == "collection");
        activity.splice(0..0, collected.flat_map(|start| start.fields.clone()));
        let why = "when the person was last active";
        found.push(StartGuess { name: "inactivity".to_owned(), fields: activity, why });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(name: &str, field_type: FieldType) -> Option<(&'static str, Option<&'static str>)> {
        let schema = FieldSchema {
            name: name.to_owned(),
            native_type: String::new(),
            field_type,
            nullable: true,
            generated: false,
        };
        field(&schema).map(|guess| (guess.category, guess.identity))
    }

    #[test]
    fn names_in_english_and_german_are_guessed() {
        for (name, category, identity) in [
            ("email", "account.contact", Some("email")),
            ("kunden_email", "account.contact", Some("email")),
            ("customerEmail", "account.contact", Some("email")),
            ("Telefonnummer", "account.contact", Some("phone")),
            ("MSISDN", "account.contact", Some("msisdn")),
            ("vorname", "account.contact", None),
            ("last_name", "account.contact", None),
            ("name", "account.contact", None),
            ("strasse", "account.address", None),
            ("plz", "account.address", None),
            ("remote_ip", "technical.log", Some("ip_address")),
            ("geburtsdatum", "account.profile", None),
            ("rechnungsnummer", "order.invoice", None),
        ] {
            assert_eq!(guess(name, FieldType::Text), Some((category, identity)), "{name}");
        }
    }

    #[test]
    fn names_of_things_are_not_guessed() {
        for name in ["product_name", "zipped", "quantity", "sort", "tip", "status", "description"] {
            assert_eq!(guess(name, FieldType::Text), None, "{name}");
        }
    }
}
