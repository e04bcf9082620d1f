//! References as docker writes them: without a host they are Docker Hub's.

use oci::{Host, Reference};

/// The host that a reference without one means.
const HUB: &str = "docker.io";

/// Names of Docker Hub that are no registry's host here.
const OTHER_HUBS: [&str; 2] = ["registry.hub.docker.com", "hub.docker.com"];

/// Reads a reference of docker's.
///
/// # Errors
/// Why it is none.
pub(super) fn reference(text: &str) -> Result<Reference, String> {
    let text = text.strip_prefix("docker://").unwrap_or(text);
    let (host, path) = match text.split_once('/') {
        Some((first, rest)) if Host::looks_like(first) => (first, rest),
        _ => (HUB, text),
    };
    at(host, path)
}

/// Reads `repository[:tag][@digest]` at a host.
///
/// # Errors
/// Why it is none.
pub(super) fn at(host: &str, path: &str) -> Result<Reference, String> {
    let host = self::host(host)?;
    Reference::parse_path(host, path).map_err(|error| error.to_string())
}

/// Reads a host.
///
/// # Errors
/// Why it is none.
pub(super) fn host(text: &str) -> Result<Host, String> {
    let text = if OTHER_HUBS.contains(&text) { HUB } else { text };
    text.parse().map_err(|error: oci::NameError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_as_docker_reads_them() {
        for (text, whole) in [
            ("busybox", "docker.io/library/busybox"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("team/app", "docker.io/team/app"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            (
                "registry.hub.docker.com/library/busybox",
                "docker.io/library/busybox",
            ),
            ("registry:5000/library/alpine", "registry:5000/library/alpine"),
            ("localhost/a/b", "localhost/a/b"),
            ("quay.io/a/b:t", "quay.io/a/b:t"),
        ] {
            assert_eq!(reference(text).map(|read| read.to_string()), Ok(whole.to_owned()));
        }
        for text in ["", "quay.io/", "quay.io/A", "quay.io/a:b c", "quay.io/a@sha256:x"] {
            assert!(reference(text).is_err(), "{text}");
        }
    }
}
