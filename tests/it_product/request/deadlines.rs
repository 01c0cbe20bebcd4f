//! Deadline alarms and fees on the command line.

use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::person;

async fn received(company: &crate::company::Company, day: &str, number: &str) -> String {
    let new = ["request", "new", "--right", "access", "--identities-file", "-", "--received", day];
    let check = ["--check", "substantial", "--method", "login", "--regime", "ccpa"];
    let arguments = [&new[..], &check].concat();
    let told = person::told(company, &arguments, &format!("customer_id={number}\n")).await;
    crate::company::identifier_in(&told.expect(0).out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_presses_is_listed_and_the_exit_code_says_so() {
    let company = person::company("").await;
    for list in ["--at-risk", "--overdue"] {
        let none = company.quietus(&["request", "list", list]).await.expect(0);
        assert!(none.out.contains("nothing presses"), "{}", none.out);
    }
    let today = SystemClock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days_ago = |days: i64| today.checked_sub(jiff::ToSpan::days(days)).unwrap().to_string();
    let fresh = received(&company, &days_ago(1), "1").await;
    let risky = received(&company, &days_ago(29), "2").await;
    let late = received(&company, &days_ago(90), "3").await;
    let overdue = company.quietus(&["request", "list", "--overdue"]).await.expect(1);
    assert!(overdue.out.contains(&late) && overdue.out.contains("overdue:"), "{}", overdue.out);
    assert!(!overdue.out.contains(&risky) && !overdue.out.contains(&fresh), "{}", overdue.out);
    let risk = company.quietus(&["request", "list", "--at-risk"]).await.expect(1);
    assert!(risk.out.contains(&risky) && !risk.out.contains(&late), "{}", risk.out);
    assert!(!risk.out.contains(&fresh), "{}", risk.out);
    let all = company.quietus(&["request", "list", "--open"]).await.expect(0);
    assert!(all.out.contains("on time"), "{}", all.out);
    let reason = ["--reason", "copy was sent, T-127"];
    for id in [&late, &risky] {
        company.quietus(&[&["request", "close", id][..], &reason].concat()).await.expect(0);
    }
    company.quietus(&["request", "list", "--overdue"]).await.expect(0);
    company.quietus(&["request", "list", "--at-risk"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fee_needs_two_persons_and_nothing_goes_on_before_it_is_paid() {
    let company = person::company("requests: {regime: uk-gdpr}\n").await;
    let id = person::brought(&company, "erasure", "customer_id=2\n").await;
    let fee = |amount: &'static str, by: &'static str| {
        let fee = ["request", "fee", &id, "--amount", amount, "--reason", "third time, T-9"];
        let arguments: Vec<String> =
            fee.iter().chain(&["--by", by]).map(|it| (*it).into()).collect();
        let company = &company;
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            company.quietus(&arguments).await
        }
    };
    fee("twelve pounds", "Ada Example").await.expect(2);
    fee("12.50 GBP", "Ada Example").await.expect(1);
    let letters = company.quietus(&["request", "show", &id]).await.expect(0).out;
    assert!(!letters.contains("fee to person"), "one person has decided nothing: {letters}");
    fee("12.50 GBP", "ada example").await.expect(2);
    fee("13 GBP", "Grace Example").await.expect(2);
    let owed = fee("12.50 GBP", "Grace Example").await.expect(0);
    assert!(owed.out.contains("the fee is not paid"), "{}", owed.out);
    assert!(owed.out.contains("a fee was agreed to on"), "{}", owed.out);
    fee("12.50 GBP", "Joan Example").await.expect(2);
    let letters = company.quietus(&["request", "show", &id]).await.expect(0).out;
    assert_eq!(letters.matches("fee to person").count(), 1, "told with the decision: {letters}");
    let before = person::everything(&company).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::everything(&company).await, before, "nobody has paid");
    let paid = ["request", "fee", &id, "--paid", "--by", "Ada Example"];
    company.quietus(&paid).await.expect(0);
    company.quietus(&paid).await.expect(2);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert!(!person::customers(&company).await.iter().any(|row| row.starts_with("2|")));
}
