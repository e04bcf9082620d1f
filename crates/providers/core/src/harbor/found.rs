//! What was found in a repository of Harbor's, until it is a listing.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, Tag};
use planner::{Inventory, Listed, Subject};

use super::artifact::Artifact;
use crate::Listing;

/// What was found in a repository.
#[derive(Debug, Default)]
pub(super) struct Found {
    tags: BTreeMap<Tag, Digest>,
    locked: BTreeSet<Tag>,
    manifests: BTreeMap<Digest, Listed>,
    /// What indexes name: it may be listed, or not.
    children: BTreeSet<Digest>,
    /// Attached manifests that were seen only as that.
    unasked: BTreeSet<Digest>,
    seen: BTreeSet<Digest>,
}

impl Found {
    /// Adds an artifact; what was known of it as an attached one stays.
    pub(super) fn add(&mut self, artifact: &Artifact) {
        let digest = &artifact.digest;
        for tagged in artifact.tags() {
            let Ok(tag) = tagged.name.parse::<Tag>() else {
                continue;
            };
            if tagged.immutable == Some(true) {
                self.locked.insert(tag.clone());
            }
            self.tags.insert(tag, digest.clone());
        }
        let listed = self.manifests.entry(digest.clone()).or_insert(Listed {
            media_type: None,
            subject: Subject::None,
        });
        listed.media_type = artifact.media_type();
        self.children
            .extend(artifact.children().iter().map(|child| child.child_digest.clone()));
        self.attach(artifact);
        self.unasked.remove(digest);
        self.seen.insert(digest.clone());
    }

    fn attach(&mut self, artifact: &Artifact) {
        for accessory in artifact.accessories() {
            let listed = self.manifests.entry(accessory.digest.clone()).or_default();
            listed.subject = if accessory.may_lack_a_subject() {
                Subject::Untold
            } else {
                Subject::Of(artifact.digest.clone())
            };
            if !self.seen.contains(&accessory.digest) {
                self.unasked.insert(accessory.digest.clone());
            }
        }
    }

    /// Returns how many artifacts were added.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Returns an attached manifest of which nothing else is known.
    pub(super) fn next_unasked(&self) -> Option<Digest> {
        self.unasked.first().cloned()
    }

    /// Makes the listing of a repository that has the tags `names`.
    pub(super) fn into_listing(self, names: &[Tag]) -> Listing {
        if let Some(untold) = names.iter().find(|name| !self.tags.contains_key(*name)) {
            let why = format!("Harbor's API does not tell where {untold} stands");
            return Listing::Unavailable(Some(why));
        }
        // What was not asked may carry more, and a Harbor before 2.1 lists no children.
        let is_whole = self.unasked.is_empty() && self.children.iter().all(|child| self.seen.contains(child));
        let inventory = if is_whole {
            Inventory::whole(self.tags, self.manifests)
        } else {
            Inventory::of_tags(self.tags)
        };
        Listing::Inventory(inventory.with_locked(self.locked))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    fn artifact(document: Value) -> Artifact {
        serde_json::from_value(document).unwrap()
    }

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn found(artifacts: &[Value]) -> Found {
        let mut found = Found::default();
        for document in artifacts {
            found.add(&artifact(document.clone()));
        }
        found
    }

    fn inventory(found: Found, names: &[&str]) -> Inventory {
        match found.into_listing(&tags(names)) {
            Listing::Inventory(inventory) => inventory,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_artifact_alone_is_attached_to_nothing() {
        let app = json!({ "digest": digest("app"), "manifest_media_type": "application/vnd.oci.image.index.v1+json",
            "tags": [{ "name": "v1", "immutable": true }, { "name": "v2", "immutable": false }], "accessories": null });
        let inventory = inventory(found(&[app]), &["v1", "v2"]);
        assert_eq!(inventory.tags()[&tags(&["v2"])[0]], digest("app"));
        assert!(inventory.is_locked(&tags(&["v1"])[0]) && !inventory.is_locked(&tags(&["v2"])[0]));
        let listed = &inventory.manifests().unwrap()[&digest("app")];
        assert_eq!(listed.subject, Subject::None);
        assert_eq!(
            listed.media_type.as_ref().unwrap().as_str(),
            "application/vnd.oci.image.index.v1+json"
        );
    }

    #[test]
    fn an_attached_manifest_is_attached_to_what_it_is_listed_under() {
        let app = json!({ "digest": digest("app"), "tags": [{ "name": "v1" }],
            "accessories": [{ "digest": digest("sbom"), "type": "subject.accessory" },
                            { "digest": digest("sig"), "type": "signature.cosign" }] });
        let mut found = found(&[app]);
        assert_eq!(found.unasked, BTreeSet::from([digest("sbom"), digest("sig")]));
        found.add(&artifact(json!({ "digest": digest("sbom"), "accessories": [
            { "digest": digest("nested"), "type": "signature.notation" }] })));
        found.add(&artifact(
            json!({ "digest": digest("sig"), "tags": [{ "name": "sha256-1.sig" }] }),
        ));
        found.add(&artifact(json!({ "digest": digest("nested") })));
        let inventory = inventory(found, &["v1", "sha256-1.sig"]);
        let subject = |name: &str| inventory.manifests().unwrap()[&digest(name)].subject.clone();
        assert_eq!(subject("sbom"), Subject::Of(digest("app")));
        assert_eq!(subject("nested"), Subject::Of(digest("sbom")));
        // Its own words are needed: cosign's tags attach what has no subject.
        assert_eq!(subject("sig"), Subject::Untold);
    }

    #[test]
    fn a_manifest_that_stands_alone_and_attached_is_attached() {
        let app = json!({ "digest": digest("app"), "accessories": [{ "digest": digest("nydus"), "type": "accelerator.nydus" }] });
        let nydus = json!({ "digest": digest("nydus"), "tags": [{ "name": "fast" }] });
        for order in [[app.clone(), nydus.clone()], [nydus, app]] {
            let inventory = inventory(found(&order), &["fast"]);
            assert_eq!(
                inventory.manifests().unwrap()[&digest("nydus")].subject,
                Subject::Of(digest("app"))
            );
        }
    }

    #[test]
    fn what_is_not_told_of_keeps_a_listing_from_being_whole() {
        let app = json!({ "digest": digest("app"), "tags": [{ "name": "v1" }], "accessories": [
            { "digest": digest("sbom"), "type": "subject.accessory" }] });
        assert_eq!(inventory(found(&[app]), &["v1"]).manifests(), None);
        let index = json!({ "digest": digest("index"), "tags": [{ "name": "v1" }], "references": [
            { "child_digest": digest("child") }] });
        assert_eq!(
            inventory(found(std::slice::from_ref(&index)), &["v1"]).manifests(),
            None
        );
        let child = json!({ "digest": digest("child") });
        assert!(inventory(found(&[index, child]), &["v1"]).manifests().is_some());
    }

    #[test]
    fn a_tag_that_no_artifact_has_makes_the_listing_useless() {
        let app = json!({ "digest": digest("app"), "tags": [{ "name": "v1" }] });
        let listing = found(&[app]).into_listing(&tags(&["v1", "sha256-1.sig"]));
        let Listing::Unavailable(Some(why)) = listing else {
            panic!("{listing:?}")
        };
        assert!(why.contains("sha256-1.sig"), "{why}");
    }

    #[test]
    fn artifacts_without_what_matters_are_none() {
        for document in [
            json!({}),
            json!({ "digest": "" }),
            json!({ "digest": "sha256:12" }),
            json!({ "digest": digest("x"), "tags": [{}] }),
            json!({ "digest": digest("x"), "tags": {} }),
            json!({ "digest": digest("x"), "accessories": [{ "type": "subject.accessory" }] }),
            json!({ "digest": digest("x"), "references": [{}] }),
        ] {
            assert!(
                serde_json::from_value::<Artifact>(document.clone()).is_err(),
                "{document}"
            );
        }
    }
}
