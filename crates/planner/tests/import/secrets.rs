//! No secret of a file is ever written again.

use transship_planner::import::{Destination, ForeignFile, Format, Kind, import};

use super::{imported, notes};

/// Files with `hunter2` wherever a secret may stand, and the variables that take their place.
const FILES: [(Format, &str, &[&str]); 4] = [
    (
        Format::SkopeoSync,
        "a.io: { credentials: { username: u, password: hunter2, pasword: hunter2 }, images: { x: [y] } }\nu:hunter2@b.io: { images: { x: [y] } }\n",
        &["A_IO_PASSWORD"],
    ),
    (
        Format::Regsync,
        "creds:\n  - { registry: a.io, user: u, pass: hunter2 }\n  - { registry: b.io, token: hunter2 }\n  - { registry: c.io, clientKey: hunter2 }\n  - { registry: d.io, user: u, pass: 'x{{env \"Y\"}}hunter2' }\n  - { registry: e.io, password: hunter2 }\nsync:\n  - { source: 'u:hunter2@a.io/x', target: b.io/x, type: image }\n  - { source: a.io/x, target: 'u:hunter2@b.io/{{env \"X\"}}', type: image }\n",
        &["A_IO_PASSWORD", "B_IO_PASSWORD", "D_IO_PASSWORD"],
    ),
    (
        Format::ImageSyncer,
        "a.io: { username: u, password: hunter2, passwd: hunter2 }\na.io/b: { username: u, password: hunter2-too }\na.io/c: { username: u, password: hunter2 }\nu:hunter2@a.io/x: b.io/x\n",
        &["A_IO_PASSWORD", "A_IO_2_PASSWORD"],
    ),
    (
        Format::Dregsy,
        // The password is hunter2, and the second is no base64 at all.
        "tasks:\n  - name: t\n    source: { registry: a.io, auth: eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6Imh1bnRlcjIifQ== }\n    target: { registry: b.io, auth: hunter2 }\n    mappings: [{ from: x }]\n",
        &["A_IO_PASSWORD"],
    ),
];

#[test]
fn secrets_become_references_and_the_report_says_which() {
    for (format, text, variables) in FILES {
        let imported = imported(format, &[("f.yaml", text)], &Destination::default());
        let all = format!("{}{}{imported:?}", imported.text, imported.report);
        assert!(!all.contains("hunter2"), "{format}: {all}");
        assert!(!all.contains("aHVudGVyMg"), "{format}: {all}");
        assert!(!all.contains("Imh1bnRlcjIi"), "{format}: {all}");
        for variable in variables {
            assert!(
                imported.text.contains(&format!("{{ env: {variable} }}")),
                "{}",
                imported.text
            );
            let told = notes(&imported, Kind::ToDo);
            assert!(
                told.iter().any(|note| note.contains(&format!("set {variable} "))),
                "{told:?}"
            );
        }
    }
}

#[test]
fn a_broken_file_shows_no_secret_either() {
    for (format, text, _) in FILES {
        for broken in [
            format!("{text}  - [\n"),
            format!("{text}tasks: x\nsync: x\nauth: x\nz.io: [{{]\n"),
        ] {
            let file = ForeignFile {
                name: "f.yaml",
                text: &broken,
            };
            let Err(problems) = import(format, &[file], &Destination::default()) else {
                continue;
            };
            let told: String = problems.iter().map(ToString::to_string).collect();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
