//! Layouts in tar files, read and written.

use std::fs;
use std::io::Read;
use std::path::Path;

use oci::Digest;
use transship_layout::{Archive, LayoutError, Store, settled};

use crate::common::{manifest, repository, tag};
use crate::tarball::{Tarball, beside, entry, members};

const LIMIT: usize = 1 << 20;

/// Writes a blob and a tag at it.
pub(crate) fn put(archive: &Archive, name: &str, bytes: &[u8]) {
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

pub(crate) fn read(archive: &Archive, bytes: &[u8]) -> Option<Vec<u8>> {
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
