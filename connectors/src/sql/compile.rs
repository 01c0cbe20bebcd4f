//! Predicates as SQL conditions.
//!
//! Truth has two values: negations are pushed to the leaves and written out there. Positive leaves
//! stay bare, so that an index on the field can be used. A bare leaf may be unknown to the
//! database, which counts as false wherever a condition ends. `text_equality` says when texts are
//! equal.

use std::cell::Cell as Counter;

use crate::predicate::{Comparison, Cutoff, FieldRef, Predicate};
use crate::receipt::Fault;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::Fragment;
use crate::sql::parts::PART;
use crate::sql::scene::{ListTable, Scene};
use crate::sql::text_equality::{Equality, Reading};
use crate::sql::values::{Operand, opposite};
use crate::value::Value;

/// A table inside a statement.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// What stands before the dot of its columns, quoted.
    pub(crate) prefix: String,
    pub(crate) table: usize,
    pub(crate) instruction: Option<usize>,
    /// Of several orders as one: whose record this is. Where it is not told, lists are read for all.
    pub(crate) part: Option<String>,
}

/// Writes conditions; hands out names that are unique within one statement.
pub(crate) struct Compiler<'s, 'o> {
    pub(crate) scene: &'s Scene<'o>,
    next: Counter<u32>,
}

impl<'s, 'o> Compiler<'s, 'o> {
    pub(crate) fn new(scene: &'s Scene<'o>) -> Self {
        Self { scene, next: Counter::new(0) }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.scene.dialect
    }

    /// The table that a statement is about, and how it stands behind `FROM`, `UPDATE` or
    /// `DELETE FROM`. MariaDB knows no alias there.
    pub(crate) fn main(
        &self,
        table: usize,
        instruction: Option<usize>,
    ) -> Result<(String, Place), Fault> {
        let quoted = self.scene.table(table).quoted(self.dialect())?;
        if self.dialect() == Dialect::MariaDb {
            return Ok((quoted.clone(), Place { prefix: quoted, table, instruction, part: None }));
        }
        let prefix = "quietus_0".to_owned();
        Ok((format!("{quoted} AS {prefix}"), Place { prefix, table, instruction, part: None }))
    }

    /// A name that no other table of the statement has.
    pub(crate) fn alias(&self) -> String {
        self.next.set(self.next.get() + 1);
        format!("quietus_{}", self.next.get())
    }

    /// Another table of the same statement.
    pub(crate) fn inner(
        &self,
        table: usize,
        instruction: Option<usize>,
    ) -> Result<(String, Place), Fault> {
        let quoted = self.scene.table(table).quoted(self.dialect())?;
        let prefix = self.alias();
        Ok((format!("{quoted} AS {prefix}"), Place { prefix, table, instruction, part: None }))
    }

    /// A column of a place.
    pub(crate) fn column(&self, place: &Place, name: &str) -> Result<String, Fault> {
        Ok(format!("{}.{}", place.prefix, self.dialect().quote(name)?))
    }

    /// Calls `f` with a column and what is known of it.
    pub(crate) fn operand<T>(
        &self,
        place: &Place,
        name: &str,
        f: impl FnOnce(&Operand<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (column, mapped) = self.scene.field(place.table, place.instruction, name)?;
        let quoted = self.column(place, name)?;
        f(&Operand { dialect: self.dialect(), column, mapped: &mapped, name: quoted })
    }

    /// The condition that holds where the predicate does.
    pub(crate) fn holds(&self, place: &Place, predicate: &Predicate) -> Result<Fragment, Fault> {
        self.condition(place, predicate, true, Reading::Due { negated: false })
    }

    /// The condition that holds exactly where the predicate does not.
    pub(crate) fn fails(&self, place: &Place, predicate: &Predicate) -> Result<Fragment, Fault> {
        self.condition(place, predicate, false, Reading::Due { negated: false })
    }

    /// The condition that holds where a hold does.
    pub(crate) fn held(&self, place: &Place, hold: &Predicate) -> Result<Fragment, Fault> {
        self.condition(place, hold, true, Reading::Held { negated: false })
    }

    /// The condition that holds exactly where a hold does not.
    pub(crate) fn unheld(&self, place: &Place, hold: &Predicate) -> Result<Fragment, Fault> {
        self.condition(place, hold, false, Reading::Held { negated: false })
    }

    fn condition(
        &self,
        place: &Place,
        predicate: &Predicate,
        wanted: bool,
        reading: Reading,
    ) -> Result<Fragment, Fault> {
        match predicate {
            Predicate::Always => Ok(Fragment::raw(if wanted { "(1 = 1)" } else { "(1 = 0)" })),
            Predicate::Never => Ok(Fragment::raw(if wanted { "(1 = 0)" } else { "(1 = 1)" })),
            Predicate::All(parts) if wanted && self.dialect() == Dialect::MariaDb => {
                let parts = self.parents_once(place, parts)?;
                let conditions: Result<Vec<_>, _> =
                    parts.iter().map(|part| self.condition(place, part, true, reading)).collect();
                Ok(Fragment::all(conditions?))
            }
            Predicate::All(parts) | Predicate::Any(parts) => {
                let conditions: Result<Vec<_>, _> =
                    parts.iter().map(|part| self.condition(place, part, wanted, reading)).collect();
                if matches!(predicate, Predicate::All(_)) == wanted {
                    Ok(Fragment::all(conditions?))
                } else {
                    Ok(Fragment::any(conditions?))
                }
            }
            Predicate::Not(inner) => self.condition(place, inner, !wanted, reading.inside_not()),
            Predicate::Compare { field, comparison, value } => {
                let equality = reading.of_comparison(*comparison);
                self.compare(place, field, (*comparison, value, equality), wanted)
            }
            Predicate::OneOf { field, values } => {
                let equality = reading.of_comparison(Comparison::Equal);
                self.one_of(place, field, (values, equality), wanted)
            }
            Predicate::Absent(field) => {
                let present = self.through(place, &field.via, &|at| {
                    self.operand(at, &field.field, |operand| Ok(operand.present()))
                })?;
                Ok(if wanted { present.negate() } else { present })
            }
            Predicate::LatestAtOrBefore(fields) => {
                let latest = self.latest(place, fields)?;
                Ok(if wanted { latest } else { latest.negate() })
            }
            Predicate::Listed { fields, list } => {
                let listed = self.listed(place, fields, *list, reading.of_list())?;
                Ok(if wanted { listed } else { listed.negate() })
            }
            Predicate::Linked { link, holds } => {
                let found = self.through(place, std::slice::from_ref(link), &|parent| {
                    self.condition(parent, holds, true, reading)
                })?;
                Ok(if wanted { found } else { found.negate() })
            }
        }
    }

    fn compare(
        &self,
        place: &Place,
        field: &FieldRef,
        (comparison, value, equality): (Comparison, &Value, Equality),
        wanted: bool,
    ) -> Result<Fragment, Fault> {
        if field.via.is_empty() {
            return self.operand(place, &field.field, |operand| {
                if wanted {
                    return Ok(operand.compare(comparison, value, equality)?.within("(", ")"));
                }
                if operand.sqlite_number() {
                    return Ok(operand.compare(comparison, value, equality)?.negate());
                }
                let other = operand.compare(opposite(comparison), value, equality)?;
                Ok(Fragment::any(vec![other, operand.absent()]))
            });
        }
        let found = self.through(place, &field.via, &|at| {
            self.operand(at, &field.field, |operand| operand.compare(comparison, value, equality))
        })?;
        Ok(if wanted { found } else { found.negate() })
    }

    fn one_of(
        &self,
        place: &Place,
        field: &FieldRef,
        (values, equality): (&[Value], Equality),
        wanted: bool,
    ) -> Result<Fragment, Fault> {
        let found = self.through(place, &field.via, &|at| {
            self.operand(at, &field.field, |operand| {
                let mut equal = Vec::with_capacity(values.len());
                for value in values {
                    equal.push(operand.compare(Comparison::Equal, value, equality)?);
                }
                Ok(Fragment::any(equal))
            })
        })?;
        Ok(if wanted { found } else { found.negate() })
    }

    fn latest(&self, place: &Place, fields: &[(FieldRef, Cutoff)]) -> Result<Fragment, Fault> {
        if let [(field, cutoff)] = fields
            && (field.via.is_empty() || self.leads_to_one(place, &field.via)?)
        {
            return self.through(place, &field.via, &|at| {
                self.operand(at, &field.field, |operand| {
                    Ok(operand.at_or_before(*cutoff)?.within("(", ")"))
                })
            });
        }
        let mut none_later = Vec::new();
        let mut some = Vec::new();
        for (field, cutoff) in fields {
            some.push(self.through(place, &field.via, &|at| {
                self.operand(at, &field.field, |operand| Ok(operand.present()))
            })?);
            if field.via.is_empty() {
                none_later.push(self.operand(place, &field.field, |operand| {
                    Ok(Fragment::any(vec![operand.absent(), operand.at_or_before(*cutoff)?]))
                })?);
            } else {
                let later = self.through(place, &field.via, &|at| {
                    self.operand(at, &field.field, |operand| {
                        let early = operand.at_or_before(*cutoff)?;
                        Ok(Fragment::all(vec![operand.present(), early.negate()]))
                    })
                })?;
                none_later.push(later.negate());
            }
        }
        none_later.push(Fragment::any(some));
        Ok(Fragment::all(none_later))
    }

    fn listed(
        &self,
        place: &Place,
        fields: &[FieldRef],
        list: usize,
        equality: Equality,
    ) -> Result<Fragment, Fault> {
        let via = fields.first().map(|field| field.via.as_slice()).unwrap_or_default();
        if fields.iter().any(|field| field.via != via) {
            return Err(misconfigured(
                "the fields of one list are read through different links: read them through one",
            ));
        }
        if equality == Equality::Exact
            && let Some(settled) = self.settled(place, via, (fields, list))?
        {
            return Ok(settled);
        }
        self.through(place, via, &|at| {
            let names: Vec<String> = fields.iter().map(|field| field.field.clone()).collect();
            let number = self.list_number(at, &names, list)?;
            let alias = self.alias();
            let mut equal = Vec::new();
            for (index, name) in names.iter().enumerate() {
                let column = format!("{alias}.c{index}");
                equal.push(Fragment::raw(
                    self.operand(at, name, |operand| Ok(operand.list_equality(&column, equality)))?,
                ));
            }
            let part = at.part.as_ref().filter(|_| self.scene.has_parts(list));
            equal.extend(part.map(|part| Fragment::raw(format!("{alias}.{PART} = {part}"))));
            Ok(Fragment::all(equal).within(
                &format!(
                    "EXISTS (SELECT 1 FROM {} AS {alias} WHERE ",
                    list_name(self.dialect(), number)
                ),
                ")",
            ))
        })
    }

    /// The number of the temporary table in which a list stands for these fields.
    pub(crate) fn list_number(
        &self,
        at: &Place,
        names: &[String],
        list: usize,
    ) -> Result<usize, Fault> {
        let instruction = at.instruction.unwrap_or(usize::MAX);
        let entry = ListTable { list, instruction, fields: names.to_vec() };
        self.scene.lists.iter().position(|one| *one == entry).ok_or_else(|| {
            misconfigured("a list is read through a link that the order does not know")
        })
    }

    /// The condition at the end of a chain of links; false where a parent is missing.
    pub(crate) fn through(
        &self,
        place: &Place,
        via: &[String],
        leaf: &dyn Fn(&Place) -> Result<Fragment, Fault>,
    ) -> Result<Fragment, Fault> {
        let Some((first, rest)) = via.split_first() else { return leaf(place) };
        let instruction = place.instruction.ok_or_else(|| {
            misconfigured(format!("link `{first}` is read from a table that is not mapped"))
        })?;
        let (link, to) = self.scene.link(instruction, first)?;
        let (from, mut parent) = self.inner(self.scene.table_of(to)?, Some(to))?;
        parent.part.clone_from(&place.part);
        let mut conditions = Vec::new();
        for (own, other) in &link.fields {
            conditions.push(Fragment::raw(format!(
                "{} = {}",
                self.column(&parent, other)?,
                self.column(place, own)?
            )));
        }
        conditions.push(self.through(&parent, rest, leaf)?);
        Ok(Fragment::join(conditions, " AND ")
            .within(&format!("EXISTS (SELECT 1 FROM {from} WHERE "), ")"))
    }

    /// Every link of the chain leads to at most one parent.
    pub(crate) fn leads_to_one(&self, place: &Place, via: &[String]) -> Result<bool, Fault> {
        let mut at = place.instruction;
        for name in via {
            let Some(instruction) = at else { return Ok(false) };
            let (link, to) = self.scene.link(instruction, name)?;
            let fields: Vec<String> = link.fields.iter().map(|pair| pair.1.clone()).collect();
            if !self.scene.table(self.scene.table_of(to)?).identified_by(&fields) {
                return Ok(false);
            }
            at = Some(to);
        }
        Ok(true)
    }
}

/// The temporary table of a list.
pub(crate) fn list_name(dialect: Dialect, number: usize) -> String {
    match dialect {
        Dialect::Postgres => format!("pg_temp.quietus_list_{number}"),
        Dialect::MariaDb => format!("quietus_list_{number}"),
        Dialect::Sqlite => format!("temp.quietus_list_{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Instruction, Link, LinkKind, Order, Pace};
    use crate::sql::catalogue::{Catalogue, Column, Table};
    use crate::value::FieldType;

    fn column(name: &str, class: FieldType, cast: &str) -> Column {
        Column {
            name: name.to_owned(),
            native: cast.to_owned(),
            class,
            cast: cast.to_owned(),
            zoned: true,
            by_text: false,
            nullable: true,
            generated: false,
            counted: false,
            touched: false,
            length: None,
            collation: None,
        }
    }

    fn table(name: &str) -> Table {
        Table {
            name: name.to_owned(),
            columns: vec![
                column("id", FieldType::Integer, "bigint"),
                column("parent", FieldType::Integer, "bigint"),
                column("seen", FieldType::Timestamp, "timestamptz"),
            ],
            key: vec!["id".to_owned()],
            ..Table::default()
        }
    }

    fn instruction(name: &str) -> Instruction {
        Instruction {
            links: vec![link("up", "id"), link("aside", "parent")],
            ..Instruction::idle(name, name, ["id"])
        }
    }

    fn link(name: &str, field: &str) -> Link {
        Link {
            name: name.to_owned(),
            to: "parents".to_owned(),
            fields: vec![("parent".to_owned(), field.to_owned())],
            kind: LinkKind::Deep,
            needed: false,
            clear: Vec::new(),
        }
    }

    fn written(dialect: Dialect, predicate: &Predicate) -> String {
        let order = Order {
            key: "k".to_owned(),
            attempt: 1,
            moment: jiff::Timestamp::UNIX_EPOCH,
            instructions: vec![instruction("children"), instruction("parents")],
            lists: Vec::new(),
            pace: Pace::default(),
            most_records: None,
            persons: None,
        };
        let catalogue =
            Catalogue { tables: vec![table("children"), table("parents")], ..Catalogue::default() };
        let scene = Scene::new(dialect, &order, catalogue);
        let compiler = Compiler::new(&scene);
        let (_, place) = compiler.main(0, Some(0)).unwrap();
        compiler.holds(&place, predicate).unwrap().finish(dialect)
    }

    fn one() -> Predicate {
        Predicate::Compare {
            field: FieldRef::own("id"),
            comparison: Comparison::Equal,
            value: Value::Integer(1),
        }
    }

    #[test]
    fn positive_leaves_stay_bare_and_negative_ones_name_the_null() {
        assert_eq!(written(Dialect::Postgres, &one()), "(quietus_0.\"id\" = CAST($1 AS bigint))");
        assert_eq!(
            written(Dialect::Postgres, &one().negate()),
            "(quietus_0.\"id\" <> CAST($1 AS bigint) OR quietus_0.\"id\" IS NULL)"
        );
        assert_eq!(
            written(Dialect::Sqlite, &one()),
            "((quietus_0.\"id\" = ? AND typeof(quietus_0.\"id\") IN ('integer', 'real')))"
        );
        let seen = Predicate::Absent(FieldRef::own("seen"));
        assert_eq!(
            written(Dialect::MariaDb, &Predicate::Not(Box::new(Predicate::All(vec![one(), seen])))),
            "((`children`.`id` <> ? OR `children`.`id` IS NULL) OR (`children`.`seen` IS NOT NULL \
             AND DAYOFMONTH(`children`.`seen`) > 0 AND MONTH(`children`.`seen`) > 0))"
        );
    }

    #[test]
    fn one_starting_point_is_one_comparison() {
        let cutoff = Cutoff::Moment(jiff::Timestamp::UNIX_EPOCH);
        let own = Predicate::LatestAtOrBefore(vec![(FieldRef::own("seen"), cutoff)]);
        assert_eq!(
            written(Dialect::Postgres, &own),
            "((quietus_0.\"seen\" <= $1 AND quietus_0.\"seen\" <> '-infinity'))"
        );
        let through = FieldRef { via: vec!["up".to_owned()], field: "seen".to_owned() };
        let through = Predicate::LatestAtOrBefore(vec![(through, cutoff)]);
        assert_eq!(
            written(Dialect::Postgres, &through),
            "EXISTS (SELECT 1 FROM \"parents\" AS quietus_1 WHERE quietus_1.\"id\" = quietus_0.\"parent\" \
             AND ((quietus_1.\"seen\" <= $1 AND quietus_1.\"seen\" <> '-infinity')))"
        );
    }

    #[test]
    fn the_one_parent_is_read_once_and_several_are_read_for_each_condition() {
        let read = |dialect, link: &str| {
            let seen = Predicate::Absent(FieldRef::own("seen"));
            let linked = |holds: Predicate| Predicate::Linked {
                link: link.to_owned(),
                holds: Box::new(holds),
            };
            let all = Predicate::All(vec![linked(one()), one(), linked(seen)]);
            written(dialect, &all).matches("EXISTS").count()
        };
        assert_eq!(read(Dialect::MariaDb, "up"), 1);
        assert_eq!(read(Dialect::MariaDb, "aside"), 2);
        assert_eq!(read(Dialect::Postgres, "up"), 2);
    }
}
