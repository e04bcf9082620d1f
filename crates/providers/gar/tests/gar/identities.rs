//! Who signs in, by the real library, each time in a process of its own: the library reads the process's environment.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use planner::config::Auth;
use provider::{Lister as _, Provider as _};
use registry::Credential;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::google::artifact_registry::ArtifactRegistry;
use testkit::google::identity::{Identities, MACHINE, REFRESH_TOKEN, SUBJECT_TOKEN};
use testkit::google::key::ServiceAccountKey;
use testkit::python;
use testkit::software::{Need, need_python};
use tokio::process::Command;
use transship_gar::GarProvider;

use crate::support::{self, HOST, MIRROR, setup};

/// What the process is told by.
const AUTH: &str = "TRANSSHIP_TEST_AUTH";

/// The shipped code in a process of its own. Signs in, asks the API once, and prints what came of it. The other tests run
/// it; among them it is told nothing and has nothing to do.
#[tokio::test]
async fn child() {
    let Ok(auth) = std::env::var(AUTH) else {
        return;
    };
    let auth: Auth = serde_json::from_str(&auth).unwrap();
    let mut setup = setup(HOST, auth, BTreeMap::new());
    setup.environment = Arc::new(|name| std::env::var(name).ok());
    let provider = GarProvider::new(setup).unwrap();
    let signed = provider.credentials().sign_in().await;
    let said = match signed {
        Err(error) => json!({
            "error": error.to_string(), "kind": format!("{:?}", error.kind()), "hint": error.hint(),
        }),
        Ok(sign_in) => {
            let (username, password) = match &sign_in.credential {
                Credential::Basic { username, password } => (username.clone(), password.expose().to_owned()),
                Credential::Anonymous => (String::new(), String::new()),
                other => panic!("{other:?}"),
            };
            let found = provider
                .find_repository(&"my-project/base".parse().unwrap(), None)
                .await;
            json!({
                "username": username, "password": password, "origin": sign_in.origin,
                "expires": sign_in.expires.is_some(),
                "api": found.map(|found| found.is_some()).map_err(|error| error.to_string()).map_or_else(Value::from, Value::from),
            })
        }
    };
    println!("SAID {said}");
}

struct World {
    identities: Arc<Identities>,
    registry: ArtifactRegistry,
    home: TempDir,
}

impl World {
    async fn start() -> Self {
        let identities = Arc::new(Identities::start().await);
        let registry = ArtifactRegistry::start_for(|token| token.is_some()).await;
        registry.add_repository(support::BASE, json!({ "format": "DOCKER" }));
        Self {
            identities,
            registry,
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content.to_string()).unwrap();
        path.display().to_string()
    }

    /// Runs [`child`] with nothing in its environment but this.
    async fn sign_in(&self, auth: &Value, environment: &[(&str, &str)]) -> Value {
        let mut auth = auth.clone();
        auth["endpoint"] = json!(self.registry.url());
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "identities::child", "--nocapture"])
            .env_clear()
            .env("HOME", self.home.path())
            .env(AUTH, auth.to_string())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = text.lines().find_map(|line| line.split_once("SAID "));
        let (_, said) = said.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
        serde_json::from_str(said).unwrap()
    }

    /// Says whose token a password is.
    fn owner(&self, said: &Value) -> Option<String> {
        assert_eq!(said["username"], "oauth2accesstoken", "{said}");
        assert_eq!(said["expires"], true, "{said}");
        assert_eq!(said["api"], true, "{said}");
        let token = said["password"].as_str().unwrap();
        let shown = self.registry.asked().pop().unwrap();
        assert_eq!(
            shown.bearer(),
            Some(token),
            "the API is asked with the same token"
        );
        self.identities.owner(token)
    }
}

#[tokio::test]
async fn a_machine_signs_in_by_its_metadata_server() {
    let world = World::start().await;
    let host = world.identities.host();
    let said = world.sign_in(&json!({}), &[("GCE_METADATA_HOST", &host)]).await;
    assert_eq!(world.owner(&said).as_deref(), Some(MACHINE));
    assert_eq!(said["origin"], format!("{MACHINE} (metadata server)"));
    let asked = world.identities.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.header("metadata-flavor") == Some("Google"))
    );
    assert_eq!(world.identities.given(), 1);
}

#[tokio::test]
async fn a_user_signs_in_by_the_file_at_its_well_known_place() {
    let world = World::start().await;
    let file = world.identities.user_file();
    let path = world.file(".config/gcloud/application_default_credentials.json", &file);
    let said = world.sign_in(&json!({}), &[]).await;
    assert_eq!(world.owner(&said).as_deref(), Some("ann@example.com"));
    assert_eq!(said["origin"], format!("ann@example.com ({path})"));
    let api = world.registry.asked().pop().unwrap();
    assert_eq!(api.header("x-goog-user-project"), Some("quota-project"));
}

#[tokio::test]
async fn a_named_file_comes_before_the_well_known_one_and_the_machine() {
    let world = World::start().await;
    let key = ServiceAccountKey::generate(MIRROR);
    world.file(".config/gcloud/application_default_credentials.json", &key.file());
    let path = world.file("user.json", &world.identities.user_file());
    let host = world.identities.host();
    let variables = [
        ("GOOGLE_APPLICATION_CREDENTIALS", path.as_str()),
        ("GCE_METADATA_HOST", &host),
    ];
    let said = world.sign_in(&json!({}), &variables).await;
    assert_eq!(world.owner(&said).as_deref(), Some("ann@example.com"));
}

#[tokio::test]
async fn a_workload_signs_in_by_federation_from_a_file_and_from_an_address() {
    let world = World::start().await;
    let subject = world.home.path().join("subject");
    std::fs::write(&subject, SUBJECT_TOKEN).unwrap();
    for source in [
        json!({ "file": subject }),
        json!({ "url": format!("{}/subject", world.identities.url()) }),
    ] {
        let path = world.file("wif.json", &world.identities.federated_file(&source));
        let said = world
            .sign_in(&json!({}), &[("GOOGLE_APPLICATION_CREDENTIALS", &path)])
            .await;
        assert_eq!(world.owner(&said).as_deref(), Some("federated"), "{source}");
    }
}

#[tokio::test]
async fn a_workload_acts_as_the_account_that_its_file_names() {
    let world = World::start().await;
    world.identities.may_impersonate("federated");
    let subject = json!({ "url": format!("{}/subject", world.identities.url()) });
    let mut file = world.identities.federated_file(&subject);
    file["service_account_impersonation_url"] = json!(world.identities.impersonation_url(MIRROR));
    let path = world.file("wif.json", &file);
    let said = world
        .sign_in(&json!({}), &[("GOOGLE_APPLICATION_CREDENTIALS", &path)])
        .await;
    assert_eq!(world.owner(&said).as_deref(), Some(MIRROR));
    assert!(
        said["origin"]
            .as_str()
            .unwrap()
            .starts_with(&format!("service account {MIRROR}"))
    );
}

#[tokio::test]
async fn the_account_of_auth_impersonate_is_acted_as_from_every_file() {
    let world = World::start().await;
    let key = ServiceAccountKey::generate("key@my-project.iam.gserviceaccount.com");
    let user = world.identities.user_file();
    let mut chained = json!({ "type": "impersonated_service_account", "source_credentials": user });
    chained["service_account_impersonation_url"] = json!(
        world
            .identities
            .impersonation_url("first@my-project.iam.gserviceaccount.com")
    );
    for actor in ["ann@example.com", "key@my-project.iam.gserviceaccount.com"] {
        world.identities.may_impersonate(actor);
    }
    let iam = world.identities.url();
    for (name, file) in [("user.json", user), ("key.json", key.file())] {
        let path = world.file(name, &file);
        let auth = json!({ "impersonate": MIRROR, "key_file": path });
        let variables = [("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", iam.as_str())];
        let said = world.sign_in(&auth, &variables).await;
        assert_eq!(world.owner(&said).as_deref(), Some(MIRROR), "{name}");
        assert_eq!(said["origin"], format!("service account {MIRROR}"));
    }
    let path = world.file("chained.json", &chained);
    let said = world.sign_in(&json!({ "key_file": path }), &[]).await;
    assert_eq!(
        world.owner(&said).as_deref(),
        Some("first@my-project.iam.gserviceaccount.com")
    );
}

#[tokio::test]
async fn acting_without_the_right_to_is_answered_with_what_to_grant() {
    let world = World::start().await;
    let path = world.file("user.json", &world.identities.user_file());
    let iam = world.identities.url();
    let auth = json!({ "impersonate": MIRROR, "key_file": path });
    let variables = [("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", iam.as_str())];
    let said = world.sign_in(&auth, &variables).await;
    assert_eq!(said["kind"], "Permission", "{said}");
    let hint = said["hint"].as_str().unwrap();
    let command = format!(
        "lacks iam.serviceAccounts.getAccessToken: gcloud iam service-accounts add-iam-policy-binding {MIRROR} \
         --member=user:ann@example.com --role=roles/iam.serviceAccountTokenCreator"
    );
    assert!(hint.contains(&command), "{hint}");
    assert!(!said.to_string().contains("CANARY"), "{said}");
}

/// Google's library for Python checks what the key signed.
const VERIFY: &str = r#"
import json, os
from google.auth import jwt
claims = jwt.decode(os.environ["TOKEN"], certs=os.environ["CERTIFICATE"])
print(claims["iss"], claims["sub"], claims["scope"], claims["exp"] - claims["iat"] <= 3660)
"#;

#[tokio::test]
async fn a_key_signs_in_as_documented_and_signs_for_the_api_alone() {
    if need_python("google.auth.jwt") == Need::Skip {
        return;
    }
    let world = World::start().await;
    let key = ServiceAccountKey::generate(MIRROR);
    let path = world.file("key.json", &key.file());
    let said = world
        .sign_in(&json!({}), &[("GOOGLE_APPLICATION_CREDENTIALS", &path)])
        .await;
    assert_eq!(said["username"], "_json_key_base64", "{said}");
    assert_eq!(said["api"], true, "{said}");
    let shown = STANDARD.decode(said["password"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&shown).unwrap(), key.file());
    assert!(
        said["origin"]
            .as_str()
            .unwrap()
            .starts_with(&format!("service account {MIRROR}"))
    );

    let api = world.registry.asked().pop().unwrap();
    let token = api.bearer().unwrap();
    let told = python::run(VERIFY, &[("TOKEN", token), ("CERTIFICATE", &key.certificate())]).await;
    let scope = "https://www.googleapis.com/auth/cloud-platform";
    assert_eq!(told.trim(), format!("{MIRROR} {MIRROR} {scope} True"));
    assert!(world.identities.asked().is_empty(), "a key needs nobody");
}

#[tokio::test]
async fn a_named_identity_that_is_missing_is_an_error_and_nobody_else_signs_in() {
    let world = World::start().await;
    let host = world.identities.host();
    let missing = json!({ "key_file": "/nowhere/key.json" });
    for (auth, variables) in [
        (missing, vec![("GCE_METADATA_HOST", host.as_str())]),
        (
            json!({}),
            vec![
                ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json"),
                ("GCE_METADATA_HOST", host.as_str()),
            ],
        ),
        (json!({ "impersonate": MIRROR }), vec![("NO_GCE_CHECK", "true")]),
    ] {
        let said = world.sign_in(&auth, &variables).await;
        assert_eq!(said["kind"], "Auth", "{said}");
    }
    assert!(world.identities.asked().is_empty());
}

#[tokio::test]
async fn without_any_identity_nobody_signs_in_and_it_is_told_what_was_tried() {
    let world = World::start().await;
    let said = world.sign_in(&json!({}), &[("NO_GCE_CHECK", "true")]).await;
    assert_eq!(said["username"], "", "{said}");
    let origin = said["origin"].as_str().unwrap();
    for tried in [
        "GOOGLE_APPLICATION_CREDENTIALS",
        "application-default",
        "metadata server",
    ] {
        assert!(origin.contains(tried), "{origin}");
    }
    assert!(said["api"].as_str().unwrap().contains("not signed in"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_broken_is_told_by_what_it_lacks_and_never_repeated() {
    let world = World::start().await;
    for (file, told) in [
        (
            json!({ "type": "authorized_user", "refresh_token": REFRESH_TOKEN, "client_id": "c" }),
            "missing field `client_secret`",
        ),
        (
            json!({ "type": "external_account_authorized_user", "refresh_token": REFRESH_TOKEN }),
            "has type `external_account_authorized_user`, which is not understood",
        ),
        (json!({ "refresh_token": REFRESH_TOKEN }), "has no `type`"),
    ] {
        let path = world.file("broken.json", &file);
        let said = world.sign_in(&json!({ "key_file": path }), &[]).await;
        assert_eq!(said["kind"], "Auth", "{said}");
        assert!(said["error"].as_str().unwrap().contains(told), "{said}");
        assert!(!said.to_string().contains("CANARY"), "{said}");
    }
}
