//! Keys that a child collection refers to, gathered into an indexed temporary table where the
//! child has no index that would find them.
//!
//! Without it every parent would read the whole child. The sets are read once a phase; what
//! could make them stale is told by the database (a foreign key that refuses) or looked at again
//! inside the transaction that deletes.

use crate::receipt::Fault;
use crate::sql::catalogue::{Column, Table};
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::scene::{Blocker, Scene};
use crate::value::FieldType;

/// MariaDB indexes so many characters of a long text.
const INDEXED_CHARACTERS: u64 = 190;

/// Which children's keys are in the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Those of every child.
    Every,
    /// Those of children that stay.
    Staying,
}

/// One set of keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatheredKeys<'b> {
    parent: usize,
    blocker: &'b Blocker,
    number: usize,
    share: Share,
}

impl<'b> GatheredKeys<'b> {
    /// The set of a blocker, or `None` where an index serves.
    pub(crate) fn of(
        scene: &Scene<'_>,
        parent: usize,
        blocker: &'b Blocker,
        share: Share,
    ) -> Option<Self> {
        let number = scene.gathered(parent, blocker)?;
        Some(Self { parent, blocker, number, share })
    }

    /// What tells one set from another.
    pub(crate) fn identity(&self) -> (usize, Share) {
        (self.number, self.share)
    }

    fn bare_name(&self) -> String {
        match self.share {
            Share::Every => format!("quietus_referred_{}", self.number),
            Share::Staying => format!("quietus_keeping_{}", self.number),
        }
    }

    fn name(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Postgres => format!("pg_temp.{}", self.bare_name()),
            Dialect::MariaDb => self.bare_name(),
            Dialect::Sqlite => format!("temp.{}", self.bare_name()),
        }
    }

    /// The record at `place` is referred to.
    pub(crate) fn hold(
        &self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
    ) -> Result<Fragment, Fault> {
        let alias = compiler.alias();
        let mut equal = Vec::new();
        for (index, name) in self.blocker.to_fields.iter().enumerate() {
            // The parent stands on the left because SQLite compares by the left side's collation.
            equal.push(format!("{} = {alias}.k{index}", compiler.column(place, name)?));
        }
        Ok(Fragment::raw(format!(
            "EXISTS (SELECT 1 FROM {} AS {alias} WHERE {})",
            self.name(compiler.dialect()),
            equal.join(" AND ")
        )))
    }

    /// What makes the table, empty, where it is not there yet.
    fn definition(&self, scene: &Scene<'_>) -> Result<Vec<String>, Fault> {
        let compiler = Compiler::new(scene);
        let name = self.bare_name();
        // SQLite's foreign keys compare by the parent's type, so its set has that.
        let (table, fields) = if scene.dialect == Dialect::Sqlite {
            (self.parent, &self.blocker.to_fields)
        } else {
            (self.blocker.table, &self.blocker.fields)
        };
        let (from, place) = compiler.inner(table, None)?;
        let mut selected = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            selected.push(format!("{} AS k{index}", compiler.column(&place, field)?));
        }
        let names: Vec<String> = (0..fields.len()).map(|index| format!("k{index}")).collect();
        let (names, selected) = (names.join(", "), selected.join(", "));
        Ok(match scene.dialect {
            Dialect::Postgres => vec![
                format!(
                    "CREATE TEMPORARY TABLE IF NOT EXISTS {name} AS SELECT {selected} FROM {from} WITH NO DATA"
                ),
                format!("CREATE INDEX IF NOT EXISTS {name}_index ON pg_temp.{name} ({names})"),
            ],
            Dialect::MariaDb => vec![format!(
                "CREATE TEMPORARY TABLE IF NOT EXISTS {name} (INDEX ({})) AS SELECT {selected} FROM {from} WHERE 1 = 0",
                index_parts(scene.table(table), fields, "k")
            )],
            Dialect::Sqlite => vec![
                format!(
                    "CREATE TEMPORARY TABLE IF NOT EXISTS {name} AS SELECT {selected} FROM {from} WHERE 1 = 0"
                ),
                format!("CREATE INDEX IF NOT EXISTS temp.{name}_index ON {name} ({names})"),
            ],
        })
    }

    fn clearing(&self, dialect: Dialect) -> Fragment {
        // MariaDB's TRUNCATE would end the transaction.
        let verb = if dialect == Dialect::Postgres { "TRUNCATE" } else { "DELETE FROM" };
        Fragment::raw(format!("{verb} {}", self.name(dialect)))
    }

    /// What fills the table with the keys of children for which `more` holds.
    pub(crate) fn filling(
        &self,
        compiler: &Compiler<'_, '_>,
        from: &str,
        child: &Place,
        more: Option<Fragment>,
    ) -> Result<Fragment, Fault> {
        let table = compiler.scene.table(self.blocker.table);
        let mut columns = Vec::new();
        let mut conditions = Vec::new();
        for field in &self.blocker.fields {
            let column = compiler.column(child, field)?;
            conditions.push(Fragment::raw(format!("{column} IS NOT NULL")));
            columns.push(column);
        }
        conditions.extend(self.blocker.only_where(compiler, child)?);
        conditions.extend(more);
        // A case-blind collation would take two spellings for one; those stay apart.
        let once = self.blocker.fields.iter().all(|field| {
            table.column(field).is_some_and(|column| {
                matches!(column.class, FieldType::Integer | FieldType::Uuid)
                    && column.collation.is_none()
            })
        });
        let distinct = if once && compiler.dialect() != Dialect::Sqlite { "DISTINCT " } else { "" };
        Ok(Fragment::join(conditions, " AND ")
            .within(&format!("SELECT {distinct}{} FROM {from} WHERE ", columns.join(", ")), ""))
    }

    /// Makes the table and fills it by a query; outside a transaction.
    pub(crate) async fn fill(
        &self,
        session: &mut Session,
        scene: &Scene<'_>,
        query: Fragment,
    ) -> Result<(), Fault> {
        self.define(session, scene).await?;
        session.execute(&self.clearing(scene.dialect)).await?;
        if scene.dialect == Dialect::MariaDb {
            // Else reading would lock the whole child until the end of the statement.
            session.command("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
        }
        self.insert(session, query).await
    }

    /// Makes the table where it is not there yet.
    pub(crate) async fn define(
        &self,
        session: &mut Session,
        scene: &Scene<'_>,
    ) -> Result<(), Fault> {
        for statement in self.definition(scene)? {
            session.command(&statement).await?;
        }
        Ok(())
    }

    /// Fills the table anew inside the transaction that is open.
    pub(crate) async fn refill(&self, session: &mut Session, query: Fragment) -> Result<(), Fault> {
        let clearing = self.clearing(session.dialect());
        session.execute(&clearing).await?;
        self.insert(session, query).await
    }

    async fn insert(&self, session: &mut Session, query: Fragment) -> Result<(), Fault> {
        let dialect = session.dialect();
        let name = self.name(dialect);
        session.execute(&query.within(&format!("INSERT INTO {name} "), "")).await?;
        if dialect == Dialect::Postgres {
            session.execute(&Fragment::raw(format!("ANALYZE {name}"))).await?;
        }
        Ok(())
    }

    /// The keys of every child.
    pub(crate) fn every(&self, scene: &Scene<'_>) -> Result<Fragment, Fault> {
        let compiler = Compiler::new(scene);
        let (from, child) = compiler.inner(self.blocker.table, self.blocker.instruction)?;
        self.filling(&compiler, &from, &child, None)
    }
}

/// Parts of an index over columns that are named by a letter and their position.
pub(crate) fn index_parts(table: &Table, fields: &[String], letter: &str) -> String {
    let parts: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(index, field)| index_part(table.column(field), &format!("{letter}{index}")))
        .collect();
    parts.join(", ")
}

/// One part of an index of MariaDB, over a column like this one under another name.
pub(crate) fn index_part(column: Option<&Column>, name: &str) -> String {
    let long = |column: &Column| {
        column.length.is_some_and(|length| length > INDEXED_CHARACTERS)
            || column.native.to_ascii_lowercase().ends_with("blob")
    };
    if column.is_some_and(long) { format!("{name}({INDEXED_CHARACTERS})") } else { name.to_owned() }
}

/// Gathers the keys of everything that refers to a table without an index.
pub(crate) async fn gather(
    session: &mut Session,
    scene: &Scene<'_>,
    parent: usize,
) -> Result<(), Fault> {
    for blocker in scene.blockers(parent) {
        if let Some(keys) = GatheredKeys::of(scene, parent, &blocker, Share::Every) {
            keys.fill(session, scene, keys.every(scene)?).await?;
        }
    }
    Ok(())
}

/// Gathers them anew inside the transaction that is open.
pub(crate) async fn gather_again(
    session: &mut Session,
    scene: &Scene<'_>,
    parent: usize,
) -> Result<(), Fault> {
    for blocker in scene.blockers(parent) {
        if let Some(keys) = GatheredKeys::of(scene, parent, &blocker, Share::Every) {
            keys.refill(session, keys.every(scene)?).await?;
        }
    }
    Ok(())
}
