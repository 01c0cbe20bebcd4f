//! What a certificate says of data that were back, and what it may not say of them.

use quietus::domain::SystemName;
use quietus::evidence::certificate::StatedReappearance;
use quietus::evidence::signing::{SubjectFile, sign};
use quietus::evidence::statement::Count;
use quietus::evidence::{IssuerKey, Predicate, summary};

use super::fixture::{complete, moment, predicate};

fn back(change: impl Fn(&mut StatedReappearance)) -> Predicate {
    let mut predicate = predicate(complete());
    let mut stated = StatedReappearance {
        system: SystemName::parse("crm").expect("a name"),
        last_well_at: moment("2026-11-01T00:00:00Z"),
        found_at: moment("2026-11-08T00:00:00Z"),
        done_again_at: Some(moment("2026-11-08T00:01:00Z")),
        records: Count(2),
    };
    change(&mut stated);
    predicate.reappearances = vec![stated];
    predicate
}

#[test]
fn what_contradicts_itself_is_neither_signed_nor_verified() {
    let key = IssuerKey::generate().expect("a key");
    assert_eq!(summary::violations(&back(|_| {})), Vec::<String>::new());
    assert_eq!(summary::violations(&back(|one| one.done_again_at = None)), Vec::<String>::new());
    assert!(sign(back(|_| {}), SubjectFile::Counts, &key).is_ok());
    let refuse = |predicate: Predicate, expected: &str| {
        let found = summary::violations(&predicate);
        assert!(found.iter().any(|one| one.contains(expected)), "{expected} in {found:?}");
        assert!(sign(predicate, SubjectFile::Counts, &key).is_err(), "{expected}");
    };
    let moments = "the moments at which data were back in `crm` cannot be so";
    refuse(back(|one| one.last_well_at = moment("2026-11-09T00:00:00Z")), moments);
    refuse(back(|one| one.done_again_at = Some(moment("2026-11-07T00:00:00Z"))), moments);
    refuse(back(|one| one.done_again_at = Some(moment("2090-01-01T00:00:00Z"))), moments);
    let later = moment("2090-01-01T00:00:00Z");
    let unfinished =
        |one: &mut StatedReappearance| (one.found_at, one.done_again_at) = (later, None);
    refuse(back(unfinished), moments);
    refuse(back(|one| one.records = Count(0)), "no record was back in `crm`");
}

#[test]
fn it_is_not_written_where_nothing_was_back() {
    let text = serde_json::to_string(&predicate(complete())).expect("JSON");
    assert!(!text.contains("reappearances"), "{text}");
    let text = serde_json::to_string(&back(|_| {})).expect("JSON");
    assert!(text.contains("\"reappearances\":[{\"system\":\"crm\",\"lastWellAt\":"), "{text}");
    let read: Predicate = serde_json::from_str(&text).expect("a predicate");
    assert_eq!(read.reappearances, back(|_| {}).reappearances);
}
