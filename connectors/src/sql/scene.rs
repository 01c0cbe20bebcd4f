//! An order laid over the catalogue: which table each instruction means, what refers to it, and
//! which lists its predicates need.

use std::collections::BTreeSet;

use crate::order::{Instruction, Link, LinkKind, MappedField, Order};
use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::schema::OnDelete;
use crate::sql::associations::{self, Association};
use crate::sql::catalogue::{Catalogue, Column, Reference, Table};
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::Fragment;
use crate::sql::parts::Parts;
use crate::sql::settled::Settled;
use crate::value::Stored;

/// The order and the catalogue together.
pub(crate) struct Scene<'o> {
    pub(crate) dialect: Dialect,
    pub(crate) order: &'o Order,
    pub(crate) catalogue: Catalogue,
    /// Position of the table of each instruction, in the order's own order.
    tables: Vec<Option<usize>>,
    /// Links that some predicate reads, by instruction and name.
    needed: BTreeSet<(usize, String)>,
    pub(crate) lists: Vec<ListTable>,
    /// Of several orders as one: whose the entries of lists are.
    pub(crate) parts: Option<Parts>,
    /// What refers to a table without an index that would find it, by the table's position.
    pub(crate) unindexed: Vec<(usize, Blocker)>,
    /// What the transaction that is open has settled.
    pub(crate) settled: Vec<Settled>,
}

/// A list of the order that is compared with certain fields of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListTable {
    pub(crate) list: usize,
    pub(crate) instruction: usize,
    pub(crate) fields: Vec<String>,
}

/// Why a predicate is read: what only counts keeps no parent from going, and a held record keeps
/// its parents by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Condition,
    Hold,
    Probe,
}

/// Which of the records that refer to a parent keep it from going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// All of them.
    Every,
    /// Held ones. The reference of the others is emptied when the parent goes.
    Held,
    /// Held ones, and those of which no other parent by a shared link stays.
    LastParent,
}

/// Something that refers to records of a collection and keeps them from going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocker {
    pub(crate) table: usize,
    /// The child's instruction; `None` where the data map does not know the table.
    pub(crate) instruction: Option<usize>,
    pub(crate) fields: Vec<String>,
    pub(crate) to_fields: Vec<String>,
    /// The database deletes the child with its parent.
    pub(crate) cascade: bool,
    /// The reference is checked at once, even inside one statement.
    pub(crate) immediate: bool,
    /// The database itself refuses to delete a parent that is referred to, so that what has been
    /// looked at once cannot become untrue unseen.
    pub(crate) refuses: bool,
    pub(crate) keeps: Keeping,
}

impl Blocker {
    /// Both mean the same fields of the same tables.
    fn joins_as(&self, other: &Self) -> bool {
        self.table == other.table
            && self.fields.len() == other.fields.len()
            && self
                .fields
                .iter()
                .zip(&self.to_fields)
                .all(|pair| other.fields.iter().zip(&other.to_fields).any(|one| one == pair))
    }

    /// Only held children keep the parent.
    pub(crate) fn only_held(&self) -> bool {
        self.keeps == Keeping::Held
    }

    /// What must hold for a child so that it keeps its parent.
    pub(crate) fn only_where(
        &self,
        compiler: &Compiler<'_, '_>,
        child: &Place,
    ) -> Result<Option<Fragment>, Fault> {
        let Some(instruction) = self.instruction.filter(|_| self.keeps != Keeping::Every) else {
            return Ok(None);
        };
        let mut keeps = Vec::new();
        let held = &compiler.scene.instruction(instruction).held;
        if *held != Predicate::Never {
            keeps.push(compiler.held(child, held)?);
        }
        if self.keeps == Keeping::LastParent {
            let other = associations::another_parent_stays(compiler, child, instruction)?;
            keeps.push(other.within("NOT ", ""));
        }
        Ok(Some(Fragment::any(keeps)))
    }
}

impl<'o> Scene<'o> {
    /// Lays the order over the catalogue.
    pub(crate) fn new(dialect: Dialect, order: &'o Order, catalogue: Catalogue) -> Self {
        let tables = order.instructions.iter().map(|one| catalogue.find(&one.source)).collect();
        let mut scene = Self {
            dialect,
            order,
            catalogue,
            tables,
            needed: BTreeSet::new(),
            lists: Vec::new(),
            parts: None,
            unindexed: Vec::new(),
            settled: Vec::new(),
        };
        for (position, instruction) in order.instructions.iter().enumerate() {
            for link in instruction.links.iter().filter(|link| link.needed) {
                scene.needed.insert((position, link.name.clone()));
            }
            for predicate in conditions(instruction) {
                scene.walk(position, predicate, Why::Condition);
            }
            scene.walk(position, &instruction.held, Why::Hold);
            let probes = instruction.probes.iter().map(|probe| &probe.predicate);
            for counted in probes.chain(instruction.records_of_persons()) {
                scene.walk(position, counted, Why::Probe);
            }
        }
        scene.needed.extend(associations::read_here(order));
        for parent in 0..scene.catalogue.tables.len() {
            for blocker in scene.blockers(parent) {
                if scene.must_be_gathered(parent, &blocker) {
                    scene.unindexed.push((parent, blocker));
                }
            }
        }
        scene
    }

    /// Whose the entries of a list are is told.
    pub(crate) fn has_parts(&self, list: usize) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.owners(list).is_some())
    }

    /// Nothing finds the children of one parent, and their keys compare as the parent's do.
    fn must_be_gathered(&self, parent: usize, blocker: &Blocker) -> bool {
        let (child, parent) = (self.table(blocker.table), self.table(parent));
        let pairs = blocker.fields.iter().zip(&blocker.to_fields);
        let alike =
            pairs.into_iter().all(|(own, other)| match (child.column(own), parent.column(other)) {
                (Some(own), Some(other)) => own.class == other.class,
                _ => false,
            });
        alike && blocker.fields.len() == blocker.to_fields.len() && !child.indexed(&blocker.fields)
    }

    /// Links that decide something, with the position of their instruction.
    pub(crate) fn needed_links(&self) -> impl Iterator<Item = (usize, &'o Link)> {
        self.needed.iter().filter_map(|(position, name)| {
            let links = &self.instruction(*position).links;
            Some((*position, links.iter().find(|link| link.name == *name)?))
        })
    }

    /// The number of the set in which the keys of an unindexed referrer are gathered.
    pub(crate) fn gathered(&self, parent: usize, blocker: &Blocker) -> Option<usize> {
        self.unindexed.iter().position(|(table, one)| *table == parent && one == blocker)
    }

    /// Notes what a predicate reads of other collections and lists.
    fn walk(&mut self, position: usize, predicate: &Predicate, why: Why) {
        match predicate {
            Predicate::Always | Predicate::Never => {}
            Predicate::All(parts) | Predicate::Any(parts) => {
                for part in parts {
                    self.walk(position, part, why);
                }
            }
            Predicate::Not(inner) => self.walk(position, inner, why),
            Predicate::Compare { field, .. }
            | Predicate::OneOf { field, .. }
            | Predicate::Absent(field) => {
                self.follow(position, (&field.via, None), why);
            }
            Predicate::LatestAtOrBefore(fields) => {
                for (field, _) in fields {
                    self.follow(position, (&field.via, None), why);
                }
            }
            Predicate::Listed { fields, list } => {
                let mut at = Some(position);
                for field in fields {
                    at = self.follow(position, (&field.via, Some((&field.field, *list))), why);
                }
                if let Some(instruction) = at {
                    let names = fields.iter().map(|field| field.field.clone()).collect();
                    let entry = ListTable { list: *list, instruction, fields: names };
                    if !self.lists.contains(&entry) {
                        self.lists.push(entry);
                    }
                }
            }
            Predicate::Linked { link, holds } => {
                if let Some(to) = self.follow(position, (std::slice::from_ref(link), None), why) {
                    // What a hold reads beyond the first link, its records do not keep by themselves.
                    let beyond = if why == Why::Hold { Why::Condition } else { why };
                    self.walk(to, holds, beyond);
                }
            }
        }
    }

    /// Follows links from a collection and marks each as needed.
    fn follow(
        &mut self,
        position: usize,
        (via, listed): (&[String], Option<(&String, usize)>),
        why: Why,
    ) -> Option<usize> {
        let mut at = position;
        for (depth, name) in via.iter().enumerate() {
            let link = self.order.instructions[at].links.iter().find(|link| link.name == *name)?;
            let loose = || associations::of_link(self, at, link).is_some();
            let needed = match why {
                Why::Probe => false,
                // A held record keeps its own parents by itself.
                Why::Hold => {
                    let held = &self.order.instructions[at].held;
                    let too = || associations::holds_too(held, &via[depth..], listed);
                    !loose() || depth > 0 && !too()
                }
                // A record that stays keeps its last parent, and one that goes is gone before.
                Why::Condition => link.kind != LinkKind::Shared || !loose(),
            };
            if needed {
                self.needed.insert((at, name.clone()));
            }
            at = self.instruction_of(&link.to)?;
        }
        Some(at)
    }

    pub(crate) fn instruction(&self, position: usize) -> &'o Instruction {
        &self.order.instructions[position]
    }

    /// The position of the instruction for a collection of the data map.
    pub(crate) fn instruction_of(&self, collection: &str) -> Option<usize> {
        self.order.instructions.iter().position(|one| one.collection == collection)
    }

    /// Positions of the instructions that change something.
    pub(crate) fn active(&self) -> Vec<usize> {
        (0..self.order.instructions.len())
            .filter(|&position| !self.instruction(position).keep)
            .collect()
    }

    /// The position of an instruction's table.
    ///
    /// # Errors
    /// `Misconfigured` where it is missing.
    pub(crate) fn table_of(&self, instruction: usize) -> Result<usize, Fault> {
        self.tables[instruction].ok_or_else(|| {
            misconfigured(format!(
                "collection `{}` is mapped but not in the system",
                self.instruction(instruction).collection
            ))
        })
    }

    /// The position of an instruction's table, if it is there.
    pub(crate) fn table_position(&self, instruction: usize) -> Option<usize> {
        self.tables[instruction]
    }

    pub(crate) fn table(&self, position: usize) -> &Table {
        &self.catalogue.tables[position]
    }

    /// The instruction whose collection is this table.
    pub(crate) fn instruction_for_table(&self, table: usize) -> Option<usize> {
        self.tables.iter().position(|one| *one == Some(table))
    }

    /// The name that people know a table by.
    pub(crate) fn name_of_table(&self, table: usize) -> String {
        match self.instruction_for_table(table) {
            Some(position) => self.instruction(position).collection.clone(),
            None => self.table(table).full_name(),
        }
    }

    /// A column and what the data map says of it.
    ///
    /// # Errors
    /// `Misconfigured` where the column is missing.
    pub(crate) fn field<'a>(
        &'a self,
        table: usize,
        instruction: Option<usize>,
        name: &str,
    ) -> Result<(&'a Column, MappedField), Fault> {
        let column = self.table(table).column(name).ok_or_else(|| {
            misconfigured(format!(
                "field `{}.{name}` is mapped but not in the system",
                self.name_of_table(table)
            ))
        })?;
        let mapped = instruction.and_then(|position| {
            self.instruction(position).fields.iter().find(|field| field.name == name).cloned()
        });
        let mapped = mapped.unwrap_or_else(|| MappedField {
            name: name.to_owned(),
            field_type: column.class,
            stored: Stored::Native,
            zone: "UTC".to_owned(),
            ignores_case: false,
        });
        Ok((column, mapped))
    }

    /// The link of an instruction by name, and where it leads.
    ///
    /// # Errors
    /// `Misconfigured` where there is no such link.
    pub(crate) fn link(&self, instruction: usize, name: &str) -> Result<(&'o Link, usize), Fault> {
        let collection = &self.instruction(instruction).collection;
        let link = self.instruction(instruction).links.iter().find(|link| link.name == name);
        let link = link.ok_or_else(|| {
            misconfigured(format!("collection `{collection}` has no link `{name}`"))
        })?;
        let to = self.instruction_of(&link.to).ok_or_else(|| {
            misconfigured(format!(
                "link `{collection}.{name}` leads to `{}`, which the order does not know",
                link.to
            ))
        })?;
        Ok((link, to))
    }

    /// Everything whose records keep records of this table from going.
    pub(crate) fn blockers(&self, table: usize) -> Vec<Blocker> {
        let mut blockers = self.referrers(table, |reference| self.loosened_by(reference));
        for kept in associations::keeping_parents(self, table) {
            if self.can_keep(&kept) && !blockers.iter().any(|one| one.joins_as(&kept)) {
                blockers.push(kept);
            }
        }
        self.blockers_without_foreign_key(table, &mut blockers);
        blockers
    }

    /// Everything whose records keep records of this table from moving to another one, which
    /// empties no association.
    pub(crate) fn blockers_of_move(&self, table: usize) -> Vec<Blocker> {
        let mut blockers = self.referrers(table, |_| None);
        self.blockers_without_foreign_key(table, &mut blockers);
        blockers
    }

    /// What foreign keys lead to a table.
    fn referrers(
        &self,
        table: usize,
        loosened: impl Fn(&Reference) -> Option<Keeping>,
    ) -> Vec<Blocker> {
        let mut blockers: Vec<Blocker> = Vec::new();
        for reference in self.catalogue.references.iter().filter(|one| one.parent == table) {
            let instruction = self.instruction_for_table(reference.child);
            let can_be_emptied = reference.fields.iter().all(|name| {
                self.table(reference.child).column(name).is_none_or(|column| column.nullable)
            });
            let loosens = reference.on_delete == OnDelete::SetNull && can_be_emptied;
            let needed = self.needed_link(instruction, table, &reference.fields);
            let keeps = match loosened(reference) {
                Some(keeps) => keeps,
                None if loosens && !needed => Keeping::Held,
                None => Keeping::Every,
            };
            let blocker = Blocker {
                table: reference.child,
                instruction,
                fields: reference.fields.clone(),
                to_fields: reference.to_fields.clone(),
                cascade: reference.on_delete == OnDelete::Cascade,
                immediate: reference.immediate,
                refuses: reference.on_delete == OnDelete::Refuse && keeps == Keeping::Every,
                keeps,
            };
            if !blockers.contains(&blocker) && self.can_keep(&blocker) {
                blockers.push(blocker);
            }
        }
        blockers
    }

    /// Some record could be what keeps its parent.
    fn can_keep(&self, blocker: &Blocker) -> bool {
        let holds = |one: usize| self.instruction(one).held != Predicate::Never;
        !blocker.only_held()
            || blocker.instruction.is_some_and(holds)
            || associations::has_substitute(self, blocker)
    }

    /// A foreign key whose references are emptied by us before the parent goes.
    fn loosened_by(&self, reference: &Reference) -> Option<Keeping> {
        let loosened = associations::leading_to(self, reference.parent);
        let same = |one: &Association<'_>| {
            one.child == reference.child
                && one.link.fields.len() == reference.fields.len()
                && reference.fields.iter().zip(&reference.to_fields).all(|(own, other)| {
                    one.link.fields.iter().any(|pair| pair.0 == *own && pair.1 == *other)
                })
        };
        loosened.iter().find(|one| same(one)).map(Association::keeping)
    }

    /// The link has to stay as long as its record, because a clock or condition reads through it.
    pub(crate) fn needs(&self, instruction: usize, link: &Link) -> bool {
        self.needed.contains(&(instruction, link.name.clone()))
    }

    fn needed_link(&self, instruction: Option<usize>, parent: usize, fields: &[String]) -> bool {
        let Some(position) = instruction else { return false };
        self.instruction(position).links.iter().any(|link| {
            self.needed.contains(&(position, link.name.clone()))
                && self.instruction_of(&link.to).and_then(|to| self.tables[to]) == Some(parent)
                && link.fields.iter().all(|(own, _)| fields.contains(own))
        })
    }

    fn blockers_without_foreign_key(&self, table: usize, blockers: &mut Vec<Blocker>) {
        for (position, name) in &self.needed {
            let Some(child) = self.tables[*position] else { continue };
            let Some(link) =
                self.instruction(*position).links.iter().find(|link| link.name == *name)
            else {
                continue;
            };
            if self.instruction_of(&link.to).and_then(|to| self.tables[to]) != Some(table) {
                continue;
            }
            let (fields, to_fields): (Vec<String>, Vec<String>) =
                link.fields.iter().cloned().unzip();
            let known = blockers.iter().any(|one| {
                one.keeps == Keeping::Every
                    && one.table == child
                    && one.fields.iter().zip(&one.to_fields).all(|(own, other)| {
                        link.fields.iter().any(|pair| pair.0 == *own && pair.1 == *other)
                    })
            });
            if !known {
                blockers.push(Blocker {
                    table: child,
                    instruction: Some(*position),
                    fields,
                    to_fields,
                    cascade: false,
                    immediate: false,
                    refuses: false,
                    keeps: Keeping::Every,
                });
            }
        }
    }
}

/// Every predicate but the holds that decides what becomes of a record.
pub(crate) fn conditions(instruction: &Instruction) -> Vec<&Predicate> {
    let mut found =
        vec![&instruction.delete_when, &instruction.restrict_when, &instruction.lift_when];
    found.extend(instruction.treatments.iter().map(|treatment| &treatment.due));
    found
}
