//! Who is who, what was granted, and what stands in the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::TENANT;
use super::ticket::Asked;
use crate::token_service::TokenKey;

/// The name of the registry in its access tokens.
pub(super) const ISSUER: &str = "Azure Container Registry";

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Pull images and list them: what `AcrPull` has.
    Pull,
    /// Push images.
    Push,
    /// Change attributes.
    Lock,
    /// List repositories.
    Catalogue,
    /// Read the registry's resource.
    Describe,
    /// Import images.
    Import,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Pull,
        Self::Push,
        Self::Lock,
        Self::Catalogue,
        Self::Describe,
        Self::Import,
    ];
}

/// An application, a machine's identity or a user.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Its client id; its object id is `oid-` and that.
    pub client: String,
    /// Its secret, where it has one.
    pub secret: Option<String>,
    /// The token of another issuer that stands for it, where there is one.
    pub assertion: Option<String>,
    /// Its name, where it is a user.
    pub user: Option<String>,
    /// What it may do.
    pub rights: BTreeSet<Right>,
}

impl Principal {
    /// Makes somebody who may do this.
    pub fn new(client: &str, rights: impl IntoIterator<Item = Right>) -> Self {
        Self {
            client: client.to_owned(),
            secret: None,
            assertion: None,
            user: None,
            rights: rights.into_iter().collect(),
        }
    }

    /// Gives it a secret.
    #[must_use]
    pub fn secret(self, secret: &str) -> Self {
        let secret = Some(secret.to_owned());
        Self { secret, ..self }
    }

    /// Lets a token of another issuer stand for it.
    #[must_use]
    pub fn assertion(self, assertion: &str) -> Self {
        let assertion = Some(assertion.to_owned());
        Self { assertion, ..self }
    }

    /// Makes it a user.
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        let user = Some(name.to_owned());
        Self { user, ..self }
    }
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It was granted by Entra ID for this audience.
    Entra(String),
    /// The registry's refresh token.
    Refresh,
    /// The registry's access token, with what it lets do: `type:name:action`.
    Access(BTreeSet<String>),
}

#[derive(Clone, Debug)]
struct Issued {
    client: String,
    usage: Use,
    ends: u64,
}

/// A repository as listings show it.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub(super) writable: bool,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) locked: BTreeSet<String>,
    pub(super) manifests: BTreeMap<String, String>,
}

struct State {
    principals: BTreeMap<String, Principal>,
    issued: BTreeMap<String, Issued>,
    repositories: BTreeMap<String, Repository>,
    asked: Vec<Asked>,
    running: BTreeMap<String, usize>,
    most: BTreeMap<String, usize>,
    lives: (u64, u64),
    pause: Duration,
    number: u64,
}

pub(super) struct Directory {
    key: TokenKey,
    state: Mutex<State>,
}

/// A request under way, by its path and, where it names one, its scope.
pub(super) struct Running<'a>(&'a Directory, Vec<String>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        for key in &self.1 {
            if let Some(running) = state.running.get_mut(key) {
                *running -= 1;
            }
        }
    }
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            key: TokenKey::generate(),
            state: Mutex::new(State {
                principals: BTreeMap::new(),
                issued: BTreeMap::new(),
                repositories: BTreeMap::new(),
                asked: Vec::new(),
                running: BTreeMap::new(),
                most: BTreeMap::new(),
                // Three hours, and the 75 minutes of the documentation's example.
                lives: (10_800, 4_500),
                pause: Duration::ZERO,
                number: 0,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the state panics")
    }

    pub(super) fn certificate(&self) -> String {
        self.key.certificate()
    }

    pub(super) fn admit(&self, principal: Principal) {
        self.state()
            .principals
            .insert(principal.client.clone(), principal);
    }

    pub(super) fn principal(&self, client: &str) -> Option<Principal> {
        self.state().principals.get(client).cloned()
    }

    pub(super) fn set_lives(&self, refresh: u64, access: u64) {
        self.state().lives = (refresh, access);
    }

    pub(super) fn revoke(&self) {
        self.state()
            .issued
            .retain(|_, issued| matches!(issued.usage, Use::Entra(_)));
    }

    pub(super) fn note(&self, asked: &Asked) -> Running<'_> {
        let scope = asked.parameter("scope").map(of_scope);
        let keys: Vec<String> = [asked.path.clone()].into_iter().chain(scope).collect();
        let mut state = self.state();
        state.asked.push(asked.clone());
        for key in &keys {
            let running = state.running.entry(key.clone()).or_default();
            *running += 1;
            let running = *running;
            let most = state.most.entry(key.clone()).or_default();
            *most = running.max(*most);
        }
        Running(self, keys)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    pub(super) fn forget(&self) {
        self.state().asked.clear();
    }

    pub(super) fn most_at_once(&self, path: &str) -> usize {
        self.state().most.get(path).copied().unwrap_or(0)
    }

    pub(super) fn most_at_once_of_a_scope(&self) -> usize {
        let state = self.state();
        let of_scopes = state.most.iter().filter(|(key, _)| key.starts_with(SCOPE));
        of_scopes.map(|(_, most)| *most).max().unwrap_or(0)
    }

    pub(super) fn set_pause(&self, pause: Duration) {
        self.state().pause = pause;
    }

    pub(super) fn pause(&self) -> Duration {
        self.state().pause
    }

    /// Claims: <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
    pub(super) fn entra_token(&self, client: &str, audience: &str) -> String {
        let principal = self.principal(client).expect("somebody has this client id");
        let mut claims = json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{TENANT}/"), "appid": client,
            "oid": format!("oid-{client}"), "tid": TENANT, "ver": "1.0",
        });
        if let Some(user) = principal.user {
            claims["upn"] = user.into();
        }
        self.issue(client, Use::Entra(audience.to_owned()), claims, 86_399)
    }

    /// Claims: <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>
    pub(super) fn refresh_token(&self, client: &str, host: &str) -> String {
        let life = self.state().lives.0;
        let claims = json!({
            "iss": ISSUER, "aud": host, "version": "1.0", "tenant": TENANT,
            "grant_type": "refresh_token", "credential": client, "permissions": {},
        });
        self.issue(client, Use::Refresh, claims, life)
    }

    pub(super) fn access_token(&self, client: &str, host: &str, allowed: &BTreeSet<String>) -> String {
        let life = self.state().lives.1;
        let mut access: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for one in allowed {
            if let Some((kind, rest)) = one.split_once(':')
                && let Some((name, action)) = rest.rsplit_once(':')
            {
                access.entry((kind, name)).or_default().push(action);
            }
        }
        let access: Vec<Value> = access
            .into_iter()
            .map(|((kind, name), actions)| json!({ "type": kind, "name": name, "actions": actions }))
            .collect();
        let claims = json!({
            "iss": ISSUER, "aud": host, "sub": client, "version": "1.0",
            "grant_type": "access_token", "access": access, "roles": [],
        });
        self.issue(client, Use::Access(allowed.clone()), claims, life)
    }

    fn issue(&self, client: &str, usage: Use, mut claims: Value, life: u64) -> String {
        let now = now();
        let number = {
            let mut state = self.state();
            state.number += 1;
            state.number
        };
        claims["iat"] = now.into();
        claims["nbf"] = now.into();
        claims["exp"] = (now + life).into();
        claims["jti"] = format!("{number}").into();
        let token = self.key.sign(&claims);
        let issued = Issued {
            client: client.to_owned(),
            usage,
            ends: now + life,
        };
        self.state().issued.insert(token.clone(), issued);
        token
    }

    /// Returns whose token it is and what for; `None` for one that was never granted, was revoked or has ended.
    pub(super) fn holder(&self, token: &str) -> Option<(Principal, Use)> {
        let issued = self.state().issued.get(token).cloned()?;
        let principal = self.principal(&issued.client)?;
        (now() < issued.ends).then_some((principal, issued.usage))
    }

    pub(super) fn put(&self, repository: &str, tag: Option<&str>, digest: &str, media_type: &str) {
        let mut state = self.state();
        let repository = state
            .repositories
            .entry(repository.to_owned())
            .or_insert_with(|| Repository {
                writable: true,
                tags: BTreeMap::new(),
                locked: BTreeSet::new(),
                manifests: BTreeMap::new(),
            });
        repository
            .manifests
            .insert(digest.to_owned(), media_type.to_owned());
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest.to_owned());
        }
    }

    pub(super) fn repository(&self, name: &str) -> Option<Repository> {
        self.state().repositories.get(name).cloned()
    }

    pub(super) fn repositories(&self) -> Vec<String> {
        self.state().repositories.keys().cloned().collect()
    }

    pub(super) fn change<T>(&self, name: &str, change: impl FnOnce(&mut Repository) -> T) -> T {
        let mut state = self.state();
        change(state.repositories.get_mut(name).expect("the repository stands"))
    }
}

/// What the keys of scopes begin with; no path does.
const SCOPE: &str = "scope ";

fn of_scope(scope: &str) -> String {
    format!("{SCOPE}{scope}")
}

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
