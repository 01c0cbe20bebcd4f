//! What an attempt would do now, in counts: one aggregate statement for each collection.
//!
//! A record counts as deletable where it is due, not held, and everything that refers to it is
//! deletable too. References of a collection to itself are followed by a recursive query;
//! references in a circle over several tables make the count an upper bound.

use crate::order::{Order, Restriction};
use crate::predicate::Predicate;
use crate::receipt::{Counts, Drift, Fault, ProbeCount};
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::delete::due;
use crate::sql::execute::held;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::order_of_deletion::groups;
use crate::sql::restrict::{self, Way};
use crate::sql::scene::{Blocker, Scene};
use crate::sql::treat;
use crate::sql::windows::Keys;
use crate::sql::{drift, lists, refusals};

/// Counts what `execute` would do.
pub(crate) async fn preview(connector: &SqlConnector, order: &Order) -> Result<Counts, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let answer = counts(&mut session, &scene).await;
    session.close().await;
    answer
}

async fn counts(session: &mut Session, scene: &Scene<'_>) -> Result<Counts, Fault> {
    let mut counts = Counts {
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
    for position in 0..scene.order.instructions.len() {
        let collection = scene.instruction(position).collection.clone();
        let blank = ProbeCount { collection, ..ProbeCount::default() };
        let counted = match countable.then(|| Wanted::build(scene, position)) {
            None => blank,
            // A strategy that does not fit is among the refusals already.
            Some(Err(Fault::Misconfigured { .. })) if !counts.refusals.is_empty() => blank,
            Some(Err(fault)) => return Err(fault),
            Some(Ok((wanted, statement))) => {
                let row = session.fetch_one(&statement).await?;
                let mut counted = wanted.read(blank, &row);
                if let Some(statement) = moved_back(scene, position)? {
                    counted.lift = session.count(&statement).await?;
                }
                counted
            }
        };
        counts.collections.push(counted);
    }
    Ok(counts)
}

/// Counts records in the other table of a restriction that would come back.
fn moved_back(scene: &Scene<'_>, position: usize) -> Result<Option<Fragment>, Fault> {
    let one = scene.instruction(position);
    let Some(Restriction::Move { to }) = &one.restriction else { return Ok(None) };
    let Some(table) = scene.catalogue.find(to) else { return Ok(None) };
    if one.keep || one.lift_when == Predicate::Never {
        return Ok(None);
    }
    let compiler = Compiler::new(scene);
    let (from, place) = compiler.main(table, Some(position))?;
    let mut conditions = restrict::due(&compiler, &place, position, Way::Lift)?;
    conditions.extend(compiler.unreferred(&place)?);
    Ok(Some(Fragment::all(conditions).within(&format!("SELECT COUNT(*) FROM {from} WHERE "), "")))
}

/// What each column of the statement counts.
enum Count {
    Total,
    Delete,
    Treat(String),
    Restrict,
    Lift,
    Referenced(String),
    Held,
    Probe(String),
}

struct Wanted {
    counts: Vec<Count>,
    at_most: bool,
}

impl Wanted {
    fn build(scene: &Scene<'_>, position: usize) -> Result<(Self, Fragment), Fault> {
        let one = scene.instruction(position);
        let compiler = Compiler::new(scene);
        let (from, place) = compiler.main(scene.table_of(position)?, Some(position))?;
        let mut deletable = Deletable::new(&compiler);
        let mut counts = vec![Count::Total];
        let mut columns = vec![Fragment::raw("COUNT(*)")];
        let mut add = |count: Count, condition: Fragment| {
            counts.push(count);
            columns.push(scene.dialect.count_where(condition));
        };
        if !one.keep {
            let goes = if one.delete_when == Predicate::Never {
                None
            } else {
                Some(deletable.condition(&place, position)?)
            };
            if let Some(goes) = &goes {
                add(Count::Delete, goes.clone());
                for (name, condition) in deletable.referenced(&place, position)? {
                    add(Count::Referenced(name), condition);
                }
            }
            let stays = |mut conditions: Vec<Fragment>| {
                conditions.extend(goes.clone().map(Fragment::negate));
                Fragment::all(conditions)
            };
            for treatment in one.treatments.iter().filter(|treatment| !treatment.fields.is_empty())
            {
                let conditions = treat::due(&compiler, &place, treatment, &one.held)?;
                add(Count::Treat(treatment.category.clone()), stays(conditions));
            }
            if one.restriction.is_some() {
                let mut conditions = restrict::due(&compiler, &place, position, Way::Restrict)?;
                let moved = matches!(one.restriction, Some(Restriction::Move { .. }));
                if moved {
                    conditions.extend(compiler.unreferred(&place)?);
                }
                add(Count::Restrict, stays(conditions));
                if !moved {
                    let conditions = restrict::due(&compiler, &place, position, Way::Lift)?;
                    add(Count::Lift, stays(conditions));
                }
            }
            add(Count::Held, held(&compiler, &place, position)?);
        }
        for probe in &one.probes {
            add(Count::Probe(probe.name.clone()), compiler.holds(&place, &probe.predicate)?);
        }
        let at_most = deletable.at_most;
        let statement = Fragment::join(columns, ", ").within("SELECT ", &format!(" FROM {from}"));
        Ok((Self { counts, at_most }, deletable.with(statement)))
    }

    fn read(self, mut counted: ProbeCount, row: &[Cell]) -> ProbeCount {
        counted.at_most = self.at_most;
        for (count, cell) in self.counts.into_iter().zip(row) {
            let number = cell.count();
            match count {
                Count::Total => counted.total = number,
                Count::Delete => counted.delete = number,
                Count::Treat(category) => *counted.treat.entry(category).or_default() += number,
                Count::Restrict => counted.restrict = number,
                Count::Lift => counted.lift = number,
                Count::Referenced(name) if number > 0 => {
                    counted.referenced.insert(name, number);
                }
                Count::Referenced(_) => {}
                Count::Held => counted.held = number,
                Count::Probe(name) => {
                    counted.probes.insert(name, number);
                }
            }
        }
        counted
    }
}

/// Writes the condition under which a record goes, and the recursive queries that it needs.
struct Deletable<'c, 's, 'o> {
    compiler: &'c Compiler<'s, 'o>,
    groups: Vec<Vec<usize>>,
    queries: Vec<(usize, Fragment)>,
    at_most: bool,
}

impl<'c, 's, 'o> Deletable<'c, 's, 'o> {
    fn new(compiler: &'c Compiler<'s, 'o>) -> Self {
        let groups = groups(compiler.scene).into_iter().map(|group| group.members).collect();
        Self { compiler, groups, queries: Vec::new(), at_most: false }
    }

    fn circular(&self, one: usize, other: usize) -> bool {
        self.groups.iter().any(|group| group.contains(&one) && group.contains(&other))
    }

    fn goes(&self, instruction: Option<usize>) -> Option<usize> {
        instruction.filter(|&one| self.groups.iter().any(|group| group.contains(&one)))
    }

    fn condition(&mut self, place: &Place, instruction: usize) -> Result<Fragment, Fault> {
        let mut conditions = self.apart_from_itself(place, instruction)?;
        if self.refers_to_itself(place.table) {
            self.add_query(place.table, instruction)?;
            conditions.push(self.in_stays(place, instruction)?.within("NOT ", ""));
        }
        Ok(Fragment::all(conditions))
    }

    /// The conditions without references of the collection to itself.
    fn apart_from_itself(
        &mut self,
        place: &Place,
        instruction: usize,
    ) -> Result<Vec<Fragment>, Fault> {
        let mut conditions = due(self.compiler, place, instruction)?;
        for blocker in self.compiler.scene.blockers(place.table) {
            if blocker.table == place.table {
                continue;
            }
            if blocker.instruction.is_some_and(|child| self.circular(instruction, child)) {
                self.at_most = true;
                continue;
            }
            conditions.push(self.kept_by(place, &blocker)?.within("NOT ", ""));
        }
        Ok(conditions)
    }

    /// A record that stays refers to the one at `place`.
    fn kept_by(&mut self, place: &Place, blocker: &Blocker) -> Result<Fragment, Fault> {
        let Some(child) = self.goes(blocker.instruction) else {
            return self.compiler.referred(place, blocker, &|_| Ok(None));
        };
        let (from, at) = self.compiler.inner(blocker.table, Some(child))?;
        let mut conditions = Vec::new();
        for (own, other) in blocker.fields.iter().zip(&blocker.to_fields) {
            conditions.push(Fragment::raw(format!(
                "{} = {}",
                self.compiler.column(&at, own)?,
                self.compiler.column(place, other)?
            )));
        }
        conditions.push(self.condition(&at, child)?.negate());
        Ok(Fragment::join(conditions, " AND ")
            .within(&format!("EXISTS (SELECT 1 FROM {from} WHERE "), ")"))
    }

    fn refers_to_itself(&self, table: usize) -> bool {
        self.compiler.scene.blockers(table).iter().any(|blocker| blocker.table == table)
    }

    fn in_stays(&self, place: &Place, instruction: usize) -> Result<Fragment, Fault> {
        let keys = Keys::of(self.compiler, place, instruction).names(self.compiler, place)?;
        let alias = format!("quietus_stays_{instruction}");
        let equal: Vec<Fragment> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| Fragment::raw(format!("{alias}.k{index} = {key}")))
            .collect();
        Ok(Fragment::all(equal).within(&format!("EXISTS (SELECT 1 FROM {alias} WHERE "), ")"))
    }

    /// The records of a collection that stay, by following references upwards from those that
    /// stay for another reason.
    fn add_query(&mut self, table: usize, instruction: usize) -> Result<(), Fault> {
        if self.queries.iter().any(|(one, _)| *one == instruction) {
            return Ok(());
        }
        let compiler = self.compiler;
        let own: Vec<Blocker> =
            compiler.scene.blockers(table).into_iter().filter(|one| one.table == table).collect();
        let (from, first) = compiler.inner(table, Some(instruction))?;
        let apart = Fragment::all(self.apart_from_itself(&first, instruction)?).negate();
        let (parents, parent) = compiler.inner(table, Some(instruction))?;
        let name = format!("quietus_stays_{instruction}");
        let count = Keys::of(compiler, &first, instruction).names(compiler, &first)?.len();
        let mut names: Vec<String> = (0..count).map(|index| format!("k{index}")).collect();
        let mut base = Keys::of(compiler, &first, instruction).names(compiler, &first)?;
        let mut step = Keys::of(compiler, &parent, instruction).names(compiler, &parent)?;
        let mut alternatives = Vec::new();
        for blocker in &own {
            let mut equal = Vec::new();
            for (field, other) in blocker.fields.iter().zip(&blocker.to_fields) {
                let column = format!("r{}", names.len());
                equal.push(Fragment::raw(format!(
                    "{} = {name}.{column}",
                    compiler.column(&parent, other)?
                )));
                base.push(compiler.column(&first, field)?);
                step.push(compiler.column(&parent, field)?);
                names.push(column);
            }
            alternatives.push(Fragment::all(equal));
        }
        let query = apart
            .within(
                &format!(
                    "{name} ({}) AS (SELECT {} FROM {from} WHERE ",
                    names.join(", "),
                    base.join(", ")
                ),
                "",
            )
            .then(&format!(" UNION SELECT {} FROM {name} JOIN {parents} ON ", step.join(", ")))
            .and(Fragment::any(alternatives))
            .then(")");
        self.queries.push((instruction, query));
        Ok(())
    }

    /// Due records that stay, by the name of what keeps them.
    fn referenced(
        &mut self,
        place: &Place,
        instruction: usize,
    ) -> Result<Vec<(String, Fragment)>, Fault> {
        let scene = self.compiler.scene;
        let mut by_name: Vec<(String, Vec<Fragment>)> = Vec::new();
        for blocker in scene.blockers(place.table) {
            let keeps = if blocker.table == place.table {
                let stays = |child: &Place| self.in_stays(child, instruction).map(Some);
                self.compiler.referred(place, &blocker, &stays)?
            } else if blocker.instruction.is_some_and(|child| self.circular(instruction, child)) {
                continue;
            } else {
                self.kept_by(place, &blocker)?
            };
            let name = scene.name_of_table(blocker.table);
            match by_name.iter_mut().find(|(known, _)| *known == name) {
                Some((_, conditions)) => conditions.push(keeps),
                None => by_name.push((name, vec![keeps])),
            }
        }
        let mut counted = Vec::new();
        for (name, keeps) in by_name {
            let mut conditions = due(self.compiler, place, instruction)?;
            conditions.push(Fragment::any(keeps));
            counted.push((name, Fragment::all(conditions)));
        }
        Ok(counted)
    }

    /// The statement with the recursive queries in front.
    fn with(self, statement: Fragment) -> Fragment {
        if self.queries.is_empty() {
            return statement;
        }
        let queries = self.queries.into_iter().map(|(_, query)| query).collect();
        Fragment::join(queries, ", ").within("WITH RECURSIVE ", " ").and(statement)
    }
}
