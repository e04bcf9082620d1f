//! Which provider a host belongs to.

use std::fmt;

use oci::Host;

/// The providers that a configuration may name.
pub(crate) const PROVIDERS: [&str; 5] = ["ecr", "gar", "acr", "harbor", "generic"];

/// Domains of ECR's registries, by partition.
///
/// A host that is recognised is shown the credentials of its cloud, so that nothing but the vendor's own domains may match.
///
/// <https://github.com/kubernetes/cloud-provider-aws/blob/master/cmd/ecr-credential-provider/main.go>
const ECR_DOMAINS: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// Domains of ECR's registries that answer over IPv6 too.
const ECR_DUAL_STACK_DOMAINS: [&str; 2] = ["on.aws", "on.amazonwebservices.com.cn"];

/// Hosts of ECR Public; the second answers over IPv6 too.
///
/// <https://docs.aws.amazon.com/AmazonECR/latest/public/public-ecr-requests.html>
const ECR_PUBLIC_HOSTS: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];

/// Returns the provider that serves `host`: `ecr`, `gar`, `acr` or `generic`.
#[must_use]
pub fn infer_provider(host: &Host) -> &'static str {
    if is_ecr(host) || is_ecr_public(host) {
        return "ecr";
    }
    let labels: Vec<&str> = host.name().split('.').collect();
    match labels.as_slice() {
        [location, "pkg", "dev"] if is_before(location, "-docker") => "gar",
        ["gcr", "io"] | [_, "gcr", "io"] => "gar",
        [_, "azurecr", "io" | "cn" | "us"] => "acr",
        [_, _, "geo", "azurecr", "io" | "cn" | "us"] => "acr",
        _ => "generic",
    }
}

/// Returns true for the hosts of ECR Public, whose API is another than that of ECR.
#[must_use]
pub fn is_ecr_public(host: &Host) -> bool {
    ECR_PUBLIC_HOSTS.contains(&host.name())
}

/// `ACCOUNT.dkr.ecr.REGION.DOMAIN`, with `ecr-fips` too; `ACCOUNT.dkr-ecr.REGION.DOMAIN` where IPv6 is spoken.
fn is_ecr(host: &Host) -> bool {
    let labels: Vec<&str> = host.name().split('.').collect();
    let (account, domain, domains): (_, _, &[&str]) = match labels.as_slice() {
        [account, "dkr", "ecr" | "ecr-fips", _, domain @ ..] => (account, domain, &ECR_DOMAINS),
        [account, "dkr-ecr" | "dkr-ecr-fips", _, domain @ ..] => (account, domain, &ECR_DUAL_STACK_DOMAINS),
        _ => return false,
    };
    is_account(account) && domains.contains(&domain.join(".").as_str())
}

fn is_account(label: &str) -> bool {
    label.len() == 12 && label.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_before(text: &str, suffix: &str) -> bool {
    text.strip_suffix(suffix).is_some_and(|rest| !rest.is_empty())
}

/// A vendor by its API; ECR has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    Ecr,
    EcrPublic,
    Gar,
    Acr,
    Harbor,
    Generic,
}

impl Vendor {
    /// Returns the vendor of a registry; `provider` is what its connection says, else what its host tells.
    pub(crate) fn of(provider: &str, host: Option<&Host>) -> Self {
        match provider {
            "ecr" if host.is_some_and(is_ecr_public) => Self::EcrPublic,
            "ecr" => Self::Ecr,
            "gar" => Self::Gar,
            "acr" => Self::Acr,
            "harbor" => Self::Harbor,
            _ => Self::Generic,
        }
    }

    /// Returns the provider that a configuration names.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Self::Ecr | Self::EcrPublic => "ecr",
            Self::Gar => "gar",
            Self::Acr => "acr",
            Self::Harbor => "harbor",
            Self::Generic => "generic",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcrPublic => f.write_str("`ecr` (public)"),
            other => write!(f, "`{}`", other.provider()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_their_provider() {
        for (host, provider) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com:443", "ecr"),
            ("123456789012.DKR.ECR.eu-west-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr.us-gov-east-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "ecr"),
            ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "ecr"),
            ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "ecr"),
            ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "ecr"),
            ("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "ecr"),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "ecr"),
            (
                "123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn",
                "ecr",
            ),
            ("public.ecr.aws", "ecr"),
            ("ecr-public.aws.com", "ecr"),
            ("europe-west1-docker.pkg.dev", "gar"),
            ("us-docker.pkg.dev", "gar"),
            ("gcr.io", "gar"),
            ("us.gcr.io", "gar"),
            ("eu.gcr.io", "gar"),
            ("asia.gcr.io", "gar"),
            ("contoso.azurecr.io", "acr"),
            ("contoso-a1b2c3.azurecr.io", "acr"),
            ("contoso.westeurope.geo.azurecr.io", "acr"),
            ("contoso.azurecr.cn", "acr"),
            ("contoso.azurecr.us", "acr"),
            ("contoso.usgovvirginia.geo.azurecr.us", "acr"),
        ] {
            assert_eq!(infer_provider(&host.parse().expect("a host")), provider, "{host}");
        }
    }

    #[test]
    fn a_host_that_only_looks_like_a_vendors_is_none() {
        for host in [
            "docker.io",
            "ghcr.io",
            "localhost:5000",
            "123456789012.dkr.ecr.eu-west-1.example.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.com",
            "123456789012.dkr.ecr.eu-west-1.notamazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.evil.amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "me.dkr.ecr.eu-west-1.amazonaws.com",
            "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr-ecr.eu-west-1.off.aws",
            "123456789012.dkr-ecr.eu-west-1.on.amazonwebservices.com",
            "123456789012.dkr.ecr.eu-west-1.on.aws",
            "x.public.ecr.aws",
            "public.ecr.aws.example.com",
            "europe-west1-npm.pkg.dev",
            "x.pkg.dev",
            "docker.pkg.dev",
            "a.europe-west1-docker.pkg.dev",
            "notgcr.io",
            "a.b.gcr.io",
            "gcr.io.example.com",
            "azurecr.io",
            "evilazurecr.io",
            "contoso.evilazurecr.io",
            "contoso.westeurope.data.azurecr.io",
            "contoso.azurecr.de",
            "contoso.azurecr.io.example.com",
        ] {
            assert_eq!(
                infer_provider(&host.parse().expect("a host")),
                "generic",
                "{host}"
            );
        }
    }
}
