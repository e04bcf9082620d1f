//! What is asked for and is not there is blocked and named, and stops nothing else.

use testkit::image::{Content, Family};

use crate::site::{self, Site, assert_holds, standing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_that_matches_nothing_is_blocked_while_the_rest_is_planned() {
    let content = site::single("v1", 1, 2_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content), ("team/other", &content)]).await else {
        return;
    };
    site.configure(
        "mirrors:
  - { from: origin/team/app, to: [alpha/mirror/app], tags: { semver: \">=7\" } }
  - { from: origin/team/other, to: [alpha/mirror/other] }
",
    );
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(1);
    let line = output
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with('!'));
    assert!(
        line.is_some_and(|line| line.contains("team/app")),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("1 blocked"), "{}", output.stdout);
    assert!(!output.stdout.contains(site::NO_CHANGES));
    site.apply(1).await;
    assert_holds(&site.targets[0], "mirror/other", &content).await;
    let _ = site.run(&["plan", "--detailed-exitcode"]).await.expect(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_tag_that_does_not_exist_is_named_while_the_rest_is_planned() {
    let content = site::single("v1", 1, 2_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.configure(
        "mirrors:\n  - { from: origin/team/app, to: [alpha/mirror/app], tags: { list: [v1, v7] } }\n",
    );
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(1);
    let line = output
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with('!'));
    assert!(line.is_some_and(|line| line.contains("v7")), "{}", output.stdout);
    let report = site.apply(1).await;
    assert!(report["blocked"].to_string().contains("v7"), "{report:#}");
    assert_holds(&site.targets[0], "mirror/app", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_repository_that_does_not_exist_is_named_while_the_rest_is_planned() {
    let content = site::single("v1", 1, 2_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.configure(
        "mirrors:
  - { from: origin/team/app, to: [alpha/mirror/app] }
  - { from: origin/team/nowhere, to: [alpha/mirror/nowhere] }
",
    );
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(1);
    assert!(output.stdout.contains("team/nowhere"), "{}", output.stdout);
    site.apply(1).await;
    assert_holds(&site.targets[0], "mirror/app", &content).await;
}

/// Versions and other tags, each an image of its own.
fn versions(tags: &[&str]) -> Content {
    let mut content = Content::new();
    for (seed, tag) in (100..).zip(tags) {
        let layer = content.layer(Family::Oci, seed, 300);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        content.tag(tag, &image);
    }
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_select_what_they_say() {
    let content = versions(&[
        "1.0.0",
        "1.1.0",
        "1.2.0",
        "2.0.0",
        "v2.1",
        "3.0.0-rc.1",
        "latest",
        "nightly",
        "1.1.0-alpine",
        "1.2.0-alpine",
        "7",
    ]);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let cases: [(&str, &[&str]); 8] = [
        ("{ semver: \"<2\" }", &["1.0.0", "1.1.0", "1.2.0"]),
        ("{ semver: \">=1.1\", latest: 2 }", &["2.0.0", "v2.1"]),
        ("{ semver: \">=3\", prerelease: true }", &["3.0.0-rc.1"]),
        ("{ include: [\"*-alpine\"] }", &["1.1.0-alpine", "1.2.0-alpine"]),
        (
            "{ include: [\"n*\", \"l*\"], exclude: [\"nightly\"] }",
            &["latest"],
        ),
        ("{ regex: \"[0-9]\" }", &["7"]),
        (
            "{ regex: \"(?<version>.+)-alpine\", latest: 1 }",
            &["1.2.0-alpine"],
        ),
        ("[{ list: [nightly] }, { latest: 1 }]", &["nightly", "v2.1"]),
    ];
    for (number, (tags, expected)) in cases.into_iter().enumerate() {
        site.configure(&format!(
            "mirrors:\n  - {{ from: origin/team/app, to: [alpha/case/{number}], tags: {tags} }}\n"
        ));
        site.plan(0).await;
        site.apply(0).await;
        let landed = site.targets[0].direct().tags(&format!("case/{number}")).await;
        assert_eq!(landed.into_iter().collect::<Vec<_>>(), expected, "{tags}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_change_decides_about_a_tag_that_differs() {
    let ours = site::single("v1", 1, 2_000);
    let theirs = site::single("v1", 2, 2_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &ours)]).await else {
        return;
    };
    let target = &site.targets[0];
    target.direct().push("mirror/app", &theirs).await;
    let before = standing(target, "mirror/app", "v1").await;
    for (rule, code, word) in [("keep", 0, "1 kept"), ("refuse", 1, "1 blocked")] {
        site.configure(&format!(
            "mirrors:\n  - {{ from: origin/team/app, to: [alpha/mirror/app], on_change: {rule} }}\n"
        ));
        let output = site.run(&["plan", "-o", "plan.json"]).await.expect(code);
        assert!(output.stdout.contains(word), "{}", output.stdout);
        assert!(!output.stdout.contains(site::NO_CHANGES));
        site.apply(code).await;
        assert_eq!(standing(target, "mirror/app", "v1").await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_keeps_the_work_that_matches() {
    let content = site::single("v1", 1, 2_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &content), ("team/other", &content)]).await else {
        return;
    };
    let _ = site
        .run(&["plan", "-o", "plan.json", "--only", "origin/team/app"])
        .await
        .expect(0);
    site.apply(0).await;
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
        assert!(target.direct().tags("mirror/other").await.is_empty());
    }
    let _ = site
        .run(&["plan", "-o", "plan.json", "--only", "beta/mirror/*"])
        .await
        .expect(0);
    site.apply(0).await;
    assert!(
        site.target("alpha")
            .direct()
            .tags("mirror/other")
            .await
            .is_empty()
    );
    assert_holds(site.target("beta"), "mirror/other", &content).await;
}
