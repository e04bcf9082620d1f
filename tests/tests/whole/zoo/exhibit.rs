//! What the zoo holds.

use serde_json::Value;
use testkit::walker::{Repository, Walked};

use Maker::{Crane, Hand, Oras, Regctl, Skopeo, Umoci};

/// The longest tag there may be, of every character that a tag may have.
pub(super) const LONG_TAG: &str = "_ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefghijklmnopqrstuvwxyz-0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefghijklmnopqrstuvwxyz-01234567";

/// An artifact, what made it, and where it stands.
struct Exhibit {
    name: &'static str,
    maker: Maker,
    repository: &'static str,
    at: At,
    /// A media type that it has, or that its config or one of its layers has, where that is what it is shown for.
    media_type: Option<&'static str>,
}

/// What made an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    Crane,
    Hand,
    Oras,
    Regctl,
    Skopeo,
    Umoci,
}

/// Where an artifact stands in its repository.
enum At {
    /// Under a tag.
    Tag(&'static str),
    /// Under no tag: it refers to something, and has this artifact type.
    Untagged(&'static str),
    /// Under cosign's tag of what stands under another tag, `.sig` for example.
    Beside(&'static str, &'static str),
}

const fn exhibit(maker: Maker, repository: &'static str, tag: &'static str, name: &'static str) -> Exhibit {
    Exhibit {
        name,
        maker,
        repository,
        at: At::Tag(tag),
        media_type: None,
    }
}

const fn attached(maker: Maker, artifact_type: &'static str, name: &'static str) -> Exhibit {
    Exhibit {
        name,
        maker,
        repository: "attached",
        at: At::Untagged(artifact_type),
        media_type: None,
    }
}

const fn beside(tag: &'static str, suffix: &'static str, name: &'static str) -> Exhibit {
    Exhibit {
        name,
        maker: Hand,
        repository: "attached",
        at: At::Beside(tag, suffix),
        media_type: None,
    }
}

/// The table of the zoo.
const EXHIBITS: [Exhibit; 67] = [
    exhibit(Umoci, "images", "umoci-empty", "an image without layers"),
    exhibit(Umoci, "images", "umoci-one", "an image of one layer"),
    exhibit(Umoci, "images", "umoci-two", "an image of two layers"),
    exhibit(Umoci, "images", "umoci-whiteout", "a whiteout"),
    exhibit(
        Umoci,
        "images",
        "umoci-opaque",
        "an opaque whiteout, without history",
    ),
    exhibit(Umoci, "images", "umoci-labels", "a config of labels beyond ASCII"),
    exhibit(
        Umoci,
        "images",
        "umoci-zstd",
        "layers of gzip and of zstd in one image",
    )
    .of("application/vnd.oci.image.layer.v1.tar+zstd"),
    exhibit(Umoci, "images", "umoci-plain", "an uncompressed layer")
        .of("application/vnd.oci.image.layer.v1.tar"),
    exhibit(
        Skopeo,
        "images",
        "skopeo-docker",
        "an image of Docker's version 2 schema 2",
    )
    .of("application/vnd.docker.distribution.manifest.v2+json"),
    exhibit(Skopeo, "images", "skopeo-oci", "an OCI image, converted back")
        .of("application/vnd.oci.image.manifest.v1+json"),
    exhibit(
        Crane,
        "images",
        "crane-docker",
        "a Docker image without a platform",
    )
    .of("application/vnd.docker.distribution.manifest.v2+json"),
    exhibit(Crane, "images", "crane-oci", "an OCI image without a platform")
        .of("application/vnd.oci.image.manifest.v1+json"),
    exhibit(
        Crane,
        "images",
        "crane-append",
        "an image based on another, which it names",
    ),
    exhibit(Crane, "images", "crane-arm", "a changed image, with annotations"),
    exhibit(Crane, "images", "crane-twice", "the same layer twice"),
    exhibit(Crane, "images", "crane-101-layers", "an image of 101 layers"),
    exhibit(
        Crane,
        "images",
        LONG_TAG,
        "a tag of 128 characters, of every kind there is",
    ),
    exhibit(
        Crane,
        "indexes",
        "crane-index",
        "an OCI index of two platforms, one unknown",
    )
    .of("application/vnd.oci.image.index.v1+json"),
    exhibit(Crane, "indexes", "crane-list", "a Docker manifest list")
        .of("application/vnd.docker.distribution.manifest.list.v2+json"),
    exhibit(Crane, "indexes", "crane-nested", "an index in an index"),
    exhibit(
        Crane,
        "shared/one",
        "v1",
        "an image whose blobs stand in other repositories",
    ),
    exhibit(Crane, "shared/two", "v1", "the same image once more"),
    exhibit(Crane, "attached", "app", "an index with much attached to it"),
    exhibit(Oras, "artifacts", "oras-helm", "a Helm chart")
        .of("application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    exhibit(Oras, "artifacts", "oras-wasm", "a WebAssembly module").of("application/wasm"),
    exhibit(
        Oras,
        "artifacts",
        "oras-1.0",
        "an artifact by release 1.0 of the image specification",
    ),
    exhibit(
        Oras,
        "artifacts",
        "oras-empty-config",
        "an artifact of the empty config",
    )
    .of("application/vnd.oci.empty.v1+json"),
    exhibit(
        Oras,
        "artifacts",
        "oras-unicode",
        "annotations beyond ASCII, and no content",
    ),
    exhibit(Oras, "artifacts", "oras-zero-bytes", "a file of no bytes"),
    exhibit(
        Oras,
        "artifacts",
        "oras-index",
        "an index of artifacts, with a type",
    )
    .of("application/vnd.oci.image.index.v1+json"),
    attached(Oras, "application/spdx+json", "a bill of materials of an index"),
    attached(
        Oras,
        "application/vnd.in-toto+json",
        "a provenance of the same index",
    ),
    attached(
        Oras,
        "application/vnd.example.approval",
        "a referrer of annotations alone",
    ),
    attached(
        Oras,
        "application/vnd.example.scan",
        "a referrer of a child of an index",
    ),
    attached(
        Oras,
        "application/vnd.cncf.notary.signature",
        "a signature of a bill of materials",
    ),
    attached(
        Oras,
        "application/vnd.example.countersignature",
        "a signature of a signature",
    ),
    exhibit(
        Regctl,
        "artifacts",
        "regctl-model",
        "a model, as modelpack has it",
    )
    .of("application/vnd.cncf.model.weight.v1.raw"),
    exhibit(
        Regctl,
        "artifacts",
        "regctl-bundle",
        "an index to which artifacts are added",
    ),
    exhibit(
        Regctl,
        "indexes",
        "regctl-index",
        "an index with an artifact type and annotations",
    ),
    exhibit(Regctl, "indexes", "regctl-list", "a Docker list of one image")
        .of("application/vnd.docker.distribution.manifest.list.v2+json"),
    exhibit(
        Regctl,
        "images",
        "regctl-data",
        "descriptors that hold their content",
    ),
    exhibit(Regctl, "images", "regctl-zstd", "layers compressed anew by zstd")
        .of("application/vnd.oci.image.layer.v1.tar+zstd"),
    exhibit(Regctl, "images", "regctl-docker", "an image turned into Docker's")
        .of("application/vnd.docker.distribution.manifest.v2+json"),
    attached(
        Regctl,
        "application/vnd.openvex+json",
        "a referrer by another program",
    ),
    attached(
        Regctl,
        "application/vnd.example.related",
        "an index that is a referrer",
    ),
    exhibit(
        Hand,
        "odd",
        "hand-estargz",
        "a layer with the annotations of eStargz",
    ),
    exhibit(Hand, "odd", "hand-zero-bytes", "a layer of no bytes"),
    exhibit(Hand, "odd", "hand-sha512-layer", "a layer by SHA-512"),
    exhibit(Hand, "odd", "hand-sha512-config", "a config by SHA-512"),
    exhibit(
        Hand,
        "odd",
        "hand-odd-config",
        "a config of an unusual media type",
    )
    .of("text/x-config"),
    exhibit(
        Hand,
        "odd",
        "hand-foreign-oci",
        "a layer that must not be distributed",
    )
    .of("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
    exhibit(Hand, "odd", "hand-foreign-docker", "a foreign layer of Windows")
        .of("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    exhibit(Hand, "odd", "hand-empty-index", "an index of nothing"),
    exhibit(Hand, "odd", "hand-empty-list", "a Docker list of nothing")
        .of("application/vnd.docker.distribution.manifest.list.v2+json"),
    exhibit(
        Hand,
        "odd",
        "hand-attestations",
        "an index with attestations, as buildx writes it",
    ),
    exhibit(
        Hand,
        "odd",
        "hand-nested-thrice",
        "an index in an index in an index",
    ),
    exhibit(
        Hand,
        "odd",
        "hand-index-without-media-type",
        "an index that does not say its type",
    ),
    exhibit(
        Hand,
        "odd",
        "hand-without-media-type",
        "an image that does not say its type",
    ),
    exhibit(Hand, "odd", "hand-unknown-fields", "fields that nobody knows"),
    exhibit(Hand, "odd", "hand-pretty", "white space everywhere"),
    exhibit(Hand, "odd", "hand-largest", "a manifest of 4 MiB"),
    exhibit(
        Hand,
        "odd",
        "hand-orphan",
        "an artifact that refers to what does not exist",
    ),
    beside("app", ".sig", "a signature of an index, by cosign's tag"),
    beside("app", ".att", "attestations of an index, of two signers"),
    beside("app", ".sbom", "a bill of materials by cosign's tag"),
    beside("arm64", ".sig", "a signature of a child of an index"),
    beside("arm64", ".att", "attestations of a child"),
];

impl Exhibit {
    const fn of(mut self, media_type: &'static str) -> Self {
        self.media_type = Some(media_type);
        self
    }

    fn stands(&self, walked: &Walked) -> bool {
        let manifest = walked
            .get(self.repository)
            .and_then(|repository| self.manifest(repository));
        manifest.is_some_and(|manifest| {
            self.media_type
                .is_none_or(|media_type| has_media_type(manifest, media_type))
        })
    }

    fn manifest<'a>(&self, repository: &'a Repository) -> Option<&'a Value> {
        let tagged = |tag: &str| repository.manifests.get(repository.tags.get(tag)?);
        match self.at {
            At::Tag(tag) => tagged(tag),
            At::Beside(tag, suffix) => {
                let subject = repository.tags.get(tag)?;
                tagged(&(subject.replace(':', "-") + suffix))
            }
            At::Untagged(artifact_type) => repository
                .manifests
                .iter()
                .find(|(digest, manifest)| {
                    manifest["artifactType"] == artifact_type
                        && manifest["subject"].is_string()
                        && !repository.tags.values().any(|tagged| tagged == *digest)
                })
                .map(|(_, manifest)| manifest),
        }
    }
}

fn has_media_type(manifest: &Value, media_type: &str) -> bool {
    let blobs = manifest["blobs"].as_array().into_iter().flatten();
    manifest["mediaType"] == media_type || blobs.into_iter().any(|blob| blob[1] == media_type)
}

/// Asserts that every exhibit is there.
pub(super) fn assert_stand(walked: &Walked) {
    let missing: Vec<_> = EXHIBITS
        .iter()
        .filter(|exhibit| !exhibit.stands(walked))
        .map(|exhibit| format!("{} ({:?})", exhibit.name, exhibit.maker))
        .collect();
    assert!(missing.is_empty(), "the zoo lacks {missing:?}");
}
