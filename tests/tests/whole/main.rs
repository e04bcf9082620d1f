//! The whole: the binary against real registries, and the shape of the workspace.
//!
//! One binary, so that everything is linked once.

mod architecture;
mod attachments;
mod big_blob;
mod broken_configurations;
mod commands;
mod copying;
mod counts;
mod delete;
mod demo;
mod embedded;
mod faults;
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
