//! How a table stands in a statement: alone, or behind the keys of its candidates, and how counts of
//! it are read.

use crate::receipt::Fault;
use crate::sql::candidates::Candidates;
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::keys::Keys;
use crate::sql::parts::{PART, part_of};

/// How a table stands in a statement: alone, or behind the keys of its candidates.
#[derive(Debug)]
pub(crate) struct Standing {
    /// What follows `FROM`.
    pub(crate) from: String,
    /// MariaDB: the table from which is deleted, where it is not the only one.
    among: Option<String>,
}

impl Standing {
    /// The head of a deletion; conditions follow.
    pub(crate) fn deletion(&self) -> String {
        match &self.among {
            Some(table) => format!("DELETE {table} FROM {} WHERE ", self.from),
            None => format!("DELETE FROM {} WHERE ", self.from),
        }
    }

    /// The head of a change; assignments follow.
    pub(crate) fn update(&self) -> String {
        format!("UPDATE {} SET ", self.from)
    }
}

/// The table of a statement, alone or with its candidates.
pub(crate) fn standing(
    compiler: &Compiler<'_, '_>,
    (table, instruction): (usize, usize),
    candidates: Option<Candidates>,
) -> Result<(Standing, Place), Fault> {
    let (from, mut place) = compiler.main(table, Some(instruction))?;
    if let Some(candidates) = candidates.filter(|_| compiler.scene.parts.is_some()) {
        place.part = Some(part_of(compiler, &place, candidates)?);
    }
    let standing = match candidates {
        // A subquery would make MariaDB read the whole table for a deletion or a change.
        Some(candidates) if compiler.dialect() == Dialect::MariaDb => Standing {
            from: format!(
                "{} AS {} STRAIGHT_JOIN {from}",
                candidates.name(compiler.dialect()),
                candidates.place().prefix
            ),
            among: Some(place.prefix.clone()),
        },
        _ => Standing { from, among: None },
    };
    Ok((standing, place))
}

/// The table of a statement that only reads. Of several orders as one, each record stands behind
/// its candidates, once for each part that it is one of.
pub(crate) fn standing_to_read(
    compiler: &Compiler<'_, '_>,
    (table, instruction): (usize, usize),
    candidates: Option<Candidates>,
) -> Result<(Standing, Place), Fault> {
    let Some(candidates) = candidates.filter(|_| compiler.scene.parts.is_some()) else {
        return standing(compiler, (table, instruction), candidates);
    };
    let (from, mut place) = compiler.main(table, Some(instruction))?;
    let here = candidates.place();
    place.part = Some(format!("{}.{PART}", here.prefix));
    let own = Keys::of(compiler, &place, instruction).names(compiler, &place)?;
    let keys = Keys::of(compiler, &here, instruction).names(compiler, &here)?;
    let equal: Vec<String> =
        own.iter().zip(&keys).map(|(own, key)| format!("{own} = {key}")).collect();
    let join = match compiler.dialect() {
        Dialect::Postgres => "JOIN",
        Dialect::MariaDb => "STRAIGHT_JOIN",
        Dialect::Sqlite => "CROSS JOIN",
    };
    let from = format!(
        "{} AS {} {join} {from} ON {}",
        candidates.name(compiler.dialect()),
        here.prefix,
        equal.join(" AND ")
    );
    Ok((Standing { from, among: None }, place))
}

/// A statement that reads aggregates of a table, of its candidates where there are some. Of several
/// orders as one it has a row for each part that has candidates, with the part in the last column.
pub(crate) fn reading(
    compiler: &Compiler<'_, '_>,
    (standing, place): &(Standing, Place),
    columns: Vec<Fragment>,
    candidates: Option<Candidates>,
) -> Result<Fragment, Fault> {
    let part = place.part.as_ref().map(|part| Fragment::raw(part.as_str()));
    let columns = columns.into_iter().chain(part).collect();
    let statement =
        Fragment::join(columns, ", ").within("SELECT ", &format!(" FROM {}", standing.from));
    if let Some(part) = &place.part {
        return Ok(statement.then(&format!(" GROUP BY {part}")));
    }
    let Some(candidates) = candidates else { return Ok(statement) };
    let bounds = candidates.bounds(compiler, place, Vec::new())?;
    Ok(statement.then(" WHERE ").and(Fragment::all(bounds)))
}

/// The number of all records of a table, as a column of [`reading`]. Of several orders as one it is
/// read once for all of them, by [`whole`].
pub(crate) fn total(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    candidates: Option<Candidates>,
) -> Result<Fragment, Fault> {
    if candidates.is_none() {
        return Ok(Fragment::raw("COUNT(*)"));
    }
    if place.part.is_some() {
        return Ok(Fragment::raw("0"));
    }
    let (from, _) = compiler.inner(place.table, place.instruction)?;
    Ok(Fragment::raw(format!("(SELECT COUNT(*) FROM {from})")))
}

/// A statement that counts all records of a table.
pub(crate) fn whole(
    compiler: &Compiler<'_, '_>,
    (table, instruction): (usize, usize),
) -> Result<Fragment, Fault> {
    let (from, _) = compiler.main(table, Some(instruction))?;
    Ok(Fragment::raw(format!("SELECT COUNT(*) FROM {from}")))
}

/// A statement that counts records of a table, and stops once there are so many.
pub(crate) fn at_most(
    compiler: &Compiler<'_, '_>,
    (table, instruction): (usize, usize),
    records: u64,
) -> Result<Fragment, Fault> {
    let (from, _) = compiler.main(table, Some(instruction))?;
    Ok(Fragment::raw(format!(
        "SELECT COUNT(*) FROM (SELECT 1 AS quietus_there FROM {from} LIMIT {records}) AS quietus_some"
    )))
}
