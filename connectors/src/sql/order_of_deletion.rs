//! The order in which collections are worked on: children before their parents, and collections
//! that refer to each other in a circle together.

use crate::predicate::Predicate;
use crate::sql::associations::leading_to;
use crate::sql::scene::Scene;

/// Collections that are deleted from together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Positions of instructions.
    pub(crate) members: Vec<usize>,
    /// References run in a circle, if only from a collection to itself.
    pub(crate) circular: bool,
}

/// All collections from which something may be deleted, children first.
pub(crate) fn groups(scene: &Scene<'_>) -> Vec<Group> {
    let members: Vec<usize> = scene
        .active()
        .into_iter()
        .filter(|&one| scene.instruction(one).delete_when != Predicate::Never)
        .filter(|&one| scene.table_position(one).is_some())
        .collect();
    let position = |child: usize| members.iter().position(|&one| one == child);
    let (mut children, mut loose) = (Vec::new(), Vec::new());
    for &member in &members {
        let Some(table) = scene.table_position(member) else { continue };
        // A held child stays, whatever the order of deletion.
        let blockers = scene.blockers(table).into_iter().filter(|one| !one.only_held());
        let own: Vec<usize> =
            blockers.filter_map(|one| one.instruction).filter_map(position).collect();
        let associated = leading_to(scene, table).into_iter();
        let associated = associated.filter_map(|one| position(one.instruction));
        loose.push(own.iter().copied().chain(associated).collect());
        children.push(own);
    }
    loosely_ordered(&children, &loose)
        .into_iter()
        .map(|component| Group {
            circular: component.len() > 1 || children[component[0]].contains(&component[0]),
            members: component.into_iter().map(|index| members[index]).collect(),
        })
        .collect()
}

/// Components of the firm edges, in an order that follows the loose ones where it can: a record
/// that goes anyway should be gone before its association would be emptied.
fn loosely_ordered(firm: &[Vec<usize>], loose: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut ordered = Vec::new();
    for together in components(loose) {
        let inside = |&to: &usize| together.iter().position(|&one| one == to);
        let edges: Vec<Vec<usize>> =
            together.iter().map(|&one| firm[one].iter().filter_map(inside).collect()).collect();
        let parts = components(&edges).into_iter();
        ordered.extend(parts.map(|part| part.into_iter().map(|one| together[one]).collect()));
    }
    ordered
}

/// Strongly connected components, those that are led to first (Tarjan).
pub(crate) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut walk = Walk {
        edges,
        index: vec![None; edges.len()],
        low: vec![0; edges.len()],
        on_stack: vec![false; edges.len()],
        stack: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for node in 0..edges.len() {
        if walk.index[node].is_none() {
            walk.visit(node);
        }
    }
    walk.found
}

struct Walk<'e> {
    edges: &'e [Vec<usize>],
    index: Vec<Option<usize>>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
    found: Vec<Vec<usize>>,
}

impl Walk<'_> {
    /// As deep as chains of tables are long.
    fn visit(&mut self, node: usize) {
        self.index[node] = Some(self.next);
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
        for &to in &self.edges[node] {
            match self.index[to] {
                None => {
                    self.visit(to);
                    self.low[node] = self.low[node].min(self.low[to]);
                }
                Some(index) if self.on_stack[to] => self.low[node] = self.low[node].min(index),
                Some(_) => {}
            }
        }
        if self.index[node] == Some(self.low[node]) {
            let mut component = Vec::new();
            while let Some(top) = self.stack.pop() {
                self.on_stack[top] = false;
                component.push(top);
                if top == node {
                    break;
                }
            }
            component.sort_unstable();
            self.found.push(component);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_come_before_their_parents() {
        // 0 customers <- 1 orders <- 2 lines
        assert_eq!(components(&[vec![1], vec![2], vec![]]), [vec![2], vec![1], vec![0]]);
    }

    #[test]
    fn loose_edges_order_and_never_bind() {
        // 0 <- 1 firmly; 2 <- 0 and 1 <- 2 only loosely, which would close a circle.
        let firm = [vec![1], vec![], vec![]];
        assert_eq!(
            loosely_ordered(&firm, &[vec![1], vec![2], vec![0]]),
            [vec![1], vec![0], vec![2]]
        );
        assert_eq!(loosely_ordered(&[vec![], vec![]], &[vec![1], vec![]]), [vec![1], vec![0]]);
    }

    #[test]
    fn a_circle_is_one_component() {
        assert_eq!(components(&[vec![1], vec![0], vec![0]]), [vec![0, 1], vec![2]]);
    }
}
