//! Tests of who is told of alarms.

use super::*;
use crate::config::{AlarmSettings, Least, Topic};
use crate::domain::{AlarmKind, AlarmStep};

/// The starting folder with these settings of alarms, and what is said of it.
#[track_caller]
fn said_of(alarms: &str) -> String {
    let before = "log: {format: text}";
    changed("quietus.yaml", before, &format!("alarms:\n{alarms}\n{before}"))
}

#[track_caller]
fn says_of(alarms: &str, expected: &str) {
    let told = said_of(alarms);
    assert!(told.lines().count() == 1 && told.contains(expected), "{expected}:\n{told}");
}

/// Settings of alarms that are in order.
fn settings(alarms: &str) -> AlarmSettings {
    let text = format!("{}alarms: {alarms}\n", include_str!("start/quietus.yaml"));
    let mut files = start();
    files[0].1 = &text;
    let loaded = load(folder(&files).path()).map_err(|problems| problems.to_string()).unwrap();
    loaded.instance.alarms.unwrap()
}

/// One webhook in one line, with more entries.
fn hook(url: &str, more: &str) -> String {
    format!("  webhooks: [{{url: \"{url}\", secret: \"file:secrets/hook\"{more}}}]")
}

#[test]
fn what_is_left_out_is_usual() {
    let none = settings("{}");
    assert!(none.webhooks.is_empty() && none.mail.is_empty());
    assert_eq!((none.every.as_secs(), none.again.unwrap().as_hours()), (300, 24));
    assert_eq!(none.least, Least::Look);
    let written = settings(
        "{every: PT1M, again: never, least: wrong, webhooks: [{url: 'https://hooks.example.com:8443/a?b=c', secret: 'env:HOOK'}, {name: pager, url: 'http://10.0.0.1/', private_host: true, secret: 'env:HOOK', former_secret: 'file:old', at: [alarm.raised, request.overdue]}]}",
    );
    assert_eq!((written.every.as_secs(), written.again), (60, None));
    assert_eq!(written.least, Least::Wrong);
    let [first, second] = &written.webhooks[..] else { panic!("{written:?}") };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("hooks.example.com:8443", "pager"));
    assert!(first.wants(AlarmStep::Again, AlarmKind::JobFailed), "everything");
    assert_eq!(second.secrets.len(), 2);
    assert_eq!(
        second.topics,
        [Topic::Step(AlarmStep::Raised), Topic::Kind(AlarmKind::RequestOverdue)]
    );
    assert!(second.wants(AlarmStep::Raised, AlarmKind::JobFailed));
    assert!(!second.wants(AlarmStep::Cleared, AlarmKind::JobFailed));
    assert!(second.wants(AlarmStep::Cleared, AlarmKind::RequestOverdue));
    assert!(!format!("{written:?}").contains("b=c"), "an address is not printed");
    let text = format!("{}alarms: {{}}\n", include_str!("start/quietus.yaml"));
    let mut files = start();
    assert!(load(folder(&files).path()).unwrap().instance.alarms.is_none(), "nobody looks");
    files[0].1 = &text;
    assert!(load(folder(&files).path()).unwrap().instance.alarms.is_some());
}

#[test]
fn addresses_to_which_nothing_may_be_sent_are_refused() {
    let https = "https://hooks.example.com/quietus";
    assert_eq!(said_of(&hook(https, "")), "");
    says_of(&hook("http://hooks.example.com/", ""), "alarms would go there in the open");
    assert_eq!(said_of(&hook("http://hooks.example.com/", ", private_host: true")), "");
    for private in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"] {
        let url = format!("https://{private}/");
        let told = said_of(&hook(&url, ", name: hook"));
        assert!(told.contains("this is a private address"), "{private}: {told}");
        assert_eq!(said_of(&hook(&url, ", name: hook, private_host: true")), "", "{private}");
    }
    for wrong in
        ["ftp://hooks.example.com", "hooks.example.com", "https://", "https://a@b.example/"]
    {
        let told = said_of(&hook(wrong, ""));
        assert!(told.contains("nothing can be sent to this address"), "{wrong}: {told}");
    }
    let told = said_of(&hook("https://user:horse@hooks.example.com/", ""));
    assert!(!told.contains("horse"), "{told}");
}

#[test]
fn secrets_names_and_events_that_make_no_sense_are_refused() {
    let https = "https://hooks.example.com/quietus";
    let plain = "  webhooks: [{url: \"https://hooks.example.com/\", secret: \"whsec:MfKQ9r8GKYqrTwjUPD8I\"}]";
    let told = said_of(plain);
    assert!(
        told.contains("a secret never stands in this file") && !told.contains("MfKQ"),
        "{told}"
    );
    says_of("  webhooks: [{url: \"https://hooks.example.com/\"}]", "`secret` is missing");
    says_of(&hook(https, ", at: []"), "nothing is sent there");
    says_of(
        &hook(https, ", at: [request.overdu]"),
        "there is no event `request.overdu` (did you mean `request.overdue`?",
    );
    says_of(&hook(https, ", name: Pager"), "`Pager` is no name of a webhook");
    says_of(&hook(https, ", trust: \"env:CA\""), "certificates are read from a file");
    says_of(&hook(https, ", secrets: []"), "unknown entry `secrets`");
    let one = "{url: \"https://hooks.example.com/a\", secret: \"env:A\"}";
    says_of(&format!("  webhooks: [{one}, {one}]"), "two webhooks are called `hooks.example.com`");
    let many = vec![one; 17].join(", ");
    let told = said_of(&format!("  webhooks: [{many}]"));
    assert!(told.contains("17 webhooks, and 16 is the most"), "{told}");
}

#[test]
fn paces_and_mails_that_make_no_sense_are_refused() {
    says_of("  every: PT9S", "every ten seconds at most");
    says_of("  every: P2D", "once a day at least");
    says_of("  again: PT59M", "more often than once an hour");
    says_of("  least: well", "unknown word `well`");
    says_of("  language: fr", "unknown word `fr`");
    says_of("  mail: [officer@company.example]", "there is no mail server");
    let told = said_of("  mail: [officer at company]");
    assert!(told.contains("this is no e-mail address") && !told.contains("officer at"), "{told}");
    let server = "mail: {host: mail.example.com, from: privacy@example.com}\n";
    let before = "log: {format: text}";
    let with =
        format!("{server}alarms: {{mail: [officer@company.example, \"env:OTHER\"]}}\n{before}");
    assert_eq!(changed("quietus.yaml", before, &with), "");
}
