//! A connection with its variables expanded: what is needed to connect.

use std::path::{Path, PathBuf};

use super::connection::{Auth, Connection, Limits, SecretReference, Tls};
use super::expand::{Environment, ExpandError, expand};
use super::rate;

/// A connection whose `${NAME}` are expanded. Secret references stay references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The connection with every text expanded.
    pub connection: Connection,
    /// Bytes a second in each direction.
    pub bandwidth: Option<u64>,
}

impl Connection {
    /// Expands `${NAME}` in every text but secret references. Paths stay relative; see [`Resolved::at`].
    ///
    /// # Errors
    /// The variables that are not set or malformed, and a bandwidth that is none, as one text.
    pub fn resolve(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Resolved, String> {
        let mut expander = Expander {
            environment,
            errors: Vec::new(),
        };
        let connection = expander.connection(self);
        let written = connection
            .limits
            .as_ref()
            .and_then(|limits| limits.bandwidth.as_deref());
        let bandwidth = written.map(rate::parse).transpose();
        match (expander.errors.as_slice(), bandwidth) {
            ([], Ok(bandwidth)) => Ok(Resolved {
                connection,
                bandwidth,
            }),
            ([], Err(error)) => Err(error.to_string()),
            (errors, _) => Err(errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }
}

struct Expander<'a> {
    environment: Environment<'a>,
    errors: Vec<ExpandError>,
}

impl Expander<'_> {
    fn text(&mut self, text: &str) -> String {
        expand(text, self.environment).unwrap_or_else(|errors| {
            self.errors.extend(errors);
            String::new()
        })
    }

    fn option(&mut self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    fn connection(&mut self, written: &Connection) -> Connection {
        Connection {
            host: self.option(written.host.as_ref()),
            layout: self.option(written.layout.as_ref()),
            form: written.form,
            bare: written.bare.clone(),
            provider: self.option(written.provider.as_ref()),
            plain_http: written.plain_http,
            insecure_skip_verify: written.insecure_skip_verify,
            tls: written.tls.as_ref().map(|tls| self.tls(tls)),
            auth: written.auth.as_ref().map(|auth| self.auth(auth)),
            limits: written.limits.as_ref().map(|limits| Limits {
                bandwidth: self.option(limits.bandwidth.as_ref()),
                ..limits.clone()
            }),
            create_repositories: written
                .create_repositories
                .as_ref()
                .map(|value| self.value(value)),
            resource_id: self.option(written.resource_id.as_ref()),
            server_side_copy: written.server_side_copy,
            profile: written.profile.clone(),
        }
    }

    fn tls(&mut self, written: &Tls) -> Tls {
        Tls {
            ca: self.option(written.ca.as_ref()),
            client_cert: self.option(written.client_cert.as_ref()),
            client_key: self.option(written.client_key.as_ref()),
        }
    }

    fn auth(&mut self, written: &Auth) -> Auth {
        Auth {
            anonymous: written.anonymous,
            username: self.option(written.username.as_ref()),
            password: written.password.clone(),
            token: written.token.clone(),
            helper: self.option(written.helper.as_ref()),
            docker_config: self.option(written.docker_config.as_ref()),
            realm: self.option(written.realm.as_ref()),
            endpoint: self.option(written.endpoint.as_ref()),
            profile: self.option(written.profile.as_ref()),
            role_arn: self.option(written.role_arn.as_ref()),
            external_id: self.option(written.external_id.as_ref()),
            region: self.option(written.region.as_ref()),
            impersonate: self.option(written.impersonate.as_ref()),
            key_file: self.option(written.key_file.as_ref()),
            tenant_id: self.option(written.tenant_id.as_ref()),
            client_id: self.option(written.client_id.as_ref()),
            client_secret: written.client_secret.clone(),
            audience: self.option(written.audience.as_ref()),
            authority: self.option(written.authority.as_ref()),
        }
    }

    fn value(&mut self, value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::String(text) => self.text(text).into(),
            serde_json::Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            serde_json::Value::Object(entries) => {
                let expanded = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), self.value(value)));
                serde_json::Value::Object(expanded.collect())
            }
            other => other.clone(),
        }
    }
}

impl Resolved {
    /// Makes every relative path count from `directory`, the one that the configuration stands in.
    #[must_use]
    pub fn at(mut self, directory: &Path) -> Self {
        let connection = &mut self.connection;
        let mut paths: Vec<&mut String> = connection.layout.iter_mut().collect();
        if let Some(tls) = &mut connection.tls {
            paths.extend(
                [&mut tls.ca, &mut tls.client_cert, &mut tls.client_key]
                    .into_iter()
                    .flatten(),
            );
        }
        if let Some(auth) = &mut connection.auth {
            paths.extend(
                [&mut auth.docker_config, &mut auth.key_file]
                    .into_iter()
                    .flatten(),
            );
            for secret in [&mut auth.password, &mut auth.token, &mut auth.client_secret]
                .into_iter()
                .flatten()
            {
                if let SecretReference::File(path) = secret {
                    paths.push(path);
                }
            }
        }
        for path in paths {
            *path = joined(directory, path);
        }
        self
    }
}

fn joined(directory: &Path, path: &str) -> String {
    let whole: PathBuf = directory.join(path);
    whole.to_str().map_or_else(|| path.to_owned(), str::to_owned)
}
