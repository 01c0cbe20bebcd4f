//! Under which condition a record goes, counted and not yet carried out.
//!
//! What stays is followed from child to parent: by a look at each child where an index serves, by
//! a set of keys that is gathered first where none does, and by a recursive query where a
//! collection refers to itself.

use crate::receipt::Fault;
use crate::sql::associations;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::delete::due;
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys::{GatheredKeys, Share};
use crate::sql::keys::Keys;
use crate::sql::order_of_deletion::groups;
use crate::sql::scene::{Blocker, Scene};

/// Sets of keys that statements need, in the order in which they must be filled.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    sets: Vec<Planned>,
}

#[derive(Debug)]
struct Planned {
    parent: usize,
    blocker: Blocker,
    identity: (usize, Share),
    at_most: bool,
    /// Gone once it has been carried out.
    query: Option<Fragment>,
}

impl Gathering {
    fn known(&self, identity: (usize, Share)) -> bool {
        self.sets.iter().any(|one| one.identity == identity)
    }

    fn at_most(&self, identity: (usize, Share)) -> bool {
        self.sets.iter().any(|one| one.identity == identity && one.at_most)
    }

    /// Fills the sets that are not filled yet.
    pub(crate) async fn carry_out(
        &mut self,
        session: &mut Session,
        scene: &Scene<'_>,
    ) -> Result<(), Fault> {
        for set in &mut self.sets {
            let Some(query) = set.query.take() else { continue };
            if let Some(keys) = GatheredKeys::of(scene, set.parent, &set.blocker, set.identity.1) {
                keys.fill(session, scene, query).await?;
            }
        }
        Ok(())
    }
}

/// Writes the condition under which a record goes, and the recursive queries that it needs.
pub(crate) struct Deletable<'c, 's, 'o, 'g> {
    compiler: &'c Compiler<'s, 'o>,
    groups: Vec<Vec<usize>>,
    queries: Vec<(usize, Fragment)>,
    pub(crate) at_most: bool,
    gathering: &'g mut Gathering,
}

impl<'c, 's, 'o, 'g> Deletable<'c, 's, 'o, 'g> {
    pub(crate) fn new(compiler: &'c Compiler<'s, 'o>, gathering: &'g mut Gathering) -> Self {
        let groups = groups(compiler.scene).into_iter().map(|group| group.members).collect();
        Self { compiler, groups, queries: Vec::new(), at_most: false, gathering }
    }

    fn circular(&self, one: usize, other: usize) -> bool {
        self.groups.iter().any(|group| group.contains(&one) && group.contains(&other))
    }

    fn goes(&self, instruction: Option<usize>) -> Option<usize> {
        instruction.filter(|&one| self.groups.iter().any(|group| group.contains(&one)))
    }

    /// The record goes.
    pub(crate) fn condition(
        &mut self,
        place: &Place,
        instruction: usize,
    ) -> Result<Fragment, Fault> {
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
            if blocker.table == place.table && !blocker.only_held() {
                continue;
            }
            let circular = |child| self.circular(instruction, child);
            if !blocker.only_held() && blocker.instruction.is_some_and(circular) {
                self.at_most = true;
                continue;
            }
            conditions.push(self.kept_by(place, &blocker)?.within("NOT ", ""));
        }
        Ok(conditions)
    }

    /// A record that stays refers to the one at `place`.
    fn kept_by(&mut self, place: &Place, blocker: &Blocker) -> Result<Fragment, Fault> {
        if let Some(kept) = self.gathered(place, blocker)? {
            return Ok(kept);
        }
        let Some(child) = self.goes(blocker.instruction).filter(|_| !blocker.only_held()) else {
            return self.compiler.referred(place, blocker);
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
        conditions.extend(blocker.only_where(self.compiler, &at)?);
        conditions.push(self.condition(&at, child)?.negate());
        let kept = Fragment::join(conditions, " AND ")
            .within(&format!("EXISTS (SELECT 1 FROM {from} WHERE "), ")");
        let substitute = associations::stands_for_nobody(self.compiler, place, blocker)?;
        Ok(Fragment::any(std::iter::once(kept).chain(substitute).collect()))
    }

    /// Where no index serves, the keys of the children that stay are gathered first.
    fn gathered(&mut self, place: &Place, blocker: &Blocker) -> Result<Option<Fragment>, Fault> {
        let scene = self.compiler.scene;
        let Some(keys) = GatheredKeys::of(scene, place.table, blocker, Share::Staying) else {
            return Ok(None);
        };
        if !self.gathering.known(keys.identity()) {
            let compiler = Compiler::new(scene);
            let (from, child) = compiler.inner(blocker.table, blocker.instruction)?;
            let mut inner = Deletable::new(&compiler, self.gathering);
            let stays = match inner.goes(blocker.instruction).filter(|_| !blocker.only_held()) {
                None => None,
                Some(instruction) => Some(inner.condition(&child, instruction)?.negate()),
            };
            let at_most = inner.at_most;
            let query = inner.with(keys.filling(&compiler, &from, &child, stays)?);
            self.gathering.sets.push(Planned {
                parent: place.table,
                blocker: blocker.clone(),
                identity: keys.identity(),
                at_most,
                query: Some(query),
            });
        }
        self.at_most |= self.gathering.at_most(keys.identity());
        let kept = keys.hold(self.compiler, place)?;
        let substitute = associations::stands_for_nobody(self.compiler, place, blocker)?;
        Ok(Some(Fragment::any(std::iter::once(kept).chain(substitute).collect())))
    }

    fn refers_to_itself(&self, table: usize) -> bool {
        let mut blockers = self.compiler.scene.blockers(table).into_iter();
        blockers.any(|blocker| blocker.table == table && !blocker.only_held())
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
        let blockers = compiler.scene.blockers(table).into_iter();
        let own: Vec<Blocker> =
            blockers.filter(|one| one.table == table && !one.only_held()).collect();
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
    pub(crate) fn referenced(
        &mut self,
        place: &Place,
        instruction: usize,
    ) -> Result<Vec<(String, Fragment)>, Fault> {
        let scene = self.compiler.scene;
        let mut by_name: Vec<(String, Vec<Fragment>)> = Vec::new();
        for blocker in scene.blockers(place.table) {
            let keeps = if blocker.only_held() {
                self.kept_by(place, &blocker)?
            } else if blocker.table == place.table {
                if let Some(keeps) = self.gathered(place, &blocker)? {
                    keeps
                } else {
                    let stays = |child: &Place| self.in_stays(child, instruction).map(Some);
                    self.compiler.referred_where(place, &blocker, &stays)?
                }
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
    pub(crate) fn with(self, statement: Fragment) -> Fragment {
        if self.queries.is_empty() {
            return statement;
        }
        let queries = self.queries.into_iter().map(|(_, query)| query).collect();
        Fragment::join(queries, ", ").within("WITH RECURSIVE ", " ").and(statement)
    }
}
