//! What is known of each class of registries, with its source: one row per class.

use planner::{Creation, Import, Listing, MountRule};
use registry::{Operation, Upload};

use crate::Class;

/// What is known of a class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) class: Class,
    pub(crate) mount: MountRule,
    pub(crate) creation: Creation,
    /// `None` where it must be asked.
    pub(crate) referrers_api: Option<bool>,
    /// Whether an index of which some children are missing is taken; `None` where nobody knows.
    pub(crate) sparse_index: Option<bool>,
    pub(crate) depth: Option<usize>,
    pub(crate) listing: Listing,
    pub(crate) family: Option<&'static str>,
    /// What an import takes, where the registry has one.
    pub(crate) import: Option<Import>,
    pub(crate) upload: Upload,
    pub(crate) page: usize,
    /// Requests a second, by kind.
    pub(crate) rates: &'static [(Operation, u32)],
}

/// A registry that follows the specification and says nothing of limits.
///
/// Registries may refuse an index of which some children are missing, and those whose software was looked at do:
/// <https://github.com/opencontainers/distribution-spec/pull/310>. Distribution 3 can be told to take it, so nobody knows of others.
///
/// A page of 1,000 tags is what crane asks every registry for; distribution 3 refuses more.
const PLAIN: Row = Row {
    class: Class::Other,
    mount: MountRule::Any,
    creation: Creation::OnPush,
    referrers_api: None,
    sparse_index: None,
    depth: None,
    listing: Listing::Tags,
    family: None,
    import: None,
    upload: Upload::Whole,
    page: 1_000,
    rates: &[],
};

/// Every class once.
pub(crate) const TABLE: [Row; 9] = [
    // Blobs are shared by all repositories of a layout, its index lists what refers to a manifest.
    Row {
        class: Class::Layout,
        referrers_api: Some(true),
        sparse_index: Some(true),
        ..PLAIN
    },
    // The limits of Docker Hub depend on who asks, have changed twice in a year, and are told in headers of each answer. HEAD does
    // not count: https://docs.docker.com/docker-hub/usage/pulls/
    // Its API lists a hundred tags at a time, at another host: that is dearer than asking for the few tags that most mirrors take.
    Row {
        class: Class::DockerHub,
        sparse_index: Some(false),
        ..PLAIN
    },
    // GitHub has no referrers API and answers 404 for it: https://github.com/orgs/community/discussions/208530
    // Parts of a blob beyond the first are refused or lost: https://github.com/oras-project/rust-oci-client/issues/35
    Row {
        class: Class::Github,
        referrers_api: Some(false),
        rates: GITHUB_RATES,
        ..PLAIN
    },
    // ECR mounts where the account opted in (BLOB_MOUNTING), and only what a manifest of the other repository names; where it declines
    // it opens an upload: https://github.com/aws/containers-roadmap/issues/2860
    // It refuses to list the referrers of some manifests; that says nothing about the others.
    // More than 1,000 tags at once are an error: https://github.com/google/go-containerregistry/issues/681
    Row {
        class: Class::Ecr,
        sparse_index: Some(false),
        mount: MountRule::Committed,
        creation: Creation::Call,
        referrers_api: Some(true),
        listing: Listing::Inventory,
        rates: ECR_RATES,
        ..PLAIN
    },
    Row {
        class: Class::EcrPublic,
        sparse_index: Some(false),
        mount: MountRule::Never,
        creation: Creation::Call,
        referrers_api: Some(false),
        listing: Listing::Inventory,
        rates: ECR_PUBLIC_RATES,
        ..PLAIN
    },
    // PROJECT/REPOSITORY/IMAGE: a call makes the first two segments. Google's registries mount from each other (`origin`):
    // https://github.com/google/go-containerregistry/pull/1388
    // A blob goes in one request, parts are refused: https://github.com/dotnet/sdk-container-builds/issues/287
    Row {
        class: Class::Google,
        sparse_index: Some(false),
        creation: Creation::Call,
        referrers_api: Some(true),
        depth: Some(2),
        listing: Listing::Inventory,
        family: Some("google"),
        rates: GOOGLE_RATES,
        ..PLAIN
    },
    // One PUT of more than some 20 MB is answered with 413 by the front of some registries; Microsoft's clients send parts of 4 MiB:
    // https://github.com/goharbor/harbor/issues/23015
    // An import takes 50 manifests: https://learn.microsoft.com/azure/container-registry/container-registry-import-images
    //
    // No rate is imposed. What Azure allows depends on the tier (100 writes a minute in Basic and 2,000 in Premium, when it still
    // published them): the smallest would slow the others twentyfold, and a registry that wants less says so with 429 and Retry-After.
    Row {
        class: Class::Azure,
        sparse_index: Some(false),
        referrers_api: Some(true),
        listing: Listing::Inventory,
        import: Some(Import { manifests: 50 }),
        upload: Upload::Chunked {
            above: 16 << 20,
            chunk: 4 << 20,
        },
        ..PLAIN
    },
    // The artifacts of a repository are listed with their accessories: https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml
    Row {
        class: Class::Harbor,
        sparse_index: Some(false),
        // A project, which nobody makes by pushing.
        depth: Some(1),
        listing: Listing::Inventory,
        ..PLAIN
    },
    PLAIN,
];

/// Per account and region, adjustable: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const ECR_RATES: &[(Operation, u32)] = &[
    (Operation::HeadManifest, 2_000), // BatchGetImage
    (Operation::GetManifest, 2_000),  // BatchGetImage
    (Operation::PutManifest, 10),     // PutImage
    (Operation::HeadBlob, 1_000),     // BatchCheckLayerAvailability
    (Operation::GetBlob, 3_000),      // GetDownloadUrlForLayer
    (Operation::StartUpload, 100),    // InitiateLayerUpload
    (Operation::SendChunk, 500),      // UploadLayerPart
    (Operation::FinishUpload, 100),   // CompleteLayerUpload
];

/// Per account: <https://docs.aws.amazon.com/AmazonECR/latest/public/public-service-quotas.html>
const ECR_PUBLIC_RATES: &[(Operation, u32)] = &[
    (Operation::PutManifest, 10),  // PutImage
    (Operation::HeadBlob, 200),    // BatchCheckLayerAvailability
    (Operation::StartUpload, 10),  // InitiateLayerUpload
    (Operation::SendChunk, 260),   // UploadLayerPart
    (Operation::FinishUpload, 10), // CompleteLayerUpload
];

/// Per project and location, 60,000 requests a minute of which 18,000 may write: <https://cloud.google.com/artifact-registry/quotas>
///
/// All kinds share them. Each may have the whole, since which of them comes first can't be known; a project that wants less
/// says so with 429.
const GOOGLE_RATES: &[(Operation, u32)] = &[
    (Operation::ListTags, 1_000),
    (Operation::HeadManifest, 1_000),
    (Operation::GetManifest, 1_000),
    (Operation::PutManifest, 300),
    (Operation::ListReferrers, 1_000),
    (Operation::HeadBlob, 1_000),
    (Operation::GetBlob, 1_000),
    (Operation::StartUpload, 300),
    (Operation::SendChunk, 300),
    (Operation::FinishUpload, 300),
];

/// Some 2,000 requests a minute and user, reads and writes together. GitHub publishes nothing; this is what clients measured:
/// <https://github.com/clowdhaus/ocync>
const GITHUB_RATES: &[(Operation, u32)] = &[
    (Operation::ListTags, 33),
    (Operation::HeadManifest, 33),
    (Operation::GetManifest, 33),
    (Operation::PutManifest, 33),
    (Operation::HeadBlob, 33),
    (Operation::GetBlob, 33),
    (Operation::StartUpload, 33),
    (Operation::FinishUpload, 33),
];
