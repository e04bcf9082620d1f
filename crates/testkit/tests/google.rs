//! Doubles of Google's interfaces, tried with Google's own clients.

use serde_json::{Value, json};
use transship_testkit::google::artifact_registry::{ArtifactRegistry, Image};
use transship_testkit::google::identity::{Identities, MACHINE, SUBJECT_TOKEN};
use transship_testkit::python;
use transship_testkit::software::{Need, need_python};

const LIFE_OF_A_REPOSITORY: &str = r#"
import os
from google.api_core.exceptions import Conflict, BadRequest, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import artifactregistry_v1 as ar
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryRestTransport
from google.protobuf.field_mask_pb2 import FieldMask

client = ar.ArtifactRegistryClient(transport=ArtifactRegistryRestTransport(
    host=os.environ["HOST"], url_scheme="http", credentials=AnonymousCredentials()))
parent = "projects/my-project/locations/europe-west1"
name = parent + "/repositories/base"

try:
    client.get_repository(name=name)
    raise SystemExit("it is there already")
except NotFound as error:
    print("get:", error.code.value)

wanted = ar.Repository(
    format_=ar.Repository.Format.DOCKER,
    mode=ar.Repository.Mode.STANDARD_REPOSITORY,
    description="base images",
    labels={"team": "base"},
    docker_config=ar.Repository.DockerRepositoryConfig(immutable_tags=True),
)
made = client.create_repository(parent=parent, repository=wanted, repository_id="base").result(timeout=30)
print("create:", made.name, made.format_.name, made.mode.name, made.docker_config.immutable_tags, made.registry_uri)
try:
    client.create_repository(parent=parent, repository=wanted, repository_id="base")
    raise SystemExit("it was made twice")
except Conflict as error:
    print("again:", error.code.value)

changed = client.update_repository(
    repository=ar.Repository(name=name, labels={"team": "core"}), update_mask=FieldMask(paths=["labels"]))
print("update:", dict(changed.labels), changed.description)
try:
    client.update_repository(
        repository=ar.Repository(name=name, kms_key_name="k"), update_mask=FieldMask(paths=["kms_key_name"]))
    raise SystemExit("the key was changed")
except BadRequest as error:
    print("key:", error.code.value)

package = name + "/packages/team%2Fapp"
for version in client.list_versions(ar.ListVersionsRequest(parent=package, page_size=1, view=ar.VersionView.FULL)):
    print("version:", version.name.rsplit("/", 1)[1], version.metadata["mediaType"],
          [tag.name.rsplit("/", 1)[1] for tag in version.related_tags])
for version in client.list_versions(ar.ListVersionsRequest(parent=package)):
    print("basic:", len(version.related_tags))
for tag in client.list_tags(parent=package):
    print("tag:", tag.name.rsplit("/", 1)[1], tag.version.rsplit("/", 1)[1])
"#;

#[tokio::test]
async fn googles_own_client_makes_changes_and_lists_a_repository() {
    if need_python("google.cloud.artifactregistry_v1") == Need::Skip {
        return;
    }
    let registry = ArtifactRegistry::start().await;
    registry.operations_take(1);
    let image = |digest: &str, tags: &[&str]| Image {
        digest: format!("sha256:{}", digest.repeat(64)),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    registry.add_images(
        "projects/my-project/locations/europe-west1/repositories/base",
        "team/app",
        vec![image("a", &["v1", "latest"]), image("b", &[])],
    );
    let said = python::run(LIFE_OF_A_REPOSITORY, &[("HOST", &registry.host())]).await;
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let expected = format!(
        "get: 404\n\
         create: projects/my-project/locations/europe-west1/repositories/base DOCKER STANDARD_REPOSITORY True \
         europe-west1-docker.pkg.dev/my-project/base\n\
         again: 409\n\
         update: {{'team': 'core'}} base images\n\
         key: 400\n\
         version: sha256:{a} application/vnd.oci.image.manifest.v1+json ['v1', 'latest']\n\
         version: sha256:{b} application/vnd.oci.image.manifest.v1+json []\n\
         basic: 0\n\
         basic: 0\n\
         tag: v1 sha256:{a}\n\
         tag: latest sha256:{a}\n"
    );
    assert_eq!(said, expected);
}

/// Google's own library for Python signs in as each kind of identity.
const SIGN_IN: &str = r#"
import json, os
from google.auth import identity_pool
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials as User
user = json.load(open(os.environ["USER_FILE"]))
# From a file, this library takes no other address than Google's.
credentials = User(None, **{key: user[key] for key in ("refresh_token", "token_uri", "client_id", "client_secret")})
credentials.refresh(Request())
print(credentials.token)
for path in os.environ["FILES"].split(":"):
    credentials = identity_pool.Credentials.from_file(path, scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(Request())
    print(credentials.token)
from google.auth.compute_engine import Credentials as Machine
credentials = Machine()
credentials.refresh(Request())
print(credentials.token)
"#;

#[tokio::test]
async fn googles_own_library_signs_in_as_every_kind_of_identity() {
    if need_python("google.auth.transport.requests") == Need::Skip {
        return;
    }
    let identities = Identities::start().await;
    identities.may_impersonate("federated");
    let directory = tempfile::tempdir().unwrap();
    let subject = directory.path().join("subject");
    std::fs::write(&subject, SUBJECT_TOKEN).unwrap();
    let by_file = identities.federated_file(&json!({ "file": subject }));
    let mut acting = identities.federated_file(&json!({ "url": format!("{}/subject", identities.url()) }));
    acting["service_account_impersonation_url"] =
        json!(identities.impersonation_url("mirror@my-project.iam.gserviceaccount.com"));
    let files: Vec<(&str, Value)> = vec![
        ("user", identities.user_file()),
        ("file", by_file),
        ("acting", acting),
    ];
    let mut paths = Vec::new();
    for (name, file) in files {
        let path = directory.path().join(name);
        std::fs::write(&path, file.to_string()).unwrap();
        paths.push(path.display().to_string());
    }
    let host = identities.host();
    let environment = [
        ("USER_FILE", paths.remove(0)),
        ("FILES", paths.join(":")),
        ("GCE_METADATA_HOST", host.clone()),
        ("GCE_METADATA_IP", host),
    ];
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let said = python::run(SIGN_IN, &environment).await;
    let owners: Vec<_> = said
        .lines()
        .map(|token| identities.owner(token).unwrap())
        .collect();
    assert_eq!(
        owners,
        [
            "ann@example.com",
            "federated",
            "mirror@my-project.iam.gserviceaccount.com",
            MACHINE
        ]
    );
}
