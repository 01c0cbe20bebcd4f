//! Dropping whole partitions of PostgreSQL tables that are split by time.
//!
//! A partition is locked against everyone, looked at record by record, and dropped only where it
//! has records, every one of them is due, none is held, and its whole range is: what belongs into
//! the default partition or one that reaches further may still come. Records of a table that a
//! foreign key refers to go in chunks, because PostgreSQL does not drop its partitions.

use std::time::Instant;

use crate::order::PartitionPolicy;
use crate::predicate::{Cutoff, FieldRef, Predicate};
use crate::receipt::Fault;
use crate::sql::catalogue::Partition;
use crate::sql::compile::{Compiler, Place};
use crate::sql::delete::due;
use crate::sql::dialect::Dialect;
use crate::sql::faults::answered;
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys;
use crate::sql::windows::{Flow, Run};
use crate::value::FieldType;

impl Partition {
    fn quoted(&self) -> Result<String, Fault> {
        let dialect = Dialect::Postgres;
        Ok(format!("{}.{}", dialect.quote(&self.schema)?, dialect.quote(&self.name)?))
    }
}

impl Run<'_> {
    /// Drops what can be dropped of one collection.
    pub(crate) async fn drop_partitions(&mut self, instruction: usize) -> Result<Flow, Fault> {
        let one = &self.order.instructions[instruction];
        let table = self.scene.table_of(instruction)?;
        let found = self.scene.table(table);
        if self.scene.dialect != Dialect::Postgres
            || one.partitions != PartitionPolicy::Drop
            // Which records go with a partition is not told.
            || one.manifest
            || one.delete_when == Predicate::Never
            // The system drops no partition of a table that foreign keys lead to.
            || self.scene.catalogue.references.iter().any(|one| one.parent == table)
        {
            return Ok(Flow::Finished);
        }
        let Some(field) = found.partitioned_by.clone() else { return Ok(Flow::Finished) };
        for partition in found.partitions.clone() {
            if !self.range_is_due(instruction, table, &field, &partition).await? {
                continue;
            }
            let flow = self.drop_partition(instruction, table, &partition).await?;
            if flow != Flow::Finished {
                return Ok(flow);
            }
        }
        Ok(Flow::Finished)
    }

    async fn drop_partition(
        &mut self,
        instruction: usize,
        table: usize,
        partition: &Partition,
    ) -> Result<Flow, Fault> {
        let began = Instant::now();
        let name = partition.quoted()?;
        let (some_stays, look) = self.look(instruction, table, &name)?;
        gathered_keys::gather(&mut self.session, &self.scene, table).await?;
        // A first look without the lock spares everyone the wait where something stays.
        if self.session.fetch_one(&some_stays).await?[0].truth() {
            return Ok(Flow::Finished);
        }
        self.begin().await?;
        self.session
            .execute(&Fragment::raw(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")))
            .await?;
        gathered_keys::gather_again(&mut self.session, &self.scene, table).await?;
        let counts = self.session.fetch_one(&look).await?;
        let (records, stay) = (counts[0].count(), counts[1].count());
        if records == 0 || stay > 0 {
            self.roll_back().await?;
            return Ok(Flow::Finished);
        }
        if let Some(reason) = self.too_many(records) {
            self.roll_back().await?;
            return Ok(Flow::Refused(reason));
        }
        match self.session.execute(&Fragment::raw(format!("DROP TABLE {name}"))).await {
            // A view, for example, depends on the partition: its records go in chunks.
            Err(fault) if answered(&fault, &["2BP01"]) => {
                self.roll_back().await?;
                return Ok(Flow::Finished);
            }
            dropped => dropped?,
        };
        let entry = self.entry(instruction);
        entry.deleted += records;
        entry.partitions_dropped += 1;
        self.commit().await?;
        self.report(instruction, records, began.elapsed()).await
    }

    /// Every value that the partition is for is due, and not only those that are in it now.
    async fn range_is_due(
        &mut self,
        instruction: usize,
        table: usize,
        field: &str,
        partition: &Partition,
    ) -> Result<bool, Fault> {
        let one = &self.order.instructions[instruction];
        let Some(cutoff) = latest_cutoff(&one.delete_when, field) else { return Ok(false) };
        let bound = bound_of(partition, &self.scene.table(table).quoted(Dialect::Postgres)?)?;
        let bound = self.session.fetch(&bound).await?;
        let Some(end) = bound.first().and_then(|row| end_of_range(&row[0].text())) else {
            return Ok(false);
        };
        let statement = {
            let compiler = Compiler::new(&self.scene);
            let place = Place {
                prefix: "quietus_end".to_owned(),
                table,
                instruction: Some(instruction),
                part: None,
            };
            let (column, _) = self.scene.field(table, Some(instruction), field)?;
            let quoted = Dialect::Postgres.quote(field)?;
            // The end itself is outside of the range; the last day inside is the one before.
            let last = if column.class == FieldType::Date { " - 1" } else { "" };
            let due = Predicate::LatestAtOrBefore(vec![(FieldRef::own(field), cutoff)]);
            compiler
                .holds(&place, &due)?
                .within("SELECT COALESCE(bool_and(", "), FALSE) FROM (SELECT CAST(CAST(")
                .and(Fragment::text_value(end))
                .then(&format!(" AS text) AS {}){last} AS {quoted}) AS quietus_end", column.native))
        };
        Ok(self.session.fetch_one(&statement).await?[0].truth())
    }

    /// Whether some record of the partition stays, and how many there are and how many stay.
    fn look(
        &self,
        instruction: usize,
        table: usize,
        name: &str,
    ) -> Result<(Fragment, Fragment), Fault> {
        let compiler = Compiler::new(&self.scene);
        let prefix = "quietus_0".to_owned();
        let place =
            Place { prefix: prefix.clone(), table, instruction: Some(instruction), part: None };
        let mut conditions = due(&compiler, &place, instruction)?;
        conditions.extend(compiler.unreferred(&place)?);
        let stays = Fragment::all(conditions).negate();
        let first = stays
            .clone()
            .within(&format!("SELECT EXISTS (SELECT 1 FROM {name} AS {prefix} WHERE "), ")");
        let count = compiler
            .dialect()
            .count_where(stays)
            .within("SELECT COUNT(*), ", &format!(" FROM {name} AS {prefix}"));
        Ok((first, count))
    }
}

/// What tells the bound of a partition that lies directly under its root.
fn bound_of(partition: &Partition, root: &str) -> Result<Fragment, Fault> {
    Ok(Fragment::raw(
        "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid \
         WHERE c.oid = CAST(CAST(",
    )
    .and(Fragment::text_value(partition.quoted()?))
    .then(" AS text) AS regclass) AND i.inhparent = CAST(CAST(")
    .and(Fragment::text_value(root))
    .then(" AS text) AS regclass)"))
}

/// The latest cutoff at or before which the predicate wants a field to be, on any of its branches.
fn latest_cutoff(predicate: &Predicate, field: &str) -> Option<Cutoff> {
    let later = |one: Cutoff, other: Cutoff| match (one, other) {
        (Cutoff::Moment(a), Cutoff::Moment(b)) => Cutoff::Moment(a.max(b)),
        (Cutoff::Day(a), Cutoff::Day(b)) => Cutoff::Day(a.max(b)),
        (one, _) => one,
    };
    match predicate {
        Predicate::LatestAtOrBefore(clocks) => {
            let own = |read: &FieldRef| read.via.is_empty() && read.field == field;
            clocks.iter().find(|(read, _)| own(read)).map(|(_, cutoff)| *cutoff)
        }
        Predicate::All(parts) | Predicate::Any(parts) => {
            parts.iter().filter_map(|part| latest_cutoff(part, field)).reduce(later)
        }
        _ => None,
    }
}

/// The end of `FOR VALUES FROM ('a') TO ('b')`; none for a default partition, one without an end
/// and one that is no range.
fn end_of_range(bound: &str) -> Option<String> {
    let (_, end) = bound.strip_prefix("FOR VALUES FROM (")?.split_once(") TO (")?;
    let end = end.strip_suffix(')')?;
    if let Some(text) = end.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return (!text.contains('\'')).then(|| text.to_owned());
    }
    end.parse::<i64>().is_ok().then(|| end.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_with_an_end_has_one() {
        let range = "FOR VALUES FROM ('2025-10-01 00:00:00+00') TO ('2025-11-01 00:00:00+00')";
        assert_eq!(end_of_range(range).as_deref(), Some("2025-11-01 00:00:00+00"));
        assert_eq!(end_of_range("FOR VALUES FROM (MINVALUE) TO ('5')").as_deref(), Some("5"));
        assert_eq!(end_of_range("FOR VALUES FROM (1) TO (10)").as_deref(), Some("10"));
        assert_eq!(end_of_range("FOR VALUES FROM ('a') TO (MAXVALUE)"), None);
        assert_eq!(end_of_range("DEFAULT"), None);
        assert_eq!(end_of_range("FOR VALUES IN ('x')"), None);
    }
}
