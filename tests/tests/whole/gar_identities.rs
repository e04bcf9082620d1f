//! Whoever Google knows signs in, plans, makes the repository and pushes.

use std::fs;

use serde_json::json;
use testkit::binary::Output;
use testkit::google::identity::MACHINE;
use testkit::google::key::ServiceAccountKey;

use crate::gar::{BASE, MIRROR, World};
use crate::site::single;

/// Whom the registry sees, and whom the API sees.
struct Seen {
    user: &'static str,
    owner: &'static str,
}

/// A user whose access token the registry is shown.
const fn token_of(owner: &'static str) -> Seen {
    Seen {
        user: "oauth2accesstoken",
        owner,
    }
}

/// Mirrors three images, and asserts who did it.
async fn assert_mirrors(world: &World, auth: &str, seen: &Seen) {
    let images = [("alpine", 1), ("redis", 2), ("team/app", 3)];
    for (image, seed) in images {
        world.seed(image, &single("v1", seed, 20_000)).await;
    }
    let mirrors = images.map(|(image, _)| format!("from: origin/{image}, to: [gar/my-project/base/{image}]"));
    world.configure(auth, &[], &mirrors.each_ref().map(String::as_str));
    world.api.operations_take(1);

    let (plan, _) = world.plan(0).await;
    let made: Vec<&str> = plan
        .stdout
        .lines()
        .filter(|line| line.contains("(repository)"))
        .collect();
    assert_eq!(made, ["+ gar/my-project/base (repository)"], "{}", plan.stdout);
    assert!(world.changes().is_empty(), "a plan changes nothing");
    let apply = world.run(&["apply", "plan.json", "-vv"]).await.expect(0);
    for (image, seed) in images {
        world
            .assert_holds(&format!("my-project/base/{image}"), &single("v1", seed, 20_000))
            .await;
    }
    assert_eq!(
        world.changes(),
        ["POST /v1/projects/my-project/locations/europe-west1/repositories"]
    );
    assert!(world.api.repository(BASE).is_some());
    world.assert_settled().await;
    assert_seen(world, seen);
    assert_secret(world, &[plan, apply]);
}

fn assert_seen(world: &World, seen: &Seen) {
    let shown: Vec<_> = world
        .tokens
        .requests()
        .into_iter()
        .filter_map(|request| request.basic)
        .collect();
    for (user, password) in &shown {
        assert_eq!(user, seen.user);
        if user == "oauth2accesstoken" {
            assert_eq!(world.owner(password).as_deref(), Some(seen.owner));
        }
    }
    assert!(!shown.is_empty());
    for asked in world.api.asked() {
        let owner = asked.bearer().and_then(|token| world.owner(token));
        assert_eq!(
            owner.as_deref(),
            Some(seen.owner),
            "{} {}",
            asked.method,
            asked.path
        );
    }
}

/// Every secret of the doubles has this word in it.
fn assert_secret(world: &World, outputs: &[Output]) {
    let texts = outputs
        .iter()
        .flat_map(|output| [output.stdout.clone(), output.stderr.clone()]);
    for text in texts.chain([world.sandbox.read("plan.json")]) {
        assert!(
            !text.contains("CANARY") && !text.contains("PRIVATE KEY"),
            "{text}"
        );
    }
}

fn log_in(world: &World) {
    let directory = world.sandbox.home().join(".config/gcloud");
    fs::create_dir_all(&directory).expect("the home can be written");
    let file = directory.join("application_default_credentials.json");
    fs::write(file, world.identities.user_file().to_string()).expect("the home can be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_machine_mirrors_by_its_metadata_server() {
    let Some(world) = World::start().await else { return };
    assert_mirrors(&world, "", &token_of(MACHINE)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_user_mirrors_after_a_login_with_gcloud() {
    let Some(world) = World::start_for_nobody(|rules| rules).await else {
        return;
    };
    log_in(&world);
    assert_mirrors(&world, "", &token_of("ann@example.com")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_federated_workload_mirrors() {
    let Some(mut world) = World::start_for_nobody(|rules| rules).await else {
        return;
    };
    let source = json!({ "url": format!("{}/subject", world.identities.url()) });
    let file = world.identities.federated_file(&source).to_string();
    let path = world.sandbox.write("federated.json", &file);
    world
        .sandbox
        .set("GOOGLE_APPLICATION_CREDENTIALS", &path.display().to_string());
    assert_mirrors(&world, "", &token_of("federated")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_user_mirrors_as_a_service_account() {
    let Some(mut world) = World::start_for_nobody(|rules| rules).await else {
        return;
    };
    log_in(&world);
    world.identities.may_impersonate("ann@example.com");
    let iam = world.identities.url();
    world
        .sandbox
        .set("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &iam);
    assert_mirrors(&world, &format!(", impersonate: {MIRROR}"), &token_of(MIRROR)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_service_account_mirrors_by_its_key() {
    let Some(world) = World::start_for_nobody(|rules| rules).await else {
        return;
    };
    let key = ServiceAccountKey::generate(MIRROR).file();
    world.sandbox.write("key.json", &key.to_string());
    let seen = Seen {
        user: "_json_key_base64",
        owner: MIRROR,
    };
    assert_mirrors(&world, ", key_file: key.json", &seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_user_who_may_not_act_as_the_account_is_told_the_grant() {
    let Some(mut world) = World::start_for_nobody(|rules| rules).await else {
        return;
    };
    log_in(&world);
    let iam = world.identities.url();
    world
        .sandbox
        .set("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &iam);
    world.seed("alpine", &single("v1", 1, 2_000)).await;
    let auth = format!(", impersonate: {MIRROR}");
    world.configure(
        &auth,
        &[],
        &["from: origin/alpine, to: [gar/my-project/base/alpine]"],
    );
    let _ = world.run(&["plan"]).await.expect(77).says(&[
        "iam.serviceAccounts.getAccessToken",
        "ann@example.com",
        &format!("gcloud iam service-accounts add-iam-policy-binding {MIRROR} --member=user:ann@example.com"),
        "roles/iam.serviceAccountTokenCreator",
    ]);
}
