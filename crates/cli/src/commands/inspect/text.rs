//! The tree for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oci::{Digest, MediaKind, MediaType};

use super::node::{Attached, Node, State, Via};

/// Lays out a tree: a line for each manifest, and what it all sums up to.
pub(super) fn lay_out(reference: &str, root: &Node) -> String {
    let mut out = format!("{reference}\n{}\n", line(root));
    branches(root, "", &mut out);
    let _ = writeln!(out, "\n{}", sum(root));
    out
}

fn branches(node: &Node, lead: &str, out: &mut String) {
    let children = node.manifests.iter().map(|child| (line(child), child));
    let attached = node.referrers.iter().map(|attached| {
        (
            format!("attached: {}{}", line(&attached.node), ways(attached)),
            &attached.node,
        )
    });
    let all: Vec<(String, &Node)> = children.chain(attached).collect();
    let last = all.len().saturating_sub(1);
    for (at, (line, node)) in all.into_iter().enumerate() {
        let (branch, below) = if at == last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        let _ = writeln!(out, "{lead}{branch}{line}");
        branches(node, &format!("{lead}{below}"), out);
    }
}

/// Says what a manifest is, at which digest, and what it weighs.
fn line(node: &Node) -> String {
    let what = label(node);
    let about = match node.state {
        State::Read => format!("{}, {}", node.media_type, contents(node)),
        State::Missing => "missing".to_owned(),
        State::Failed => format!(
            "failed: {}",
            node.error.as_deref().unwrap_or("no reason was given")
        ),
        State::NotRead => "not read".to_owned(),
    };
    format!("{what}  {}  {about}", node.digest)
}

fn label(node: &Node) -> String {
    let is_image =
        |kind: &str| [MediaType::OCI_CONFIG, MediaType::DOCKER_CONFIG].contains(&MediaType::new(kind));
    match (&node.platform, &node.artifact_type) {
        // Such platforms occur on children that are no images.
        (Some(platform), _) if !platform.os.is_empty() => platform.to_string(),
        (_, Some(kind)) if !is_image(kind) => registry::printable(kind),
        _ if node.media_type.kind() == MediaKind::Index => "index".to_owned(),
        _ => "image".to_owned(),
    }
}

fn contents(node: &Node) -> String {
    let bytes = node.blobs().map(|blob| blob.size).fold(0, u64::saturating_add);
    if node.media_type.kind() == MediaKind::Index {
        return counted(node.manifests.len(), "manifest");
    }
    format!(
        "{}, {}",
        counted(node.layers.len(), "layer"),
        planner::size(bytes)
    )
}

fn ways(attached: &Attached) -> String {
    let way = |via: &Via| match via {
        Via::ReferrersApi => "referrers API",
        Via::FallbackTag => "fallback tag",
        Via::CosignTag => "cosign tag",
    };
    let ways: Vec<&str> = attached.via.iter().map(way).collect();
    match &attached.tag {
        Some(tag) => format!("  ({} {tag})", ways.join(", ")),
        None => format!("  ({})", ways.join(", ")),
    }
}

fn sum(root: &Node) -> String {
    let mut manifests: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
    root.each(&mut |node| {
        if node.state != State::Missing {
            manifests.insert(node.digest.clone(), node.size);
        }
        blobs.extend(node.blobs().map(|blob| (blob.digest.clone(), blob.size)));
    });
    let bytes = manifests
        .values()
        .chain(blobs.values())
        .copied()
        .fold(0, u64::saturating_add);
    format!(
        "{} and {}, {} in all.",
        counted(manifests.len(), "manifest"),
        counted(blobs.len(), "blob"),
        planner::size(bytes)
    )
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use oci::Descriptor;

    use super::*;

    fn node(name: &str, media_type: MediaType) -> Node {
        let descriptor = Descriptor::new(media_type, Digest::sha256(name.as_bytes()), 500);
        Node::listed(&descriptor, State::Read)
    }

    fn image(name: &str, platform: Option<&str>) -> Node {
        let layer = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(b"shared"), 2048);
        Node {
            platform: platform.map(|platform| platform.parse().unwrap()),
            layers: vec![layer],
            ..node(name, MediaType::OCI_MANIFEST)
        }
    }

    #[test]
    fn a_tree_shows_children_attachments_and_the_sum() {
        let signature = Node {
            artifact_type: Some("example/signature".to_owned()),
            ..node("signature", MediaType::OCI_MANIFEST)
        };
        let mut arm = image("arm", Some("linux/arm64/v8"));
        arm.referrers.push(Attached {
            via: vec![Via::ReferrersApi, Via::FallbackTag],
            tag: Some("t".parse().unwrap()),
            node: signature,
        });
        let missing = Node {
            state: State::Missing,
            ..node("missing", MediaType::OCI_MANIFEST)
        };
        let root = Node {
            manifests: vec![image("amd", Some("linux/amd64")), arm, missing],
            ..node("root", MediaType::OCI_INDEX)
        };
        let digest = |name: &str| Digest::sha256(name.as_bytes());
        let expected = format!(
            "a.b/c:1\n\
             index  {}  application/vnd.oci.image.index.v1+json, 3 manifests\n\
             ├── linux/amd64  {}  application/vnd.oci.image.manifest.v1+json, 1 layer, 2.0 KiB\n\
             ├── linux/arm64/v8  {}  application/vnd.oci.image.manifest.v1+json, 1 layer, 2.0 KiB\n\
             │   └── attached: example/signature  {}  application/vnd.oci.image.manifest.v1+json, 0 layers, 0 B  \
             (referrers API, fallback tag t)\n\
             └── image  {}  missing\n\n\
             4 manifests and 1 blob, 3.9 KiB in all.\n",
            digest("root"),
            digest("amd"),
            digest("arm"),
            digest("signature"),
            digest("missing"),
        );
        assert_eq!(lay_out("a.b/c:1", &root), expected);
    }
}
