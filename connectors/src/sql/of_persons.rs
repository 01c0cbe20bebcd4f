//! What is counted of an order about persons: their own records, and of the others no more than a
//! share needs.
//!
//! Whose a record is, is asked of the record itself (`Instruction::records_of_persons`), so the
//! number is the same however the record was found: alone, among several orders, by a count or by
//! the second look. Where lists lead to candidates, `memberships` has these records among them;
//! where they do not, the table is read as ever. Where records go, no treatment of the same order
//! takes one out of the count: the deletion reads whose it is, and `steering` refuses orders in which
//! a treatment takes away what a decision reads.

use crate::predicate::Predicate;
use crate::receipt::{Counts, Fault};
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::fragment::Fragment;
use crate::sql::scene::Scene;
use crate::sql::standing::at_most;

/// So many records of a collection are counted for each one that is the persons' own: then what is
/// done to these is known to be done to no more than one record in so many.
const RECORDS_FOR_EACH: u64 = 10_000;

/// The most that a statement can say.
const MOST: u64 = i64::MAX.unsigned_abs();

/// How far the records of a collection are counted.
fn bound(own: u64) -> u64 {
    RECORDS_FOR_EACH.saturating_mul(own.max(1)).min(MOST)
}

/// Nothing could happen to a record of the collection, and how many it has is nobody's matter.
pub(crate) fn is_left_out(scene: &Scene<'_>, position: usize) -> bool {
    let one = scene.instruction(position);
    one.of_persons.is_some() && !one.acts()
}

/// How many records are the persons' own, as a column of [`reading`](crate::sql::standing::reading);
/// `None` where the order is about all records.
pub(crate) fn own(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    position: usize,
) -> Result<Option<Fragment>, Fault> {
    Ok(match compiler.scene.instruction(position).records_of_persons() {
        None => None,
        Some(Predicate::Never) => Some(Fragment::raw("0")),
        Some(own) => Some(compiler.scene.dialect.count_where(compiler.holds(place, own)?)),
    })
}

/// Counts the records of each collection of which the persons' own were counted, as far as their
/// number goes. Of several orders as one the furthest says it for all.
pub(crate) async fn count_totals(
    session: &mut Session,
    scene: &Scene<'_>,
    all: &mut [Counts],
) -> Result<(), Fault> {
    for position in 0..scene.order.instructions.len() {
        if is_left_out(scene, position) {
            continue;
        }
        let own = all.iter().filter_map(|counts| counts.collections.get(position)?.own);
        let Some(furthest) = own.map(bound).max() else { continue };
        let at = (scene.table_of(position)?, position);
        let there = session.count(&at_most(&Compiler::new(scene), at, furthest)?).await?;
        for counts in all.iter_mut() {
            if let Some(counted) = counts.collections.get_mut(position)
                && let Some(own) = counted.own
            {
                counted.total = there.min(bound(own));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_ones_own_is_one_in_ten_thousand_at_most() {
        for own in [0, 1, 7, 123_456] {
            assert!(bound(own) >= own.max(1) * 10_000);
        }
        assert_eq!(bound(u64::MAX), MOST);
    }
}
