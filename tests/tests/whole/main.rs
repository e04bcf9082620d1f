//! The whole: the binary against real registries, and the shape of the workspace.
//!
//! One binary, so that everything is linked once.

mod acr_expiry;
mod acr_imports;
mod acr_inventory;
mod acr_layers;
mod acr_locks;
mod acr_sign_in;
mod acr_site;
mod architecture;
mod attachments;
mod big_blob;
mod broken_configurations;
mod commands;
mod copying;
mod counts;
mod delete;
mod demo;
mod documentation;
mod ecr;
mod ecr_inventory;
mod ecr_push;
mod ecr_refusals;
mod ecr_settings;
mod ecr_signing_in;
mod embedded;
mod faults;
mod gar;
mod gar_identities;
mod gar_inventory;
mod gar_mounts;
mod gar_refusals;
mod gar_repositories;
mod gar_uploads;
mod inspect;
mod layouts;
mod login;
mod probe;
mod real_registries;
mod references;
mod report;
mod selection;
mod signals;
mod signing_in;
mod site;
mod staleness;
