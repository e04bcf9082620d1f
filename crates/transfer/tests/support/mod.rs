//! Registries in memory that fail on command, and plans made by hand.

#![expect(dead_code, unreachable_pub, reason = "every test binary uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

pub mod fake;
pub mod image;
pub mod plans;

use std::collections::BTreeMap;
use std::sync::Arc;

use planner::{Place, Plan};
use transship_transfer::{Connected, Connections, Event, Events, ExecuteOptions, Report, Stop, execute};

use fake::{Fake, FakeProvider};

/// Reads `registry/repository`.
pub fn place(text: &str) -> Place {
    let (registry, repository) = text.split_once('/').unwrap();
    Place {
        registry: registry.parse().unwrap(),
        repository: repository.parse().unwrap(),
    }
}

/// Connects fakes by their names.
pub fn connect(fakes: &[&Fake]) -> Connections {
    connect_narrowly(fakes, &[])
}

/// Connects fakes by their names; some of them may be asked only so much at once.
pub fn connect_narrowly(fakes: &[&Fake], narrow: &[(&str, usize)]) -> Connections {
    let width = |name: &str| narrow.iter().find(|(narrow, _)| *narrow == name);
    let connected = |fake: &&Fake| {
        let provider = Arc::new(FakeProvider::new((*fake).clone()));
        let connected = Connected {
            registry: Arc::new((*fake).clone()),
            provider,
            concurrency: width(fake.name()).map_or(16, |(_, width)| *width),
            host: None,
            layout: None,
            settings: None,
        };
        (fake.name().parse().unwrap(), connected)
    };
    Connections::new(fakes.iter().map(connected).collect::<BTreeMap<_, _>>())
}

/// Executes a plan to its end.
pub async fn run(plan: &Plan, fakes: &[&Fake]) -> Report {
    run_heard(plan, fakes).await.0
}

/// Executes a plan to its end, and returns what was said on the way.
pub async fn run_heard(plan: &Plan, fakes: &[&Fake]) -> (Report, Vec<Event>) {
    run_over(plan, &connect(fakes)).await
}

/// Executes a plan over connections of the caller's.
pub async fn run_over(plan: &Plan, connections: &Connections) -> (Report, Vec<Event>) {
    let (events, mut heard) = Events::channel();
    let options = ExecuteOptions::default();
    let report = execute(plan, connections, &options, &events, Stop::never()).await;
    drop(events);
    let mut list = Vec::new();
    while let Ok(event) = heard.try_recv() {
        list.push(event);
    }
    (report, list)
}
