//! Which blobs stand in a repository.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::{Layer, LayerAvailability};
use oci::{Digest, RepositoryName};
use registry::{Error, ErrorKind};

use super::Private;
use crate::action::Action;

/// The most blobs that the API takes at once.
const GROUP: usize = 100;

impl Private {
    /// Asks for many blobs at once.
    ///
    /// A blob that is archived with its images counts as absent: nobody can pull or mount it.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html>
    pub(crate) async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        let mut found = BTreeSet::new();
        for group in blobs.chunks(GROUP) {
            let output = self
                .client()
                .await
                .batch_check_layer_availability()
                .set_registry_id(self.registry_id())
                .repository_name(repository.as_str())
                .set_layer_digests(Some(group.iter().map(Digest::to_string).collect()))
                .send()
                .await
                .map_err(|error| self.failure(Action::BatchCheckLayerAvailability, Some(repository), &error));
            match output {
                Ok(output) => found.extend(output.layers().iter().filter_map(available)),
                // What does not exist holds nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(BTreeSet::new())),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(found))
    }
}

fn available(layer: &Layer) -> Option<Digest> {
    let stands = layer.layer_availability() == Some(&LayerAvailability::Available);
    layer.layer_digest().filter(|_| stands)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_pulled_stands_there() {
        let digest = Digest::sha256(b"x");
        let layer = |availability: Option<LayerAvailability>| {
            Layer::builder()
                .layer_digest(digest.to_string())
                .set_layer_availability(availability)
                .build()
        };
        assert_eq!(
            available(&layer(Some(LayerAvailability::Available))),
            Some(digest.clone())
        );
        assert_eq!(available(&layer(Some(LayerAvailability::Unavailable))), None);
        assert_eq!(available(&layer(Some(LayerAvailability::Archived))), None);
        assert_eq!(available(&layer(None)), None);
    }
}
