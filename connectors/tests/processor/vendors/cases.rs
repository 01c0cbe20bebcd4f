//! One person and a neighbour at each of the ten vendors, with everything that a test needs to ask
//! for them.

use quietus_connectors::Grade;

use super::{TOKEN, customers, messages};
use crate::exchange::{Exchange, Kept, Vendor};

const EMAIL: &str = "jane.o'brien+tag@shop.example";
const PHONE: &str = "+491701234567";

/// One vendor, with a person and a neighbour.
pub struct Case {
    pub name: &'static str,
    pub vendor: Vendor,
    pub parameters: Vec<(&'static str, String)>,
    /// Records of the person.
    pub theirs: Vec<Kept>,
    /// Somebody else's.
    pub other: Kept,
    /// What the person is known by.
    pub known_by: (&'static str, String),
    /// Somebody who is nowhere.
    pub nobody: (&'static str, String),
    /// The credential, and another one of the same shape.
    pub wrong: (&'static str, String),
    pub grade: Grade,
    /// The vendor can be asked who it knows.
    pub asks: bool,
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
    // SIDs are two letters and 32 hexadecimal digits.
    let sid = |letters: &str, number: u8| format!("{letters}{number:032x}");
    let place = |id: String, place: &str| Kept { place: place.to_owned(), ..kept(&id) };
    twilio.theirs = vec![
        place(sid("SM", 1), "Messages"),
        place(sid("SM", 2), "Messages"),
        Kept {
            external: PHONE.to_owned(),
            phone: "+15550001".to_owned(),
            ..place(sid("SM", 3), "Messages")
        },
        place(sid("CA", 1), "Calls"),
    ];
    twilio.other = Kept { place: "Messages".to_owned(), ..other(&sid("SM", 9)) };
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

pub fn cases() -> Vec<Case> {
    customers().into_iter().chain(senders()).collect()
}

pub async fn opened(case: &Case) -> Exchange {
    let all = case.theirs.iter().cloned().chain([case.other.clone()]).collect();
    Exchange::open(case.vendor, all).await
}
