//! The embedded registries.

use std::fmt::Write as _;
use std::sync::Arc;

use loopback::{Options, RequestRecord, Server};
use registry::credentials::Anonymous;
use registry::{Client, ClientSettings, HttpTransport, Registry, TlsSettings};

use super::catalogue::Sample;
use super::seed;
use crate::failure::Failure;

/// One registry that runs in this process.
pub(super) struct Site {
    name: &'static str,
    server: Server,
    registry: loopback::Registry,
}

/// All of them.
pub(super) struct Sites {
    source: Site,
    targets: Vec<Site>,
}

/// Starts the registries and fills the source.
pub(super) async fn open(samples: &[Sample]) -> Result<Sites, Failure> {
    let source = Site::start("hub", true).await?;
    let mut targets = Vec::new();
    for (name, referrers_api) in [("east", true), ("west", true), ("plant", false)] {
        targets.push(Site::start(name, referrers_api).await?);
    }
    seed::fill(source.client()?.as_ref(), samples).await?;
    Ok(Sites { source, targets })
}

impl Site {
    async fn start(name: &'static str, referrers_api: bool) -> Result<Self, Failure> {
        let options = Options {
            referrers_api,
            record: true,
            ..Options::default()
        };
        let registry = loopback::Registry::in_memory().with_options(options);
        let server = registry
            .serve(([127, 0, 0, 1], 0).into())
            .await
            .map_err(|error| Failure::failed("listen at a port of 127.0.0.1").because(&error))?;
        Ok(Self {
            name,
            server,
            registry,
        })
    }

    /// Returns a client, as any other program would have one.
    pub(super) fn client(&self) -> Result<Arc<dyn Registry>, Failure> {
        let host = self.server.host().parse().expect("an address is a host");
        let settings = ClientSettings {
            plain_http: true,
            ..ClientSettings::new(host)
        };
        let transport = HttpTransport::new(&TlsSettings::default(), &settings.user_agent)
            .map_err(|error| Failure::failed("set HTTP up").because(&error))?;
        Ok(Arc::new(Client::new(
            settings,
            Arc::new(transport),
            Arc::new(Anonymous),
        )))
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn requests(&self) -> Vec<RequestRecord> {
        self.registry.requests()
    }
}

/// What was asked of the registries up to some moment.
pub(super) struct Traffic {
    pub(super) source: Vec<RequestRecord>,
    pub(super) targets: Vec<(&'static str, Vec<RequestRecord>)>,
}

impl Sites {
    pub(super) fn targets(&self) -> &[Site] {
        &self.targets
    }

    pub(super) fn forget_requests(&self) {
        self.all().for_each(|site| site.registry.clear_requests());
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            source: self.source.requests(),
            targets: self
                .targets
                .iter()
                .map(|site| (site.name(), site.requests()))
                .collect(),
        }
    }

    /// Writes the configuration that the demo plans and applies.
    pub(super) fn configuration(&self) -> String {
        let mut out = String::from("version: 1\n\nregistries:\n");
        for site in self.all() {
            let _ = writeln!(
                out,
                "  {:<6} {{ host: \"{}\", plain_http: true }}",
                format!("{}:", site.name),
                site.server.host()
            );
        }
        out.push_str(MIRRORS);
        out
    }

    pub(super) async fn close(self) {
        for site in std::iter::once(self.source).chain(self.targets) {
            site.server.stop().await;
        }
    }

    fn all(&self) -> impl Iterator<Item = &Site> {
        std::iter::once(&self.source).chain(&self.targets)
    }
}

const MIRRORS: &str = r#"
groups:
  everywhere: [east, west, plant]

mirrors:
  - name: redis
    from: hub/library/redis
    to: ["everywhere/base/{name}"]
    tags: { semver: ">=7.2.5" }
  - name: nginx
    from: hub/library/nginx
    to: ["everywhere/base/{name}"]
    tags: { include: "1.27*" }
  - name: api
    from: hub/team/api
    to: ["everywhere/apps/{name}"]
    tags: { semver: ">=2, <3", latest: 1 }
"#;
