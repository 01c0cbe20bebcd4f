//! What goes leaves the re-erasure list too, and an older copy of our own database brings nothing of
//! it back for longer than a night.

use super::rows_of;
use super::time::{Scene, pass, scene_with};
use crate::company::Company;
use crate::company::database::{Kind, take_away};

/// Entries of requests, and whether those cases that are a person's have one of their own.
async fn entries(company: &Company) -> Vec<String> {
    let text = "SELECT 'request ' || COUNT(*) FROM re_erasure_entries WHERE kind = 'request'
        UNION ALL SELECT 'person''s case ' || COUNT(*) FROM re_erasure_entries, cases
            WHERE kind = 'case' AND matter = cases.id AND cause = 'request'";
    company.store_rows(text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_sqlite() {
    let place = tempfile::tempdir().unwrap();
    let list = place.path().join("list").display().to_string();
    let Scene { company, clock, product } =
        scene_with(Kind::Sqlite, &format!("evidence: {{re_erasure_list: {list}}}\n")).await;
    pass(&product, &clock, 33).await;
    assert_eq!(entries(&company).await, ["request 2", "person's case 0"]);
    let older = company.path("older.db");
    let url = company.path("quietus.db").display().to_string();
    let mut raw = crate::company::database::Raw::open(Kind::Sqlite, &url).await;
    raw.run(&format!("VACUUM INTO '{}'", older.display())).await;
    drop(raw);

    pass(&product, &clock, 31).await;
    assert_eq!(rows_of(&company, &["requests"]).await, ["requests 1"]);
    // The case of Alan has an entry of its own now.
    assert_eq!(entries(&company).await, ["request 1", "person's case 1"]);
    company.quietus(&["list", "show"]).await.expect(0);
    product.store.close().await;

    take_away(&company.path("quietus.db"));
    std::fs::copy(&older, company.path("quietus.db")).unwrap();
    company.quietus(&["recover", &list, "--by", "Ada Example"]).await.expect(0);
    assert_eq!(rows_of(&company, &["requests"]).await, ["requests 2"]);
    let product = company.replica(&clock).await;
    product.advance_log().await.unwrap();
    pass(&product, &clock, 1).await;
    assert_eq!(rows_of(&company, &["requests"]).await, ["requests 1"]);
    company.check_log().await;
}
