//! The double of Azure, tried with Microsoft's own clients.

use transship_testkit::azure::{Azure, Failure, Principal, Right, SUBSCRIPTION, resource_id};
use transship_testkit::python;
use transship_testkit::software::{Need, need, need_python};

const CLIENT: &str = "aaaaaaaa-0000-0000-0000-000000000001";

/// Signs in with the environment's client secret, trusting only the double's authority.
const SIGN_IN: &str = r#"
import os
from azure.identity import ClientSecretCredential
credential = ClientSecretCredential(
    os.environ["TENANT"], os.environ["CLIENT"], "swordfish",
    authority=os.environ["AUTHORITY"], disable_instance_discovery=True,
)
"#;

async fn oracle(azure: &Azure, script: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let bundle = directory.path().join("ca.pem");
    std::fs::write(&bundle, azure.certificate()).expect("the certificate can be written");
    let (host, authority, management) = (azure.host(), azure.authority(), azure.management());
    let environment = [
        ("REQUESTS_CA_BUNDLE", bundle.to_str().expect("the path is text")),
        ("TENANT", transship_testkit::azure::TENANT),
        ("CLIENT", CLIENT),
        ("HOST", &host),
        ("AUTHORITY", &authority),
        ("MANAGEMENT", &management),
        ("SUBSCRIPTION", SUBSCRIPTION),
    ];
    python::run(&format!("{SIGN_IN}{script}"), &environment).await
}

#[tokio::test]
async fn microsofts_registry_client_lists_and_locks() {
    if need_python("azure.containerregistry") == Need::Skip {
        return;
    }
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, Right::ALL).secret("swordfish"));
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    let digest = |number: u32| format!("sha256:{number:064x}");
    for number in 0..5 {
        azure.put("team/app", Some(&format!("v{number}")), &digest(number), manifest);
    }
    azure.put("team/app", None, &digest(9), manifest);
    azure.put("base", None, &digest(1), manifest);
    let said = oracle(
        &azure,
        r#"
from azure.containerregistry import ContainerRegistryClient
client = ContainerRegistryClient(f"https://{os.environ['HOST']}", credential, audience="https://containerregistry.azure.net")
print(*client.list_repository_names())
print(*(f"{tag.name}={tag.digest[-1]}" for tag in client.list_tag_properties("team/app", results_per_page=2)))
print(*(f"{m.digest[-1]}:{m.tags}" for m in client.list_manifest_properties("team/app", results_per_page=4)))
client.update_tag_properties("team/app", "v1", can_write=False)
print(*(tag.name for tag in client.list_tag_properties("team/app") if not tag.can_write))
"#,
    )
    .await;
    assert_eq!(
        said,
        "base team/app\n\
         v0=0 v1=1 v2=2 v3=3 v4=4\n\
         0:['v0'] 1:['v1'] 2:['v2'] 3:['v3'] 4:['v4'] 9:None\n\
         v1\n"
    );
    assert!(azure.is_locked("team/app", "v1") && !azure.is_locked("team/app", "v2"));
}

#[tokio::test]
async fn microsofts_management_client_reads_the_resource_and_imports() {
    if need_python("azure.mgmt.containerregistry") == Need::Skip {
        return;
    }
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, Right::ALL).secret("swordfish"));
    let script = r#"
from azure.core.exceptions import HttpResponseError
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
client = ContainerRegistryManagementClient(
    credential, os.environ["SUBSCRIPTION"], base_url=os.environ["MANAGEMENT"],
    credential_scopes=["https://management.azure.com/.default"], polling_interval=0,
)
print(*(registry.name for registry in client.registries.list()))
registry = client.registries.get("images", "contoso")
print(registry.id, registry.properties.provisioning_state.value, registry.properties.role_assignment_mode.value)
poller = client.registries.begin_import_image("images", "contoso", {
    "source": {"registryUri": "docker.io", "sourceImage": "library/alpine@sha256:%s" % ("0" * 64),
               "credentials": {"username": "ann", "password": "word"}},
    "untaggedTargetRepositories": ["base/alpine"], "mode": "NoForce",
}, polling_interval=0)
try:
    print("done", poller.result())
except HttpResponseError as error:
    print("failed", error.error.code)
"#;
    let id = resource_id();
    assert_eq!(
        oracle(&azure, script).await,
        format!("fabrikam contoso\n{id} Succeeded LegacyRegistryPermissions\ndone None\n")
    );
    azure.imports_end(Err(Failure {
        code: "InvalidParameters".to_owned(),
        message: "Error copying blobs.".to_owned(),
    }));
    let said = oracle(&azure, script).await;
    assert!(said.ends_with("\nfailed InvalidParameters\n"), "{said}");
    let imports = azure.imports();
    assert_eq!((imports.len(), imports[0].polls), (2, 2));
    assert_eq!(imports[0].body["source"]["registryUri"], "docker.io");
}

#[tokio::test]
async fn a_right_that_is_not_there_is_refused_as_microsofts_clients_expect() {
    if need_python("azure.mgmt.containerregistry") == Need::Skip {
        return;
    }
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, [Right::Push]).secret("swordfish"));
    azure.put(
        "team/app",
        None,
        "sha256:0",
        "application/vnd.oci.image.manifest.v1+json",
    );
    let said = oracle(
        &azure,
        r#"
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.containerregistry import ContainerRegistryClient
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
client = ContainerRegistryClient(f"https://{os.environ['HOST']}", credential, audience="https://containerregistry.azure.net")
try:
    list(client.list_tag_properties("team/app"))
except ClientAuthenticationError as error:
    print(error.status_code)
client = ContainerRegistryManagementClient(
    credential, os.environ["SUBSCRIPTION"], base_url=os.environ["MANAGEMENT"],
    credential_scopes=["https://management.azure.com/.default"],
)
try:
    client.registries.get("images", "contoso")
except HttpResponseError as error:
    print(error.status_code, error.error.code)
"#,
    )
    .await;
    assert_eq!(said, "401\n403 AuthorizationFailed\n");
}

#[tokio::test]
async fn a_real_registry_takes_the_tokens() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let (azure, _registry) = Azure::with_registry().await;
    azure.admit(Principal::new(CLIENT, [Right::Pull]).secret("swordfish"));
    let authority = reqwest::Certificate::from_pem(azure.certificate().as_bytes()).expect("it is PEM");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .build()
        .expect("a client can be built");
    let host = azure.host();
    let scope = "repository:team/app:pull";
    let answer = client
        .get(format!(
            "https://{host}/oauth2/token?service={host}&scope={scope}"
        ))
        .basic_auth(CLIENT, Some("swordfish"))
        .send()
        .await
        .expect("it answers");
    let body: serde_json::Value =
        serde_json::from_slice(&answer.bytes().await.expect("it is whole")).expect("it is JSON");
    let listing = async |token: &str| {
        let url = format!("https://{host}/v2/team/app/tags/list");
        client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .expect("it answers")
            .status()
    };
    let token = body["access_token"].as_str().expect("a token is text");
    assert_eq!(
        listing(token).await,
        404,
        "signed in, and there is no such repository"
    );
    assert_eq!(listing("x.y.z").await, 401);
    azure.revoke();
    assert_eq!(listing(token).await, 401, "a token that has ended is none");
}
