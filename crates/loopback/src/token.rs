//! Bearer tokens, and where they are issued.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use url::form_urlencoded;

use crate::auth;
use crate::challenge;
use crate::failure::{Code, Failure};
use crate::scope::Scope;
use crate::service::{self, Answer, Call, Incoming, Service};
use crate::uploads::cut_short;

/// The longest form that is read, in bytes.
const MAX_FORM: usize = 64 << 10;

/// The tokens that were issued.
#[derive(Default)]
pub(crate) struct Tokens {
    seed: u64,
    count: AtomicU64,
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    access: BTreeMap<String, Grant>,
    /// These allow nothing but to ask for tokens. They stay good.
    refresh: BTreeSet<String>,
}

struct Grant {
    scopes: Vec<Scope>,
    expires: Instant,
}

/// What a client asks the token endpoint for.
#[derive(Default)]
struct Wish {
    user: Option<(String, String)>,
    refresh_token: Option<String>,
    scopes: Vec<Scope>,
    offline: bool,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Returns what a token allows, while it is good.
    pub(crate) fn grants(&self, token: &str) -> Option<Vec<Scope>> {
        let issued = self.lock();
        issued
            .access
            .get(token)
            .filter(|grant| Instant::now() < grant.expires)
            .map(|grant| grant.scopes.clone())
    }

    fn issue(&self, scopes: Vec<Scope>, lifetime: Duration) -> String {
        let token = self.next();
        let now = Instant::now();
        let mut issued = self.lock();
        issued.access.retain(|_, grant| now < grant.expires);
        issued.access.insert(
            token.clone(),
            Grant {
                scopes,
                expires: now + lifetime,
            },
        );
        token
    }

    fn issue_refresh(&self) -> String {
        let token = self.next();
        self.lock().refresh.insert(token.clone());
        token
    }

    fn is_refresh(&self, token: &str) -> bool {
        self.lock().refresh.contains(token)
    }

    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        oci::Digest::sha256(format!("token {} {count}", self.seed).as_bytes()).hex()
    }

    fn lock(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Issues a token to who is known, or to anyone for pulling where that is allowed.
///
/// <https://distribution.github.io/distribution/spec/auth/token/> and
/// <https://distribution.github.io/distribution/spec/auth/oauth/>
pub(crate) async fn issue(service: &Service, call: &Call, body: &mut Incoming) -> Answer {
    let Some(bearer) = &service.options.bearer else {
        return Err(Failure::new(Code::NameUnknown, "this registry issues no tokens"));
    };
    let wish = match call.method {
        Method::GET => from_query(call),
        Method::POST => from_form(call, &read(body).await?),
        _ => {
            return Err(Failure::new(
                Code::Unsupported,
                "tokens are asked for by GET or POST",
            ));
        }
    };
    let signed_in = auth::knows(&service.options, wish.user.as_ref())
        || wish
            .refresh_token
            .as_ref()
            .is_some_and(|token| service.tokens.is_refresh(token));
    let nobody = wish.user.is_none() && wish.refresh_token.is_none();
    let scopes = match (signed_in, nobody && bearer.anonymous_pull) {
        (true, _) => wish.scopes,
        (false, true) => wish.scopes.iter().map(Scope::to_pull).collect(),
        (false, false) => return Err(challenge::basic()),
    };
    let token = service.tokens.issue(scopes, bearer.lifetime);
    let mut answer =
        json!({ "token": token, "access_token": token, "expires_in": bearer.lifetime.as_secs() });
    if wish.offline && signed_in {
        answer["refresh_token"] = service.tokens.issue_refresh().into();
    }
    Ok(service::json("application/json", &answer))
}

fn from_query(call: &Call) -> Wish {
    Wish {
        user: auth::basic(call),
        refresh_token: None,
        scopes: call.parameters("scope").flat_map(scopes).collect(),
        offline: call.parameter("offline_token") == Some("true"),
    }
}

fn from_form(call: &Call, form: &[u8]) -> Wish {
    let mut wish = Wish {
        user: auth::basic(call),
        ..Wish::default()
    };
    let (mut name, mut password) = (None, None);
    for (key, value) in form_urlencoded::parse(form).into_owned() {
        match key.as_str() {
            "username" => name = Some(value),
            "password" => password = Some(value),
            "refresh_token" => wish.refresh_token = Some(value),
            "scope" => wish.scopes.extend(scopes(&value)),
            "access_type" => wish.offline = value == "offline",
            _ => {}
        }
    }
    wish.user = name.zip(password).or(wish.user);
    wish
}

fn scopes(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(Scope::parse).collect()
}

async fn read(body: &mut Incoming) -> Result<Vec<u8>, Failure> {
    let mut form = Vec::new();
    while let Some(piece) = body.next().await {
        form.extend_from_slice(&piece.map_err(|error| cut_short(&error))?);
        if form.len() > MAX_FORM {
            return Err(Failure::new(Code::SizeInvalid, "the form is too long")
                .with_status(StatusCode::PAYLOAD_TOO_LARGE));
        }
    }
    Ok(form)
}
