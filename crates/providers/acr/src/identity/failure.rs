//! What it means where a link gives no token.

use azure_core::error::ErrorKind as AzureErrorKind;
use registry::{Error, ErrorKind, TransportError, TransportErrorKind};

use super::link::{Link, Missing};

/// What Entra ID's codes ask for. `{tenant}` is the tenant that was asked.
///
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
const HINTS: &[(&str, &str)] = &[
    (
        "AADSTS7000215",
        "the secret's value is asked for, not its id; make a new one: az ad app credential reset --id CLIENT_ID",
    ),
    (
        "AADSTS7000222",
        "the secret has expired; make a new one: az ad app credential reset --id CLIENT_ID",
    ),
    (
        "AADSTS700016",
        "no such application in this tenant: check `tenant_id` and `client_id`",
    ),
    (
        "AADSTS90002",
        "there is no such tenant: check `tenant_id` and `authority`",
    ),
    (
        "AADSTS70021",
        "the application has no federated credential for this token's issuer and subject; add one: az ad app federated-credential create",
    ),
    (
        "AADSTS700213",
        "the application has no federated credential for this token's subject; add one: az ad app federated-credential create",
    ),
    (
        "AADSTS500011",
        "the tenant does not know this audience: check `audience`",
    ),
    (
        "AADSTS50001",
        "the tenant does not know this audience: check `audience`",
    ),
];

/// Judges an error of `link`; it was asked in `tenant`, where one is known.
pub(super) fn judge(link: &Link, error: &azure_core::Error, tenant: Option<&str>) -> Missing {
    let said = error.to_string();
    if let Some(reason) = absence(link, &said) {
        return Missing::Absent(reason);
    }
    let error = Error::new(kind(error), format!("{link}: {}", essence(&said)));
    let hint = hint(link, &said, tenant);
    Missing::Failed(match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

/// Returns why a link is not available here, where that is what its error says.
fn absence(link: &Link, said: &str) -> Option<String> {
    let nobody = |login: &str| said.contains(login) && !said.contains("AADSTS");
    let reason = match link {
        Link::AzureCli | Link::AzureDeveloperCli if said.contains("not found on PATH") => "not installed",
        Link::AzureCli if nobody("az login") => "nobody is logged in",
        Link::AzureDeveloperCli if nobody("azd auth login") => "nobody is logged in",
        // A machine with the metadata service need not have an identity. One that was asked for has to be there.
        Link::Managed(None) if said.contains("has not been assigned to this resource") => {
            "this machine has none"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

fn hint(link: &Link, said: &str, tenant: Option<&str>) -> Option<String> {
    let tenant = tenant
        .map(|tenant| format!(" --tenant {tenant}"))
        .unwrap_or_default();
    match link {
        Link::AzureCli => Some(format!("az login{tenant}")),
        Link::AzureDeveloperCli => Some("azd auth login".to_owned()),
        Link::Managed(Some(client)) if said.contains("has not been assigned to this resource") => Some(
            format!("assign the identity with client id {client} to this machine, or correct `client_id`"),
        ),
        _ => HINTS
            .iter()
            .find(|(code, _)| said.contains(&format!("{code}:")))
            .map(|(_, hint)| (*hint).to_owned()),
    }
}

/// Keeps of an error what is the same each time: the words between the name of the credential and the trace of the call.
fn essence(said: &str) -> String {
    let lines = said.lines().map(str::trim);
    let line = lines
        .filter(|line| !line.starts_with("To troubleshoot"))
        .map(|line| {
            line.split_once("authentication failed.")
                .map_or(line, |(_, rest)| rest)
        })
        .map(|line| line.trim().trim_start_matches("ERROR:").trim())
        .find(|line| !line.is_empty())
        .unwrap_or("it fails and does not say why");
    let end = line.find(" Trace ID:").unwrap_or(line.len());
    line[..end].to_owned()
}

/// A service that can't be reached has refused nobody.
fn kind(error: &azure_core::Error) -> ErrorKind {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(now) = cause {
        if let Some(transport) = now.downcast_ref::<TransportError>() {
            return match transport.kind() {
                TransportErrorKind::Tls | TransportErrorKind::Forbidden => ErrorKind::Policy,
                _ => ErrorKind::Network,
            };
        }
        if let Some(azure) = now.downcast_ref::<azure_core::Error>()
            && let AzureErrorKind::HttpResponse { status, .. } = azure.kind()
        {
            match u16::from(*status) {
                429 => return ErrorKind::RateLimit,
                500.. => return ErrorKind::Network,
                _ => {}
            }
        }
        cause = now.source();
    }
    ErrorKind::Auth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(link: &Link, said: &str) -> Error {
        let error = azure_core::Error::with_message(AzureErrorKind::Credential, said.to_owned());
        match judge(link, &error, Some("contoso")) {
            Missing::Failed(error) => error,
            Missing::Absent(reason) => panic!("absent: {reason}"),
        }
    }

    fn absent(link: &Link, said: &str) -> String {
        let error = azure_core::Error::with_message(AzureErrorKind::Credential, said.to_owned());
        match judge(link, &error, None) {
            Missing::Absent(reason) => reason,
            Missing::Failed(error) => panic!("failed: {error}"),
        }
    }

    #[test]
    fn a_tool_that_nobody_uses_is_not_available() {
        let help = "\nTo troubleshoot, visit https://aka.ms/azsdk/rust/identity/troubleshoot#azure-cli";
        let said = format!("AzureCliCredential authentication failed. az not found on PATH{help}");
        assert_eq!(absent(&Link::AzureCli, &said), "not installed");
        let said = format!(
            "AzureCliCredential authentication failed. Please run 'az login' to setup account.{help}"
        );
        assert_eq!(absent(&Link::AzureCli, &said), "nobody is logged in");
        let said = "ManagedIdentityCredential authentication failed. The requested identity has not been assigned to this resource";
        assert_eq!(absent(&Link::Managed(None), said), "this machine has none");
    }

    #[test]
    fn an_expired_login_says_how_to_log_in() {
        let said = "AzureCliCredential authentication failed. ERROR: AADSTS700082: The refresh token has expired due to inactivity. Trace ID: 1 Correlation ID: 2\nInteractive authentication is needed. Please run:\naz login\n";
        let error = failed(&Link::AzureCli, said);
        assert_eq!(
            error.to_string(),
            "Azure CLI: AADSTS700082: The refresh token has expired due to inactivity."
        );
        assert_eq!(error.hint(), Some("az login --tenant contoso"));
        assert_eq!(error.kind(), ErrorKind::Auth);
    }

    #[test]
    fn an_identity_that_was_asked_for_has_to_be_there() {
        let said = "The requested identity has not been assigned to this resource";
        let error = failed(&Link::Managed(Some("id".to_owned())), said);
        assert!(error.hint().unwrap().contains("client id id"), "{error:?}");
    }

    #[test]
    fn a_service_that_is_not_there_has_refused_nobody() {
        let broken = TransportError::new(TransportErrorKind::Refused, "nothing listens");
        let inner = azure_core::Error::new(AzureErrorKind::Connection, broken);
        let error = azure_core::Error::with_error(AzureErrorKind::Credential, inner, "outer");
        assert_eq!(kind(&error), ErrorKind::Network);
    }
}
