//! What Amazon's clients read from their environment.

/// An environment that leads every service to `url`, with keys that a double takes and Amazon does not.
pub(crate) fn environment(url: &str) -> [(&'static str, &str); 6] {
    [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_REGION", "eu-west-1"),
        // The older name of the same, the one that boto3 reads.
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}
