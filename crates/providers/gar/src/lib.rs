//! Google Artifact Registry: native sign-in, repository creation, inventories.
