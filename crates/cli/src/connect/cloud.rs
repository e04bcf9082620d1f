//! The clouds: their providers, as far as they are compiled in.

use std::sync::Arc;

use planner::config::Auth;
use provider::{Class, Provider, Setup};
use registry::Error;
use serde_json::Value;

/// A cloud with a provider of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cloud {
    /// Amazon ECR, private and public.
    Ecr,
    /// Google Artifact Registry.
    Gar,
    /// Azure Container Registry.
    Acr,
}

/// The provider of a cloud; none where it is not part of this program.
type Found = Option<Arc<dyn Provider>>;

impl Cloud {
    /// Returns the cloud behind a class of registries.
    pub(super) fn of(class: Class) -> Option<Self> {
        match class {
            Class::Ecr | Class::EcrPublic => Some(Self::Ecr),
            Class::Google => Some(Self::Gar),
            Class::Azure => Some(Self::Acr),
            _ => None,
        }
    }

    /// Returns the name of the feature that brings its provider.
    pub(super) fn feature(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Gar => "gar",
            Self::Acr => "acr",
        }
    }

    /// Makes the provider; none where it is not part of this program. Nothing is asked yet. `settings` is the map under
    /// `create_repositories`.
    ///
    /// # Errors
    /// A setup that lacks something, such as a region.
    pub(super) fn provider(
        self,
        setup: Setup,
        settings: Option<&Value>,
    ) -> Result<Option<Arc<dyn Provider>>, Error> {
        match self {
            Self::Ecr => ecr(setup),
            Self::Gar => gar(setup, settings),
            Self::Acr => acr(setup),
        }
    }
}

/// Says whether `auth` asks for something that only a cloud's provider understands.
pub(super) fn asks_for_cloud(auth: &Auth) -> bool {
    let texts = [
        &auth.profile,
        &auth.role_arn,
        &auth.external_id,
        &auth.region,
        &auth.impersonate,
        &auth.key_file,
        &auth.tenant_id,
        &auth.client_id,
        &auth.audience,
        &auth.authority,
        &auth.endpoint,
    ];
    auth.client_secret.is_some() || texts.iter().any(|text| text.is_some())
}

#[cfg(feature = "ecr")]
fn ecr(setup: Setup) -> Result<Found, Error> {
    Ok(Some(Arc::new(ecr::EcrProvider::new(setup)?)))
}

#[cfg(feature = "gar")]
fn gar(setup: Setup, settings: Option<&Value>) -> Result<Found, Error> {
    let provider = gar::GarProvider::new(setup)?;
    let location = settings
        .and_then(|settings| settings.get("location"))
        .and_then(Value::as_str);
    Ok(Some(match location {
        Some(location) => Arc::new(provider.located(location)),
        None => Arc::new(provider),
    }))
}

#[cfg(feature = "acr")]
fn acr(setup: Setup) -> Result<Found, Error> {
    Ok(Some(Arc::new(acr::AcrProvider::new(setup)?)))
}

#[cfg(not(feature = "ecr"))]
fn ecr(_setup: Setup) -> Result<Found, Error> {
    Ok(None)
}

#[cfg(not(feature = "gar"))]
fn gar(_setup: Setup, _settings: Option<&Value>) -> Result<Found, Error> {
    Ok(None)
}

#[cfg(not(feature = "acr"))]
fn acr(_setup: Setup) -> Result<Found, Error> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_the_clouds_and_a_realm_is_not() {
        let region = Auth {
            region: Some("eu-west-1".to_owned()),
            ..Auth::default()
        };
        let realm = Auth {
            realm: Some("auth.example".to_owned()),
            ..Auth::default()
        };
        assert!(asks_for_cloud(&region));
        assert!(!asks_for_cloud(&realm));
    }
}
