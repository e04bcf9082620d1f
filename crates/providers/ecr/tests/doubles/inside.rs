//! Tests that run in a process of their own: AWS's SDK reads its environment, and a test can't change its own.

use std::env;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use planner::config::Auth;
use provider::{Class, Profile, Setup};
use registry::{HttpTransport, TlsSettings};
use tempfile::TempDir;
use testkit::moto::Moto;
use testkit::software::{Need, need_python};
use tokio::process::Command;
use transship_ecr::EcrProvider;

const INSIDE: &str = "TRANSSHIP_ECR_INSIDE";
/// Where the Python environment is, if it is not beside the tests.
const PYTHON: &str = "TRANSSHIP_PYTHON";
/// Far beyond what any of them needs: one that hangs fails instead of holding up the suite.
const LIMIT: Duration = Duration::from_secs(120);

/// The registry that moto's account has.
pub(crate) const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A home directory, and variables.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) home: TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// Nobody's home: no variable, no file, and no instance metadata.
    pub(crate) fn of_nobody() -> Self {
        let home = tempfile::tempdir().expect("a directory can be made");
        let world = Self {
            home,
            variables: Vec::new(),
        };
        world.with("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// A home whose variables lead to a double.
    pub(crate) fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        variables
            .into_iter()
            .fold(Self::of_nobody(), |world, (name, value)| world.with(name, value))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn without_keys(self) -> Self {
        self.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY")
    }

    /// Writes a file below home.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        let directory = Path::new(&path).parent().expect("it has a directory");
        std::fs::create_dir_all(directory).expect("a directory can be made");
        std::fs::write(&path, text).expect("a file can be written");
        self
    }

    pub(crate) fn path(&self, path: &str) -> String {
        self.home
            .path()
            .join(path)
            .to_str()
            .expect("it is text")
            .to_owned()
    }

    /// Runs the test of this name in this world.
    pub(crate) async fn run(&self, test: &str) {
        let output = Command::new(env::current_exe().expect("the test knows itself"))
            .args([test, "--exact", "--nocapture"])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env(INSIDE, test)
            .envs(env::var_os(PYTHON).map(|python| (PYTHON, python)))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(LIMIT, output)
            .await
            .unwrap_or_else(|_| panic!("{test} does not end"))
            .expect("the test can be run");
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}\n{complained}"
        );
    }
}

/// Returns true in the process that has the world.
pub(crate) fn inside(test: &str) -> bool {
    env::var(INSIDE).is_ok_and(|inside| inside == test)
}

/// Runs a test in the world that its double makes; the test itself is what runs inside.
pub(crate) async fn in_moto(test: &str, body: impl Future<Output = ()>) {
    in_moto_as(test, |_, world| world, body).await;
}

/// As [`in_moto`], in a world that is changed first.
pub(crate) async fn in_moto_as(
    test: &str,
    change: impl FnOnce(&Moto, World) -> World,
    body: impl Future<Output = ()>,
) {
    if inside(test) {
        return body.await;
    }
    if need_python("moto") == Need::Skip {
        return;
    }
    let moto = Moto::start().await;
    let world = change(&moto, World::of(moto.environment()));
    world.run(test).await;
}

/// Makes what the provider of a registry is made from.
pub(crate) fn setup(host: &str, auth: Auth) -> Setup {
    let host: oci::Host = host.parse().expect("a host");
    Setup {
        name: "ecr".to_owned(),
        profile: Profile::of(Class::of(&host)),
        host,
        plain_http: false,
        auth,
        resource_id: None,
        secrets: Arc::new(|_| Err("nothing is secret here".to_owned())),
        environment: Arc::new(|_| None),
        transport: Arc::new(HttpTransport::new(&TlsSettings::default(), "test").expect("a transport")),
    }
}

pub(crate) fn provider(auth: Auth) -> EcrProvider {
    EcrProvider::new(setup(HOST, auth)).expect("the host says everything")
}

/// Runs a script of boto3 in the world of this process, and returns what it printed.
pub(crate) async fn boto3(script: &str) -> String {
    let names = [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    ];
    let variables: Vec<(&str, String)> = names
        .into_iter()
        .filter_map(|name| Some((name, env::var(name).ok()?)))
        .collect();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let script = format!("import boto3, json, os\necr = boto3.client('ecr')\n{script}");
    testkit::python::run(&script, &variables).await
}
