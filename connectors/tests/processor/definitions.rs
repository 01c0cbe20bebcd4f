//! Every definition that comes with the product runs its whole cycle against its vendor: check,
//! find, erase, look again, a second attempt, somebody who is nowhere, and wrong credentials.

use quietus_connectors::processor::library;
use quietus_connectors::testkit::{self, Ending};
use quietus_connectors::{Connector, Fault, Grade, Receipt, SubjectResult};

use crate::exchange::{Exchange, Notes, done, erase, person};
use crate::vendors::cases::{Case, cases, opened};

/// The vendor's own definition, in no hurry to be gentle: their pace is that of the vendors.
fn unpaced(case: &Case, exchange: &Exchange) -> Box<dyn Connector> {
    let parameters: Vec<(&str, &str)> =
        case.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let text = library::definition(case.name).unwrap();
    let paced = |line: &&str| line.starts_with("requests_per_minute: ");
    assert_eq!(text.lines().filter(paced).count(), 1, "{} has no pace", case.name);
    let lines: Vec<&str> = text.lines().filter(|line| !paced(line)).collect();
    exchange.connector(&lines.join("\n"), &parameters)
}

#[tokio::test]
async fn every_definition_has_a_case() {
    let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
    names.sort_unstable();
    assert_eq!(names, library::names());
    assert_eq!(names.len(), 10);
}

/// What no look sees is named, and with it on certificates.
#[tokio::test]
async fn what_a_vendor_hides_from_a_search_is_named() {
    for (name, words) in
        [("hubspot", "in the recycle bin for 90 days"), ("salesforce", "converted leads")]
    {
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        let exchange = opened(&case).await;
        let left = unpaced(&case, &exchange).capabilities().residues;
        assert!(left.iter().any(|one| one.contains(words)), "{name}: {left:?}");
    }
}

#[tokio::test]
async fn every_vendor_erases_the_person_and_nobody_else() {
    for case in cases() {
        let exchange = opened(&case).await;
        let connector = unpaced(&case, &exchange);
        let known_by = [(case.known_by.0, case.known_by.1.as_str())];
        let first = erase(1, &known_by);
        let health = connector.check(&first).await.unwrap();
        assert!(health.product.contains(", interface "), "{}: {}", case.name, health.product);

        let counts = connector.preview(&first).await.unwrap();
        assert_eq!(counts.refusals, Vec::<String>::new(), "{}", case.name);
        assert_eq!(counts.collections[0].delete, case.theirs.len() as u64, "{}", case.name);
        assert_eq!(counts.collections[0].at_most, !case.asks, "{}", case.name);
        assert_eq!(exchange.world().changes(), 0, "{}: a preview changes nothing", case.name);

        let mut receipt = connector.execute(&first, &Notes::going_on()).await;
        while let Ok(Receipt::Pending { reference, .. }) = &receipt {
            assert!(!reference.contains(&case.known_by.1), "{}: {reference}", case.name);
            receipt = connector.follow(&first, &reference.clone()).await;
        }
        let outcome = done(receipt);
        let [told] = outcome.testimonies.as_slice() else { panic!("{}", case.name) };
        assert_eq!((told.result, told.grade), (SubjectResult::Done, case.grade), "{}", case.name);
        assert_eq!(told.subject, "p1");
        assert!(!told.words.contains(&case.known_by.1), "{}: {}", case.name, told.words);
        assert_eq!(exchange.world().alive(), [case.other.id.as_str()], "{}", case.name);

        let looked = connector.verify(&first).await.unwrap();
        assert!(looked.survivors.is_empty(), "{}: {looked:?}", case.name);
        assert_eq!(looked.relied_upon, !case.asks, "{}: {}", case.name, looked.method);
    }
}

#[tokio::test]
async fn every_vendor_that_can_be_asked_is_not_sent_the_erasure_twice() {
    for case in cases().into_iter().filter(|case| case.asks) {
        let exchange = opened(&case).await;
        let known_by = [(case.known_by.0, case.known_by.1.as_str())];
        let connector = unpaced(&case, &exchange);
        done(connector.execute(&erase(1, &known_by), &Notes::going_on()).await);
        let sent = exchange.world().changes();
        // Nothing of the first attempt is remembered.
        let connector = unpaced(&case, &exchange);
        let outcome = done(connector.execute(&erase(2, &known_by), &Notes::going_on()).await);
        assert_eq!(outcome.testimonies[0].grade, Grade::Verified, "{}", case.name);
        assert_ne!(outcome.testimonies[0].result, SubjectResult::Refused, "{}", case.name);
        assert_eq!(exchange.world().changes(), sent, "{}: it was sent again", case.name);
    }
}

#[tokio::test]
async fn nobody_is_absent_and_nothing_is_sent() {
    for case in cases().into_iter().filter(|case| case.asks) {
        let exchange = opened(&case).await;
        let connector = unpaced(&case, &exchange);
        let order = erase(1, &[(case.nobody.0, case.nobody.1.as_str())]);
        let outcome = done(connector.execute(&order, &Notes::going_on()).await);
        assert_eq!(outcome.testimonies[0].result, SubjectResult::Absent, "{}", case.name);
        assert_eq!(exchange.world().changes(), 0, "{}", case.name);
        assert_eq!(exchange.world().alive().len(), case.theirs.len() + 1, "{}", case.name);
    }
}

#[tokio::test]
async fn wrong_credentials_are_for_a_person_to_mend() {
    for mut case in cases() {
        let exchange = opened(&case).await;
        for (name, value) in &mut case.parameters {
            if *name == case.wrong.0 {
                value.clone_from(&case.wrong.1);
            }
        }
        let connector = unpaced(&case, &exchange);
        let order = erase(1, &[(case.known_by.0, case.known_by.1.as_str())]);
        for fault in [
            connector.check(&order).await.unwrap_err(),
            connector.execute(&order, &Notes::going_on()).await.unwrap_err(),
        ] {
            let Fault::Misconfigured { message } = &fault else {
                panic!("{}: {fault:?}", case.name)
            };
            assert!(message.contains("marketing"), "{}: {message}", case.name);
            assert!(!message.contains(&case.wrong.1), "{}: {message}", case.name);
            assert!(!message.contains(&case.known_by.1), "{}: {message}", case.name);
        }
        assert_eq!(exchange.world().alive().len(), case.theirs.len() + 1, "{}", case.name);
    }
}

#[tokio::test]
async fn the_test_kit_tells_of_every_vendor() {
    for case in cases() {
        let exchange = opened(&case).await;
        let connector = unpaced(&case, &exchange);
        let someone = person("p1", &[(case.known_by.0, case.known_by.1.as_str())]);
        let now: quietus_connectors::Now = std::sync::Arc::new(crate::exchange::now);
        let steps = testkit::rehearse(connector.as_ref(), "rehearsal-1", someone, &now).await;
        let told: Vec<String> =
            steps.iter().map(|one| format!("{} {}: {}", one.ending, one.name, one.words)).collect();
        assert!(
            steps.iter().all(|one| one.ending != Ending::Fail),
            "{}:\n{}",
            case.name,
            told.join("\n")
        );
        let names: Vec<&str> = steps.iter().map(|one| one.name).collect();
        assert_eq!(names, ["check", "nobody", "find", "erase", "verify", "erase again"]);
        if case.asks {
            let passed = steps.iter().filter(|one| one.ending == Ending::Pass).count();
            assert!(passed >= 5, "{}:\n{}", case.name, told.join("\n"));
        }
    }
}
