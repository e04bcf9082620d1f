//! What must hold in every registry at any time.

use super::{ModelRepository, World};

impl World {
    /// Returns every manifest that lacks something it names, and every tag that names nothing.
    #[must_use]
    pub fn inconsistencies(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, registry) in &self.registries {
            for (repository, content) in &registry.repositories {
                let lines = content.inconsistencies().into_iter();
                found.extend(lines.map(|line| format!("{name}/{repository}: {line}")));
            }
        }
        found
    }
}

impl ModelRepository {
    fn inconsistencies(&self) -> Vec<String> {
        let manifests = self
            .manifests
            .iter()
            .map(|(digest, manifest)| (digest, self.missing(manifest)))
            .filter(|(_, missing)| !missing.is_empty())
            .map(|(digest, missing)| format!("{digest} lacks {missing:?}"));
        let tags = self
            .tags
            .iter()
            .filter(|(_, digest)| !self.manifests.contains_key(*digest))
            .map(|(tag, digest)| format!("{tag} names {digest}, which is not there"));
        manifests.chain(tags).collect()
    }
}
