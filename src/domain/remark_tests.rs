//! What is taken as a remark and what is refused.

use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> RemarkError {
    match Remark::parse(text) {
        Ok(_) => panic!("`{text}` is taken"),
        Err(error) => error,
    }
}

#[test]
fn reasons_that_people_give_are_taken() {
    for text in [
        "lawsuit",
        "Grace Example",
        "operator",
        "LIT-2026-7",
        "ABC-1234567",
        "see (ABC-1234567), INC0012345 and LIT-2026/123456",
        "dispute over an invoice, file 12 O 1234/2025",
        "XI ZR 123456/2024",
        "first run over ten years, checked with finance on 2026-11-23 at 14:30",
        "agreed on 23.11.2026; books of 2017-2025",
        "books of 2017 2018 2019",
        "1.250.000 records, or 1,250,000, or 1\u{202f}250\u{202f}000",
        "twin of case 01934f5e-8a3b-7c4d-9e2f-0123456789ab",
        "3 systems @ 5 tables",
        "§ 147 AO, Art. 17(3)(b) GDPR, C-131/12",
        "Rechtsstreit über ein Gerät, 按照法律",
        "sha 3f9a",
        "Q3/2026: 123456 rows",
    ] {
        let taken = Remark::parse(text);
        assert_eq!(taken.map(String::from), Ok(text.to_owned()));
    }
    assert_eq!(Remark::parse("  lawsuit ").unwrap().as_str(), "lawsuit");
}

#[test]
fn addresses_are_refused() {
    for text in [
        "anna@mail.example",
        "asked by <anna@mail.example>, twice",
        "anna@localhost",
        "anna (at) mail.example",
        "anna[at]mail.example",
        "anna @ mail.example",
        "anna@ mail.example",
        "ANNA＠MAIL.EXAMPLE",
        "anna%40mail.example",
        "@anna asked",
    ] {
        assert_eq!(refusal(text), RemarkError::Personal(Identifier::Email), "{text}");
    }
}

#[test]
fn telephone_and_customer_numbers_are_refused() {
    for text in [
        "+49 170 1234567",
        "+1 (555) 010-9999",
        "call 0170/1234567",
        "0170 - 12 34 56 7",
        "0170 2024 1234",
        "tel.0301234567",
        "TEL-01701234567",
        "555.123.4567",
        "(030) 123 45 67",
        "customer 918273645546",
        "customer-4711815",
        "x1234567",
        "#1234567",
        "4111 1111 1111 1111",
        "123-45-6789",
        "ABC-12345678901",
        "ABC-1234567 0170 1234567",
        "2026-11-23 01701234567",
        "030/12345678",
        "030.123.4567",
        "٠١٢٣٤٥٦٧",
        "１２３４５６７",
        "192.168.100.200",
        "0170\u{2011}123\u{2011}4567",
    ] {
        assert_eq!(refusal(text), RemarkError::Personal(Identifier::Number), "{text}");
    }
}

#[test]
fn bank_accounts_are_refused() {
    for text in [
        "DE89370400440532013000",
        "de89 3704 0044 0532 0130 00 was used",
        "paid to NL91 ABNA 0417 1643 00, twice",
        "GB82-WEST-1234-5698-7654-32",
        "DE00370400440532013000",
    ] {
        assert_eq!(refusal(text), RemarkError::Personal(Identifier::Iban), "{text}");
    }
}

#[test]
fn length_and_line_are_bounded() {
    assert_eq!(refusal(""), RemarkError::Empty);
    assert_eq!(refusal(" \n "), RemarkError::Empty);
    assert!(Remark::parse(&"ä".repeat(500)).is_ok());
    assert_eq!(refusal(&"ä".repeat(501)), RemarkError::TooLong { characters: 501 });
    for control in ['\n', '\r', '\t', '\0', '\u{1b}', '\u{85}', '\u{2028}', '\u{202e}'] {
        assert_eq!(refusal(&format!("a{control}b")), RemarkError::Control, "{control:?}");
    }
}

#[test]
fn a_refusal_says_what_to_write_and_does_not_repeat_the_text() {
    let words = refusal("anna@mail.example").to_string();
    assert!(words.contains("ticket or file number") && words.contains("`ABC-1234567`"), "{words}");
    assert!(!words.contains("anna"), "{words}");
}

proptest! {
    #[test]
    fn no_text_makes_it_stumble(text in "\\PC{0,80}|[-0-9 +./()@A-Z]{0,60}") {
        if let Ok(taken) = Remark::parse(&text) {
            prop_assert_eq!(Remark::parse(taken.as_str()), Ok(taken.clone()));
        }
    }

    #[test]
    fn a_long_number_is_found_wherever_it_stands(
        before in "[a-z ]{0,20}", after in "[a-z ]{0,20}", number in "[0-9]{7,15}",
    ) {
        let text = format!("{before}{number}{after}");
        prop_assert!(Remark::parse(&text).is_err());
    }

    #[test]
    fn an_address_is_found_wherever_it_stands(
        before in "[a-z ,;<]{0,20}", after in "[a-z ,;>]{0,20}",
        name in "[a-z0-9._+-]{0,9}[a-z0-9]", domain in "[a-z0-9]{1,9}\\.[a-z]{2,6}",
    ) {
        let text = format!("{before}{name}@{domain}{after}");
        prop_assert!(Remark::parse(&text).is_err());
    }
}
