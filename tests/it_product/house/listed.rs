//! `quietus house list` says what there is; the files are held to what they say.

use serde_json::Value;

use crate::company::database::Kind;
use crate::request::person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_listed() {
    let company = person::company_on(Kind::Sqlite, "").await;
    person::brought(&company, "erasure", "email=alan@mail.example\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let listed = company.quietus(&["house", "list", "--json"]).await.expect(0).json();
    let listed = listed.as_array().unwrap();
    let one = |name: &str| listed.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(
        (&one("requests")["rows"], &one("requests")["personal"]),
        (&Value::from(1), &Value::from("sealed"))
    );
    assert_eq!(one("requests")["period"], "P3Y");
    assert_eq!(one("requests")["goes_from"], Value::Null, "it is not over");
    assert!(one("log_leaves")["rows"].as_u64().unwrap() > 5);
    assert_eq!(one("vault.key")["place"], "keys");
    let shown = company.quietus(&["house", "list"]).await.expect(0);
    assert!(shown.out.contains("nothing of it is overdue"), "{}", shown.out);
    assert!(shown.out.contains("leave the keys folder out of copies"), "{}", shown.out);
    // Every file below the keys folder has an entry.
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(company.path("keys")).unwrap() {
        keys.push(entry.unwrap().file_name().to_string_lossy().into_owned());
    }
    let entries: Vec<&str> = listed
        .iter()
        .filter(|one| one["place"] == "keys")
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for key in keys {
        let known = entries.iter().any(|entry| {
            entry.split(", ").any(|name| name == key || name.strip_suffix("/*.key") == Some(&key))
        });
        assert!(known, "`{key}` has no entry among {entries:?}");
    }
}

#[tokio::test]
async fn periods_that_make_no_sense_are_refused() {
    let kept = "own_records: {requests: P1Y, letters: P2Y}\n";
    let company = person::company_on(Kind::Sqlite, kept).await;
    let refused = company.quietus(&["check", "--format", "short"]).await.expect(2);
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("quietus.yaml:5") && said.contains("longer than the requests"), "{said}");
}

#[tokio::test]
async fn our_own_store_is_described_by_nobody_else() {
    let company = person::company_on(Kind::Sqlite, "").await;
    let map = "system: mine\nkind: house\nowner: me\nexempt: [{collection: a, reason: none}]\n";
    company.write("systems/mine.yaml", map);
    let refused = company.quietus(&["check", "--format", "short"]).await.expect(2);
    let said = format!("{}{}", refused.out, refused.err);
    assert!(
        said.contains("systems/mine.yaml:2") && said.contains("part of every data map"),
        "{said}"
    );
    let map = "system: quietus\nkind: sqlite\nowner: me\nconnection: {url: 'sqlite:a.db'}\nexempt: [{collection: a, reason: none}]\n";
    company.write("systems/mine.yaml", map);
    let refused = company.quietus(&["check", "--format", "short"]).await.expect(2);
    let said = format!("{}{}", refused.out, refused.err);
    assert!(
        said.contains("systems/mine.yaml:1") && said.contains("two systems `quietus`"),
        "{said}"
    );
}

#[tokio::test]
async fn keys_do_not_lie_where_copies_lie() {
    let company = person::company_on(Kind::Sqlite, "evidence: {export: keys/out}\n").await;
    let refused = company.quietus(&["check", "--format", "short"]).await.expect(2);
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("quietus.yaml:5") && said.contains("keys folder"), "{said}");
}
