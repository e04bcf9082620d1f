//! One artifact, one repository, one digest: the commands without a configuration.

use testkit::binary::Sandbox;
use testkit::process::DockerRegistry;
use testkit::push::Direct;
use testkit::software::{Need, need};

use crate::site::{family, single};

/// Two registries, the first with a repository of two tags and a signature.
async fn two() -> Option<(Sandbox, DockerRegistry, DockerRegistry)> {
    if need("docker-registry") == Need::Skip {
        return None;
    }
    let (one, other) = (DockerRegistry::start().await, DockerRegistry::start().await);
    let (_, app) = family().remove(1);
    Direct::new(one.host()).push("team/app", &app).await;
    Some((Sandbox::new(), one, other))
}

#[tokio::test]
async fn copy_takes_one_artifact_with_its_attachments_to_several_places() {
    let Some((sandbox, one, other)) = two().await else {
        return;
    };
    let source = format!("docker://{}/team/app:latest", one.host());
    let first = format!("{}/copied/app:stable", other.host());
    let second = format!("docker://{}/again/app", other.host());
    let flags = ["--src-tls-verify=false", "--dest-tls-verify=false", "--all"];
    let arguments = [&["copy", &source, &first, &second], &flags[..]].concat();
    let _ = sandbox.run(&arguments).await.expect(0);

    let (from, to) = (Direct::new(one.host()), Direct::new(other.host()));
    let wanted = from
        .manifest("team/app", "latest")
        .await
        .expect("the source stands");
    for (repository, tag) in [("copied/app", "stable"), ("again/app", "latest")] {
        let there = to.manifest(repository, tag).await.expect("the copy stands");
        assert_eq!(there.bytes, wanted.bytes);
        let signature = wanted.digest.to_string().replace(':', "-") + ".sig";
        assert_eq!(
            to.manifest(repository, &signature)
                .await
                .map(|signature| signature.digest),
            from.manifest("team/app", &signature)
                .await
                .map(|signature| signature.digest),
        );
        assert_eq!(to.tags(repository).await.len(), 2);
    }
}

#[tokio::test]
async fn copy_of_what_does_not_exist_fails_and_names_it() {
    let Some((sandbox, one, other)) = two().await else {
        return;
    };
    let source = format!("{}/team/app:nowhere", one.host());
    let target = format!("{}/copied/app", other.host());
    let flags = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let output = sandbox
        .run(&[&["copy", &source, &target], &flags[..]].concat())
        .await
        .expect(1);
    assert!(
        format!("{}{}", output.stdout, output.stderr).contains("nowhere"),
        "{output:?}"
    );
    assert!(Direct::new(other.host()).tags("copied/app").await.is_empty());
}

#[tokio::test]
async fn tags_and_digest_answer_as_the_registry_does() {
    let Some((sandbox, one, _other)) = two().await else {
        return;
    };
    let repository = format!("{}/team/app", one.host());
    let expected = Direct::new(one.host()).tags("team/app").await;
    for alias in ["tags", "list-tags", "ls"] {
        let output = sandbox
            .run(&[alias, &repository, "--tls-verify=false"])
            .await
            .expect(0);
        let listed: std::collections::BTreeSet<String> = output.stdout.lines().map(str::to_owned).collect();
        assert_eq!(listed, expected, "{alias}");
    }
    let output = sandbox
        .run(&["tags", &repository, "--tls-verify=false", "--format", "json"])
        .await
        .expect(0);
    let document: serde_json::Value = serde_json::from_str(&output.stdout).expect("the output is JSON");
    assert!(document.to_string().contains("\"1.1.0\""), "{document}");

    let wanted = Direct::new(one.host())
        .manifest("team/app", "1.0.0")
        .await
        .expect("the tag stands")
        .digest;
    let reference = format!("docker://{repository}:1.0.0");
    let output = sandbox
        .run(&["digest", &reference, "--tls-verify=false"])
        .await
        .expect(0);
    assert_eq!(output.stdout, format!("{wanted}\n"));
    let _ = sandbox
        .run(&["digest", &format!("{repository}:nowhere"), "--tls-verify=false"])
        .await
        .expect(1);
}

#[tokio::test]
async fn copy_goes_into_a_layout_and_out_of_it_again() {
    let Some((sandbox, one, other)) = two().await else {
        return;
    };
    let source = format!("{}/team/app:1.1.0", one.host());
    let target = format!("{}/back/app:1.1.0", other.host());
    let _ = sandbox
        .run(&["copy", &source, "oci:kept:1.1.0", "--src-tls-verify=false"])
        .await
        .expect(0);
    let _ = sandbox
        .run(&["copy", "oci:kept:1.1.0", &target, "--dest-tls-verify=false"])
        .await
        .expect(0);
    let wanted = Direct::new(one.host())
        .manifest("team/app", "1.1.0")
        .await
        .expect("the source stands");
    let back = Direct::new(other.host())
        .manifest("back/app", "1.1.0")
        .await
        .expect("the copy stands");
    assert_eq!(back, wanted);
    let signature = wanted.digest.to_string().replace(':', "-") + ".sig";
    assert!(
        Direct::new(other.host())
            .manifest("back/app", &signature)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_reference_that_names_no_host_is_a_usage_error_that_says_so() {
    let sandbox = Sandbox::new();
    for arguments in [["digest", "alpine:3"], ["tags", "library/alpine"]] {
        let output = sandbox.run(&arguments).await.expect(64);
        assert!(output.stderr.contains("host"), "{}", output.stderr);
    }
}

#[tokio::test]
async fn copying_twice_moves_nothing_the_second_time() {
    let Some((sandbox, one, other)) = two().await else {
        return;
    };
    Direct::new(one.host())
        .push("team/small", &single("v1", 1, 500))
        .await;
    let proxy = testkit::proxy::Proxy::start(other.host()).await;
    let source = format!("{}/team/small:v1", one.host());
    let target = format!("{}/copied/small:v1", proxy.host());
    let arguments = [
        "copy",
        &source,
        &target,
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
    ];
    let _ = sandbox.run(&arguments).await.expect(0);
    assert!(!proxy.exchanges().mutating().is_empty());
    proxy.forget();
    let _ = sandbox.run(&arguments).await.expect(0);
    assert!(proxy.exchanges().mutating().is_empty());
}
