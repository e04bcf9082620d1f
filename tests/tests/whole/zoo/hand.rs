//! What no program at hand makes: built by hand, and pushed by the letter of the specification.

use oci::{Algorithm, AttachmentTag, CosignKind, Descriptor, Digest, MediaType, Tag};
use serde_json::json;
use testkit::image::{Content, Family, noise};

use super::keeper::Keeper;

/// What registries must accept at least, and docker-registry accepts at most.
const LARGEST: usize = 4 << 20;

pub(super) async fn fill(keeper: &Keeper) {
    keeper.push("odd", &layers()).await;
    keeper.push("odd", &indexes()).await;
    keeper.push("odd", &texts()).await;
    keeper.push("odd", &orphan()).await;
}

/// Signs the index, and one of its children.
pub(super) async fn attach_all(keeper: &Keeper) {
    for tag in ["app", "arm64"] {
        let subject = keeper.describe("attached", tag).await;
        keeper.push("attached", &signed(&subject)).await;
    }
}

fn image(content: &mut Content, tag: &str, layers: &[Descriptor]) -> Descriptor {
    let image = content.image(Family::Oci, "linux/amd64", layers);
    content.tag(tag, &image);
    image
}

/// Images whose layers or configs are not as usual.
fn layers() -> Content {
    let mut content = Content::new();
    let mut estargz = content.layer(Family::Oci, 50, 2_000);
    let toc = "containerd.io/snapshot/stargz/toc.digest";
    estargz
        .annotations
        .insert(toc.to_owned(), Digest::sha256(b"toc").to_string());
    image(&mut content, "hand-estargz", &[estargz]);
    let zero = content.layer_empty(Family::Oci);
    image(&mut content, "hand-zero-bytes", &[zero]);
    let long = content.layer_sha512(Family::Oci, 51, 2_000);
    image(&mut content, "hand-sha512-layer", &[long]);
    let config = content.blob_with(Algorithm::Sha512, MediaType::OCI_CONFIG, r#"{"os":"linux"}"#);
    let layer = content.layer(Family::Oci, 52, 2_000);
    let long = content.image_of(Family::Oci, &config, std::slice::from_ref(&layer));
    content.tag("hand-sha512-config", &long);
    let config = content.blob(MediaType::new("text/x-config"), "color = green\n");
    let odd = content.image_of(Family::Oci, &config, &[layer]);
    content.tag("hand-odd-config", &odd);
    let oci = foreign("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    let own = content.layer(Family::Oci, 53, 2_000);
    image(&mut content, "hand-foreign-oci", &[oci, own]);
    let docker = foreign("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    let own = content.layer(Family::Docker, 53, 2_000);
    let windows = content.image(Family::Docker, "windows/amd64", &[docker, own]);
    content.tag("hand-foreign-docker", &windows);
    content
}

/// A layer that stands elsewhere.
fn foreign(media_type: &str) -> Descriptor {
    let bytes = noise(54, 900);
    let mut layer = Descriptor::new(
        MediaType::new(media_type),
        Digest::sha256(&bytes),
        bytes.len() as u64,
    );
    layer.urls = vec!["https://layers.example/base".to_owned()];
    layer
}

fn indexes() -> Content {
    let mut content = Content::new();
    for (family, tag) in [
        (Family::Oci, "hand-empty-index"),
        (Family::Docker, "hand-empty-list"),
    ] {
        let empty = content.index(family, &[]);
        content.tag(tag, &empty);
    }
    let layer = content.layer(Family::Oci, 55, 2_000);
    let app = content.image(Family::Oci, "linux/amd64", &[layer]);
    let attestation = attestation(&mut content, &app);
    let built = content.index(Family::Oci, &[app.clone(), attestation]);
    content.tag("hand-attestations", &built);
    let inner = content.index(Family::Oci, std::slice::from_ref(&app));
    let middle = content.index(Family::Oci, &[inner.clone(), app.clone()]);
    let nested = content.index(Family::Oci, &[middle, inner]);
    content.tag("hand-nested-thrice", &nested);
    let document = json!({ "schemaVersion": 2, "manifests": [app] });
    let nameless = content.manifest(MediaType::OCI_INDEX, &document);
    content.tag("hand-index-without-media-type", &nameless);
    content
}

/// What buildx adds to an index for each image.
fn attestation(content: &mut Content, image: &Descriptor) -> Descriptor {
    let statement = content.blob(
        MediaType::new("application/vnd.in-toto+json"),
        r#"{"_type":"statement"}"#,
    );
    let mut attestation = content.image(Family::Oci, "unknown/unknown", &[statement]);
    for (key, value) in [
        ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
        ("vnd.docker.reference.digest", image.digest.to_string()),
    ] {
        attestation.annotations.insert(key.to_owned(), value);
    }
    attestation
}

/// Manifests whose text is not as usual.
fn texts() -> Content {
    let mut content = Content::new();
    let config = content.blob(MediaType::OCI_CONFIG, r#"{"os":"linux","architecture":"amd64"}"#);
    let layer = content.layer(Family::Oci, 56, 2_000);
    let (oci, layers) = (MediaType::OCI_MANIFEST, [layer]);
    let nameless = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let mut named = nameless.clone();
    named["mediaType"] = json!(oci);
    let add = |content: &mut Content, tag: &str, text: String| {
        let image = content.written(MediaType::OCI_MANIFEST, text);
        content.tag(tag, &image);
    };
    add(&mut content, "hand-without-media-type", nameless.to_string());
    let mut more = named.clone();
    more["x-unknown"] = json!({ "deep": [1, 2.5, null, { "é": "🦓" }] });
    more["config"]["x-unknown"] = json!(true);
    add(&mut content, "hand-unknown-fields", more.to_string());
    let pretty = serde_json::to_string_pretty(&named).expect("JSON can be written");
    add(
        &mut content,
        "hand-pretty",
        format!("\r\n\t{}\n\n", pretty.replace("  ", "\t ")),
    );
    let mut large = named;
    large["annotations"] = json!({ "padding": "" });
    let padding = LARGEST - large.to_string().len();
    large["annotations"]["padding"] = json!("x".repeat(padding));
    add(&mut content, "hand-largest", large.to_string());
    content
}

/// An artifact that refers to what does not exist.
fn orphan() -> Content {
    let mut content = Content::new();
    let missing = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b"missing"), 7);
    let orphan = content.artifact(&missing, "application/vnd.example.orphan", "alone");
    content.tag("hand-orphan", &orphan);
    content
}

/// Cosign's tags of each kind, and a signature of a signature.
fn signed(subject: &Descriptor) -> Content {
    let mut content = Content::new();
    let signature = content.cosign(subject);
    content.cosign(&signature);
    for (kind, media_type) in [
        (CosignKind::Attestation, "application/vnd.dsse.envelope.v1+json"),
        (CosignKind::Sbom, "text/spdx+json"),
    ] {
        // Two layers, as of two signers.
        let layers = ["one", "two"].map(|text| content.blob(MediaType::new(media_type), text));
        let image = content.image(Family::Oci, "linux/amd64", &layers);
        let tag: Tag = AttachmentTag::Cosign(kind).of(&subject.digest);
        content.tags.insert(tag, image.digest);
    }
    content
}
