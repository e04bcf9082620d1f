//! Executing plans over HTTP, between registries on this machine.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use loopback::{Options, Server};
use oci::{Descriptor, Digest, MediaType};
use planner::OpKind;
use provider::GenericProvider;
use registry::{Client, ClientSettings, HttpTransport, TlsSettings, WriteRepository, credentials};
use transship_transfer::{Connected, Connections, Events, ExecuteOptions, Report, RunOutcome, Stop, execute};

use support::image::Image;
use support::plans::{With, copy, op, plan};

struct Site {
    registry: loopback::Registry,
    server: Server,
}

impl Site {
    async fn start(options: Options) -> Self {
        let registry = loopback::Registry::in_memory().with_options(Options {
            record: true,
            ..options
        });
        let server = registry.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self { registry, server }
    }

    fn client(&self) -> Arc<Client> {
        let mut settings = ClientSettings::new(self.server.host().parse().unwrap());
        settings.plain_http = true;
        let transport = HttpTransport::new(&TlsSettings::default(), "transfer-tests").unwrap();
        Arc::new(Client::new(
            settings,
            Arc::new(transport),
            Arc::new(credentials::Anonymous),
        ))
    }

    fn connected(&self) -> Connected {
        let provider = GenericProvider::new("site", Arc::new(credentials::Anonymous));
        Connected {
            registry: self.client(),
            provider: Arc::new(provider),
            concurrency: 16,
            host: None,
            layout: None,
            settings: None,
        }
    }

    fn count(&self, method: &str, part: &str) -> usize {
        let requests = self.registry.requests();
        requests
            .iter()
            .filter(|request| request.method == method && request.path.contains(part))
            .count()
    }

    fn writes(&self) -> usize {
        ["POST", "PUT", "PATCH", "DELETE"]
            .iter()
            .map(|method| self.count(method, ""))
            .sum()
    }
}

/// Pushes an image's blobs, and its manifest where a tag is given.
async fn push(site: &Site, repository: &str, tag: Option<&str>, image: &Image) {
    use registry::Registry as _;
    let writer: Arc<dyn WriteRepository> = site.client().writer(&repository.parse().unwrap());
    for blob in &image.blobs {
        let descriptor = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(blob), blob.len() as u64);
        let body = futures_util::stream::iter([Ok(blob.clone())]);
        let session = writer.start_upload().await.unwrap();
        writer
            .upload_blob(session, &descriptor, Box::pin(body))
            .await
            .unwrap();
    }
    if let Some(tag) = tag {
        writer
            .put_manifest(&tag.parse::<oci::Tag>().unwrap().into(), &image.manifest)
            .await
            .unwrap();
    }
}

async fn run(plan: &planner::Plan, sites: &[(&str, &Site)]) -> Report {
    let connected = sites
        .iter()
        .map(|(name, site)| (name.parse().unwrap(), site.connected()));
    let connections = Connections::new(connected.collect::<BTreeMap<_, _>>());
    execute(
        plan,
        &connections,
        &ExecuteOptions::default(),
        &Events::unheard(),
        Stop::never(),
    )
    .await
}

#[tokio::test]
async fn one_read_feeds_every_registry_and_the_second_run_writes_nothing() {
    let image = Image::new(
        (0..6_u32 << 20)
            .map(|index| (index % 251) as u8)
            .collect::<Vec<_>>(),
    );
    let src = Site::start(Options::default()).await;
    push(&src, "app", Some("v1"), &image).await;
    src.registry.clear_requests();
    let sites = [
        Site::start(Options::default()).await,
        Site::start(Options::default()).await,
    ];
    let all = [("src", &src), ("x", &sites[0]), ("y", &sites[1])];
    let plan = plan(
        &[&image],
        copy("app", &image, "v1", "src/app", &["x/app", "y/app"]),
    );
    let report = run(&plan, &all).await;
    assert_eq!(
        (report.outcome, report.failures.as_slice()),
        (RunOutcome::Succeeded, [].as_slice())
    );
    assert_eq!(src.count("GET", &image.layer().to_string()), 1);
    assert_eq!(src.writes(), 0);
    for site in &sites {
        assert_eq!(site.count("PUT", "/blobs/uploads/"), 2);
        assert_eq!(site.count("PUT", "/manifests/v1"), 1);
        site.registry.clear_requests();
    }
    let again = run(&plan, &all).await;
    assert_eq!((again.ops.already_done, again.exit_code), (6, 0));
    assert_eq!(sites.iter().map(Site::writes).sum::<usize>(), 0);
}

#[tokio::test]
async fn blobs_are_mounted_where_they_can_be_and_sent_where_they_can_not() {
    let image = Image::new(vec![3; 1 << 20]);
    let layer = image.layer();
    let src = Site::start(Options::default()).await;
    push(&src, "app", Some("v1"), &image).await;
    let x = Site::start(Options::default()).await;
    let y = Site::start(Options {
        mounts: false,
        ..Options::default()
    })
    .await;
    push(&x, "base", None, &image).await;
    push(&y, "base", None, &image).await;
    [&src, &x, &y]
        .into_iter()
        .for_each(|site| site.registry.clear_requests());
    let mount = op("mount", OpKind::MountBlob, &["x/app<base", "y/app<base"])
        .of(&layer)
        .from("src/app");
    let report = run(
        &plan(&[&image], vec![mount]),
        &[("src", &src), ("x", &x), ("y", &y)],
    )
    .await;
    assert_eq!((report.ops.mounted, report.ops.done, report.exit_code), (1, 1, 0));
    assert_eq!((x.count("PUT", ""), y.count("PUT", "")), (0, 1));
    assert_eq!(
        y.count("POST", ""),
        1,
        "the session of the declined mount is used"
    );
    assert_eq!(src.count("GET", &layer.to_string()), 1);
}

#[tokio::test]
async fn a_registry_that_went_away_costs_nobody_else() {
    let image = Image::new(vec![3; 1 << 20]);
    let src = Site::start(Options::default()).await;
    push(&src, "app", Some("v1"), &image).await;
    let (x, y) = (
        Site::start(Options::default()).await,
        Site::start(Options::default()).await,
    );
    let gone = y.connected();
    y.server.stop().await;
    let connections = Connections::new(BTreeMap::from([
        ("src".parse().unwrap(), src.connected()),
        ("x".parse().unwrap(), x.connected()),
        ("y".parse().unwrap(), gone),
    ]));
    let plan = plan(
        &[&image],
        copy("app", &image, "v1", "src/app", &["x/app", "y/app"]),
    );
    let options = ExecuteOptions::default();
    let report = execute(&plan, &connections, &options, &Events::unheard(), Stop::never()).await;
    assert_eq!(x.count("PUT", "/manifests/v1"), 1);
    assert_eq!(report.failures.len(), 1, "{:?}", report.failures);
    assert_eq!(report.failures[0].registry.as_str(), "y");
    assert_eq!((report.ops.done, report.exit_code), (3, 1));
}
