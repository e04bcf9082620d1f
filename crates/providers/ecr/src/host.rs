//! What the host of a registry tells about it.

use oci::{Host, RepositoryName};
use planner::config::Auth;
use provider::{Class, Setup};
use registry::{Error, ErrorKind};

/// The one host of ECR Public.
const PUBLIC: &str = "public.ecr.aws";
/// ECR Public has its API in this region alone.
const PUBLIC_REGION: &str = "us-east-1";

/// Where hosts end, and the partition they stand in; `aws` stands for GovCloud too, which its regions tell.
/// The list is that of the kubelet's `ecr-credential-provider`.
const SUFFIXES: [(&str, &str); 7] = [
    ("amazonaws.com", "aws"),
    ("amazonaws.com.cn", "aws-cn"),
    ("amazonaws.eu", "aws-eusc"),
    ("c2s.ic.gov", "aws-iso"),
    ("sc2s.sgov.gov", "aws-iso-b"),
    ("cloud.adc-e.uk", "aws-iso-e"),
    ("csp.hci.ic.gov", "aws-iso-f"),
];
const DUAL_STACK_SUFFIXES: [(&str, &str); 2] = [("on.aws", "aws"), ("on.amazonwebservices.com.cn", "aws-cn")];

/// How regions begin that stand outside of the partition `aws`.
const REGIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

/// Which of Amazon's two registries it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Private,
    Public,
}

/// Where a registry stands, and where its API does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) service: Service,
    /// Twelve digits, where the host tells them.
    pub(crate) account: Option<String>,
    pub(crate) region: String,
    pub(crate) partition: &'static str,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    /// The address of its API, where the configuration gives one.
    pub(crate) endpoint: Option<String>,
}

impl Address {
    /// Reads the host of a registry, and what its configuration adds.
    ///
    /// # Errors
    /// A host that does not say its region, where `auth.region` does not either.
    pub(crate) fn of(setup: &Setup) -> Result<Self, Error> {
        let Auth { region, endpoint, .. } = &setup.auth;
        let mut address = if setup.profile.class == Class::EcrPublic || setup.host.name() == PUBLIC {
            Self::public()
        } else {
            parse(&setup.host)
                .or_else(|| region.as_deref().map(Self::in_region))
                .ok_or_else(|| unknown(setup))?
        };
        if let Some(region) = region {
            address.region.clone_from(region);
            address.partition = partition(region, address.partition);
        }
        address.endpoint.clone_from(endpoint);
        Ok(address)
    }

    fn public() -> Self {
        Self {
            service: Service::Public,
            ..Self::in_region(PUBLIC_REGION)
        }
    }

    fn in_region(region: &str) -> Self {
        Self {
            service: Service::Private,
            account: None,
            region: region.to_owned(),
            partition: partition(region, "aws"),
            fips: false,
            dual_stack: false,
            endpoint: None,
        }
    }

    /// Returns the name of a repository as Amazon's policies spell it; `*` stands for an account that nobody told.
    pub(crate) fn repository_arn(&self, account: Option<&str>, repository: &RepositoryName) -> String {
        let (partition, region) = (self.partition, &self.region);
        let account = account.or(self.account.as_deref()).unwrap_or("*");
        match self.service {
            Service::Private => format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"),
            // The registry's alias begins the path on the wire alone.
            Service::Public => {
                let path = repository.as_str();
                let name = path.split_once('/').map_or(path, |(_, name)| name);
                format!("arn:{partition}:ecr-public::{account}:repository/{name}")
            }
        }
    }
}

fn unknown(setup: &Setup) -> Error {
    let (name, host) = (&setup.name, &setup.host);
    let message = format!(
        "registry {name} has `provider: ecr`, and neither its host {host} nor a key `auth.region` says its AWS region"
    );
    Error::new(ErrorKind::Other, message).with_hint(format!(
        "add `auth: {{ region: REGION }}` to registry {name}, and `auth.endpoint` where its API is not at Amazon's address"
    ))
}

/// Reads `ACCOUNT.dkr.ecr[-fips].REGION.SUFFIX` and `ACCOUNT.dkr-ecr[-fips].REGION.SUFFIX`.
fn parse(host: &Host) -> Option<Address> {
    let (account, rest) = host.name().split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (dual_stack, rest) = match rest.strip_prefix("dkr.ecr") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix("dkr-ecr")?),
    };
    let (fips, rest) = match rest.strip_prefix("-fips") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (region, suffix) = rest.strip_prefix('.')?.split_once('.')?;
    let suffixes: &[(&str, &'static str)] = if dual_stack {
        &DUAL_STACK_SUFFIXES
    } else {
        &SUFFIXES
    };
    let (_, found) = suffixes.iter().find(|(known, _)| *known == suffix)?;
    Some(Address {
        account: Some(account.to_owned()),
        partition: partition(region, found),
        fips,
        dual_stack,
        ..Address::in_region(region)
    })
}

fn partition(region: &str, otherwise: &'static str) -> &'static str {
    REGIONS
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or(otherwise, |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(host: &str) -> Option<(String, &'static str, bool, bool)> {
        let address = parse(&host.parse().unwrap())?;
        assert_eq!(address.account.as_deref(), Some("123456789012"));
        Some((
            address.region,
            address.partition,
            address.fips,
            address.dual_stack,
        ))
    }

    #[test]
    fn hosts_tell_account_region_and_partition() {
        for (host, region, partition, fips, dual_stack) in [
            (
                "dkr.ecr.eu-west-1.amazonaws.com",
                "eu-west-1",
                "aws",
                false,
                false,
            ),
            (
                "dkr.ecr-fips.us-east-2.amazonaws.com",
                "us-east-2",
                "aws",
                true,
                false,
            ),
            ("dkr-ecr.eu-west-1.on.aws", "eu-west-1", "aws", false, true),
            ("dkr-ecr-fips.us-west-2.on.aws", "us-west-2", "aws", true, true),
            (
                "dkr.ecr.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
                "aws-us-gov",
                false,
                false,
            ),
            (
                "dkr.ecr-fips.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
                "aws-us-gov",
                true,
                false,
            ),
            (
                "dkr-ecr.us-gov-west-1.on.aws",
                "us-gov-west-1",
                "aws-us-gov",
                false,
                true,
            ),
            (
                "dkr.ecr.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
                "aws-cn",
                false,
                false,
            ),
            (
                "dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn",
                "cn-northwest-1",
                "aws-cn",
                false,
                true,
            ),
            (
                "dkr.ecr.us-iso-east-1.c2s.ic.gov",
                "us-iso-east-1",
                "aws-iso",
                false,
                false,
            ),
            (
                "dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                "us-isob-east-1",
                "aws-iso-b",
                false,
                false,
            ),
            (
                "dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "eu-isoe-west-1",
                "aws-iso-e",
                false,
                false,
            ),
            (
                "dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                "us-isof-south-1",
                "aws-iso-f",
                false,
                false,
            ),
            (
                "dkr.ecr.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
                "aws-eusc",
                false,
                false,
            ),
        ] {
            let expected = Some((region.to_owned(), partition, fips, dual_stack));
            assert_eq!(told(&format!("123456789012.{host}")), expected, "{host}");
        }
    }

    #[test]
    fn hosts_that_only_look_like_it_tell_nothing() {
        for host in [
            "dkr.ecr.eu-west-1.amazonaws.com",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-1.evilamazonaws.com",
            "123456789012.dkr.ecr-other.eu-west-1.amazonaws.com",
            "123456789012.dkr-ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "public.ecr.aws",
            "localhost:4599",
        ] {
            assert_eq!(parse(&host.parse().unwrap()), None, "{host}");
        }
    }

    #[test]
    fn policies_spell_repositories_in_full() {
        let repository = "base/redis".parse().unwrap();
        let address = parse(
            &"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
                .parse()
                .unwrap(),
        )
        .unwrap();
        assert_eq!(
            address.repository_arn(None, &repository),
            "arn:aws-cn:ecr:cn-north-1:123456789012:repository/base/redis"
        );
        assert_eq!(
            Address::public().repository_arn(Some("210987654321"), &"a1b2c3d4/base/redis".parse().unwrap()),
            "arn:aws:ecr-public::210987654321:repository/base/redis"
        );
        assert_eq!(
            Address::in_region("eu-west-1").repository_arn(None, &repository),
            "arn:aws:ecr:eu-west-1:*:repository/base/redis"
        );
    }
}
