//! Drills that must not be carried out, or find out that something is wrong: they end, say why, and
//! leave nothing behind.

use super::{DESK, PLANT, SHOP, company, everybody, of, shown};
use crate::company::database::Kind;

const CLUB: &[(&str, Kind)] = &[("club", Kind::Sqlite)];

/// The number that the database gives was somebody's once, and leads to what is left of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_where_nothing_was_planted() {
    let company = company(Kind::Sqlite, CLUB, "").await;
    let own = "id: {type: integer}\n      email";
    let shop = SHOP.replace(own, "id: {type: integer, identity: row}\n      email");
    assert_ne!(shop, SHOP);
    company.change_map("club", &format!("{shop}{PLANT}"));
    company.change_map("desk", &DESK.replace("identity: customer_number", "identity: row"));
    // The next customer will be the third one.
    company.database("desk").run("UPDATE tickets SET customer = 3 WHERE id = 31").await;
    let before = everybody(&company).await;
    company.quietus(&["drill", "run"]).await.expect(0);
    assert_eq!(everybody(&company).await, before);
}

/// A rule of the database copies what is planted into somebody's account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_trigger_mixes_it_with_somebodys_the_drill_is_stopped() {
    let company = company(Kind::Sqlite, CLUB, "").await;
    let club = company.database("club");
    club.run(
        "CREATE TRIGGER mixes AFTER INSERT ON orders WHEN NEW.address LIKE 'second %'
         BEGIN UPDATE orders SET customer = NEW.customer WHERE id = 1; END",
    )
    .await;
    let told = company.quietus(&["drill", "run"]).await.expect(1).out;
    assert!(told.contains("3 record(s) would go, and 2 were planted"), "{told}");
    let drill = shown(&company).await;
    assert_eq!(drill["state"], "not_done");
    assert!(drill["case"].is_null(), "{drill:#}");
    // Taken away were the orders that were planted; their customer is held by somebody's order.
    let left = everybody(&company).await;
    assert!(left.iter().any(|row| row.ends_with("Street 1")), "{left:?}");
    assert!(
        of(&drill, "club")["trouble"].is_string() || of(&drill, "club")["cleaned_at"].is_null()
    );
    let status = company.quietus(&["status"]).await.expect(0).out;
    assert!(status.contains("the latest drill is not done"), "{status}");
    assert!(status.contains("something of an ended drill may be left"), "{status}");

    club.run("UPDATE orders SET customer = 1 WHERE id = 1; DROP TRIGGER mixes").await;
    company.quietus(&["drill", "run"]).await.expect(0);
    let left = everybody(&company).await;
    assert!(!left.iter().any(|row| row.contains("drill")), "{left:?}");
    assert_eq!(company.count_of("letters").await, 0);
}

/// What no rule erases is seen to be left, named, and taken away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_erased_is_named_and_taken_away() {
    let company = company(Kind::Sqlite, CLUB, "").await;
    let before = everybody(&company).await;
    // Nothing leads from a note to its customer.
    let notes = "  notes:
    key: id
    fields:
      id: {type: integer}
      words: {type: text, exempt: somebody thought that it is about nobody}
      written_at: {type: timestamp, exempt: says nothing of anybody}
";
    let plant = format!(
        "{PLANT}    - collection: notes\n      values: {{words: 'of {{tag}}', written_at: '{{now}}'}}\n"
    );
    company.change_map("club", &format!("{SHOP}{notes}{plant}"));
    let club = company.database("club");
    club.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT, written_at TEXT)").await;
    let told = company.quietus(&["drill", "run"]).await.expect(1).out;
    assert!(told.contains("1 planted record(s) are left in `club`"), "{told}");
    assert_eq!(club.rows("SELECT words FROM notes").await.len(), 0, "it is taken away");
    assert_eq!(everybody(&company).await, before);
    let drill = shown(&company).await;
    assert!(of(&drill, "club")["cleaned_at"].is_string(), "{drill:#}");
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("drill.cleaned"), "{counted}");
}

/// A number that the database gives by itself is not given to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databases_own_numbers_are_left_alone() {
    for kind in [Kind::Sqlite, Kind::MariaDb] {
        let company = company(Kind::Sqlite, &[("shop", kind)], "").await;
        let plant = PLANT.replace("{email: '{email}',", "{id: '{number}', email: '{email}',");
        company.change_map("shop", &format!("{SHOP}{plant}"));
        let before = everybody(&company).await;
        company.quietus(&["drill", "run"]).await.expect(1);
        let drill = shown(&company).await;
        let trouble = of(&drill, "shop")["trouble"].as_str().unwrap();
        assert!(trouble.contains("the system gives `id` by itself"), "{trouble}");
        assert_eq!(everybody(&company).await, before);
        // Mended in the file, the next one goes; this one is as it was written down.
        let refused = company.quietus(&["drill", "run"]).await.expect(1).out;
        assert!(refused.contains("not planted"), "{refused}");
    }
}
