//! A drill from its beginning to its end, on every kind of database.

use super::{SHOPS, company, everybody, of, shown};
use crate::company::database::Kind;

async fn planted_erased_brought_back_and_erased_again(store: Kind) {
    let company = company(store, SHOPS, "drills: {at_most: PT10M}\n").await;
    company.write(
        "systems/archive.yaml",
        "system: archive\nkind: manual\nrole: processor\nowner: Office\noperator: Example Archive Ltd\n\
         persons: {categories: [contact], identities: [email]}\n\
         task: {instructions: Shred the file, due_in: P10D, assignee: Ben Example}\n",
    );
    let before = everybody(&company).await;
    let ended = company.quietus(&["drill", "run", "--json", "--by", "Ada Example"]).await.expect(0);
    let drill = ended.json();
    assert_eq!((&drill["state"], &drill["late"]), (&"done".into(), &false.into()), "{drill:#}");
    assert_eq!(drill["by"], "Ada Example");
    for (system, _) in SHOPS {
        let one = of(&drill, system);
        for moment in ["planted_at", "erased_at", "back_at", "erased_again_at", "cleaned_at"] {
            assert!(one[moment].is_string() || moment == "cleaned_at", "{moment} of {one:#}");
        }
        for seconds in ["seconds_to_erasure", "seconds_to_second_erasure"] {
            let time = one[seconds].as_f64().unwrap();
            assert!((0.0..240.0).contains(&time), "{seconds} of {one:#}");
        }
    }
    for (system, why) in [("desk", "does not say what a drill plants"), ("archive", "third party")]
    {
        let one = of(&drill, system);
        assert!(one["left_out"].as_str().unwrap().contains(why), "{one:#}");
        assert!(one["planted_at"].is_null());
    }
    assert_eq!(everybody(&company).await, before, "nobody else was touched");
    let first = shown(&company).await;
    for (system, _) in SHOPS {
        assert!(of(&first, system)["cleaned_at"].is_string(), "{first:#}");
    }

    // The certificate says first of all that it is about nobody.
    let case = drill["case"].as_str().unwrap();
    let certificate = company.certificate_of(case).await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(certificate.predicate["request"]["drill"], drill["drill"]);
    let limit = certificate.predicate["limits"][0].as_str().unwrap();
    assert!(limit.contains("of a drill") && limit.contains("no person"), "{limit}");
    assert_eq!(certificate.predicate["supersedes"]["reason"], "reappeared");
    let stated = certificate.predicate["reappearances"].as_array().unwrap();
    assert_eq!(stated.len(), SHOPS.len(), "{stated:#?}");
    for (system, _) in SHOPS {
        assert_eq!(certificate.sum("deleted", system, "customers", Some("contact")), 1);
        assert_eq!(certificate.sum("deleted", system, "orders", Some("delivery")), 2);
    }
    let left_out = certificate.predicate["scope"]["notCovered"].to_string();
    assert!(left_out.contains("this is a drill, and nothing was planted there"), "{left_out}");

    nobody_was_asked_or_written_to(&company).await;
    let told = company.quietus(&["drill", "list"]).await.expect(0).out;
    assert!(told.contains("by hand alone") && told.contains("done"), "{told}");
    let told = company.quietus(&["drill", "show"]).await.expect(0).out;
    assert!(told.contains("desk: not drilled"), "{told}");
    let status = company.quietus(&["status"]).await.expect(0).out;
    assert!(!status.contains("drill"), "no alarm: {status}");
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    for kind in ["drill.begun", "drill.ended"] {
        assert!(counted.contains(kind), "{counted}");
    }

    // Another one is somebody else.
    let again = company.quietus(&["drill", "run", "--json"]).await.expect(0).json();
    assert_ne!(again["drill"], drill["drill"]);
    assert_ne!(again["case"], drill["case"]);
    assert_eq!(everybody(&company).await, before);
}

async fn nobody_was_asked_or_written_to(company: &crate::company::Company) {
    for table in ["letters", "tasks", "mails"] {
        assert_eq!(company.count_of(table).await, 0, "{table}");
    }
    assert_eq!(company.count_of("requests").await, 1);
    let open = company.quietus(&["request", "list", "--at-risk"]).await.expect(0).out;
    assert!(!open.contains("drill"), "{open}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_erased_brought_back_and_erased_again_with_the_store_in_sqlite() {
    planted_erased_brought_back_and_erased_again(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_erased_brought_back_and_erased_again_with_the_store_in_postgresql() {
    planted_erased_brought_back_and_erased_again(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_is_looked_for_nobody_is_brought_back() {
    let company = company(Kind::Sqlite, &[("club", Kind::Sqlite)], "later_looks: {every: never}\n");
    let company = company.await;
    let before = everybody(&company).await;
    let drill = company.quietus(&["drill", "run", "--json"]).await.expect(0).json();
    assert_eq!(drill["state"], "done");
    let one = of(&drill, "club");
    assert!(one["erased_at"].is_string() && one["back_at"].is_null(), "{one:#}");
    assert_eq!(everybody(&company).await, before);
}
