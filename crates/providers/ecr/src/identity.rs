//! Whom AWS is asked as.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use planner::config::Auth;
use registry::{Error, ErrorKind};

use crate::host::Address;

/// What sessions of an assumed role are called in CloudTrail.
const SESSION: &str = "transship";

/// Whom the configuration wants to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) profile: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) external_id: Option<String>,
}

impl Identity {
    /// Reads who is wanted.
    ///
    /// # Errors
    /// An external id without a role.
    pub(crate) fn of(auth: &Auth, registry: &str) -> Result<Self, Error> {
        if auth.external_id.is_some() && auth.role_arn.is_none() {
            let message =
                format!("registry {registry} has `auth.external_id` without the role that asks for it");
            let hint = format!("add `role_arn` to the `auth` of registry {registry}");
            return Err(Error::new(ErrorKind::Other, message).with_hint(hint));
        }
        Ok(Self {
            profile: auth.profile.clone(),
            role: auth.role_arn.clone(),
            external_id: auth.external_id.clone(),
        })
    }

    /// Says whether somebody is wanted by name: then nobody else will do.
    pub(crate) fn is_explicit(&self) -> bool {
        self.profile.is_some() || self.role.is_some()
    }

    /// Reads AWS's environment and files. Nothing is sent yet.
    pub(crate) async fn load(&self, address: &Address, found: &Found) -> SdkConfig {
        let region = Region::new(address.region.clone());
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region.clone());
        if address.fips {
            loader = loader.use_fips(true);
        }
        if address.dual_stack {
            loader = loader.use_dual_stack(true);
        }
        if let Some(profile) = &self.profile {
            loader = loader
                .profile_name(profile)
                .credentials_provider(profile_alone(profile, region, address));
        }
        let config = found.watch(loader.load().await);
        match &self.role {
            Some(role) => self.assume(role, config).await,
            None => config,
        }
    }

    async fn assume(&self, role: &str, config: SdkConfig) -> SdkConfig {
        let mut builder = AssumeRoleProvider::builder(role)
            .session_name(SESSION)
            .configure(&config);
        if let Some(external_id) = &self.external_id {
            builder = builder.external_id(external_id);
        }
        let provider = SharedCredentialsProvider::new(builder.build().await);
        config.into_builder().credentials_provider(provider).build()
    }

    /// Says how somebody was found, and who.
    pub(crate) fn origin(&self, found: &Found) -> String {
        let base = match (&self.profile, found.way()) {
            (Some(profile), _) => format!("AWS profile {profile}"),
            (None, Some(way)) => format!("AWS default credentials ({way})"),
            (None, None) => "AWS default credentials".to_owned(),
        };
        match &self.role {
            Some(role) => format!("AWS role {role} assumed from {base}"),
            None => base,
        }
    }
}

/// A profile that was asked for by name: keys in the environment do not go before it, as they do in the default chain.
fn profile_alone(profile: &str, region: Region, address: &Address) -> ProfileFileCredentialsProvider {
    let config = ProviderConfig::without_region()
        .with_region(Some(region))
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_use_fips(address.fips.then_some(true))
        .with_use_dual_stack(address.dual_stack.then_some(true));
    ProfileFileCredentialsProvider::builder()
        .profile_name(profile)
        .configure(&config)
        .build()
}

/// How the last credentials were found.
#[derive(Clone, Default)]
pub(crate) struct Found(Arc<Mutex<Option<&'static str>>>);

impl Found {
    /// Puts an eye on where the credentials of `config` come from.
    fn watch(&self, config: SdkConfig) -> SdkConfig {
        let Some(inner) = config.credentials_provider() else {
            return config;
        };
        let watched = Watched {
            inner,
            found: self.clone(),
        };
        let provider = SharedCredentialsProvider::new(watched);
        config.into_builder().credentials_provider(provider).build()
    }

    fn way(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, credentials: &Credentials) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = way(credentials);
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Found").field(&self.way()).finish()
    }
}

fn way(credentials: &Credentials) -> Option<&'static str> {
    use AwsCredentialFeature as Feature;
    let features = credentials.get_property::<Vec<Feature>>()?;
    let ways = [
        (Feature::CredentialsEnvVars, "environment"),
        (Feature::CredentialsProfileStsWebIdToken, "web identity token"),
        (Feature::CredentialsHttp, "container"),
        (Feature::CredentialsImds, "instance metadata"),
        (Feature::CredentialsSso, "single sign-on"),
        (Feature::CredentialsProcess, "credential_process"),
        (Feature::CredentialsProfile, "configuration files"),
    ];
    ways.into_iter()
        .find(|(feature, _)| features.contains(feature))
        .map(|(_, way)| way)
}

#[derive(Debug)]
struct Watched {
    inner: SharedCredentialsProvider,
    found: Found,
}

impl ProvideCredentials for Watched {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(async {
            let credentials = self.inner.provide_credentials().await?;
            self.found.note(&credentials);
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.inner.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_needs_the_role_that_asks_for_it() {
        let auth = Auth {
            external_id: Some("x".to_owned()),
            ..Auth::default()
        };
        let error = Identity::of(&auth, "ecr").unwrap_err();
        assert!(error.hint().unwrap().contains("role_arn"), "{error:?}");
    }

    #[test]
    fn a_region_or_an_endpoint_is_nobody() {
        let auth = Auth {
            region: Some("eu-west-1".to_owned()),
            endpoint: Some("http://127.0.0.1:1".to_owned()),
            ..Auth::default()
        };
        assert!(!Identity::of(&auth, "ecr").unwrap().is_explicit());
    }

    #[test]
    fn origins_say_how_and_who() {
        let found = Found::default();
        let mut identity = Identity::default();
        assert_eq!(identity.origin(&found), "AWS default credentials");
        let mut credentials = Credentials::new("id", "secret", None, None, "test");
        credentials.set_property(vec![AwsCredentialFeature::CredentialsImds]);
        found.note(&credentials);
        assert_eq!(
            identity.origin(&found),
            "AWS default credentials (instance metadata)"
        );
        identity.profile = Some("prod".to_owned());
        identity.role = Some("arn:aws:iam::123456789012:role/mirror".to_owned());
        assert_eq!(
            identity.origin(&found),
            "AWS role arn:aws:iam::123456789012:role/mirror assumed from AWS profile prod"
        );
    }
}
