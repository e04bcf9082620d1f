//! Blobs: reading, writing, and what is refused.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use oci::{Algorithm, Digest};
use transship_layout::{Layout, LayoutError};

use crate::common::{names, new_layout};

fn path(layout: &Layout, digest: &Digest) -> PathBuf {
    layout
        .path()
        .join("blobs")
        .join(digest.algorithm().as_str())
        .join(digest.hex())
}

fn written(layout: &Layout, bytes: &[u8]) -> Digest {
    let digest = Digest::sha256(bytes);
    layout.write_blob(&digest, bytes).unwrap();
    digest
}

#[test]
fn a_blob_reads_back_under_either_algorithm() {
    let (_guard, layout) = new_layout();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        for bytes in [b"".as_slice(), b"content"] {
            let digest = Digest::of(algorithm, bytes);
            assert_eq!(layout.blob_size(&digest).unwrap(), None);
            assert!(layout.open_blob(&digest).unwrap().is_none());
            assert_eq!(layout.read_blob(&digest, 100).unwrap(), None);
            layout.write_blob(&digest, bytes).unwrap();
            assert_eq!(layout.blob_size(&digest).unwrap(), Some(bytes.len() as u64));
            assert_eq!(layout.read_blob(&digest, bytes.len()).unwrap().unwrap(), bytes);
            let mut read = Vec::new();
            layout
                .open_blob(&digest)
                .unwrap()
                .unwrap()
                .read_to_end(&mut read)
                .unwrap();
            assert_eq!(read, bytes);
        }
    }
}

#[test]
fn bytes_of_another_digest_are_not_written() {
    let (_guard, layout) = new_layout();
    let digest = Digest::sha256(b"expected");
    let error = layout.write_blob(&digest, b"other").unwrap_err();
    let LayoutError::Digest { expected, actual, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((expected, actual), (digest.clone(), Digest::sha256(b"other")));
    assert_eq!(layout.blob_size(&digest).unwrap(), None);
}

#[test]
fn a_blob_larger_than_the_limit_is_not_read() {
    let (_guard, layout) = new_layout();
    let digest = written(&layout, b"content");
    let error = layout.read_blob(&digest, 6).unwrap_err();
    assert!(
        matches!(
            error,
            LayoutError::TooLarge {
                size: 7,
                limit: 6,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_damaged_blob_is_an_error_and_writing_it_again_mends_it() {
    let (_guard, layout) = new_layout();
    let digest = written(&layout, b"content");
    fs::write(path(&layout, &digest), b"damaged").unwrap();
    let error = layout.read_blob(&digest, 100).unwrap_err();
    assert_eq!(error.path(), path(&layout, &digest));
    assert!(matches!(error, LayoutError::Digest { .. }));
    written(&layout, b"content");
    assert_eq!(
        layout.read_blob(&digest, 100).unwrap().unwrap(),
        b"content".as_slice()
    );
}

#[test]
fn a_writer_takes_pieces_and_commits_under_either_algorithm() {
    let (_guard, layout) = new_layout();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let mut writer = layout.start_blob().unwrap();
        for piece in ["", "one ", "two ", "three"] {
            writer.write(piece.as_bytes()).unwrap();
        }
        assert_eq!(writer.written(), 13);
        let digest = Digest::of(algorithm, b"one two three");
        assert_eq!(
            layout.blob_size(&digest).unwrap(),
            None,
            "nothing appears before the commit"
        );
        writer.commit(&digest).unwrap();
        assert_eq!(
            layout.read_blob(&digest, 100).unwrap().unwrap(),
            b"one two three".as_slice()
        );
    }
    assert_eq!(names(&layout), ["blobs", "index.json", "oci-layout"]);
}

#[test]
fn a_writer_that_is_dropped_or_refused_leaves_nothing() {
    let (_guard, layout) = new_layout();
    let mut writer = layout.start_blob().unwrap();
    writer.write(b"half").unwrap();
    assert_eq!(names(&layout).len(), 4);
    drop(writer);
    assert_eq!(names(&layout).len(), 3);

    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, b"whole");
        let mut writer = layout.start_blob().unwrap();
        writer.write(b"half").unwrap();
        assert!(matches!(
            writer.commit(&digest).unwrap_err(),
            LayoutError::Digest { .. }
        ));
        assert_eq!(layout.blob_size(&digest).unwrap(), None);
        assert_eq!(names(&layout).len(), 3);
    }
}

#[test]
fn opening_to_write_sweeps_what_a_killed_process_left_and_nothing_else() {
    let (_guard, layout) = new_layout();
    let mut writer = layout.start_blob().unwrap();
    writer.write(b"live").unwrap();
    fs::write(layout.path().join(".transship-1-1.tmp"), b"left").unwrap();
    fs::write(layout.path().join("manifest.json"), b"foreign").unwrap();
    Layout::open_or_create(layout.path()).unwrap();
    let names = names(&layout);
    assert!(!names.contains(&".transship-1-1.tmp".to_owned()), "{names:?}");
    assert!(names.contains(&"manifest.json".to_owned()), "{names:?}");
    writer.commit(&Digest::sha256(b"live")).unwrap();
    assert_eq!(layout.blob_size(&Digest::sha256(b"live")).unwrap(), Some(4));
}

#[test]
fn a_blob_is_removed_once() {
    let (_guard, layout) = new_layout();
    let digest = written(&layout, b"content");
    assert!(layout.remove_blob(&digest).unwrap());
    assert!(!layout.remove_blob(&digest).unwrap());
    assert!(!layout.remove_blob(&Digest::of(Algorithm::Sha512, b"")).unwrap());
    assert_eq!(layout.blob_size(&digest).unwrap(), None);
}

#[test]
fn a_directory_in_a_blobs_place_is_refused() {
    let (_guard, layout) = new_layout();
    let digest = Digest::sha256(b"content");
    fs::create_dir(path(&layout, &digest)).unwrap();
    assert_refused(&layout, &digest, "regular file");
}

fn assert_refused(layout: &Layout, digest: &Digest, kind: &str) {
    let mut writer = layout.start_blob().unwrap();
    writer.write(b"content").unwrap();
    let errors = [
        layout.blob_size(digest).unwrap_err(),
        layout.open_blob(digest).unwrap_err(),
        layout.read_blob(digest, 100).unwrap_err(),
        layout.write_blob(digest, b"content").unwrap_err(),
        layout.remove_blob(digest).unwrap_err(),
        writer.commit(digest).unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, LayoutError::Kind { expected, .. } if *expected == kind),
            "{error}"
        );
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_blob_is_the_owners_alone_until_it_is_committed() {
        let (_guard, layout) = new_layout();
        let writer = layout.start_blob().unwrap();
        let name = names(&layout)
            .into_iter()
            .find(|name| name.starts_with(".transship-"))
            .unwrap();
        assert_eq!(mode(&layout.path().join(name)), 0o600);
        let digest = Digest::sha256(b"");
        writer.commit(&digest).unwrap();
        assert_eq!(mode(&path(&layout, &digest)), 0o644);
        assert_eq!(mode(&layout.path().join("index.json")), 0o644);
    }

    #[test]
    fn a_linked_blob_is_refused_even_where_it_leads_to_the_right_bytes() {
        let (guard, layout) = new_layout();
        let outside = guard.path().join("outside");
        fs::write(&outside, b"content").unwrap();
        let digest = Digest::sha256(b"content");
        symlink(&outside, path(&layout, &digest)).unwrap();
        assert_refused(&layout, &digest, "regular file");
        assert_eq!(fs::read(&outside).unwrap(), b"content");
    }

    #[test]
    fn a_dangling_link_is_refused_too() {
        let (guard, layout) = new_layout();
        let digest = Digest::sha256(b"content");
        symlink(guard.path().join("absent"), path(&layout, &digest)).unwrap();
        assert_refused(&layout, &digest, "regular file");
        assert!(!guard.path().join("absent").exists());
    }

    #[test]
    fn linked_blob_directories_are_refused() {
        for linked in ["blobs", "blobs/sha256"] {
            let (guard, layout) = new_layout();
            let digest = written(&layout, b"content");
            let outside = guard.path().join("outside");
            fs::rename(layout.path().join(linked), &outside).unwrap();
            symlink(&outside, layout.path().join(linked)).unwrap();
            assert_refused(&layout, &digest, "directory");
            assert!(matches!(
                Layout::open_or_create(layout.path()).unwrap_err(),
                LayoutError::Kind { .. }
            ));
        }
    }

    #[test]
    fn linked_files_of_the_layout_are_refused() {
        for linked in ["index.json", "oci-layout"] {
            let (guard, layout) = new_layout();
            let outside = guard.path().join("outside");
            fs::rename(layout.path().join(linked), &outside).unwrap();
            symlink(&outside, layout.path().join(linked)).unwrap();
            for opened in [Layout::open(layout.path()), Layout::open_or_create(layout.path())] {
                assert!(
                    matches!(opened.unwrap_err(), LayoutError::Kind { .. }),
                    "{linked}"
                );
            }
        }
    }

    #[test]
    fn a_layout_may_itself_stand_behind_a_link() {
        let (guard, layout) = new_layout();
        let digest = written(&layout, b"content");
        let link = guard.path().join("link");
        symlink(layout.path(), &link).unwrap();
        assert_eq!(Layout::open(&link).unwrap().blob_size(&digest).unwrap(), Some(7));
    }

    #[test]
    fn a_layout_that_may_not_be_written_can_be_read() {
        let (_guard, layout) = new_layout();
        let digest = written(&layout, b"content");
        for (name, mode) in [("oci-layout", 0o444), ("index.json", 0o444), ("", 0o555)] {
            fs::set_permissions(layout.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let reader = Layout::open(layout.path()).unwrap();
        assert_eq!(reader.entries().unwrap(), []);
        assert_eq!(
            reader.read_blob(&digest, 100).unwrap().unwrap(),
            b"content".as_slice()
        );
        fs::set_permissions(layout.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
