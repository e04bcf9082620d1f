//! What to grant, from what Amazon says about a refusal.

use oci::RepositoryName;
use provider::Advice;
use registry::Operation;
use serde_json::json;

use crate::action::Action;
use crate::host::Service;
use crate::session::Session;

/// What Amazon's sentence about a refusal says: `User: ARN is not authorized to perform: ACTION on resource: ARN because ...`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sentence<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) action: Option<&'a str>,
    pub(crate) resource: Option<&'a str>,
    /// A policy forbids it: one more that allows it changes nothing.
    pub(crate) forbidden: bool,
}

impl<'a> Sentence<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        Self {
            user: word_after(text, "User: "),
            action: word_after(text, "is not authorized to perform: "),
            resource: word_after(text, "on resource: "),
            forbidden: text.contains("explicit deny"),
        }
    }
}

fn word_after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(marker)?;
    let word = rest.split([' ', ';', ',', '"']).next()?;
    Some(word).filter(|word| !word.is_empty())
}

/// Says what to grant where the registry refused an operation of the protocol with `text`.
pub(crate) fn on_operation(
    session: &Session,
    operation: Operation,
    repository: &RepositoryName,
    text: &str,
) -> Advice {
    let sentence = Sentence::read(text);
    let mut advice = advise(session, Action::of(operation), &session.arn(repository), sentence);
    if operation == Operation::StartUpload && sentence.action.is_none() {
        let also = Action::GetDownloadUrlForLayer.name(session.address.service);
        advice.grant += &format!(" (a mount needs {also} on the repository it mounts from too)");
    }
    advice
}

/// Says what to grant where Amazon's API refused an action with `text`.
pub(crate) fn on_action(
    session: &Session,
    action: Action,
    repository: Option<&RepositoryName>,
    text: &str,
) -> Advice {
    let resource = match repository {
        Some(repository) if !action.is_registry_wide() => session.arn(repository),
        _ => "*".to_owned(),
    };
    let signs_in = session.address.service == Service::Public && action == Action::GetAuthorizationToken;
    let actions: &[Action] = if signs_in {
        &[Action::GetAuthorizationToken, Action::GetServiceBearerToken]
    } else {
        &[action]
    };
    advise(session, actions, &resource, Sentence::read(text))
}

fn advise(session: &Session, actions: &[Action], resource: &str, said: Sentence<'_>) -> Advice {
    if let Some(user) = said.user {
        session.is_called(user);
    }
    let mut names: Vec<String> = actions
        .iter()
        .map(|action| action.name(session.address.service))
        .collect();
    if let Some(named) = said.action
        && !names.iter().any(|name| name == named)
    {
        names = vec![named.to_owned()];
    }
    let identity = session.caller();
    let resource = said.resource.unwrap_or(resource);
    Advice {
        action: said.action.map_or_else(|| names.join(", "), str::to_owned),
        grant: grant(&names, resource, &identity, said.forbidden),
        identity,
    }
}

fn grant(names: &[String], resource: &str, identity: &str, forbidden: bool) -> String {
    if forbidden {
        return format!(
            "a policy denies it explicitly on {resource}, a boundary or an organisation's among them; remove that deny"
        );
    }
    let statement = json!({ "Effect": "Allow", "Action": names, "Resource": resource });
    let mut grant = format!("add the statement {statement} to its policies");
    if is_foreign(resource, identity) {
        grant += ", and allow it in the policy of the repository: it is another account's";
    }
    grant
}

/// Says whether a resource belongs to another account than who asks for it.
fn is_foreign(resource: &str, identity: &str) -> bool {
    match (account(resource), account(identity)) {
        (Some(theirs), Some(ours)) => theirs != ours,
        _ => false,
    }
}

fn account(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    Some(account).filter(|account| account.len() == 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Level, NEEDED};
    use crate::host::Address;
    use crate::identity::Identity;

    const REDIS: &str = "arn:aws:ecr:eu-west-1:123456789012:repository/base/redis";
    const OPERATIONS: [(Operation, &[&str]); 10] = [
        (Operation::ListTags, &["ecr:ListImages"]),
        (Operation::HeadManifest, &["ecr:BatchGetImage"]),
        (Operation::GetManifest, &["ecr:BatchGetImage"]),
        (
            Operation::ListReferrers,
            &["ecr:BatchGetImage", "ecr:ListImageReferrers"],
        ),
        (Operation::HeadBlob, &["ecr:BatchCheckLayerAvailability"]),
        (Operation::GetBlob, &["ecr:GetDownloadUrlForLayer"]),
        (Operation::StartUpload, &["ecr:InitiateLayerUpload"]),
        (Operation::SendChunk, &["ecr:UploadLayerPart"]),
        (
            Operation::FinishUpload,
            &["ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
        ),
        (Operation::PutManifest, &["ecr:PutImage"]),
    ];

    fn session(host: &str, service: Service) -> Session {
        let address = Address {
            service,
            account: Some("123456789012".to_owned()),
            region: "eu-west-1".to_owned(),
            partition: "aws",
            fips: false,
            dual_stack: false,
            endpoint: None,
        };
        let identity = Identity {
            profile: Some("prod".to_owned()),
            ..Identity::default()
        };
        Session::new("ecr".to_owned(), host.parse().unwrap(), address, identity)
    }

    fn private() -> Session {
        session("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Service::Private)
    }

    #[test]
    fn every_operation_has_its_statement() {
        for (operation, actions) in OPERATIONS {
            let advice = on_operation(
                &private(),
                operation,
                &"base/redis".parse().unwrap(),
                "403 Forbidden",
            );
            assert_eq!(advice.identity, "AWS profile prod");
            assert_eq!(advice.action, actions.join(", "));
            let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": REDIS });
            assert!(
                advice.grant.contains(&statement.to_string()),
                "{operation:?}: {}",
                advice.grant
            );
            for action in Action::of(operation) {
                assert!(
                    NEEDED
                        .iter()
                        .any(|(needed, private, _)| needed == action && private.is_some())
                );
            }
        }
    }

    #[test]
    fn every_action_of_the_api_has_its_statement() {
        let repository = "base/redis".parse().unwrap();
        for (session, column) in [(private(), 0), (session("public.ecr.aws", Service::Public), 1)] {
            for (action, private, public) in NEEDED {
                let needed: Option<Level> = [private, public][column];
                if needed.is_none() {
                    continue;
                }
                let name = action.name(session.address.service);
                let text = format!(
                    "AccessDeniedException: User: arn:aws:iam::123456789012:user/ci is not authorized to perform: \
                     {name} on resource: * because no identity-based policy allows the {name} action"
                );
                let advice = on_action(&session, action, Some(&repository), &text);
                assert_eq!(advice.identity, "arn:aws:iam::123456789012:user/ci");
                assert_eq!(advice.action, name);
                assert!(advice.grant.contains(&format!("\"{name}\"")), "{}", advice.grant);
                let silent = on_action(&session, action, Some(&repository), "denied");
                let wide = silent.grant.contains("\"Resource\":\"*\"");
                assert_eq!(wide, action.is_registry_wide(), "{}", silent.grant);
            }
        }
    }

    #[test]
    fn what_amazon_names_is_what_is_granted() {
        let text = "denied: User: arn:aws:sts::123456789012:assumed-role/mirror/transship is not authorized to perform: \
                    ecr:InitiateLayerUpload on resource: arn:aws:ecr:eu-west-1:123456789012:repository/base/redis because no \
                    identity-based policy allows the ecr:InitiateLayerUpload action";
        let advice = on_operation(
            &private(),
            Operation::StartUpload,
            &"base/redis".parse().unwrap(),
            text,
        );
        let expected = "arn:aws:sts::123456789012:assumed-role/mirror/transship lacks ecr:InitiateLayerUpload: add the \
                        statement {\"Action\":[\"ecr:InitiateLayerUpload\"],\"Effect\":\"Allow\",\"Resource\":\
                        \"arn:aws:ecr:eu-west-1:123456789012:repository/base/redis\"} to its policies";
        assert_eq!(advice.to_string(), expected);
    }

    #[test]
    fn a_mount_that_is_refused_names_the_repository_it_mounts_from() {
        let text = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:GetDownloadUrlForLayer on \
                    resource: arn:aws:ecr:eu-west-1:123456789012:repository/base/alpine because of it";
        let repository = "base/redis".parse().unwrap();
        let advice = on_operation(&private(), Operation::StartUpload, &repository, text);
        assert_eq!(advice.action, "ecr:GetDownloadUrlForLayer");
        assert!(
            advice.grant.contains("[\"ecr:GetDownloadUrlForLayer\"]"),
            "{}",
            advice.grant
        );
        assert!(
            advice.grant.contains("repository/base/alpine"),
            "{}",
            advice.grant
        );
        let silent = on_operation(&private(), Operation::StartUpload, &repository, "denied");
        assert!(
            silent
                .grant
                .contains("ecr:GetDownloadUrlForLayer on the repository"),
            "{}",
            silent.grant
        );
    }

    #[test]
    fn a_deny_is_not_answered_with_an_allow() {
        let text = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:PutImage on resource: \
                    arn:aws:ecr:eu-west-1:123456789012:repository/base/redis with an explicit deny in a service control policy";
        let advice = on_operation(
            &private(),
            Operation::PutManifest,
            &"base/redis".parse().unwrap(),
            text,
        );
        assert!(
            advice.grant.contains("remove that deny") && !advice.grant.contains("Allow"),
            "{}",
            advice.grant
        );
    }

    #[test]
    fn another_accounts_repository_has_a_say_too() {
        let text = "User: arn:aws:iam::210987654321:user/ci is not authorized to perform: ecr:PutImage on resource: \
                    arn:aws:ecr:eu-west-1:123456789012:repository/base/redis because no resource-based policy allows it";
        let advice = on_operation(
            &private(),
            Operation::PutManifest,
            &"base/redis".parse().unwrap(),
            text,
        );
        assert!(
            advice.grant.contains("in the policy of the repository"),
            "{}",
            advice.grant
        );
    }
}
