//! Which distributions of a lock are reached from a project, and under which marker.
//!
//! **Invariant:** a distribution's marker is the sum, over all ways to it, of what must hold along
//! the way.

use std::collections::{BTreeMap, VecDeque};

use pep508_rs::MarkerTree;

use super::markers;

/// A dependency of one distribution on another.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// The number of the other.
    pub(super) to: usize,
    /// Its extras that are asked for.
    pub(super) extras: Vec<String>,
    /// When.
    pub(super) marker: MarkerTree,
}

/// What a distribution depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Always.
    pub(super) edges: Vec<Edge>,
    /// With an extra.
    pub(super) optional: BTreeMap<String, Vec<Edge>>,
}

/// What was reached.
#[derive(Debug)]
pub(super) struct Reached {
    states: BTreeMap<(usize, Option<String>), MarkerTree>,
}

impl Reached {
    /// When a distribution is needed: never, if it was not reached.
    pub(super) fn of(&self, node: usize) -> MarkerTree {
        self.states.get(&(node, None)).cloned().unwrap_or(MarkerTree::FALSE)
    }

    /// The distributions that were reached, with each extra that was asked for.
    pub(super) fn extras(&self) -> impl Iterator<Item = (usize, &str)> {
        self.states.keys().filter_map(|(node, extra)| Some((*node, extra.as_deref()?)))
    }
}

/// Follows the edges from some that are given.
pub(super) fn reach(nodes: &[Node], roots: &[Edge]) -> Reached {
    let mut states: BTreeMap<(usize, Option<String>), MarkerTree> = BTreeMap::new();
    let mut pending = VecDeque::new();
    let arrive = |states: &mut BTreeMap<_, MarkerTree>,
                  pending: &mut VecDeque<_>,
                  edge: &Edge,
                  under: &MarkerTree| {
        let marker = markers::both(under, &edge.marker);
        if marker.is_false() {
            return;
        }
        let extras = edge.extras.iter().cloned().map(Some);
        for extra in std::iter::once(None).chain(extras) {
            let state = (edge.to, extra);
            let known = states.entry(state.clone()).or_insert(MarkerTree::FALSE);
            let mut sum = known.clone();
            sum.or(marker.clone());
            if sum != *known {
                *known = sum;
                if !pending.contains(&state) {
                    pending.push_back(state);
                }
            }
        }
    };
    for root in roots {
        arrive(&mut states, &mut pending, root, &MarkerTree::TRUE);
    }
    while let Some(state) = pending.pop_front() {
        let Some(node) = nodes.get(state.0) else { continue };
        let edges = match &state.1 {
            None => Some(&node.edges),
            Some(extra) => node.optional.get(extra),
        };
        let under = states.get(&state).cloned().unwrap_or(MarkerTree::FALSE);
        for edge in edges.into_iter().flatten() {
            arrive(&mut states, &mut pending, edge, &under);
        }
    }
    Reached { states }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn edge(to: usize, extras: &[&str], marker: &str) -> Edge {
        let marker = if marker.is_empty() {
            MarkerTree::TRUE
        } else {
            MarkerTree::from_str(marker).unwrap()
        };
        Edge { to, extras: extras.iter().map(ToString::to_string).collect(), marker }
    }

    fn shown(reached: &Reached, count: usize) -> Vec<String> {
        (0..count).map(|node| reached.of(node).try_to_string().unwrap_or("always".into())).collect()
    }

    #[test]
    fn markers_add_up_over_ways_and_along_them() {
        let nodes = vec![
            Node { edges: vec![edge(1, &[], "os_name == 'nt'")], ..Node::default() },
            Node { edges: vec![edge(2, &[], "sys_platform == 'x'")], ..Node::default() },
            // A circle.
            Node { edges: vec![edge(0, &[], "")], ..Node::default() },
            Node { edges: vec![edge(1, &[], "os_name == 'posix'")], ..Node::default() },
        ];
        let reached = reach(&nodes, &[edge(0, &[], ""), edge(3, &[], "")]);
        assert_eq!(
            shown(&reached, 5),
            [
                "always",
                "os_name == 'nt' or os_name == 'posix'",
                "(os_name == 'nt' and sys_platform == 'x') or \
                 (os_name == 'posix' and sys_platform == 'x')",
                "always",
                "python_version < '0'",
            ]
        );
    }

    #[test]
    fn an_extra_brings_its_own_only_where_it_was_asked_for() {
        let optional = BTreeMap::from([("s".to_owned(), vec![edge(1, &[], "")])]);
        let nodes = vec![Node { edges: vec![edge(2, &[], "")], optional }];
        let roots = [edge(0, &[], ""), edge(0, &["s"], "os_name == 'nt'")];
        let reached = reach(&nodes, &roots);
        assert_eq!(shown(&reached, 3), ["always", "os_name == 'nt'", "always"]);
        assert_eq!(reached.extras().collect::<Vec<_>>(), [(0, "s")]);
    }
}
