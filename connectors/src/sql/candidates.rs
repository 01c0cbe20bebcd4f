//! Orders that start from lists: the keys of the records that could be due, gathered first.
//!
//! Where everything that an instruction does presupposes that a record is on a list, the lists lead
//! to the keys through indexes, and windows are cut through the keys instead of the table. Every
//! condition is asked again where something changes, so a key too many does no harm; `memberships`
//! sees to it that there is none too few.

use std::collections::BTreeMap;

use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place, list_name};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::following::Parent;
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys::index_part;
use crate::sql::keys::Keys;
use crate::sql::memberships::{Membership, fields_of, memberships};
use crate::sql::parts::PART;
use crate::sql::scene::{Keeping, Scene};
use crate::sql::text_equality::Equality;

/// What the keys are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Changing records.
    Act,
    /// Counting them, probes too.
    Preview,
    /// Looking for survivors: found by another query, from the records to the lists.
    Verify,
}

/// From which end lists and records are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    AtTheList,
    AtRecords,
}

/// What was gathered before, and how many records fit into one window.
pub(crate) type Before<'g> = (&'g Gathered, u64);

/// What has been gathered, by table and instruction; `None` where a table has to be walked.
pub(crate) type Gathered = BTreeMap<(usize, usize), Option<Candidates>>;

/// The keys of all records of one table that an instruction could mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidates {
    table: usize,
    instruction: usize,
    /// They are not written down themselves: the keys of their parents lead to them.
    behind: Option<Parent>,
    /// How many there are.
    pub(crate) records: u64,
}

/// The key tells records apart and can stand in a table of its own.
fn has_plain_key(scene: &Scene<'_>, table: usize, instruction: usize) -> bool {
    let found = scene.table(table);
    if found.view {
        return false;
    }
    match Keys::of_table(scene, table, instruction) {
        Keys::RowNumber(_) => true,
        Keys::Fields(fields) => {
            let plain = |name: &String| {
                found.column(name).is_some_and(|column| !column.nullable && !column.touched)
            };
            !fields.is_empty() && fields.iter().all(plain) && found.identified_by(&fields)
        }
    }
}

/// Statements about the table read it a second time, which MariaDB forbids where several tables
/// stand in a deletion or a change.
fn reads_itself(scene: &Scene<'_>, table: usize, instruction: usize) -> bool {
    let one = scene.instruction(instruction);
    let through = |position: usize, predicate: &Predicate| {
        let mut fields = Vec::new();
        fields_of(predicate, &mut fields);
        fields.iter().any(|field| {
            let mut at = position;
            field.via.iter().any(|name| match scene.link(at, name) {
                Ok((_, to)) => {
                    at = to;
                    scene.table_position(to) == Some(table)
                }
                Err(_) => true,
            })
        })
    };
    let blocked = scene.blockers(table).into_iter().any(|blocker| {
        let held = |child: usize| through(child, &scene.instruction(child).held);
        blocker.table == table
            || blocker.keeps == Keeping::LastParent
            || (blocker.only_held() && blocker.instruction.is_some_and(held))
    });
    blocked || one.conditions().chain([&one.held]).any(|predicate| through(instruction, predicate))
}

impl Candidates {
    /// Whether the keys can be gathered; of several orders as one also where nothing is to be
    /// found, because nothing is done.
    pub(crate) fn can_be_gathered(
        scene: &Scene<'_>,
        (table, instruction): (usize, usize),
        purpose: Purpose,
    ) -> bool {
        let one = scene.instruction(instruction);
        let counts = purpose == Purpose::Preview && !one.probes.is_empty();
        let idle = !counts && one.conditions().all(|one| *one == Predicate::Never);
        let changes = purpose == Purpose::Act && scene.dialect == Dialect::MariaDb;
        idle || memberships(scene, instruction, purpose).is_some()
            && has_plain_key(scene, table, instruction)
            && !(changes && reads_itself(scene, table, instruction))
    }

    /// Gathers the keys, outside of a transaction and after the lists; `None` where the table has
    /// to be walked. Of what has been gathered before, the keys of parents lead to their children.
    pub(crate) async fn gather(
        session: &mut Session,
        scene: &Scene<'_>,
        (table, instruction): (usize, usize),
        (purpose, before): (Purpose, Option<Before<'_>>),
    ) -> Result<Option<Self>, Fault> {
        let Some(memberships) = memberships(scene, instruction, purpose) else { return Ok(None) };
        let changes = purpose == Purpose::Act && scene.dialect == Dialect::MariaDb;
        if !has_plain_key(scene, table, instruction)
            || (changes && reads_itself(scene, table, instruction))
        {
            return Ok(None);
        }
        let mut candidates = Self { table, instruction, behind: None, records: 0 };
        let parent = candidates.parent(scene, &memberships, before);
        if let Some(behind) = candidates.behind(session, scene, (parent, before)).await? {
            return Ok(Some(behind));
        }
        for statement in candidates.definition(scene)? {
            session.command(&statement).await?;
        }
        if scene.dialect == Dialect::Postgres {
            // Where the keys are small, the planner expects a merge to end with the largest of them.
            // It does not: what is read on is refused by the other conditions, to the end of the table.
            session.command("SET enable_mergejoin = off").await?;
        }
        if scene.dialect == Dialect::MariaDb {
            // Else reading would lock what it reads until the end of the statement.
            session.command("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
        }
        let filling = match parent {
            Some(parent) => candidates.following(scene, parent)?,
            None => candidates.filling(scene, &memberships, purpose)?,
        };
        candidates.records = session.execute(&filling).await?;
        if scene.dialect == Dialect::Postgres {
            let name = candidates.name(scene.dialect);
            session.execute(&Fragment::raw(format!("ANALYZE {name}"))).await?;
        }
        Ok(Some(candidates))
    }

    /// Of several orders as one: the parts that have a candidate in common with another part.
    pub(crate) async fn in_common(
        self,
        session: &mut Session,
        scene: &Scene<'_>,
    ) -> Result<Vec<usize>, Fault> {
        let compiler = Compiler::new(scene);
        let here = self.place();
        let keys = Keys::of(&compiler, &here, self.instruction).names(&compiler, &here)?.join(", ");
        let row = if keys.contains(", ") { format!("({keys})") } else { keys.clone() };
        let from = format!("{} AS {}", self.name(scene.dialect), here.prefix);
        let statement = Fragment::raw(format!(
            "SELECT DISTINCT {PART} FROM {from} WHERE {row} IN (SELECT {keys} FROM {from} GROUP BY {keys} HAVING COUNT(*) > 1)"
        ));
        let found = session.fetch(&statement).await?;
        Ok(found.iter().filter_map(|row| usize::try_from(row.first()?.count()).ok()).collect())
    }

    pub(crate) fn instruction(self) -> usize {
        self.instruction
    }

    /// The table and the instruction.
    pub(crate) fn of(self) -> (usize, usize) {
        (self.table, self.instruction)
    }

    /// The parents' keys that stand for them.
    pub(crate) fn stand_behind(self) -> Option<Parent> {
        self.behind
    }

    /// The same, standing behind the keys of their parents.
    pub(crate) fn placed_behind(self, parent: Parent) -> Self {
        Self { behind: Some(parent), ..self }
    }

    /// The table and the instruction whose keys are written down.
    fn written(self) -> (usize, usize) {
        self.behind.map_or((self.table, self.instruction), |parent| parent.keys)
    }

    fn bare_name(self) -> String {
        let (table, instruction) = self.written();
        format!("quietus_candidates_{table}_{instruction}")
    }

    pub(crate) fn name(self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Postgres => format!("pg_temp.{}", self.bare_name()),
            Dialect::MariaDb => self.bare_name(),
            Dialect::Sqlite => format!("temp.{}", self.bare_name()),
        }
    }

    /// The keys in a statement; they have the names that they have in the table.
    pub(crate) fn place(self) -> Place {
        let (table, instruction) = self.written();
        let prefix = "quietus_candidate".to_owned();
        Place { prefix, table, instruction: Some(instruction), part: None }
    }

    /// What makes the table of the keys, empty.
    fn definition(self, scene: &Scene<'_>) -> Result<Vec<String>, Fault> {
        let (dialect, name) = (scene.dialect, self.bare_name());
        let has_parts = scene.parts.is_some();
        let fields = match Keys::of_table(scene, self.table, self.instruction) {
            Keys::RowNumber(row) if has_parts => {
                // A column of this name stands before its own row number.
                return Ok(vec![
                    format!("CREATE TEMPORARY TABLE {name} ({row} INTEGER, {PART} INTEGER)"),
                    format!("CREATE INDEX temp.{name}_index ON {name} ({row})"),
                ]);
            }
            Keys::RowNumber(_) => {
                // Its own row number is the one of the record.
                return Ok(vec![format!(
                    "CREATE TEMPORARY TABLE {name} (quietus_row INTEGER PRIMARY KEY)"
                )]);
            }
            Keys::Fields(fields) => fields,
        };
        let compiler = Compiler::new(scene);
        let (from, place) = compiler.inner(self.table, Some(self.instruction))?;
        let (mut selected, mut names, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        // A record of two persons comes once for each of them.
        let mut whole = !has_parts;
        for field in &fields {
            let quoted = dialect.quote(field)?;
            selected.push(format!("{} AS {quoted}", compiler.column(&place, field)?));
            parts.push(index_part(scene.table(self.table).column(field), &quoted));
            whole &= parts.last() == Some(&quoted);
            names.push(quoted);
        }
        selected.extend(has_parts.then(|| format!("0 AS {PART}")));
        let (selected, names) = (selected.join(", "), names.join(", "));
        Ok(match dialect {
            Dialect::Postgres => vec![
                format!(
                    "CREATE TEMPORARY TABLE {name} AS SELECT {selected} FROM {from} WITH NO DATA"
                ),
                format!("CREATE INDEX ON pg_temp.{name} ({names})"),
            ],
            // Each key comes once, and one tree is written faster than a table and its index.
            Dialect::MariaDb => vec![format!(
                "CREATE TEMPORARY TABLE {name} ({} ({})) AS SELECT {selected} FROM {from} WHERE 1 = 0",
                if whole { "PRIMARY KEY" } else { "INDEX" },
                parts.join(", ")
            )],
            Dialect::Sqlite => vec![
                format!("CREATE TEMPORARY TABLE {name} AS SELECT {selected} FROM {from} WHERE 0"),
                format!("CREATE INDEX temp.{name}_index ON {name} ({names})"),
            ],
        })
    }

    /// What fills it: each list leads to its records in a branch of its own.
    fn filling(
        self,
        scene: &Scene<'_>,
        memberships: &[Membership<'_>],
        purpose: Purpose,
    ) -> Result<Fragment, Fault> {
        let compiler = Compiler::new(scene);
        let mut branches = Vec::new();
        for membership in memberships {
            branches.push(match purpose {
                Purpose::Verify if scene.parts.is_some() => {
                    self.joined(&compiler, membership, Begins::AtRecords)?
                }
                Purpose::Verify => self.asked(&compiler, membership)?,
                Purpose::Act | Purpose::Preview => self.followed(&compiler, membership)?,
            });
        }
        let name = self.name(scene.dialect);
        // A union keeps each key once.
        Ok(Fragment::join(branches, " UNION ").within(&format!("INSERT INTO {name} "), ""))
    }

    /// The keys of records that ask whether they are on the list.
    fn asked(
        self,
        compiler: &Compiler<'_, '_>,
        membership: &Membership<'_>,
    ) -> Result<Fragment, Fault> {
        let (from, place) = compiler.inner(self.table, Some(self.instruction))?;
        let keys = Keys::of(compiler, &place, self.instruction).names(compiler, &place)?;
        let head = format!("SELECT DISTINCT {} FROM {from} WHERE ", keys.join(", "));
        if compiler.dialect() == Dialect::MariaDb {
            let via = membership.fields.first().map(|field| field.via.as_slice());
            let among = among(compiler, &place, via.unwrap_or_default(), membership)?;
            return Ok(Fragment::raw(head + &among));
        }
        let listed =
            Predicate::Listed { fields: membership.fields.to_vec(), list: membership.list };
        Ok(compiler.holds(&place, &listed)?.within(&head, ""))
    }

    /// The keys of records to which the list leads, from parents to children.
    fn followed(
        self,
        compiler: &Compiler<'_, '_>,
        membership: &Membership<'_>,
    ) -> Result<Fragment, Fault> {
        self.joined(compiler, membership, Begins::AtTheList)
    }

    fn joined(
        self,
        compiler: &Compiler<'_, '_>,
        membership: &Membership<'_>,
        begins: Begins,
    ) -> Result<Fragment, Fault> {
        let (scene, dialect) = (compiler.scene, compiler.dialect());
        let (from, place) = compiler.inner(self.table, Some(self.instruction))?;
        let keys = Keys::of(compiler, &place, self.instruction).names(compiler, &place)?;
        let mut tables = vec![from];
        let mut conditions = Vec::new();
        let mut indexed = true;
        let mut at = place;
        for name in membership.fields.first().map(|field| &field.via).into_iter().flatten() {
            let (link, to) = scene.link(at.instruction.unwrap_or(usize::MAX), name)?;
            let (from, parent) = compiler.inner(scene.table_of(to)?, Some(to))?;
            let own: Vec<String> = link.fields.iter().map(|pair| pair.0.clone()).collect();
            indexed &= scene.table(at.table).indexed(&own);
            for (own, other) in &link.fields {
                let (own, other) = (compiler.column(&at, own)?, compiler.column(&parent, other)?);
                conditions.push(format!("{other} = {own}"));
            }
            tables.push(from);
            at = parent;
        }
        let names: Vec<String> = membership.fields.iter().map(|one| one.field.clone()).collect();
        let number = compiler.list_number(&at, &names, membership.list)?;
        let alias = compiler.alias();
        let lowered = |name: &String| scene.table(at.table).lowered.contains(name);
        let served = names.len() == 1 && names.iter().all(lowered);
        indexed &= served || scene.table(at.table).indexed(&names);
        for (index, name) in names.iter().enumerate() {
            let column = format!("{alias}.c{index}");
            let (equal, bare) = compiler.operand(&at, name, |operand| {
                let equal = operand.list_equality(&column, Equality::Exact);
                let bare = operand.list_operand() == operand.name;
                Ok((equal, bare || served && operand.ignores_case()))
            })?;
            conditions.push(equal);
            indexed &= bare;
        }
        tables.push(format!("{} AS {alias}", list_name(dialect, number)));
        // PostgreSQL chooses for itself. The others are told: from the list, unless every entry
        // would read the whole table; then each record asks.
        let has_parts = scene.has_parts(membership.list);
        let join = match dialect {
            Dialect::Postgres => ", ",
            _ if !indexed && !has_parts => return self.asked(compiler, membership),
            Dialect::MariaDb => " STRAIGHT_JOIN ",
            Dialect::Sqlite => " CROSS JOIN ",
        };
        if indexed && begins == Begins::AtTheList {
            tables.reverse();
        }
        let part = if has_parts { format!(", {alias}.{PART}") } else { String::new() };
        Ok(Fragment::raw(format!(
            "SELECT DISTINCT {}{part} FROM {} WHERE {}",
            keys.join(", "),
            tables.join(join),
            conditions.join(" AND ")
        )))
    }

    /// The record at `place` is one of them; `bounds` are those of the window, on [`Self::place`].
    pub(crate) fn bounds(
        self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
        mut bounds: Vec<Fragment>,
    ) -> Result<Vec<Fragment>, Fault> {
        let here = self.place();
        if let Some(parent) = self.behind {
            bounds.extend(parent.leads_to(compiler, place, &here)?);
            return Ok(bounds);
        }
        let own = Keys::of(compiler, place, self.instruction).names(compiler, place)?;
        let keys = Keys::of(compiler, &here, self.instruction).names(compiler, &here)?;
        if compiler.dialect() == Dialect::MariaDb {
            let pairs = own.iter().zip(&keys);
            bounds.extend(pairs.map(|(own, key)| Fragment::raw(format!("{own} = {key}"))));
            return Ok(bounds);
        }
        let name = self.name(compiler.dialect());
        let head = format!("SELECT {} FROM {name} AS {} WHERE ", keys.join(", "), here.prefix);
        let own = if own.len() == 1 { own.join("") } else { format!("({})", own.join(", ")) };
        Ok(vec![Fragment::all(bounds).within(&format!("{own} IN ({head}"), ")")])
    }
}

/// The record at `place` asks by `IN`, which MariaDB turns into a join where it would answer an
/// exact `EXISTS` for each record. It goes by the fields' own equality, so it names a few keys more
/// where a collation takes different texts for one.
fn among(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    via: &[String],
    membership: &Membership<'_>,
) -> Result<String, Fault> {
    let row = |columns: &[String]| match columns {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    let Some((first, rest)) = via.split_first() else {
        let names: Vec<String> = membership.fields.iter().map(|one| one.field.clone()).collect();
        let number = compiler.list_number(place, &names, membership.list)?;
        let alias = compiler.alias();
        let (mut own, mut columns) = (Vec::new(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            own.push(compiler.operand(place, name, |operand| Ok(operand.list_operand()))?);
            columns.push(format!("{alias}.c{index}"));
        }
        return Ok(format!(
            "{} IN (SELECT {} FROM {} AS {alias})",
            row(&own),
            columns.join(", "),
            list_name(compiler.dialect(), number)
        ));
    };
    let (link, to) = compiler.scene.link(place.instruction.unwrap_or(usize::MAX), first)?;
    let (from, parent) = compiler.inner(compiler.scene.table_of(to)?, Some(to))?;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (here, there) in &link.fields {
        own.push(compiler.column(place, here)?);
        others.push(compiler.column(&parent, there)?);
    }
    let inner = among(compiler, &parent, rest, membership)?;
    Ok(format!("{} IN (SELECT {} FROM {from} WHERE {inner})", row(&own), others.join(", ")))
}
