//! `transship graph`.

use std::fmt::Write as _;

use oci::Digest;
use planner::{Op, OpKind, Plan};

use crate::arguments::{Graph, GraphFormat};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::saved_plan;

/// Prints the operations of a saved plan, and what waits for what.
///
/// # Errors
/// A plan that can't be read or is refused (65).
pub(crate) fn run(context: &Context, arguments: &Graph) -> Result<Exit, Failure> {
    let plan = saved_plan::read(&arguments.plan)?;
    let drawn = match arguments.format {
        GraphFormat::Dot => dot(&plan),
        GraphFormat::Mermaid => mermaid(&plan),
    };
    context.text(&drawn)?;
    Ok(Exit::Done)
}

fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for op in &plan.ops {
        let _ = writeln!(out, "  {:?} [label={:?}];", op.id.0, label(op));
        for before in &op.after {
            let _ = writeln!(out, "  {:?} -> {:?};", before.0, op.id.0);
        }
        for before in &op.after_end {
            let _ = writeln!(out, "  {:?} -> {:?} [style=dashed];", before.0, op.id.0);
        }
    }
    out.push_str("}\n");
    out
}

fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    for op in &plan.ops {
        let _ = writeln!(out, "  {}[\"{}\"]", op.id, label(op).replace('"', "'"));
        for before in &op.after {
            let _ = writeln!(out, "  {before} --> {}", op.id);
        }
        for before in &op.after_end {
            let _ = writeln!(out, "  {before} -.-> {}", op.id);
        }
    }
    out
}

fn label(op: &Op) -> String {
    let what = match (&op.tag, &op.digest) {
        (Some(tag), _) => tag.to_string(),
        (None, Some(digest)) => Digest::short(digest),
        (None, None) => String::new(),
    };
    let places = match op.at.as_slice() {
        [one] => one.place().to_string(),
        many => format!("{} places", many.len()),
    };
    format!("{} {what} -> {places}", verb(op.kind))
}

fn verb(kind: OpKind) -> &'static str {
    match kind {
        OpKind::CreateRepository => "create",
        OpKind::UpdateRepository => "update",
        OpKind::ImportImage => "import",
        OpKind::UploadBlob => "upload",
        OpKind::MountBlob => "mount",
        OpKind::PutManifest => "put",
        OpKind::MergeReferrers | OpKind::MergeSignatures => "merge",
        OpKind::PutTag => "tag",
    }
}
