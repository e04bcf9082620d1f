//! What tokens say of themselves. Nothing is verified: whoever granted a token answers for it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What is read of a token's claims.
///
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    /// When it ends, in seconds of Unix time.
    pub(crate) exp: Option<u64>,
    iat: Option<u64>,
    nbf: Option<u64>,
    /// The application that asked for it.
    pub(crate) appid: Option<String>,
    azp: Option<String>,
    /// The user that it speaks for.
    pub(crate) upn: Option<String>,
    unique_name: Option<String>,
    /// The object in the directory, which roles are assigned to.
    pub(crate) oid: Option<String>,
    /// The tenant.
    pub(crate) tid: Option<String>,
}

impl Claims {
    /// Reads a token; nothing where it is no JWT.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Returns how long the token lives, told by its own times alone, so that no clock of ours matters.
    pub(crate) fn life(&self) -> Option<Duration> {
        let begin = self.iat.or(self.nbf)?;
        let life = Duration::from_secs(self.exp?.checked_sub(begin)?);
        // Times are whole seconds: one that was granted at the end of a second lives almost one less.
        Some(life - Duration::from_secs(1).min(life / 2))
    }

    /// Says whom the token speaks for.
    pub(crate) fn subject(&self) -> Option<String> {
        let user = self.upn.as_ref().or(self.unique_name.as_ref());
        let application = self.appid.as_ref().or(self.azp.as_ref());
        user.map(|name| format!("user {name}"))
            .or_else(|| application.map(|id| format!("application {id}")))
            .or_else(|| self.oid.as_ref().map(|id| format!("object {id}")))
    }

    /// Returns what `az role assignment create --assignee` takes.
    pub(crate) fn assignee(&self) -> Option<&str> {
        [&self.oid, &self.appid, &self.azp, &self.upn]
            .into_iter()
            .find_map(|id| id.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_when_it_ends_and_whose_it_is() {
        let claims = r#"{"iat":100,"exp":4600,"appid":"app","oid":"object","tid":"tenant"}"#;
        let claims = Claims::read(&token(claims)).unwrap();
        assert_eq!(claims.life(), Some(Duration::from_secs(4499)));
        assert_eq!(claims.subject().as_deref(), Some("application app"));
        assert_eq!(claims.assignee(), Some("object"));
    }

    #[test]
    fn a_user_is_named_by_its_name() {
        let claims = Claims::read(&token(r#"{"upn":"ann@contoso.example","appid":"cli"}"#)).unwrap();
        assert_eq!(claims.subject().as_deref(), Some("user ann@contoso.example"));
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        for text in ["", "opaque", "a.b", "a.%%%.c", "e30.W10.x"] {
            assert_eq!(Claims::read(text), None, "{text}");
        }
        assert_eq!(Claims::read(&token(r#"{"exp":5,"iat":9}"#)).unwrap().life(), None);
    }
}
