//! The rules of a plan, checked on every plan that is made or loaded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci::{Descriptor, Digest};
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::plan::ManifestEntry;
use crate::{Op, OpId, OpKind, OpPlace, Place, Plan, PlanError, Summary};

impl Plan {
    /// Checks that the graph is acyclic and in order, that nothing is placed twice, that nothing is put before what it
    /// names, and that the sums are right.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), PlanError> {
        let index = Index::of(self)?;
        index.acyclic()?;
        for op in &self.ops {
            self.complete(op)?;
        }
        for (digest, entry) in &self.manifests {
            entry.made(digest).transpose()?;
        }
        index.nothing_twice()?;
        index.content_first(&self.manifests)?;
        let tags = self.summary.tags.clone();
        if self.summary != Summary::of(&self.ops, &self.blobs, tags, self.summary.attachments) {
            return broken("the summary does not sum up the ops".to_owned());
        }
        Ok(())
    }

    /// Checks that an op has what its kind needs.
    fn complete(&self, op: &Op) -> Result<(), PlanError> {
        let digest = op.digest.as_ref();
        let blob = || digest.is_some_and(|digest| self.blobs.contains_key(digest)) && op.from.is_some();
        let manifest =
            || digest.is_some_and(|digest| self.manifests.contains_key(digest)) && op.from.is_some();
        let all = |fits: fn(&OpPlace) -> bool| op.at.iter().all(fits);
        let fits = match op.kind {
            OpKind::CreateRepository | OpKind::UpdateRepository => true,
            OpKind::ImportImage => digest.is_some() && op.from.is_some(),
            OpKind::UploadBlob => blob(),
            OpKind::MountBlob => blob() && all(|at| at.from.is_some()),
            OpKind::PutManifest => manifest(),
            OpKind::PutTag => manifest() && op.tag.is_some() && all(|at| at.expect.is_some()),
            OpKind::MergeReferrers => digest.is_some() && op.tag.is_some() && !op.entries.is_empty(),
            OpKind::MergeSignatures => {
                digest.is_some() && op.tag.is_some() && op.from.is_some() && !op.entries.is_empty()
            }
        };
        let known = |place: &Place| self.registries.contains_key(&place.registry);
        let mounts = op.kind == OpKind::MountBlob;
        let origins = op.at.iter().all(|at| {
            let origin = at.origin.as_ref();
            (mounts || (origin.is_none() && at.from.is_none()))
                && origin.is_none_or(|origin| self.registries.contains_key(origin))
        });
        if op.at.is_empty()
            || !fits
            || (op.role.is_some() && op.kind != OpKind::PutTag)
            || !origins
            || !op
                .at
                .iter()
                .map(OpPlace::place)
                .chain(op.from.clone())
                .all(|place| known(&place))
        {
            return broken(format!("{} is incomplete", op.id));
        }
        Ok(())
    }
}

fn broken<T>(rule: String) -> Result<T, PlanError> {
    Err(PlanError::Rule(rule))
}

struct Index<'p> {
    ops: &'p [Op],
    position: HashMap<&'p OpId, usize>,
}

impl<'p> Index<'p> {
    fn of(plan: &'p Plan) -> Result<Self, PlanError> {
        let mut position = HashMap::new();
        for (index, op) in plan.ops.iter().enumerate() {
            if position.insert(&op.id, index).is_some() {
                return broken(format!("{} stands twice", op.id));
            }
        }
        Ok(Self {
            ops: &plan.ops,
            position,
        })
    }

    fn waits(op: &Op) -> impl Iterator<Item = &OpId> {
        op.after.iter().chain(&op.after_end)
    }

    fn acyclic(&self) -> Result<(), PlanError> {
        let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(self.ops.len(), self.ops.len());
        let nodes: Vec<NodeIndex<u32>> = self.ops.iter().map(|_| graph.add_node(())).collect();
        for (index, op) in self.ops.iter().enumerate() {
            for id in Self::waits(op) {
                let Some(&before) = self.position.get(id) else {
                    return broken(format!("{} waits for {id}, which is not there", op.id));
                };
                graph.add_edge(nodes[before], nodes[index], ());
            }
        }
        if let Err(cycle) = toposort(&graph, None) {
            let op = &self.ops[cycle.node_id().index()];
            return broken(format!("{} waits for itself", op.id));
        }
        let backwards = graph
            .edge_indices()
            .filter_map(|edge| graph.edge_endpoints(edge))
            .find(|(a, b)| a > b);
        match backwards {
            Some((_, op)) => broken(format!(
                "{} stands before what it waits for",
                self.ops[op.index()].id
            )),
            None => Ok(()),
        }
    }

    /// One placement per place and digest, one tag per place and tag.
    fn nothing_twice(&self) -> Result<(), PlanError> {
        let mut placed = BTreeSet::new();
        for op in self.ops {
            let what = match op.kind {
                OpKind::CreateRepository => (0, None, None),
                OpKind::UploadBlob | OpKind::MountBlob => (1, op.digest.as_ref(), None),
                OpKind::PutManifest => (2, op.digest.as_ref(), None),
                OpKind::MergeReferrers => (3, None, op.tag.as_ref()),
                OpKind::PutTag => (4, None, op.tag.as_ref()),
                OpKind::UpdateRepository => (5, None, None),
                OpKind::ImportImage => (2, op.digest.as_ref(), None),
                OpKind::MergeSignatures => (6, None, op.tag.as_ref()),
            };
            for at in &op.at {
                if !placed.insert((at.place(), what)) {
                    return broken(format!(
                        "{} places at {} what another op places there",
                        op.id,
                        at.place()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whatever a manifest names and the plan places at the same place, the manifest waits for.
    fn content_first(&self, manifests: &BTreeMap<Digest, ManifestEntry>) -> Result<(), PlanError> {
        let mut placing: HashMap<(Place, &Digest), &OpId> = HashMap::new();
        let places = |op: &&Op| {
            !matches!(
                op.kind,
                OpKind::PutTag | OpKind::MergeReferrers | OpKind::MergeSignatures
            )
        };
        for op in self.ops.iter().filter(places) {
            for at in &op.at {
                if let Some(digest) = &op.digest {
                    placing.insert((at.place(), digest), &op.id);
                }
            }
        }
        for op in self
            .ops
            .iter()
            .filter(|op| matches!(op.kind, OpKind::PutManifest | OpKind::PutTag))
        {
            let Some((digest, entry)) = op
                .digest
                .as_ref()
                .and_then(|digest| manifests.get_key_value(digest))
            else {
                continue;
            };
            for place in op.at.iter().map(OpPlace::place) {
                let own = placing
                    .get(&(place.clone(), digest))
                    .filter(|_| op.kind == OpKind::PutTag);
                let needed: Vec<&&OpId> = match own {
                    Some(own) => vec![own],
                    None => {
                        let named = entry.blobs.iter().chain(&entry.manifests);
                        named
                            .filter_map(|digest| placing.get(&(place.clone(), digest)))
                            .collect()
                    }
                };
                Self::waits_for(op, needed)?;
            }
        }
        let unions = self.ops.iter().filter(|op| op.kind == OpKind::MergeSignatures);
        for (op, at) in unions.flat_map(|op| op.at.iter().map(move |at| (op, at))) {
            let layer = |entry: &'p Descriptor| placing.get(&(at.place(), &entry.digest));
            Self::waits_for(op, op.entries.iter().filter_map(layer).collect())?;
        }
        Ok(())
    }

    fn waits_for(op: &Op, needed: Vec<&&OpId>) -> Result<(), PlanError> {
        match needed.into_iter().find(|id| !op.after.contains(id)) {
            Some(id) => broken(format!(
                "{} does not wait for {id}, which places what it names",
                op.id
            )),
            None => Ok(()),
        }
    }
}
