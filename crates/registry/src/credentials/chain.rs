//! One source after another.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Credential, CredentialSource, Error, SignIn};

/// Signs in with the first source that has a credential. One that signs in as nobody has none; one that fails ends the chain:
/// a broken source never makes room for the next.
#[derive(Clone, Debug, Default)]
pub struct Chain(Vec<Arc<dyn CredentialSource>>);

impl Chain {
    /// Puts sources in order.
    #[must_use]
    pub fn new(sources: Vec<Arc<dyn CredentialSource>>) -> Self {
        Self(sources)
    }
}

#[async_trait]
impl CredentialSource for Chain {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let mut nobody = SignIn::anonymous();
        for source in &self.0 {
            let sign_in = source.sign_in().await?;
            if sign_in.credential != Credential::Anonymous {
                return Ok(sign_in);
            }
            // Who found nobody may have said why.
            if sign_in.origin != nobody.origin {
                nobody.origin = format!("{}; {}", nobody.origin, sign_in.origin);
            }
        }
        Ok(nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Anonymous, Nobody, Static};
    use super::*;
    use crate::ErrorKind;

    fn source(origin: &str, password: Result<&'static str, &'static str>) -> Arc<dyn CredentialSource> {
        let password = Arc::new(move || password.map(Into::into).map_err(str::to_owned));
        Arc::new(Static::new(origin, "u", password))
    }

    #[tokio::test]
    async fn the_first_that_has_a_credential_is_used() {
        let chain = Chain::new(vec![
            Arc::new(Anonymous),
            source("first", Ok("a")),
            source("second", Ok("b")),
        ]);
        assert_eq!(chain.sign_in().await.unwrap().origin, "first");
    }

    #[tokio::test]
    async fn a_broken_source_ends_the_chain() {
        let chain = Chain::new(vec![source("first", Err("unset")), source("second", Ok("b"))]);
        assert_eq!(chain.sign_in().await.unwrap_err().kind(), ErrorKind::Auth);
    }

    #[tokio::test]
    async fn who_finds_nobody_says_why() {
        let told = Nobody::because("no AWS profile");
        let chain = Chain::new(vec![Arc::new(Anonymous), Arc::new(told)]);
        assert_eq!(chain.sign_in().await.unwrap().origin, "anonymous; no AWS profile");
    }

    #[tokio::test]
    async fn nobody_is_left_at_the_end() {
        assert_eq!(Chain::default().sign_in().await.unwrap(), SignIn::anonymous());
    }
}
