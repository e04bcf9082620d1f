//! What azure_identity reads of its process: tried in processes with nothing else in their environment.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use oci::Host;
use planner::config::Auth;
use provider::{Class, Lister as _, Listing, Profile, Provider as _, Setup};
use registry::{HttpTransport, Secret, TlsSettings};
use serde_json::{Value, json};
use testkit::azure::{Azure, MANAGEMENT, Machine, Principal, Right, TENANT, az};
use tokio::process::Command;
use transship_acr::AcrProvider;

use crate::support::{CLIENT, MANIFEST, NoMetadata, digest};

/// The variable that tells a child whom to ask.
const TO: &str = "TRANSSHIP_TEST_CHILD";

/// Signs in with all that the environment has, lists a repository, and prints what came of it as one line of JSON. The other
/// tests run it, with an environment of theirs; among them it is told nothing and has nothing to do.
#[tokio::test]
async fn signs_in_and_lists() {
    let Ok(to) = std::env::var(TO) else {
        return;
    };
    let to: Value = serde_json::from_str(&to).unwrap();
    let host: Host = to["host"].as_str().unwrap().parse().unwrap();
    let auth: Auth = serde_json::from_value(to["auth"].clone()).unwrap();
    let transport = HttpTransport::new(&TlsSettings::default(), "test").unwrap();
    let setup = Setup {
        name: "acr".to_owned(),
        host,
        plain_http: false,
        auth,
        profile: Profile::of(Class::Azure),
        resource_id: None,
        secrets: Arc::new(|_| Ok(Secret::new("swordfish"))),
        environment: Arc::new(|name| std::env::var(name).ok()),
        transport: Arc::new(NoMetadata(transport)),
    };
    let provider = AcrProvider::new(setup).unwrap();
    let result = match provider.credentials().sign_in().await {
        Err(error) => json!({ "error": error.to_string(), "hint": error.hint() }),
        Ok(signed) => {
            let listing = provider.inventory(&"team/app".parse().unwrap()).await.unwrap();
            let tags = match listing {
                Listing::Inventory(inventory) => json!(inventory.names().len()),
                Listing::Absent | Listing::Unavailable(_) => Value::Null,
            };
            json!({ "origin": signed.origin, "tags": tags })
        }
    };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "TOLD {result}").unwrap();
}

async fn child(azure: &Azure, auth: Value, variables: &[(String, String)]) -> Value {
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("ca.pem");
    fs::write(&bundle, azure.certificate()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child::signs_in_and_lists", "--nocapture"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("SSL_CERT_FILE", &bundle)
        .env("AZURE_AUTHORITY_HOST", azure.authority())
        .env(TO, json!({ "host": azure.host(), "auth": auth }).to_string())
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said
        .lines()
        .find_map(|line| line.split_once("TOLD ").map(|(_, told)| told.to_owned()));
    let line = line.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&line).unwrap()
}

fn path(directory: &Path) -> (String, String) {
    (
        "PATH".to_owned(),
        format!("{}:/usr/bin:/bin", directory.display()),
    )
}

#[tokio::test]
async fn kubernetes_tells_by_three_variables() {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, [Right::Pull]).assertion("projected"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "projected").unwrap();
    let variables = [
        ("AZURE_TENANT_ID".to_owned(), TENANT.to_owned()),
        ("AZURE_CLIENT_ID".to_owned(), CLIENT.to_owned()),
        (
            "AZURE_FEDERATED_TOKEN_FILE".to_owned(),
            file.display().to_string(),
        ),
    ];
    let told = child(&azure, json!({}), &variables).await;
    let origin = format!("workload identity (application {CLIENT})");
    assert_eq!(told, json!({ "origin": origin, "tags": 1 }));
}

#[tokio::test]
async fn app_service_has_an_endpoint_for_its_identities() {
    let azure = Azure::start().await;
    azure.admit(Principal::new("own", [Right::Pull]));
    azure.admit(Principal::new("second", [Right::Pull]));
    let machine = Machine::start(&azure, "own").await;
    let told = child(&azure, json!({}), &machine.variables()).await;
    assert_eq!(
        told,
        json!({ "origin": "managed identity (application own)", "tags": 1 })
    );
    let told = child(&azure, json!({ "client_id": "second" }), &machine.variables()).await;
    assert_eq!(told["origin"], "managed identity (application second)");
    let told = child(&azure, json!({ "client_id": "third" }), &machine.variables()).await;
    assert!(
        told["hint"].as_str().unwrap().contains("client id third"),
        "{told}"
    );
}

#[tokio::test]
async fn who_is_logged_in_at_the_command_line_is_asked_for_by_its_documented_command() {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, [Right::Pull]).user("ann@contoso.example"));
    let directory = tempfile::tempdir().unwrap();
    az(&azure, Some(CLIENT), directory.path());
    let told = child(&azure, json!({ "tenant_id": TENANT }), &[path(directory.path())]).await;
    assert_eq!(
        told,
        json!({ "origin": "Azure CLI (user ann@contoso.example)", "tags": 1 })
    );
    let log = fs::read_to_string(directory.path().join("az.log")).unwrap();
    let command = format!(
        "account get-access-token -o json --scope https://containerregistry.azure.net/.default --tenant {TENANT}"
    );
    assert!(log.lines().all(|line| line == command), "{log}");
}

#[tokio::test]
async fn a_command_line_at_which_nobody_is_logged_in_is_passed_over_unless_it_is_asked_for() {
    let azure = Azure::start().await;
    let directory = tempfile::tempdir().unwrap();
    az(&azure, None, directory.path());
    let told = child(&azure, json!({}), &[path(directory.path())]).await;
    let origin = told["origin"].as_str().unwrap();
    assert!(origin.contains("Azure CLI: nobody is logged in"), "{origin}");
    assert_eq!(told["tags"], Value::Null);
    let told = child(&azure, json!({ "tenant_id": TENANT }), &[path(directory.path())]).await;
    assert!(told["hint"].as_str().unwrap().contains("az login"), "{told}");
}

#[tokio::test]
async fn a_login_that_does_not_reach_the_registry_is_an_error_that_says_how_to_log_in() {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, [Right::Pull]).user("ann@contoso.example"));
    let directory = tempfile::tempdir().unwrap();
    az(&azure, Some(CLIENT), directory.path());
    let auth = json!({ "tenant_id": TENANT, "audience": "https://unknown.example" });
    let told = child(&azure, auth, &[path(directory.path())]).await;
    assert!(
        told["error"]
            .as_str()
            .unwrap()
            .contains("Azure CLI: AADSTS500011:"),
        "{told}"
    );
    assert_eq!(told["hint"], format!("az login --tenant {TENANT}"));
}

#[tokio::test]
async fn the_audience_of_resource_manager_is_taken_where_the_registry_takes_it() {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, [Right::Pull]).user("ann@contoso.example"));
    let directory = tempfile::tempdir().unwrap();
    az(&azure, Some(CLIENT), directory.path());
    let told = child(
        &azure,
        json!({ "audience": MANAGEMENT }),
        &[path(directory.path())],
    )
    .await;
    assert_eq!(told["tags"], 1, "{told}");
}
