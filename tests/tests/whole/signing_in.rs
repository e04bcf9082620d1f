//! Who signs in, and what becomes of the secret.

use testkit::binary::Sandbox;
use testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
use testkit::push::Direct;
use testkit::software::{Need, need};

use crate::site::single;

/// A source for everyone and a target with a password, and a configuration with `auth` as given.
async fn locked(auth: &str) -> Option<(Sandbox, DockerRegistry, DockerRegistry)> {
    if need("docker-registry") == Need::Skip {
        return None;
    }
    let source = DockerRegistry::start().await;
    let target = DockerRegistry::start_with(Access::Password).await;
    Direct::new(source.host())
        .push("team/app", &single("v1", 1, 3_000))
        .await;
    let sandbox = Sandbox::new();
    sandbox.write(
        "transship.yaml",
        &format!(
            "version: 1
registries:
  origin: {{ host: \"{}\", plain_http: true }}
  vault: {{ host: \"{}\", plain_http: true{auth} }}
mirrors:
  - {{ from: origin/team/app, to: [vault/mirror/app] }}
",
            source.host(),
            target.host(),
        ),
    );
    Some((sandbox, source, target))
}

async fn assert_landed(target: &DockerRegistry) {
    let direct = Direct::new(target.host()).login(USERNAME, PASSWORD);
    assert!(direct.manifest("mirror/app", "v1").await.is_some());
}

/// Asserts that nothing that was printed or saved shows the password, plain or encoded.
fn assert_secret(sandbox: &Sandbox, texts: &[&str]) {
    // Base64 of mirror:swordfish.
    for secret in [PASSWORD, "bWlycm9yOnN3b3JkZmlzaA"] {
        for text in texts {
            assert!(!text.contains(secret), "{text}");
        }
        for name in ["plan.json", "report.json"] {
            assert!(!sandbox.read(name).contains(secret), "{name}");
        }
    }
}

#[tokio::test]
async fn a_password_of_the_environment_signs_in_and_is_never_shown() {
    let auth = format!(", auth: {{ username: {USERNAME}, password: {{ env: VAULT_PASSWORD }} }}");
    let Some((mut sandbox, _source, target)) = locked(&auth).await else {
        return;
    };
    sandbox.set("VAULT_PASSWORD", PASSWORD);
    let plan = sandbox.run(&["plan", "-vv", "-o", "plan.json"]).await.expect(0);
    let apply = sandbox
        .run(&["apply", "plan.json", "-vv", "--report", "report.json"])
        .await
        .expect(0);
    assert_landed(&target).await;
    assert_secret(
        &sandbox,
        &[&plan.stdout, &plan.stderr, &apply.stdout, &apply.stderr],
    );
}

#[tokio::test]
async fn a_password_of_a_file_signs_in() {
    let auth = format!(", auth: {{ username: {USERNAME}, password: {{ file: secret.txt }} }}");
    let Some((sandbox, _source, target)) = locked(&auth).await else {
        return;
    };
    sandbox.write("secret.txt", &format!("{PASSWORD}\n"));
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    assert_landed(&target).await;
}

#[tokio::test]
async fn the_docker_file_of_the_home_signs_in() {
    let Some((sandbox, _source, target)) = locked("").await else {
        return;
    };
    let document = format!(
        r#"{{"auths":{{"{}":{{"auth":"bWlycm9yOnN3b3JkZmlzaA=="}}}}}}"#,
        target.host()
    );
    std::fs::create_dir_all(sandbox.home().join(".docker")).expect("the home can be written");
    std::fs::write(sandbox.home().join(".docker/config.json"), document).expect("the home can be written");
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    assert_landed(&target).await;
}

#[tokio::test]
async fn a_wrong_password_is_77_and_the_error_names_where_it_came_from() {
    let auth = format!(", auth: {{ username: {USERNAME}, password: {{ env: VAULT_PASSWORD }} }}");
    let Some((mut sandbox, _source, _target)) = locked(&auth).await else {
        return;
    };
    sandbox.set("VAULT_PASSWORD", "mackerel");
    let output = sandbox.run(&["plan"]).await.expect(77);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains("vault"), "{text}");
    assert!(text.contains("auth"), "{text}");
    assert!(!text.contains("mackerel"), "{text}");
}

#[tokio::test]
async fn a_missing_variable_is_named_before_any_registry_is_asked() {
    let auth = format!(", auth: {{ username: {USERNAME}, password: {{ env: VAULT_PASSWORD }} }}");
    let Some((sandbox, _source, _target)) = locked(&auth).await else {
        return;
    };
    let output = sandbox.run(&["plan"]).await;
    assert_ne!(output.code, 0);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains("VAULT_PASSWORD"), "{text}");
    let _ = sandbox.run(&["validate"]).await.expect(0);
}
