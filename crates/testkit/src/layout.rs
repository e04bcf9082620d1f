//! Writes content as an OCI image layout, for tools that push from one.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::image::Content;

/// Writes `content` to the directory `path`; a tag becomes an entry's `org.opencontainers.image.ref.name`.
///
/// <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>
///
/// # Panics
/// Where the directory cannot be written.
pub fn write(path: &Path, content: &Content) {
    put(&path.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    for (digest, bytes) in &content.blobs {
        put(
            &path
                .join("blobs")
                .join(digest.algorithm().as_str())
                .join(digest.hex()),
            bytes,
        );
    }
    for file in &content.manifests {
        put(&path.join("blobs/sha256").join(file.digest.hex()), &file.bytes);
    }
    let entries: Vec<_> = content
        .tags
        .iter()
        .map(|(tag, digest)| {
            let file = content.file(digest);
            json!({
                "mediaType": file.media_type,
                "digest": digest,
                "size": file.bytes.len(),
                "annotations": { "org.opencontainers.image.ref.name": tag },
            })
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "manifests": entries });
    put(&path.join("index.json"), index.to_string().as_bytes());
}

fn put(path: &Path, bytes: &[u8]) {
    let parent = path.parent().expect("a file of a layout has a parent");
    fs::create_dir_all(parent).expect("the layout's directory can be made");
    fs::write(path, bytes).expect("the layout's file can be written");
}
