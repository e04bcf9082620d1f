//! What a plan asks where everything stands already.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oci::Descriptor;
use serde_json::json;
use testkit::front::ecr::{EcrFront, EcrRules};
use testkit::front::ecr_api::{EcrApi, EcrApiRules};
use testkit::image::{Content, Family, File};
use testkit::ministack::Ministack;
use testkit::push::Direct;
use tokio::task::JoinSet;

use crate::ecr::Account;
use crate::site::NO_CHANGES;

const REPOSITORIES: usize = 20;
/// The first repository has more images than a page.
const TAGS: [usize; 2] = [1_200, 200];
/// Of so many images one has a signature attached to it.
const SIGNED: usize = 5;
/// How many images the API lists at once.
const PAGE: usize = 1_000;
/// ministack answers one request at a time; it need not wait for the next.
const AT_ONCE: usize = 8;

fn tags(repository: usize) -> usize {
    if repository == 0 { TAGS[0] } else { TAGS[1] }
}

/// One way to an account: an API and a registry whose requests are counted.
struct Way {
    api: EcrApi,
    front: EcrFront,
}

impl Way {
    async fn to(ministack: &Ministack) -> Self {
        let api = EcrApi::start(ministack.host(), EcrApiRules::default()).await;
        let rules = EcrRules {
            password: Some(api.verifier()),
            ..EcrRules::default()
        };
        let front = EcrFront::start(ministack.host(), rules).await;
        Self { api, front }
    }

    fn declaration(&self, name: &str) -> String {
        let (host, url) = (self.front.host(), self.api.url());
        format!(
            "\x20 {name}: {{ host: \"{host}\", plain_http: true, provider: ecr, \
             auth: {{ region: eu-west-1, endpoint: \"{url}\" }}, create_repositories: {{ tag_mutability: mutable }} }}\n"
        )
    }

    fn requests(&self) -> usize {
        self.api.asked().values().sum::<usize>() + self.front.tally().all()
    }
}

/// Images of which some have a signature. Nothing but manifests: a plan that trusts digests reads no blob.
fn images(repository: usize) -> Content {
    let mut content = Content::new();
    let config = content.blob(oci::MediaType::OCI_CONFIG, format!("{{\"of\":{repository}}}"));
    for number in 0..tags(repository) {
        let layer = Descriptor::new(
            oci::MediaType::OCI_LAYER_GZIP,
            oci::Digest::sha256(format!("{repository} {number}").as_bytes()),
            1_000,
        );
        let image = content.image_of(Family::Oci, &config, &[layer]);
        content.tag(&format!("v{number}"), &image);
        if number % SIGNED == 0 {
            content.signature(&image);
        }
    }
    content
}

async fn seed(account: &Account, repository: usize) {
    let name = format!("team/app-{repository}");
    account
        .boto3(&format!("ecr.create_repository(repositoryName='{name}')"))
        .await;
    let content = images(repository);
    let tags: BTreeMap<_, _> = content
        .tags
        .iter()
        .map(|(tag, digest)| (digest, tag.to_string()))
        .collect();
    let mut puts: Vec<(String, File)> = Vec::new();
    for file in &content.manifests {
        let reference = tags
            .get(&file.digest)
            .cloned()
            .unwrap_or_else(|| file.digest.to_string());
        puts.push((reference, file.clone()));
    }
    let mut putting = JoinSet::new();
    for puts in puts.chunks(puts.len().div_ceil(AT_ONCE)) {
        let (direct, name, puts) = (Direct::new(account.ministack.host()), name.clone(), puts.to_vec());
        putting.spawn(async move {
            for (reference, file) in &puts {
                direct.put_manifest(&name, reference, file).await;
            }
        });
    }
    putting.join_all().await;
}

/// Source and target are one account by two ways, so that it has to be filled once alone; a plan can't know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_tags_that_stand_cost_two_requests_a_page_at_most() {
    let Some(account) = Account::open().await else {
        return;
    };
    for repository in 0..REPOSITORIES {
        seed(&account, repository).await;
    }
    let (from, to) = (
        Way::to(&account.ministack).await,
        Way::to(&account.ministack).await,
    );
    let mut text = format!(
        "version: 1\nregistries:\n{}{}mirrors:\n",
        from.declaration("here"),
        to.declaration("there")
    );
    for repository in 0..REPOSITORIES {
        writeln!(
            text,
            "  - {{ from: here/team/app-{repository}, to: there/team/app-{repository} }}"
        )
        .expect("a string takes all");
    }
    account.sandbox.write("transship.yaml", &text);
    let planned = account
        .run(&["plan", "--detailed-exitcode", "-o", "plan.json"])
        .await
        .expect(0);
    assert_eq!(planned.stdout.trim_end(), NO_CHANGES);
    let plan = account.json("plan.json");
    let count = TAGS[0] + (REPOSITORIES - 1) * TAGS[1];
    assert_eq!(
        (count, &plan["summary"]["tags"]["unchanged"]),
        (5_000, &json!(count))
    );

    let images = |tags: usize| tags + tags.div_ceil(SIGNED);
    let pages: usize = (0..REPOSITORIES)
        .map(|repository| images(tags(repository)).div_ceil(PAGE))
        .sum();
    for way in [&from, &to] {
        assert_eq!(way.api.requests("DescribeImages"), pages);
        assert_eq!(
            way.front.tally().all(),
            0,
            "not one request for a tag, an image or what is attached to it"
        );
        assert!(
            way.requests() <= 2 * pages,
            "{:?} for {pages} pages",
            way.api.asked()
        );
    }
}

/// What makes the test above one that can fail: an attachment that is missing is found by the inventories alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attachment_that_is_missing_at_the_target_is_found_by_inventories() {
    let Some(account) = Account::open().await else {
        return;
    };
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 1_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    let direct = Direct::new(account.ministack.host());
    for name in ["team/app", "mirror/app"] {
        account
            .boto3(&format!("ecr.create_repository(repositoryName='{name}')"))
            .await;
        direct.push(name, &content).await;
    }
    let (from, to) = (
        Way::to(&account.ministack).await,
        Way::to(&account.ministack).await,
    );
    let declarations = [from.declaration("here"), to.declaration("there")].concat();
    let text = format!(
        "version: 1\nregistries:\n{declarations}mirrors:\n  - {{ from: here/team/app, to: there/mirror/app }}\n"
    );
    account.sandbox.write("transship.yaml", &text);
    account.assert_settled().await;

    let signature = content.signature(&image);
    direct.push("team/app", &content).await;
    account.plan(0, &["+ there/mirror/app  1 attachment"]).await;
    account.apply(0).await;
    let there = direct.manifest("mirror/app", &signature.digest.to_string()).await;
    assert_eq!(
        there.map(|found| found.bytes).as_ref(),
        Some(&content.file(&signature.digest).bytes)
    );
    account.assert_settled().await;
}
