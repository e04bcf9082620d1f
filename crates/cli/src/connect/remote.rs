//! Registries that are asked over HTTP.

use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method};
use oci::Host;
use planner::RegistryName;
use planner::config::{Resolved, Tls};
use provider::{
    AdvisedRegistry, Class, GenericProvider, HarborProvider, HubProvider, Profile, Provider, Setup,
    SignedInProvider,
};
use registry::{
    Client, ClientSettings, Credential, CredentialSource, HttpTransport, Reach, Registry, Request,
    RequestBody, Rest, SignIn, TlsSettings, Transport, TransportErrorKind,
};
use serde_json::Value;
use transfer::Connected;
use url::Url;

use super::CONCURRENCY;
use super::cloud::{self, Cloud};
use super::manner::{Flags, Manner};
use super::sign_in::Sources;
use crate::context::{Context, environment};
use crate::credentials;
use crate::failure::Failure;
use crate::files::Input;

/// Certificates and keys are small.
const MAX_PEM: u64 = 1 << 20;

/// How a registry is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// TLS, certificates checked.
    Verified,
    /// TLS, any certificate.
    Unverified,
    /// No TLS.
    Plain,
    /// TLS with any certificate or, where TLS is not spoken, none: this must be tried.
    Whatever,
}

/// A registry's client, and what belongs to it.
pub(super) struct Remote {
    pub(super) client: Client,
    provider: Arc<dyn Provider>,
    concurrency: usize,
    host: Host,
    settings: Option<Value>,
}

/// Who is who at a registry.
enum Identity {
    /// A cloud knows us; its provider signs in.
    Cloud(Arc<dyn Provider>),
    /// No cloud has a say.
    Plain(Arc<dyn CredentialSource>),
}

impl Remote {
    pub(super) fn connected(self) -> Connected {
        let registry = AdvisedRegistry::new(Arc::new(self.client), Arc::clone(&self.provider));
        Connected {
            registry: Arc::new(registry),
            provider: self.provider,
            concurrency: self.concurrency,
            host: Some(self.host),
            layout: None,
            settings: self.settings,
        }
    }
}

/// Makes the client of a registry. Nothing is sent, unless it must be tried whether TLS is spoken or a cloud knows us.
pub(super) async fn reach(
    context: &Context,
    name: &RegistryName,
    host: &str,
    resolved: &Resolved,
    manner: &Manner,
) -> Result<Remote, Failure> {
    let refuse = || Failure::refused(format!("registry `{name}`"));
    let host: Host = host.parse().map_err(|error| refuse().because(&error))?;
    let tls = tls(resolved.connection.tls.as_ref(), &refuse)?;
    let written = wire(&host, resolved, manner.flags(name));
    let wire = context
        .unless_interrupted(settled(written, &host, &tls))
        .await??;
    let sources = Sources::of(name, &host, resolved.connection.auth.as_ref(), manner)?;
    let transport: Arc<dyn Transport> = Arc::new(transport(&host, &tls, wire)?);
    let setup = setup(name, &host, resolved, wire == Wire::Plain, Arc::clone(&transport));
    let settings = settings(&host, resolved, manner, wire, &setup.profile);
    let concurrency = settings.concurrency;
    let connect = |credentials| Client::new(settings, transport, credentials);
    let (client, provider) = match identify(context, &setup, sources, resolved).await? {
        Identity::Cloud(provider) => (connect(provider.credentials()), provider),
        Identity::Plain(credentials) => {
            let client = connect(Arc::clone(&credentials));
            let provider = plain(setup, credentials, &client)?;
            (client, provider)
        }
    };
    let creation = &resolved.connection.create_repositories;
    Ok(Remote {
        client,
        provider,
        concurrency,
        host,
        settings: creation.clone().filter(Value::is_object),
    })
}

/// Makes the provider of a registry that no cloud has a say in.
fn plain(
    setup: Setup,
    credentials: Arc<dyn CredentialSource>,
    client: &Client,
) -> Result<Arc<dyn Provider>, Failure> {
    let Setup {
        name,
        host,
        plain_http,
        profile,
        transport,
        ..
    } = setup;
    let registry: Arc<dyn Registry> = Arc::new(client.clone());
    Ok(match profile.class {
        Class::DockerHub => {
            let rest = Rest::new(transport, Reach::Declared);
            Arc::new(HubProvider::new(name, credentials, profile, rest, registry))
        }
        Class::Harbor => {
            let scheme = if plain_http { "http" } else { "https" };
            let address = Url::parse(&format!("{scheme}://{host}/"));
            let address =
                address.map_err(|error| Failure::refused(format!("{host} is no host")).because(&error))?;
            let rest = Rest::new(transport, Reach::Registry);
            Arc::new(HarborProvider::new(
                name,
                credentials,
                profile,
                rest,
                address,
                registry,
            ))
        }
        _ => Arc::new(GenericProvider::of(name, credentials, profile)),
    })
}

fn setup(
    name: &RegistryName,
    host: &Host,
    resolved: &Resolved,
    plain_http: bool,
    transport: Arc<dyn Transport>,
) -> Setup {
    let connection = &resolved.connection;
    Setup {
        name: name.to_string(),
        host: host.clone(),
        plain_http,
        auth: connection.auth.clone().unwrap_or_default(),
        profile: Profile::of_connection(host, connection),
        resource_id: connection.resource_id.clone(),
        secrets: Arc::new(|reference| credentials::secret(reference)()),
        environment: Arc::new(environment),
        transport,
    }
}

/// Finds out who signs in at a registry: its cloud, where that knows us and nothing else is said, or whoever is said.
///
/// # Errors
/// A cloud that is asked for and is not part of this program, or lacks something (65), and a signal.
async fn identify(
    context: &Context,
    setup: &Setup,
    sources: Sources,
    resolved: &Resolved,
) -> Result<Identity, Failure> {
    let name = &setup.name;
    let decided = context.unless_interrupted(sources.decided()).await?;
    let Some(cloud) = Cloud::of(setup.profile.class).filter(|_| !decided) else {
        return Ok(Identity::Plain(sources.without_cloud(None)));
    };
    let made = cloud.provider(setup.clone(), resolved.connection.create_repositories.as_ref());
    let made = made.map_err(|error| Failure::refused(format!("registry `{name}`")).because(&error))?;
    let Some(provider) = made else {
        let feature = cloud.feature();
        let missing =
            format!("support for `{feature}` is not compiled in; rebuild with --features {feature}");
        return match asked_for(setup, resolved) {
            true => Err(Failure::refused(format!("registry `{name}`: {missing}"))),
            false => Ok(Identity::Plain(sources.without_cloud(Some(missing)))),
        };
    };
    let found = context
        .unless_interrupted(provider.credentials().sign_in())
        .await?;
    match found {
        Ok(SignIn {
            credential: Credential::Anonymous,
            origin,
            ..
        }) if !asked_for(setup, resolved) || sources.has_kept().await => {
            Ok(Identity::Plain(sources.without_cloud(Some(origin))))
        }
        // Where the cloud is asked for by name, its calls say that it does not know us: nothing is taken for settled without it.
        // A cloud that knows us and fails says so to whoever asks the registry, and to nobody else.
        found @ (Ok(_) | Err(_)) => {
            let credentials = sources.with_cloud(provider.credentials(), found.ok());
            Ok(Identity::Cloud(Arc::new(SignedInProvider::new(
                provider,
                credentials,
            ))))
        }
    }
}

/// Says whether the configuration leaves no doubt that a cloud's provider is wanted.
fn asked_for(setup: &Setup, resolved: &Resolved) -> bool {
    let connection = &resolved.connection;
    let settings = connection.settings().is_some_and(|settings| !settings.is_empty());
    connection.provider.is_some() || settings || cloud::asks_for_cloud(&setup.auth)
}

fn wire(host: &Host, resolved: &Resolved, flags: Option<&Flags>) -> Wire {
    let verify = flags.and_then(|flags| flags.verify);
    match (
        resolved.connection.plain_http,
        resolved.connection.insecure_skip_verify,
        verify,
    ) {
        (Some(true), _, _) => Wire::Plain,
        (_, Some(true), _) => Wire::Unverified,
        (_, _, Some(false)) => Wire::Whatever,
        // Nobody stands between a machine and itself; a configuration says what it means all the same.
        (None, _, None) if flags.is_some() && host.is_loopback() => Wire::Whatever,
        _ => Wire::Verified,
    }
}

/// Tries once whether the registry speaks TLS, where that is open. No credential is sent.
async fn settled(wire: Wire, host: &Host, tls: &TlsSettings) -> Result<Wire, Failure> {
    if wire != Wire::Whatever {
        return Ok(wire);
    }
    let url = Url::parse(&format!("https://{host}/v2/"))
        .map_err(|error| Failure::usage(format!("`{host}` is no host")).because(&error))?;
    let transport = transport(host, tls, Wire::Unverified)?;
    // Whatever is answered, it was read over TLS. A registry that is only slow is not asked without it.
    match transport.send(question(url)).await {
        Err(error) if speaks_no_tls(error.kind()) => Ok(Wire::Plain),
        Ok(_) | Err(_) => Ok(Wire::Unverified),
    }
}

fn speaks_no_tls(kind: TransportErrorKind) -> bool {
    use TransportErrorKind::{Decode, Interrupted, Refused, Tls};
    matches!(kind, Decode | Interrupted | Refused | Tls)
}

fn question(url: Url) -> Request {
    let (method, headers) = (Method::GET, HeaderMap::new());
    Request {
        method,
        url,
        headers,
        body: RequestBody::Empty,
        reach: Reach::Registry,
    }
}

fn settings(
    host: &Host,
    resolved: &Resolved,
    manner: &Manner,
    wire: Wire,
    profile: &Profile,
) -> ClientSettings {
    let usual = ClientSettings::new(host.clone());
    let limits = resolved.connection.limits.clone().unwrap_or_default();
    let concurrency = limits.concurrency.and_then(|limit| usize::try_from(limit).ok());
    ClientSettings {
        plain_http: wire == Wire::Plain,
        realm: resolved
            .connection
            .auth
            .as_ref()
            .and_then(|auth| auth.realm.clone()),
        concurrency: concurrency.unwrap_or(CONCURRENCY).max(1),
        requests_per_second: limits.requests_per_second,
        bandwidth: resolved.bandwidth,
        wire: profile.wire.clone(),
        retries: manner.retries().unwrap_or(usual.retries),
        ..usual
    }
}

fn transport(host: &Host, tls: &TlsSettings, wire: Wire) -> Result<HttpTransport, Failure> {
    let insecure_skip_verify = matches!(wire, Wire::Unverified | Wire::Whatever);
    let tls = TlsSettings {
        insecure_skip_verify,
        ..tls.clone()
    };
    HttpTransport::new(&tls, ClientSettings::new(host.clone()).user_agent)
        .map_err(|error| Failure::refused(format!("set TLS up for {host}")).because(&error))
}

fn tls(written: Option<&Tls>, refuse: &dyn Fn() -> Failure) -> Result<TlsSettings, Failure> {
    let Some(written) = written else {
        return Ok(TlsSettings::default());
    };
    let client_identity = match (&written.client_cert, &written.client_key) {
        (Some(certificate), Some(key)) => Some((pem(certificate, refuse)?, pem(key, refuse)?)),
        (None, None) => None,
        _ => return Err(Failure::refused("`client_cert` and `client_key` go together")),
    };
    let ca = written.ca.as_deref().map(|path| pem(path, refuse)).transpose()?;
    Ok(TlsSettings {
        ca,
        client_identity,
        insecure_skip_verify: false,
    })
}

fn pem(path: &str, refuse: &dyn Fn() -> Failure) -> Result<Vec<u8>, Failure> {
    Input::File(Path::new(path).to_owned())
        .read(MAX_PEM)
        .map_err(|error| {
            let read = Failure::refused(format!("read {path}")).because(&error);
            refuse().followed_by(read)
        })
}

#[cfg(test)]
mod tests {
    use planner::config::Connection;

    use super::*;

    fn of(host: &str, connection: Connection, flags: Option<&Flags>) -> Wire {
        let resolved = Resolved {
            connection,
            bandwidth: None,
        };
        wire(&host.parse().unwrap(), &resolved, flags)
    }

    #[test]
    fn a_configuration_says_what_it_means() {
        assert_eq!(of("localhost:5000", Connection::default(), None), Wire::Verified);
        let plain = Connection {
            plain_http: Some(true),
            ..Connection::default()
        };
        assert_eq!(of("site.example", plain, None), Wire::Plain);
        let unverified = Connection {
            insecure_skip_verify: Some(true),
            ..Connection::default()
        };
        assert_eq!(of("site.example", unverified, None), Wire::Unverified);
    }

    #[test]
    fn without_a_configuration_this_machine_is_tried() {
        for host in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert_eq!(
                of(host, Connection::default(), Some(&Flags::default())),
                Wire::Whatever,
                "{host}"
            );
        }
        assert_eq!(
            of("site.example", Connection::default(), Some(&Flags::default())),
            Wire::Verified
        );
    }

    #[test]
    fn verification_is_dropped_where_a_flag_says_so() {
        let flags = Flags {
            verify: Some(false),
            ..Flags::default()
        };
        assert_eq!(
            of("site.example", Connection::default(), Some(&flags)),
            Wire::Whatever
        );
        let flags = Flags {
            verify: Some(true),
            ..Flags::default()
        };
        assert_eq!(
            of("localhost:5000", Connection::default(), Some(&flags)),
            Wire::Verified
        );
    }
}
