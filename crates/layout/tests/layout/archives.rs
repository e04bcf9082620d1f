//! Layouts in tar files, read and written.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use oci::{Algorithm, Digest};
use transship_layout::{Archive, LayoutError, Store, settled};

use crate::common::{manifest, repository, tag};
use crate::tarball::{Tarball, beside, entry, members};

const LIMIT: usize = 1 << 20;

/// Writes a blob and a tag at it.
fn put(archive: &Archive, name: &str, bytes: &[u8]) {
    let digest = Digest::sha256(bytes);
    let mut writer = archive.start_blob().unwrap();
    writer.write(bytes).unwrap();
    writer.commit(&digest).unwrap();
    let descriptor = oci::Descriptor::new(oci::MediaType::OCI_MANIFEST, digest, bytes.len() as u64);
    archive
        .tag(Some(&repository("app")), &tag(name), &descriptor)
        .unwrap();
}

fn tags(path: &Path) -> Vec<String> {
    let entries = Archive::open(path).unwrap().entries().unwrap();
    entries
        .into_iter()
        .filter_map(|entry| Some(entry.tag?.to_string()))
        .collect()
}

fn read(archive: &Archive, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = archive.open_blob(&Digest::sha256(bytes)).unwrap()?;
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    Some(read)
}

/// An archive with one tag.
fn written() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("x.tar");
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v1", b"one");
    archive.finish().unwrap();
    (directory, path)
}

#[test]
fn what_is_written_stands_in_the_file_once_it_is_finished() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("deep/x.tar");
    let archive = Archive::open_or_create(&path).unwrap();
    assert!(archive.entries().unwrap().is_empty());
    put(&archive, "v1", b"one");
    assert!(!path.exists());
    assert_eq!(read(&archive, b"one").unwrap(), b"one");
    assert_eq!(archive.entries().unwrap().len(), 1);
    archive.finish().unwrap();
    assert_eq!(beside(&path), ["x.tar"]);
    for archive in [archive, Archive::open(&path).unwrap()] {
        assert_eq!(read(&archive, b"one").unwrap(), b"one");
        assert_eq!(
            archive.read_blob(&Digest::sha256(b"one"), 3).unwrap().unwrap(),
            b"one".as_slice()
        );
        assert_eq!(archive.blob_size(&Digest::sha256(b"one")).unwrap(), Some(3));
        assert_eq!(archive.blob_size(&Digest::sha256(b"two")).unwrap(), None);
        let found = archive.resolve(Some(&repository("app")), &tag("v1")).unwrap();
        assert_eq!(found.unwrap().digest, Digest::sha256(b"one"));
    }
}

#[test]
fn the_same_content_makes_the_same_bytes_in_whatever_order_it_came() {
    let directory = tempfile::TempDir::new().unwrap();
    let write = |name: &str, steps: &[&[(&str, &[u8])]]| {
        let path = directory.path().join(name);
        for step in steps {
            let archive = Archive::open_or_create(&path).unwrap();
            for (tag, bytes) in *step {
                put(&archive, tag, bytes);
            }
            archive.finish().unwrap();
        }
        fs::read(path).unwrap()
    };
    let (one, two) = (("v1", b"one".as_slice()), ("v2", b"two".as_slice()));
    let first = write("a.tar", &[&[one, two]]);
    assert!(first == write("b.tar", &[&[two, one]]));
    assert!(first == write("c.tar", &[&[two], &[one]]));
    let members = members(&directory.path().join("a.tar"));
    let names: Vec<&str> = members.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["oci-layout", "index.json"]);
    assert!(names[2..].is_sorted(), "{names:?}");
    assert!(members.iter().all(|(_, time, owner)| (*time, *owner) == (0, 0)));
}

#[test]
fn an_archive_is_extended_and_keeps_what_it_held() {
    let (_guard, path) = Tarball::new()
        .layout(&[entry("old:v1", b"old")])
        .blob(b"old")
        .file("README", b"not ours")
        .done();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"new");
    archive.finish().unwrap();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(tags(&path), ["v2", "v1"]);
    assert_eq!(read(&archive, b"old").unwrap(), b"old");
    assert_eq!(read(&archive, b"new").unwrap(), b"new");
    assert!(members(&path).iter().any(|(name, _, _)| name == "README"));
}

#[test]
fn a_damaged_blob_is_replaced_by_the_one_that_is_written() {
    let name = format!("blobs/sha256/{}", Digest::sha256(b"one").hex());
    let (_guard, path) = Tarball::new().layout(&[]).file(&name, b"bad").done();
    let archive = Archive::open_or_create(&path).unwrap();
    let damaged = archive.read_blob(&Digest::sha256(b"one"), LIMIT).unwrap_err();
    assert!(matches!(damaged, LayoutError::Digest { .. }), "{damaged}");
    archive.write_blob(&Digest::sha256(b"one"), b"one").unwrap();
    archive.finish().unwrap();
    assert_eq!(read(&Archive::open(&path).unwrap(), b"one").unwrap(), b"one");
}

#[test]
fn what_is_not_finished_leaves_the_archive_as_it_was() {
    let (_guard, path) = written();
    let before = fs::read(&path).unwrap();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"two");
    assert_eq!(beside(&path), [".x.tar.transship", "x.tar"]);
    drop(archive);
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(beside(&path), ["x.tar"]);
}

#[test]
fn what_a_killed_process_left_behind_is_no_part_of_the_next_archive() {
    let (_guard, path) = written();
    let left = path.with_file_name(".x.tar.transship/blobs/sha256");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join(Digest::sha256(b"half").hex()), b"ha").unwrap();
    fs::write(path.with_file_name(".x.tar.transship/lock"), b"").unwrap();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"two");
    archive.finish().unwrap();
    assert_eq!(read(&Archive::open(&path).unwrap(), b"half"), None);
    assert_eq!(beside(&path), ["x.tar"]);
}

#[cfg(unix)]
#[test]
fn a_link_where_the_spool_belongs_is_refused_and_what_it_leads_to_stays() {
    let (_guard, path) = written();
    let home = path.with_file_name("home");
    fs::create_dir(&home).unwrap();
    for name in ["blobs", "index.json", "letter"] {
        fs::write(home.join(name), b"theirs").unwrap();
    }
    let spool = path.with_file_name(".x.tar.transship");
    std::os::unix::fs::symlink("home", &spool).unwrap();
    let archive = Archive::open_or_create(&path).unwrap();
    let refused = archive.write_blob(&Digest::sha256(b"x"), b"x").unwrap_err();
    let told = format!(
        "{} is not a directory but a link or another kind of file",
        spool.display()
    );
    assert_eq!(refused.to_string(), told);
    drop(archive);
    assert_eq!(beside(&home.join("letter")), ["blobs", "index.json", "letter"]);
    assert!(fs::symlink_metadata(&spool).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn a_link_where_the_lock_belongs_is_refused() {
    let (_guard, path) = written();
    let spool = path.with_file_name(".x.tar.transship");
    fs::create_dir(&spool).unwrap();
    for target in ["x.tar", "missing"] {
        std::os::unix::fs::symlink(path.with_file_name(target), spool.join("lock")).unwrap();
        let archive = Archive::open_or_create(&path).unwrap();
        let refused = archive.write_blob(&Digest::sha256(b"x"), b"x").unwrap_err();
        assert!(matches!(refused, LayoutError::Kind { .. }), "{refused}");
        assert!(!path.with_file_name("missing").exists());
        fs::remove_file(spool.join("lock")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_the_spools_own_stays_and_links_in_it_are_not_followed() {
    let (_guard, path) = written();
    let spool = path.with_file_name(".x.tar.transship");
    let home = path.with_file_name("home");
    fs::create_dir(&spool).unwrap();
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter"), b"theirs").unwrap();
    fs::write(spool.join("note"), b"theirs").unwrap();
    std::os::unix::fs::symlink(&home, spool.join("blobs")).unwrap();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"two");
    archive.finish().unwrap();
    drop(archive);
    assert_eq!(tags(&path), ["v1", "v2"]);
    assert_eq!(beside(&home.join("letter")), ["letter"]);
    assert_eq!(beside(&spool.join("note")), ["note"]);
}

#[cfg(unix)]
#[test]
fn what_is_being_written_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"two");
    let spool = fs::metadata(path.with_file_name(".x.tar.transship")).unwrap();
    assert_eq!(spool.permissions().mode() & 0o777, 0o700);
}

#[cfg(unix)]
#[test]
fn a_new_archive_has_the_mode_that_new_files_have() {
    use std::os::unix::fs::PermissionsExt;
    let (_guard, path) = written();
    let other = path.with_file_name("other");
    fs::write(&other, b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&other));
}

#[cfg(unix)]
#[test]
fn an_extended_archive_keeps_its_owner_and_its_mode_where_that_is_allowed() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (_guard, path) = written();
    // Nobody but root gives files away.
    let given = chown(&path, Some(12345), Some(54321)).is_ok();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o2750)).unwrap();
    let before = fs::metadata(&path).unwrap();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"two");
    archive.finish().unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_ne!(after.ino(), before.ino());
    assert_eq!(
        (after.uid(), after.gid(), after.mode()),
        (before.uid(), before.gid(), before.mode()),
        "{given}"
    );
}

#[test]
fn nothing_new_leaves_the_file_alone() {
    let (_guard, path) = written();
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let archive = Archive::open_or_create(&path).unwrap();
    archive.finish().unwrap();
    assert!(!archive.untag(None, &tag("none")).unwrap());
    archive.finish().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert_eq!(beside(&path), ["x.tar"]);
}

#[test]
fn an_archive_has_one_writer() {
    let (_guard, path) = written();
    let (one, two) = (
        Archive::open_or_create(&path).unwrap(),
        Archive::open_or_create(&path).unwrap(),
    );
    put(&one, "v2", b"two");
    let busy = two.write_blob(&Digest::sha256(b"x"), b"x").unwrap_err();
    assert!(matches!(busy, LayoutError::Busy { .. }), "{busy}");
    one.finish().unwrap();
    // What the first has done by then is not lost.
    put(&two, "v3", b"three");
    two.finish().unwrap();
    assert_eq!(tags(&path), ["v1", "v2", "v3"]);
}

#[test]
fn an_archive_that_somebody_else_changes_in_the_meantime_is_left() {
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    put(&archive, "v2", b"two");
    fs::write(&path, b"somebody else's").unwrap();
    let lost = archive.finish().unwrap_err();
    assert!(is_changed(&lost), "{lost:?}");
    assert_eq!(lost.hint().as_deref(), Some("run it again"));
    assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
    assert_eq!(beside(&path), ["x.tar"]);
}

/// Tells whether what was written is lost because another program changed the archive.
fn is_changed(error: &LayoutError) -> bool {
    matches!(error, LayoutError::Lost { source, .. } if matches!(**source, LayoutError::Changed { .. }))
}

#[test]
fn everyone_who_shares_an_archive_is_told_that_it_could_not_be_made() {
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    let other = archive.clone();
    put(&archive, "v2", b"two");
    put(&other, "v3", b"three");
    fs::write(&path, b"somebody else's").unwrap();
    let written = |archive: &Archive| archive.write_blob(&Digest::sha256(b"x"), b"x");
    for told in [
        archive.finish(),
        other.finish(),
        written(&other),
        archive.finish(),
    ] {
        assert!(told.as_ref().is_err_and(is_changed), "{told:?}");
    }
    assert_eq!(beside(&path), ["x.tar"]);
}

#[test]
fn an_archive_that_lacks_what_it_held_is_not_the_one_that_was_looked_at() {
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    let (_other, replacement) = Tarball::new().layout(&[]).blob(b"two").done();
    fs::copy(replacement, &path).unwrap();
    let before = fs::read(&path).unwrap();
    for _ in 0..2 {
        let refused = archive.write_blob(&Digest::sha256(b"x"), b"x").unwrap_err();
        assert!(matches!(refused, LayoutError::Changed { .. }), "{refused}");
    }
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(beside(&path), ["x.tar"]);
}

#[test]
fn what_has_become_no_archive_in_the_meantime_is_not_written() {
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    fs::write(&path, b"somebody else's").unwrap();
    let refused = archive.write_blob(&Digest::sha256(b"x"), b"x").unwrap_err();
    assert!(matches!(refused, LayoutError::Tar { .. }), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
    assert_eq!(beside(&path), ["x.tar"]);
}

#[test]
fn many_write_at_once_and_all_of_it_lands() {
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let archive = archive.clone();
            scope.spawn(move || put(&archive, &format!("w{writer}"), &[writer; 1000]));
        }
    });
    archive.finish().unwrap();
    assert_eq!(tags(&path).len(), 9);
    let archive = Archive::open(&path).unwrap();
    assert!((0..8_u8).all(|writer| read(&archive, &[writer; 1000]).is_some()));
}

#[test]
fn deleting_takes_entries_away_and_leaves_blobs() {
    let (_guard, path) = written();
    let archive = Archive::open(&path).unwrap();
    assert!(archive.untag(Some(&repository("app")), &tag("v1")).unwrap());
    archive.finish().unwrap();
    assert!(tags(&path).is_empty());
    assert_eq!(read(&Archive::open(&path).unwrap(), b"one").unwrap(), b"one");
}

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

#[cfg(unix)]
#[test]
fn an_archive_behind_a_link_is_replaced_where_it_stands_and_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let (_guard, path) = written();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = path.with_file_name("link.tar");
    std::os::unix::fs::symlink("x.tar", &link).unwrap();
    let archive = Archive::open_or_create(&link).unwrap();
    put(&archive, "v2", b"two");
    archive.finish().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(tags(&path), ["v1", "v2"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn an_entry_without_a_tag_comes_after_those_with_one() {
    let (_guard, path) = written();
    let archive = Archive::open_or_create(&path).unwrap();
    archive
        .add_untagged(Some(&repository("a")), &manifest("child"))
        .unwrap();
    archive.finish().unwrap();
    let entries = Archive::open(&path).unwrap().entries().unwrap();
    assert!(entries[0].tag.is_some() && entries[1].tag.is_none());
    assert!(
        archive
            .forget(Some(&repository("a")), &manifest("child").digest)
            .unwrap()
    );
    archive.finish().unwrap();
    assert_eq!(Archive::open(&path).unwrap().entries().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_to_what_is_missing_stays_one_and_the_archive_is_made_where_it_leads() {
    let directory = tempfile::TempDir::new().unwrap();
    fs::create_dir(directory.path().join("links")).unwrap();
    let link = directory.path().join("links/x.tar");
    std::os::unix::fs::symlink("y.tar", &link).unwrap();
    std::os::unix::fs::symlink("../deep/z.tar", directory.path().join("links/y.tar")).unwrap();
    let archive = Archive::open_or_create(&link).unwrap();
    put(&archive, "v1", b"one");
    archive.finish().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        fs::symlink_metadata(directory.path().join("deep/z.tar"))
            .unwrap()
            .is_file()
    );
    assert_eq!(tags(&link), ["v1"]);
}

#[cfg(unix)]
#[test]
fn one_file_has_one_path_though_it_is_missing() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir(root.join("real")).unwrap();
    symlink("real", root.join("other")).unwrap();
    symlink("other/x.tar", root.join("dangling")).unwrap();
    symlink("circle", root.join("circle")).unwrap();
    for spelling in ["real/x.tar", "real/../other/./x.tar", "other/x.tar", "dangling"] {
        assert_eq!(
            settled(&root.join(spelling)),
            root.join("real/x.tar"),
            "{spelling}"
        );
    }
    assert_eq!(
        settled(&root.join("other/deep/x.tar")),
        root.join("real/deep/x.tar")
    );
    assert_eq!(settled(&root.join("circle")), root.join("circle"));
    let here = std::env::current_dir().unwrap().canonicalize().unwrap();
    assert_eq!(settled(Path::new("missing.tar")), here.join("missing.tar"));
}
