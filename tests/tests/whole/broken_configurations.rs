//! A broken configuration is refused with every problem in its place, before anything is asked.

use testkit::binary::{Output, Sandbox};

/// A good configuration; nothing listens at its registries.
const GOOD: &str = "version: 1
registries:
  hub: { host: \"127.0.0.1:1\", plain_http: true }
  site: { host: \"127.0.0.1:2\", plain_http: true }
mirrors:
  - from: hub/team/app
    to: [site/mirror/app]
    tags: { semver: \">=1\" }
";

/// What is replaced in the good one, by what, at which line it is wrong, and what the error must mention.
struct Case {
    what: &'static str,
    by: &'static str,
    line: usize,
    says: &'static [&'static str],
}

const CASES: [Case; 20] = [
    Case {
        what: "    tags:",
        by: "    tgas:",
        line: 8,
        says: &["tgas", "did you mean `tags`"],
    },
    Case {
        what: "mirrors:\n",
        by: "mirors:\n",
        line: 5,
        says: &["mirors", "did you mean `mirrors`"],
    },
    Case {
        what: "plain_http: true }\nmirrors",
        by: "plain_htpp: true }\nmirrors",
        line: 4,
        says: &["did you mean `plain_http`"],
    },
    Case {
        what: "    to: [",
        by: "    from: hub/team/other\n    to: [",
        line: 7,
        says: &["from"],
    },
    Case {
        what: "semver: \">=1\"",
        by: "regex: \"v(\"",
        line: 8,
        says: &["regex"],
    },
    Case {
        what: "\">=1\"",
        by: "\">=one\"",
        line: 8,
        says: &["semver"],
    },
    Case {
        what: "hub/team/app",
        by: "hubb/team/app",
        line: 6,
        says: &["hubb", "did you mean `hub`"],
    },
    Case {
        what: "[site/mirror/app]",
        by: "[stie/mirror/app]",
        line: 7,
        says: &["stie", "did you mean `site`"],
    },
    Case {
        what: "plain_http: true }\nmirrors",
        by: "auth: { username: me, password: hunter2 } }\nmirrors",
        line: 4,
        says: &["password", "env"],
    },
    Case {
        what: "    tags: { semver: \">=1\" }\n",
        by: "  - from: hub/team/other\n    to: [site/mirror/app]\n",
        line: 9,
        says: &["site/mirror/app"],
    },
    Case {
        what: "version: 1\n",
        by: "version: 7\n",
        line: 1,
        says: &["version"],
    },
    Case {
        what: "{ semver: \">=1\" }",
        by: "{ semver: \">=1\", latest: many }",
        line: 8,
        says: &["latest"],
    },
    Case {
        what: "[site/mirror/app]",
        by: "[site/Mirror/App]",
        line: 7,
        says: &["Mirror"],
    },
    Case {
        what: "[site/mirror/app]",
        by: "[site/mirror/{nmae}]",
        line: 7,
        says: &["{nmae}", "{name}"],
    },
    Case {
        what: "    to: [site/mirror/app]",
        by: "    to: {name}",
        line: 7,
        says: &["quote"],
    },
    Case {
        what: "hub/team/app",
        by: "\"hub/${TEAM_NAME}/app\"",
        line: 6,
        says: &["TEAM_NAME"],
    },
    Case {
        what: "    to: [site/mirror/app]\n",
        by: "",
        line: 6,
        says: &["to"],
    },
    Case {
        what: "hub/team/app",
        by: "site/mirror/app",
        line: 7,
        says: &["site/mirror/app"],
    },
    Case {
        what: "    tags:",
        by: "    on_change: updaet\n    tags:",
        line: 8,
        says: &["did you mean `update`"],
    },
    Case {
        what: "    tags:",
        by: "    platforms: [linux/amd64]\n    tags:",
        line: 8,
        says: &["index"],
    },
];

fn broken(case: &Case) -> String {
    let text = GOOD.replacen(case.what, case.by, 1);
    assert_ne!(text, GOOD, "`{}` is in the good configuration", case.what);
    text
}

fn assert_placed(output: &Output, case: &Case) {
    let text = &output.stderr;
    let place = format!("transship.yaml:{}:", case.line);
    assert!(text.contains(&place), "{place} is not in:\n{text}");
    assert!(text.lines().any(is_caret), "no caret in:\n{text}");
    for says in case.says {
        assert!(text.contains(says), "`{says}` is not in:\n{text}");
    }
    assert!(!text.contains("hunter2"), "a secret is shown:\n{text}");
}

/// A line that points: carets, after a margin, with or without a word behind them.
fn is_caret(line: &str) -> bool {
    line.trim_start_matches([' ', '|', '.', '\u{2502}'])
        .starts_with('^')
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_is_refused_with_its_place_a_caret_and_a_hint() {
    let mut wrong = Vec::new();
    for case in &CASES {
        let sandbox = Sandbox::new();
        sandbox.write("transship.yaml", &broken(case));
        let output = sandbox.run(&["plan"]).await.expect(65);
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert_placed(&output, case)));
        wrong.extend(checked.is_err().then_some(case.by));
        assert_eq!(output.stdout, "", "errors go to standard error");
    }
    assert_eq!(wrong, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validate_says_the_same_offline() {
    for case in &CASES {
        let sandbox = Sandbox::new();
        sandbox.write("transship.yaml", &broken(case));
        // What is missing in the environment is no mistake of the file.
        let code = if case.by.contains("${") { 0 } else { 65 };
        let output = sandbox.run(&["validate"]).await.expect(code);
        if code == 65 {
            assert_placed(&output, case);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_has_a_hint_what_to_do() {
    let mut without = Vec::new();
    for case in &CASES {
        let sandbox = Sandbox::new();
        sandbox.write("transship.yaml", &broken(case));
        let output = sandbox.run(&["plan"]).await.expect(65);
        let hint = ["did you mean", "help:", "hint:"]
            .iter()
            .any(|word| output.stderr.contains(word));
        without.extend((!hint).then_some(case.by));
    }
    assert_eq!(without, Vec::<&str>::new());
}

#[tokio::test]
async fn several_mistakes_are_named_in_one_run() {
    let sandbox = Sandbox::new();
    let text = GOOD
        .replacen("    tags:", "    tgas:", 1)
        .replacen("hub/team/app", "hubb/team/app", 1)
        .replacen("plain_http: true }\nmirrors", "plain_htpp: true }\nmirrors", 1);
    sandbox.write("transship.yaml", &text);
    for command in ["validate", "plan"] {
        let output = sandbox.run(&[command]).await.expect(65);
        let _ = output.warns(&[
            "transship.yaml:4:",
            "transship.yaml:6:",
            "transship.yaml:8:",
            "tgas",
            "hubb",
            "plain_htpp",
        ]);
    }
}

#[tokio::test]
async fn two_mirrors_that_want_different_digests_at_one_tag_are_refused() {
    let (one, two) = ("a".repeat(64), "b".repeat(64));
    let sandbox = Sandbox::new();
    let head = GOOD.split("mirrors:").next().expect("there is a head");
    sandbox.write(
        "transship.yaml",
        &format!(
            "{head}mirrors:
  - {{ from: \"hub/team/app:v1@sha256:{one}\", to: [site/mirror/app] }}
  - {{ from: \"hub/team/app:v1@sha256:{two}\", to: [site/mirror/app] }}
"
        ),
    );
    let output = sandbox.run(&["validate"]).await.expect(65);
    let _ = output.warns(&["transship.yaml:6:", "transship.yaml:7:", "v1"]);
}

#[tokio::test]
async fn what_is_no_yaml_at_all_is_refused_with_its_place() {
    let sandbox = Sandbox::new();
    for text in ["version: 1\nmirrors: [\n", "version: 1\n\tregistries: {}\n", ""] {
        sandbox.write("transship.yaml", text);
        let output = sandbox.run(&["validate"]).await.expect(65);
        assert!(output.stderr.contains("transship.yaml"), "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_bomb_of_aliases_is_refused_quickly() {
    let sandbox = Sandbox::new();
    let mut text = "version: 1\nx-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("x-{level}: &a{level} [{before}]\n"));
    }
    sandbox.write("transship.yaml", &text);
    let _ = sandbox.run(&["validate"]).await.expect(65);
}

#[tokio::test]
async fn the_good_configuration_is_good() {
    let sandbox = Sandbox::new();
    sandbox.write("transship.yaml", GOOD);
    let _ = sandbox.run(&["validate"]).await.expect(0);
}
