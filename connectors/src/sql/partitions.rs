//! Dropping whole partitions of PostgreSQL tables that are split by time.
//!
//! A partition is locked against everyone, looked at record by record, and dropped only where
//! every record in it is due, none is held and nothing refers to any of them.

use std::time::Instant;

use crate::order::PartitionPolicy;
use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::sql::catalogue::Partition;
use crate::sql::compile::{Compiler, Place};
use crate::sql::delete::due;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys;
use crate::sql::windows::{Flow, Run};

impl Run<'_> {
    /// Drops what can be dropped of one collection.
    pub(crate) async fn drop_partitions(&mut self, instruction: usize) -> Result<Flow, Fault> {
        let one = &self.order.instructions[instruction];
        let table = self.scene.table_of(instruction)?;
        let found = self.scene.table(table);
        if self.scene.dialect != Dialect::Postgres
            || one.partitions != PartitionPolicy::Drop
            || one.delete_when == Predicate::Never
            || found.partitioned_by.is_none()
        {
            return Ok(Flow::Finished);
        }
        for partition in found.partitions.clone() {
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
        let dialect = self.scene.dialect;
        let name =
            format!("{}.{}", dialect.quote(&partition.schema)?, dialect.quote(&partition.name)?);
        let (some_stays, look) = self.look(instruction, table, &name)?;
        gathered_keys::gather(&mut self.session, &self.scene, table).await?;
        // A first look without the lock spares everyone the wait where something stays.
        if self.session.fetch_one(&some_stays).await?[0].truth() {
            return Ok(Flow::Finished);
        }
        self.session.begin().await?;
        self.session
            .execute(&Fragment::raw(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")))
            .await?;
        gathered_keys::gather_again(&mut self.session, &self.scene, table).await?;
        let counts = self.session.fetch_one(&look).await?;
        let (records, stay) = (counts[0].count(), counts[1].count());
        if records == 0 || stay > 0 {
            self.session.rollback().await?;
            return Ok(Flow::Finished);
        }
        if let Some(reason) = self.too_many(records) {
            self.session.rollback().await?;
            return Ok(Flow::Refused(reason));
        }
        self.session.execute(&Fragment::raw(format!("DROP TABLE {name}"))).await?;
        let entry = self.entry(instruction);
        entry.deleted += records;
        entry.partitions_dropped += 1;
        self.commit().await?;
        self.report(instruction, records, began.elapsed()).await
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
        let place = Place { prefix: prefix.clone(), table, instruction: Some(instruction) };
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
