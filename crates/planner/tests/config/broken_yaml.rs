//! What is wrong with the file itself, and how long lines and defaults are told.

use insta::assert_snapshot;

use super::bad;

const HEAD: &str = "version: 1\nregistries:\n  hub: { host: docker.io }\n  site: { host: site.example }\n";

fn with(rest: &str) -> String {
    format!("{HEAD}{rest}")
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
