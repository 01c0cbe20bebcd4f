//! Associations by shallow and shared links: whose parent goes and whose record stays.
//!
//! The fields of such a link are emptied together with the parent's deletion. A shared record that
//! stays keeps the last of its parents, so that it never belongs to nobody.

use crate::order::{Link, LinkKind, Order, Strategy};
use crate::predicate::{Comparison, Predicate};
use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};
use crate::sql::delete::due;
use crate::sql::fragment::Fragment;
use crate::sql::memberships::fields_of;
use crate::sql::scene::{Blocker, Keeping, Scene, conditions};
use crate::sql::strategy;
use crate::sql::text_equality::Equality;
use crate::value::Value;

/// A shallow or shared link that does not keep its parents whatever becomes of the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Association<'o> {
    /// Table of the records that link.
    pub(crate) child: usize,
    /// Their instruction.
    pub(crate) instruction: usize,
    pub(crate) link: &'o Link,
    /// Table of the parents.
    pub(crate) parent: usize,
    /// The link leads to one parent, so that its fields are the association and can be emptied.
    pub(crate) leads_to_one: bool,
}

/// A field that is emptied, and what takes its place.
type Emptied<'o> = (&'o str, &'o Strategy);

impl Association<'_> {
    /// Which of the records keep their parents.
    pub(crate) fn keeping(&self) -> Keeping {
        match self.link.kind {
            LinkKind::Shared => Keeping::LastParent,
            LinkKind::Deep | LinkKind::Shallow => Keeping::Held,
        }
    }

    /// The fields here, and those of the parent in the same order.
    pub(crate) fn fields(&self) -> (Vec<String>, Vec<String>) {
        self.link.fields.iter().cloned().unzip()
    }

    /// The system itself lets no record refer to a parent that is not there.
    pub(crate) fn guarded(&self, scene: &Scene<'_>) -> bool {
        scene.dialect.guards_references()
            && scene.catalogue.references.iter().any(|one| {
                one.child == self.child
                    && one.parent == self.parent
                    && one.fields.len() == self.link.fields.len()
                    && one.fields.iter().zip(&one.to_fields).all(|(own, other)| {
                        self.link.fields.iter().any(|pair| pair.0 == *own && pair.1 == *other)
                    })
            })
    }
}

impl<'o> Association<'o> {
    /// The fields that are emptied. One is enough where some may not be empty.
    ///
    /// # Errors
    /// Why none can be.
    pub(crate) fn emptied(&self, scene: &Scene<'o>) -> Result<Vec<Emptied<'o>>, String> {
        let instruction = scene.instruction(self.instruction);
        let table = scene.table(self.child);
        let mut emptied = Vec::new();
        let mut obstacle = None;
        for (own, _) in &self.link.fields {
            let Some(column) = table.column(own).filter(|_| !is_key(scene, self, own)) else {
                continue;
            };
            let clear = self.link.clear.iter().find(|one| one.field == *own);
            let strategy = clear.map_or(&Strategy::Null, |one| &one.strategy);
            let becomes_null = matches!(strategy, Strategy::Null | Strategy::Constant(Value::Null));
            let other = instruction.links.iter().find(|link| {
                link.name != self.link.name && link.fields.iter().any(|pair| pair.0 == *own)
            });
            let why = if column.generated {
                "is computed by the system: give the link a field of its own".to_owned()
            } else if let Some(other) = other {
                format!("is part of link `{}` too: give each a field of its own", other.name)
            } else if becomes_null && !column.nullable {
                "may not be null: declare `clear: {constant: …}` for it, or let it be null"
                    .to_owned()
            } else {
                emptied.push((own.as_str(), strategy));
                continue;
            };
            obstacle.get_or_insert(format!(
                "`{}.{own}` cannot be emptied when what link `{}` leads to goes, because it {why}",
                instruction.collection, self.link.name
            ));
        }
        match obstacle {
            Some(obstacle) if emptied.is_empty() => Err(obstacle),
            _ => Ok(emptied),
        }
    }
}

fn is_key(scene: &Scene<'_>, association: &Association<'_>, field: &str) -> bool {
    let mapped = &scene.instruction(association.instruction).key;
    let own = &scene.table(association.child).key;
    mapped.iter().chain(own).any(|name| name == field)
}

/// The link as an association, unless its fields cannot be told from the record itself.
pub(crate) fn of_link<'o>(
    scene: &Scene<'o>,
    instruction: usize,
    link: &'o Link,
) -> Option<Association<'o>> {
    let child = scene.table_position(instruction)?;
    let parent = scene.table_position(scene.instruction_of(&link.to)?)?;
    let to: Vec<String> = link.fields.iter().map(|pair| pair.1.clone()).collect();
    let leads_to_one = scene.table(parent).identified_by(&to);
    let found = Association { child, instruction, link, parent, leads_to_one };
    let own = || link.fields.iter().any(|pair| !is_key(scene, &found, &pair.0));
    let separable = match link.kind {
        LinkKind::Deep => false,
        LinkKind::Shallow => leads_to_one && own(),
        // Where it leads to several, each of them is an association of its own.
        LinkKind::Shared => !leads_to_one || own(),
    };
    separable.then_some(found)
}

/// Links of which a field is read where the record itself is judged: were it emptied, nobody could
/// tell any more what is due here.
pub(crate) fn read_here(order: &Order) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (position, one) in order.instructions.iter().enumerate() {
        let mut fields = Vec::new();
        for predicate in conditions(one) {
            fields_of(predicate, &mut fields);
        }
        let own = |name: &String| fields.iter().any(|it| it.via.is_empty() && it.field == *name);
        let read = one.links.iter().filter(|link| link.kind != LinkKind::Deep);
        let read = read.filter(|link| link.fields.iter().any(|pair| own(&pair.0)));
        found.extend(read.map(|link| (position, link.name.clone())));
    }
    found
}

/// What a list holds somewhere else by way of this record holds the record too.
pub(crate) fn holds_too(
    held: &Predicate,
    via: &[String],
    listed: Option<(&String, usize)>,
) -> bool {
    match (held, listed) {
        (Predicate::Always, _) => true,
        (Predicate::Any(parts), _) => parts.iter().any(|part| holds_too(part, via, listed)),
        (Predicate::Listed { fields, list }, Some((name, wanted))) => match fields.as_slice() {
            [field] => field.via == via && field.field == *name && *list == wanted,
            _ => false,
        },
        _ => false,
    }
}

/// Every association that leads to a table.
pub(crate) fn leading_to<'o>(scene: &Scene<'o>, parent: usize) -> Vec<Association<'o>> {
    let mut found = Vec::new();
    for instruction in 0..scene.order.instructions.len() {
        let links = scene.instruction(instruction).links.iter();
        let loose = links.filter(|link| !scene.needs(instruction, link));
        found.extend(
            loose
                .filter_map(|link| of_link(scene, instruction, link))
                .filter(|one| one.parent == parent),
        );
    }
    found
}

/// Every association with parents that the order may delete.
pub(crate) fn asked<'o>(scene: &Scene<'o>) -> Vec<Association<'o>> {
    let mut found = Vec::new();
    for parent in scene.active() {
        let deletes = scene.instruction(parent).delete_when != Predicate::Never;
        if let Some(table) = scene.table_position(parent).filter(|_| deletes) {
            found.extend(leading_to(scene, table));
        }
    }
    found
}

/// Something has to be emptied, or looked for, because a parent by a link that is not deep may go.
pub(crate) fn concerned(scene: &Scene<'_>) -> bool {
    let left_by_its_parent = |link: &Link| {
        let parent = scene.instruction_of(&link.to).map(|to| scene.instruction(to));
        link.kind != LinkKind::Deep
            && !link.needed
            && parent.is_some_and(|parent| parent.delete_when != Predicate::Never)
    };
    !asked(scene).is_empty()
        || scene.order.instructions.iter().flat_map(|one| &one.links).any(left_by_its_parent)
}

/// Reasons for which associations with parents that the order may delete cannot be emptied.
pub(crate) fn refusals(scene: &Scene<'_>, reasons: &mut Vec<String>) {
    for one in asked(scene).into_iter().filter(|one| one.leads_to_one) {
        let view = scene.table(one.child).view;
        if view {
            reasons.push(format!(
                "`{}` is a view and is never written to: map the table behind it",
                scene.instruction(one.instruction).collection
            ));
        }
        let emptied = match one.emptied(scene) {
            Ok(emptied) => emptied,
            Err(reason) => {
                reasons.push(reason);
                continue;
            }
        };
        let compiler = Compiler::new(scene);
        let Ok((_, place)) = compiler.main(one.child, Some(one.instruction)) else { continue };
        for (field, strategy) in emptied {
            let tried = compiler
                .operand(&place, field, |operand| strategy::change(operand, strategy).map(drop));
            if let Err(fault) = tried {
                reasons.push(fault.to_string());
            }
        }
    }
}

/// What keeps the parents of shared and held records, where no foreign key says so.
pub(crate) fn keeping_parents(scene: &Scene<'_>, parent: usize) -> Vec<Blocker> {
    let blocker = |one: Association<'_>| {
        let (fields, to_fields) = one.fields();
        Blocker {
            table: one.child,
            instruction: Some(one.instruction),
            fields,
            to_fields,
            cascade: false,
            immediate: false,
            refuses: false,
            keeps: one.keeping(),
        }
    };
    leading_to(scene, parent).into_iter().map(blocker).collect()
}

/// The association whose references a blocker tells of.
fn of_blocker<'o>(scene: &Scene<'o>, blocker: &Blocker) -> Option<Association<'o>> {
    let instruction = blocker.instruction?;
    let same = |link: &&Link| {
        link.fields.len() == blocker.fields.len()
            && blocker.fields.iter().zip(&blocker.to_fields).all(|(own, other)| {
                link.fields.iter().any(|pair| pair.0 == *own && pair.1 == *other)
            })
    };
    let mut links = scene.instruction(instruction).links.iter();
    links
        .find_map(|link| Some(link).filter(same).and_then(|link| of_link(scene, instruction, link)))
}

/// Some field of the association takes a constant instead of null, which may be a parent's key.
pub(crate) fn has_substitute(scene: &Scene<'_>, blocker: &Blocker) -> bool {
    let found = of_blocker(scene, blocker);
    found.is_some_and(|one| one.leads_to_one && !one.link.clear.is_empty())
}

/// The record at `place` is the one that takes the place of parents that went: it stands for
/// nobody, and stays as long as records may refer to it.
pub(crate) fn stands_for_nobody(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    blocker: &Blocker,
) -> Result<Option<Fragment>, Fault> {
    if blocker.keeps == Keeping::Every || !has_substitute(compiler.scene, blocker) {
        return Ok(None);
    }
    let Some(one) = of_blocker(compiler.scene, blocker) else { return Ok(None) };
    let mut equal = Vec::new();
    for treated in &one.link.clear {
        let other = one.link.fields.iter().find(|pair| pair.0 == treated.field);
        if let (Some((_, other)), Strategy::Constant(value)) = (other, &treated.strategy) {
            let equality = Equality::Collation;
            equal.push(compiler.operand(place, other, |operand| {
                operand.compare(Comparison::Equal, value, equality)
            })?);
        }
    }
    Ok((!equal.is_empty()).then(|| Fragment::all(equal)))
}

/// Some field is not empty yet.
pub(crate) fn pending(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    emptied: &[Emptied<'_>],
) -> Result<Fragment, Fault> {
    let mut conditions = Vec::new();
    for (field, strategy) in emptied {
        conditions.push(
            compiler.operand(place, field, |operand| {
                Ok(strategy::change(operand, strategy)?.pending)
            })?,
        );
    }
    Ok(Fragment::any(conditions))
}

/// The record at `child` has a parent by a shared link that is not due itself, or is held.
pub(crate) fn another_parent_stays(
    compiler: &Compiler<'_, '_>,
    child: &Place,
    instruction: usize,
) -> Result<Fragment, Fault> {
    let scene = compiler.scene;
    let mut staying = Vec::new();
    let links = scene.instruction(instruction).links.iter();
    for link in links.filter(|link| link.kind == LinkKind::Shared) {
        let (_, to) = scene.link(instruction, &link.name)?;
        let (from, parent) = compiler.inner(scene.table_of(to)?, Some(to))?;
        let mut conditions = Vec::new();
        for (own, other) in &link.fields {
            let (own, other) = (compiler.column(child, own)?, compiler.column(&parent, other)?);
            conditions.push(Fragment::raw(format!("{other} = {own}")));
        }
        let one = scene.instruction(to);
        if !one.keep && one.delete_when != Predicate::Never {
            conditions.push(Fragment::all(due(compiler, &parent, to)?).negate());
        }
        staying.push(
            Fragment::join(conditions, " AND ")
                .within(&format!("EXISTS (SELECT 1 FROM {from} WHERE "), ")"),
        );
    }
    Ok(Fragment::any(staying))
}
