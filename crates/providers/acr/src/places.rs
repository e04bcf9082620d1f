//! Where everything of one registry is asked.

use oci::Host;
use planner::config::Auth;
use provider::takes_credentials;
use registry::{Error, ErrorKind};
use url::Url;

use crate::cloud::{AUDIENCE, Cloud};

const UNENCRYPTED: &str = "is not encrypted: say https://";

/// Where everything of one registry is asked, and whom tokens are for.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The registry's host.
    pub(crate) host: Host,
    /// The registry, ending in a slash.
    pub(crate) registry: Url,
    /// Entra ID.
    pub(crate) authority: String,
    /// The scope of tokens for the registry.
    pub(crate) scope: String,
    /// Azure Resource Manager, ending in a slash.
    pub(crate) management: Url,
    /// The scope of tokens for it.
    pub(crate) management_scope: String,
}

impl Places {
    /// Puts what the configuration says over what the host tells. `authority` is what the environment says.
    ///
    /// # Errors
    /// Text that is no address, and addresses that would take credentials in the clear.
    pub(crate) fn new(
        host: &Host,
        plain_http: bool,
        auth: &Auth,
        authority: Option<String>,
    ) -> Result<Self, Error> {
        let cloud = Cloud::of(host);
        let scheme = if plain_http { "http" } else { "https" };
        let authority = auth
            .authority
            .clone()
            .or(authority)
            .unwrap_or_else(|| cloud.authority.to_owned());
        let authority = address("authority", &authority)?;
        if authority.scheme() != "https" {
            return Err(malformed("authority", UNENCRYPTED));
        }
        let audience = auth.audience.as_deref().unwrap_or(AUDIENCE);
        let management = address("endpoint", auth.endpoint.as_deref().unwrap_or(cloud.management))?;
        if !takes_credentials(&management, plain_http) {
            return Err(malformed("endpoint", UNENCRYPTED));
        }
        Ok(Self {
            host: host.clone(),
            registry: address("host", &format!("{scheme}://{host}"))?,
            authority: authority.as_str().trim_end_matches('/').to_owned(),
            scope: scope(audience),
            management,
            management_scope: scope(cloud.management),
        })
    }

    /// Returns an address of the registry's own.
    ///
    /// # Errors
    /// A path that makes no address.
    pub(crate) fn at_registry(&self, path: &str) -> Result<Url, Error> {
        join(&self.registry, path)
    }

    /// Returns an address of Resource Manager's.
    ///
    /// # Errors
    /// A path that makes no address.
    pub(crate) fn at_management(&self, path: &str) -> Result<Url, Error> {
        join(&self.management, path)
    }
}

fn join(base: &Url, path: &str) -> Result<Url, Error> {
    base.join(path.trim_start_matches('/'))
        .map_err(|error| Error::new(ErrorKind::Other, format!("`{path}` is no path")).caused_by(error))
}

/// Takes `login.example` for `https://login.example/`.
fn address(key: &str, text: &str) -> Result<Url, Error> {
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let mut url = Url::parse(&whole).map_err(|error| malformed(key, "is no address").caused_by(error))?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn malformed(key: &str, what: &str) -> Error {
    Error::new(ErrorKind::Policy, format!("`{key}` {what}"))
}

fn scope(audience: &str) -> String {
    format!(
        "{}/.default",
        audience.trim_end_matches('/').trim_end_matches("/.default")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(host: &str, auth: &Auth, authority: Option<&str>) -> Result<Places, String> {
        Places::new(&host.parse().unwrap(), false, auth, authority.map(str::to_owned))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_host_tells_all_of_it() {
        let places = places("contoso.azurecr.io", &Auth::default(), None).unwrap();
        assert_eq!(places.authority, "https://login.microsoftonline.com");
        assert_eq!(places.scope, "https://containerregistry.azure.net/.default");
        assert_eq!(places.management_scope, "https://management.azure.com/.default");
        let path = places.at_registry("/oauth2/exchange").unwrap();
        assert_eq!(path.as_str(), "https://contoso.azurecr.io/oauth2/exchange");
    }

    #[test]
    fn what_is_written_stands_before_the_environment_and_that_before_the_host() {
        let auth = Auth {
            audience: Some("https://registry.example/.default".to_owned()),
            endpoint: Some("https://management.example/base".to_owned()),
            ..Auth::default()
        };
        let from_environment = places("contoso.azurecr.us", &auth, Some("login.env.example")).unwrap();
        assert_eq!(from_environment.authority, "https://login.env.example");
        assert_eq!(from_environment.scope, "https://registry.example/.default");
        assert_eq!(
            from_environment.at_management("/subscriptions").unwrap().as_str(),
            "https://management.example/base/subscriptions"
        );
        assert_eq!(
            from_environment.management_scope,
            "https://management.usgovcloudapi.net/.default"
        );
        let written = Auth {
            authority: Some("https://login.written.example/".to_owned()),
            ..Auth::default()
        };
        let written = places("contoso.azurecr.us", &written, Some("login.env.example")).unwrap();
        assert_eq!(written.authority, "https://login.written.example");
    }

    #[test]
    fn an_authority_without_encryption_is_refused() {
        let error = places(
            "contoso.azurecr.io",
            &Auth::default(),
            Some("http://login.example"),
        )
        .unwrap_err();
        assert_eq!(error, "`authority` is not encrypted: say https://");
    }

    #[test]
    fn a_resource_manager_without_encryption_is_refused_unless_nobody_can_listen() {
        let at = |endpoint: &str, plain_http| {
            let auth = Auth {
                endpoint: Some(endpoint.to_owned()),
                ..Auth::default()
            };
            Places::new(&"contoso.azurecr.io".parse().unwrap(), plain_http, &auth, None)
                .map(|places| places.management.to_string())
                .map_err(|error| error.to_string())
        };
        let refused = Err("`endpoint` is not encrypted: say https://".to_owned());
        assert_eq!(at("http://management.example", false), refused);
        assert_eq!(at("ftp://management.example", true), refused);
        for (endpoint, plain_http) in [
            ("http://127.0.0.1:8080/", false),
            ("http://localhost:8080/", false),
            ("http://management.example/", true),
        ] {
            assert_eq!(at(endpoint, plain_http), Ok(endpoint.to_owned()));
        }
        assert_eq!(
            at("management.example", false),
            Ok("https://management.example/".to_owned())
        );
    }
}
