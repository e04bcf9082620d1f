//! Sources that are found when a registry is listed.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use transship_planner::config::{Listings, Selection, SelectionProblem, TagSet, Youth, select, shortfalls};
use transship_planner::spec::Mirror;
use transship_planner::{Place, Problem, ProblemKind, Side, Spec};

use super::{bad, good, lines};

const HEAD: &str = r#"
version: 1
registries:
  hub: { host: hub.example }
  site: { host: site.example }
  far: { host: far.example }
"#;

fn spec(rest: &str) -> Spec {
    good(&format!("{HEAD}{rest}"))
}

/// Selects where no condition asks how old a tag is.
fn pick(sets: &[TagSet], tags: &BTreeSet<oci::Tag>) -> Selection {
    select(sets, tags, &mut |_, _| Youth::Young)
}

fn listing(registry: &str, repositories: &[&str]) -> Listings {
    let names = repositories.iter().map(|name| name.parse().expect("a name"));
    Listings::from([(registry.parse().expect("a name"), Ok(names.collect()))])
}

/// Writes a specification as lines, and its problems behind them.
fn told(spec: &Spec) -> String {
    let problems = spec.problems().into_iter().map(|problem| {
        let repository = problem
            .repository
            .map_or_else(String::new, |name| format!("/{name}"));
        format!(
            "! {:?} {:?} {}{repository}: {}",
            problem.side, problem.kind, problem.registry, problem.error
        )
    });
    let ways = lines(spec);
    let ways = ways
        .lines()
        .filter(|line| !line.contains(" = "))
        .map(str::to_owned);
    ways.chain(problems).collect::<Vec<_>>().join("\n")
}

const TEAM: &str = "mirrors:\n  - from: { registry: hub, repositories: [\"team/*\"] }\n    to: [\"site/base/{name}\", \"far/{repository}:{tag}-x\"]\n";

#[test]
fn what_matches_is_a_source() {
    let spec = spec(TEAM);
    assert_eq!(spec.discovers().len(), 1);
    assert_eq!(spec.writes().len(), 2);
    let found = spec.discovered(&listing(
        "hub",
        &["team/web", "team/app", "team/a/b", "other/app", "team"],
    ));
    assert_snapshot!(told(&found), @r#"
    [hub/team/*]
    hub/team/app -> site/base/app
    hub/team/app -> far/team/app:{tag}-x
    hub/team/web -> site/base/web
    hub/team/web -> far/team/web:{tag}-x
    "#);
    assert!(found.discovers().is_empty());
    assert_eq!(found.digest, spec.digest);
}

#[test]
fn two_stars_do_not_stop() {
    let spec = spec(
        "mirrors:\n  - from: { registry: hub, repositories: [\"team/**\", \"{a,b}/?\"] }\n    to: \"site/{host}/{repository}\"\n",
    );
    let found = spec.discovered(&listing("hub", &["team/web", "team/a/b", "a/x", "b/xy", "c/x"]));
    assert_snapshot!(told(&found), @r#"
    [hub/team/**]
    hub/a/x -> site/hub.example/a/x
    hub/team/a/b -> site/hub.example/team/a/b
    hub/team/web -> site/hub.example/team/web
    "#);
}

#[test]
fn the_order_of_a_listing_makes_no_difference() {
    let spec = spec(TEAM);
    let one = spec.discovered(&listing("hub", &["team/c", "team/a", "team/b", "team/a"]));
    let other = spec.discovered(&listing("hub", &["team/a", "team/b", "team/c"]));
    assert_eq!(told(&one), told(&other));
}

#[test]
fn a_glob_without_a_match_is_a_problem() {
    let spec = spec(
        "mirrors:\n  - from: { registry: hub, repositories: [\"team/*\", \"none/*\"] }\n    to: \"site/{name}\"\n",
    );
    assert_snapshot!(told(&spec.discovered(&listing("hub", &["team/app", "other"]))), @r#"
    [hub/team/*]
    hub/team/app -> site/app
    ! Source NotFound hub: none of its 2 repositories matches `none/*`
    "#);
    assert_snapshot!(told(&spec.discovered(&listing("hub", &[]))), @r#"
    [hub/team/*]
    ! Source NotFound hub: no repository is listed that `none/*` could match
    ! Source NotFound hub: no repository is listed that `team/*` could match
    "#);
    let problems = spec.discovered(&listing("hub", &["x"])).problems();
    assert!(
        problems[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("`*` stops at `/`"))
    );
}

#[test]
fn a_registry_that_could_not_be_listed_is_one_problem() {
    let spec = spec(&format!(
        "{TEAM}  - from: {{ registry: hub, repositories: \"other/*\" }}\n    to: site/other/{{name}}\n  - from: quay.io/a/b\n    to: site/b\n"
    ));
    let problem = Problem {
        registry: "hub".parse().expect("a name"),
        repository: None,
        tag: None,
        side: Side::Source,
        kind: ProblemKind::Permission,
        error: "may not list".to_owned(),
        hint: Some("grant it".to_owned()),
        tags: 0,
    };
    let refused = Listings::from([(problem.registry.clone(), Err(problem.clone()))]);
    let found = spec.discovered(&refused);
    assert_eq!(found.problems(), [problem]);
    assert_snapshot!(told(&found), @r#"
    [hub/team/*]
    [hub/other/*]
    [quay.io/a/b]
    quay.io/a/b -> site/b
    ! Source Permission hub: may not list
    "#);
    // Nor is a registry passed over that nobody listed.
    assert_snapshot!(told(&spec.discovered(&Listings::new())), @r#"
    [hub/team/*]
    [hub/other/*]
    [quay.io/a/b]
    quay.io/a/b -> site/b
    ! Source Other hub: its repositories were not listed
    "#);
}

#[test]
fn of_two_that_were_found_neither_writes() {
    let both = "mirrors:\n  - from: { registry: hub, repositories: [\"*/app\", \"a/*\"] }\n    to: [\"site/{name}\", \"far/{repository}\"]\n";
    assert_snapshot!(told(&spec(both).discovered(&listing("hub", &["a/app", "b/app", "a/web"]))), @r#"
    [hub/*/app]
    hub/a/app -> far/a/app
    hub/a/web -> site/web
    hub/a/web -> far/a/web
    hub/b/app -> far/b/app
    ! Target Policy site/app: several sources write into it: `hub/a/app`, `hub/b/app`
    "#);
    let many: Vec<String> = (0..50).map(|number| format!("r{number:02}/app")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let crowd = "mirrors:\n  - from: { registry: hub, repositories: \"*/app\" }\n    to: \"site/{name}\"\n";
    assert_snapshot!(told(&spec(crowd).discovered(&listing("hub", &many))), @r#"
    [hub/*/app]
    ! Target Policy site/app: several sources write into it: `hub/r00/app`, `hub/r01/app`, `hub/r02/app` and 47 more
    "#);
}

#[test]
fn what_the_file_names_goes_on_beside_what_was_found() {
    for (named, tags, collides) in [
        ("hub/named/app", "{ semver: \"1\" }", true),
        ("hub/named/app:one", "{ list: [two] }", false),
        ("hub/named/app:one", "{ list: [one, two] }", true),
    ] {
        let text = format!(
            "mirrors:\n  - {{ from: \"{named}\", to: site/app }}\n  - from: {{ registry: hub, repositories: \"a/*\" }}\n    to: \"site/{{name}}\"\n    tags: {tags}\n"
        );
        let found = spec(&text).discovered(&listing("hub", &["a/app", "a/web"]));
        let ways = told(&found);
        assert!(ways.contains(&format!("{named} -> site/app")), "{ways}");
        assert!(ways.contains("hub/a/web -> site/web"), "{ways}");
        assert_eq!(ways.contains("hub/a/app -> site/app"), !collides, "{ways}");
        let problem = "! Target Policy site/app: several sources write into it: `hub/a/app`, `hub/named/app`";
        assert_eq!(ways.contains(problem), collides, "{ways}");
    }
}

#[test]
fn what_is_written_is_not_read() {
    // The second run finds what the first one wrote.
    let backup =
        "mirrors:\n  - from: { registry: site, repositories: \"**\" }\n    to: site/backup/{repository}\n";
    let found = spec(backup).discovered(&listing("site", &["app", "backup/app"]));
    assert_snapshot!(told(&found), @r#"
    [site/**]
    site/app -> site/backup/app
    ! Source Policy site/backup/app: it is read here, and written from `site/app`
    "#);
    let itself = "mirrors:\n  - from: { registry: site, repositories: \"**\" }\n    to: [\"site.example/{repository}\", \"far/{repository}\"]\n";
    assert_snapshot!(told(&spec(itself).discovered(&listing("site", &["app"]))), @r#"
    [site/**]
    site/app -> far/app
    ! Target Policy site/app: it would be copied to itself
    "#);
    let named = "mirrors:\n  - { from: site/base/app, to: far/app }\n  - from: { registry: hub, repositories: \"team/*\" }\n    to: site/base/{name}\n";
    assert_snapshot!(told(&spec(named).discovered(&listing("hub", &["team/app", "team/web"]))), @r#"
    [site/base/app]
    site/base/app -> far/app
    [hub/team/*]
    hub/team/web -> site/base/web
    ! Target Policy site/base/app: it is read elsewhere, and would be written here
    "#);
}

#[test]
fn a_name_that_a_target_can_not_have_is_a_problem_of_its_own() {
    let deep = "a/".repeat(124) + "x";
    let found = spec("mirrors:\n  - from: { registry: hub, repositories: \"**\" }\n    to: site/a-long-prefix/{repository}\n")
        .discovered(&listing("hub", &["app", &deep]));
    let problems = found.problems();
    assert_eq!(found.mirrors[0].sources.len(), 1);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].error.contains("is no repository of `site`"),
        "{}",
        problems[0].error
    );
    assert_eq!(
        problems[0].repository.as_ref().map(ToString::to_string),
        Some(deep)
    );
}

#[test]
fn one_registry_under_two_names_is_one() {
    let two = "mirrors:\n  - { from: hub/team/app, to: far/x }\n  - from: { registry: again, repositories: \"team/*\" }\n    to: site/{name}\n";
    let text = format!("{HEAD}  again: {{ host: hub.example }}\n{two}");
    assert_snapshot!(told(&good(&text).discovered(&listing("again", &["team/app", "team/web"]))), @r#"
    [hub/team/app]
    hub/team/app -> far/x
    [again/team/*]
    hub/team/app -> site/app
    again/team/web -> site/web
    "#);
}

#[test]
fn what_a_mirror_names_is_read_once() {
    let both = "mirrors:\n  - from: [hub/team/app, { registry: hub, repositories: [\"team/*\", \"*/app\"] }]\n    to: site/{name}\n";
    let found = spec(both).discovered(&listing("hub", &["team/app", "team/web"]));
    assert_snapshot!(told(&found), @r#"
    [hub/team/app]
    hub/team/app -> site/app
    hub/team/web -> site/web
    "#);
}

fn counted(mirror: &Mirror) -> Vec<(String, Vec<String>, bool)> {
    let found = mirror.found.iter().map(|found| {
        let sources = found.sources.iter().map(ToString::to_string).collect();
        (found.glob.clone(), sources, found.complete)
    });
    found.collect()
}

#[test]
fn at_least_counts_once_for_a_glob() {
    let text = "mirrors:\n  - from: [hub/one, { registry: hub, repositories: [\"team/*\", \"*/app\"] }]\n    to: site/{repository}\n    tags: { include: \"v*\", at_least: 3 }\n";
    let found = spec(text).discovered(&listing("hub", &["team/app", "team/web", "x/app"]));
    let mirror = &found.mirrors[0];
    assert_eq!(
        counted(mirror),
        [
            (
                "team/*".to_owned(),
                vec!["hub/team/app".to_owned(), "hub/team/web".to_owned()],
                true
            ),
            (
                "*/app".to_owned(),
                vec!["hub/team/app".to_owned(), "hub/x/app".to_owned()],
                true
            ),
        ]
    );
    let alone = |name: &str| {
        mirror.counts_alone(&Place {
            registry: "hub".parse().expect("a name"),
            repository: name.parse().expect("a name"),
        })
    };
    assert!(alone("one") && !alone("team/web"));

    let tags = |names: &[&str]| -> BTreeSet<oci::Tag> {
        names.iter().map(|name| name.parse().expect("a tag")).collect()
    };
    let sum = |listings: &[BTreeSet<oci::Tag>]| {
        let mut sums = pick(&mirror.tags, &listings[0]).counts;
        for listing in &listings[1..] {
            for (sum, count) in sums.iter_mut().zip(pick(&mirror.tags, listing).counts) {
                *sum += count;
            }
        }
        shortfalls(&mirror.tags, &sums)
    };
    assert_eq!(sum(&[tags(&["v1", "v2"]), tags(&["v1", "x"])]), []);
    let SelectionProblem::TooFew {
        found,
        available,
        at_least,
    } = sum(&[tags(&["v1", "x"]), tags(&["v1"])]).remove(0)
    else {
        panic!("too few")
    };
    assert_eq!((found, available, at_least), (2, 3, 3));
    // Without conditions one tag must exist.
    assert_eq!(shortfalls(&[], &pick(&[], &tags(&["a"])).counts), []);
    assert_eq!(shortfalls(&[], &pick(&[], &tags(&[])).counts).len(), 1);
}

#[test]
fn what_was_found_can_be_narrowed() {
    let found = spec(TEAM).discovered(&listing("hub", &["team/app", "team/web"]));
    let only = |glob: &str| found.only(&[glob.to_owned()]);
    let part = only("hub/team/app").expect("it was found");
    assert_snapshot!(told(&part), @r#"
    [hub/team/*]
    hub/team/app -> site/base/app
    hub/team/app -> far/team/app:{tag}-x
    "#);
    assert_eq!(
        counted(&part.mirrors[0]),
        [("team/*".to_owned(), vec!["hub/team/app".to_owned()], false)]
    );
    assert_eq!(
        told(&only("hub/team/[*]").expect("that is its name")),
        told(&found)
    );
    assert_snapshot!(told(&only("site/base/web").expect("it is written")), @r#"
    [hub/team/*]
    hub/team/web -> site/base/web
    "#);
    assert!(only("hub/team/none").is_err());
}

#[test]
fn narrowing_keeps_the_problems_that_belong_to_what_is_kept() {
    let text = format!(
        "{TEAM}  - name: rest\n    from: {{ registry: far, repositories: \"x/*\" }}\n    to: site/x/{{name}}\n"
    );
    let mut listings = listing("hub", &["team/app", "none"]);
    let found = spec(&text).discovered(&listings);
    let only = |spec: &Spec, glob: &str| spec.only(&[glob.to_owned()]).map(|spec| told(&spec));
    assert_snapshot!(only(&found, "hub/team/app").expect("it was found"), @r#"
    [hub/team/*]
    hub/team/app -> site/base/app
    hub/team/app -> far/team/app:{tag}-x
    "#);
    assert_snapshot!(only(&found, "rest").expect("it is a name"), @r#"
    [rest]
    ! Source Other far: its repositories were not listed
    "#);
    // Whether the registry has it is not known.
    assert_snapshot!(only(&found, "far/x/app").expect("it may be there"), @r#"
    [rest]
    ! Source Other far: its repositories were not listed
    "#);
    assert!(only(&found, "hub/x/app").is_err());
    listings.extend(listing("far", &["x/a"]));
    assert!(only(&spec(&text).discovered(&listings), "far/x/app").is_err());
}

#[test]
fn the_digest_is_of_what_is_written() {
    let digest = |globs: &str, to: &str| {
        spec(&format!("mirrors:\n  - from: {{ registry: hub, repositories: {globs} }}\n    to: \"{to}\"\n    name: one\n")).digest
    };
    let same = digest("[\"a/*\"]", "site/{name}");
    assert_eq!(digest("\"a/*\"", "site/{name}"), same);
    assert_ne!(digest("[\"b/*\"]", "site/{name}"), same);
    assert_ne!(digest("[\"a/*\"]", "site/{repository}"), same);
    assert_ne!(digest("[\"a/*\"]", "far/{name}"), same);
    assert_ne!(digest("[\"a/*\"]", "site/{name}:{tag}-x"), same);
}

#[test]
fn searches_that_make_no_sense_are_told() {
    assert_snapshot!(bad(&format!("{HEAD}mirrors:\n  - from: {{ registry: hub/team, repositories: [\"a:v1\", \"[\", /a] }}\n    to: site/{{name}}\n  - from: {{ registry: hub, repositories: [] }}\n    to: site/{{name}}\n  - from: {{ registry: hub, repository: [a] }}\n    to: site/{{name}}\n  - from: {{ registry: hub, repositories: \"a/*\" }}\n    to: [site/all, \"site/{{nmae}}\", site, \"site/{{name}}:v1\"]\n  - from: hub/team/*\n    to: site/{{name}}\n")), @r#"
    error: `registry` names a registry alone
     --> transship.yaml:8:23
      |
    8 |   - from: { registry: hub/team, repositories: ["a:v1", "[", /a] }
      |                       ^^^^^^^^
      |
      = help: write registry: hub, repositories: ["team/**"]

    error: a glob of repositories has no tag and no digest
     --> transship.yaml:8:48
      |
    8 |   - from: { registry: hub/team, repositories: ["a:v1", "[", /a] }
      |                                                ^^^^^^
      |
      = help: select tags under `tags`

    error: `[` is not a glob: unclosed character class; missing ']'
     --> transship.yaml:8:56
      |
    8 |   - from: { registry: hub/team, repositories: ["a:v1", "[", /a] }
      |                                                        ^^^
      |
      = help: `*` stands for any characters but `/`, `**` for any

    error: `/a` matches no repository
     --> transship.yaml:8:61
      |
    8 |   - from: { registry: hub/team, repositories: ["a:v1", "[", /a] }
      |                                                             ^^
      |
      = help: write it without a `/` at its start and end, as in "team/*"

    error: `repositories` names none
      --> transship.yaml:10:42
       |
    10 |   - from: { registry: hub, repositories: [] }
       |                                          ^
       |
       = help: write repositories: ["team/*"], or repositories: ["**"] for all of them

    error: `from` lacks `repositories`
      --> transship.yaml:12:11
       |
    12 |   - from: { registry: hub, repository: [a] }
       |           ^
       |
       = help: write from: { registry: hub, repositories: ["team/*"] }

    error: unknown key `repository`
      --> transship.yaml:12:28
       |
    12 |   - from: { registry: hub, repository: [a] }
       |                            ^^^^^^^^^^ did you mean `repositories`?

    error: every repository that is found would be written into one
      --> transship.yaml:15:10
       |
    15 |     to: [site/all, "site/{nmae}", site, "site/{name}:v1"]
       |          ^^^^^^^^
      ::: transship.yaml:14:11
       |
    14 |   - from: { registry: hub, repositories: "a/*" }
       |           ^
       |
       = help: `{name}` or `{repository}` in `to` keeps the sources apart

    error: unknown placeholder `{nmae}`
      --> transship.yaml:15:20
       |
    15 |     to: [site/all, "site/{nmae}", site, "site/{name}:v1"]
       |                    ^^^^^^^^^^^^^ did you mean `{name}`?
      ::: transship.yaml:14:11
       |
    14 |   - from: { registry: hub, repositories: "a/*" }
       |           ^

    error: which repository of `site` is meant?
      --> transship.yaml:15:35
       |
    15 |     to: [site/all, "site/{nmae}", site, "site/{name}:v1"]
       |                                   ^^^^
      ::: transship.yaml:14:11
       |
    14 |   - from: { registry: hub, repositories: "a/*" }
       |           ^
       |
       = help: write it as in site/library/alpine

    error: every tag of the source would become `v1`
      --> transship.yaml:15:41
       |
    15 |     to: [site/all, "site/{nmae}", site, "site/{name}:v1"]
       |                                         ^^^^^^^^^^^^^^^^
      ::: transship.yaml:14:11
       |
    14 |   - from: { registry: hub, repositories: "a/*" }
       |           ^
       |
       = help: keep the tags apart: ":{tag}-v1", or pin the source to one tag

    error: `hub/team/*` is no reference
      --> transship.yaml:16:11
       |
    16 |   - from: hub/team/*
       |           ^^^^^^^^^^
       |
       = help: to find repositories write from: { registry: hub, repositories: ["team/*"] }
    "#);
}
