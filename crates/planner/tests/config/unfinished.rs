//! What the contract promises and this build lacks.

use insta::assert_snapshot;

use super::bad;

const UNFINISHED: &str = r#"
version: 1
registries:
  hub: { host: docker.io }
  usb: { layout: /media/usb.tar }
defaults:
  to: "site.example/{repository}"
mirrors:
  - from: hub/a/three
    platforms: [linux/amd64, linux/arm64/v8]
    index: sparse
  - from: hub/a/four
    referrers: { artifact_types: [application/spdx+json] }
  - from: oci:/media/usb:app:v1
"#;

#[test]
fn promised_keys_are_known_and_told_apart_from_errors() {
    let problems = bad(UNFINISHED);
    assert_snapshot!(problems, @r#"
    error: a layout in a tar file is not implemented yet
     --> transship.yaml:5:18
      |
    5 |   usb: { layout: /media/usb.tar }
      |                  ^^^^^^^^^^^^^^
      |
      = help: name a directory, without .tar

    error: a list of `platforms` is not implemented yet
      --> transship.yaml:10:5
       |
    10 |     platforms: [linux/amd64, linux/arm64/v8]
       |     ^^^^^^^^^
       |
       = help: leave it out; every platform of an index is copied

    error: `index: sparse` is not implemented yet
      --> transship.yaml:11:12
       |
    11 |     index: sparse
       |            ^^^^^^
       |
       = help: leave it out; every platform of an index is copied

    error: `artifact_types` is not implemented yet
      --> transship.yaml:13:18
       |
    13 |     referrers: { artifact_types: [application/spdx+json] }
       |                  ^^^^^^^^^^^^^^
       |
       = help: `referrers: all` takes every attachment

    error: `oci:` in a configuration is not implemented yet
      --> transship.yaml:14:11
       |
    14 |   - from: oci:/media/usb:app:v1
       |           ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: declare it: registries: { usb: { layout: PATH } }, and start with `usb/`
    "#);
    assert!(problems.only_unimplemented());
}

#[test]
fn an_error_beside_them_outweighs_them() {
    let problems = bad(&format!("{UNFINISHED}    on_chnge: keep\n"));
    assert!(!problems.only_unimplemented());
    let platforms =
        bad("version: 1\nmirrors:\n  - { from: quay.io/a/b, to: site.example/b, platforms: [linux] }\n");
    assert!(!platforms.only_unimplemented());
    assert_eq!(platforms.len(), 3);
}
