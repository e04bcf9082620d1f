//! Azure Container Registry: native sign-in, repository creation, inventories.
