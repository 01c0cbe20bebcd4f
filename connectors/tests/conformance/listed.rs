//! Orders of which only the listed records are counted.

use quietus_connectors::{Connector, Order, ProbeCount};

use crate::drafting::preview;

/// With `total_of_listed` nothing changes but the totals, which are those of the listed records: never
/// more than all, and together as alone.
pub async fn looked_at_listed(connector: &dyn Connector, orders: &[Order]) {
    let listed = |order: &Order| Order { total_of_listed: true, ..order.clone() };
    let listed: Vec<Order> = orders.iter().map(listed).collect();
    let counts = connector.preview_together(&listed).await.expect("counts");
    let found = connector.verify_together(&listed).await.expect("a verification");
    for (number, order) in listed.iter().enumerate() {
        let (whole, own) =
            (preview(connector, &orders[number]).await, preview(connector, order).await);
        for (one, together) in own.collections.iter().zip(&counts[number].collections) {
            assert_eq!((one.total, one.held), (together.total, together.held), "{}", order.key);
        }
        for (one, whole) in own.collections.iter().zip(&whole.collections) {
            assert!(one.total >= one.delete + one.restrict && one.total <= whole.total, "{one:?}");
            let total = whole.total;
            assert_eq!(ProbeCount { total, ..one.clone() }, *whole, "{}", order.key);
        }
        let alone = connector.verify(order).await.expect("a verification");
        assert_eq!(found[number], alone, "{}", order.key);
        let whole = connector.verify(&orders[number]).await.expect("a verification");
        assert_eq!((&alone.survivors, &alone.looked_at), (&whole.survivors, &whole.looked_at));
    }
}
