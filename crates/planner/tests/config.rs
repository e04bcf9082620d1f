//! Configurations: what they mean, and what is said about broken ones.

#[path = "config/broken.rs"]
mod broken;
#[path = "config/broken_places.rs"]
mod broken_places;
#[path = "config/broken_yaml.rs"]
mod broken_yaml;
#[path = "config/choosing.rs"]
mod choosing;
#[path = "config/copying.rs"]
mod copying;
#[path = "config/discovering.rs"]
mod discovering;
#[path = "config/hiding.rs"]
mod hiding;
#[path = "config/meaning.rs"]
mod meaning;
#[path = "config/narrowing.rs"]
mod narrowing;
#[path = "config/selecting.rs"]
mod selecting;
#[path = "config/settings.rs"]
mod settings;
#[path = "config/unfinished.rs"]
mod unfinished;

use transship_planner::Spec;
use transship_planner::config::{self, Diagnostics, Input};

fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("quay.io".to_owned()),
        "YES" => Some("true".to_owned()),
        "EIGHT" => Some("8".to_owned()),
        _ => None,
    }
}

fn input(text: &str) -> Input<'_> {
    Input {
        name: "transship.yaml",
        text,
        environment: &environment,
    }
}

#[track_caller]
fn good(text: &str) -> Spec {
    config::parse(&input(text)).unwrap_or_else(|problems| panic!("{problems}"))
}

#[track_caller]
fn bad(text: &str) -> Diagnostics {
    config::parse(&input(text)).expect_err("the configuration is broken")
}

/// Writes a specification as lines: the registries, then per source its targets.
fn lines(spec: &Spec) -> String {
    let mut lines = Vec::new();
    for (name, registry) in &spec.registries {
        lines.push(format!("{name} = {:?}", registry.endpoint));
    }
    for mirror in &spec.mirrors {
        lines.push(format!("[{}]", mirror.name));
        for source in &mirror.sources {
            let pinned = source.pinned.as_ref().map_or_else(String::new, |pinned| {
                let tag = pinned
                    .tag
                    .as_ref()
                    .map_or_else(String::new, |tag| format!(":{tag}"));
                let digest = pinned
                    .digest
                    .as_ref()
                    .map_or_else(String::new, |digest| format!("@{}", digest.short()));
                tag + &digest
            });
            for target in &source.targets {
                let tag = target
                    .tag
                    .as_ref()
                    .map_or_else(String::new, |tag| format!(":{tag}"));
                lines.push(format!("{}{pinned} -> {}{tag}", source.place, target.place));
            }
        }
    }
    lines.join("\n")
}
