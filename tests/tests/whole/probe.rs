//! `transship probe`, against the reference registry.

use serde_json::{Value, json};
use testkit::binary::Sandbox;
use testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
use testkit::proxy::Proxy;
use testkit::push::Direct;
use testkit::software::{Need, need};

use crate::site::single;

async fn registry() -> Option<DockerRegistry> {
    if need("docker-registry") == Need::Skip {
        return None;
    }
    let registry = DockerRegistry::start().await;
    Direct::new(registry.host())
        .push("team/app", &single("v1", 1, 3_000))
        .await;
    Some(registry)
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

fn probe<'a>(document: &'a Value, name: &str) -> &'a Value {
    let probes = document["probes"].as_array().expect("there are probes");
    let found = probes.iter().find(|probe| probe["probe"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

#[tokio::test]
async fn reading_probes_write_nothing_and_say_what_writing_ones_need() {
    let Some(registry) = registry().await else { return };
    let proxy = Proxy::start(registry.host()).await;
    let place = format!("{}/team/app", proxy.host());
    let output = Sandbox::new().run(&["probe", &place]).await.expect(0);
    assert_eq!(output.stderr, "");
    let expected = [
        "class other",
        "  sign_in         asks for nothing",
        "= tags_limit      n=1001 is taken  (built in: 1000 at once)",
        "  manifest_head   200, digest and size",
        "  blob_head       200, size",
        "  blob_redirect   none (206)",
        "  blob_range      honoured",
        "  referrers_api   no (404)  (built in: asked each time)",
        "? upload_session  not tried: give --write",
        "? mount           not tried: give --write  (built in: any blob)",
        "? chunks          not tried: give --write  (built in: one PUT)",
        "  rate_limits     no header says anything",
    ];
    let output = output.says(&expected);
    assert!(!output.stdout.contains('\u{1b}'));
    assert!(proxy.exchanges().mutating().is_empty());
}

#[tokio::test]
async fn the_json_form_has_every_probe_with_its_facts() {
    let Some(registry) = registry().await else { return };
    let place = format!("{}/team/app", registry.host());
    let output = Sandbox::new()
        .run(&["probe", &place, "--write", "--format", "json"])
        .await
        .expect(0);
    let document = parse(&output.stdout);
    assert_eq!(
        (&document["schema"], &document["write"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        (&document["repository"], &document["class"]),
        (&json!(place), &json!("other"))
    );
    let names: Vec<&str> = document["probes"]
        .as_array()
        .expect("there are probes")
        .iter()
        .filter_map(|probe| probe["probe"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "sign_in",
            "tags_page",
            "tags_limit",
            "manifest_head",
            "blob_head",
            "blob_redirect",
            "blob_range",
            "referrers_api",
            "upload_session",
            "mount",
            "chunks",
            "rate_limits"
        ]
    );
    let mount = json!({ "probe": "mount", "found": "mounted (201)", "built_in": "any blob", "agrees": true, "note": null,
                        "facts": { "status": 201, "cancelled": null } });
    assert_eq!(probe(&document, "mount"), &mount);
    let at = json!({ "absolute": true, "under_v2": true, "elsewhere": null });
    let session = json!({ "status": 202, "location": at, "cancelled": 204 });
    assert_eq!(probe(&document, "upload_session")["facts"], session);
    let chunks = json!({ "least": null, "first": { "status": 202, "range": "0-0" },
                         "second": { "status": 202, "range": "0-1" }, "cancelled": 204 });
    assert_eq!(probe(&document, "chunks")["facts"], chunks);
    let referrers = probe(&document, "referrers_api");
    assert_eq!(
        (&referrers["agrees"], &referrers["facts"]["status"]),
        (&Value::Null, &json!(404))
    );
}

#[tokio::test]
async fn who_signs_in_is_named_and_the_password_is_not() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let registry = DockerRegistry::start_with(Access::Password).await;
    Direct::new(registry.host())
        .login(USERNAME, PASSWORD)
        .push("team/app", &single("v1", 1, 3_000))
        .await;
    let place = format!("{}/team/app", registry.host());
    let creds = format!("{USERNAME}:{PASSWORD}");
    let output = Sandbox::new()
        .run(&["probe", &place, "--creds", &creds, "--tls-verify=false"])
        .await
        .expect(0)
        .says(&["basic; credential: the flag --creds"]);
    assert!(!output.stdout.contains(PASSWORD) && !output.stderr.contains(PASSWORD));
    let refused = Sandbox::new().run(&["probe", &place]).await.expect(77);
    assert_eq!(refused.stdout, "");
    let wrong = format!("{USERNAME}:mackerel");
    let refused = Sandbox::new()
        .run(&["probe", &place, "--creds", &wrong])
        .await
        .expect(77);
    assert!(!refused.stderr.contains("mackerel"), "{}", refused.stderr);
}

#[tokio::test]
async fn what_is_no_repository_is_refused_by_its_cause() {
    let Some(registry) = registry().await else { return };
    let missing = format!("{}/team/none", registry.host());
    let _ = Sandbox::new()
        .run(&["probe", &missing])
        .await
        .expect(1)
        .warns(&["there is no repository", "hint: name a repository that has a tag"]);
    let tagged = format!("{}/team/app:v1", registry.host());
    for place in ["app", "oci:layout", &tagged] {
        let output = Sandbox::new().run(&["probe", place]).await.expect(64);
        assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
    }
}
