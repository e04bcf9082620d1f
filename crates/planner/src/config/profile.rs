//! Reading `profile`: what is known better than what is built in.

use std::collections::BTreeMap;

use super::decode::{Decoder, Fields};
use super::diagnostic::Diagnostic;
use super::node::Node;
use super::overrides::{ProfileOverrides, Rated, ReferrersRule, SparseRule, UploadRule};
use super::provider::Vendor;
use super::rate;
use crate::{Listing, MountRule};

/// Every key of `profile`.
pub(crate) const PROFILE_KEYS: [&str; 9] = [
    "upload",
    "whole_up_to",
    "chunk",
    "page",
    "mount",
    "referrers",
    "sparse_index",
    "listing",
    "rates",
];

pub(crate) const UPLOAD: [(&str, UploadRule); 2] =
    [("whole", UploadRule::Whole), ("chunked", UploadRule::Chunked)];
pub(crate) const MOUNT: [(&str, MountRule); 3] = [
    ("any", MountRule::Any),
    ("committed", MountRule::Committed),
    ("never", MountRule::Never),
];
pub(crate) const REFERRERS: [(&str, ReferrersRule); 2] =
    [("api", ReferrersRule::Api), ("fallback", ReferrersRule::Fallback)];
pub(crate) const SPARSE_INDEX: [(&str, SparseRule); 2] = [
    ("accepted", SparseRule::Accepted),
    ("refused", SparseRule::Refused),
];
pub(crate) const LISTING: [(&str, Listing); 2] = [("inventory", Listing::Inventory), ("tags", Listing::Tags)];
pub(crate) const RATES: [(&str, Rated); 10] = [
    ("list_tags", Rated::ListTags),
    ("head_manifest", Rated::HeadManifest),
    ("get_manifest", Rated::GetManifest),
    ("put_manifest", Rated::PutManifest),
    ("list_referrers", Rated::ListReferrers),
    ("head_blob", Rated::HeadBlob),
    ("get_blob", Rated::GetBlob),
    ("start_upload", Rated::StartUpload),
    ("send_chunk", Rated::SendChunk),
    ("finish_upload", Rated::FinishUpload),
];

/// The most that ECR lists at once; it refuses a larger page instead of cutting it.
///
/// <https://github.com/google/go-containerregistry/issues/681>
const ECR_PAGE: u64 = 1_000;

impl Decoder<'_> {
    /// Reads `profile` of a registry whose vendor is known, unless it can't be.
    pub(crate) fn profile(&mut self, node: &Node, vendor: Option<Vendor>) -> Option<ProfileOverrides> {
        if node.text().is_some() {
            let message = "`profile` says how the registry wants to be talked to, in a map";
            let help = "a profile of the AWS configuration stands under auth: { profile: NAME }";
            self.tell(Diagnostic::new(node.span, message, help));
            return None;
        }
        let fields = self.fields(node, "`profile`", &PROFILE_KEYS)?;
        let profile = ProfileOverrides {
            upload: self.one_of(fields, "upload", &UPLOAD),
            whole_up_to: self.size(fields, "whole_up_to"),
            chunk: self.size(fields, "chunk"),
            page: self.page(fields, vendor),
            mount: self.one_of(fields, "mount", &MOUNT),
            referrers: self.one_of(fields, "referrers", &REFERRERS),
            sparse_index: self.one_of(fields, "sparse_index", &SPARSE_INDEX),
            listing: self.one_of(fields, "listing", &LISTING),
            rates: fields
                .get("rates")
                .map(|node| self.rates(node))
                .unwrap_or_default(),
        };
        if profile.upload == Some(UploadRule::Whole) {
            self.parts_of_a_whole(fields);
        }
        Some(profile)
    }

    fn one_of<T: Copy>(&mut self, fields: Fields<'_>, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.choice(fields.get(key)?, key, choices)
    }

    fn size(&mut self, fields: Fields<'_>, key: &str) -> Option<u64> {
        let node = fields.get(key)?;
        let text = self.value(node, &format!("`{key}`, a size"), &format!("{key}: 4MiB"))?;
        let size = rate::size(&text)
            .map_err(|error| Diagnostic::new(node.span, format!("`{key}` is no size"), error.to_string()));
        self.told(size)
    }

    fn page(&mut self, fields: Fields<'_>, vendor: Option<Vendor>) -> Option<u32> {
        let node = fields.get("page")?;
        let page = self.number(node, "page", 1)?;
        if vendor == Some(Vendor::Ecr) && page > ECR_PAGE {
            let message = format!("ECR lists no more than {ECR_PAGE} tags at once");
            self.tell(Diagnostic::new(node.span, message, "leave `page` out"));
            return None;
        }
        Some(u32::try_from(page).unwrap_or(u32::MAX))
    }

    fn rates(&mut self, node: &Node) -> BTreeMap<Rated, u32> {
        let keys = RATES.map(|(key, _)| key);
        let Some(fields) = self.fields(node, "`rates`", &keys) else {
            return BTreeMap::new();
        };
        let mut rates = BTreeMap::new();
        for (key, rated) in RATES {
            let rate = fields.get(key).and_then(|node| self.number(node, key, 1));
            rates.extend(rate.map(|rate| (rated, u32::try_from(rate).unwrap_or(u32::MAX))));
        }
        rates
    }

    fn parts_of_a_whole(&mut self, fields: Fields<'_>) {
        for entry in ["whole_up_to", "chunk"]
            .iter()
            .filter_map(|key| fields.entry(key))
        {
            let message = format!("`{}` is of no use with `upload: whole`", entry.key);
            let help = "leave it out, or write upload: chunked";
            self.tell(Diagnostic::new(entry.key_span, message, help));
        }
    }
}
