//! Against registries that docker-registry is not: one that issues tokens, one that answers the referrers API.

use loopback::{BearerOptions, Options, Registry, Server};
use oci::Descriptor;
use serde_json::Value;
use testkit::binary::Sandbox;
use testkit::image::Content;
use testkit::process::{DockerRegistry, PASSWORD, USERNAME};
use testkit::push::Direct;
use testkit::software::{Need, need};

use crate::site::single;

async fn serve(options: Options) -> Server {
    let registry = Registry::in_memory().with_options(options);
    registry
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .expect("a loopback port is free")
}

fn configure(sandbox: &Sandbox, registries: &[(&str, &str, &str)], mirrors: &str) {
    let mut text = "version: 1\nregistries:\n".to_owned();
    for (name, host, auth) in registries {
        text.push_str(&format!(
            "  {name}: {{ host: \"{host}\", plain_http: true{auth} }}\n"
        ));
    }
    sandbox.write("transship.yaml", &format!("{text}mirrors:\n{mirrors}"));
}

/// Starts an open source with one image, and a target that issues tokens to one user.
async fn with_tokens(sandbox: &Sandbox) -> (Server, Server) {
    let source = serve(Options::default()).await;
    let target = serve(Options {
        basic_auth: Some((USERNAME.to_owned(), PASSWORD.to_owned())),
        bearer: Some(BearerOptions::default()),
        ..Options::default()
    })
    .await;
    Direct::new(&source.host())
        .push("team/app", &single("v1", 1, 5_000))
        .await;
    let auth = format!(", auth: {{ username: {USERNAME}, password: {{ env: VAULT_PASSWORD }} }}");
    configure(
        sandbox,
        &[("origin", &source.host(), ""), ("vault", &target.host(), &auth)],
        "  - { from: origin/team/app, to: [vault/mirror/app] }\n",
    );
    (source, target)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_issues_tokens_is_signed_in_to() {
    let mut sandbox = Sandbox::new();
    let (source, target) = with_tokens(&sandbox).await;
    sandbox.set("VAULT_PASSWORD", PASSWORD);
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    let _ = sandbox.run(&["verify", "--deep"]).await.expect(0);
    let wanted = Direct::new(&source.host())
        .manifest("team/app", "v1")
        .await
        .expect("the source stands");
    let reference = format!("{}/mirror/app:v1", target.host());
    let creds = format!("{USERNAME}:{PASSWORD}");
    let output = sandbox
        .run(&["digest", &reference, "--creds", &creds, "--tls-verify=false"])
        .await
        .expect(0);
    assert_eq!(output.stdout, format!("{}\n", wanted.digest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_that_refuses_is_77() {
    let mut sandbox = Sandbox::new();
    let (_source, _target) = with_tokens(&sandbox).await;
    sandbox.set("VAULT_PASSWORD", "mackerel");
    let output = sandbox
        .run(&["apply", "--auto-approve", "--report", "report.json"])
        .await
        .expect(77);
    assert!(!format!("{}{}", output.stdout, output.stderr).contains("mackerel"));
    let report: Value = serde_json::from_str(&sandbox.read("report.json")).expect("the report is JSON");
    assert_eq!(report["exit_code"], 77);
}

fn attached() -> (Content, Descriptor, Descriptor) {
    let mut content = single("v1", 1, 5_000);
    let file = content.manifests[0].clone();
    let image = Descriptor::new(file.media_type, file.digest, file.bytes.len() as u64);
    let sbom = content.sbom(&image);
    content.signature(&sbom);
    (content, image, sbom)
}

async fn referrers(host: &str, subject: &Descriptor) -> Vec<String> {
    let url = format!("http://{host}/v2/mirror/app/referrers/{}", subject.digest);
    let response = reqwest::get(url).await.expect("the registry answers");
    let body = response.bytes().await.expect("the list arrives whole");
    let index: Value = serde_json::from_slice(&body).expect("a list of referrers is JSON");
    let entries = index["manifests"].as_array().expect("an index has entries");
    entries
        .iter()
        .filter_map(|entry| entry["digest"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrers_go_from_one_referrers_api_to_another_without_a_fallback_tag() {
    let (content, image, sbom) = attached();
    let (source, target) = (serve(Options::default()).await, serve(Options::default()).await);
    Direct::new(&source.host()).push("team/app", &content).await;
    let sandbox = Sandbox::new();
    configure(
        &sandbox,
        &[("origin", &source.host(), ""), ("modern", &target.host(), "")],
        "  - { from: origin/team/app, to: [modern/mirror/app] }\n",
    );
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    assert_eq!(referrers(&target.host(), &image).await, [sbom.digest.to_string()]);
    assert_eq!(referrers(&target.host(), &sbom).await.len(), 1);
    let tags = Direct::new(&target.host()).tags("mirror/app").await;
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), ["v1"]);
    let _ = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_tag_is_made_for_a_target_without_the_referrers_api() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let (content, image, sbom) = attached();
    let (source, target) = (serve(Options::default()).await, DockerRegistry::start().await);
    Direct::new(&source.host()).push("team/app", &content).await;
    let sandbox = Sandbox::new();
    configure(
        &sandbox,
        &[("origin", &source.host(), ""), ("older", target.host(), "")],
        "  - { from: origin/team/app, to: [older/mirror/app] }\n",
    );
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    let direct = Direct::new(target.host());
    for subject in [&image, &sbom] {
        let tag = subject.digest.to_string().replace(':', "-");
        let made = direct
            .manifest("mirror/app", &tag)
            .await
            .expect("the fallback tag stands");
        let index: Value = serde_json::from_slice(&made.bytes).expect("an index is JSON");
        let entries = index["manifests"].as_array().expect("an index has entries");
        assert_eq!(entries.len(), 1, "{index:#}");
        let digest = entries[0]["digest"].as_str().expect("an entry has a digest");
        assert!(direct.manifest("mirror/app", digest).await.is_some(), "{digest}");
        assert!(entries[0]["artifactType"].is_string(), "{index:#}");
    }
    let _ = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_referrers_api_tells_of_later_is_copied_though_the_tag_stands() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let (mut content, image, sbom) = attached();
    let (source, modern) = (serve(Options::default()).await, serve(Options::default()).await);
    let older = DockerRegistry::start().await;
    Direct::new(&source.host()).push("team/app", &content).await;
    let sandbox = Sandbox::new();
    configure(
        &sandbox,
        &[
            ("origin", &source.host(), ""),
            ("modern", &modern.host(), ""),
            ("older", older.host(), ""),
        ],
        "  - { from: origin/team/app, to: [modern/mirror/app, older/mirror/app] }\n",
    );
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    let late =
        [&image, &sbom].map(|subject| content.artifact(subject, "application/vnd.example.late", "late"));
    content.cosign(&sbom);
    Direct::new(&source.host()).push("team/app", &content).await;
    let _ = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(2);
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    for (subject, late) in [&image, &sbom].iter().zip(late) {
        let late = late.digest.to_string();
        let told = referrers(&modern.host(), subject).await;
        assert!(told.contains(&late) && told.len() == 2, "{told:?}");
        let tag = subject.digest.to_string().replace(':', "-");
        let direct = Direct::new(older.host());
        let index = direct.manifest("mirror/app", &tag).await;
        let index = index.expect("the fallback tag stands");
        let text = String::from_utf8_lossy(&index.bytes);
        assert!(told.iter().all(|digest| text.contains(digest)), "{text}");
        assert!(direct.manifest("mirror/app", &late).await.is_some(), "{late}");
    }
    let _ = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    let _ = sandbox.run(&["verify", "--deep"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_that_is_answered_with_a_session_is_uploaded_through_it() {
    let source = serve(Options::default()).await;
    let target = serve(Options {
        mounts: false,
        ..Options::default()
    })
    .await;
    let content = single("v1", 1, 50_000);
    for repository in ["team/one", "team/two"] {
        Direct::new(&source.host()).push(repository, &content).await;
    }
    let proxy = testkit::proxy::Proxy::start(&target.host()).await;
    let sandbox = Sandbox::new();
    configure(
        &sandbox,
        &[("origin", &source.host(), ""), ("plain", &proxy.host(), "")],
        "  - { from: origin/team/one, to: [plain/mirror/one] }
  - { from: origin/team/two, to: [plain/mirror/two] }
",
    );
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    let exchanges = proxy.exchanges();
    let declined = exchanges
        .mounts()
        .iter()
        .filter(|mount| mount.status == 202)
        .count();
    assert_eq!(declined, content.blobs.len(), "{:?}", exchanges.mounts());
    let posts = exchanges
        .0
        .iter()
        .filter(|exchange| exchange.method.as_str() == "POST")
        .count();
    assert_eq!(
        posts,
        content.blobs.len() * 2,
        "the session of the mount is used, no other is started"
    );
    for digest in content.blobs.keys() {
        for repository in ["mirror/one", "mirror/two"] {
            assert!(
                Direct::new(&target.host())
                    .blob(repository, digest)
                    .await
                    .is_some()
            );
        }
    }
}
