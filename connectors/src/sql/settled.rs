//! Which records are on a list, settled for the length of one transaction.
//!
//! Where a small order is carried out in one transaction (`together`), the records that a list
//! names are looked at once at its beginning and locked, so that nobody takes one off the list
//! until it ends. Every later condition of the transaction then asks the keys that were gathered,
//! and not the records and the list once more for each child. Only MariaDB is told so: MySQL cannot
//! ask them twice in one statement, and the others join such conditions by themselves.

use crate::order::{Link, LinkKind, Restriction};
use crate::predicate::{FieldRef, Predicate};
use crate::receipt::Fault;
use crate::sql::candidates::{Candidates, Purpose};
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::keys::Keys;
use crate::sql::memberships::memberships;
use crate::sql::scene::Scene;
use crate::sql::standing::{reading, standing};
use crate::sql::windows::Run;

/// These keys are exactly those of the records that are on the list, and stay so.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    instruction: usize,
    fields: Vec<String>,
    list: usize,
    keys: Vec<String>,
    candidates: Candidates,
    /// Children that statements find through the keys alone, by instruction and link.
    behind: Vec<(usize, String)>,
}

impl Link {
    /// The link leads to exactly these fields of the parent.
    pub(crate) fn leads_to(&self, fields: &[String]) -> bool {
        self.fields.len() == fields.len()
            && fields.iter().all(|field| self.fields.iter().any(|pair| pair.1 == *field))
    }
}

impl Settled {
    /// What could be settled: everything that happens to the collection presupposes one list that
    /// its own fields are compared with, and nothing that the order does changes the answer for a
    /// record before the last one that asks for it.
    fn of(scene: &Scene<'_>, candidates: Candidates) -> Option<Self> {
        let (table, instruction) = candidates.of();
        let found = memberships(scene, instruction, Purpose::Act)?;
        let [membership] = found.as_slice() else { return None };
        let Keys::Fields(keys) = Keys::of_table(scene, table, instruction) else { return None };
        let fields: Vec<String> = membership.fields.iter().map(|one| one.field.clone()).collect();
        let own = membership.fields.iter().all(|field| field.via.is_empty());
        let treated = scene.instruction(instruction).treatments.iter().any(|treatment| {
            treatment.fields.iter().any(|treated| fields.contains(&treated.field))
        });
        let one = scene.instruction(instruction);
        let flagged = matches!(&one.restriction, Some(Restriction::Flag { field })
            if fields.contains(field));
        // An association is emptied when its parent goes.
        let emptied =
            one.links.iter().filter(|link| link.kind != LinkKind::Deep).any(|link| {
                link.fields.iter().map(|pair| &pair.0).any(|field| fields.contains(field))
            });
        // A parent goes only after the last record by a deep link to it.
        let deep = scene.order.instructions.iter().all(|child| {
            let mut here =
                child.links.iter().filter(|one| scene.instruction_of(&one.to) == Some(instruction));
            here.all(|link| link.kind == LinkKind::Deep)
        });
        let changed = treated || flagged || emptied;
        (own && !changed && deep).then_some(Self {
            instruction,
            fields,
            list: membership.list,
            keys,
            candidates,
            behind: Vec::new(),
        })
    }

    /// How many of the keys are those of records on the list; locks the records.
    fn look(&self, scene: &Scene<'_>) -> Result<Fragment, Fault> {
        let compiler = Compiler::new(scene);
        let stand = standing(&compiler, self.candidates.of(), Some(self.candidates))?;
        let listed = Predicate::Listed {
            fields: self.fields.iter().map(FieldRef::own).collect(),
            list: self.list,
        };
        let count = vec![Fragment::raw("COUNT(*)")];
        Ok(reading(&compiler, &stand, count, Some(self.candidates))?
            .then(" AND ")
            .and(compiler.holds(&stand.1, &listed)?)
            // Not shared: what is changed or deleted next would wait for whoever else shares it, who
            // waits for us.
            .then(" FOR UPDATE"))
    }

    /// The pairs of an own column and one of the keys are equal for one of the keys.
    fn among(
        &self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
        pairs: &[(String, String)],
    ) -> Result<Fragment, Fault> {
        let alias = compiler.alias();
        let mut equal = Vec::new();
        for (own, key) in pairs {
            let key = compiler.dialect().quote(key)?;
            equal.push(format!("{alias}.{key} = {}", compiler.column(place, own)?));
        }
        Ok(Fragment::raw(format!(
            "EXISTS (SELECT 1 FROM {} AS {alias} WHERE {})",
            self.candidates.name(compiler.dialect()),
            equal.join(" AND ")
        )))
    }
}

impl Compiler<'_, '_> {
    /// The condition that the record at `place` is on the list, where that is settled; `None` where
    /// the list has to be asked.
    pub(crate) fn settled(
        &self,
        place: &Place,
        via: &[String],
        (fields, list): (&[FieldRef], usize),
    ) -> Result<Option<Fragment>, Fault> {
        let Some(mut at) = place.instruction else { return Ok(None) };
        if self.scene.settled.is_empty() {
            return Ok(None);
        }
        for name in via {
            at = self.scene.link(at, name)?.1;
        }
        let same = |one: &&Settled| {
            one.instruction == at
                && one.list == list
                && one.fields.iter().eq(fields.iter().map(|field| &field.field))
        };
        let Some(one) = self.scene.settled.iter().find(same) else { return Ok(None) };
        let itself: Vec<(String, String)> =
            one.keys.iter().map(|key| (key.clone(), key.clone())).collect();
        // The table that the statement is about stands behind keys that were gathered, and these may
        // be the very ones.
        let main = place.prefix == self.scene.table(place.table).quoted(self.dialect())?;
        let stands_behind = |(child, link): &(usize, String)| {
            place.instruction == Some(*child) && via == std::slice::from_ref(link)
        };
        if main && (via.is_empty() || one.behind.iter().any(stands_behind)) {
            return Ok(Some(Fragment::raw("(1 = 1)")));
        }
        let Some((nearest, before)) = via.split_last() else {
            return one.among(self, place, &itself).map(Some);
        };
        let condition = self.through(place, before, &|child| {
            let (link, _) = self.scene.link(child.instruction.unwrap_or(usize::MAX), nearest)?;
            if link.leads_to(&one.keys) {
                // The key is that of a locked record, so the parent need not be read.
                return one.among(self, child, &link.fields);
            }
            self.through(child, std::slice::from_ref(nearest), &|parent| {
                one.among(self, parent, &itself)
            })
        })?;
        Ok(Some(condition))
    }
}

impl Run<'_> {
    /// Begins the transaction that the steps share, and settles in it what can be. Where a record
    /// has changed since its key was gathered, every condition is asked as ever.
    pub(crate) async fn settle(&mut self) -> Result<(), Fault> {
        // Of several orders as one, whose each record is has to be asked.
        let alone = self.scene.parts.is_none();
        // MySQL cannot name a temporary table twice in one statement (error 1137), as conditions of
        // children and parents would.
        let cannot = self.scene.catalogue.product.starts_with("MySQL");
        if self.scene.dialect != Dialect::MariaDb || cannot || !alone || !self.together.shared() {
            return Ok(());
        }
        let gathered: Vec<Candidates> = self.gathered.values().copied().flatten().collect();
        let possible: Vec<Settled> =
            gathered.iter().filter_map(|one| Settled::of(&self.scene, *one)).collect();
        for mut one in possible.into_iter().filter(|one| one.candidates.records > 0) {
            self.begin().await?;
            let children = gathered.iter().filter_map(|child| {
                let parent = child.stand_behind()?;
                (parent.keys == one.candidates.of())
                    .then(|| (child.of().1, parent.name(&self.scene).to_owned()))
            });
            one.behind = children.collect();
            let look = one.look(&self.scene)?;
            if self.session.count(&look).await? == one.candidates.records {
                self.scene.settled.push(one);
            }
        }
        Ok(())
    }
}
