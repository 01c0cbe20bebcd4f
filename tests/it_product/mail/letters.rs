//! Letters that arrive: to the person in the person's language, to recipients in theirs.

use quietus::domain::AskedRight;

use super::house::{FAR, House, PERSON, Replica};
use super::maildir;
use crate::request::person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_arrives_in_german_and_nobody_is_named_anywhere_else() {
    let house = House::open(maildir::port(), "").await;
    let grace = house.address("grace");
    let request = house.bring("erasure", "de", &grace).await;
    let listed = house.letters(&request).await;
    assert!(listed.contains("goes by mail"), "{listed}");
    let run = house.company.quietus(&["--log", "trace", "run", "--once"]).await;
    assert!(run.out.contains("mail(s) sent"), "{}{}", run.out, run.err);

    let letters = house.received("grace");
    assert_eq!(letters.len(), 1, "the answer waits for the archive");
    let first = &letters[0];
    assert_eq!(first.subject(), format!("Ihr Antrag {request}"));
    assert!(first.text.contains("vielen Dank für Ihren Antrag an Example Company"), "{first:?}");
    let id = house.letter(&request, "acknowledgement").await;
    assert_eq!(first.header("Message-ID"), format!("<{id}@company.example>"));
    assert_eq!(first.header("Auto-Submitted"), "auto-generated");
    assert_eq!(first.header("From"), "\"Example Company\" <privacy@company.example>");
    assert_eq!(first.header("Reply-To"), "people@company.example");
    assert_eq!(first.header("Content-Type"), "text/plain; charset=utf-8");
    assert_eq!(first.header("Content-Language"), "de");
    assert_eq!(first.header("X-MailFrom"), "privacy@company.example");

    // The recipient is told in its own language, without whom: the order says that.
    let notices = house.received("archive");
    assert_eq!(notices.len(), 1);
    assert!(notices[0].subject().starts_with("Mitteilung nach Artikel 19 DSGVO"));
    assert!(notices[0].text.contains("- contact") && !notices[0].text.contains("grace"));

    let listed = house.letters(&request).await;
    assert_eq!(listed.matches("mail,").count(), 2, "{listed}");
    let again = house.company.quietus(&["--log", "trace", "run", "--once"]).await;
    assert_eq!(house.received("grace").len(), 1, "once");
    let show = house.company.quietus(&["request", "show", &request]).await.expect(0);
    let json = house.company.quietus(&["mail", "list"]).await.expect(0);
    assert!(json.out.contains("no mail is waiting"), "{}", json.out);
    assert!(run.err.len() > 1000, "the log is talkative");
    let said = [run.out, run.err, again.out, again.err, show.out, listed, json.out].concat();
    house.names_nobody(&said).await;
    assert!(!said.contains(&grace) && !said.contains("Ihr Antrag"), "{said}");
    assert_eq!(person::in_the_store(&house.company, &[&grace]).await, Vec::<String>::new());
}

/// A fee, and later a refusal, come with the decision, in the person's language, with the reason and
/// what can be done against it (GDPR article 12(4) and (5)).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fee_and_a_refusal_are_told_by_letter() {
    let house = House::open(maildir::port(), "").await;
    let grace = house.address("grace");
    let request = house.bring("erasure", "de", &grace).await;
    let decide = async |what: &[&str], by: &str, code| {
        let all = [&["request"][..], what, &["--reason", "third time, T-9", "--by", by]].concat();
        house.company.quietus(&all).await.expect(code)
    };
    let fee = ["fee", &request, "--amount", "12.50 EUR"];
    let about = |word: &str| {
        let mails = house.received("grace").into_iter();
        mails.filter(|one| one.subject().contains(word)).collect::<Vec<_>>()
    };
    decide(&fee, "Ada Example", 1).await;
    decide(&fee, "Clara Example", 0).await;
    house.company.quietus(&["run", "--once"]).await;
    let told = about("Entgelt");
    assert_eq!(told.len(), 1);
    for part in ["12.50 EUR", "third time, T-9", "beschweren", "Rechtsweg", "2016/679"] {
        assert!(told[0].text.contains(part), "`{part}` in {}", told[0].text);
    }
    // It is not paid, and two persons refuse.
    decide(&["refuse", &request], "Ada Example", 1).await;
    decide(&["refuse", &request], "Clara Example", 0).await;
    house.company.quietus(&["run", "--once"]).await;
    let told = about("abgelehnt");
    assert_eq!((told.len(), about("Entgelt").len()), (1, 1));
    for part in ["third time, T-9", "beschweren", "Rechtsweg", "2016/679"] {
        assert!(told[0].text.contains(part), "`{part}` in {}", told[0].text);
    }
}

/// A fee that nobody asks for any more is not asked for by a mail that was late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fee_that_was_waived_in_time_is_not_asked_for() {
    let house = House::open(maildir::port(), "").await;
    let request = house.bring("erasure", "en", &house.address("grace")).await;
    let fee = ["request", "fee", &request];
    let amount = ["--amount", "12.50 EUR", "--reason", "third time, T-9", "--by"];
    for (by, code) in [("Ada Example", 1), ("Clara Example", 0)] {
        house.company.quietus(&[&fee[..], &amount, &[by]].concat()).await.expect(code);
    }
    let waived = [&fee[..], &["--waived", "--by", "Ada Example"]].concat();
    house.company.quietus(&waived).await.expect(0);
    house.company.quietus(&["run", "--once"]).await;
    let mails = house.received("grace");
    assert!(mails.iter().all(|one| !one.subject().contains("fee")), "{mails:?}");
    assert!(house.mails().await.contains(&"letter person called_off 0".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_before_or_has_no_address_stays_with_a_person() {
    let house = House::open(maildir::port(), "").await;
    let grace = house.address("grace");
    let instance = house.company.read("quietus.yaml");
    let without = instance.split("mail:\n").next().unwrap().to_owned();
    house.company.write("quietus.yaml", &without);
    let before = house.bring("access", "en", &grace).await;
    let refused = house.company.quietus(&["mail", "again", &before, "--by", "Ada Example"]).await;
    assert!(refused.expect(2).err.contains("names no mail server"));
    house.company.write("quietus.yaml", &instance);
    // A letter of last year does not go out because somebody has set up a mail server today.
    let by_post = house.bring("rectification", "en", "Example Street 1, 12345 Example").await;
    house.company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(house.mails().await, Vec::<String>::new());
    for request in [&before, &by_post] {
        let listed = house.letters(request).await;
        assert!(listed.contains(": give it by hand") && !listed.contains("by mail"), "{listed}");
    }
    assert_eq!(house.received("grace").len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_was_given_by_hand_is_not_sent_as_well() {
    let house = House::open(maildir::port(), "").await;
    let request = house.bring("access", "en", &house.address("grace")).await;
    let letter = house.letter(&request, "acknowledgement").await;
    // Without a mail server it is said at once that somebody has to do it.
    let instance = house.company.read("quietus.yaml");
    house.company.write("quietus.yaml", instance.split("mail:\n").next().unwrap());
    for list in [house.letters(&request).await, house.company.quietus(&["mail", "list"]).await.out]
    {
        assert!(list.contains("give it by hand: `quietus.yaml` names no mail server"), "{list}");
    }
    house.company.write("quietus.yaml", &instance);
    let how = ["letter", "delivered", &letter, "--how", "hand", "--by", "Ada Example"];
    house.company.quietus(&how).await.expect(0);
    house.company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(house.mails().await, ["letter person called_off 0"]);
    assert_eq!(house.received("grace").len(), 0);
    let again = house.company.quietus(&["mail", "again", &letter, "--by", "Ada Example"]).await;
    assert!(again.expect(2).err.contains("is `called_off`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_is_lifted_once_the_notice_has_gone_by_mail() {
    let house = House::open(maildir::port(), "").await;
    person::brought(&house.company, "restriction", "customer_id=1\n").await;
    let replica = Replica::open(&house, FAR).await;
    replica.work().await;
    assert!(person::customers(&house.company).await[0].ends_with("|1"));
    let grace = house.address("grace");
    replica.bring(AskedRight::Lifting, Some(&grace)).await;
    replica.product.advance_requests().await.unwrap();
    crate::company::engine::work(&replica.product).await;
    assert!(person::customers(&house.company).await[0].ends_with("|1"), "not told yet");
    replica.product.send_mails().await.unwrap();
    let told: Vec<String> = house.received("grace").iter().map(|one| one.text.clone()).collect();
    assert!(told.iter().any(|text| text.contains("lift")), "{told:?}");
    replica.work().await;
    assert!(person::customers(&house.company).await[0].ends_with("|0"), "told, and lifted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_message_goes_to_the_address_of_a_file() {
    let house = House::open(maildir::port(), "").await;
    let ada = house.address("test");
    house.company.write("address.txt", &format!("{ada}\n"));
    let file = house.company.path("address.txt");
    let test = ["mail", "test", "--to", file.to_str().unwrap()];
    let sent = house.company.quietus(&test).await.expect(0);
    assert!(sent.out.contains("has accepted it") && !sent.out.contains(&ada), "{}", sent.out);
    assert!(house.received("test")[0].text.contains("Example Company can send mail"));
    house.company.write("address.txt", "no address\n");
    let refused = house.company.quietus(&test).await.expect(2);
    assert!(refused.err.contains("no e-mail address") && !refused.err.contains("no address\n"));
    house.company.write("address.txt", PERSON);
    house.configure(1, "");
    let away = house.company.quietus(&test).await.expect(1);
    assert!(away.err.contains("cannot be reached") && !away.err.contains("grace"), "{}", away.err);
}
