//! Objections: restricted while they are decided, and what the decision opens.

use super::person;
use crate::company::{Company, Ended, identifier_in};

const ADA: [&str; 4] = ["--reason", "weighed, T-128", "--by", "Ada Example"];
const GRACE: [&str; 4] = ["--reason", "agreed, T-128", "--by", "Grace Example"];

async fn run(company: &Company) -> Ended {
    company.quietus(&["run", "--once"]).await
}

async fn decide(company: &Company, id: &str, how: &str, who: &[&str]) -> Ended {
    company.quietus(&[&["request", "decide", id, how][..], who].concat()).await
}

/// Alan objects, and what is his is restricted.
async fn objected(company: &Company) -> String {
    let id = person::brought(company, "objection", "customer_id=2\n").await;
    run(company).await;
    assert_eq!(person::customers(company).await[1], "2|alan@mail.example|Alan Example|1");
    let page = company.quietus(&["request", "show", &id]).await.expect(0);
    assert!(page.out.contains("is with a person"), "{}", page.out);
    assert!(page.out.contains("quietus request decide"), "{}", page.out);
    id
}

/// The request that carries a decision out, by the page of the one that was decided.
async fn follower(company: &Company, id: &str) -> String {
    let page = company.quietus(&["request", "show", id]).await.expect(0);
    let line = page.out.lines().find(|line| line.contains("carries the decision out"));
    identifier_in(line.unwrap_or_else(|| panic!("{}", page.out)))
}

async fn delivered(company: &Company, request: &str, kind: &str) {
    let letters = company.quietus(&["letter", "list", request]).await.expect(0);
    let notice = letters.out.lines().find(|line| line.contains(kind)).unwrap();
    let notice = identifier_in(notice);
    let how = ["--how", "hand", "--by", "Ada Example"];
    company.quietus(&[&["letter", "delivered", &notice][..], &how].concat()).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upheld_what_it_covers_is_erased() {
    let company = person::company("").await;
    let id = objected(&company).await;
    for closes in ["close", "refuse"] {
        let refused =
            company.quietus(&[&["request", closes, &id][..], &ADA].concat()).await.expect(2);
        assert!(refused.err.contains("quietus request decide"), "{}", refused.err);
    }
    company.quietus(&["request", "decide", &id, "--reason", "x", "--by", "y"]).await.expect(2);
    decide(&company, &id, "--uphold", &ADA).await.expect(0);
    let erasure = follower(&company, &id).await;
    decide(&company, &id, "--uphold", &ADA).await.expect(2);
    let page = company.quietus(&["request", "show", &id]).await.expect(0);
    assert!(page.out.contains("the objection is upheld"), "{}", page.out);
    assert!(page.out.contains("outcome to person"), "{}", page.out);
    run(&company).await.expect(0);
    assert!(!person::customers(&company).await.iter().any(|row| row.starts_with("2|")));
    assert!(!person::tickets(&company).await.iter().any(|row| row.starts_with("33|")));
    let page = company.quietus(&["request", "show", &erasure]).await.expect(0);
    for part in ["Art. 17(1)(c)", &format!("decided about request {id}"), "is closed"] {
        assert!(page.out.contains(part), "`{part}` in\n{}", page.out);
    }
    assert_eq!(company.count_of("requests").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_by_two_persons_the_restriction_ends_after_a_notice() {
    let company = person::company("").await;
    let id = objected(&company).await;
    let proposed = decide(&company, &id, "--reject", &ADA).await.expect(1);
    assert!(proposed.out.contains("stays restricted until somebody else agrees"));
    let same = decide(&company, &id, "--reject", &ADA).await.expect(2);
    assert!(same.err.contains("somebody else has to agree"), "{}", same.err);
    assert_eq!(company.count_of("requests").await, 1);
    decide(&company, &id, "--reject", &GRACE).await.expect(0);
    let lifting = follower(&company, &id).await;
    let page = company.quietus(&["request", "show", &id]).await.expect(0);
    assert!(page.out.contains("refusal to person"), "{}", page.out);
    run(&company).await;
    assert_eq!(
        person::customers(&company).await[1],
        "2|alan@mail.example|Alan Example|1",
        "nothing is lifted before the person was told (GDPR article 18(3))"
    );
    delivered(&company, &lifting, "lifting").await;
    run(&company).await.expect(0);
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|0");
    let page = company.quietus(&["request", "show", &lifting]).await.expect(0);
    assert!(!page.out.contains("acknowledgement"), "nobody asked for it: {}", page.out);
}

/// Who proposed to refuse the request before anything was restricted has not proposed to use again what
/// is restricted by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_counts_for_nothing_but_what_it_proposes() {
    let company = person::company("").await;
    let id = person::brought(&company, "objection", "customer_id=2\n").await;
    let refuse = async |who: &[&str]| {
        company.quietus(&[&["request", "refuse", &id][..], who].concat()).await
    };
    refuse(&ADA).await.expect(1);
    run(&company).await;
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|1");
    let proposed = decide(&company, &id, "--reject", &GRACE).await.expect(1);
    assert!(proposed.out.contains("stays restricted until somebody else agrees"));
    let same = decide(&company, &id, "--reject", &GRACE).await.expect(2);
    assert!(same.err.contains("somebody else has to agree"), "{}", same.err);
    assert_eq!(company.count_of("requests").await, 1, "one person has decided nothing");
    decide(&company, &id, "--reject", &ADA).await.expect(0);
    assert_eq!(company.count_of("requests").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taken_back_the_restriction_ends_and_another_one_stays() {
    let company = person::company("").await;
    let id = objected(&company).await;
    // Of his own accord he wants a restriction beside it.
    person::brought(&company, "restriction", "email=alan@mail.example\n").await;
    run(&company).await;
    let back = ["request", "cancel", &id, "--reason", "taken back by telephone, T-130"];
    company.quietus(&back).await.expect(0);
    let lifting = follower(&company, &id).await;
    delivered(&company, &lifting, "lifting").await;
    run(&company).await;
    assert_eq!(
        person::customers(&company).await[1],
        "2|alan@mail.example|Alan Example|1",
        "his other request restricts it"
    );
    // He himself means all that he has asked for.
    let all = person::brought(&company, "lifting", "customer_id=2\n").await;
    run(&company).await;
    delivered(&company, &all, "lifting").await;
    run(&company).await.expect(0);
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_marketing_ends_at_once_and_nothing_is_weighed() {
    let company = person::company("requests: {cooling_off: P2D}\n").await;
    let new = ["request", "new", "--right", "objection", "--identities-file", "-"];
    let check = ["--check", "substantial", "--method", "call-back"];
    let ground = ["--ground", "Art. 21(2)"];
    let all = person::told(&company, &[&new[..], &check, &ground].concat(), "customer_id=2\n")
        .await
        .expect(2);
    assert!(all.err.contains("name the categories"), "{}", all.err);
    let marketing = ["--direct-marketing", "--category", "delivery"];
    let told =
        person::told(&company, &[&new[..], &check, &marketing].concat(), "customer_id=2\n").await;
    let id = identifier_in(&told.expect(0).out);
    run(&company).await.expect(0);
    assert_eq!(
        person::orders(&company).await[3],
        "21|~|~|Alan Example|0",
        "only what serves it goes, and nobody had to decide"
    );
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|0");
    let page = company.quietus(&["request", "show", &id]).await.expect(0);
    assert!(page.out.contains("is closed"), "{}", page.out);
    decide(&company, &id, "--reject", &ADA).await.expect(2);
}

/// What was objected to with success is used for nothing, also where the person does not want it
/// erased after all (GDPR articles 18(1)(b) and 21(1)): it stays restricted, whatever becomes of
/// other objections, until the person asks for the end of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upheld_and_not_erased_it_stays_restricted_until_the_person_ends_it() {
    let company = person::company("").await;
    let id = objected(&company).await;
    decide(&company, &id, "--uphold", &ADA).await.expect(0);
    let erasure = follower(&company, &id).await;
    let back = ["request", "cancel", &erasure, "--reason", "taken back by telephone, T-131"];
    company.quietus(&back).await.expect(0);
    let page = company.quietus(&["request", "show", &erasure]).await.expect(0).out;
    assert!(page.contains("stays restricted") && page.contains("--right lifting"), "{page}");
    run(&company).await;
    let restricted = "2|alan@mail.example|Alan Example|1";
    assert_eq!(person::customers(&company).await[1], restricted);

    // Another objection of his is rejected: its own restriction ends, and not the one before.
    let second = person::brought(&company, "objection", "email=alan@mail.example\n").await;
    run(&company).await;
    decide(&company, &second, "--reject", &ADA).await.expect(1);
    decide(&company, &second, "--reject", &GRACE).await.expect(0);
    let lifting = follower(&company, &second).await;
    run(&company).await;
    delivered(&company, &lifting, "lifting").await;
    run(&company).await;
    assert_eq!(person::customers(&company).await[1], restricted, "the first was right");

    // He himself may end it.
    let all = person::brought(&company, "lifting", "customer_id=2\n").await;
    run(&company).await;
    delivered(&company, &all, "lifting").await;
    run(&company).await.expect(0);
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|0");
}
