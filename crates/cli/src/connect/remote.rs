//! Registries that are asked over HTTP.

use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method};
use oci::Host;
use planner::RegistryName;
use planner::config::{Resolved, Tls};
use provider::{AdvisedRegistry, GenericProvider, Profile, Provider, Setup, SignedInProvider};
use registry::{
    Client, ClientSettings, Credential, HttpTransport, Reach, Request, RequestBody, SignIn, TlsSettings,
    Transport, TransportErrorKind,
};
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

/// Makes the client of a registry. Nothing is sent, unless it must be tried whether TLS is spoken.
pub(super) async fn reach(
    context: &Context,
    name: &RegistryName,
    host: &str,
    resolved: &Resolved,
    manner: &Manner,
) -> Result<Connected, Failure> {
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
    let profile = setup.profile.clone();
    let provider = identified(context, setup, sources, resolved, manner, name).await?;
    let settings = settings(&host, resolved, manner, wire, profile);
    let concurrency = settings.concurrency;
    let client = Client::new(settings, transport, provider.credentials());
    let registry = AdvisedRegistry::new(Arc::new(client), Arc::clone(&provider));
    let creation = &resolved.connection.create_repositories;
    Ok(Connected {
        registry: Arc::new(registry),
        provider,
        concurrency,
        host: Some(host),
        settings: creation.clone().filter(serde_json::Value::is_object),
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

/// Finds the provider of a registry: that of its cloud, where a cloud knows us, else the generic one.
///
/// # Errors
/// A cloud that is asked for and is not part of this program, or lacks something (65), and a signal.
async fn identified(
    context: &Context,
    setup: Setup,
    sources: Sources,
    resolved: &Resolved,
    manner: &Manner,
    name: &RegistryName,
) -> Result<Arc<dyn Provider>, Failure> {
    let generic = |credentials| {
        let provider = GenericProvider::of(setup.name.clone(), credentials, setup.profile.clone());
        Arc::new(provider) as Arc<dyn Provider>
    };
    let Some(cloud) = Cloud::of(setup.profile.class).filter(|_| !sources.decided(manner, name)) else {
        return Ok(generic(sources.without_cloud(None)));
    };
    let refuse = || Failure::refused(format!("registry `{name}`"));
    let made = cloud.provider(setup.clone());
    let Some(provider) = made.map_err(|error| refuse().because(&error))? else {
        let feature = cloud.feature();
        let missing =
            format!("support for `{feature}` is not compiled in; rebuild with --features {feature}");
        let wanted = resolved.connection.provider.is_some() || cloud::asks_for_cloud(&setup.auth);
        return match wanted {
            true => Err(Failure::refused(format!("registry `{name}`: {missing}"))),
            false => Ok(generic(sources.without_cloud(Some(missing)))),
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
        }) => Ok(generic(sources.without_cloud(Some(origin)))),
        // A cloud that knows us and fails says so to whoever asks the registry, and to nobody else.
        Ok(_) | Err(_) => {
            let credentials = sources.with_cloud(provider.credentials());
            Ok(Arc::new(SignedInProvider::new(provider, credentials)))
        }
    }
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
    profile: Profile,
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
        wire: profile.wire,
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
