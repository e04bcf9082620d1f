//! Broken configurations, and the whole of what is said about them.

use insta::assert_snapshot;

use super::bad;

const HEAD: &str = "version: 1\nregistries:\n  hub: { host: docker.io }\n  site: { host: site.example }\n";

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
fn two_sources_in_one_repository_are_told_with_both_places() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/base\n  - from: hub/library/redis\n    to: site/base\n")), @r#"
    error: two sources write into `site/base`: `hub/library/alpine` and `hub/library/redis`
     --> transship.yaml:9:9
      |
    9 |     to: site/base
      |         ^^^^^^^^^
     ::: transship.yaml:7:9
      |
    7 |     to: site/base
      |         ^^^^^^^^^
      |
      = help: give one of them another repository, or tags that differ by name (`list`, or a pinned `from`)
    "#);
}

#[test]
fn two_sources_of_one_mirror_in_one_repository_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: [hub/a/app, hub/b/app]\n    to: site/{name}\n")), @r#"
    error: two sources write into `site/app`: `hub/a/app` and `hub/b/app`
     --> transship.yaml:6:23
      |
    6 |   - from: [hub/a/app, hub/b/app]
      |                       ^^^^^^^^^
     ::: transship.yaml:6:12
      |
    6 |   - from: [hub/a/app, hub/b/app]
      |            ^^^^^^^^^
     ::: transship.yaml:7:9
      |
    7 |     to: site/{name}
      |         ^^^^^^^^^^
      |
      = help: `{name}` or `{repository}` in `to` keeps the sources apart
    "#);
}

#[test]
fn listed_tags_that_overlap_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/a/app\n    to: site/app\n    tags: { list: [one, two] }\n  - from: hub/b/app:two\n    to: site/app\n")), @r#"
    error: two sources write into `site/app:two`: `hub/a/app` and `hub/b/app:two`
      --> transship.yaml:10:9
       |
    10 |     to: site/app
       |         ^^^^^^^^
      ::: transship.yaml:7:9
       |
     7 |     to: site/app
       |         ^^^^^^^^
       |
       = help: give one of them another repository, or tags that differ by name (`list`, or a pinned `from`)
    "#);
}

#[test]
fn a_repository_that_is_read_and_written_is_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n  - from: site/alpine\n    to: quay.io/base/alpine\n  - from: hub/a/b\n    to: docker.io/a/b\n")), @r#"
    error: `site/alpine` is read here and written there
     --> transship.yaml:8:11
      |
    8 |   - from: site/alpine
      |           ^^^^^^^^^^^
     ::: transship.yaml:7:9
      |
    7 |     to: site/alpine
      |         ^^^^^^^^^^^
      |
      = help: use one file per stage, or fan out from the first source

    error: `hub/a/b` would be copied to itself
      --> transship.yaml:11:9
       |
    11 |     to: docker.io/a/b
       |         ^^^^^^^^^^^^^
      ::: transship.yaml:10:11
       |
    10 |   - from: hub/a/b
       |           ^^^^^^^
       |
       = help: give the target another repository or registry
    "#);
}

#[test]
fn a_target_that_stands_twice_is_told() {
    assert_snapshot!(bad("version: 1\nregistries:\n  site: { host: site.example }\n  same: { host: site.example }\ngroups:\n  both: [site, same]\nmirrors:\n  - from: quay.io/a/b\n    to: [site/b, same/b]\n  - from: quay.io/a/c\n    to: both/c\n"), @r#"
    error: the target `same/b` stands twice
     --> transship.yaml:9:18
      |
    9 |     to: [site/b, same/b]
      |                  ^^^^^^
     ::: transship.yaml:9:10
      |
    9 |     to: [site/b, same/b]
      |          ^^^^^^
      |
      = help: leave one out

    error: the target `same/c` stands twice
      --> transship.yaml:11:9
       |
    11 |     to: both/c
       |         ^^^^^^
       |
       = help: a group in it reaches one repository by two ways
    "#);
}

#[test]
fn a_host_with_two_declarations_is_told() {
    assert_snapshot!(bad("version: 1\nregistries:\n  one: { host: site.example }\n  two: { host: SITE.example }\nmirrors:\n  - from: site.example/a\n    to: quay.io/b/a\n"), @r#"
    error: `site.example` is declared more than once, as `one` and `two`
     --> transship.yaml:6:11
      |
    6 |   - from: site.example/a
      |           ^^^^^^^^^^^^^^
     ::: transship.yaml:3:3
      |
    3 |   one: { host: site.example }
      |   ^^^
     ::: transship.yaml:4:3
      |
    4 |   two: { host: SITE.example }
      |   ^^^
      |
      = help: name the one that is meant instead of the host
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
       = help: `referrers` takes all, none

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
fn groups_and_registries_share_one_space_of_names() {
    assert_snapshot!(bad(&with("groups:\n  site: [hub]\n  a: [b, nowhere, hub/x:1]\n  b: []\n  c.d: [hub]\nmirrors:\n  - from: a/x\n    to: hub/y/x\n")), @r#"
    error: `site` is a registry's name already
     --> transship.yaml:6:3
      |
    6 |   site: [hub]
      |   ^^^^
     ::: transship.yaml:4:3
      |
    4 |   site: { host: site.example }
      |   ^^^^
      |
      = help: give the group another name

    error: `b` is a group, and groups hold no groups
     --> transship.yaml:7:7
      |
    7 |   a: [b, nowhere, hub/x:1]
      |       ^
      |
      = help: list its registries

    error: `nowhere` is neither declared under `registries` nor a host
     --> transship.yaml:7:10
      |
    7 |   a: [b, nowhere, hub/x:1]
      |          ^^^^^^^
      |
      = help: a reference starts with a declared name, or with a host such as docker.io or localhost:5000

    error: a group's registries have no tag and no digest
     --> transship.yaml:7:19
      |
    7 |   a: [b, nowhere, hub/x:1]
      |                   ^^^^^^^
      |
      = help: write the tag in `to`, as in all/base/{name}:{tag}-copy

    error: group `b` is empty
     --> transship.yaml:8:3
      |
    8 |   b: []
      |   ^
      |
      = help: list registries, or leave the group out

    error: `c.d` can't name a group
     --> transship.yaml:9:3
      |
    9 |   c.d: [hub]
      |   ^^^
      |
      = help: leave out `.`, `:` and `/`

    error: `a` is a group, and a group only stands in `to`
      --> transship.yaml:11:11
       |
    11 |   - from: a/x
       |           ^^^
      ::: transship.yaml:7:3
       |
     7 |   a: [b, nowhere, hub/x:1]
       |   ^
       |
       = help: name one registry
    "#);
}

#[test]
fn hosts_are_checked() {
    assert_snapshot!(bad("version: 1\nregistries:\n  a: { host: \"https://quay.io/\" }\n  b: { host: docker.io/library }\n  c: { host: \"bad host\" }\n  d: { host: x.example, layout: /d }\n  e: { layout: /e, plain_http: true }\n  quay.io: { host: mirror.example }\n  \"no name\": { host: x.example }\n  f: { host: x.example, provider: aws }\n  g: { host: x.example, provider: erc }\nmirrors: []\n"), @r#"
    error: `https://quay.io/` is no host
     --> transship.yaml:3:14
      |
    3 |   a: { host: "https://quay.io/" }
      |              ^^^^^^^^^^^^^^^^^^
      |
      = help: leave out the scheme; `plain_http: true` beside `host` asks over HTTP

    error: `docker.io/library` is no host
     --> transship.yaml:4:14
      |
    4 |   b: { host: docker.io/library }
      |              ^^^^^^^^^^^^^^^^^
      |
      = help: the repository's path belongs into `from` and `to`

    error: `bad host` is no host
     --> transship.yaml:5:14
      |
    5 |   c: { host: "bad host" }
      |              ^^^^^^^^^^
      |
      = help: a host is a DNS name or an address, with `:port` where it is not the usual one

    error: registry `d` has both `host` and `layout`
     --> transship.yaml:6:25
      |
    6 |   d: { host: x.example, layout: /d }
      |                         ^^^^^^
     ::: transship.yaml:6:8
      |
    6 |   d: { host: x.example, layout: /d }
      |        ^^^^
      |
      = help: keep one, or declare two registries

    error: `plain_http` is of no use for a layout
     --> transship.yaml:7:20
      |
    7 |   e: { layout: /e, plain_http: true }
      |                    ^^^^^^^^^^
      |
      = help: leave it out

    error: the name `quay.io` reads as a host, and the registry is another
     --> transship.yaml:8:3
      |
    8 |   quay.io: { host: mirror.example }
      |   ^^^^^^^
      |
      = help: names without `.` and `:` can't be mistaken

    error: `no name` can't name a registry
     --> transship.yaml:9:3
      |
    9 |   "no name": { host: x.example }
      |   ^^^^^^^^^
      |
      = help: a registry's name is letters, digits, `.`, `_`, `-` or `:`, and starts with a letter or a digit

    error: unknown value of `provider`
      --> transship.yaml:10:35
       |
    10 |   f: { host: x.example, provider: aws }
       |                                   ^^^
       |
       = help: `provider` takes ecr, gar, acr, generic

    error: unknown value of `provider`
      --> transship.yaml:11:35
       |
    11 |   g: { host: x.example, provider: erc }
       |                                   ^^^ did you mean `ecr`?
    "#);
}

#[test]
fn ways_to_sign_in_that_contradict_are_told() {
    assert_snapshot!(bad("version: 1\nregistries:\n  a: { host: a.example, auth: { username: me } }\n  b: { host: b.example, auth: { helper: pass, token: { env: T } } }\n  c: { host: c.example, auth: { role_arn: r } }\n  d: { host: d.example, auth: { username: me, password: { env: A, file: b } } }\n  e: { host: e.example, auth: { token: { environment: A } } }\n  f: { host: f.example, auth: [x] }\nmirrors: []\n"), @r#"
    error: `username` without `password`
     --> transship.yaml:3:33
      |
    3 |   a: { host: a.example, auth: { username: *** } }
      |                                 ^^^^^^^^
      |
      = help: add `password` beside it

    error: `token` and `helper` are two ways to sign in
     --> transship.yaml:4:33
      |
    4 |   b: { host: b.example, auth: { helper: ***, token: { env: *** } } }
      |                                 ^^^^^^
     ::: transship.yaml:4:47
      |
    4 |   b: { host: b.example, auth: { helper: ***, token: { env: *** } } }
      |                                              ^^^^^
      |
      = help: keep the one that is meant

    error: `role_arn` is for provider `ecr`, this registry's is `generic`
     --> transship.yaml:5:33
      |
    5 |   c: { host: c.example, auth: { role_arn: *** } }
      |                                 ^^^^^^^^
      |
      = help: where the host does not tell it, say `provider: ecr` beside `host`

    error: `password` takes either `env` or `file`, with text
     --> transship.yaml:6:57
      |
    6 |   d: { host: d.example, auth: { username: ***, password: { env: ***, file: *** } } }
      |                                                          ^
      |
      = help: name where it stands: password: { env: NAME } or password: { file: PATH }

    error: unknown key `environment`
     --> transship.yaml:7:42
      |
    7 |   e: { host: e.example, auth: { token: { environment: *** } } }
      |                                          ^^^^^^^^^^^
      |
      = help: `token` has the keys env, file

    error: expected `auth`, a map, found a list
     --> transship.yaml:8:31
      |
    8 |   f: { host: f.example, auth: [***] }
      |                               ^
      |
      = help: `auth` has the keys anonymous, username, password, token, helper, docker_config, realm, endpoint, profile, role_arn, external_id, region, impersonate, key_file, tenant_id, client_id, client_secret, audience, authority
    "#);
}

#[test]
fn problems_of_defaults_are_told_once() {
    assert_snapshot!(bad(&with("defaults:\n  tags: { semver: nonsense }\n  from: hub/x\nmirrors:\n  - { from: hub/a/a, to: site/a }\n  - { from: hub/a/b, to: site/b }\n")), @r#"
    error: `nonsense` is not a range of versions: `nonsense` is not a version, such as 1.2.3, 1.2, 1.x or 1.2.3-rc.1
     --> transship.yaml:6:19
      |
    6 |   tags: { semver: nonsense }
      |                   ^^^^^^^^
      |
      = help: ranges read as in >=3.19, <4 and ^1.2 || ~2.3 and 1.x

    error: unknown key `from`
     --> transship.yaml:7:3
      |
    7 |   from: hub/x
      |   ^^^^
      |
      = help: `defaults` has the keys name, to, tags, platforms, index, referrers, on_change, check, foreign_layers
    "#);
}

#[test]
fn problems_of_yaml_itself_are_told() {
    assert_snapshot!(bad("version: 1\nmirrors:\n\t- from: x\n"), @r#"
    error: a tab can't stand here
     --> transship.yaml:3:2
      |
    3 |  - from: x
      |  ^
      |
      = help: YAML is indented with spaces
    "#);
    assert_snapshot!(bad("version: 1\nmirrors: [\n"), @r#"
    error: not YAML: unclosed bracket '['
     --> transship.yaml:2:10
      |
    2 | mirrors: [
      |          ^
      |
      = help: look for a bracket, a quote or a comma that is missing or too many
    "#);
    assert_snapshot!(bad("version: 1\nmirrors: []\n---\nversion: 1\n"), @r#"
    error: a second document starts here
     --> transship.yaml:3:1
      |
    3 | ---
      | ^^^
      |
      = help: a configuration is one document; use one file for each
    "#);
    assert_snapshot!(bad("version: 1\nmirrors: *nothing\nx-tag: !secret here\nx-list: &self [*self]\n<<: 3\n[a]: b\n"), @r#"
    error: no anchor of this name stands before this alias
     --> transship.yaml:2:10
      |
    2 | mirrors: *nothing
      |          ^^^^^^^^
      |
      = help: define it above with `&`, or quote text that starts with `*`

    error: the tag of this value, `!` and a name, is not understood
     --> transship.yaml:3:16
      |
    3 | x-tag: !secret here
      |                ^^^^
      |
      = help: leave it out, or quote text that starts with `!`

    error: this alias refers to what it stands in
     --> transship.yaml:4:16
      |
    4 | x-list: &self [*self]
      |                ^^^^^
      |
      = help: write out what is meant

    error: `<<` takes a map or a list of maps, here stands text
     --> transship.yaml:5:1
      |
    5 | <<: 3
      | ^^
      |
      = help: write it as in <<: *name

    error: a key is text, here stands a list
     --> transship.yaml:6:1
      |
    6 | [a]: b
      | ^
      |
      = help: quote text that holds `{` or `}`: "{name}"
    "#);
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut text = String::from("version: 1\nx-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{items}]\n"));
    }
    assert_snapshot!(bad(&text), @r#"
    error: the document has more than 1000000 values, its aliases followed
     --> transship.yaml:7:56
      |
    7 | x-5: &***
      |       ^^^
      |
      = help: split it into several files, or use fewer aliases
    "#);
    let deep = format!("version: 1\nx-deep: {}{}\n", "[".repeat(80), "]".repeat(80));
    assert_snapshot!(bad(&deep), @r#"
    error: nested deeper than 64
     --> transship.yaml:2:72
      |
    2 | x-deep: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
      |                                                                        ^
      |
      = help: a configuration needs less than ten levels; is a bracket open?
    "#);
}

#[test]
fn sources_times_targets_are_bounded() {
    let list = |name: &str| {
        (0..2_000)
            .map(|n| format!("{name}/r{n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let text = format!(
        "version: 1\nmirrors:\n  - from: [{}]\n    to: [{}]\n  - {{ from: quay.io/a/b, to: site.example/b }}\n",
        list("quay.io/a"),
        list("site.example")
    );
    let problems = bad(&text);
    let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told, ["the mirrors have more than 1000000 targets up to here"]);
}

#[test]
fn references_that_start_with_no_registry_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: [https://quay.io/a/b, /a/b, hub, me:secret@quay.io/a/b]\n    to: site/{repository}\n    tags: []\n")), @r#"
    error: a reference has no scheme
     --> transship.yaml:6:12
      |
    6 |   - from: [https://quay.io/a/b, /a/b, hub, ***]
      |            ^^^^^^^^^^^^^^^^^^^
      |
      = help: leave `https://` out

    error: a reference starts with a registry
     --> transship.yaml:6:33
      |
    6 |   - from: [https://quay.io/a/b, /a/b, hub, ***]
      |                                 ^^^^
      |
      = help: start with a declared name or a host, as in hub/library/alpine

    error: which repository of `hub` is meant?
     --> transship.yaml:6:39
      |
    6 |   - from: [https://quay.io/a/b, /a/b, hub, ***]
      |                                       ^^^
      |
      = help: write it as in hub/library/alpine

    error: a reference holds no user and no password
     --> transship.yaml:6:44
      |
    6 |   - from: [https://quay.io/a/b, /a/b, hub, ***]
      |                                            ^^^
      |
      = help: declare the registry, and say who signs in under its `auth`

    error: `tags` has no conditions
     --> transship.yaml:8:11
      |
    8 |     tags: []
      |           ^
      |
      = help: leave `tags` out to take every tag
    "#);
}

#[test]
fn one_tag_with_two_digests_is_told_with_both() {
    let (one, two) = ("a".repeat(64), "b".repeat(64));
    assert_snapshot!(bad(&with(&format!("mirrors:\n  - from: hub/a/b@sha256:{one}\n    to: site/b:v1\n  - from: hub/a/b@sha256:{two}\n    to: site/b:v1\n"))), @r#"
    error: two sources write into `site/b:v1`: `hub/a/b@sha256:aaaaaaaaaaaa` and `hub/a/b@sha256:bbbbbbbbbbbb`
     --> transship.yaml:9:9
      |
    9 |     to: site/b:v1
      |         ^^^^^^^^^
     ::: transship.yaml:7:9
      |
    7 |     to: site/b:v1
      |         ^^^^^^^^^
      |
      = help: give one of them another repository, or tags that differ by name (`list`, or a pinned `from`)
    "#);
}

#[test]
fn keys_without_a_value_are_told() {
    assert_snapshot!(bad("version:\nregistries:\ngroups:\ndefaults:\nmirrors:\n  - from:\n    to: site.example/x\n    tags:\n  -\n"), @r#"
    error: expected `version`, a whole number from 1, found nothing
     --> transship.yaml:1:8
      |
    1 | version:
      |        ^
      |
      = help: write it in digits, as in version: 1

    error: expected a reference, found nothing
     --> transship.yaml:6:9
      |
    6 |   - from:
      |         ^
      |
      = help: write it as in from: hub/library/alpine

    error: expected a set of tag conditions, a map, found nothing
     --> transship.yaml:8:9
      |
    8 |     tags:
      |         ^
      |
      = help: a set of tag conditions has the keys include, exclude, regex, exclude_regex, list, digests, semver, prerelease, created_within, latest, at_least

    error: expected a mirror, a map, found nothing
     --> transship.yaml:9:4
      |
    9 |   -
      |    ^
      |
      = help: a mirror has the keys name, from, to, tags, platforms, index, referrers, on_change, check, foreign_layers
    "#);
}

#[test]
fn columns_count_characters_not_bytes() {
    assert_snapshot!(bad("version: 1\nregistries: { \"ü\": { host: ü.example, hst: x } } # ü\r\nmirrors: []\r\n"), @r#"
    error: `ü` can't name a registry
     --> transship.yaml:2:15
      |
    2 | registries: { "ü": { host: ü.example, hst: x } } # ü
      |               ^^^
      |
      = help: a registry's name is letters, digits, `.`, `_`, `-` or `:`, and starts with a letter or a digit

    error: `ü.example` is no host
     --> transship.yaml:2:28
      |
    2 | registries: { "ü": { host: ü.example, hst: x } } # ü
      |                            ^^^^^^^^^
      |
      = help: a host is a DNS name or an address, with `:port` where it is not the usual one

    error: unknown key `hst`
     --> transship.yaml:2:39
      |
    2 | registries: { "ü": { host: ü.example, hst: x } } # ü
      |                                       ^^^ did you mean `host`?
    "#);
}

#[test]
fn a_long_line_is_cut_to_what_stands_around_the_caret() {
    let list = (0..80).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
    let text = with(&format!(
        "mirrors:\n  - {{ from: hub/a/a, to: site/a, tags: {{ list: [{list}, \"!\", {list}] }} }}\n"
    ));
    let first = bad(&text);
    let shown = first.to_string();
    assert!(shown.lines().all(|line| line.chars().count() <= 180), "{shown}");
    assert!(shown.contains("`!` is no tag"), "{shown}");
}

#[test]
fn several_problems_come_in_the_order_of_the_file() {
    let problems = bad(
        "version: 1\nregistrys: {}\ngroups: { a: [nowhere] }\nmirrors:\n  - from: also-nowhere/x\n    to: nowhere/x\n    chek: tags\n",
    );
    let places: Vec<(usize, usize)> = problems
        .iter()
        .map(|problem| (problem.line, problem.column))
        .collect();
    assert_eq!(places, [(2, 1), (3, 15), (5, 11), (6, 9), (7, 5)]);
    assert_eq!(problems.len(), 5);
    assert!(!problems.only_unimplemented());
}
