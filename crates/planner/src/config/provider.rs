//! Which provider a host belongs to.

use oci::Host;

/// The providers that a configuration may name.
pub(crate) const PROVIDERS: [&str; 4] = ["ecr", "gar", "acr", "generic"];

/// Returns the provider that serves `host`: `ecr`, `gar`, `acr` or `generic`.
#[must_use]
pub fn infer_provider(host: &Host) -> &'static str {
    let name = host.name();
    let labels: Vec<&str> = name.split('.').collect();
    match labels.as_slice() {
        ["public", "ecr", "aws"] | [_, "dkr", "ecr" | "ecr-fips", _, _, ..] => "ecr",
        [
            _,
            "dkr-ecr" | "dkr-ecr-fips",
            _,
            "on",
            "aws" | "amazonwebservices",
            ..,
        ] => "ecr",
        [location, "pkg", "dev"] if location.ends_with("-docker") => "gar",
        ["gcr", "io"] | [_, "gcr", "io"] => "gar",
        [.., _, "azurecr", "io" | "cn" | "us"] => "acr",
        _ => "generic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_their_provider() {
        for (host, provider) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "ecr"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr"),
            ("public.ecr.aws", "ecr"),
            ("europe-west1-docker.pkg.dev", "gar"),
            ("europe-west1-npm.pkg.dev", "generic"),
            ("gcr.io", "gar"),
            ("eu.gcr.io", "gar"),
            ("contoso.azurecr.io", "acr"),
            ("contoso.westeurope.geo.azurecr.io", "acr"),
            ("contoso.azurecr.cn", "acr"),
            ("azurecr.io", "generic"),
            ("docker.io", "generic"),
            ("localhost:5000", "generic"),
        ] {
            assert_eq!(infer_provider(&host.parse().expect("a host")), provider, "{host}");
        }
    }
}
