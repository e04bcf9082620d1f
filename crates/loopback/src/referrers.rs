//! What refers to a manifest.

use http::header::{HeaderName, HeaderValue};
use oci::{Descriptor, RepositoryName};
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::page::{Page, linked};
use crate::service::{Answer, Call, Service, digest, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Lists the manifests of a repository whose subject is this digest. A repository that is not there has none.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>
pub(crate) async fn list(
    service: &Service,
    call: &Call,
    repository: RepositoryName,
    subject: &str,
) -> Answer {
    if !service.options.referrers_api {
        return Err(Failure::new(
            Code::NameUnknown,
            "this registry has no referrers API",
        ));
    }
    let subject = digest(subject)?;
    let page = Page::of(call, service.options.page_size)?;
    let mut referrers = service
        .storage
        .call(move |store| store.referrers(&repository, &subject))
        .await?;
    // A plus sign that a client did not escape reads as a space, which no media type has.
    let wanted = call
        .parameter("artifactType")
        .map(|wanted| wanted.replace(' ', "+"));
    if let Some(wanted) = &wanted {
        referrers.retain(|referrer| referrer.artifact_type.as_ref() == Some(wanted));
    }
    let cut = page.cut(referrers, |referrer: &Descriptor| referrer.digest.to_string());
    let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": cut.entries });
    let mut response = linked(json(INDEX, &body), page.link(&cut, call, Some("artifactType")));
    if wanted.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        response
            .headers_mut()
            .insert(HeaderName::from_static("oci-filters-applied"), applied);
    }
    Ok(response)
}
