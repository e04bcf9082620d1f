//! What stands in a tar file, as it is read.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use oci::{Algorithm, Digest};
use transship_layout::{Archive, LayoutError, Store};

use crate::archives::{put, read};
use crate::tarball::{Tarball, members};

const LIMIT: usize = 1 << 20;

#[test]
fn links_within_an_archive_are_followed() {
    let (one, two) = (Digest::sha256(b"one").hex(), Digest::sha256(b"two").hex());
    let (_guard, path) = Tarball::new()
        .layout(&[])
        .file("./store/1", b"one")
        .file("store/2", b"two")
        .link(
            tar::EntryType::Symlink,
            &format!("./blobs/sha256/{one}"),
            "../../store/1",
        )
        .link(tar::EntryType::Link, &format!("blobs/sha256/{two}"), "./store/2")
        .done();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(read(&archive, b"one").unwrap(), b"one");
    assert_eq!(read(&archive, b"two").unwrap(), b"two");
}

#[test]
fn extended_headers_say_names_and_sizes() {
    let digest = Digest::of(Algorithm::Sha512, b"long");
    let (_guard, path) = Tarball::new()
        .layout(&[])
        .extended(&[("path", &format!("blobs/sha512/{}", digest.hex())), ("size", "4")])
        .file("short", b"long")
        .blob(b"next")
        .done();
    let archive = Archive::open_or_create(&path).unwrap();
    assert_eq!(
        archive.read_blob(&digest, LIMIT).unwrap().unwrap(),
        b"long".as_slice()
    );
    assert_eq!(read(&archive, b"next").unwrap(), b"next");
    // Such a name is too long for a plain header when it is written, too.
    put(&archive, "v1", b"one");
    archive.finish().unwrap();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(
        archive.read_blob(&digest, LIMIT).unwrap().unwrap(),
        b"long".as_slice()
    );
}

#[test]
fn a_header_that_would_fill_the_memory_is_refused() {
    let name = "x".repeat(2 << 20);
    let (_guard, path) = Tarball::new()
        .layout(&[])
        .extended(&[("path", &name)])
        .file("x", b"x")
        .done();
    let refused = Archive::open(&path).unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("a header has more than 1048576 bytes"), "{cause}");
}

#[test]
fn a_member_may_be_larger_than_eight_gibibytes() {
    let (_guard, path) = Tarball::new().layout(&[]).done();
    let (digest, size) = (Digest::sha256(b"large"), 9_u64 << 30);
    let mut header = tar::Header::new_gnu();
    header.set_path(format!("blobs/sha256/{}", digest.hex())).unwrap();
    header.set_size(size);
    header.set_cksum();
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let end = file.seek(SeekFrom::End(-1024)).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    // A hole takes no room.
    file.set_len(end + 512 + size).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    let mut tar = tar::Builder::new(file);
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    let name = format!("blobs/sha256/{}", Digest::sha256(b"one").hex());
    tar.append_data(&mut header, name, &b"one"[..]).unwrap();
    tar.into_inner().unwrap();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.blob_size(&digest).unwrap(), Some(size));
    assert_eq!(read(&archive, b"one").unwrap(), b"one");
}

#[test]
fn what_leads_out_of_an_archive_is_refused() {
    let (symbolic, hard) = (tar::EntryType::Symlink, tar::EntryType::Link);
    let layout = || Tarball::new().layout(&[]);
    for tarball in [
        layout().file("../x", b"x"),
        layout().file("/etc/passwd", b"x"),
        layout().file("blobs/../../x", b"x"),
        layout().link(symbolic, "x", "/etc/passwd"),
        layout().link(symbolic, "blobs/x", "../../passwd"),
        layout().link(hard, "x", "../passwd"),
    ] {
        let (_guard, path) = tarball.done();
        let refused = Archive::open(&path).unwrap_err();
        assert!(matches!(refused, LayoutError::Member { .. }), "{refused}");
        assert!(refused.to_string().contains("out"), "{refused}");
    }
}

#[test]
fn what_is_no_file_has_whatever_name_it_likes() {
    let global = "30 GNU.sparse.name=oci-layout\n25 GNU.sparse.realsize=9\n";
    let (_guard, path) = Tarball::new()
        .of_kind(
            tar::EntryType::XGlobalHeader,
            "/tmp/GlobalHead.1.1",
            global.as_bytes(),
        )
        .layout(&[])
        .of_kind(tar::EntryType::Directory, "/", b"")
        .of_kind(tar::EntryType::Directory, "../", b"")
        .of_kind(tar::EntryType::Char, "/dev/null", b"")
        .blob(b"one")
        .done();
    let archive = Archive::open_or_create(&path).unwrap();
    assert_eq!(read(&archive, b"one").unwrap(), b"one");
    put(&archive, "v1", b"two");
    archive.finish().unwrap();
    assert_eq!(members(&path).len(), 4);
}

#[test]
fn a_directory_of_the_oldest_format_is_one() {
    let (_guard, path) = Tarball::new()
        .layout(&[])
        .file("blobs/", b"")
        .file("blobs/sha256/", b"")
        .file("/old/", b"")
        .blob(b"one")
        .done();
    let archive = Archive::open_or_create(&path).unwrap();
    assert_eq!(read(&archive, b"one").unwrap(), b"one");
    put(&archive, "v1", b"two");
    archive.finish().unwrap();
    assert_eq!(members(&path).len(), 4);
}

#[test]
fn a_name_that_stands_twice_is_refused_unless_it_is_a_digest() {
    let (_guard, path) = Tarball::new().layout(&[]).layout(&[]).done();
    let refused = Archive::open(&path).unwrap_err().to_string();
    assert!(
        refused.ends_with("the member `oci-layout` stands there twice"),
        "{refused}"
    );
    let (_guard, path) = Tarball::new().layout(&[]).blob(b"one").blob(b"one").done();
    assert_eq!(read(&Archive::open(&path).unwrap(), b"one").unwrap(), b"one");
}

#[test]
fn links_in_a_circle_are_refused() {
    let digest = Digest::sha256(b"x").hex();
    let (_guard, path) = Tarball::new()
        .layout(&[])
        .link(
            tar::EntryType::Symlink,
            &format!("blobs/sha256/{digest}"),
            &digest,
        )
        .done();
    let refused = Archive::open(&path).unwrap_err().to_string();
    assert!(refused.ends_with("leads round in a circle of links"), "{refused}");
}

/// The map of a sparse file, padded as a member is.
fn map(text: &str) -> Vec<u8> {
    let mut map = text.as_bytes().to_vec();
    map.resize(512, 0);
    map
}

fn sparse(map: &[u8], size: &str, name: &str) -> Tarball {
    Tarball::new().layout(&[]).sparse(map, size, name)
}

#[test]
fn a_sparse_file_is_read_with_its_holes() {
    let whole = b"\0\0one\0\0\0two\0";
    let name = format!("blobs/sha256/{}", Digest::sha256(whole).hex());
    let stored = [map("2\n2\n3\n8\n3\n"), b"onetwo".to_vec()].concat();
    let (_guard, path) = sparse(&stored, "12", &name).blob(b"next").done();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.blob_size(&Digest::sha256(whole)).unwrap(), Some(12));
    assert_eq!(read(&archive, whole).unwrap(), whole);
    assert_eq!(read(&archive, b"next").unwrap(), b"next");
}

#[test]
fn holes_that_no_disk_could_hold_are_refused() {
    let stored = [map("1\n0\n3\n"), b"one".to_vec()].concat();
    let (_guard, path) = sparse(&stored, &(60_u64 << 30).to_string(), "x").done();
    let _ = Archive::open(&path).unwrap();
    let (_guard, path) = sparse(&stored, &(1_u64 << 60).to_string(), "x").done();
    let refused = Archive::open(&path).unwrap_err().to_string();
    assert!(
        refused.ends_with("the member `x` has more holes than any image would"),
        "{refused}"
    );
    // Many members are no way round it.
    let (_guard, path) = sparse(&stored, &(40_u64 << 30).to_string(), "x")
        .sparse(&stored, &(40_u64 << 30).to_string(), "y")
        .done();
    let refused = Archive::open(&path).unwrap_err().to_string();
    assert!(refused.contains("`y`"), "{refused}");
}

#[test]
fn a_damaged_map_of_a_sparse_file_is_refused() {
    for text in [
        "2\n2\n3\n1\n3\n",
        "1\n0\n99\n",
        "1\n0\n7\n",
        "9999\n0\n",
        "x\n",
        "1\n1\n18446744073709551615\n",
    ] {
        let stored = [map(text), b"onetwo".to_vec()].concat();
        let (_guard, path) = sparse(&stored, "12", "x").done();
        let refused = Archive::open(&path).unwrap_err();
        assert!(matches!(refused, LayoutError::Tar { .. }), "{text:?}: {refused}");
    }
}

#[test]
fn what_is_no_archive_of_a_layout_says_what_it_is_instead() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("x.tar");
    for (bytes, problem) in [
        (
            &b"hello, this is no tar file"[..],
            "is not a tar archive, or a damaged one",
        ),
        (&[7; 2048], "is not a tar archive, or a damaged one"),
        (
            b"\x1f\x8b\x08\0",
            "is compressed with gzip, and an archive is read at many places at once",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "is compressed with zstd, and an archive is read at many places at once",
        ),
        (
            b"",
            "has no `oci-layout`, so it is not an archive of an OCI image layout",
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let told = Archive::open(&path).unwrap_err().to_string();
        assert_eq!(told, format!("{} {problem}", path.display()));
    }
    let directory_error = Archive::open(directory.path()).unwrap_err();
    assert!(matches!(directory_error, LayoutError::Directory { .. }));
    #[cfg(unix)]
    assert!(matches!(
        Archive::open(Path::new("/dev/null")),
        Err(LayoutError::Stream { .. })
    ));
}

#[test]
fn an_archive_that_lacks_its_index_or_is_cut_off_is_refused() {
    let (_guard, path) = Tarball::new()
        .file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
        .done();
    let told = Archive::open(&path).unwrap_err().to_string();
    assert!(
        told.ends_with("has no `index.json`, so it is not an archive of an OCI image layout"),
        "{told}"
    );
    let (_guard, path) = Tarball::new().layout(&[]).blob(&[1; 5000]).done();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(4000)
        .unwrap();
    let told = Archive::open(&path).unwrap_err();
    assert!(matches!(told, LayoutError::Truncated { .. }), "{told}");
    let (_guard, path) = Tarball::new().file("manifest.json", b"[]").done();
    let hint = Archive::open(&path).unwrap_err().hint();
    assert!(hint.is_some_and(|hint| hint.contains("docker-archive:")));
}

#[test]
fn an_archive_that_becomes_shorter_while_it_is_read_is_an_error() {
    let (_guard, path) = Tarball::new().layout(&[]).blob(&[1; 5000]).done();
    let archive = Archive::open(&path).unwrap();
    let mut reader = archive.open_blob(&Digest::sha256(&[1; 5000])).unwrap().unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(4000)
        .unwrap();
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
}
