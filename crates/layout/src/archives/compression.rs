//! How compressed files begin.

/// How compressed files begin, and what they are compressed with.
const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
    (b"BZh", "bzip2"),
];

/// How many bytes of a file tell.
pub(crate) const TELLING: u64 = 8;

/// Returns what a file is compressed with that begins so, if it is.
pub(crate) fn compression(start: &[u8]) -> Option<&'static str> {
    let found = COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic));
    found.map(|(_, program)| *program)
}
