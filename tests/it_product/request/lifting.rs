//! Lifting ends what the person's request imposed, and never what a law keeps restricted.

use serde_json::{Value, json};

use super::person;
use crate::company::{Company, identifier_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_law_keeps_restricted_stays_so_when_the_persons_restriction_is_lifted() {
    let company = person::company("").await;
    // Her erasure leaves two invoices, restricted until the tax office needs them no longer.
    person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let invoices = ["11|~|~|Grace Example|1", "13|~|~|Grace Example|1"];
    assert_eq!(person::orders(&company).await[..2], invoices);
    assert_eq!(person::customers(&company).await[0], "1|erased|~|0");
    // Then she has everything restricted, by her number: her customer's record and, once more, one
    // of the invoices.
    person::brought(&company, "restriction", "customer_id=1\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::customers(&company).await[0], "1|erased|~|1");
    assert_eq!(person::orders(&company).await[..2], invoices);

    let lifting = person::brought(&company, "lifting", "customer_id=1\n").await;
    company.quietus(&["run", "--once"]).await;
    let letters = company.quietus(&["letter", "list", &lifting]).await.expect(0);
    let notice = letters.out.lines().find(|line| line.contains("lifting")).unwrap();
    let notice = identifier_in(notice);
    let how = ["--how", "hand", "--by", "Ada Example"];
    company.quietus(&[&["letter", "delivered", &notice][..], &how].concat()).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::customers(&company).await[0], "1|erased|~|0", "what she imposed is lifted");
    assert_eq!(person::orders(&company).await[..2], invoices, "what the law imposed is not");

    // The certificate says what stays restricted and why, and the letter to her does so too.
    let stated = stays(&company, &lifting).await;
    let by_law = |one: &Value| {
        one["category"] == "invoice"
            && one["kept"]["reason"] == "statutory-minimum"
            && one["kept"]["records"] == "1"
            && one["kept"]["restricted"] == true
            && one["kept"]["because"].as_str().unwrap().contains("AO 147")
    };
    assert!(stated.iter().any(by_law), "{stated:#?}");
    assert!(stated.iter().all(|one| one["collection"] == "orders"), "{stated:#?}");
    let letter = outcome(&company, &lifting).await;
    for part in ["has ended", "What stays locked, and why:", "AO 147"] {
        assert!(letter.contains(part), "`{part}` in {letter}");
    }
    assert!(!letter.contains("by itself") && !letter.contains("What may go"), "{letter}");
}

/// What the certificate of a lifting says that stays, one entry for each reason.
async fn stays(company: &Company, request: &str) -> Vec<Value> {
    let page = company.quietus(&["request", "show", request]).await.expect(0).out;
    let line = page.lines().find(|line| line.contains("certificate show")).expect("a certificate");
    let certificate = company.certificate(&identifier_in(line)).await;
    let mut found = Vec::new();
    for statement in certificate.statements() {
        for kept in statement["kept"].as_array().unwrap() {
            found.push(json!({
                "collection": statement["collection"],
                "category": statement["category"],
                "kept": kept,
            }));
        }
    }
    found
}

/// The answer to a request, as it goes to the person.
async fn outcome(company: &Company, request: &str) -> String {
    let letters = company.quietus(&["letter", "list", request]).await.expect(0).out;
    let line = letters.lines().find(|line| line.contains("outcome")).expect("an answer");
    company.quietus(&["letter", "show", &identifier_in(line)]).await.expect(0).out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_request_keeps_restricted_is_named_when_an_objection_is_rejected() {
    let company = person::company("").await;
    let objection = person::brought(&company, "objection", "customer_id=2\n").await;
    company.quietus(&["run", "--once"]).await;
    person::brought(&company, "restriction", "email=alan@mail.example\n").await;
    company.quietus(&["run", "--once"]).await;
    let back = ["request", "cancel", &objection, "--reason", "taken back by telephone, T-130"];
    company.quietus(&back).await.expect(0);
    let page = company.quietus(&["request", "show", &objection]).await.expect(0).out;
    let line = page.lines().find(|line| line.contains("carries the decision out")).unwrap();
    let lifting = identifier_in(line);
    let letters = company.quietus(&["letter", "list", &lifting]).await.expect(0).out;
    let notice = letters.lines().find(|line| line.contains("lifting")).unwrap();
    let notice = identifier_in(notice);
    let how = ["--how", "hand", "--by", "Ada Example"];
    company.quietus(&[&["letter", "delivered", &notice][..], &how].concat()).await.expect(0);
    company.quietus(&["run", "--once"]).await;
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|1");
    let stated = stays(&company, &lifting).await;
    let by_request = |one: &Value| {
        one["kept"]["reason"] == "still-restricted"
            && one["kept"]["because"].as_str().unwrap().contains("another request")
    };
    assert!(!stated.is_empty() && stated.iter().all(by_request), "{stated:#?}");
    assert!(stated.iter().any(|one| one["collection"] == "customers"), "{stated:#?}");
    assert!(outcome(&company, &lifting).await.contains("another request of the person"));
}
