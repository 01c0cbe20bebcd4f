//! Looking again, over another connection and by another query than the one that changed things.
//!
//! `execute` looks for what is due; this counts everything and takes away what is rightly there:
//! not due, held, or referred to. What is left over are survivors.

use crate::order::{LinkKind, Order, Restriction};
use crate::predicate::Predicate;
use crate::receipt::{Drift, Fault, LookedAt, Survivor, Verification};
use crate::sql::SqlConnector;
use crate::sql::associations::concerned;
use crate::sql::candidates::{Candidates, Purpose};
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::dissociation::count_dangling;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::progress_table::ProgressTable;
use crate::sql::restrict::{self, Way};
use crate::sql::scene::Scene;
use crate::sql::standing::{reading, standing_to_read, total, whole};
use crate::sql::treat;
use crate::sql::{drift, gathered_keys, lists, of_persons, parts};

/// The name under which records that should be restricted and are not are reported.
const RESTRICTION: &str = "restriction";

const METHOD: &str = "over a new connection, every collection was counted in full, and from the \
    total were taken the records that are not due (by the negated condition), those that are held, \
    and those that other records still refer to; what was left over is reported";

/// Of an order about persons: where nothing could happen to any record, nothing is counted.
const METHOD_OF_PERSONS: &str = "over a new connection, every collection in which the order could \
    do something was counted in full, and from the total were taken the records that are not due \
    (by the negated condition), those that are held, and those that other records still refer to; \
    what was left over is reported";

const BY_LISTS: &str = "; where everything that the order does presupposes that a record is on a \
    list (of identities or keys), the records that the lists name were found again, by another \
    query than before, and only they were counted in this way";

const ASSOCIATIONS: &str = "; associations with parents that went were looked for as records that \
    refer to a parent that is not there, beyond those that did so before; where a foreign key \
    guards them there can be none";

/// Looks for survivors.
pub(crate) async fn verify(connector: &SqlConnector, order: &Order) -> Result<Verification, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let answer = look(&mut session, &scene, (&connector.progress_table, 1)).await;
    session.close().await;
    answer.map(|mut found| found.pop().unwrap_or_default())
}

/// Looks for the survivors of each of several orders that are alike.
pub(crate) async fn verify_together(
    connector: &SqlConnector,
    orders: &[Order],
) -> Result<Vec<Verification>, Fault> {
    if let ([_, _, ..], Ok((order, parts))) = (orders, parts::join(orders)) {
        let many = parts.count;
        let mut session = connector.target.open(&order.pace).await?;
        let mut scene = Scene::new(session.dialect(), &order, Catalogue::read(&mut session).await?);
        scene.parts = Some(parts);
        let answer = if can_be_told_apart(&scene) {
            Some(look(&mut session, &scene, (&connector.progress_table, many)).await)
        } else {
            None
        };
        session.close().await;
        if let Some(answer) = answer {
            return answer;
        }
    }
    let mut found = Vec::with_capacity(orders.len());
    for order in orders {
        found.push(verify(connector, order).await?);
    }
    Ok(found)
}

/// Every record that could have survived is a candidate, so that whose it is can be told; of
/// associations it cannot.
fn can_be_told_apart(scene: &Scene<'_>) -> bool {
    !concerned(scene)
        && scene.active().into_iter().all(|position| {
            let Some(table) = scene.table_position(position) else { return true };
            Candidates::can_be_gathered(scene, (table, position), Purpose::Verify)
        })
}

async fn look(
    session: &mut Session,
    scene: &Scene<'_>,
    (progress_table, parts): (&str, usize),
) -> Result<Vec<Verification>, Fault> {
    let gone: Vec<String> = drift::find(scene)
        .iter()
        .filter(|one| !matches!(one, Drift::FieldUnmapped { .. } | Drift::KeyChanged { .. }))
        .map(ToString::to_string)
        .collect();
    if !gone.is_empty() {
        return Err(misconfigured(format!(
            "the system differs from the data map and cannot be verified: {}",
            gone.join("; ")
        )));
    }
    lists::load(session, scene).await?;
    let mut all = vec![Verification::default(); parts];
    let mut by_lists = false;
    for position in 0..scene.order.instructions.len() {
        let collection = &scene.instruction(position).collection;
        let table = scene.table_of(position)?;
        if of_persons::is_left_out(scene, position) {
            for verification in &mut all {
                verification.left.insert(collection.clone(), 0);
            }
            continue;
        }
        let at = (table, position);
        let candidates = if scene.instruction(position).keep {
            None
        } else {
            Candidates::gather(session, scene, at, (Purpose::Verify, None)).await?
        };
        by_lists |= candidates.is_some();
        let (categories, statement) = statement(scene, position, candidates)?;
        gathered_keys::gather(session, scene, table).await?;
        let statement = Some(&statement).filter(|_| scene.parts.is_none() || candidates.is_some());
        let rows = rows(session, scene, (position, parts), statement).await?;
        for (verification, row) in all.iter_mut().zip(rows) {
            note(verification, collection, &categories, &row);
        }
    }
    let is_of_persons = scene.order.instructions.iter().any(|one| one.of_persons.is_some());
    for verification in &mut all {
        let method = if is_of_persons { METHOD_OF_PERSONS } else { METHOD };
        method.clone_into(&mut verification.method);
        if by_lists {
            verification.method.push_str(BY_LISTS);
        }
    }
    // Several orders as one have no associations to look at.
    if let [verification] = all.as_mut_slice()
        && look_at_associations(session, scene, progress_table, verification).await?
    {
        verification.method.push_str(ASSOCIATIONS);
    }
    Ok(all)
}

/// The counts of each part; a part without a row has no candidates, so nothing of it is left.
async fn rows(
    session: &mut Session,
    scene: &Scene<'_>,
    (position, parts): (usize, usize),
    statement: Option<&Fragment>,
) -> Result<Vec<Vec<Cell>>, Fault> {
    if let Some(statement) = statement.filter(|_| scene.parts.is_none()) {
        return Ok(vec![session.fetch_one(statement).await?]);
    }
    let left = if scene.instruction(position).of_persons.is_none() {
        let whole = whole(&Compiler::new(scene), (scene.table_of(position)?, position))?;
        session.fetch_one(&whole).await?
    } else {
        Vec::new()
    };
    let mut rows = vec![left.clone(); parts];
    if let Some(statement) = statement {
        for mut row in session.fetch(statement).await? {
            let part = row.pop().map_or(u64::MAX, |part| part.count());
            if let Some(one) = usize::try_from(part).ok().and_then(|part| rows.get_mut(part)) {
                // A part's own records were counted with the rest of it; all there are, apart.
                if !left.is_empty() {
                    row.splice(..1, left.iter().cloned());
                }
                *one = row;
            }
        }
    }
    Ok(rows)
}

fn note(
    verification: &mut Verification,
    collection: &str,
    categories: &[Option<String>],
    row: &[Cell],
) {
    let number = |index: usize| row.get(index).map_or(0, Cell::count);
    verification.left.insert(collection.to_owned(), number(0));
    let looked_through = number(1);
    for (index, category) in categories.iter().enumerate() {
        let looked_at = LookedAt { collection: collection.to_owned(), category: category.clone() };
        // Several treatments of one category are one answer.
        if !verification.looked_at.contains(&looked_at) {
            verification.looked_at.push(looked_at);
        }
        let records = looked_through.saturating_sub(number(index + 2));
        if records > 0 {
            let collection = collection.to_owned();
            let category = category.clone();
            verification.survivors.push(Survivor { collection, category, records });
        }
    }
}

/// Looks for records that refer to a parent that is gone; whether there was any link to look at.
async fn look_at_associations(
    session: &mut Session,
    scene: &Scene<'_>,
    progress_table: &str,
    verification: &mut Verification,
) -> Result<bool, Fault> {
    let now = count_dangling(session, scene).await?;
    let before = if now.is_empty() || scene.catalogue.find_own(progress_table).is_none() {
        None
    } else {
        let table = ProgressTable::new(scene.dialect, progress_table)?;
        table.read(session, &scene.order.key).await?
    };
    let before = before.map(|(_, position, _)| position.dangling).unwrap_or_default();
    let mut links = false;
    for position in 0..scene.order.instructions.len() {
        let one = scene.instruction(position);
        for link in one.links.iter().filter(|link| link.kind != LinkKind::Deep && !link.needed) {
            let parent = scene.instruction_of(&link.to).map(|to| scene.instruction(to));
            if parent.is_none_or(|parent| parent.delete_when == Predicate::Never) {
                continue;
            }
            let name = format!("{} {}", one.collection, link.association());
            let left = match (now.get(&name), before.get(&name)) {
                // A foreign key rules it out, or the link keeps its parents.
                (None, _) => 0,
                (Some(now), Some(before)) => now.saturating_sub(*before),
                // Nobody counted before, so nobody can tell.
                (Some(_), None) => continue,
            };
            links = true;
            let (collection, category) = (one.collection.clone(), Some(link.association()));
            if left > 0 {
                let (collection, category) = (collection.clone(), category.clone());
                verification.survivors.push(Survivor { collection, category, records: left });
            }
            verification.looked_at.push(LookedAt { collection, category });
        }
    }
    Ok(links)
}

/// Counts of all records or of those of the persons, of those that are looked through, and of those
/// that are rightly there by what should have become of them.
fn statement(
    scene: &Scene<'_>,
    position: usize,
    candidates: Option<Candidates>,
) -> Result<(Vec<Option<String>>, Fragment), Fault> {
    let one = scene.instruction(position);
    let compiler = Compiler::new(scene);
    let stand = standing_to_read(&compiler, (scene.table_of(position)?, position), candidates)?;
    let place = &stand.1;
    let mut categories = Vec::new();
    let there = match of_persons::own(&compiler, place, position)? {
        Some(own) => own,
        None => total(&compiler, place, candidates)?,
    };
    let mut columns = vec![there, Fragment::raw("COUNT(*)")];
    let mut add = |category: Option<String>, rightly: Vec<Fragment>| {
        categories.push(category);
        columns.push(scene.dialect.count_where(Fragment::any(rightly)));
    };
    if !one.keep {
        if one.delete_when != Predicate::Never {
            let mut rightly = not_due(&compiler, place, &one.delete_when, &one.held)?;
            for blocker in scene.blockers(place.table) {
                rightly.push(compiler.referred(place, &blocker)?);
            }
            add(None, rightly);
        }
        for treatment in one.treatments.iter().filter(|one| !one.fields.is_empty()) {
            let mut rightly = not_due(&compiler, place, &treatment.due, &one.held)?;
            rightly.push(treat::pending(&compiler, place, treatment)?.negate());
            add(Some(treatment.category.clone()), rightly);
        }
        if one.restriction.is_some() && one.restrict_when != Predicate::Never {
            let wanted =
                Predicate::all([one.restrict_when.clone(), one.lift_when.clone().negate()]);
            let mut rightly = not_due(&compiler, place, &wanted, &one.held)?;
            let pending = restrict::due(&compiler, place, position, Way::Restrict)?;
            rightly.push(Fragment::all(pending).negate());
            if matches!(one.restriction, Some(Restriction::Move { .. })) {
                for blocker in scene.blockers_of_move(place.table) {
                    rightly.push(compiler.referred(place, &blocker)?);
                }
            }
            add(Some(RESTRICTION.to_owned()), rightly);
        }
    }
    let statement = reading(&compiler, &stand, columns, candidates)?;
    Ok((categories, statement))
}

fn not_due(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    due: &Predicate,
    held: &Predicate,
) -> Result<Vec<Fragment>, Fault> {
    let mut rightly = vec![compiler.fails(place, due)?];
    if *held != Predicate::Never {
        rightly.push(compiler.held(place, held)?);
    }
    Ok(rightly)
}
