//! Tag conditions: what is said about those that can't be.

use insta::assert_snapshot;

use super::{bad, good};

fn with(mirror: &str) -> String {
    format!(
        "version: 1\nregistries: {{ hub: {{ host: docker.io }}, site: {{ host: site.example }} }}\nmirrors:\n{mirror}"
    )
}

/// A mirror of one repository with these tag conditions.
fn tags(conditions: &str) -> String {
    with(&format!(
        "  - from: hub/team/app\n    to: site/app\n    tags: {conditions}\n"
    ))
}

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn digests_stand_alone_in_their_set() {
    assert_snapshot!(bad(&tags(&format!("{{ digests: [\"{DIGEST}\"], semver: \">=3\", created_within: 90d, at_least: 1 }}"))), @r#"
    error: `semver` selects among tags, and `digests` takes none
     --> transship.yaml:6:99
      |
    6 |     tags: { digests: ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], semver: ">=3", created_within: 90d, at_least: 1 }
      |                                                                                                   ^^^^^^
     ::: transship.yaml:6:13
      |
    6 |     tags: { digests: ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], semver: ">=3", created_within: 90d, at_least: 1 }
      |             ^^^^^^^
      |
      = help: write two sets: tags: [{ digests: [...] }, { semver: ... }]

    error: `created_within` selects among tags, and `digests` takes none
     --> transship.yaml:6:114
      |
    6 |     tags: { digests: ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], semver: ">=3", created_within: 90d, at_least: 1 }
      |                                                                                                                  ^^^^^^^^^^^^^^
     ::: transship.yaml:6:13
      |
    6 |     tags: { digests: ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], semver: ">=3", created_within: 90d, at_least: 1 }
      |             ^^^^^^^
      |
      = help: write two sets: tags: [{ digests: [...] }, { created_within: ... }]
    "#);
}

#[test]
fn digests_are_digests() {
    assert_snapshot!(bad(&tags(&format!("{{ digests: [latest, \"sha256:abc\", \"{DIGEST}\", \"{DIGEST}\", [x]] }}"))), @r#"
    error: `latest` is no digest
     --> transship.yaml:6:23
      |
    6 |     tags: { digests: [latest, "sha256:abc", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      |                       ^^^^^^
      |
      = help: tags by name go into `list`

    error: `sha256:abc` is no digest
     --> transship.yaml:6:31
      |
    6 |     tags: { digests: [latest, "sha256:abc", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      |                               ^^^^^^^^^^^^
      |
      = help: sha256 digests have 64 lower-case hexadecimal digits

    error: `sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is named twice
     --> transship.yaml:6:120
      |
    6 | c", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", [x]] }
      |                                                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave one out

    error: expected `digests`, a digest or a list of them, found a list
     --> transship.yaml:6:195
      |
    6 | c", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", [x]] }
      |                                                                                                                                                           ^
      |
      = help: write it as in digests: [sha256:...]
    "#);
    assert_snapshot!(bad(&tags("{ digests: [] }")), @r"
    error: `digests` has no digests
     --> transship.yaml:6:22
      |
    6 |     tags: { digests: [] }
      |                      ^
      |
      = help: leave `digests` out, or name a digest
    ");
}

#[test]
fn no_more_digests_are_asked_for_than_are_named() {
    let with = |least: u64| tags(&format!("{{ digests: \"{DIGEST}\", at_least: {least} }}"));
    assert!(good(&with(1)).mirrors[0].tags[0].is_of_digests());
    assert!(good(&with(0)).mirrors[0].tags[0].is_of_digests());
    assert_snapshot!(bad(&with(2)), @r#"
    error: `at_least` is more than the 1 that `digests` names
     --> transship.yaml:6:107
      |
    6 |     tags: { digests: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", at_least: 2 }
      |                                                                                                           ^
      |
      = help: leave `at_least` out: every digest must exist
    "#);
}

#[test]
fn digests_have_no_tag_at_the_target() {
    let mirror = |to: &str| {
        with(&format!(
            "  - from: hub/team/app\n    to: \"site/app:{to}\"\n    tags: {{ digests: \"{DIGEST}\" }}\n"
        ))
    };
    assert_snapshot!(bad(&mirror("v1")), @r#"
    error: what `digests` takes has no tag, and the target names `v1`
     --> transship.yaml:5:9
      |
    5 |     to: "site/app:v1"
      |         ^^^^^^^^^^^^^
      |
      = help: leave `:v1` out, or name one digest in `from` for one tag at the target
    "#);
    assert_snapshot!(bad(&mirror("{tag}-mirror")), @r#"
    error: what `digests` takes has no tag, and the target names `{tag}-mirror`
     --> transship.yaml:5:9
      |
    5 |     to: "site/app:{tag}-mirror"
      |         ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave `:{tag}-mirror` out, or name one digest in `from` for one tag at the target
    "#);
    let found = with(&format!(
        "  - from: {{ registry: hub, repositories: [\"team/*\"] }}\n    to: \"site/{{name}}:{{tag}}-x\"\n    tags: {{ digests: \"{DIGEST}\" }}\n"
    ));
    assert_snapshot!(bad(&found), @r#"
    error: what `digests` takes has no tag, and the target names `{tag}-x`
     --> transship.yaml:5:9
      |
    5 |     to: "site/{name}:{tag}-x"
      |         ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave `:{tag}-x` out, or name one digest in `from` for one tag at the target
    "#);
}

#[test]
fn digests_beside_a_set_of_tags_leave_the_template_to_the_tags() {
    let spec = good(&with(&format!(
        "  - from: hub/team/app\n    to: \"site/app:{{tag}}-x\"\n    tags: [{{ digests: \"{DIGEST}\" }}, {{ list: v1 }}]\n"
    )));
    let digests = spec.mirrors[0].tags[0].conditions().digests.as_ref();
    assert_eq!(
        digests.map(|digests| digests.iter().map(ToString::to_string).collect()),
        Some(vec![DIGEST.to_owned()])
    );
    assert!(spec.mirrors[0].tags[0].is_of_digests());
}

/// Digests name no tag, so that two sources of them share a repository.
#[test]
fn digests_of_two_sources_do_not_collide() {
    let other = DIGEST.replace("aaaa", "bbbb");
    let spec = good(&with(&format!(
        "  - {{ from: hub/team/app, to: site/all, tags: {{ digests: \"{DIGEST}\" }} }}
  - {{ from: hub/team/api, to: site/all, tags: [{{ digests: \"{other}\" }}, {{ list: v1 }}] }}\n"
    )));
    assert_eq!(spec.mirrors.len(), 2);
}

#[test]
fn an_age_is_a_number_with_a_unit() {
    for age in ["90s", "90m", "36h", "90d", "2w", "\"90d\"", "\"${AGE:-7d}\""] {
        let spec = good(&tags(&format!("{{ created_within: {age} }}")));
        assert!(spec.mirrors[0].tags[0].asks_ages(), "{age}");
    }
    for age in ["90", "0d", "90 days", "1.5d", "-1d", "1y", "d", "P90D"] {
        assert_eq!(
            bad(&tags(&format!("{{ created_within: {age} }}"))).len(),
            1,
            "{age}"
        );
    }
    assert_snapshot!(bad(&tags("{ created_within: 3 months }")), @r"
    error: `3 months` is no time
     --> transship.yaml:6:29
      |
    6 |     tags: { created_within: 3 months }
      |                             ^^^^^^^^
      |
      = help: a time is a whole number with s, m, h, d or w, such as 90d
    ");
    assert_snapshot!(bad(&tags("{ created_within: { days: 3 } }")), @r"
    error: expected `created_within`, a time, found a map
     --> transship.yaml:6:29
      |
    6 |     tags: { created_within: { days: 3 } }
      |                             ^
      |
      = help: write it as in created_within: 90d
    ");
}

/// What is written decides what is wanted; the same time in another unit is no change.
#[test]
fn ages_and_digests_are_part_of_what_is_wanted() {
    let digest = |conditions: &str| good(&tags(conditions)).digest;
    assert_eq!(digest("{ created_within: 7d }"), digest("{ created_within: 1w }"));
    assert_ne!(digest("{ created_within: 7d }"), digest("{ created_within: 8d }"));
    assert_ne!(digest("{ created_within: 7d }"), digest("{ include: \"*\" }"));
    assert_ne!(
        digest(&format!("{{ digests: \"{DIGEST}\" }}")),
        digest("{ list: v1 }")
    );
}
