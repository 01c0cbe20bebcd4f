//! One person's request from the telephone to the last row, on the command line.

use super::person;
use crate::company::engine::{TurnedClock, work};
use crate::company::identifier_in;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_goes_from_every_system_but_for_what_is_kept() {
    let company = person::company("").await;
    let hold = ["hold", "place", "LIT-9", "--system", "desk", "--collection", "tickets"];
    let record = ["--record", "32", "--reason", "a lawsuit"];
    company.quietus(&[&hold[..], &record].concat()).await.expect(0);

    let new = [
        "request",
        "new",
        "--right",
        "erasure",
        "--identities-file",
        "-",
        "--channel",
        "mail",
        "--received",
        "2026-11-20",
        "--ground",
        "Art. 17(1)(b)",
        "--by",
        "Ada Example",
    ];
    let told = person::told(&company, &new, "email= Grace@mail.example\n").await.expect(0);
    let id = identifier_in(&told.out);
    assert!(told.out.contains("known by email (values are sealed)"), "{}", told.out);
    assert!(told.out.contains("waits until it is sure who asks"), "{}", told.out);
    let twice = person::told(&company, &new, "email=grace@mail.example").await.expect(2);
    assert!(twice.err.contains(&id), "{}", twice.err);

    let before = person::everything(&company).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::everything(&company).await, before, "nobody knows yet who asks");

    let check = ["--assurance", "substantial", "--method", "call-back", "--reference", "T-123"];
    company.quietus(&[&["request", "confirm", &id][..], &check].concat()).await.expect(0);
    let narrow = company.quietus(&["run", "--once", "--schedule", "nightly"]).await.expect(0);
    assert_eq!(person::everything(&company).await, before, "{}", narrow.out);
    let ran = company.quietus(&["run", "--once"]).await.expect(0);
    assert!(ran.out.contains(&format!("request {id} is carried out")), "{}", ran.out);

    assert_eq!(
        person::customers(&company).await,
        [
            "1|erased|~|0",
            "2|alan@mail.example|Alan Example|0",
            "3|shared@mail.example|Sally Shared|0",
            "4|SHARED@MAIL.EXAMPLE|Simon Shared|0",
        ]
    );
    assert_eq!(
        person::orders(&company).await,
        [
            "11|~|~|Grace Example|1",
            "13|~|~|Grace Example|1",
            "21|alan@mail.example|Example Street 2|Alan Example|0",
        ]
    );
    assert_eq!(person::tickets(&company).await, ["32|court", "33|help", "34|Sally asks"]);

    let page = company.quietus(&["request", "show", &id]).await.expect(0);
    for part in [
        "shop: done, and looked at once more",
        "desk: done, and looked at once more",
        "shop.orders: invoice of 2 records: minimum `ao-147` (AO 147)",
        "a legal hold covers it",
        "identity: substantial, by call-back, T-123; operator on ",
    ] {
        assert!(page.out.contains(part), "`{part}` in\n{}", page.out);
    }
    let list = company.quietus(&["request", "list"]).await.expect(0);
    let said = [told.out, twice.err, ran.out, ran.err, page.out, list.out].concat();
    for name in ["grace@", "Grace Example", "Example Street"] {
        assert!(!said.to_lowercase().contains(&name.to_lowercase()), "`{name}` in\n{said}");
    }
    let found = person::in_the_store(&company, &["grace@mail.example", "Grace Example"]).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_down_does_not_keep_the_others_and_is_caught_up() {
    let company = person::company("").await;
    // Without its table the help desk answers nothing of use.
    let id = person::brought(&company, "erasure", "customer_id=2\n").await;
    company.database("desk").run("ALTER TABLE tickets RENAME TO elsewhere").await;
    let ran = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(
        ran.out.contains(&format!("request {id} is not carried out everywhere")),
        "{}",
        ran.out
    );
    assert_eq!(person::customers(&company).await.len(), 3, "{}", ran.out);
    assert_eq!(person::orders(&company).await.len(), 3);
    company.database("desk").run("ALTER TABLE elsewhere RENAME TO tickets").await;
    assert!(person::tickets(&company).await.contains(&"33|help".to_owned()));
    company.quietus(&["retry", "--system", "desk"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::tickets(&company).await, ["31|help", "32|court", "34|Sally asks"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_still_be_taken_back_is_left_alone() {
    let company = person::company("requests: {cooling_off: P2D}\n").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let back = person::brought(&company, "erasure", "customer_id=1\n").await;
    let on = person::brought(&company, "erasure", "customer_id=2\n").await;
    let show = company.quietus(&["request", "show", &back]).await.expect(0);
    assert!(show.out.contains("can still be taken back"), "{}", show.out);
    let before = person::everything(&company).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::everything(&company).await, before);
    let reason = ["--reason", "taken back by telephone, T-124"];
    company.quietus(&[&["request", "cancel", &back][..], &reason].concat()).await.expect(0);

    // Two days later, on a clock that the test turns.
    let product = company.replica(&clock).await;
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    work(&product).await;
    let left = person::customers(&company).await;
    assert!(left[0].starts_with("1|GRACE@"), "{left:?}");
    assert!(!left.iter().any(|row| row.starts_with("2|")), "{on}: {left:?}");
    let late = ["request", "cancel", &back, "--reason", "once more"];
    let refused = company.quietus(&late).await.expect(2);
    assert!(refused.err.contains("is `closed`"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_is_imposed_and_lifted() {
    let company = person::company("").await;
    person::brought(&company, "restriction", "customer_id=2\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|1");
    let others = "SELECT id FROM customers WHERE restricted AND id <> 2";
    assert_eq!(company.database("shop").rows(others).await, Vec::<String>::new());
    let lifting = person::brought(&company, "lifting", "customer_id=2\n").await;
    company.quietus(&["run", "--once"]).await;
    assert_eq!(
        person::customers(&company).await[1],
        "2|alan@mail.example|Alan Example|1",
        "nothing is lifted before the person was told (GDPR article 18(3))"
    );
    let letters = company.quietus(&["letter", "list", &lifting]).await.expect(0);
    let notice = letters.out.lines().find(|line| line.contains("lifting")).unwrap();
    let notice = identifier_in(notice);
    let how = ["--how", "hand", "--by", "Ada Example"];
    company.quietus(&[&["letter", "delivered", &notice][..], &how].concat()).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::customers(&company).await[1], "2|alan@mail.example|Alan Example|0");
}
