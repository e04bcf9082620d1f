//! From a survey to questions, and from a complete one to a plan.

use std::collections::BTreeMap;

use crate::ask::Ask;
use crate::holders::{self, Holders};
use crate::plan::{Note, SCHEMA};
use crate::want::Wanted;
use crate::{Capabilities, Op, Plan, Question, RegistryName, Spec, Summary, Survey};
use crate::{file, imports, lower, roots, seeds};

/// Returns what must still be asked before `spec` can be planned. Empty: the survey is complete.
///
/// Asked again with the answers recorded, it ends: each round goes one step down the content graph.
#[must_use]
pub fn questions(
    spec: &Spec,
    capabilities: &BTreeMap<RegistryName, Capabilities>,
    survey: &Survey,
) -> Vec<Question> {
    let mut ask = Ask::new(survey, capabilities);
    let wanted = roots::want(spec, &mut ask);
    let questions = ask.into_questions();
    if !questions.is_empty() {
        return questions.into_iter().collect();
    }
    let mut ask = Ask::new(survey, capabilities);
    holders::probe(spec, survey, &mut ask, &wanted);
    ask.into_questions().into_iter().collect()
}

/// Plans what brings the targets to what `spec` wants, by a complete survey.
#[must_use]
pub fn plan(spec: &Spec, capabilities: &BTreeMap<RegistryName, Capabilities>, survey: &Survey) -> Plan {
    let mut ask = Ask::new(survey, capabilities);
    let mut wanted = roots::want(spec, &mut ask);
    imports::take(spec, &ask, &mut wanted);
    let ranked = seeds::ranked(&wanted);
    let holders = Holders::of(spec, survey, &ask);
    let seeds = seeds::seeds(spec, &ask, &holders, &wanted, &ranked);
    let ops = lower::lower(&ask, &wanted, &seeds, &ranked);
    assemble(spec, wanted, ops)
}

fn assemble(spec: &Spec, wanted: Wanted<'_>, ops: Vec<Op>) -> Plan {
    let manifests = file::manifest_entries(&wanted, &ops);
    let blobs = file::blob_entries(&wanted, &ops);
    let summary = Summary::of(
        &ops,
        &blobs,
        wanted.counts.clone(),
        wanted.attachments.len() as u64,
    );
    let registries = spec
        .registries
        .iter()
        .map(|(name, registry)| (name.clone(), registry.connection.clone()))
        .collect();
    let mut notes: Vec<Note> = wanted.notes.into_iter().collect();
    notes.sort();
    let plan = Plan {
        schema: SCHEMA,
        created_by: concat!("transship ", env!("CARGO_PKG_VERSION")).to_owned(),
        digest: spec.digest.clone(),
        config: spec.digest.clone(),
        registries,
        manifests,
        blobs,
        ops,
        blocked: wanted.blocked,
        notes,
        summary,
    };
    plan.sealed()
}
