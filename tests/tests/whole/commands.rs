//! The commands around plan and apply, their exit codes, and who gets to see what.

use serde_json::Value;
use testkit::binary::Sandbox;

use crate::site::{self, NO_CHANGES, Site, assert_holds, standing};

#[tokio::test]
async fn init_writes_a_configuration_that_validates_and_never_overwrites() {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["init"]).await.expect(0);
    let text = sandbox.read("transship.yaml");
    assert!(text.contains("version: 1") && text.contains('#'), "{text}");
    let _ = sandbox.run(&["validate"]).await.expect(0);
    sandbox.write("transship.yaml", "mine");
    let again = sandbox.run(&["init"]).await;
    assert_ne!(again.code, 0);
    assert_eq!(sandbox.read("transship.yaml"), "mine");
}

#[tokio::test]
async fn the_schema_is_a_json_schema_that_names_the_keys() {
    let output = Sandbox::new().run(&["schema"]).await.expect(0);
    let schema: Value = serde_json::from_str(&output.stdout).expect("the schema is JSON");
    assert!(schema["$schema"].is_string(), "{schema}");
    for key in [
        "registries",
        "mirrors",
        "groups",
        "defaults",
        "on_change",
        "at_least",
        "semver",
        "plain_http",
    ] {
        assert!(output.stdout.contains(&format!("\"{key}\"")), "{key}");
    }
}

#[tokio::test]
async fn usage_errors_are_64() {
    let sandbox = Sandbox::new();
    for arguments in [
        &[][..],
        &["paln"],
        &["plan", "--no-such-flag"],
        &["plan", "--format", "xml"],
        &["copy", "127.0.0.1:1/a:b"],
        &["apply", "plan.json", "--only", "x", "--check", "everything"],
    ] {
        let output = sandbox.run(arguments).await.expect(64);
        assert_eq!(output.stdout, "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn what_is_not_implemented_yet_says_so_with_64() {
    let arguments = ["plan", "--shard", "1/2"];
    let output = Sandbox::new().run(&arguments).await.expect(64);
    assert!(output.stderr.contains("not implemented yet"), "{}", output.stderr);
}

#[tokio::test]
async fn manual_pages_are_printed_and_written() {
    let sandbox = Sandbox::new();
    let page = sandbox.run(&["man", "delete"]).await.expect(0);
    let _ = page.says(&[".TH transship-delete 1", "\\-\\-yes"]);
    let _ = sandbox.run(&["man"]).await.expect(0).says(&[".TH transship 1"]);
    let _ = sandbox.run(&["man", "paln"]).await.expect(64);
    let _ = sandbox.run(&["man", "--directory", "nowhere"]).await.expect(1);
    sandbox.write("pages/keep", "");
    let _ = sandbox.run(&["man", "--directory", "pages"]).await.expect(0);
    for name in ["transship", "transship-plan", "transship-login"] {
        assert!(
            sandbox.read(&format!("pages/{name}.1")).contains(".SH SYNOPSIS"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn help_and_version_are_data() {
    let help = Sandbox::new().run(&["--help"]).await.expect(0);
    for command in [
        "init", "plan", "apply", "show", "verify", "validate", "schema", "copy", "tags", "digest", "serve",
        "demo",
    ] {
        assert!(help.stdout.contains(command), "{command}");
    }
    let _ = Sandbox::new()
        .run(&["--version"])
        .await
        .expect(0)
        .says(&["transship 0.1.0"]);
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_named() {
    let output = Sandbox::new().run(&["plan"]).await;
    assert!([64, 65].contains(&output.code), "{output:?}");
    assert!(output.stderr.contains("transship.yaml"), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_asks_only_a_terminal_and_is_64_without_one() {
    let content = site::single("v1", 1, 1_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let output = site.run(&["apply"]).await.expect(64);
    assert!(output.stderr.contains("--auto-approve"), "{}", output.stderr);
    assert!(site.targets[0].proxy.exchanges().mutating().is_empty());
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    assert_holds(&site.targets[0], "mirror/app", &content).await;
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_reads_as_its_contract_says() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(0);
    let folded = output
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("+ mirror/base:v1"));
    assert!(
        folded.is_some_and(|line| line.contains("-> 2 places")),
        "{}",
        output.stdout
    );
    let last = output.stdout.trim_end().lines().last().unwrap_or_default();
    assert!(
        last.starts_with(
            "Plan: 10 tags to create, 0 to update, 0 to delete; 0 repositories to create; read "
        ),
        "{last}"
    );
    assert!(
        last.contains(", upload ") && last.contains(", mount ") && last.ends_with('.'),
        "{last}"
    );
    assert!(
        !output.stdout.contains('\u{1b}'),
        "no colour where there is no terminal"
    );
    let shown = site.run(&["show", "plan.json"]).await.expect(0);
    assert!(shown.stdout.contains(last), "{}", shown.stdout);
    let json = site.run(&["plan", "--format", "json"]).await.expect(0);
    let json: Value = serde_json::from_str(&json.stdout).expect("the plan is JSON");
    assert_eq!(json, site.json("plan.json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_what_differs_at_a_target() {
    let content = site::single("v1", 1, 4_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    let _ = site.run(&["verify"]).await.expect(2);
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let _ = site.run(&["verify"]).await.expect(0);
    let _ = site.run(&["verify", "--deep"]).await.expect(0);
    site.target("beta")
        .direct()
        .push("mirror/app", &site::single("v1", 2, 4_000))
        .await;
    let output = site.run(&["verify"]).await.expect(2);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains("beta") && text.contains("mirror/app"), "{text}");
    assert!(site.source.proxy.exchanges().mutating().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_deep_finds_bytes_that_rot() {
    let content = site::single("v1", 1, 4_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let (layer, bytes) = content
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .expect("there is a layer");
    let hex = layer.hex();
    let data = site.targets[0]
        .registry
        .root()
        .join("storage/docker/registry/v2/blobs/sha256");
    let data = data.join(&hex[..2]).join(&hex).join("data");
    std::fs::write(data, vec![0; bytes.len()]).expect("the registry's storage can be written");
    let _ = site.run(&["verify"]).await.expect(0);
    let output = site.run(&["verify", "--deep"]).await.expect(2);
    assert!(
        format!("{}{}", output.stdout, output.stderr).contains(&hex[..12]),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closer_check_finds_a_child_that_is_gone() {
    let family = site::family();
    let (_, app) = &family[1];
    let Some(site) = Site::mirroring(1, &[("team/app", app)]).await else {
        return;
    };
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let target = &site.targets[0];
    let child = app.manifests[0].digest.clone();
    target.direct().delete_manifest("mirror/app", &child).await;
    let trusting = site.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert!(trusting.stdout.contains(NO_CHANGES));
    let _ = site
        .run(&[
            "plan",
            "--detailed-exitcode",
            "--check",
            "manifests",
            "-o",
            "plan.json",
        ])
        .await
        .expect(2);
    site.apply(0).await;
    assert!(standing(target, "mirror/app", &child.to_string()).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_from_standard_input_is_read() {
    use tokio::io::AsyncWriteExt as _;
    let content = site::single("v1", 1, 1_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let text = site.sandbox.read("transship.yaml");
    std::fs::remove_file(site.sandbox.path("transship.yaml")).expect("the file is there");
    let arguments = ["plan", "-f", "-"];
    let mut command = site.sandbox.command(&arguments);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(text.as_bytes()).await.expect("the binary reads");
    drop(stdin);
    let _ = testkit::binary::finish(child, &arguments)
        .await
        .expect(0)
        .says(&["Plan: 1 tag"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_says_nothing_and_data_stays_on_standard_output() {
    let content = site::single("v1", 1, 1_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let output = site.run(&["-q", "plan"]).await.expect(0);
    assert!(output.stdout.contains("Plan: "), "{}", output.stdout);
    assert_eq!(output.stderr, "");
}

#[tokio::test]
async fn a_configuration_without_mirrors_is_said_to_want_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("transship.yaml", "version: 1\nmirrors: []\n");
    for command in [&["plan"][..], &["validate"], &["apply", "--auto-approve"]] {
        let output = sandbox.run(command).await.expect(0);
        let _ = output.warns(&["warning: there is nothing to do: the configuration has no mirrors"]);
    }
}

#[tokio::test]
async fn what_is_blocked_is_counted_and_told_on_standard_error() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "transship.yaml",
        "version: 1\nregistries: { one: { layout: one }, two: { layout: two } }\nmirrors: [{ from: one/a, to: [two/a] }]\n",
    );
    let output = sandbox.run(&["apply", "--auto-approve"]).await.expect(1);
    assert_eq!(output.stderr.matches("! ").count(), 1, "{}", output.stderr);
    let _ = output.says(&["Apply incomplete: 0 tags written, 1 blocked; "]);
}
