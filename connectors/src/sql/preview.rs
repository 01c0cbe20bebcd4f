//! What an attempt would do now, in counts: one aggregate statement for each collection.
//!
//! A record counts as deletable where it is due, not held, and everything that refers to it is
//! deletable too. References of a collection to itself are followed by a recursive query;
//! references in a circle over several tables make the count an upper bound.

use crate::order::{Order, Restriction};
use crate::predicate::Predicate;
use crate::receipt::{Counts, Drift, Fault, ProbeCount};
use crate::sql::SqlConnector;
use crate::sql::associations::{Association, asked, concerned, pending};
use crate::sql::candidates::{Candidates, Purpose};
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::Compiler;
use crate::sql::connection::Session;
use crate::sql::deletable::{Deletable, Gathering};
use crate::sql::dialect::Dialect;
use crate::sql::execute::held;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::restrict::{self, Way};
use crate::sql::scene::Scene;
use crate::sql::standing::{reading, standing, standing_to_read, total, whole};
use crate::sql::treat;
use crate::sql::{drift, gathered_keys, lists, of_persons, parts, refusals};

/// Counts what `execute` would do.
pub(crate) async fn preview(connector: &SqlConnector, order: &Order) -> Result<Counts, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let answer = counts(&mut session, &scene, 1).await;
    session.close().await;
    answer.map(|mut counts| counts.pop().unwrap_or_default())
}

/// Counts what `execute` would do for each of several orders that are alike.
pub(crate) async fn preview_together(
    connector: &SqlConnector,
    orders: &[Order],
) -> Result<Vec<Counts>, Fault> {
    if let ([_, _, ..], Ok((order, parts))) = (orders, parts::join(orders)) {
        let many = parts.count;
        let mut session = connector.target.open(&order.pace).await?;
        let mut scene = Scene::new(session.dialect(), &order, Catalogue::read(&mut session).await?);
        scene.parts = Some(parts);
        let answer = if can_be_told_apart(&scene) {
            Some(counts(&mut session, &scene, many).await)
        } else {
            None
        };
        session.close().await;
        if let Some(answer) = answer {
            return answer;
        }
    }
    let mut counts = Vec::with_capacity(orders.len());
    for order in orders {
        counts.push(preview(connector, order).await?);
    }
    Ok(counts)
}

/// Every record that is counted is a candidate, so that whose it is can be told; of associations it
/// cannot.
fn can_be_told_apart(scene: &Scene<'_>) -> bool {
    !concerned(scene)
        && (0..scene.order.instructions.len()).all(|position| {
            let Some(table) = scene.table_position(position) else { return true };
            let one = scene.instruction(position);
            if one.keep && one.probes.is_empty() || is_of_no_interest(scene, position) {
                return true;
            }
            let moved = matches!(one.restriction, Some(Restriction::Move { .. }));
            !(moved && one.lift_when != Predicate::Never)
                && Candidates::can_be_gathered(scene, (table, position), Purpose::Preview)
        })
}

async fn counts(
    session: &mut Session,
    scene: &Scene<'_>,
    parts: usize,
) -> Result<Vec<Counts>, Fault> {
    let counts = Counts {
        collections: Vec::new(),
        drift: drift::find(scene),
        refusals: refusals::find(scene),
    };
    let countable = counts
        .drift
        .iter()
        .all(|one| matches!(one, Drift::FieldUnmapped { .. } | Drift::KeyChanged { .. }));
    if countable {
        lists::load(session, scene).await?;
    }
    let mut all = vec![counts; parts];
    let mut gathering = Gathering::default();
    let mut gathered = Vec::new();
    for position in 0..scene.order.instructions.len() {
        let blank = blank(scene, position, countable);
        let wanted = if countable && !is_of_no_interest(scene, position) {
            let candidates = candidates(session, scene, position).await;
            gathered.push(candidates.as_ref().ok().copied().flatten());
            Some(candidates.and_then(|one| Wanted::build(scene, (position, one), &mut gathering)))
        } else {
            gathered.push(None);
            None
        };
        let counted = match wanted {
            None => vec![blank; parts],
            // A strategy that does not fit is among the refusals already.
            Some(Err(Fault::Misconfigured { .. })) if !all[0].refusals.is_empty() => {
                vec![blank; parts]
            }
            Some(Err(fault)) => return Err(fault),
            Some(Ok((wanted, statement))) => {
                gathering.carry_out(session, scene).await?;
                if matches!(scene.instruction(position).restriction, Some(Restriction::Move { .. }))
                {
                    gathered_keys::gather(session, scene, scene.table_of(position)?).await?;
                }
                let mut counted =
                    wanted.ask(session, scene, &statement, vec![blank; parts]).await?;
                if let Some((table, statement)) = moved_back(scene, position)? {
                    gathered_keys::gather(session, scene, table).await?;
                    counted[0].lift = session.count(&statement).await?;
                }
                counted
            }
        };
        for (counts, counted) in all.iter_mut().zip(counted) {
            counts.collections.push(counted);
        }
    }
    of_persons::count_totals(session, scene, &mut all).await?;
    // Several orders as one have no associations to count.
    if countable && parts == 1 && all[0].refusals.is_empty() {
        count_associations(session, scene, (&gathered, &mut gathering), &mut all[0]).await?;
    }
    Ok(all)
}

/// Adds the records that would lose an association.
async fn count_associations(
    session: &mut Session,
    scene: &Scene<'_>,
    (gathered, gathering): (&[Option<Candidates>], &mut Gathering),
    counts: &mut Counts,
) -> Result<(), Fault> {
    for one in asked(scene) {
        let parent = scene.instruction_for_table(one.parent);
        let candidates = parent.and_then(|parent| gathered.get(parent).copied().flatten());
        let Some(statement) = associated(scene, &one, candidates, gathering)? else {
            continue;
        };
        gathering.carry_out(session, scene).await?;
        let count = session.count(&statement).await?;
        let counted = &mut counts.collections[one.instruction];
        *counted.treat.entry(one.link.association()).or_default() += count;
    }
    Ok(())
}

/// What is said of a collection before anything of it is counted. That none of the persons' own is
/// there is known without looking, where nothing could happen to any record.
fn blank(scene: &Scene<'_>, position: usize, countable: bool) -> ProbeCount {
    let collection = scene.instruction(position).collection.clone();
    let own = (countable && is_of_no_interest(scene, position)).then_some(0);
    ProbeCount { collection, own, ..ProbeCount::default() }
}

/// Nothing could happen to any record and nothing is asked: then the table is not read at all.
fn is_of_no_interest(scene: &Scene<'_>, position: usize) -> bool {
    of_persons::is_left_out(scene, position) && scene.instruction(position).probes.is_empty()
}

/// Counts records that stay and whose parents by an association go.
fn associated(
    scene: &Scene<'_>,
    one: &Association<'_>,
    candidates: Option<Candidates>,
    gathering: &mut Gathering,
) -> Result<Option<Fragment>, Fault> {
    let Some(parent) = scene.instruction_for_table(one.parent).filter(|_| one.leads_to_one) else {
        return Ok(None);
    };
    let association = Association { link: one.link, ..*one };
    let emptied = association.emptied(scene).map_err(misconfigured)?;
    let compiler = Compiler::new(scene);
    let (stand, place) = standing(&compiler, (one.parent, parent), candidates)?;
    let (from, child) = compiler.inner(one.child, Some(one.instruction))?;
    let mut conditions = Vec::new();
    for (own, other) in &one.link.fields {
        let (own, other) = (compiler.column(&child, own)?, compiler.column(&place, other)?);
        conditions.push(Fragment::raw(format!("{other} = {own}")));
    }
    if let Some(candidates) = candidates {
        conditions.extend(candidates.bounds(&compiler, &place, Vec::new())?);
    }
    conditions.push(pending(&compiler, &child, &emptied)?);
    let mut deletable = Deletable::new(&compiler, gathering);
    conditions.push(deletable.condition(&place, parent)?);
    let own = scene.instruction(one.instruction);
    if !own.keep && own.delete_when != Predicate::Never {
        conditions.push(deletable.condition(&child, one.instruction)?.negate());
    }
    let join = if scene.dialect == Dialect::MariaDb { " STRAIGHT_JOIN " } else { " CROSS JOIN " };
    let head = format!("SELECT COUNT(*) FROM {}{join}{from} WHERE ", stand.from);
    Ok(Some(deletable.with(Fragment::all(conditions).within(&head, ""))))
}

/// The keys of records that the order could mean; `None` where all have to be looked at.
async fn candidates(
    session: &mut Session,
    scene: &Scene<'_>,
    position: usize,
) -> Result<Option<Candidates>, Fault> {
    let at = (scene.table_of(position)?, position);
    Candidates::gather(session, scene, at, (Purpose::Preview, None)).await
}

/// Counts records in the other table of a restriction that would come back.
fn moved_back(scene: &Scene<'_>, position: usize) -> Result<Option<(usize, Fragment)>, Fault> {
    let one = scene.instruction(position);
    let Some(Restriction::Move { to }) = &one.restriction else { return Ok(None) };
    let Some(table) = scene.catalogue.find(to) else { return Ok(None) };
    if one.keep || one.lift_when == Predicate::Never {
        return Ok(None);
    }
    let compiler = Compiler::new(scene);
    let (from, place) = compiler.main(table, Some(position))?;
    let mut conditions = restrict::due(&compiler, &place, position, Way::Lift)?;
    conditions.extend(restrict::unmoved(&compiler, &place)?);
    let count =
        Fragment::all(conditions).within(&format!("SELECT COUNT(*) FROM {from} WHERE "), "");
    Ok(Some((table, count)))
}

/// What each column of the statement counts.
enum Count {
    Total,
    Own,
    Delete,
    Treat(String),
    Restrict,
    Lift,
    Referenced(String),
    Held,
    Probe(String),
}

struct Wanted {
    position: usize,
    counts: Vec<Count>,
    at_most: bool,
    /// Of several orders as one: there are candidates, so that whose a record is can be told.
    by_part: bool,
}

impl Wanted {
    fn build(
        scene: &Scene<'_>,
        (position, candidates): (usize, Option<Candidates>),
        gathering: &mut Gathering,
    ) -> Result<(Self, Fragment), Fault> {
        let one = scene.instruction(position);
        let compiler = Compiler::new(scene);
        let stand = standing_to_read(&compiler, (scene.table_of(position)?, position), candidates)?;
        let place = &stand.1;
        let mut deletable = Deletable::new(&compiler, gathering);
        let own = of_persons::own(&compiler, place, position)?;
        let (count, column) = match own {
            Some(own) => (Count::Own, own),
            None => (Count::Total, total(&compiler, place, candidates)?),
        };
        let (mut counts, mut columns) = (vec![count], vec![column]);
        let mut add = |count: Count, condition: Fragment| {
            counts.push(count);
            columns.push(scene.dialect.count_where(condition));
        };
        if !one.keep {
            let goes = if one.delete_when == Predicate::Never {
                None
            } else {
                Some(deletable.condition(place, position)?)
            };
            if let Some(goes) = &goes {
                add(Count::Delete, goes.clone());
                for (name, condition) in deletable.referenced(place, position)? {
                    add(Count::Referenced(name), condition);
                }
            }
            let stays = |mut conditions: Vec<Fragment>| {
                conditions.extend(goes.clone().map(Fragment::negate));
                Fragment::all(conditions)
            };
            for treatment in one.treatments.iter().filter(|treatment| !treatment.fields.is_empty())
            {
                let conditions = treat::due(&compiler, place, treatment, &one.held)?;
                add(Count::Treat(treatment.category.clone()), stays(conditions));
            }
            if one.restriction.is_some() {
                let mut conditions = restrict::due(&compiler, place, position, Way::Restrict)?;
                let moved = matches!(one.restriction, Some(Restriction::Move { .. }));
                if moved {
                    conditions.extend(restrict::unmoved(&compiler, place)?);
                }
                add(Count::Restrict, stays(conditions));
                if !moved {
                    let conditions = restrict::due(&compiler, place, position, Way::Lift)?;
                    add(Count::Lift, stays(conditions));
                }
            }
            add(Count::Held, held(&compiler, place, position)?);
        }
        for probe in &one.probes {
            add(Count::Probe(probe.name.clone()), compiler.holds(place, &probe.predicate)?);
        }
        let (at_most, by_part) = (deletable.at_most, place.part.is_some());
        let statement = reading(&compiler, &stand, columns, candidates)?;
        Ok((Self { position, counts, at_most, by_part }, deletable.with(statement)))
    }

    /// Counts for each part; the rest of them have no candidates here.
    async fn ask(
        &self,
        session: &mut Session,
        scene: &Scene<'_>,
        statement: &Fragment,
        mut counted: Vec<ProbeCount>,
    ) -> Result<Vec<ProbeCount>, Fault> {
        if scene.parts.is_none() {
            let row = session.fetch_one(statement).await?;
            return Ok(counted.into_iter().map(|blank| self.read(blank, &row)).collect());
        }
        let all = if scene.instruction(self.position).of_persons.is_none() {
            let at = (scene.table_of(self.position)?, self.position);
            Some(session.count(&whole(&Compiler::new(scene), at)?).await?)
        } else {
            None
        };
        let none = vec![Cell::Integer(0); self.counts.len()];
        for one in &mut counted {
            *one = self.read(std::mem::take(one), &none);
        }
        // Without candidates there is no part to tell, and nothing that could happen.
        let rows = if self.by_part { session.fetch(statement).await? } else { Vec::new() };
        for row in &rows {
            let Some((part, counts)) = row.split_last() else { continue };
            let part = usize::try_from(part.count()).unwrap_or(usize::MAX);
            if let Some(one) = counted.get_mut(part) {
                *one = self.read(std::mem::take(one), counts);
            }
        }
        for one in &mut counted {
            one.total = all.unwrap_or(one.total);
        }
        Ok(counted)
    }

    fn read(&self, mut counted: ProbeCount, row: &[Cell]) -> ProbeCount {
        counted.at_most = self.at_most;
        for (count, cell) in self.counts.iter().zip(row) {
            let number = cell.count();
            match count {
                Count::Total => counted.total = number,
                Count::Own => counted.own = Some(number),
                Count::Delete => counted.delete = number,
                Count::Treat(category) => {
                    *counted.treat.entry(category.clone()).or_default() += number;
                }
                Count::Restrict => counted.restrict = number,
                Count::Lift => counted.lift = number,
                Count::Referenced(name) if number > 0 => {
                    counted.referenced.insert(name.clone(), number);
                }
                Count::Referenced(_) => {}
                Count::Held => counted.held = number,
                Count::Probe(name) => {
                    counted.probes.insert(name.clone(), number);
                }
            }
        }
        counted
    }
}
