//! Repositories of Google's registry: made, left alone, changed, or blocked.

use serde_json::{Value, json};

use crate::gar::{BASE, World};
use crate::site::single;

/// One image into the repository of [`BASE`].
const ALPINE: &str = "from: origin/alpine, to: [gar/my-project/base/alpine]";

const SETTINGS: &str = "create_repositories: { tag_mutability: immutable, description: base images, labels: { team: base }, \
                        cleanup_policies: { old: { action: DELETE, condition: { tagState: UNTAGGED, olderThan: 30d } } }, \
                        cleanup_dry_run: true }";

fn settings() -> Value {
    json!({
        "format": "DOCKER",
        "mode": "STANDARD_REPOSITORY",
        "description": "base images",
        "labels": { "team": "base" },
        "dockerConfig": { "immutableTags": true },
        "cleanupPolicies": {
            "old": { "id": "old", "action": "DELETE", "condition": { "tagState": "UNTAGGED", "olderThan": "2592000s" } },
        },
        "cleanupPolicyDryRun": true,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_repository_is_made_as_the_configuration_says() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.configure("", &[SETTINGS], &[ALPINE]);
    world.api.operations_take(2);
    let _ = world.run(&["apply", "--auto-approve"]).await.expect(0);

    let stands = world.api.repository(BASE).expect("the repository stands");
    for (field, value) in settings().as_object().expect("it is a map") {
        assert_eq!(&stands[field], value, "{field}");
    }
    let looks = world
        .api
        .asked()
        .into_iter()
        .filter(|asked| asked.path.contains("/operations/"));
    assert_eq!(
        looks.count(),
        3,
        "the operation was asked after until it was done"
    );
    world
        .assert_holds("my-project/base/alpine", &single("v1", 1, 20_000))
        .await;
    world.assert_settled().await;
    let output = world.run(&["plan"]).await.expect(0);
    assert!(
        !output.stdout.contains("note:"),
        "nothing drifts: {}",
        output.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_an_image_that_is_missing_in_a_repository_that_stands_needs_no_call() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.api.add_repository(BASE, json!({ "format": "DOCKER" }));
    world.configure("", &[], &[ALPINE]);
    let (plan, _) = world.plan(0).await;
    assert!(!plan.stdout.contains("(repository)"), "{}", plan.stdout);
    world.apply(0).await;
    assert_eq!(world.changes(), Vec::<String>::new());
    world
        .assert_holds("my-project/base/alpine", &single("v1", 1, 20_000))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_what_may_not_be_created_is_blocked_and_the_rest_goes_on() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    let mirror = "from: origin/alpine, to: [gar/my-project/base/alpine, site/mirror/alpine]";
    world.configure("", &["create_repositories: false"], &[mirror]);
    let (plan, _) = world.plan(1).await;
    let plan = plan.says(&[
        "! gar/my-project/base: the repository does not exist and is not to be created",
        "hint: create it, or let create_repositories do so",
    ]);
    assert!(!plan.stdout.contains("(repository)"), "{}", plan.stdout);
    world.apply(1).await;
    assert_eq!(world.changes(), Vec::<String>::new());
    assert_at_site(&world, "mirror/alpine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_path_without_an_image_is_blocked_with_what_to_add() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    let mirror = "from: origin/alpine, to: [gar/my-project/base, site/mirror/alpine]";
    world.configure("", &[], &[mirror]);
    let (plan, _) = world.plan(1).await;
    let _ = plan.says(&[
        "! gar/my-project/base: the path names a repository of the vendor's, and no image in it",
        "hint: add the image's name, as in gar/my-project/base/{name}",
    ]);
    world.apply(1).await;
    assert_at_site(&world, "mirror/alpine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_repository_that_takes_no_images_is_blocked_with_its_reason() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    let remote = json!({ "format": "DOCKER", "mode": "REMOTE_REPOSITORY" });
    world.api.add_repository(BASE, remote);
    let mirror = "from: origin/alpine, to: [gar/my-project/base/alpine, site/mirror/alpine]";
    world.configure("", &[], &[mirror]);
    let (plan, _) = world.plan(1).await;
    let _ = plan.says(&["! gar/my-project/base: it is a remote repository, nothing can be pushed there"]);
    world.apply(1).await;
    assert_at_site(&world, "mirror/alpine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_settings_that_drift_are_told_and_changed_only_where_that_is_said() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    let mut stands = settings();
    stands["labels"] = json!({ "team": "core", "cost": "7" });
    stands["dockerConfig"] = json!({});
    stands["kmsKeyName"] = json!("projects/p/locations/l/keyRings/r/cryptoKeys/old");
    world.api.add_repository(BASE, stands);
    let keyed = SETTINGS.replace(
        "cleanup_dry_run",
        "kms_key: projects/p/locations/l/keyRings/r/cryptoKeys/new, cleanup_dry_run",
    );
    world.configure("", &[&keyed], &[ALPINE]);
    let kept = world.run(&["plan"]).await.expect(0).says(&[
        "note: gar/my-project/base: labels is team=core, and team=base in the configuration; `on_drift: update` would change it",
        "note: gar/my-project/base: tag_mutability is mutable, and immutable in the configuration; `on_drift: update`",
        "; only a new repository could have it",
    ]);
    assert!(!kept.stdout.contains("~ "), "{}", kept.stdout);

    world.configure(
        "",
        &[&keyed.replace("{ tag_mut", "{ on_drift: update, tag_mut")],
        &[ALPINE],
    );
    let (plan, _) = world.plan(0).await;
    let line = plan
        .stdout
        .lines()
        .find(|line| line.starts_with("~ "))
        .expect("a line says what changes");
    assert_eq!(
        line,
        "~ gar/my-project/base (repository)  labels team=core -> team=base, tag_mutability mutable -> immutable"
    );
    world.api.forget();
    world.apply(0).await;
    let patches: Vec<_> = world
        .api
        .asked()
        .into_iter()
        .filter(|asked| asked.method.as_str() == "PATCH")
        .collect();
    let [patch] = patches.as_slice() else {
        panic!("{patches:?}");
    };
    let mask = patch.parameter("updateMask").expect("the fields are named");
    let mut fields: Vec<&str> = mask.split(',').collect();
    fields.sort_unstable();
    assert_eq!(fields, ["dockerConfig", "labels"]);
    assert_eq!(
        patch.json(),
        json!({ "labels": { "team": "base", "cost": "7" }, "dockerConfig": { "immutableTags": true } })
    );
    let after = world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert!(
        after.stdout.contains("only a new repository could have it"),
        "{}",
        after.stdout
    );
    assert!(!after.stdout.contains("labels is"), "{}", after.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_an_immutable_tag_that_differs_is_blocked_and_new_tags_land() {
    let Some(world) = World::start_with(|mut rules| {
        rules.immutable_tags = true;
        rules
    })
    .await
    else {
        return;
    };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.configure(
        "",
        &["create_repositories: { tag_mutability: immutable }"],
        &[ALPINE],
    );
    let _ = world.run(&["apply", "--auto-approve"]).await.expect(0);

    world.seed("alpine", &single("v1", 2, 20_000)).await;
    world.seed("alpine", &single("v2", 3, 20_000)).await;
    let (plan, saved) = world.plan(1).await;
    let _ = plan.says(&[
        "! gar/my-project/base/alpine:v1: the tag differs from the source's, and the repository's tags are immutable",
        "hint: give the new image another tag, or say `on_change: keep`",
        "+ gar/my-project/base/alpine:v2",
    ]);
    assert_eq!(saved["blocked"][0]["kind"], "immutable");
    world.apply(1).await;
    world
        .assert_holds("my-project/base/alpine", &single("v1", 1, 20_000))
        .await;
    world
        .assert_holds("my-project/base/alpine", &single("v2", 3, 20_000))
        .await;
}

/// Asserts that the other target got what it was to get.
pub(crate) async fn assert_at_site(world: &World, repository: &str) {
    let direct = testkit::push::Direct::new(world.site.host());
    let content = single("v1", 1, 20_000);
    let found = direct.manifest(repository, "v1").await.expect("the tag landed");
    assert_eq!(Some(&found.digest), content.tags.values().next());
}
