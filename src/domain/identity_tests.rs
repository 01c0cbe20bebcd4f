//! Tests of identities: what they become, what is refused, how they are spelled.

use proptest::prelude::*;

use super::*;

fn of(normalise: Normalisation) -> IdentityType {
    IdentityType { name: "it".to_owned(), normalise, one_per_person: false }
}

fn phone_of(country: &str) -> IdentityType {
    of(Normalisation::Phone { country: Numbering::of(country).unwrap() })
}

fn value(of: &IdentityType, raw: &str) -> Option<String> {
    normalise(of, raw).ok().map(|identity| identity.value)
}

#[test]
fn an_address_in_capitals_is_the_same_address() {
    let email = of(Normalisation::Email);
    assert_eq!(value(&email, " Grace.Example@EXAMPLE.org ").unwrap(), "grace.example@example.org");
    for raw in [
        "",
        "  ",
        "grace",
        "@example.org",
        "grace@",
        "a@b@c",
        "Grace <grace@example.org>",
        "a@example.org, b@example.org",
        "a b@example.org",
        "a@.org",
        "a@example..org",
    ] {
        assert!(normalise(&email, raw).is_err(), "{raw}");
    }
}

#[test]
fn a_number_in_national_form_is_the_same_number() {
    let german = phone_of("DE");
    for raw in [
        "+49 151 23456789",
        "0049 151 23456789",
        "0151/23456789",
        "0151 234-567-89",
        "+49 (0) 151 23456789",
        "4915123456789",
        "(0151) 23456789",
    ] {
        assert_eq!(value(&german, raw).as_deref(), Some("+4915123456789"), "{raw}");
    }
    assert_eq!(value(&german, "+1 212 555 0100").unwrap(), "+12125550100");
    for raw in
        ["151", "site-4711", "+49", "0", "abc", "+0151234567", "+49151234567890123", "1512345678"]
    {
        assert!(normalise(&german, raw).is_err(), "{raw}");
    }
    assert_eq!(value(&phone_of("US"), "(212) 555-0100").unwrap(), "+12125550100");
    assert_eq!(value(&phone_of("US"), "1 212 555 0100").unwrap(), "+12125550100");
    assert_eq!(value(&phone_of("IT"), "06 1234567").unwrap(), "+39061234567");
    assert_eq!(value(&phone_of("HU"), "06 1 234 5678").unwrap(), "+3612345678");
    assert_eq!(value(&phone_of("DK"), "45 12 34 56").unwrap(), "+4545123456");
}

#[test]
fn what_identifies_nobody_is_refused() {
    let every = [
        of(Normalisation::Trim),
        of(Normalisation::Lower),
        of(Normalisation::Email),
        of(Normalisation::Digits),
        phone_of("DE"),
    ];
    for of in &every {
        for raw in ["", " \t ", "%", "*", "%%", "a\u{0}b", "a\nb", "gr\u{200b}ace@example.org"] {
            let error = normalise(of, raw).unwrap_err();
            assert!(raw.trim().is_empty() || !error.to_string().contains(raw), "{error}");
        }
        assert!(normalise(of, &"7".repeat(321)).is_err());
    }
    assert!(normalise(&of(Normalisation::Email), "%@example.org").is_err());
    assert!(normalise(&of(Normalisation::Digits), "47*").is_err());
    assert!(normalise(&of(Normalisation::Digits), "site-4711").is_err());
    assert!(normalise(&of(Normalisation::Digits), "-4711").is_err());
    assert_eq!(value(&of(Normalisation::Digits), "00 47-11").unwrap(), "004711");
}

#[test]
fn a_command_is_just_a_value() {
    let raw = "' OR 1=1; DROP TABLE customers; --";
    assert_eq!(value(&of(Normalisation::Trim), raw).unwrap(), raw);
}

#[test]
fn spellings_of_a_number_and_of_an_address() {
    let german = phone_of("DE");
    let found = candidates(&german, "+4915123456789", Some("0151 23456789"));
    for one in
        ["+4915123456789", "004915123456789", "015123456789", "4915123456789", "0151 23456789"]
    {
        assert!(found.contains(one), "{one}");
    }
    // The number of another country has no national form here.
    let found = candidates(&german, "+12125550100", None);
    assert_eq!(found, ["+12125550100", "0012125550100"].map(str::to_owned).into());
    let email = of(Normalisation::Email);
    let found = candidates(&email, "grace@example.org", Some("Grace@Example.org"));
    for one in ["grace@example.org", "Grace@Example.org", "Grace@example.org", "GRACE@EXAMPLE.ORG"]
    {
        assert!(found.contains(one), "{one}");
    }
    let stranger = candidates(&email, "grace@example.org", Some("alan@example.org"));
    assert!(!stranger.contains("alan@example.org"));
}

fn any_type() -> impl Strategy<Value = IdentityType> {
    prop_oneof![
        Just(of(Normalisation::Trim)),
        Just(of(Normalisation::Lower)),
        Just(of(Normalisation::Email)),
        Just(of(Normalisation::Digits)),
        Just(phone_of("DE")),
        Just(phone_of("US")),
        Just(phone_of("DK")),
        Just(phone_of("HU")),
    ]
}

fn any_raw() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[ ]{0,2}[A-Za-z0-9.+_%*]{1,12}@[A-Za-z0-9.-]{1,12}[ ]{0,2}",
        "[+]?[0-9 ()/.-]{1,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn normalising_twice_is_once(of in any_type(), raw in any_raw()) {
        if let Ok(once) = normalise(&of, &raw) {
            prop_assert!(!once.value.is_empty());
            prop_assert_eq!(normalise(&of, &once.value).unwrap(), once);
        }
    }

    #[test]
    fn every_spelling_is_the_same_person(of in any_type(), raw in any_raw()) {
        if let Ok(identity) = normalise(&of, &raw) {
            let spellings = candidates(&of, &identity.value, Some(&raw));
            prop_assert!(spellings.contains(&identity.value) && spellings.contains(raw.trim()));
            for spelling in spellings {
                prop_assert_eq!(&normalise(&of, &spelling).unwrap().value, &identity.value);
            }
        }
    }

    #[test]
    fn no_error_repeats_the_value(of in any_type(), raw in "[a-z%*@]{12,40}") {
        if let Err(error) = normalise(&of, &raw) {
            prop_assert!(!error.to_string().contains(&raw));
        }
    }
}
