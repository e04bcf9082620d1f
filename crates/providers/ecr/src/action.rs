//! What Amazon's policies allow, one by one: the single list of what this provider asks for.

use registry::Operation;

use crate::host::Service;

/// What somebody has to be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    GetAuthorizationToken,
    /// Of STS: what ECR Public makes its tokens from.
    GetServiceBearerToken,
    DescribeRegistries,
    DescribeRepositories,
    DescribeImages,
    DescribeImageTags,
    ListImages,
    BatchGetImage,
    ListImageReferrers,
    BatchCheckLayerAvailability,
    GetDownloadUrlForLayer,
    ListTagsForResource,
    GetLifecyclePolicy,
    GetRepositoryPolicy,
    GetRepositoryCatalogData,
    InitiateLayerUpload,
    UploadLayerPart,
    CompleteLayerUpload,
    PutImage,
    CreateRepository,
    TagResource,
    PutLifecyclePolicy,
    SetRepositoryPolicy,
    PutImageTagMutability,
    PutImageScanningConfiguration,
    PutRepositoryCatalogData,
}

/// What an action is needed for; each level needs the ones before it.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Reading: plans, verification, and the source of a copy.
    Plan,
    /// Writing images.
    Push,
    /// Making repositories and changing their settings.
    Create,
}

impl Action {
    /// Returns the name that policies know it by.
    pub(crate) fn name(self, service: Service) -> String {
        match (self, service) {
            (Self::GetServiceBearerToken, _) => "sts:GetServiceBearerToken".to_owned(),
            (_, Service::Private) => format!("ecr:{self:?}"),
            (_, Service::Public) => format!("ecr-public:{self:?}"),
        }
    }

    /// Says in words what it does, for errors.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::GetAuthorizationToken | Self::GetServiceBearerToken => "sign in to",
            Self::DescribeRegistries => "describe the registries of",
            Self::DescribeRepositories => "describe repositories of",
            Self::DescribeImages => "list the images of",
            Self::DescribeImageTags | Self::ListImages => "list the tags of",
            Self::BatchGetImage => "read manifests of",
            Self::ListImageReferrers => "list referrers in",
            Self::BatchCheckLayerAvailability => "look for blobs in",
            Self::GetDownloadUrlForLayer => "read blobs of",
            Self::ListTagsForResource => "read the AWS tags of",
            Self::GetLifecyclePolicy => "read the lifecycle policy of",
            Self::GetRepositoryPolicy => "read the repository policy of",
            Self::GetRepositoryCatalogData => "read the catalog data of",
            Self::InitiateLayerUpload | Self::UploadLayerPart | Self::CompleteLayerUpload => "upload to",
            Self::PutImage => "put manifests in",
            Self::CreateRepository => "create repository",
            Self::TagResource => "set the AWS tags of",
            Self::PutLifecyclePolicy => "set the lifecycle policy of",
            Self::SetRepositoryPolicy => "set the repository policy of",
            Self::PutImageTagMutability => "set the tag mutability of",
            Self::PutImageScanningConfiguration => "set scanning on push of",
            Self::PutRepositoryCatalogData => "set the catalog data of",
        }
    }

    /// Says whether policies allow it for everything or not at all.
    pub(crate) fn is_registry_wide(self) -> bool {
        matches!(
            self,
            Self::GetAuthorizationToken | Self::GetServiceBearerToken | Self::DescribeRegistries
        )
    }

    /// Returns what is needed to do on the wire what `operation` does.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html>
    pub(crate) fn of(operation: Operation) -> &'static [Self] {
        match operation {
            Operation::ListTags => &[Self::ListImages],
            Operation::HeadManifest | Operation::GetManifest => &[Self::BatchGetImage],
            Operation::ListReferrers => &[Self::BatchGetImage, Self::ListImageReferrers],
            Operation::HeadBlob => &[Self::BatchCheckLayerAvailability],
            Operation::GetBlob => &[Self::GetDownloadUrlForLayer],
            Operation::StartUpload => &[Self::InitiateLayerUpload],
            Operation::SendChunk => &[Self::UploadLayerPart],
            Operation::FinishUpload => &[Self::UploadLayerPart, Self::CompleteLayerUpload],
            Operation::PutManifest => &[Self::PutImage],
        }
    }
}

/// Every action, and from which level on it is needed at ECR and at ECR Public.
#[cfg(test)]
pub(crate) const NEEDED: [(Action, Option<Level>, Option<Level>); 26] = {
    use Action as A;
    const PLAN: Option<Level> = Some(Level::Plan);
    const PUSH: Option<Level> = Some(Level::Push);
    const CREATE: Option<Level> = Some(Level::Create);
    [
        (A::GetAuthorizationToken, PLAN, PLAN),
        (A::GetServiceBearerToken, None, PLAN),
        (A::DescribeRegistries, None, PLAN),
        (A::DescribeRepositories, PLAN, PLAN),
        (A::DescribeImages, PLAN, None),
        (A::DescribeImageTags, None, PLAN),
        (A::ListImages, PLAN, None),
        // Whoever reads from ECR Public may read everything.
        (A::BatchGetImage, PLAN, None),
        (A::ListImageReferrers, PLAN, None),
        (A::BatchCheckLayerAvailability, PLAN, PLAN),
        (A::GetDownloadUrlForLayer, PLAN, None),
        (A::ListTagsForResource, PLAN, PLAN),
        (A::GetLifecyclePolicy, PLAN, None),
        (A::GetRepositoryPolicy, PLAN, PLAN),
        (A::GetRepositoryCatalogData, None, PLAN),
        (A::InitiateLayerUpload, PUSH, PUSH),
        (A::UploadLayerPart, PUSH, PUSH),
        (A::CompleteLayerUpload, PUSH, PUSH),
        (A::PutImage, PUSH, PUSH),
        (A::CreateRepository, CREATE, CREATE),
        (A::TagResource, CREATE, CREATE),
        (A::PutLifecyclePolicy, CREATE, None),
        (A::SetRepositoryPolicy, CREATE, CREATE),
        (A::PutImageTagMutability, CREATE, None),
        (A::PutImageScanningConfiguration, CREATE, None),
        (A::PutRepositoryCatalogData, None, CREATE),
    ]
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_action_is_needed_for_something() {
        for (at, (action, private, public)) in NEEDED.iter().enumerate() {
            assert_eq!(*action as usize, at, "{action:?} is not in its place");
            assert!(private.is_some() || public.is_some(), "{action:?}");
        }
        assert_eq!(
            NEEDED.len(),
            Action::PutRepositoryCatalogData as usize + 1,
            "the last action is the last of the table"
        );
    }

    /// Returns what a policy allows, and asserts that it allows nothing on everything but what has no narrower resource.
    fn allowed(policy: &str, service: Service) -> BTreeSet<String> {
        let policy: Value = serde_json::from_str(policy).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        let wide: BTreeSet<String> = NEEDED
            .iter()
            .filter(|(action, ..)| action.is_registry_wide())
            .map(|(action, ..)| action.name(service))
            .collect();
        let mut allowed = BTreeSet::new();
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in statement["Action"].as_array().unwrap() {
                let action = action.as_str().unwrap().to_owned();
                assert_eq!(
                    statement["Resource"] == "*",
                    wide.contains(&action),
                    "{action} and its resource"
                );
                assert!(allowed.insert(action.clone()), "{action} stands there twice");
            }
        }
        allowed
    }

    fn needed(level: Level, service: Service) -> BTreeSet<String> {
        NEEDED
            .iter()
            .filter(|(_, private, public)| {
                let needed = match service {
                    Service::Private => private,
                    Service::Public => public,
                };
                needed.is_some_and(|needed| needed <= level)
            })
            .map(|(action, ..)| action.name(service))
            .collect()
    }

    #[test]
    fn the_policies_of_the_documentation_allow_what_is_needed_and_no_more() {
        for (policy, level, service) in [
            (
                include_str!("../../../../docs/policies/ecr-plan.json"),
                Level::Plan,
                Service::Private,
            ),
            (
                include_str!("../../../../docs/policies/ecr-push.json"),
                Level::Push,
                Service::Private,
            ),
            (
                include_str!("../../../../docs/policies/ecr-create.json"),
                Level::Create,
                Service::Private,
            ),
            (
                include_str!("../../../../docs/policies/ecr-public-plan.json"),
                Level::Plan,
                Service::Public,
            ),
            (
                include_str!("../../../../docs/policies/ecr-public-push.json"),
                Level::Push,
                Service::Public,
            ),
            (
                include_str!("../../../../docs/policies/ecr-public-create.json"),
                Level::Create,
                Service::Public,
            ),
        ] {
            assert_eq!(
                allowed(policy, service),
                needed(level, service),
                "{level:?} {service:?}"
            );
        }
    }
}
