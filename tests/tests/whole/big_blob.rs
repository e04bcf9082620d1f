//! A layer far larger than the memory it may take.

use std::fs;
use std::path::Path;
use std::time::Duration;

use oci::{Algorithm, Descriptor, Digest, Hasher, MediaType};
use testkit::binary::{Output, Sandbox, finish};
use testkit::image::{Content, Family};

use crate::site::{Site, once};

const SIZE: u64 = 1 << 30;
pub(crate) const MOST_MEMORY: u64 = 96 << 20;

// The plan, the report and a journal are files too; a layer is not among them.
pub(crate) const MOST_WRITTEN: u64 = 1 << 20;

/// Puts a blob of zeros straight into the storage of a registry: a sparse file takes no time to write.
pub(crate) fn plant(root: &Path, repository: &str, size: u64) -> Descriptor {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let zeros = vec![0; 1_000_000];
    let mut left = size;
    while left > 0 {
        let piece = left.min(zeros.len() as u64);
        hasher.update(&zeros[..usize::try_from(piece).expect("a piece fits in memory")]);
        left -= piece;
    }
    let digest = hasher.finish();
    let hex = digest.hex();
    let storage = root.join("storage/docker/registry/v2");
    let data = storage.join("blobs/sha256").join(&hex[..2]).join(&hex);
    fs::create_dir_all(&data).expect("the registry's storage can be written");
    let file = fs::File::create(data.join("data")).expect("the registry's storage can be written");
    file.set_len(size).expect("a sparse file can be made");
    let link = storage
        .join("repositories")
        .join(repository)
        .join("_layers/sha256")
        .join(&hex);
    fs::create_dir_all(&link).expect("the registry's storage can be written");
    fs::write(link.join("link"), digest.to_string()).expect("the registry's storage can be written");
    Descriptor::new(MediaType::OCI_LAYER, digest, size)
}

/// The most memory a process has had, and the bytes it has written to disk, as far as it still can be asked.
#[derive(Default)]
pub(crate) struct Usage {
    pub(crate) memory: u64,
    pub(crate) written: u64,
}

impl Usage {
    fn look(&mut self, process: u32) {
        if let Some(kibibytes) = field(&format!("/proc/{process}/status"), "VmHWM:") {
            self.memory = self.memory.max(kibibytes << 10);
        }
        if let Some(bytes) = field(&format!("/proc/{process}/io"), "write_bytes:") {
            self.written = self.written.max(bytes);
        }
    }
}

/// Runs the binary to its end while its memory and its writes are watched.
pub(crate) async fn watched(sandbox: &Sandbox, arguments: &[&str]) -> (Output, Usage) {
    let child = sandbox.command(arguments).spawn().expect("the binary can be run");
    let process = child.id().expect("a running child has an id");
    let mut usage = Usage::default();
    let mut ended = Box::pin(finish(child, arguments));
    // Samples: the high-water mark only grows, so the last of them is the answer.
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            output = &mut ended => return (output, usage),
            _ = ticks.tick() => usage.look(process),
        }
    }
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_goes_to_three_registries_in_bounded_memory_without_a_file() {
    let Some(site) = Site::start(3).await else { return };
    let layer = plant(site.source.registry.root(), "team/big", SIZE);
    let mut content = Content::new();
    let image = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&layer));
    content.tag("v1", &image);
    site.source.direct().push("team/big", &content).await;
    site.configure("mirrors:\n  - { from: origin/team/big, to: [\"everywhere/mirror/{name}\"] }\n");
    site.plan(0).await;

    let arguments = ["apply", "plan.json", "--report", "report.json"];
    let (output, usage) = watched(&site.sandbox, &arguments).await;
    let _ = output.expect(0);
    let mebibytes = usage.memory >> 20;
    assert!(mebibytes > 1, "the process was seen");
    assert!(usage.memory <= MOST_MEMORY, "{mebibytes} MiB");
    assert!(
        usage.written <= MOST_WRITTEN,
        "{} bytes were written to disk",
        usage.written
    );
    let left = fs::read_dir(site.sandbox.temporary())
        .expect("the directory is there")
        .count();
    assert_eq!(left, 0, "files were left in TMPDIR");
    assert_one_read(&site, &layer.digest, &content).await;
}

async fn assert_one_read(site: &Site, layer: &Digest, content: &Content) {
    let mut digests: Vec<Digest> = content.blobs.keys().cloned().collect();
    digests.push(layer.clone());
    assert_eq!(site.source.proxy.exchanges().blob_reads(), once(digests.clone()));
    for target in &site.targets {
        assert_eq!(
            target.proxy.exchanges().blob_sends_to_registry(),
            once(digests.clone())
        );
        assert_eq!(target.direct().blob_size("mirror/big", layer).await, Some(SIZE));
    }
}
