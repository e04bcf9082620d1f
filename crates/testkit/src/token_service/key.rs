//! The key of a token service.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{Certificate, CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};
use serde_json::{Value, json};

use super::ISSUER;

/// How long after its end a registry still takes a token. Taken off here, so that it ends when it is said to.
const LEEWAY: u64 = 60;

/// Tells the tokens of one second apart.
static ISSUED: AtomicU64 = AtomicU64::new(0);

/// An RSA key with the certificate that vouches for it.
///
/// Its [tokens](https://distribution.github.io/distribution/spec/auth/jwt/) carry the certificate, so that a registry that
/// knows the certificate takes them.
#[derive(Debug)]
pub struct TokenKey {
    pair: KeyPair,
    certificate: Certificate,
}

impl TokenKey {
    /// Makes one.
    ///
    /// # Panics
    /// Where the cryptography does not work.
    #[must_use]
    pub fn generate() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
            .expect("an RSA key can be generated");
        let certificate = CertificateParams::default()
            .self_signed(&pair)
            .expect("a certificate can be signed");
        Self { pair, certificate }
    }

    /// Returns the certificate in PEM, a registry's `rootcertbundle`.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.certificate.pem()
    }

    /// Signs a token of [`ISSUER`] that `service` takes for `scopes`, and for `valid_for` seconds.
    ///
    /// # Panics
    /// Where the clock stands before 1970.
    #[must_use]
    pub fn token(&self, subject: &str, service: &str, scopes: &[String], valid_for: u64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("it is past 1970").as_secs();
        self.sign(&json!({
            "iss": ISSUER,
            "sub": subject,
            "aud": service,
            "exp": now + valid_for - LEEWAY,
            "nbf": now - LEEWAY,
            "iat": now,
            "jti": ISSUED.fetch_add(1, Ordering::Relaxed).to_string(),
            "access": scopes.iter().filter_map(|scope| access(scope)).collect::<Vec<_>>(),
        }))
    }

    /// Signs claims by RS256 and returns the JSON Web Token.
    ///
    /// # Panics
    /// Where the cryptography does not work.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let certificate = STANDARD.encode(self.certificate.der());
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [certificate] });
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(signed.as_bytes()).expect("an RSA key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// `type:name:action,action`; a name may have a colon, that of a port.
fn access(scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let actions: Vec<&str> = actions.split(',').collect();
    Some(json!({ "type": kind, "name": name, "actions": actions }))
}
