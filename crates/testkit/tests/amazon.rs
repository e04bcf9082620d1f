//! Doubles of Amazon's interfaces, tried with Amazon's own client.

use transship_testkit::image::{Content, Family};
use transship_testkit::ministack::Ministack;
use transship_testkit::moto::Moto;
use transship_testkit::push::Direct;
use transship_testkit::software::{Need, need, need_python, skopeo, skopeo_raw};
use transship_testkit::{layout, python};

const CREATE: &str = r#"
import boto3
created = boto3.client("ecr").create_repository(repositoryName="team/app")
print(created["repository"]["repositoryUri"])
"#;

#[tokio::test]
async fn a_repository_that_boto3_creates_in_ministack_takes_what_skopeo_pushes() {
    if need_python("boto3") == Need::Skip || need_python("ministack") == Need::Skip {
        return;
    }
    if need("skopeo") == Need::Skip {
        return;
    }
    let ministack = Ministack::start().await;
    let uri = python::run(CREATE, &ministack.environment()).await;
    assert_eq!(
        uri.trim(),
        "000000000000.dkr.ecr.eu-west-1.amazonaws.com/team/app"
    );

    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 5, 3_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    let directory = tempfile::tempdir().unwrap();
    layout::write(directory.path(), &content);
    let from = format!("oci:{}:v1", directory.path().display());
    let to = format!("docker://{}/team/app:v1", ministack.host());
    skopeo(&[
        "copy",
        "--preserve-digests",
        "--dest-tls-verify=false",
        &from,
        &to,
    ])
    .await;

    assert_eq!(
        skopeo_raw(ministack.host(), "team/app", "v1").await,
        content.file(&image.digest).bytes
    );
    let images = r#"
import boto3
for image in boto3.client("ecr").describe_images(repositoryName="team/app")["imageDetails"]:
    print(image["imageDigest"], *image["imageTags"])
"#;
    let listed = python::run(images, &ministack.environment()).await;
    assert_eq!(listed.trim(), format!("{} v1", image.digest));
}

#[tokio::test]
async fn ministack_knows_no_repository_that_was_not_created() {
    if need_python("ministack") == Need::Skip {
        return;
    }
    let ministack = Ministack::start().await;
    let url = format!("{}/v2/team/app/blobs/uploads/", ministack.url());
    let refused = reqwest::Client::new().post(url).send().await.unwrap();
    assert_eq!(refused.status(), 404);
    assert!(refused.text().await.unwrap().contains("NAME_UNKNOWN"));
}

#[tokio::test]
async fn two_ministacks_share_nothing() {
    if need_python("boto3") == Need::Skip || need_python("ministack") == Need::Skip {
        return;
    }
    let (one, other) = tokio::join!(Ministack::start(), Ministack::start());
    assert_ne!(one.host(), other.host());
    python::run(CREATE, &one.environment()).await;
    python::run(CREATE, &other.environment()).await;
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 5, 300);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    Direct::new(one.host()).push("team/app", &content).await;
    assert_eq!(Direct::new(one.host()).tags("team/app").await.len(), 1);
    assert_eq!(Direct::new(other.host()).tags("team/app").await.len(), 0);
}

#[tokio::test]
async fn moto_lends_a_role() {
    if need_python("boto3") == Need::Skip || need_python("moto") == Need::Skip {
        return;
    }
    let moto = Moto::start().await;
    let script = r#"
import boto3
sts = boto3.client("sts")
print(sts.get_caller_identity()["Account"])
role = "arn:aws:iam::999999999999:role/mirror"
lent = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
session = boto3.Session(lent["AccessKeyId"], lent["SecretAccessKey"], lent["SessionToken"])
print(session.client("sts").get_caller_identity()["Arn"])
"#;
    let said = python::run(script, &moto.environment()).await;
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "123456789012",
            "arn:aws:sts::999999999999:assumed-role/mirror/session"
        ]
    );
}

#[tokio::test]
async fn moto_refuses_a_second_repository_of_the_same_name() {
    if need_python("boto3") == Need::Skip || need_python("moto") == Need::Skip {
        return;
    }
    let moto = Moto::start().await;
    let script = r#"
import boto3
ecr = boto3.client("ecr")
ecr.create_repository(repositoryName="team/app")
try:
    ecr.create_repository(repositoryName="team/app")
except ecr.exceptions.RepositoryAlreadyExistsException as error:
    print(error.response["Error"]["Code"])
"#;
    let said = python::run(script, &moto.environment()).await;
    assert_eq!(said.trim(), "RepositoryAlreadyExistsException");
    assert!(moto.log().contains("POST / HTTP/1.1"));
}

#[tokio::test]
async fn a_script_that_fails_says_why() {
    if need_python("boto3") == Need::Skip {
        return;
    }
    let script = tokio::spawn(python::run("raise ValueError('as it should')", &[]));
    let panic = script.await.unwrap_err().into_panic();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("ValueError: as it should"), "{message}");
}

#[tokio::test]
async fn the_clients_of_google_and_microsoft_are_there() {
    for module in [
        "google.cloud",
        "googleapiclient",
        "azure.containerregistry",
        "azure.mgmt",
    ] {
        if need_python(module) == Need::Skip {
            return;
        }
    }
    let script = r#"
from google.auth.credentials import AnonymousCredentials
from google.cloud import artifactregistry_v1
from googleapiclient import discovery
from azure.containerregistry import ContainerRegistryClient
from azure.identity import ClientSecretCredential
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
document = discovery.build("artifactregistry", "v1", credentials=AnonymousCredentials())
print(document.projects().locations().repositories().get(name="projects/p/locations/l/repositories/r").uri)
"#;
    let uri = python::run(script, &[]).await;
    assert!(uri.contains("/v1/projects/p/locations/l/repositories/r"), "{uri}");
}
