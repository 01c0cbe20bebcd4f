//! Every definition that comes with the product runs its whole cycle against its vendor: check,
//! find, erase, look again, a second attempt, somebody who is nowhere, and wrong credentials.

use quietus_connectors::processor::library;
use quietus_connectors::testkit::{self, Ending};
use quietus_connectors::{Fault, Grade, Receipt, SubjectResult};

use crate::exchange::{Exchange, Kept, Notes, Vendor, done, erase, person};
use crate::vendors::{TOKEN, customers, messages};

const EMAIL: &str = "jane.o'brien+tag@shop.example";
const PHONE: &str = "+491701234567";

/// One vendor, with a person and a neighbour.
struct Case {
    name: &'static str,
    vendor: Vendor,
    parameters: Vec<(&'static str, String)>,
    /// Records of the person.
    theirs: Vec<Kept>,
    /// Somebody else's.
    other: Kept,
    /// What the person is known by.
    known_by: (&'static str, String),
    /// Somebody who is nowhere.
    nobody: (&'static str, String),
    /// The credential, and another one of the same shape.
    wrong: (&'static str, String),
    grade: Grade,
    /// The vendor can be asked who it knows.
    asks: bool,
}

fn kept(id: &str) -> Kept {
    Kept {
        id: id.to_owned(),
        email: EMAIL.to_owned(),
        phone: PHONE.to_owned(),
        external: "u-1".to_owned(),
        ..Kept::default()
    }
}

fn other(id: &str) -> Kept {
    Kept {
        id: id.to_owned(),
        email: "jane.other@shop.example".to_owned(),
        phone: "+491709999999".to_owned(),
        external: "u-2".to_owned(),
        ..Kept::default()
    }
}

fn case(name: &'static str, vendor: Vendor, token: (&'static str, &str)) -> Case {
    Case {
        name,
        vendor,
        parameters: vec![(token.0, token.1.to_owned())],
        theirs: vec![kept("1001")],
        other: other("1002"),
        known_by: ("email", EMAIL.to_owned()),
        nobody: ("email", "nobody@nowhere.example".to_owned()),
        wrong: (token.0, format!("{}9", token.1)),
        grade: Grade::Verified,
        asks: true,
    }
}

fn customers() -> Vec<Case> {
    let mut stripe = case("stripe", customers::stripe, ("secret_key", "sk_test_0123456789"));
    stripe.theirs = vec![kept("cus_1001")];
    stripe.other = other("cus_1002");
    let hubspot = case("hubspot", customers::hubspot, ("access_token", TOKEN));
    let mut zendesk = case("zendesk", customers::zendesk, ("api_token", "zd0123456789"));
    zendesk.parameters.push(("subdomain", "shop".to_owned()));
    zendesk.parameters.push(("login", "staff@shop.example".to_owned()));
    let mut intercom = case("intercom", customers::intercom, ("access_token", TOKEN));
    intercom.theirs = vec![kept("5ba682d23d7cf92bef87bfd4")];
    intercom.other = other("5ba682d23d7cf92bef87bfd5");
    intercom.known_by = ("intercom_external_id", "u-1".to_owned());
    let mut salesforce =
        case("salesforce", customers::salesforce, ("client_secret", "s3cret&with=signs"));
    salesforce.parameters.push(("my_domain", "shop".to_owned()));
    salesforce.parameters.push(("client_id", "client0123456789".to_owned()));
    salesforce.theirs = vec![Kept { place: "Contact".to_owned(), ..kept("003000000000001AAA") }];
    salesforce.other = Kept { place: "Contact".to_owned(), ..other("003000000000002AAA") };
    vec![stripe, hubspot, zendesk, intercom, salesforce]
}

fn senders() -> Vec<Case> {
    let mut mailchimp =
        case("mailchimp", messages::mailchimp, ("api_key", "0123456789abcdef-us21"));
    mailchimp.parameters.push(("data_center", "us21".to_owned()));
    mailchimp.theirs = vec![
        Kept { place: "audience1".to_owned(), ..kept("9e107d9d372bb6826bd81d3542a419d6") },
        Kept { place: "audience2".to_owned(), ..kept("9e107d9d372bb6826bd81d3542a419d6") },
    ];
    mailchimp.other =
        Kept { place: "audience1".to_owned(), ..other("e4d909c290d0fb1ca068ffaddf22cbd0") };
    let mut sendgrid = case("sendgrid", messages::sendgrid, ("api_key", "SG.0123456789"));
    sendgrid.grade = Grade::Reported;
    sendgrid.asks = false;
    let mut twilio = case("twilio", messages::twilio, ("key_secret", "secret0123456789"));
    twilio.parameters.push(("account_sid", messages::ACCOUNT.to_owned()));
    twilio.parameters.push(("key_sid", format!("SK{}", &messages::ACCOUNT[2..])));
    let place = |id: &str, place: &str| Kept { place: place.to_owned(), ..kept(id) };
    twilio.theirs = vec![
        place("SM1", "Messages"),
        place("SM2", "Messages"),
        Kept {
            external: PHONE.to_owned(),
            phone: "+15550001".to_owned(),
            ..place("SM3", "Messages")
        },
        place("CA1", "Calls"),
    ];
    twilio.other = Kept { place: "Messages".to_owned(), ..other("SM9") };
    twilio.known_by = ("msisdn", PHONE.to_owned());
    twilio.nobody = ("msisdn", "+491700000000".to_owned());
    let mut segment = case("segment", messages::segment, ("token", TOKEN));
    segment.theirs = vec![kept("u-1")];
    segment.other = other("u-2");
    segment.known_by = ("segment_user_id", "u-1".to_owned());
    segment.nobody = ("segment_user_id", "u-9".to_owned());
    segment.grade = Grade::Reported;
    segment.asks = false;
    let mut braze = case("braze", messages::braze, ("api_key", TOKEN));
    braze.parameters.push(("host", "rest.iad-01.braze.com".to_owned()));
    vec![mailchimp, sendgrid, twilio, segment, braze]
}

fn cases() -> Vec<Case> {
    customers().into_iter().chain(senders()).collect()
}

async fn opened(case: &Case) -> Exchange {
    let all = case.theirs.iter().cloned().chain([case.other.clone()]).collect();
    Exchange::open(case.vendor, all).await
}

impl Case {
    fn connector(&self, exchange: &Exchange) -> Box<dyn quietus_connectors::Connector> {
        let parameters: Vec<(&str, &str)> =
            self.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // Their pace is that of the vendors; here nobody is hurried.
        let text = library::definition(self.name).unwrap();
        let paced = |line: &&str| line.starts_with("requests_per_minute: ");
        assert_eq!(text.lines().filter(paced).count(), 1, "{} has no pace", self.name);
        let lines: Vec<&str> = text.lines().filter(|line| !paced(line)).collect();
        exchange.connector(&lines.join("\n"), &parameters)
    }
}

#[tokio::test]
async fn every_definition_has_a_case() {
    let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
    names.sort_unstable();
    assert_eq!(names, library::names());
    assert_eq!(names.len(), 10);
}

#[tokio::test]
async fn every_vendor_erases_the_person_and_nobody_else() {
    for case in cases() {
        let exchange = opened(&case).await;
        let connector = case.connector(&exchange);
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
        let connector = case.connector(&exchange);
        done(connector.execute(&erase(1, &known_by), &Notes::going_on()).await);
        let sent = exchange.world().changes();
        // Nothing of the first attempt is remembered.
        let connector = case.connector(&exchange);
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
        let connector = case.connector(&exchange);
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
        let connector = case.connector(&exchange);
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
        let connector = case.connector(&exchange);
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
