//! Broken configurations, and the whole of what is said about them.

use insta::assert_snapshot;

use super::bad;

const HEAD: &str = "version: 1\nregistries:\n  hub: { host: docker.io }\n  site: { host: site.example }\n";

fn told(text: &str) -> String {
    bad(text).to_string()
}

fn with(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

#[test]
fn an_unknown_key_is_told_with_the_one_that_was_meant() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    tags:\n      semvr: \">=3\"\n")), @r#"
    error: unknown key `semvr`
     --> transship.yaml:9:7
      |
    9 |       semvr: ">=3"
      |       ^^^^^ did you mean `semver`?
    "#);
}

#[test]
fn keys_that_belong_elsewhere_are_sent_there() {
    assert_snapshot!(bad("version: 1\nregistries:\n  hub: { host: docker.io, username: me }\nmirrors:\n  - from: hub/library/alpine\n    to: site.example/alpine\n    semver: \">=3\"\n    banana: yes\n"), @r#"
    error: unknown key `username`
     --> transship.yaml:3:27
      |
    3 |   hub: { host: docker.io, username: me }
      |                           ^^^^^^^^
      |
      = help: `username` belongs under `auth`

    error: unknown key `semver`
     --> transship.yaml:7:5
      |
    7 |     semver: ">=3"
      |     ^^^^^^
      |
      = help: `semver` belongs under `tags`

    error: unknown key `banana`
     --> transship.yaml:8:5
      |
    8 |     banana: yes
      |     ^^^^^^
      |
      = help: a mirror has the keys name, from, to, tags, platforms, index, referrers, on_change, check, foreign_layers
    "#);
}

#[test]
fn defaults_are_checked_where_every_mirror_has_its_own() {
    assert_snapshot!(bad(&with("defaults: { to: nowhere/x, check: tag }\nmirrors:\n  - { from: hub/library/alpine, to: site/alpine, check: tags }\n")), @r"
    error: `nowhere` is neither declared under `registries` nor a host
     --> transship.yaml:5:17
      |
    5 | defaults: { to: nowhere/x, check: tag }
      |                 ^^^^^^^^^
      |
      = help: a reference starts with a declared name, or with a host such as docker.io or localhost:5000

    error: unknown value of `check`
     --> transship.yaml:5:35
      |
    5 | defaults: { to: nowhere/x, check: tag }
      |                                   ^^^ did you mean `tags`?
    ");
    let used = bad(&with(
        "defaults: { to: nowhere/x }\nmirrors:\n  - { from: hub/library/alpine }\n",
    ));
    assert_eq!(used.len(), 1, "told once: {used}");
}

#[test]
fn a_duplicate_key_is_told_with_both_places() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    from: hub/library/redis\n")), @r#"
    error: the key `from` stands twice in this map
     --> transship.yaml:8:5
      |
    8 |     from: hub/library/redis
      |     ^^^^
     ::: transship.yaml:6:5
      |
    6 |   - from: hub/library/alpine
      |     ^^^^
      |
      = help: leave one out
    "#);
}

#[test]
fn missing_keys_point_at_the_map_that_lacks_them() {
    assert_snapshot!(bad("registries:\n  hub:\n    plain_http: true\n  site: {}\nmirrors:\n  - to: site/alpine\n  - { from: hub/library/alpine }\n"), @r#"
    error: `version` is missing
     --> transship.yaml:1:1
      |
    1 | registries:
      | ^^^^^^^^^^
      |
      = help: start with `version: 1`

    error: registry `hub` has neither `host` nor `layout`
     --> transship.yaml:3:5
      |
    3 |     plain_http: true
      |     ^^^^^^^^^^
      |
      = help: add host: HOST, or layout: PATH

    error: registry `site` has neither `host` nor `layout`
     --> transship.yaml:4:3
      |
    4 |   site: {}
      |   ^^^^
      |
      = help: add host: HOST, or layout: PATH

    error: this mirror has no `from`
     --> transship.yaml:6:5
      |
    6 |   - to: site/alpine
      |     ^^
      |
      = help: add from: REGISTRY/REPOSITORY

    error: this mirror has no `to`
     --> transship.yaml:7:5
      |
    7 |   - { from: hub/library/alpine }
      |     ^
      |
      = help: add one here, or one for all under `defaults`
    "#);
}

#[test]
fn a_file_without_anything_is_told() {
    assert_snapshot!(bad("# nothing\n"), @r#"
    error: the file is empty
     --> transship.yaml:1:1
      |
    1 | # nothing
      | ^
      |
      = help: `transship init` writes one to start from
    "#);
}

#[test]
fn a_file_without_mirrors_is_told() {
    assert_snapshot!(bad("version: 2\n"), @r#"
    error: `mirrors` is missing
     --> transship.yaml:1:1
      |
    1 | version: 2
      | ^^^^^^^
      |
      = help: add mirrors: [{ from: SOURCE, to: TARGET }]

    error: version 2 of the configuration is not known
     --> transship.yaml:1:10
      |
    1 | version: 2
      |          ^
      |
      = help: there is `version: 1`
    "#);
}

#[test]
fn bad_patterns_and_ranges_are_told_all_at_once() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    tags:\n      - regex: \"v(\"\n        exclude: [\"a[\", ok]\n        semver: \">=three\"\n      - list: [\"3.*\", latest, latest]\n      - latest: 0\n        at_least: -1\n      - prerelease: true\n      - semver: \">=1.0.0-rc.1\"\n")), @r#"
    error: `v(` is not a regular expression: unclosed group
     --> transship.yaml:9:16
      |
    9 |       - regex: "v("
      |                ^^^^
      |
      = help: a backslash makes a sign plain, as in v1\.\d+ and \(

    error: `a[` is not a glob: unclosed character class; missing ']'
      --> transship.yaml:10:19
       |
    10 |         exclude: ["a[", ok]
       |                   ^^^^
       |
       = help: globs read as in 3.*, v?.1 and {a,b}-[0-9]; a backslash makes a sign plain

    error: `>=three` is not a range of versions: `three` is not a version, such as 1.2.3, 1.2, 1.x or 1.2.3-rc.1
      --> transship.yaml:11:17
       |
    11 |         semver: ">=three"
       |                 ^^^^^^^^^
       |
       = help: ranges read as in >=3.19, <4 and ^1.2 || ~2.3 and 1.x

    error: `3.*` is no tag
      --> transship.yaml:12:16
       |
    12 |       - list: ["3.*", latest, latest]
       |                ^^^^^
       |
       = help: globs go into `include`

    error: `latest` is listed twice
      --> transship.yaml:12:31
       |
    12 |       - list: ["3.*", latest, latest]
       |                               ^^^^^^
       |
       = help: leave one out

    error: expected `latest`, a whole number from 1
      --> transship.yaml:13:17
       |
    13 |       - latest: 0
       |                 ^
       |
       = help: write it in digits, as in latest: 1

    error: expected `at_least`, a whole number from 0
      --> transship.yaml:14:19
       |
    14 |         at_least: -1
       |                   ^^
       |
       = help: write it in digits, as in at_least: 1

    error: `prerelease` has no effect without `semver` or `latest`
      --> transship.yaml:15:9
       |
    15 |       - prerelease: true
       |         ^^^^^^^^^^
       |
       = help: semver: "*" takes every version

    error: the range names a prerelease, and prereleases are left out
      --> transship.yaml:16:17
       |
    16 |       - semver: ">=1.0.0-rc.1"
       |                 ^^^^^^^^^^^^^^
       |
       = help: add `prerelease: true`
    "#);
}

#[test]
fn an_unknown_registry_is_told_with_the_one_that_was_meant() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hubb/library/alpine\n    to: [sit/alpine, nowhere/alpine]\n  - from: alpine\n    to: site\n")), @r#"
    error: `hubb` is neither declared under `registries` nor a host
     --> transship.yaml:6:11
      |
    6 |   - from: hubb/library/alpine
      |           ^^^^^^^^^^^^^^^^^^^ did you mean `hub`?

    error: `sit` is neither declared under `registries` nor a host
     --> transship.yaml:7:10
      |
    7 |     to: [sit/alpine, nowhere/alpine]
      |          ^^^^^^^^^^ did you mean `site`?

    error: `nowhere` is neither declared under `registries` nor a host
     --> transship.yaml:7:22
      |
    7 |     to: [sit/alpine, nowhere/alpine]
      |                      ^^^^^^^^^^^^^^
      |
      = help: a reference starts with a declared name, or with a host such as docker.io or localhost:5000

    error: `alpine` is neither declared under `registries` nor a host
     --> transship.yaml:8:11
      |
    8 |   - from: alpine
      |           ^^^^^^
      |
      = help: a reference starts with a declared name, or with a host such as docker.io or localhost:5000
    "#);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    let problems = bad(
        "version: 1\nregistries:\n  site:\n    host: site.example\n    auth: { username: mirror, password: hunter2 }\n  other:\n    host: other.example\n    auth:\n      token: \"s3cr3t\"\nmirrors: []\n",
    );
    assert_snapshot!(problems, @r#"
    error: `password` stands in the configuration itself
     --> transship.yaml:5:41
      |
    5 |     auth: { username: ***, password: *** }
      |                                      ^^^
      |
      = help: name where it stands: password: { env: NAME } or password: { file: PATH }, and change the secret

    error: `token` stands in the configuration itself
     --> transship.yaml:9:14
      |
    9 |       token: ***
      |              ^^^
      |
      = help: name where it stands: token: { env: NAME } or token: { file: PATH }, and change the secret
    "#);
}

#[test]
fn an_unquoted_placeholder_is_told_to_be_quoted() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: {name}\n  - from: hub/library/redis\n    to: [{name}]\n")), @r#"
    error: expected a target, found a map
     --> transship.yaml:7:9
      |
    7 |     to: {name}
      |         ^
      |
      = help: YAML reads {name} as a map; quote it: "{name}"

    error: expected a target, found a map
     --> transship.yaml:9:10
      |
    9 |     to: [{name}]
      |          ^
      |
      = help: YAML reads {name} as a map; quote it: "{name}"
    "#);
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: [site/{name}]\n")), @r#"
    error: not YAML: while parsing a flow sequence, expected ',' or ']'
     --> transship.yaml:7:15
      |
    7 |     to: [site/{name}]
      |               ^
      |
      = help: quote text that holds `{` or `}`: "base/{name}"
    "#);
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: {name}/site\n")), @r#"
    error: not YAML: while parsing a block mapping, did not find expected key
     --> transship.yaml:7:15
      |
    7 |     to: {name}/site
      |               ^
      |
      = help: quote text that holds `{` or `}`: "base/{name}"
    "#);
}

#[test]
fn broken_templates_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to:\n      - site/{nam}\n      - site/{tag}/x\n      - site/{name\n      - site/x:{tag}-{name}\n      - site/x:stable\n      - site/x@sha256:abc\n      - site/Big\n      - site/x:bad!\n")), @r#"
    error: unknown placeholder `{nam}`
     --> transship.yaml:8:9
      |
    8 |       - site/{nam}
      |         ^^^^^^^^^^ did you mean `{name}`?

    error: `{tag}` only stands behind the last `:`
     --> transship.yaml:9:9
      |
    9 |       - site/{tag}/x
      |         ^^^^^^^^^^^^
      |
      = help: there are {host}, {repository} and {name}, and {tag} behind the `:`

    error: `{` without its `}`
      --> transship.yaml:10:9
       |
    10 |       - site/{name
       |         ^^^^^^^^^^
       |
       = help: there are {host}, {repository} and {name}, and {tag} behind the `:`

    error: `{tag}-{name}` has a placeholder other than one `{tag}`
      --> transship.yaml:11:9
       |
    11 |       - site/x:{tag}-{name}
       |         ^^^^^^^^^^^^^^^^^^^
       |
       = help: write it as in ":{tag}-mirror"

    error: every tag of the source would become `stable`
      --> transship.yaml:12:9
       |
    12 |       - site/x:stable
       |         ^^^^^^^^^^^^^
       |
       = help: keep the tags apart: ":{tag}-stable", or pin the source to one tag

    error: a target has no digest
      --> transship.yaml:13:9
       |
    13 |       - site/x@sha256:abc
       |         ^^^^^^^^^^^^^^^^^
       |
       = help: leave it out; the digest follows from the source

    error: `Big` is no repository of `site`
      --> transship.yaml:14:9
       |
    14 |       - site/Big
       |         ^^^^^^^^
       |
       = help: a repository is lower-case letters, digits, `.`, `_`, `__` or `-` between them, in segments divided by `/`

    error: `bad!` is no tag
      --> transship.yaml:15:9
       |
    15 |       - site/x:bad!
       |         ^^^^^^^^^^^
       |
       = help: a tag is at most 128 letters, digits, `_`, `.` or `-`, and starts with a letter, a digit or `_`
    "#);
}

#[test]
fn a_pinned_source_takes_no_conditions() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine:3.19\n    to: site/alpine\n    tags: { latest: 1 }\n")), @r#"
    error: `tags` selects among tags, and the source names one thing
     --> transship.yaml:8:5
      |
    8 |     tags: { latest: 1 }
      |     ^^^^
     ::: transship.yaml:6:11
      |
    6 |   - from: hub/library/alpine:3.19
      |           ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave out `tags`, or the tag and digest in `from`
    "#);
}

#[test]
fn variables_that_are_not_set_are_told_where_they_stand() {
    assert_snapshot!(bad("version: 1\nregistries:\n  site: { host: \"${SITE}:5000\", plain_http: \"${PLAIN}\" }\nmirrors:\n  - from: quay.io/a/${APP}\n    to: site/${1X}${\n"), @r#"
    error: `${SITE}` is not set in the environment
     --> transship.yaml:3:18
      |
    3 |   site: { host: "${SITE}:5000", plain_http: "${PLAIN}" }
      |                  ^^^^^^^
      |
      = help: set it, or give a default: ${NAME:-default}

    error: `${PLAIN}` is not set in the environment
     --> transship.yaml:3:46
      |
    3 |   site: { host: "${SITE}:5000", plain_http: "${PLAIN}" }
      |                                              ^^^^^^^^
      |
      = help: set it, or give a default: ${NAME:-default}

    error: `${APP}` is not set in the environment
     --> transship.yaml:5:21
      |
    5 |   - from: quay.io/a/${APP}
      |                     ^^^^^^
      |
      = help: set it, or give a default: ${NAME:-default}

    error: `${` without its `}`
     --> transship.yaml:6:9
      |
    6 |     to: site/${1X}${
      |         ^^^^^^^^^^^^
      |
      = help: write $$ for a `$` that starts no variable

    error: `${1X}` does not name a variable: letters, digits and `_`, no digit first
     --> transship.yaml:6:14
      |
    6 |     to: site/${1X}${
      |              ^^^^^
      |
      = help: write $$ for a `$` that starts no variable
    "#);
}

#[test]
fn wrong_types_are_told_with_what_is_expected() {
    assert_snapshot!(bad("version: one\nregistries:\n  hub: docker.io\n  site:\n    host: [a]\n    plain_http: \"true\"\n    tls: ca.pem\n    limits: { concurrency: 0, bandwidth: 20MB }\n    create_repositories: { scan_on_push: 1, tag_mutability: imutable }\ngroups:\n  all: hub\nmirrors:\n  from: hub/a\n"), @r#"
    error: expected `version`, a whole number from 1
     --> transship.yaml:1:10
      |
    1 | version: one
      |          ^^^
      |
      = help: write it in digits, as in version: 1

    error: expected a registry, a map, found text
     --> transship.yaml:3:8
      |
    3 |   hub: docker.io
      |        ^^^^^^^^^
      |
      = help: write hub: { host: HOST }

    error: expected `host`, text, found a list
     --> transship.yaml:5:11
      |
    5 |     host: [a]
      |           ^
      |
      = help: write it as in host: quay.io

    error: expected `plain_http`, true or false, found text in quotes
     --> transship.yaml:6:17
      |
    6 |     plain_http: "true"
      |                 ^^^^^^
      |
      = help: leave out the quotes

    error: expected `tls`, a map, found text
     --> transship.yaml:7:10
      |
    7 |     tls: ca.pem
      |          ^^^^^^
      |
      = help: `tls` has the keys ca, client_cert, client_key

    error: expected `concurrency`, a whole number from 1
     --> transship.yaml:8:28
      |
    8 |     limits: { concurrency: 0, bandwidth: 20MB }
      |                            ^
      |
      = help: write it in digits, as in concurrency: 1

    error: `bandwidth` is no rate
     --> transship.yaml:8:42
      |
    8 |     limits: { concurrency: 0, bandwidth: 20MB }
      |                                          ^^^^
      |
      = help: a bandwidth is a number with B/s, KiB/s, MiB/s, GiB/s, kB/s, MB/s or GB/s, such as 20MiB/s

    error: expected `scan_on_push`, true or false, found text
     --> transship.yaml:9:42
      |
    9 |     create_repositories: { scan_on_push: 1, tag_mutability: imutable }
      |                                          ^
      |
      = help: write scan_on_push: true or scan_on_push: false

    error: unknown value of `tag_mutability`
     --> transship.yaml:9:61
      |
    9 |     create_repositories: { scan_on_push: 1, tag_mutability: imutable }
      |                                                             ^^^^^^^^ did you mean `immutable`?

    error: expected a group, a list, found text
      --> transship.yaml:11:8
       |
    11 |   all: hub
       |        ^^^
       |
       = help: a list stands in brackets or behind dashes: all: [REGISTRY]

    error: expected `mirrors`, a list, found a map
      --> transship.yaml:13:3
       |
    13 |   from: hub/a
       |   ^^^^
       |
       = help: a list stands in brackets or behind dashes: - { from: SOURCE, to: TARGET }
    "#);
}

#[test]
fn words_that_are_none_are_told_with_those_that_are() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    on_change: updat\n    check: everything\n    referrers: some\n    foreign_layers: 1\n    platforms: linux/amd64\n")), @r#"
    error: unknown value of `on_change`
     --> transship.yaml:8:16
      |
    8 |     on_change: updat
      |                ^^^^^ did you mean `update`?

    error: unknown value of `check`
     --> transship.yaml:9:12
      |
    9 |     check: everything
      |            ^^^^^^^^^^
      |
      = help: `check` takes tags, manifests, blobs

    error: unknown value of `referrers`
      --> transship.yaml:10:16
       |
    10 |     referrers: some
       |                ^^^^
       |
       = help: `referrers` takes all, none, or a map: { artifact_types: [application/spdx+json] }

    error: unknown value of `foreign_layers`
      --> transship.yaml:11:21
       |
    11 |     foreign_layers: 1
       |                     ^
       |
       = help: `foreign_layers` takes skip, copy

    error: expected `platforms`, all or a list, found text
      --> transship.yaml:12:16
       |
    12 |     platforms: linux/amd64
       |                ^^^^^^^^^^^
       |
       = help: write platforms: all, or a list in brackets: platforms: [linux/amd64]
    "#);
}

#[test]
fn keys_that_take_more_than_words_say_so() {
    let text = told(&with(
        "mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    platforms: amd64\n    referrers: [application/spdx+json]\n",
    ));
    for help in [
        "`platforms` takes all, or a list in brackets: [linux/amd64]",
        "write referrers: { artifact_types: [application/spdx+json] }, or all, or none",
    ] {
        assert!(text.contains(help), "{text}");
    }
}

#[test]
fn a_group_that_no_version_is_read_from_is_told() {
    let mirror = |tags: &str| {
        format!("mirrors:\n  - {{ from: hub/library/alpine, to: site/alpine, tags: {{ {tags} }} }}\n")
    };
    let text = told(&with(&mirror("regex: '(?<verion>.+)-alpine', latest: 3")));
    assert!(
        text.contains("`latest` reads no group `verion` of a regex"),
        "{text}"
    );
    assert!(text.contains("did you mean `version`?"), "{text}");
    let text = told(&with(&mirror("regex: '(?<flavour>a|b)-.+', semver: '>=1'")));
    assert!(text.contains("it reads the group `version`"), "{text}");
    let text = told(&with(&mirror(
        "regex: ['(?<version>.+)-(?<flavour>a|b)', '[0-9.]+'], latest: 0",
    )));
    assert!(!text.contains("group"), "{text}");
    let text = told(&with(&mirror("regex: '(?<flavour>a|b)-.+', at_least: x")));
    assert!(!text.contains("group"), "{text}");
}
