//! Records that refer to each other in a circle and are all due.
//!
//! Their keys are gathered in temporary tables and struck out until every referrer of what is
//! left is among it. That set goes in one transaction, with the tables locked against new
//! referrers: in one statement where the system checks at its end, else with the references among
//! the set emptied first where they may be empty.

use std::time::Instant;

use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};
use crate::sql::delete::due;
use crate::sql::dialect::Dialect;
use crate::sql::dissociation::{Dissociation, Emptying};
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys::{GatheredKeys, Share, index_parts};
use crate::sql::keys::Keys;
use crate::sql::order_of_deletion::{Group, components};
use crate::sql::scene::Blocker;
use crate::sql::standing::standing;
use crate::sql::windows::{Flow, Run};

impl Run<'_> {
    /// Deletes what only records that are due themselves refer to.
    pub(crate) async fn delete_circles(&mut self, group: &Group) -> Result<Flow, Fault> {
        let began = Instant::now();
        let mut none = true;
        for &member in &group.members {
            let found = self.candidates(self.scene.table_of(member)?, member).await?;
            none &= found.is_some_and(|one| one.records == 0);
        }
        if none {
            return Ok(Flow::Finished);
        }
        self.drop_sets(group).await?;
        for &member in &group.members {
            let table = self.scene.table_of(member)?;
            for blocker in self.scene.blockers(table) {
                if let Some(keys) = GatheredKeys::of(&self.scene, table, &blocker, Share::Staying) {
                    keys.define(&mut self.session, &self.scene).await?;
                }
            }
        }
        self.define_going(group).await?;
        self.begin().await?;
        for statement in self.set_statements(group)? {
            self.session.execute(&statement).await?;
        }
        loop {
            let mut struck = 0;
            for strike in self.strikes(group)? {
                struck += self.strike(strike).await?;
            }
            if struck == 0 {
                break;
            }
        }
        let mut counts = Vec::new();
        for &member in &group.members {
            let count = Fragment::raw(format!("SELECT COUNT(*) FROM {}", set_name(member)));
            counts.push(self.session.count(&count).await?);
        }
        let total: u64 = counts.iter().sum();
        let statements = self.removal_statements(group)?;
        let (true, Some(statements)) = (total > 0, statements) else {
            self.roll_back().await?;
            self.drop_sets(group).await?;
            return Ok(Flow::Finished);
        };
        if self.scene.dialect == Dialect::Sqlite {
            self.session.command("PRAGMA defer_foreign_keys = ON").await?;
        }
        let mut emptied = Vec::new();
        for (going, emptyings) in self.emptyings(group)? {
            emptied.extend(self.empty(&going, &emptyings).await?);
        }
        let emptied_records: u64 = emptied.iter().map(|one| one.2).sum();
        if let Some(reason) = self.too_many(total + emptied_records) {
            self.roll_back().await?;
            return Ok(Flow::Refused(reason));
        }
        self.list_sets(group).await?;
        for statement in statements {
            self.session.execute(&statement).await?;
        }
        for (&member, count) in group.members.iter().zip(counts) {
            self.entry(member).deleted += count;
        }
        self.note_emptied(emptied);
        self.commit().await?;
        self.drop_sets(group).await?;
        self.report(group.members[0], total, began.elapsed()).await
    }

    /// Lists what goes, where somebody wants to know of each record that it was there.
    async fn list_sets(&mut self, group: &Group) -> Result<(), Fault> {
        for &member in &group.members {
            if self.scene.instruction(member).manifest {
                self.list_set(member).await?;
            }
        }
        Ok(())
    }

    async fn define_going(&mut self, group: &Group) -> Result<(), Fault> {
        for &member in &group.members {
            if let Some(one) = Dissociation::of(&self.scene, self.scene.table_of(member)?) {
                one.define(&mut self.session, &self.scene).await?;
            }
        }
        Ok(())
    }

    async fn drop_sets(&mut self, group: &Group) -> Result<(), Fault> {
        for &member in &group.members {
            let name = set_name(member);
            let text = match self.scene.dialect {
                Dialect::Postgres => format!("DROP TABLE IF EXISTS pg_temp.{name}"),
                Dialect::MariaDb => format!("DROP TEMPORARY TABLE IF EXISTS {name}"),
                Dialect::Sqlite => format!("DROP TABLE IF EXISTS temp.{name}"),
            };
            self.session.command(&text).await?;
        }
        Ok(())
    }

    /// Locks the tables and fills the sets with everything that is due.
    fn set_statements(&self, group: &Group) -> Result<Vec<Fragment>, Fault> {
        let mut statements = Vec::new();
        if self.scene.dialect == Dialect::Postgres {
            let mut tables = Vec::new();
            for &member in &group.members {
                let table = self.scene.table_of(member)?;
                tables.push(table);
                let cascading = self.scene.blockers(table).into_iter().filter(|one| one.cascade);
                tables.extend(cascading.map(|one| one.table));
            }
            tables.sort_unstable();
            tables.dedup();
            let names: Result<Vec<String>, Fault> = tables
                .iter()
                .map(|&one| self.scene.table(one).quoted(self.scene.dialect))
                .collect();
            statements.push(Fragment::raw(format!(
                "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
                names?.join(", ")
            )));
        }
        for &member in &group.members {
            let compiler = Compiler::new(&self.scene);
            let (from, place) = compiler.main(self.scene.table_of(member)?, Some(member))?;
            let keys = Keys::of(&compiler, &place, member).names(&compiler, &place)?;
            let named: Vec<String> =
                keys.iter().enumerate().map(|(index, key)| format!("{key} AS c{index}")).collect();
            let name = set_name(member);
            let index = match (self.scene.dialect, Keys::of(&compiler, &place, member)) {
                (Dialect::MariaDb, Keys::Fields(fields)) => format!(
                    " (INDEX ({}))",
                    index_parts(self.scene.table(place.table), &fields, "c")
                ),
                _ => String::new(),
            };
            let on_commit =
                if self.scene.dialect == Dialect::Postgres { " ON COMMIT DROP" } else { "" };
            statements.push(Fragment::raw(format!(
                "CREATE TEMPORARY TABLE {name}{index}{on_commit} AS SELECT {} FROM {from} WHERE 1 = 0",
                named.join(", ")
            )));
            let columns: Vec<String> = (0..keys.len()).map(|index| format!("c{index}")).collect();
            let columns = columns.join(", ");
            match self.scene.dialect {
                Dialect::Postgres => statements
                    .push(Fragment::raw(format!("CREATE INDEX ON pg_temp.{name} ({columns})"))),
                Dialect::Sqlite => statements.push(Fragment::raw(format!(
                    "CREATE INDEX temp.{name}_index ON {name} ({columns})"
                ))),
                // The index is part of the definition, because another statement would commit.
                Dialect::MariaDb => {}
            }
            let candidates = self.gathered.get(&(place.table, member)).copied().flatten();
            let (standing, place) = standing(&compiler, (place.table, member), candidates)?;
            let mut conditions = due(&compiler, &place, member)?;
            if let Some(candidates) = candidates {
                conditions.extend(candidates.bounds(&compiler, &place, Vec::new())?);
            }
            let head = format!(
                "INSERT INTO {name} SELECT {} FROM {} WHERE ",
                keys.join(", "),
                standing.from
            );
            statements.push(Fragment::raw(head).and(Fragment::all(conditions)));
        }
        Ok(statements)
    }

    /// What strikes out records that a record outside the sets refers to.
    fn strikes(&self, group: &Group) -> Result<Vec<Strike>, Fault> {
        let mut strikes = Vec::new();
        for &member in &group.members {
            let table = self.scene.table_of(member)?;
            for blocker in self.scene.blockers(table) {
                let compiler = Compiler::new(&self.scene);
                let (from, parent) = compiler.inner(table, Some(member))?;
                let inside = blocker.instruction.filter(|one| group.members.contains(one));
                let outside = |compiler: &Compiler<'_, '_>, child: &Place| match inside {
                    None => Ok(None),
                    Some(child_member) => {
                        Ok(Some(in_set(compiler, child, child_member)?.within("NOT ", "")))
                    }
                };
                let keys = GatheredKeys::of(&self.scene, table, &blocker, Share::Staying);
                let (referred, query) = match keys {
                    None => {
                        let more = |child: &Place| outside(&compiler, child);
                        (compiler.referred_where(&parent, &blocker, &more)?, None)
                    }
                    Some(keys) => {
                        let (children, child) =
                            compiler.inner(blocker.table, blocker.instruction)?;
                        let more = outside(&compiler, &child)?;
                        let query = keys.filling(&compiler, &children, &child, more)?;
                        (keys.hold(&compiler, &parent)?, Some(query))
                    }
                };
                let set = set_name(member);
                let mut conditions = key_equals(&compiler, &parent, member, &set)?;
                conditions.push(referred);
                let deletion = Fragment::all(conditions).within(
                    &format!("DELETE FROM {set} WHERE EXISTS (SELECT 1 FROM {from} WHERE "),
                    ")",
                );
                strikes.push(Strike { table, blocker, query, deletion });
            }
        }
        Ok(strikes)
    }

    async fn strike(&mut self, strike: Strike) -> Result<u64, Fault> {
        if let Some(query) = strike.query
            && let Some(keys) =
                GatheredKeys::of(&self.scene, strike.table, &strike.blocker, Share::Staying)
        {
            keys.refill(&mut self.session, query).await?;
        }
        self.session.execute(&strike.deletion).await
    }

    /// What empties associations with the sets, for each member.
    fn emptyings(&self, group: &Group) -> Result<Vec<OfMember>, Fault> {
        let mut all = Vec::new();
        for &member in &group.members {
            let table = self.scene.table_of(member)?;
            let Some(dissociation) = Dissociation::of(&self.scene, table) else { continue };
            let compiler = Compiler::new(&self.scene);
            let (standing, place) = standing(&compiler, (table, member), None)?;
            let inside = in_set(&compiler, &place, member)?;
            let going = dissociation.filling(&compiler, &standing, &place, inside)?;
            let goes_too = |compiler: &Compiler<'_, '_>, child: &Place, one: usize| {
                let member = group.members.contains(&one);
                member.then(|| in_set(compiler, child, one)).transpose()
            };
            all.push((going, dissociation.emptyings(&self.scene, &goes_too)?));
        }
        Ok(all)
    }

    /// What removes the sets, or `None` where the system cannot do it.
    fn removal_statements(&self, group: &Group) -> Result<Option<Vec<Fragment>>, Fault> {
        let edges = self.inner_edges(group)?;
        let at_once = edges.iter().any(|(_, edge)| edge.immediate);
        let mut deletions = Vec::new();
        for &member in &group.members {
            let compiler = Compiler::new(&self.scene);
            let (from, place) = compiler.main(self.scene.table_of(member)?, Some(member))?;
            deletions.push(
                in_set(&compiler, &place, member)?
                    .within(&format!("DELETE FROM {from} WHERE "), ""),
            );
        }
        match self.scene.dialect {
            Dialect::Postgres if !at_once => {
                let parts = deletions.into_iter().enumerate().map(|(index, deletion)| {
                    deletion.within(&format!("quietus_gone_{index} AS ("), ")")
                });
                let whole = Fragment::join(parts.collect(), ", ").within("WITH ", " SELECT 1");
                Ok(Some(vec![whole]))
            }
            Dialect::Sqlite if !at_once => Ok(Some(deletions)),
            _ => self.emptied_first(group, &edges, &deletions),
        }
    }

    fn emptied_first(
        &self,
        group: &Group,
        edges: &[(usize, Blocker)],
        deletions: &[Fragment],
    ) -> Result<Option<Vec<Fragment>>, Fault> {
        let mut statements = Vec::new();
        let mut firm: Vec<Vec<usize>> = vec![Vec::new(); group.members.len()];
        for (parent, edge) in edges {
            let Some(child) = edge.instruction else { continue };
            let Some(child_index) = group.members.iter().position(|&one| one == child) else {
                continue;
            };
            let table = self.scene.table(edge.table);
            let emptied: Vec<&String> = edge
                .fields
                .iter()
                .filter(|name| table.column(name).is_some_and(|one| one.nullable && !one.generated))
                .filter(|name| !table.key.contains(name))
                .collect();
            if emptied.is_empty() {
                // Only a foreign key cares for the order.
                if edge.refuses || edge.cascade || edge.immediate {
                    firm[*parent].push(child_index);
                }
                continue;
            }
            let compiler = Compiler::new(&self.scene);
            let (from, place) = compiler.main(edge.table, Some(child))?;
            let mut assignments = Vec::new();
            for name in emptied {
                assignments.push(format!("{} = NULL", self.scene.dialect.quote(name)?));
            }
            statements.push(
                in_set(&compiler, &place, child)?
                    .within(&format!("UPDATE {from} SET {} WHERE ", assignments.join(", ")), ""),
            );
        }
        let circular = |part: &Vec<usize>| part.len() > 1 || firm[part[0]].contains(&part[0]);
        let parts = components(&firm);
        if parts.iter().any(circular) {
            return Ok(None);
        }
        statements.extend(parts.iter().map(|part| deletions[part[0]].clone()));
        Ok(Some(statements))
    }

    /// References between members, with the index of the parent in the group.
    fn inner_edges(&self, group: &Group) -> Result<Vec<(usize, Blocker)>, Fault> {
        let mut edges = Vec::new();
        for (index, &member) in group.members.iter().enumerate() {
            for blocker in self.scene.blockers(self.scene.table_of(member)?) {
                let inside = blocker.instruction.is_some_and(|one| group.members.contains(&one));
                if inside && !blocker.only_held() {
                    edges.push((index, blocker));
                }
            }
        }
        Ok(edges)
    }
}

/// What names the parents of one member that go, and what empties associations with them.
type OfMember = (Vec<Fragment>, Vec<Emptying>);

/// One look at what refers to a set.
struct Strike {
    table: usize,
    blocker: Blocker,
    /// What gathers the keys of children outside the sets, where no index serves.
    query: Option<Fragment>,
    deletion: Fragment,
}

fn set_name(member: usize) -> String {
    format!("quietus_circle_{member}")
}

fn key_equals(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    member: usize,
    set: &str,
) -> Result<Vec<Fragment>, Fault> {
    let keys = Keys::of(compiler, place, member).names(compiler, place)?;
    let equals = keys
        .iter()
        .enumerate()
        .map(|(index, key)| Fragment::raw(format!("{key} = {set}.c{index}")));
    Ok(equals.collect())
}

/// The record at `place` is in the set of its collection.
pub(crate) fn in_set(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    member: usize,
) -> Result<Fragment, Fault> {
    let set = format!(
        "quietus_set_{}",
        place.prefix.trim_matches(|mark| mark == '`').replace(['`', '.'], "_")
    );
    let equals = key_equals(compiler, place, member, &set)?;
    Ok(Fragment::all(equals)
        .within(&format!("EXISTS (SELECT 1 FROM {} AS {set} WHERE ", set_name(member)), ")"))
}
