//! Registries, places and references that do not fit together.

use insta::assert_snapshot;

use super::bad;

const HEAD: &str = "version: 1\nregistries:\n  hub: { host: docker.io }\n  site: { host: site.example }\n";

fn with(rest: &str) -> String {
    format!("{HEAD}{rest}")
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
       = help: `provider` takes ecr, gar, acr, harbor, generic

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
