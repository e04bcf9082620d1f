//! Amazon ECR: native sign-in, repository creation, inventories.
