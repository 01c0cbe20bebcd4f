//! From the keys of parents to their children, in MariaDB.
//!
//! What a list leads to is often the children of records to which the same list leads. MariaDB would
//! find the parents anew for each of their collections, so the keys of the parents, once gathered,
//! lead on. Where nothing follows further and the children fit into one window, their own keys are
//! only counted: statements then find them through those of their parents.

use crate::order::Link;
use crate::receipt::Fault;
use crate::sql::candidates::{Before, Candidates, Purpose};
use crate::sql::catalogue::Column;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::keys::Keys;
use crate::sql::memberships::{Membership, memberships};
use crate::sql::scene::Scene;
use crate::sql::standing::{reading, standing};
use crate::value::FieldType;

/// The gathered keys of parents, and the link of the children that leads to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    /// Table and instruction of the parents.
    pub(crate) keys: (usize, usize),
    /// The children's instruction.
    child: usize,
    /// Position among the links of that instruction.
    link: usize,
}

impl Parent {
    fn link<'o>(self, scene: &Scene<'o>) -> &'o Link {
        &scene.instruction(self.child).links[self.link]
    }

    /// The name of the link.
    pub(crate) fn name<'o>(self, scene: &Scene<'o>) -> &'o str {
        &self.link(scene).name
    }

    /// The conditions under which a child at `place` belongs to the parent's key at `keys`.
    pub(crate) fn leads_to(
        self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
        keys: &Place,
    ) -> Result<Vec<Fragment>, Fault> {
        let mut equal = Vec::new();
        for (own, other) in &self.link(compiler.scene).fields {
            let (own, other) = (compiler.column(place, own)?, compiler.column(keys, other)?);
            equal.push(Fragment::raw(format!("{own} = {other}")));
        }
        Ok(equal)
    }
}

impl Candidates {
    /// The parents whose keys lead to these records and to no others: what was gathered of them is
    /// exactly what the same list leads to.
    pub(crate) fn parent(
        self,
        scene: &Scene<'_>,
        found: &[Membership<'_>],
        before: Option<Before<'_>>,
    ) -> Option<Parent> {
        let ([membership], Dialect::MariaDb, None) = (found, scene.dialect, &scene.parts) else {
            return None;
        };
        let (gathered, _) = before?;
        let (_, child) = self.of();
        let (first, rest) = membership.fields.first()?.via.split_first()?;
        let (link, to) = scene.link(child, first).ok()?;
        let keys = (scene.table_position(to)?, to);
        let parent = gathered.get(&keys).copied().flatten()?;
        let same = |theirs: &Membership<'_>| {
            let pairs = theirs.fields.iter().zip(membership.fields);
            theirs.list == membership.list
                && theirs.fields.len() == membership.fields.len()
                && pairs.into_iter().all(|(one, own)| one.via == rest && one.field == own.field)
        };
        let theirs = memberships(scene, to, Purpose::Act)?;
        let exactly = matches!(theirs.as_slice(), [one] if same(one));
        let written = parent.stand_behind().is_none();
        if !exactly || !written || !is_named_by(scene, keys, (self.of().0, link)) {
            return None;
        }
        let link = scene.instruction(child).links.iter().position(|one| one.name == *first)?;
        Some(Parent { keys, child, link })
    }

    /// Counts them behind the keys of their parents, outside of a transaction; `None` where they
    /// have to be gathered: others follow from them, or they are too many for one window.
    pub(crate) async fn behind(
        self,
        session: &mut Session,
        scene: &Scene<'_>,
        (parent, before): (Option<Parent>, Option<Before<'_>>),
    ) -> Result<Option<Self>, Fault> {
        let (Some(parent), Some((_, window))) = (parent, before) else { return Ok(None) };
        let mut links = scene.order.instructions.iter().flat_map(|one| &one.links);
        let followed = links.any(|link| scene.instruction_of(&link.to) == Some(parent.child));
        if followed || !scene.unindexed.is_empty() {
            return Ok(None);
        }
        let mut found = self.placed_behind(parent);
        let statement = {
            let compiler = Compiler::new(scene);
            let stand = standing(&compiler, self.of(), Some(found))?;
            reading(&compiler, &stand, vec![Fragment::raw("COUNT(*)")], Some(found))?
        };
        found.records = session.count(&statement).await?;
        Ok((found.records <= window).then_some(found))
    }

    /// What gathers them from the keys of their parents. Each comes once, because each has one
    /// parent.
    pub(crate) fn following(self, scene: &Scene<'_>, parent: Parent) -> Result<Fragment, Fault> {
        let compiler = Compiler::new(scene);
        let (table, instruction) = self.of();
        let (from, place) = compiler.inner(table, Some(instruction))?;
        let keys = Keys::of(&compiler, &place, instruction).names(&compiler, &place)?;
        let behind = self.placed_behind(parent);
        let conditions = parent.leads_to(&compiler, &place, &behind.place())?;
        Ok(Fragment::join(conditions, " AND ").within(
            &format!(
                "INSERT INTO {} SELECT {} FROM {} AS {} STRAIGHT_JOIN {from} WHERE ",
                self.name(scene.dialect),
                keys.join(", "),
                behind.name(scene.dialect),
                behind.place().prefix
            ),
            "",
        ))
    }
}

/// The link leads to these keys and nothing else, each child has one of them, and an index finds
/// the children.
fn is_named_by(
    scene: &Scene<'_>,
    (table, instruction): (usize, usize),
    (child, link): (usize, &Link),
) -> bool {
    let Keys::Fields(keys) = Keys::of_table(scene, table, instruction) else { return false };
    let (own, table) = (scene.table(child), scene.table(table));
    let plain = |column: &Column| {
        matches!(column.class, FieldType::Integer | FieldType::Uuid) && column.collation.is_none()
    };
    let fields: Vec<String> = link.fields.iter().map(|pair| pair.0.clone()).collect();
    link.leads_to(&keys)
        && own.indexed(&fields)
        && link.fields.iter().all(|(here, there)| {
            let columns = own.column(here).zip(table.column(there));
            columns.is_some_and(|(here, there)| {
                plain(here) && plain(there) && here.class == there.class
            })
        })
}
