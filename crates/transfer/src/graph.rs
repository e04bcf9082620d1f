//! The plan's graph: which op at which place waits for which.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use planner::{Op, OpId, OpKind, Place, RegistryName};

use crate::node::NodeId;

/// What an op waits for in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its success.
    Success,
    /// Its end.
    End,
}

/// The edges between ops, spread over places only when they are followed: ten places do not make ten graphs.
#[derive(Debug)]
pub(crate) struct Graph {
    registries: Vec<RegistryName>,
    /// The first node of each op, and one past the last.
    first: Vec<usize>,
    nodes: Vec<Spot>,
    /// Each op's nodes, ordered by registry and place.
    ordered: Vec<NodeId>,
    dependents: Vec<Vec<Edge>>,
    /// By op that makes or changes repositories: those at a registry, for what goes to repositories below them.
    covers: HashMap<usize, Vec<(Place, NodeId)>>,
    /// By number, for ops that wait for repositories above theirs.
    places: Vec<Place>,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    registry: usize,
    place: usize,
    op: usize,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    /// The op that waits.
    op: usize,
    wait: Wait,
    /// Whether it has places that the other lacks, which then wait for the other's whole registry.
    loose: bool,
}

impl Graph {
    /// Indexes the ops of a plan. An op that waits for one which does not exist does not wait for it: plans are
    /// checked where they are read.
    pub(crate) fn new(ops: &[Op]) -> Self {
        let mut graph = Self {
            registries: registries(ops),
            first: vec![0],
            nodes: Vec::new(),
            ordered: Vec::new(),
            dependents: vec![Vec::new(); ops.len()],
            covers: HashMap::new(),
            places: Vec::new(),
        };
        graph.add_nodes(ops);
        graph.add_edges(ops);
        graph
    }

    fn add_nodes(&mut self, ops: &[Op]) {
        let mut places: HashMap<Place, usize> = HashMap::new();
        for (op, entry) in ops.iter().enumerate() {
            let start = self.nodes.len();
            for at in &entry.at {
                let next = places.len();
                let place = *places.entry(at.place()).or_insert(next);
                let registry = self.registries.partition_point(|name| *name < at.registry);
                if place == next {
                    self.places.push(at.place());
                }
                if matches!(entry.kind, OpKind::CreateRepository | OpKind::UpdateRepository) {
                    let covers = self.covers.entry(op).or_default();
                    covers.push((at.place(), self.nodes.len()));
                }
                self.nodes.push(Spot { registry, place, op });
            }
            self.first.push(self.nodes.len());
            self.ordered.extend(start..self.nodes.len());
            let nodes = &self.nodes;
            self.ordered[start..].sort_by_key(|&node| nodes[node]);
        }
    }

    fn add_edges(&mut self, ops: &[Op]) {
        let ids: HashMap<&OpId, usize> = ops
            .iter()
            .enumerate()
            .map(|(op, entry)| (&entry.id, op))
            .collect();
        for (op, entry) in ops.iter().enumerate() {
            let waits = entry.after.iter().map(|id| (id, Wait::Success));
            for (id, wait) in waits.chain(entry.after_end.iter().map(|id| (id, Wait::End))) {
                if let Some(&other) = ids.get(id) {
                    let loose = self
                        .nodes_of(op)
                        .any(|node| self.awaited(other, self.nodes[node]).is_none());
                    self.dependents[other].push(Edge { op, wait, loose });
                }
            }
        }
    }

    /// Returns how many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the names of the registries; a registry's number is its index here.
    pub(crate) fn registries(&self) -> &[RegistryName] {
        &self.registries
    }

    pub(crate) fn op(&self, node: NodeId) -> usize {
        self.nodes[node].op
    }

    /// Returns which of the op's places a node is.
    pub(crate) fn place(&self, node: NodeId) -> usize {
        node - self.first[self.nodes[node].op]
    }

    pub(crate) fn registry(&self, node: NodeId) -> usize {
        self.nodes[node].registry
    }

    pub(crate) fn nodes_of(&self, op: usize) -> Range<NodeId> {
        self.first[op]..self.first[op + 1]
    }

    /// Returns how many others each node waits for.
    pub(crate) fn waits(&self) -> Vec<usize> {
        let mut waits = vec![0; self.len()];
        for (other, edges) in self.dependents.iter().enumerate() {
            for edge in edges {
                for node in self.nodes_of(edge.op) {
                    waits[node] += match self.awaited(other, self.nodes[node]) {
                        Some(_) => 1,
                        None => self.at_registry(other, self.nodes[node].registry).len(),
                    };
                }
            }
        }
        waits
    }

    /// Returns the nodes that wait for this one.
    pub(crate) fn dependents(&self, node: NodeId) -> Vec<(NodeId, Wait)> {
        let spot = self.nodes[node];
        let mut found = Vec::new();
        for edge in &self.dependents[spot.op] {
            if self.covers.contains_key(&spot.op) {
                let others = self.at_registry(edge.op, spot.registry).iter().copied();
                let waiting = others.filter(|&other| {
                    self.awaited(spot.op, self.nodes[other])
                        .is_none_or(|awaited| awaited == node)
                });
                found.extend(waiting.map(|dependent| (dependent, edge.wait)));
                continue;
            }
            found.extend(self.find(edge.op, spot).map(|dependent| (dependent, edge.wait)));
            if edge.loose {
                let others = self.at_registry(edge.op, spot.registry).iter().copied();
                let loose = others.filter(|&other| self.find(spot.op, self.nodes[other]).is_none());
                found.extend(loose.map(|dependent| (dependent, edge.wait)));
            }
        }
        found
    }

    /// Finds the one node of another op that a spot waits for: at the same place or, where repositories are made, above
    /// it. `None`: it waits for all of the other's nodes at its registry.
    fn awaited(&self, other: usize, spot: Spot) -> Option<NodeId> {
        let above = || {
            let covers = self.covers.get(&other)?;
            let place = &self.places[spot.place];
            let above = covers.iter().filter(|(cover, _)| cover.is_above(place));
            above
                .max_by_key(|(cover, _)| cover.repository.as_str().len())
                .map(|(_, node)| *node)
        };
        self.find(other, spot).or_else(above)
    }

    /// Finds the op's node at the same place.
    fn find(&self, op: usize, spot: Spot) -> Option<NodeId> {
        let nodes = self.at_registry(op, spot.registry);
        let index = nodes
            .binary_search_by_key(&spot.place, |&node| self.nodes[node].place)
            .ok()?;
        Some(nodes[index])
    }

    fn at_registry(&self, op: usize, registry: usize) -> &[NodeId] {
        let nodes = &self.ordered[self.nodes_of(op)];
        let start = nodes.partition_point(|&node| self.nodes[node].registry < registry);
        let end = nodes.partition_point(|&node| self.nodes[node].registry <= registry);
        &nodes[start..end]
    }
}

fn registries(ops: &[Op]) -> Vec<RegistryName> {
    let at = ops.iter().flat_map(|op| op.at.iter().map(|at| &at.registry));
    let from = ops
        .iter()
        .filter_map(|op| op.from.as_ref().map(|place| &place.registry));
    let names: BTreeMap<&RegistryName, ()> = at.chain(from).map(|name| (name, ())).collect();
    names.into_keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use planner::OpPlace;

    fn op(id: &str, places: &[&str], after: &[&str], after_end: &[&str]) -> Op {
        let at = |text: &&str| {
            let (registry, repository) = text.split_once('/').unwrap();
            OpPlace {
                registry: registry.parse().unwrap(),
                repository: repository.parse().unwrap(),
                expect: None,
                from: None,
                origin: None,
            }
        };
        let ids = |list: &[&str]| list.iter().map(|id| OpId((*id).to_owned())).collect();
        Op {
            id: OpId(id.to_owned()),
            kind: OpKind::PutManifest,
            digest: None,
            tag: None,
            role: None,
            from: None,
            at: places.iter().map(at).collect(),
            after: ids(after),
            after_end: ids(after_end),
            entries: Vec::new(),
            settings: Vec::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn an_op_waits_at_the_same_place() {
        let graph = Graph::new(&[
            op("a", &["x/one", "y/one"], &[], &[]),
            op("b", &["y/one", "x/one"], &["a"], &[]),
        ]);
        assert_eq!(graph.waits(), [0, 0, 1, 1]);
        assert_eq!(graph.dependents(0), [(3, Wait::Success)]);
        assert_eq!(graph.dependents(1), [(2, Wait::Success)]);
    }

    #[test]
    fn where_it_has_no_such_place_it_waits_at_the_registry() {
        let seed = op("seed", &["x/one", "x/two", "y/one"], &[], &[]);
        let graph = Graph::new(&[seed, op("mount", &["x/three", "y/one", "z/one"], &[], &["seed"])]);
        assert_eq!(graph.waits(), [0, 0, 0, 2, 1, 0]);
        assert_eq!(graph.dependents(0), [(3, Wait::End)]);
        assert_eq!(graph.dependents(1), [(3, Wait::End)]);
        assert_eq!(graph.dependents(2), [(4, Wait::End)]);
    }

    fn create(id: &str, places: &[&str]) -> Op {
        Op {
            kind: OpKind::CreateRepository,
            ..op(id, places, &[], &[])
        }
    }

    #[test]
    fn what_goes_below_a_new_repository_waits_for_that_alone() {
        let graph = Graph::new(&[
            create("a", &["x/p/one", "x/p/two"]),
            op("b", &["x/p/one/app", "x/p/two/app", "x/other/app"], &["a"], &[]),
        ]);
        assert_eq!(graph.waits(), [0, 0, 1, 1, 2]);
        assert_eq!(graph.dependents(0), [(2, Wait::Success), (4, Wait::Success)]);
        assert_eq!(graph.dependents(1), [(3, Wait::Success), (4, Wait::Success)]);
    }

    #[test]
    fn what_waits_and_what_is_waited_for_are_counted_alike() {
        let ops = [
            op("a", &["x/one", "x/two", "y/one"], &[], &[]),
            op("b", &["x/two", "x/three"], &["a"], &[]),
            op("c", &["x/one", "x/three", "y/two", "z/one"], &["b"], &["a"]),
        ];
        let graph = Graph::new(&ops);
        let mut counted = vec![0; graph.len()];
        for node in 0..graph.len() {
            for (dependent, _) in graph.dependents(node) {
                counted[dependent] += 1;
            }
        }
        assert_eq!(counted, graph.waits());
    }
}
