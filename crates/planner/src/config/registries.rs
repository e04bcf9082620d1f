//! Reading `registries`.

use oci::Host;

use super::connection::{Connection, Limits, Tls};
use super::decode::{Decoder, Fields, Text};
use super::diagnostic::{Diagnostic, Span};
use super::form::LayoutForm;
use super::node::{Entry, Node};
use super::provider::{PROVIDERS, Vendor, infer_provider};
use super::rate;
use crate::RegistryName;
use crate::spec::{Endpoint, Registry};

/// Every key of a registry.
pub(crate) const REGISTRY_KEYS: [&str; 12] = [
    "host",
    "layout",
    "provider",
    "plain_http",
    "insecure_skip_verify",
    "tls",
    "auth",
    "limits",
    "create_repositories",
    "resource_id",
    "server_side_copy",
    "profile",
];

pub(crate) const TLS_KEYS: [&str; 3] = ["ca", "client_cert", "client_key"];
pub(crate) const LIMIT_KEYS: [&str; 3] = ["concurrency", "requests_per_second", "bandwidth"];

/// A registry and where it is declared; the place is none where a reference named a host that nobody declares.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: RegistryName,
    pub(crate) span: Option<Span>,
    pub(crate) registry: Registry,
}

impl Decoder<'_> {
    pub(crate) fn registries(&mut self, node: &Node) -> Vec<Declared> {
        if node.is_null() {
            return Vec::new();
        }
        let Some(fields) = self.map(node, "`registries`", "write NAME: { host: HOST } below it") else {
            return Vec::new();
        };
        fields
            .entries()
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| self.registry(entry, at))
            .collect()
    }

    fn registry(&mut self, entry: &Entry, position: usize) -> Option<Declared> {
        let connection = self.connection(entry);
        // An endpoint that can't be known still tells apart what is declared apart.
        let unknown = || {
            format!("unknown-{position}.invalid")
                .parse()
                .ok()
                .map(Endpoint::Host)
        };
        let (connection, endpoint) = connection.unwrap_or_default();
        let endpoint = endpoint.or_else(unknown)?;
        let name: RegistryName = match entry.key.parse() {
            Ok(name) => name,
            Err(error) => {
                let message = format!("`{}` can't name a registry", entry.key);
                self.tell(Diagnostic::new(entry.key_span, message, format!("{error}")));
                return None;
            }
        };
        self.name_like_a_host(entry, &endpoint);
        Some(Declared {
            name,
            span: Some(entry.key_span),
            registry: Registry { endpoint, connection },
        })
    }

    /// Refuses a registry that is named like one host and is another.
    fn name_like_a_host(&mut self, entry: &Entry, endpoint: &Endpoint) {
        if !Host::looks_like(&entry.key) {
            return;
        }
        let named: Option<Host> = entry.key.parse().ok();
        let is_it = matches!((endpoint, named), (Endpoint::Host(host), Some(named))
            if *host == named || host.as_str().ends_with(".invalid"));
        if !is_it {
            let message = format!(
                "the name `{}` reads as a host, and the registry is another",
                entry.key
            );
            let help = "names without `.` and `:` can't be mistaken";
            self.tell(Diagnostic::new(entry.key_span, message, help));
        }
    }

    fn connection(&mut self, entry: &Entry) -> Option<(Connection, Option<Endpoint>)> {
        let node = &*entry.value;
        if node.text().is_some() {
            let help = format!("write {}: {{ host: HOST }}", entry.key);
            self.tell(Diagnostic::new(
                node.span,
                "expected a registry, a map, found text",
                help,
            ));
            return None;
        }
        let fields = self.fields(node, "a registry", &REGISTRY_KEYS)?;
        let host = fields
            .get("host")
            .and_then(|node| self.text(node, "`host`, text", "host: quay.io"));
        let layout = fields
            .get("layout")
            .and_then(|node| self.text(node, "`layout`, a path", "layout: /media/usb/mirror"));
        let endpoint = self.endpoint(entry, fields, host.as_ref(), layout.as_ref());
        let provider = fields.get("provider").and_then(|node| self.provider(node));
        let at = match &endpoint {
            Some(Endpoint::Host(host)) => Some(host),
            _ => None,
        };
        let known = provider.as_deref().or_else(|| at.map(infer_provider));
        let vendor = known.map(|known| Vendor::of(known, at));
        let connection = Connection {
            host: host.map(|text| text.written),
            layout: layout.map(|text| text.written),
            form: None,
            bare: None,
            plain_http: fields
                .get("plain_http")
                .and_then(|node| self.boolean(node, "plain_http")),
            insecure_skip_verify: fields
                .get("insecure_skip_verify")
                .and_then(|node| self.boolean(node, "insecure_skip_verify")),
            tls: fields.get("tls").and_then(|node| self.tls(node)),
            auth: fields.get("auth").and_then(|node| self.auth(node, known)),
            limits: fields.get("limits").and_then(|node| self.limits(node)),
            create_repositories: fields
                .get("create_repositories")
                .and_then(|node| self.creation(node, vendor)),
            resource_id: self.resource_id(fields, vendor),
            server_side_copy: self.server_side_copy(fields, vendor),
            profile: fields.get("profile").and_then(|node| self.profile(node, vendor)),
            provider,
        };
        Some((connection, endpoint))
    }

    fn endpoint(
        &mut self,
        entry: &Entry,
        fields: Fields<'_>,
        host: Option<&Text>,
        layout: Option<&Text>,
    ) -> Option<Endpoint> {
        match (fields.entry("host"), fields.entry("layout")) {
            (None, None) => {
                let message = format!("registry `{}` has neither `host` nor `layout`", entry.key);
                let at = if fields.entries().is_empty() {
                    entry.key_span
                } else {
                    fields.span
                };
                let help = "add host: HOST, or layout: PATH";
                self.tell(Diagnostic::new(at, message, help));
                None
            }
            (Some(host), Some(layout)) => {
                let message = format!("registry `{}` has both `host` and `layout`", entry.key);
                let problem =
                    Diagnostic::new(layout.key_span, message, "keep one, or declare two registries");
                self.tell(problem.also(host.key_span));
                None
            }
            (Some(_), None) => {
                let plain = fields.get("plain_http").and_then(Node::text);
                let host = self.host(host?)?;
                let plain_http = plain.is_some_and(|(text, _)| text == "true");
                Some(Endpoint::Host(usual_port(host, plain_http)))
            }
            (None, Some(_)) => {
                self.no_host(fields);
                self.layout(layout?)
            }
        }
    }

    fn host(&mut self, text: &Text) -> Option<Host> {
        let value = text.value.as_deref()?;
        match value.parse::<Host>() {
            Ok(host) => Some(host),
            Err(_) if value.contains('@') => {
                let help = "say who signs in under `auth`";
                self.tell(Diagnostic::new(
                    text.span,
                    "`host` holds no user and no password",
                    help,
                ));
                None
            }
            Err(error) => {
                let help = match (value.split_once("://"), value.split_once('/')) {
                    (Some((_, rest)), _) if rest.trim_end_matches('/').parse::<Host>().is_ok() => {
                        "leave out the scheme; `plain_http: true` beside `host` asks over HTTP".to_owned()
                    }
                    (None, Some(_)) => "the repository's path belongs into `from` and `to`".to_owned(),
                    _ => error.to_string(),
                };
                let message = format!("`{}` is no host", text.written);
                self.tell(Diagnostic::new(text.span, message, help));
                None
            }
        }
    }

    fn layout(&mut self, text: &Text) -> Option<Endpoint> {
        let value = text.value.as_deref()?;
        if value.is_empty() {
            let help = "write it as in layout: /media/usb/mirror";
            self.tell(Diagnostic::new(text.span, "`layout` names no path", help));
            return None;
        }
        Some(Endpoint::on_disk(LayoutForm::of_path(value), tidy(value)))
    }

    fn no_host(&mut self, fields: Fields<'_>) {
        let others = REGISTRY_KEYS.iter().filter(|key| **key != "layout");
        for entry in others.filter_map(|key| fields.entry(key)) {
            let message = format!("`{}` is of no use for a layout", entry.key);
            self.tell(Diagnostic::new(entry.key_span, message, "leave it out"));
        }
    }

    fn provider(&mut self, node: &Node) -> Option<String> {
        let choices = PROVIDERS.map(|name| (name, name));
        self.choice(node, "provider", &choices).map(str::to_owned)
    }

    fn resource_id(&mut self, fields: Fields<'_>, vendor: Option<Vendor>) -> Option<String> {
        let entry = fields.entry("resource_id")?;
        if let Some(vendor) = vendor.filter(|vendor| *vendor != Vendor::Acr) {
            self.foreign(entry, &[Vendor::Acr], vendor);
            return None;
        }
        let example = format!("resource_id: {RESOURCE}");
        let text = self.text(&entry.value, "`resource_id`, text", &example)?;
        if text.value.as_deref().is_some_and(|value| !is_resource(value)) {
            let message = "`resource_id` names no container registry of Azure";
            self.tell(Diagnostic::new(
                text.span,
                message,
                format!("it looks like {RESOURCE}"),
            ));
        }
        Some(text.written)
    }

    fn server_side_copy(&mut self, fields: Fields<'_>, vendor: Option<Vendor>) -> Option<bool> {
        let owners = [Vendor::Acr, Vendor::Gar];
        let entry = fields.entry("server_side_copy")?;
        if let Some(vendor) = vendor.filter(|vendor| !owners.contains(vendor)) {
            self.foreign(entry, &owners, vendor);
            return None;
        }
        self.boolean(&entry.value, "server_side_copy")
    }

    fn tls(&mut self, node: &Node) -> Option<Tls> {
        let fields = self.fields(node, "`tls`", &TLS_KEYS)?;
        let mut path = |key: &str| {
            let node = fields.get(key)?;
            let example = format!("{key}: certs/site.pem");
            Some(self.text(node, &format!("`{key}`, a path"), &example)?.written)
        };
        let tls = Tls {
            ca: path("ca"),
            client_cert: path("client_cert"),
            client_key: path("client_key"),
        };
        self.both(fields, "client_cert", "client_key");
        Some(tls)
    }

    fn limits(&mut self, node: &Node) -> Option<Limits> {
        let fields = self.fields(node, "`limits`", &LIMIT_KEYS)?;
        let mut number = |key: &str| {
            let number = self.number(fields.get(key)?, key, 1)?;
            Some(u32::try_from(number).unwrap_or(u32::MAX))
        };
        let (concurrency, requests_per_second) = (number("concurrency"), number("requests_per_second"));
        let bandwidth = fields
            .get("bandwidth")
            .and_then(|node| self.text(node, "`bandwidth`, text", "bandwidth: 20MiB/s"));
        if let Some(text) = &bandwidth
            && let Some(Err(error)) = text.value.as_deref().map(rate::parse)
        {
            let message = "`bandwidth` is no rate";
            self.tell(Diagnostic::new(text.span, message, error.to_string()));
        }
        Some(Limits {
            concurrency,
            requests_per_second,
            bandwidth: bandwidth.map(|text| text.written),
        })
    }
}

/// What the id of a registry in Azure's management looks like.
const RESOURCE: &str =
    "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerRegistry/registries/NAME";

/// Azure compares the fixed words of an id without regard to case.
fn is_resource(id: &str) -> bool {
    let is_name = |part: &str| {
        (5..=50).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts: Vec<&str> = id.split('/').collect();
    let wanted: Vec<&str> = RESOURCE.split('/').collect();
    parts.len() == wanted.len()
        && std::iter::zip(&parts, &wanted).all(|(part, wanted)| match *wanted {
            "ID" | "GROUP" => !part.is_empty(),
            "NAME" => is_name(part),
            word => part.eq_ignore_ascii_case(word),
        })
}

/// Gives one registry one spelling: without the port that its scheme means anyway.
pub(crate) fn usual_port(host: Host, plain_http: bool) -> Host {
    let usual = if plain_http { 80 } else { 443 };
    match host.port() == Some(usual) && !host.is_loopback() {
        true => host.name().parse().unwrap_or(host),
        false => host,
    }
}

/// Gives one path one spelling, as far as the text tells: no `.`, no doubled and no last slash.
///
/// `..` stays: what it means depends on links.
pub(crate) fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}
