//! What the contract promises and this build lacks.

use insta::assert_snapshot;

use super::bad;

const UNFINISHED: &str = r#"
version: 1
registries:
  hub: { host: docker.io }
  usb: { layout: /media/usb }
defaults:
  to: "site.example/{repository}"
mirrors:
  - from: oci:/media/usb:app:v1
"#;

#[test]
fn promised_keys_are_known_and_told_apart_from_errors() {
    let problems = bad(UNFINISHED);
    assert_snapshot!(problems, @r"
    error: `oci:` in a configuration is not implemented yet
     --> transship.yaml:9:11
      |
    9 |   - from: oci:/media/usb:app:v1
      |           ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: declare it: registries: { usb: { layout: PATH } }, and start with `usb/`
    ");
    assert!(problems.only_unimplemented());
}

#[test]
fn an_error_beside_them_outweighs_them() {
    let problems = bad(&format!("{UNFINISHED}    on_chnge: keep\n"));
    assert!(!problems.only_unimplemented());
}
