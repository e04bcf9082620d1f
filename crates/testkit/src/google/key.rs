//! A service account's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

/// The key of a service account, as `gcloud iam service-accounts keys create` writes it.
#[derive(Debug)]
pub struct ServiceAccountKey {
    email: String,
    pair: KeyPair,
}

impl ServiceAccountKey {
    /// Makes one.
    ///
    /// # Panics
    /// Where the cryptography does not work.
    #[must_use]
    pub fn generate(email: &str) -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
            .expect("an RSA key can be generated");
        Self {
            email: email.to_owned(),
            pair,
        }
    }

    /// Returns [the file](https://docs.cloud.google.com/iam/docs/keys-create-delete#creating).
    #[must_use]
    pub fn file(&self) -> Value {
        json!({
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "0123456789abcdef",
            "private_key": self.pair.serialize_pem(),
            "client_email": self.email,
            "client_id": "100000000000000000000",
            "token_uri": "https://oauth2.googleapis.com/token",
        })
    }

    /// Returns a certificate of the public key in PEM, with which others check what the key signed.
    ///
    /// # Panics
    /// Where the cryptography does not work.
    #[must_use]
    pub fn certificate(&self) -> String {
        let certificate = CertificateParams::default().self_signed(&self.pair);
        certificate.expect("a certificate can be signed").pem()
    }
}

/// Reads the claims of a token without checking who signed it.
#[must_use]
pub fn claims(token: &str) -> Option<Value> {
    let claims = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}
