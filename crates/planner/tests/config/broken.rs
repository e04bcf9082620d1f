//! Broken configurations, and the whole of what is said about them.

use insta::assert_snapshot;

use super::bad;

const HEAD: &str = "version: 1\nregistries:\n  hub: { host: docker.io }\n  site: { host: site.example }\n";

fn with(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

#[test]
fn an_unknown_key_is_told_with_the_one_that_was_meant() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    tags:\n      semvr: \">=3\"\n")), @"");
}

#[test]
fn keys_that_belong_elsewhere_are_sent_there() {
    assert_snapshot!(bad("version: 1\nregistries:\n  hub: { host: docker.io, username: me }\nmirrors:\n  - from: hub/library/alpine\n    to: site.example/alpine\n    semver: \">=3\"\n    banana: yes\n"), @"");
}

#[test]
fn a_duplicate_key_is_told_with_both_places() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    from: hub/library/redis\n")), @"");
}

#[test]
fn missing_keys_point_at_the_map_that_lacks_them() {
    assert_snapshot!(bad("registries:\n  hub:\n    plain_http: true\n  site: {}\nmirrors:\n  - to: site/alpine\n  - { from: hub/library/alpine }\n"), @"");
}

#[test]
fn a_file_without_anything_is_told() {
    assert_snapshot!(bad("# nothing\n"), @"");
}

#[test]
fn a_file_without_mirrors_is_told() {
    assert_snapshot!(bad("version: 2\n"), @"");
}

#[test]
fn bad_patterns_and_ranges_are_told_all_at_once() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    tags:\n      - regex: \"v(\"\n        exclude: [\"a[\", ok]\n        semver: \">=three\"\n      - list: [\"3.*\", latest, latest]\n      - latest: 0\n        at_least: -1\n      - prerelease: true\n      - semver: \">=1.0.0-rc.1\"\n")), @"");
}

#[test]
fn an_unknown_registry_is_told_with_the_one_that_was_meant() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hubb/library/alpine\n    to: [sit/alpine, nowhere/alpine]\n  - from: alpine\n    to: site\n")), @"");
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    let problems = bad(
        "version: 1\nregistries:\n  site:\n    host: site.example\n    auth: { username: mirror, password: hunter2 }\n  other:\n    host: other.example\n    auth:\n      token: \"s3cr3t\"\nmirrors: []\n",
    );
    assert_snapshot!(problems, @"");
}

#[test]
fn two_sources_in_one_repository_are_told_with_both_places() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/base\n  - from: hub/library/redis\n    to: site/base\n")), @"");
}

#[test]
fn two_sources_of_one_mirror_in_one_repository_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: [hub/a/app, hub/b/app]\n    to: site/{name}\n")), @"");
}

#[test]
fn listed_tags_that_overlap_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/a/app\n    to: site/app\n    tags: { list: [one, two] }\n  - from: hub/b/app:two\n    to: site/app\n")), @"");
}

#[test]
fn a_repository_that_is_read_and_written_is_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n  - from: site/alpine\n    to: quay.io/base/alpine\n  - from: hub/a/b\n    to: docker.io/a/b\n")), @"");
}

#[test]
fn a_target_that_stands_twice_is_told() {
    assert_snapshot!(bad("version: 1\nregistries:\n  site: { host: site.example }\n  same: { host: site.example }\ngroups:\n  both: [site, same]\nmirrors:\n  - from: quay.io/a/b\n    to: [site/b, same/b]\n  - from: quay.io/a/c\n    to: both/c\n"), @"");
}

#[test]
fn a_host_with_two_declarations_is_told() {
    assert_snapshot!(bad("version: 1\nregistries:\n  one: { host: site.example }\n  two: { host: SITE.example }\nmirrors:\n  - from: site.example/a\n    to: quay.io/b/a\n"), @"");
}

#[test]
fn an_unquoted_placeholder_is_told_to_be_quoted() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: {name}\n  - from: hub/library/redis\n    to: [{name}]\n")), @"");
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: [site/{name}]\n")), @"");
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: {name}/site\n")), @"");
}

#[test]
fn broken_templates_are_told() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to:\n      - site/{nam}\n      - site/{tag}/x\n      - site/{name\n      - site/x:{tag}-{name}\n      - site/x:stable\n      - site/x@sha256:abc\n      - site/Big\n      - site/x:bad!\n")), @"");
}

#[test]
fn a_pinned_source_takes_no_conditions() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine:3.19\n    to: site/alpine\n    tags: { latest: 1 }\n")), @"");
}

#[test]
fn variables_that_are_not_set_are_told_where_they_stand() {
    assert_snapshot!(bad("version: 1\nregistries:\n  site: { host: \"${SITE}:5000\", plain_http: \"${PLAIN}\" }\nmirrors:\n  - from: quay.io/a/${APP}\n    to: site/${1X}${\n"), @"");
}

#[test]
fn wrong_types_are_told_with_what_is_expected() {
    assert_snapshot!(bad("version: one\nregistries:\n  hub: docker.io\n  site:\n    host: [a]\n    plain_http: \"true\"\n    tls: ca.pem\n    limits: { concurrency: 0, bandwidth: 20MB }\n    create_repositories: { scan_on_push: 1, tag_mutability: imutable }\ngroups:\n  all: hub\nmirrors:\n  from: hub/a\n"), @"");
}

#[test]
fn words_that_are_none_are_told_with_those_that_are() {
    assert_snapshot!(bad(&with("mirrors:\n  - from: hub/library/alpine\n    to: site/alpine\n    on_change: updat\n    check: everything\n    referrers: some\n    foreign_layers: 1\n    platforms: linux/amd64\n")), @"");
}

#[test]
fn groups_and_registries_share_one_space_of_names() {
    assert_snapshot!(bad(&with("groups:\n  site: [hub]\n  a: [b, nowhere, hub/x:1]\n  b: []\n  c.d: [hub]\nmirrors:\n  - from: a/x\n    to: hub/y/x\n")), @"");
}

#[test]
fn hosts_are_checked() {
    assert_snapshot!(bad("version: 1\nregistries:\n  a: { host: \"https://quay.io/\" }\n  b: { host: docker.io/library }\n  c: { host: \"bad host\" }\n  d: { host: x.example, layout: /d }\n  e: { layout: /e, plain_http: true }\n  quay.io: { host: mirror.example }\n  \"no name\": { host: x.example }\n  f: { host: x.example, provider: aws }\n  g: { host: x.example, provider: erc }\nmirrors: []\n"), @"");
}

#[test]
fn ways_to_sign_in_that_contradict_are_told() {
    assert_snapshot!(bad("version: 1\nregistries:\n  a: { host: a.example, auth: { username: me } }\n  b: { host: b.example, auth: { helper: pass, token: { env: T } } }\n  c: { host: c.example, auth: { role_arn: r } }\n  d: { host: d.example, auth: { username: me, password: { env: A, file: b } } }\n  e: { host: e.example, auth: { token: { environment: A } } }\n  f: { host: f.example, auth: [x] }\nmirrors: []\n"), @"");
}

#[test]
fn problems_of_defaults_are_told_once() {
    assert_snapshot!(bad(&with("defaults:\n  tags: { semver: nonsense }\n  from: hub/x\nmirrors:\n  - { from: hub/a/a, to: site/a }\n  - { from: hub/a/b, to: site/b }\n")), @"");
}

#[test]
fn problems_of_yaml_itself_are_told() {
    assert_snapshot!(bad("version: 1\nmirrors:\n\t- from: x\n"), @"");
    assert_snapshot!(bad("version: 1\nmirrors: [\n"), @"");
    assert_snapshot!(bad("version: 1\nmirrors: []\n---\nversion: 1\n"), @"");
    assert_snapshot!(bad("version: 1\nmirrors: *nothing\nx-tag: !secret here\nx-list: &self [*self]\n<<: 3\n[a]: b\n"), @"");
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut text = String::from("version: 1\nx-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{items}]\n"));
    }
    assert_snapshot!(bad(&text), @"");
    let deep = format!("version: 1\nx-deep: {}{}\n", "[".repeat(80), "]".repeat(80));
    assert_snapshot!(bad(&deep), @"");
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
