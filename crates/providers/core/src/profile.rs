//! What a class of registries can do and how it wants to be talked to, as one piece of data.

use oci::Host;
use planner::config::{Connection, ProfileOverrides, Rated, ReferrersRule, SparseRule, UploadRule};
use planner::{Capabilities, Creation, Listing, MountRule, Quotas, size};
use registry::{Operation, Upload, Wire};

use crate::Class;
use crate::table::{Row, TABLE};

/// The size of parts where nothing else is known, in bytes: ECR takes no part below 5 MiB, and no proxy minds one of this size.
const CHUNK: u64 = 8 << 20;

/// What is known of a registry beforehand, or said by its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The software or service behind it.
    pub class: Class,
    /// What it can do, for plans.
    pub capabilities: Capabilities,
    /// How it wants to be talked to.
    pub wire: Wire,
}

impl Profile {
    /// Returns the built-in profile of a class.
    ///
    /// # Panics
    /// Never: every class has its row.
    #[must_use]
    pub fn of(class: Class) -> Self {
        let row = row(class);
        let wire = Wire {
            upload: row.upload,
            page: row.page,
            rates: row.rates.iter().copied().collect(),
        };
        Self {
            class,
            capabilities: Capabilities {
                mount: row.mount,
                creation: row.creation,
                referrers_api: row.referrers_api,
                sparse_index: row.sparse_index,
                depth: row.depth,
                listing: row.listing,
                family: row.family.map(str::to_owned),
                // Who copies is the user's decision.
                import: None,
                quotas: quotas(&wire),
            },
            wire,
        }
    }

    /// Returns the built-in profile of the registry at `host`; `provider` is what its connection names.
    #[must_use]
    pub fn of_host(host: &Host, provider: Option<&str>) -> Self {
        let mut profile = Self::of(Class::of(host, provider));
        // PROJECT/IMAGE: the repository behind `eu.gcr.io` is called like the host, and each project has one.
        let is_gcr = host.name() == "gcr.io" || host.name().ends_with(".gcr.io");
        if profile.class == Class::Google && is_gcr {
            profile.capabilities.depth = Some(1);
        }
        profile
    }

    /// Returns the profile of the registry at `host`, with what its connection knows better.
    #[must_use]
    pub fn of_connection(host: &Host, connection: &Connection) -> Self {
        let built_in = Self::of_host(host, connection.provider.as_deref());
        let overrides = connection.profile.clone().unwrap_or_default();
        built_in.with(&overrides, connection.server_side_copy)
    }

    /// Replaces what a configuration knows better.
    ///
    /// `server_side_copy` lets a registry import that can, where it is true, and keeps one that mounts from its kin from doing so,
    /// where it is false.
    #[must_use]
    pub fn with(mut self, overrides: &ProfileOverrides, server_side_copy: Option<bool>) -> Self {
        let Self {
            class,
            capabilities,
            wire,
        } = &mut self;
        wire.upload = upload(wire.upload, overrides);
        if let Some(page) = overrides.page {
            wire.page = usize::try_from(page).unwrap_or(usize::MAX).max(1);
        }
        let rates = overrides.rates.iter();
        wire.rates
            .extend(rates.map(|(rated, rate)| (operation(*rated), *rate)));
        capabilities.quotas = quotas(wire);
        capabilities.mount = overrides.mount.unwrap_or(capabilities.mount);
        capabilities.listing = overrides.listing.unwrap_or(capabilities.listing);
        if let Some(referrers) = overrides.referrers {
            capabilities.referrers_api = Some(referrers == ReferrersRule::Api);
        }
        if let Some(sparse) = overrides.sparse_index {
            capabilities.sparse_index = Some(sparse == SparseRule::Accepted);
        }
        match server_side_copy {
            Some(true) => capabilities.import = row(*class).import,
            Some(false) => capabilities.family = None,
            None => {}
        }
        self
    }

    /// Returns what the profile says, as names and texts to be printed side by side.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let Capabilities {
            mount,
            creation,
            referrers_api,
            sparse_index,
            depth,
            listing,
            family,
            import,
            quotas: _, // they are among the rates
        } = &self.capabilities;
        let mut rows = vec![
            ("class", self.class.to_string()),
            ("mount", mount_text(*mount).to_owned()),
            ("creation", creation_text(*creation, *depth)),
            ("referrers", referrers_text(*referrers_api).to_owned()),
            ("sparse index", sparse_text(*sparse_index).to_owned()),
            ("listing", listing_text(*listing).to_owned()),
            ("family", family.clone().unwrap_or_else(|| "none".to_owned())),
            (
                "import",
                import.map_or_else(
                    || "no".to_owned(),
                    |import| format!("up to {} manifests", import.manifests),
                ),
            ),
            ("upload", upload_text(self.wire.upload)),
            ("page", format!("{} tags", self.wire.page)),
        ];
        let rates = self.wire.rates.iter();
        rows.extend(rates.map(|(operation, rate)| (rate_name(*operation), format!("{rate}/s"))));
        rows
    }
}

fn row(class: Class) -> &'static Row {
    TABLE
        .iter()
        .find(|row| row.class == class)
        .expect("every class has its row")
}

/// What plans reckon with is what the client keeps to.
fn quotas(wire: &Wire) -> Quotas {
    let rate = |operation| wire.rates.get(&operation).copied();
    Quotas {
        put_manifest: rate(Operation::PutManifest),
        start_upload: rate(Operation::StartUpload),
        finish_upload: rate(Operation::FinishUpload),
    }
}

fn upload(built_in: Upload, overrides: &ProfileOverrides) -> Upload {
    let sized = overrides.whole_up_to.is_some() || overrides.chunk.is_some();
    let (above, chunk) = match (overrides.upload, built_in) {
        (Some(UploadRule::Whole), _) => return Upload::Whole,
        (None, Upload::Whole) if !sized => return Upload::Whole,
        (_, Upload::Whole) => (None, CHUNK),
        (_, Upload::Chunked { above, chunk }) => (Some(above), chunk),
    };
    let chunk = overrides.chunk.unwrap_or(chunk).max(1);
    Upload::Chunked {
        // What fits in one part needs no parts.
        above: overrides.whole_up_to.or(above).unwrap_or(chunk),
        chunk,
    }
}

fn operation(rated: Rated) -> Operation {
    match rated {
        Rated::ListTags => Operation::ListTags,
        Rated::HeadManifest => Operation::HeadManifest,
        Rated::GetManifest => Operation::GetManifest,
        Rated::PutManifest => Operation::PutManifest,
        Rated::ListReferrers => Operation::ListReferrers,
        Rated::HeadBlob => Operation::HeadBlob,
        Rated::GetBlob => Operation::GetBlob,
        Rated::StartUpload => Operation::StartUpload,
        Rated::SendChunk => Operation::SendChunk,
        Rated::FinishUpload => Operation::FinishUpload,
    }
}

fn rate_name(operation: Operation) -> &'static str {
    match operation {
        Operation::ListTags => "rate of list_tags",
        Operation::HeadManifest => "rate of head_manifest",
        Operation::GetManifest => "rate of get_manifest",
        Operation::PutManifest => "rate of put_manifest",
        Operation::ListReferrers => "rate of list_referrers",
        Operation::HeadBlob => "rate of head_blob",
        Operation::GetBlob => "rate of get_blob",
        Operation::StartUpload => "rate of start_upload",
        Operation::SendChunk => "rate of send_chunk",
        Operation::FinishUpload => "rate of finish_upload",
    }
}

fn mount_text(mount: MountRule) -> &'static str {
    match mount {
        MountRule::Any => "any blob of another repository",
        MountRule::Committed => "blobs that a manifest of the other repository names",
        MountRule::Never => "never",
    }
}

fn creation_text(creation: Creation, depth: Option<usize>) -> String {
    match (creation, depth) {
        (Creation::OnPush, _) => "the first push".to_owned(),
        (Creation::Never, _) => "somebody else".to_owned(),
        (Creation::Call, None) => "a call".to_owned(),
        (Creation::Call, Some(1)) => "a call, by the first segment of the path".to_owned(),
        (Creation::Call, Some(depth)) => format!("a call, by the first {depth} segments of the path"),
    }
}

fn referrers_text(api: Option<bool>) -> &'static str {
    match api {
        Some(true) => "API",
        Some(false) => "fallback tags",
        None => "to be asked",
    }
}

fn sparse_text(taken: Option<bool>) -> &'static str {
    match taken {
        Some(true) => "accepted",
        Some(false) => "refused",
        None => "not known",
    }
}

fn listing_text(listing: Listing) -> &'static str {
    match listing {
        Listing::Tags => "tag by tag",
        Listing::Inventory => "inventory",
    }
}

fn upload_text(upload: Upload) -> String {
    match upload {
        Upload::Whole => "one request".to_owned(),
        Upload::Chunked { above, chunk } => {
            format!(
                "one request up to {}, beyond parts of {}",
                size(above),
                size(chunk)
            )
        }
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
