//! Signing in to one registry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use tokio::sync::{Mutex as Queue, MutexGuard as Turn, TryLockError};
use tokio::time::Instant;

use crate::call::Scope;
use crate::challenge::Challenge;
use crate::flight::Flight;
use crate::home::Home;
use crate::lease::Lease;
use crate::realm::{self, Realm, Trust};
use crate::token::{self, Answer, Token, TokenClient};
use crate::{Credential, CredentialSource, Error, ErrorKind, SignIn};

/// A credential that was never taken and refused this often is not sent again: accounts get locked.
const MAX_STRIKES: u32 = 3;
/// With this many scopes, tokens that have ended are dropped.
const MANY_SCOPES: usize = 1_000;

/// What one client knows of how its registry lets people in.
pub(crate) struct Auth {
    home: Home,
    declared_realm: Option<String>,
    source: Arc<dyn CredentialSource>,
    tokens: TokenClient,
    scheme: Mutex<Scheme>,
    signed: Flight<Arc<Signed>>,
    flights: Mutex<BTreeMap<Scope, Arc<Flight<Granted>>>>,
}

/// How the registry lets people in.
#[derive(Clone, Debug)]
enum Scheme {
    /// It was not asked yet.
    Unknown,
    /// It asks for nothing.
    Open,
    /// User and password with every request.
    Basic,
    /// Tokens of a service.
    Bearer { realm: Realm, service: Option<String> },
}

/// Who signed in, and how that went.
#[derive(Debug)]
struct Signed {
    sign_in: SignIn,
    taken: AtomicBool,
    strikes: AtomicU32,
    /// Who shows a credential that nobody has taken yet: one at a time.
    trial: Queue<()>,
    lease: Lease,
}

/// A token and whose it is.
#[derive(Clone)]
struct Granted {
    token: Token,
    signed: Arc<Signed>,
}

/// What a request is sent with.
#[derive(Clone)]
pub(crate) struct Pass {
    pub(crate) header: HeaderValue,
    signed: Arc<Signed>,
    token: Option<u64>,
    /// When the token is no longer what should be sent; of a password its lease knows.
    until: Option<Instant>,
    /// Made for this very request: if it is refused, no newer one helps.
    fresh: bool,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("home", &self.home.host())
            .finish_non_exhaustive()
    }
}

impl Auth {
    pub(crate) fn new(
        home: Home,
        declared_realm: Option<String>,
        source: Arc<dyn CredentialSource>,
        tokens: TokenClient,
    ) -> Self {
        Self {
            home,
            declared_realm,
            source,
            tokens,
            scheme: Mutex::new(Scheme::Unknown),
            signed: Flight::default(),
            flights: Mutex::new(BTreeMap::new()),
        }
    }

    /// Returns true where no answer of the registry has told yet how to sign in.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(*self.scheme(), Scheme::Unknown)
    }

    /// Says where the credential in use came from; nothing where none was needed.
    pub(crate) fn origin(&self) -> Option<String> {
        self.signed.peek().map(|signed| signed.sign_in.origin.clone())
    }

    /// Learns from a write that was taken from nobody that the registry asks for nothing.
    pub(crate) fn learn_open(&self) {
        let mut scheme = self.scheme();
        if matches!(*scheme, Scheme::Unknown) {
            *scheme = Scheme::Open;
        }
    }

    /// Learns from the challenges of a 401; false where they hold nothing usable.
    ///
    /// # Errors
    /// A realm that is refused. No credential was looked up then.
    pub(crate) fn learn(&self, challenges: &[Challenge]) -> Result<bool, Error> {
        let bearer = challenges
            .iter()
            .find(|challenge| challenge.scheme == "bearer" && challenge.parameter("realm").is_some());
        if let Some(bearer) = bearer {
            let named = bearer.parameter("realm").unwrap_or_default();
            let realm = Realm::judge(&self.home, self.declared_realm.as_deref(), named)?;
            let service = bearer.parameter("service").map(str::to_owned);
            *self.scheme() = Scheme::Bearer { realm, service };
            return Ok(true);
        }
        let basic = challenges.iter().any(|challenge| challenge.scheme == "basic");
        if basic {
            *self.scheme() = Scheme::Basic;
        }
        Ok(basic)
    }

    /// Returns what to send with a request; `None` for nothing. `refused` is what the registry has just turned down.
    ///
    /// # Errors
    /// A source that fails, a token service that fails or refuses.
    pub(crate) async fn pass(&self, scope: &Scope, refused: Option<&Pass>) -> Result<Option<Pass>, Error> {
        let scheme = self.scheme().clone();
        match scheme {
            Scheme::Unknown | Scheme::Open => Ok(None),
            Scheme::Basic => self.basic_pass(refused).await,
            Scheme::Bearer { realm, service } => self
                .token_pass(&realm, service.as_deref(), scope, refused)
                .await
                .map(Some),
        }
    }

    /// Returns what to send in the place of what should not be sent any more, or was not there yet; `None` where that
    /// is all there is.
    ///
    /// # Errors
    /// As [`Auth::pass`].
    pub(crate) async fn latest(&self, scope: &Scope, pass: Option<&Pass>) -> Result<Option<Pass>, Error> {
        if pass.is_some_and(|pass| !pass.has_ended()) {
            return Ok(None);
        }
        let scheme = self.scheme().clone();
        match scheme {
            Scheme::Bearer { realm, service } => self
                .token_pass(&realm, service.as_deref(), scope, None)
                .await
                .map(Some),
            Scheme::Basic if pass.is_some() => self.basic_pass(None).await,
            Scheme::Unknown | Scheme::Open | Scheme::Basic => Ok(None),
        }
    }

    /// Waits for the turn to show a password that nobody has taken yet. Without turns, a wrong one would be shown as
    /// often as there are requests on the way.
    ///
    /// # Errors
    /// A password that was refused too often meanwhile.
    pub(crate) async fn turn<'a>(&self, pass: Option<&'a Pass>) -> Result<Option<Turn<'a, ()>>, Error> {
        match pass {
            Some(pass) if pass.token.is_none() => self.trial(&pass.signed).await,
            _ => Ok(None),
        }
    }

    /// As [`Auth::turn`], without waiting.
    ///
    /// # Errors
    /// It is somebody else's turn.
    pub(crate) fn turn_at_once(pass: &Pass) -> Result<Option<Turn<'_, ()>>, TryLockError> {
        match pass.token.is_none() && !pass.signed.is_proven() {
            true => pass.signed.trial.try_lock().map(Some),
            false => Ok(None),
        }
    }

    async fn trial<'a>(&self, signed: &'a Signed) -> Result<Option<Turn<'a, ()>>, Error> {
        if signed.is_proven() {
            return Ok(None);
        }
        let turn = signed.trial.lock().await;
        self.check_strikes(signed)?;
        Ok((!signed.is_proven()).then_some(turn))
    }

    /// Returns true for a password: that it has ended is not always told by a 401.
    pub(crate) fn may_end_unnoticed(pass: &Pass) -> bool {
        pass.token.is_none()
    }

    /// Returns what replaces a password that was good and may have ended, or has ended by the registry's word; `None`
    /// where its source has no other.
    ///
    /// # Errors
    /// A source that fails.
    pub(crate) async fn successor(&self, pass: &Pass, ended: bool) -> Result<Option<Pass>, Error> {
        if !ended && !pass.signed.lease.may_have_ended() {
            return Ok(None);
        }
        let signed = self.sign_in(Some(&pass.signed)).await?;
        if Arc::ptr_eq(&signed, &pass.signed) {
            return Ok(None);
        }
        self.basic_pass(None).await
    }

    /// Counts what the registry thinks of a pass.
    pub(crate) fn note(&self, pass: &Pass, refused: bool) {
        if !refused {
            pass.signed.taken.store(true, Ordering::Relaxed);
        } else if pass.token.is_none() {
            pass.signed.strikes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns true where a newer pass may be taken although this one was not.
    pub(crate) fn may_renew(pass: &Pass) -> bool {
        !pass.fresh
    }

    /// The error of a registry that turns down what it was shown.
    pub(crate) fn refusal(&self, pass: Option<&Pass>, insufficient: bool) -> Error {
        match pass {
            Some(pass) if insufficient && pass.signed.sign_in.credential != Credential::Anonymous => {
                let message = format!(
                    "{} does not allow this to the credential from {}",
                    self.home.host(),
                    pass.signed.sign_in.origin
                );
                Error::new(ErrorKind::Permission, message)
            }
            Some(pass) => self.refused(&pass.signed.sign_in),
            None => self.refused(&SignIn::anonymous()),
        }
    }

    fn refused(&self, sign_in: &SignIn) -> Error {
        let (host, origin) = (self.home.host(), &sign_in.origin);
        match sign_in.credential {
            Credential::Anonymous => {
                let message = format!("{host} asks for a credential, and there is none ({origin})");
                Error::new(ErrorKind::Auth, message).with_hint(format!(
                    "run `docker login {host}`, or give the registry an `auth:`"
                ))
            }
            _ => {
                let message = format!("{host} refused the credential from {origin}");
                Error::new(ErrorKind::Auth, message).answered(StatusCode::UNAUTHORIZED)
            }
        }
    }

    async fn basic_pass(&self, refused: Option<&Pass>) -> Result<Option<Pass>, Error> {
        let before = self.signed.peek();
        let signed = match refused {
            Some(pass) => self.renewed(&pass.signed).await?,
            None => self.sign_in(None).await?,
        };
        let sign_in = &signed.sign_in;
        let header = match &sign_in.credential {
            Credential::Anonymous => return Ok(None),
            Credential::Basic { .. } => token::basic(&sign_in.credential),
            Credential::Bearer(secret) => token::bearer(secret),
            Credential::IdentityToken(_) => {
                let host = self.home.host();
                let message = format!(
                    "{host} wants a password, and the credential from {} is a token",
                    sign_in.origin
                );
                return Err(Error::new(ErrorKind::Auth, message));
            }
        };
        self.check_strikes(&signed)?;
        Ok(Some(Pass {
            header: header.ok_or_else(|| self.unsendable(sign_in))?,
            token: None,
            until: None,
            fresh: before.is_none_or(|before| !Arc::ptr_eq(&before, &signed)),
            signed,
        }))
    }

    async fn token_pass(
        &self,
        realm: &Realm,
        service: Option<&str>,
        scope: &Scope,
        refused: Option<&Pass>,
    ) -> Result<Pass, Error> {
        let usable = |granted: &Granted| {
            let token = &granted.token;
            token.is_fresh() && refused.is_none_or(|pass| pass.token != Some(token.id))
        };
        let flight = self.flight(scope);
        let exact = flight.peek().filter(usable);
        if let Some(granted) = exact.or_else(|| self.covering(scope, usable)) {
            return self.as_pass(granted, false);
        }
        let made = AtomicBool::new(false);
        let make = async {
            made.store(true, Ordering::Relaxed);
            self.grant(realm, service, scope, refused).await
        };
        let granted = flight.get(usable, make).await?;
        self.as_pass(granted, made.into_inner())
    }

    fn as_pass(&self, granted: Granted, fresh: bool) -> Result<Pass, Error> {
        let Granted { token, signed } = granted;
        let header = token::bearer(&token.secret).ok_or_else(|| self.unsendable(&signed.sign_in))?;
        Ok(Pass {
            header,
            token: Some(token.id),
            until: Some(token.fresh_until),
            signed,
            fresh,
        })
    }

    /// Gets a token. A refused credential is read again, and asked with once more only where it is another one.
    async fn grant(
        &self,
        realm: &Realm,
        service: Option<&str>,
        scope: &Scope,
        refused: Option<&Pass>,
    ) -> Result<Granted, Error> {
        let signed = self.sign_in(None).await?;
        if let Some(token) = self.ask(realm, service, scope, &signed, refused).await? {
            return Ok(Granted { token, signed });
        }
        let signed = self.renewed(&signed).await?;
        match self.ask(realm, service, scope, &signed, refused).await? {
            Some(token) => Ok(Granted { token, signed }),
            None => Err(self.refused(&signed.sign_in)),
        }
    }

    async fn ask(
        &self,
        realm: &Realm,
        service: Option<&str>,
        scope: &Scope,
        signed: &Arc<Signed>,
        refused: Option<&Pass>,
    ) -> Result<Option<Token>, Error> {
        let credential = &signed.sign_in.credential;
        if let Credential::Bearer(secret) = credential {
            let again = refused.is_some_and(|pass| Arc::ptr_eq(&pass.signed, signed));
            return Ok((!again).then(|| Token::as_is(secret.clone(), signed.lease.renewal())));
        }
        if matches!(realm.trust, Trust::Anonymous(_)) && *credential != Credential::Anonymous {
            return Err(realm::refusal(
                &self.home,
                realm.url.as_str(),
                "the credential does not follow there",
            ));
        }
        let _turn = self.trial(signed).await?;
        match self.tokens.ask(realm, service, scope, credential).await? {
            Answer::Granted(token) => {
                signed.taken.store(true, Ordering::Relaxed);
                Ok(Some(token))
            }
            Answer::Refused(status) => {
                let strikes = u32::from(status == StatusCode::UNAUTHORIZED);
                signed.strikes.fetch_add(strikes, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    fn check_strikes(&self, signed: &Signed) -> Result<(), Error> {
        if !signed.is_proven() && signed.strikes.load(Ordering::Relaxed) >= MAX_STRIKES {
            return Err(self.refused(&signed.sign_in));
        }
        Ok(())
    }

    /// Signs in again after a refusal.
    ///
    /// # Errors
    /// The same credential once more: it stays refused, and no other source is tried.
    async fn renewed(&self, refused: &Arc<Signed>) -> Result<Arc<Signed>, Error> {
        let signed = self.sign_in(Some(refused)).await?;
        if Arc::ptr_eq(&signed, refused) {
            return Err(self.refused(&signed.sign_in));
        }
        Ok(signed)
    }

    /// Signs in once for all who ask, and again shortly before the credential ends, or where it was refused.
    async fn sign_in(&self, refused: Option<&Arc<Signed>>) -> Result<Arc<Signed>, Error> {
        let usable = |signed: &Arc<Signed>| match refused {
            Some(refused) => !Arc::ptr_eq(refused, signed),
            None => !signed.lease.is_due(),
        };
        let make = async {
            let before = self.signed.peek().or_else(|| refused.cloned());
            match (self.source.sign_in().await, before) {
                (Ok(sign_in), Some(before)) if before.sign_in.credential == sign_in.credential => {
                    before.lease.extend(self.life(&sign_in));
                    Ok(before)
                }
                (Ok(sign_in), _) => Ok(Arc::new(Signed::new(self.life(&sign_in), sign_in))),
                // What is still good is not given up because there is nothing new yet.
                (Err(_), Some(before)) if refused.is_none() && before.lease.hold() => Ok(before),
                (Err(error), _) => Err(error),
            }
        };
        self.signed.get(usable, make).await
    }

    /// Returns how long a credential lives from now on. One that came to its end already says nothing of use: some
    /// emulators hand out such, and a clock may be wrong.
    fn life(&self, sign_in: &SignIn) -> Option<Duration> {
        let left = sign_in.expires?.duration_since((self.tokens.now)());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    fn unsendable(&self, sign_in: &SignIn) -> Error {
        let host = self.home.host();
        let message = format!(
            "the credential for {host} from {} has characters that can't be sent",
            sign_in.origin
        );
        Error::new(ErrorKind::Auth, message)
    }

    /// Returns a usable token whose scope covers `scope`.
    fn covering(&self, scope: &Scope, usable: impl Fn(&Granted) -> bool) -> Option<Granted> {
        let flights = self.flights();
        let mut covering = flights.iter().filter(|(wider, _)| wider.covers(scope));
        covering.find_map(|(_, flight)| flight.peek().filter(&usable))
    }

    fn flight(&self, scope: &Scope) -> Arc<Flight<Granted>> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(scope) {
            return Arc::clone(flight);
        }
        if flights.len() >= MANY_SCOPES && flights.len().is_multiple_of(MANY_SCOPES) {
            flights.retain(|_, flight| Arc::strong_count(flight) > 1 || has_fresh(flight));
        }
        Arc::clone(flights.entry(scope.clone()).or_default())
    }

    fn flights(&self) -> MutexGuard<'_, BTreeMap<Scope, Arc<Flight<Granted>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scheme(&self) -> MutexGuard<'_, Scheme> {
        self.scheme.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Returns true for a token that should not be sent any more: what the registry thinks of it says nothing of the next.
    pub(crate) fn is_late_token(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Returns true where it should not be sent any more.
    pub(crate) fn has_ended(&self) -> bool {
        match self.until {
            Some(until) => until <= Instant::now(),
            None => self.signed.lease.is_due(),
        }
    }
}

impl Signed {
    fn new(life: Option<Duration>, sign_in: SignIn) -> Self {
        Self {
            sign_in,
            taken: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            trial: Queue::new(()),
            lease: Lease::new(life),
        }
    }

    /// Returns true where showing it once more can't lock anyone out.
    fn is_proven(&self) -> bool {
        self.taken.load(Ordering::Relaxed) || self.sign_in.credential == Credential::Anonymous
    }
}

fn has_fresh(flight: &Flight<Granted>) -> bool {
    flight.peek().is_some_and(|granted| granted.token.is_fresh())
}
