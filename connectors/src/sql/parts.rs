//! Several orders as one order with parts: the same instructions, and lists whose entries say
//! whose they are.
//!
//! A condition that reads such a list asks for the part that a record is a candidate of, so that
//! for each record it is, word for word, the condition of that part's own order. A record that is
//! a candidate of two parts is theirs both, and then those orders go one after the other.

use crate::order::{KeyList, Order};
use crate::receipt::Fault;
use crate::sql::candidates::Candidates;
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::keys::Keys;
use crate::sql::standing::Standing;
use crate::together::alike;

/// The column that says whose an entry, a key or a count is.
pub(crate) const PART: &str = "quietus_part";

/// The most entries that a list of an order may have.
const MOST_ENTRIES: usize = 100_000;

/// Whose the entries of each list are.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// How many parts there are.
    pub(crate) count: usize,
    /// By list: the part of each entry; `None` where the list is the same for all.
    owners: Vec<Option<Vec<usize>>>,
}

impl Parts {
    /// The parts of a list's entries, where they have such.
    pub(crate) fn owners(&self, list: usize) -> Option<&[usize]> {
        self.owners.get(list)?.as_deref()
    }
}

/// The orders as one; why not, where they cannot be.
pub(crate) fn join(orders: &[Order]) -> Result<(Order, Parts), String> {
    let Some(first) = orders.first() else { return Err("there is no order".to_owned()) };
    if orders.iter().any(|one| !alike(first, one)) {
        return Err("the orders differ in more than the keys on their lists".to_owned());
    }
    let mut lists = Vec::with_capacity(first.lists.len());
    let mut owners = Vec::with_capacity(first.lists.len());
    for (index, list) in first.lists.iter().enumerate() {
        if orders.iter().all(|order| order.lists[index].entries == list.entries) {
            lists.push(list.clone());
            owners.push(None);
            continue;
        }
        let mut whole = KeyList { types: list.types.clone(), entries: Vec::new() };
        let mut owner_of_each = Vec::new();
        for (part, order) in orders.iter().enumerate() {
            whole.entries.extend(order.lists[index].entries.iter().cloned());
            owner_of_each.resize(whole.entries.len(), part);
        }
        if whole.entries.len() > MOST_ENTRIES {
            return Err(format!("a list would have more than {MOST_ENTRIES} entries"));
        }
        lists.push(whole);
        owners.push(Some(owner_of_each));
    }
    let order = Order { lists, most_records: None, ..first.clone() };
    Ok((order, Parts { count: orders.len(), owners }))
}

/// The part of the record at `place` in a statement that changes it: that of its candidate, of
/// which there is one.
pub(crate) fn part_of(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    candidates: Candidates,
) -> Result<String, Fault> {
    if compiler.dialect() == Dialect::MariaDb {
        // The candidates stand in the statement.
        return Ok(format!("{}.{PART}", candidates.place().prefix));
    }
    let alias = compiler.alias();
    let here = Place { prefix: alias.clone(), ..candidates.place() };
    let instruction = candidates.instruction();
    let own = Keys::of(compiler, place, instruction).names(compiler, place)?;
    let keys = Keys::of(compiler, &here, instruction).names(compiler, &here)?;
    let equal: Vec<String> =
        own.iter().zip(&keys).map(|(own, key)| format!("{key} = {own}")).collect();
    Ok(format!(
        "(SELECT {alias}.{PART} FROM {} AS {alias} WHERE {})",
        candidates.name(compiler.dialect()),
        equal.join(" AND ")
    ))
}

/// How many records of each part a statement with this condition changes. The records are locked,
/// so that those that are counted are those that are changed.
pub(crate) fn telling(
    dialect: Dialect,
    standing: &Standing,
    (place, part): (&Place, &str),
    condition: Fragment,
) -> Fragment {
    let from = &standing.from;
    match dialect {
        Dialect::MariaDb => condition.within(
            &format!("SELECT {part}, COUNT(*) FROM {from} WHERE "),
            &format!(" GROUP BY {part} FOR UPDATE"),
        ),
        Dialect::Postgres | Dialect::Sqlite => {
            let lock = match dialect {
                Dialect::Postgres => format!(" FOR UPDATE OF {}", place.prefix),
                _ => String::new(),
            };
            condition.within(
                &format!(
                    "SELECT quietus_told.{PART}, COUNT(*) FROM (SELECT {part} AS {PART} FROM {from} WHERE "
                ),
                &format!("{lock}) AS quietus_told GROUP BY quietus_told.{PART}"),
            )
        }
    }
}

/// A deletion or change that tells by itself how many records of each part it has changed; `None`
/// where the system cannot tell or needs not, because nobody else writes meanwhile. MariaDB returns
/// nothing from a statement over several tables.
pub(crate) fn reporting(dialect: Dialect, part: &str, statement: &Fragment) -> Option<Fragment> {
    let changes = statement.text.starts_with("DELETE") || statement.text.starts_with("UPDATE");
    (dialect == Dialect::Postgres && changes).then(|| {
        statement.clone().within(
            "WITH quietus_changed AS (",
            &format!(
                " RETURNING {part} AS {PART}) \
                 SELECT {PART}, COUNT(*) FROM quietus_changed GROUP BY {PART}"
            ),
        )
    })
}
