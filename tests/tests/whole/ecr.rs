//! Amazon ECR: ministack and moto, which others wrote, behind fronts for what they leave out; a registry to mirror from,
//! and a place to run the binary in.

use serde_json::Value;
use testkit::binary::{Output, Sandbox};
use testkit::front::ecr::{EcrFront, EcrRules};
use testkit::front::ecr_api::{EcrApi, EcrApiRules};
use testkit::image::Content;
use testkit::ministack::Ministack;
use testkit::process::DockerRegistry;
use testkit::proxy::Proxy;
use testkit::push::Direct;
use testkit::python;
use testkit::software::{Need, need, need_python, skopeo_raw};

use crate::site::NO_CHANGES;

/// A rule that real accounts have: more than a hundred characters, which ECR wants at least.
pub(crate) const LIFECYCLE: &str = r#"{"rules": [{"rulePriority": 1, "description": "untagged images go after a week", "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}, "action": {"type": "expire"}}]}"#;

/// ministack behind the fronts of its API and of its registry, beside a docker-registry called `origin`.
pub(crate) struct Account {
    pub(crate) sandbox: Sandbox,
    pub(crate) origin: DockerRegistry,
    pub(crate) ministack: Ministack,
    pub(crate) api: EcrApi,
    pub(crate) front: EcrFront,
    /// In front of the front: what was asked of the registry, and what came of it.
    pub(crate) proxy: Proxy,
}

/// Tells whether all that the tests of ECR need is there; what is not has been said then.
pub(crate) fn is_equipped() -> bool {
    let programs = ["docker-registry", "skopeo"]
        .into_iter()
        .all(|program| need(program) == Need::Met);
    let modules = ["boto3", "ministack", "moto"]
        .into_iter()
        .all(|module| need_python(module) == Need::Met);
    programs && modules
}

impl Account {
    /// Opens one whose API denies nothing, and whose registry goes by the usual rules.
    pub(crate) async fn open() -> Option<Self> {
        Self::open_with(EcrApiRules::default(), EcrRules::default()).await
    }

    /// Opens one; the registry takes the passwords of the API alone.
    pub(crate) async fn open_with(api: EcrApiRules, registry: EcrRules) -> Option<Self> {
        if !is_equipped() {
            return None;
        }
        let ministack = Ministack::start().await;
        let api = EcrApi::start(ministack.host(), api).await;
        let rules = EcrRules {
            password: Some(registry.password.clone().unwrap_or_else(|| api.verifier())),
            ..registry
        };
        let front = EcrFront::start(ministack.host(), rules).await;
        let mut sandbox = Sandbox::new();
        for (name, value) in ministack.environment() {
            // Where the API is, the configuration says.
            if !name.starts_with("AWS_ENDPOINT") && !name.ends_with("REGION") {
                sandbox.set(name, value);
            }
        }
        Some(Self {
            sandbox,
            origin: DockerRegistry::start().await,
            ministack,
            api,
            proxy: Proxy::start(&front.host()).await,
            front,
        })
    }

    /// Pushes into the source.
    pub(crate) async fn seed(&self, repositories: &[(&str, &Content)]) {
        for (repository, content) in repositories {
            Direct::new(self.origin.host()).push(repository, content).await;
        }
    }

    /// Writes a `transship.yaml`: `more` is of the connection to ECR, such as `create_repositories: {...}`.
    pub(crate) fn configure(&self, more: &str, mirrors: &[(&str, &str)]) {
        self.configure_as(&format!("endpoint: \"{}\"", self.api.url()), more, mirrors);
    }

    /// Does the same for somebody whom `auth` names.
    pub(crate) fn configure_as(&self, auth: &str, more: &str, mirrors: &[(&str, &str)]) {
        let (origin, ecr) = (self.origin.host(), self.proxy.host());
        let mirrors: String = mirrors
            .iter()
            .map(|(from, to)| format!("  - {{ from: {from}, to: {to} }}\n"))
            .collect();
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        let text = format!(
            "version: 1\n\
             registries:\n\
             \x20 origin: {{ host: \"{origin}\", plain_http: true }}\n\
             \x20 ecr: {{ host: \"{ecr}\", plain_http: true, provider: ecr, auth: {{ region: eu-west-1, {auth} }}{more} }}\n\
             defaults: {{ tags: {{ at_least: 0 }} }}\n\
             mirrors:\n{mirrors}"
        );
        self.sandbox.write("transship.yaml", &text);
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(arguments).await
    }

    /// Plans into `plan.json`, asserts what that says, and returns it.
    pub(crate) async fn plan(&self, code: i32, texts: &[&str]) -> String {
        let planned = self
            .run(&["plan", "-o", "plan.json"])
            .await
            .expect(code)
            .says(texts);
        planned.stdout
    }

    /// Applies `plan.json`, and reads the report.
    pub(crate) async fn apply(&self, code: i32) -> Value {
        let _ = self
            .run(&["apply", "plan.json", "--report", "report.json"])
            .await
            .expect(code);
        self.json("report.json")
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.sandbox.read(name)).expect("the file is JSON")
    }

    /// Asserts that a second plan is empty, and returns what it says.
    pub(crate) async fn assert_settled(&self) -> String {
        let output = self.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        assert!(
            output.stdout.trim_end().ends_with(NO_CHANGES),
            "{}",
            output.stdout
        );
        output.stdout
    }

    /// Runs a script with `ecr`, boto3's client of ministack, and reads the JSON that it prints, if any.
    pub(crate) async fn boto3(&self, script: &str) -> Value {
        let script = format!("import boto3, json\necr = boto3.client('ecr')\n{script}");
        let said = python::run(&script, &self.ministack.environment()).await;
        match said.trim() {
            "" => Value::Null,
            said => serde_json::from_str(said).expect("the script prints JSON"),
        }
    }

    /// Asserts that boto3 and skopeo, each for itself, read every tag of `content` in a repository, and no other.
    pub(crate) async fn assert_serves(&self, repository: &str, content: &Content) {
        let listed = self
            .boto3(&format!(
                "print(json.dumps({{tag: image['imageDigest'] \
                 for image in ecr.describe_images(repositoryName='{repository}')['imageDetails'] \
                 for tag in image.get('imageTags', [])}}))"
            ))
            .await;
        let wanted = serde_json::to_value(&content.tags).expect("tags are JSON");
        assert_eq!(listed, wanted, "{repository}");
        for (tag, digest) in &content.tags {
            let read = skopeo_raw(self.ministack.host(), repository, tag.as_str()).await;
            assert_eq!(read, content.file(digest).bytes, "{repository}:{tag}");
        }
    }
}
