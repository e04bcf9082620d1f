//! Several writers at once.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use oci::Digest;
use transship_layout::Layout;

use crate::common::{manifest, names, new_layout, repository, tag};

const WRITERS: usize = 8;
const TAGS: usize = 12;

/// Runs `write` in every writer at once, each with a handle of its own as another process would have.
fn at_once(layout: &Layout, write: impl Fn(usize, &Layout) + Sync) {
    let barrier = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (barrier, write) = (&barrier, &write);
            scope.spawn(move || {
                let own = Layout::open(layout.path()).unwrap();
                barrier.wait();
                write(writer, &own);
            });
        }
    });
}

#[test]
fn tags_set_by_eight_writers_at_once_all_stand() {
    let (_guard, layout) = new_layout();
    let app = repository("app");
    at_once(&layout, |writer, layout| {
        for number in 0..TAGS {
            let name = format!("v{writer}.{number}");
            layout.tag(Some(&app), &tag(&name), &manifest(&name)).unwrap();
        }
    });
    assert_eq!(layout.tags(Some(&app)).unwrap().len(), WRITERS * TAGS);
    for entry in layout.entries().unwrap() {
        assert_eq!(entry.descriptor, manifest(entry.tag.unwrap().as_str()));
    }
    assert_eq!(names(&layout), ["blobs", "index.json", "oci-layout"]);
}

#[test]
fn one_tag_set_by_eight_writers_at_once_stands_once() {
    let (_guard, layout) = new_layout();
    at_once(&layout, |writer, layout| {
        layout
            .tag(None, &tag("latest"), &manifest(&writer.to_string()))
            .unwrap();
        layout.add_untagged(None, &manifest("shared")).unwrap();
    });
    let entries = layout.entries().unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(layout.resolve(None, &tag("latest")).unwrap().is_some());
}

#[test]
fn a_reader_never_sees_half_an_index_or_a_missing_blob() {
    let (_guard, layout) = new_layout();
    let digest = Digest::sha256(b"shared");
    layout.write_blob(&digest, b"shared").unwrap();
    layout.tag(None, &tag("latest"), &manifest("first")).unwrap();
    at_once(&layout, |writer, layout| {
        for number in 0..TAGS {
            if writer % 2 == 0 {
                layout.write_blob(&digest, b"shared").unwrap();
                layout
                    .tag(None, &tag("latest"), &manifest(&format!("{writer} {number}")))
                    .unwrap();
            } else {
                assert_eq!(
                    layout.read_blob(&digest, 100).unwrap().unwrap(),
                    b"shared".as_slice()
                );
                assert_eq!(layout.tags(None).unwrap(), BTreeSet::from([tag("latest")]));
            }
        }
    });
    assert_eq!(layout.entries().unwrap().len(), 1);
}

#[test]
fn a_layout_created_by_eight_writers_at_once_keeps_what_each_adds() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("deep/mirror");
    let barrier = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (barrier, path) = (&barrier, &path);
            scope.spawn(move || {
                barrier.wait();
                let layout = Layout::open_or_create(path).unwrap();
                layout
                    .tag(None, &tag(&format!("v{writer}")), &manifest("a"))
                    .unwrap();
            });
        }
    });
    assert_eq!(Layout::open(&path).unwrap().tags(None).unwrap().len(), WRITERS);
}
