//! A hold on one person, known by a field that is itself erased, keeps that person's records and
//! nobody else's.

use crate::company::database::Kind;
use crate::company::shop::{self, MOMENT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_held_by_an_erased_field() {
    let company = shop::company(Kind::Sqlite, &[Kind::Postgres, Kind::MariaDb, Kind::Sqlite]).await;
    let subject = "email=gone@mail.example";
    company
        .quietus(&["hold", "place", "LIT-3", "--subject", subject, "--reason", "a lawsuit"])
        .await
        .expect(0);
    company.quietus(&["plan", "--at", MOMENT]).await.expect(0);
    company.quietus(&["run", "--once", "--as-of", MOMENT]).await.expect(0);
    for system in &company.systems {
        let rows = shop::CUSTOMERS.dump(&system.database).await;
        let kept = shop::CUSTOMERS.expected(&[
            "78|gone@mail.example|Gerd Gone|AT|2015-01-01T00:00:00|2019-01-01T00:00:00|192.0.2.78",
        ]);
        assert!(rows.contains(&kept[0]), "{}: {rows:#?}", system.name);
        assert!(rows.iter().any(|row| row.starts_with("506|erased-*|(erased)")), "{rows:#?}");
        let orders = shop::ORDERS.dump(&system.database).await;
        let theirs =
            shop::ORDERS.expected(&["4|78|AT|2023-06-01T00:00:00|Old Street 4|Gerd Gone|no"]);
        assert!(orders.contains(&theirs[0]), "{}: {orders:#?}", system.name);
        assert!(!orders.iter().any(|row| row.starts_with("7|")), "{orders:#?}");
        let payments = shop::PAYMENTS.dump(&system.database).await;
        assert!(payments.contains(&"4|1|Gerd Gone".to_owned()), "{payments:#?}");
        assert!(!payments.iter().any(|row| row.starts_with("7|")), "{payments:#?}");
    }
}
