//! MariaDB and MySQL name no foreign key of a table on which the account has no privilege, and follow
//! it all the same: a deletion cascades into records that nobody mapped and nobody counts. So an order
//! that takes records out of tables is refused unless the account is shown what leads to them.
//!
//! MariaDB's storage engine tells all foreign keys of the server to whoever holds PROCESS. Without it
//! `SELECT` on the whole database shows those of this database, and only tables of other databases
//! are not known.

use std::collections::{BTreeMap, BTreeSet};

use crate::order::{Instruction, Restriction};
use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::answered;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::scene::Scene;

/// What the account is not shown of the foreign keys that lead to the tables of its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// Those of these tables, and of no others.
    Tables(Vec<UnseenTable>),
    /// Those of tables of other databases, should there be any.
    OtherDatabases,
    /// Those of any table, should there be any.
    Any {
        /// The database, quoted.
        database: String,
    },
}

/// A table that the account is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnseenTable {
    /// The table, quoted, with its database.
    name: String,
    /// Position of the table that its foreign keys lead to.
    parent: usize,
}

impl Default for Unseen {
    fn default() -> Self {
        Self::Tables(Vec::new())
    }
}

/// A name of a file is a name of a table with most other characters than letters written by number.
macro_rules! read_name {
    ($name:literal) => {
        concat!("CONVERT(CONVERT(CAST(", $name, " AS BINARY) USING filename) USING utf8mb4)")
    };
}

/// What an `ALTER TABLE` has in the making (`#sql…`) leads nowhere by itself.
const ENGINES: &str = concat!(
    "SELECT ",
    read_name!("SUBSTRING_INDEX(for_name, '/', 1)"),
    ", ",
    read_name!("SUBSTRING_INDEX(for_name, '/', -1)"),
    ", ",
    read_name!("SUBSTRING_INDEX(ref_name, '/', -1)"),
    ", COUNT(*), MAX(GREATEST(CHAR_LENGTH(for_name), CHAR_LENGTH(ref_name)))
  FROM information_schema.innodb_sys_foreign
 WHERE ",
    read_name!("SUBSTRING_INDEX(ref_name, '/', 1)"),
    " = DATABASE()
   AND for_name NOT LIKE '%/#sql%'
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3"
);

/// Characters to which the engine cuts names of files: a database and a table, with a stroke between.
const CUT_AT: u64 = 193;

/// A table that is not there. Whoever may read any table is told so, whoever may not is refused.
const ANY_TABLE: &str = "quietus_any_table";

/// Database and table that refer, and the table that is referred to. A server may keep the small
/// letters of a name only.
type Leading = (String, String, String);

fn leading(database: &str, table: &str, parent: &str) -> Leading {
    (database.to_lowercase(), table.to_lowercase(), parent.to_lowercase())
}

/// Finds out what is not shown; `shown` are the rows of the catalogue's foreign keys: database,
/// table, constraint and the table that it leads to.
pub(crate) async fn find(
    session: &mut Session,
    catalogue: &Catalogue,
    database: &str,
    shown: &[[String; 4]],
) -> Result<Unseen, Fault> {
    if catalogue.product.starts_with("MariaDB") {
        match session.fetch_plain(&Fragment::raw(ENGINES)).await {
            Ok(rows) if accounts_for(&rows, shown) => {
                return Ok(Unseen::Tables(tables(catalogue, shown, &rows)?));
            }
            Err(fault @ (Fault::Transient { .. } | Fault::Unknown { .. })) => return Err(fault),
            // It tells less than everybody is shown, or nothing.
            Ok(_) | Err(_) => {}
        }
    }
    let database = Dialect::MariaDb.quote(database)?;
    if may_read_any_table(session, &format!("`{ANY_TABLE}`")).await? {
        return Ok(Unseen::default());
    }
    Ok(if may_read_any_table(session, &database).await? {
        Unseen::OtherDatabases
    } else {
        Unseen::Any { database }
    })
}

/// Privileges by a role, a pattern or the whole server count too: the server itself judges.
async fn may_read_any_table(session: &mut Session, database: &str) -> Result<bool, Fault> {
    let statement = format!("SELECT 1 FROM {database}.`{ANY_TABLE}` WHERE 1 = 0");
    match session.fetch_plain(&Fragment::raw(statement)).await {
        Err(fault @ (Fault::Transient { .. } | Fault::Unknown { .. })) => Err(fault),
        Err(fault) => Ok(answered(&fault, &["1146", "1049"])),
        Ok(_) => Ok(false),
    }
}

/// How many of a table's foreign keys to which table are shown.
fn known_of(shown: &[[String; 4]]) -> BTreeMap<Leading, u64> {
    let shown: BTreeSet<&[String; 4]> = shown.iter().collect();
    let mut known: BTreeMap<Leading, u64> = BTreeMap::new();
    for [database, table, _, parent] in shown {
        *known.entry(leading(database, table, parent)).or_default() += 1;
    }
    known
}

/// Whether the engine tells of every foreign key that is shown, with whole names: what it does not
/// tell of those it may not tell of others.
fn accounts_for(rows: &[Vec<Cell>], shown: &[[String; 4]]) -> bool {
    let told: BTreeMap<Leading, u64> = rows
        .iter()
        .map(|row| (leading(&row[0].text(), &row[1].text(), &row[2].text()), row[3].count()))
        .collect();
    rows.iter().all(|row| row[4].count() < CUT_AT)
        && known_of(shown).iter().all(|(one, many)| told.get(one).is_some_and(|told| told >= many))
}

/// Tables with more foreign keys to a table of ours than are shown.
fn tables(
    catalogue: &Catalogue,
    shown: &[[String; 4]],
    rows: &[Vec<Cell>],
) -> Result<Vec<UnseenTable>, Fault> {
    let known = known_of(shown);
    let mut unseen = Vec::new();
    for row in rows {
        let [database, table, to] = [0, 1, 2].map(|column| row[column].text());
        let seen = known.get(&leading(&database, &table, &to)).copied().unwrap_or(0);
        let parent = catalogue
            .tables
            .iter()
            .position(|one| one.schema.is_none() && one.name.to_lowercase() == to.to_lowercase());
        // A table that is not shown either is not in the data map.
        let Some(parent) = parent.filter(|_| row[3].count() > seen) else { continue };
        let quote = |name: &str| Dialect::MariaDb.quote(name);
        unseen.push(UnseenTable {
            name: format!("{}.{}", quote(&database)?, quote(&table)?),
            parent,
        });
    }
    Ok(unseen)
}

/// Why an order that takes records out of tables must not be carried out.
pub(crate) fn refusals(scene: &Scene<'_>) -> Vec<String> {
    let left = left_tables(scene);
    match &scene.catalogue.unseen {
        Unseen::Tables(tables) => {
            let leads_here = tables.iter().filter(|one| left.contains(&one.parent));
            leads_here
                .map(|one| {
                    format!(
                        "a foreign key leads from {0} to `{1}`, and the account is not shown what it does to records there: grant SELECT on {0}",
                        one.name,
                        scene.name_of_table(one.parent)
                    )
                })
                .collect()
        }
        Unseen::Any { database } if !left.is_empty() => vec![format!(
            "the account is not shown all tables, and a foreign key of one that it is not shown could take records along that nobody counts: grant SELECT on {database}.*"
        )],
        Unseen::Any { .. } | Unseen::OtherDatabases => Vec::new(),
    }
}

/// What nobody can say of an order that can be carried out.
pub(crate) fn not_shown(scene: &Scene<'_>) -> Option<String> {
    let asked = scene.catalogue.unseen == Unseen::OtherDatabases && !left_tables(scene).is_empty();
    asked.then(|| {
        "whether foreign keys of other databases on the server lead here is not known, and records there would go along uncounted: grant PROCESS on *.* (MariaDB) or SELECT on *.* (MySQL), or see to it that there are none".to_owned()
    })
}

/// Tables out of which the order takes records.
fn left_tables(scene: &Scene<'_>) -> BTreeSet<usize> {
    let mut left = BTreeSet::new();
    for position in scene.active() {
        let one = scene.instruction(position);
        let table = scene.table_position(position);
        if one.delete_when != Predicate::Never
            || one.restrict_when != Predicate::Never && moves(one)
        {
            left.extend(table);
        }
        if let Some(Restriction::Move { to }) = &one.restriction
            && one.lift_when != Predicate::Never
        {
            left.extend(scene.catalogue.find(to));
        }
    }
    left
}

fn moves(instruction: &Instruction) -> bool {
    matches!(instruction.restriction, Some(Restriction::Move { .. }))
}
