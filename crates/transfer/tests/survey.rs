//! Surveying: what is asked, how often, and what a registry that is gone costs.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod support;

use oci::Digest;
use planner::spec::{Check, Endpoint, ForeignLayers, Mirror, OnChange, Pinned, Referrers, Source, Target};
use planner::{Moment, ProblemKind, Side, Spec, Survey};
use registry::ErrorKind;
use transship_transfer::{
    Connections, Event, Events, ManifestCache, Reader, RunOutcome, discover, rehash, survey,
};

use support::fake::{Fake, Trouble};
use support::image::Image;
use support::{connect, place, run};

fn spec(pairs: &[(&str, &str)], tag: Option<&str>) -> Spec {
    let source = |(from, to): &(&str, &str)| Source {
        place: place(from),
        pinned: tag.map(|tag| Pinned {
            tag: Some(tag.parse().unwrap()),
            digest: None,
        }),
        targets: vec![Target {
            place: place(to),
            tag: None,
        }],
    };
    let mirror = Mirror {
        name: "all".to_owned(),
        sources: pairs.iter().map(source).collect(),
        tags: Vec::new(),
        on_change: OnChange::Update,
        check: Check::Blobs,
        referrers: Referrers::All,
        foreign_layers: ForeignLayers::Skip,
        platforms: planner::spec::Platforms::All,
        discoveries: Vec::new(),
        found: Vec::new(),
        problems: Vec::new(),
    };
    let registry = |name: &str| {
        let endpoint = Endpoint::Host(format!("{name}.example").parse().unwrap());
        (
            name.parse().unwrap(),
            planner::spec::Registry {
                endpoint,
                connection: Default::default(),
            },
        )
    };
    Spec {
        registries: ["src", "x"].map(registry).into(),
        mirrors: vec![mirror],
        digest: Digest::sha256(b"spec"),
    }
}

/// Asks everything that a plan depends on.
async fn asked(spec: &Spec, connections: &Connections, reader: &Reader) -> Survey {
    let capabilities = connections.capabilities();
    survey(spec, &capabilities, Moment::default(), reader, &Events::unheard()).await
}

#[tokio::test]
async fn surveyed_planned_and_executed_nothing_is_left_to_do() {
    let (image, src, x) = (Image::new("layer"), Fake::new("src"), Fake::new("x"));
    src.hold("app", "v1", &image);
    src.hold("app", "v2", &image);
    let signature = Image::attached_to("signature", Some(&image.manifest));
    src.hold("app", "other", &signature);
    let spec = spec(&[("src/app", "x/app")], None);
    let connections = connect(&[&src, &x]);
    let (capabilities, reader) = (
        connections.capabilities(),
        connections.reader(ManifestCache::none()),
    );
    let first = asked(&spec, &connections, &reader).await;
    assert_eq!(x.writes() + src.writes(), 0);
    let plan = planner::plan(&spec, &capabilities, &first);
    assert_eq!(plan.summary.tags.create, 3);
    let report = run(&plan, &[&src, &x]).await;
    assert_eq!(report.outcome, RunOutcome::Succeeded, "{:?}", report.failures);
    assert!(x.holds("app", &image));
    let second = asked(&spec, &connections, &reader).await;
    let again = planner::plan(&spec, &capabilities, &second);
    assert!(!again.has_changes(), "{}", again.text());
    let contents = planner::closure(&spec, &capabilities, &second);
    assert_eq!(rehash(&contents, &reader, &Events::unheard()).await, []);
}

#[tokio::test]
async fn a_registry_that_is_gone_is_asked_once_and_not_for_every_repository() {
    let names: Vec<(String, String)> = (0..100)
        .map(|index| (format!("src/app{index}"), format!("x/app{index}")))
        .collect();
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.trouble("", usize::MAX, Trouble::Unreachable);
    let spec = spec(&pairs, None);
    let connections = connect(&[&src, &x]);
    let capabilities = connections.capabilities();
    let survey = asked(&spec, &connections, &connections.reader(ManifestCache::none())).await;
    assert!(src.log().len() <= 16, "{}", src.log().len());
    let plan = planner::plan(&spec, &capabilities, &survey);
    assert_eq!(plan.blocked.len(), 1);
    let problem = &plan.blocked[0];
    assert_eq!((problem.registry.as_str(), &problem.repository), ("src", &None));
    assert_eq!((problem.side, problem.kind), (Side::Source, ProblemKind::Network));
    assert_eq!(problem.error, "registry src can't be reached: connection refused");
}

/// What is asked of one repository comes in rounds of one question.
#[tokio::test]
async fn failures_in_a_row_are_counted_across_rounds() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    for index in 0..40 {
        src.hold("app", &format!("v{index}"), &Image::new(format!("layer {index}")));
    }
    src.trouble("GET referrers", usize::MAX, Trouble::Error(ErrorKind::Network));
    let spec = spec(&[("src/app", "x/app")], None);
    let connections = connect(&[&src, &x]);
    let capabilities = connections.capabilities();
    let survey = asked(&spec, &connections, &connections.reader(ManifestCache::none())).await;
    assert!(src.count("GET referrers") <= 16, "{}", src.count("GET referrers"));
    let plan = planner::plan(&spec, &capabilities, &survey);
    assert_eq!((plan.blocked.len(), plan.summary.tags.blocked), (1, 40));
}

#[tokio::test]
async fn a_refusal_blocks_only_what_it_concerns() {
    let (image, src, x) = (Image::new("layer"), Fake::new("src"), Fake::new("x"));
    src.hold("one", "v1", &image);
    src.hold("two", "v1", &image);
    src.trouble("GET tags one", 1, Trouble::Error(ErrorKind::Permission));
    let spec = spec(&[("src/one", "x/one"), ("src/two", "x/two")], None);
    let connections = connect(&[&src, &x]);
    let capabilities = connections.capabilities();
    let (events, mut heard) = Events::channel();
    let survey = survey(
        &spec,
        &capabilities,
        Moment::default(),
        &connections.reader(ManifestCache::none()),
        &events,
    )
    .await;
    let plan = planner::plan(&spec, &capabilities, &survey);
    assert_eq!((plan.blocked.len(), plan.summary.tags.create), (1, 1));
    assert_eq!(plan.blocked[0].repository.as_ref().unwrap().as_str(), "one");
    assert_eq!(plan.blocked[0].kind, ProblemKind::Permission);
    let mut unknown = 0;
    while let Ok(event) = heard.try_recv() {
        unknown += usize::from(matches!(event, Event::Answered { known: false, .. }));
    }
    assert_eq!(unknown, 1);
}

#[tokio::test]
async fn a_problem_with_a_tag_names_it() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.hold("app", "v1", &Image::new("layer"));
    src.trouble("manifest v1", 9, Trouble::Error(ErrorKind::Auth));
    let spec = spec(&[("src/app", "x/app")], Some("v1"));
    let connections = connect(&[&src, &x]);
    let capabilities = connections.capabilities();
    let survey = asked(&spec, &connections, &connections.reader(ManifestCache::none())).await;
    let plan = planner::plan(&spec, &capabilities, &survey);
    assert_eq!(plan.blocked[0].tag.as_ref().unwrap().as_str(), "v1");
    assert_eq!(plan.blocked[0].kind, ProblemKind::Auth);
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_found_by_reading_it_back() {
    let (image, x) = (Image::new("layer"), Fake::new("x"));
    x.hold_manifest("app", "v1", &image.manifest);
    let spec = spec(&[("src/app", "x/app")], None);
    let src = Fake::new("src");
    src.hold("app", "v1", &image);
    let connections = connect(&[&src, &x]);
    let (capabilities, reader) = (
        connections.capabilities(),
        connections.reader(ManifestCache::none()),
    );
    let survey = asked(&spec, &connections, &reader).await;
    let contents = planner::closure(&spec, &capabilities, &survey);
    let problems = rehash(&contents, &reader, &Events::unheard()).await;
    assert_eq!(problems.len(), 2, "both blobs are missing");
    assert!(
        problems
            .iter()
            .all(|problem| problem.side == Side::Target && problem.kind == ProblemKind::NotFound)
    );
}

const GLOBS: &str = r#"
version: 1
registries: { src: { host: src.example }, x: { host: x.example } }
mirrors:
  - { from: { registry: src, repositories: ["team/*"] }, to: ["x/{repository}"] }
  - { from: { registry: src, repositories: ["gone/**"] }, to: ["x/{repository}"] }
"#;

#[tokio::test]
async fn repositories_are_found_by_globs_and_a_glob_that_finds_nothing_is_told() {
    let (image, src, x) = (Image::new("layer"), Fake::new("src"), Fake::new("x"));
    for repository in ["team/app", "team/api", "team/deep/app", "other"] {
        src.hold(repository, "v1", &image);
    }
    let input = planner::config::Input {
        name: "transship.yaml",
        text: GLOBS,
        environment: &|_| None,
    };
    let spec = planner::config::parse(&input).unwrap();
    let connections = connect(&[&src, &x]);
    let (capabilities, reader) = (
        connections.capabilities(),
        connections.reader(ManifestCache::none()),
    );
    let spec = discover(&spec, &reader).await;
    let survey = asked(&spec, &connections, &reader).await;
    let plan = planner::plan(&spec, &capabilities, &survey);
    let blocked: Vec<String> = plan.blocked.iter().map(|problem| problem.error.clone()).collect();
    assert_eq!(blocked.len(), 1);
    assert!(blocked[0].contains("`gone/**`"), "{blocked:?}");
    let report = run(&plan, &[&src, &x]).await;
    let mut written: Vec<String> = report
        .changes
        .iter()
        .map(|change| change.repository.to_string())
        .collect();
    written.sort();
    assert_eq!(written, ["team/api", "team/app"]);
}

#[tokio::test]
async fn a_registry_that_can_not_be_listed_blocks_what_would_be_found_there() {
    let x = Fake::new("x");
    let input = planner::config::Input {
        name: "transship.yaml",
        text: GLOBS,
        environment: &|_| None,
    };
    let spec = planner::config::parse(&input).unwrap();
    let connections = connect(&[&x]);
    let (capabilities, reader) = (
        connections.capabilities(),
        connections.reader(ManifestCache::none()),
    );
    let spec = discover(&spec, &reader).await;
    let survey = asked(&spec, &connections, &reader).await;
    let plan = planner::plan(&spec, &capabilities, &survey);
    assert!(plan.ops.is_empty());
    assert!(
        plan.blocked
            .iter()
            .any(|problem| problem.error == "it does not list its repositories")
    );
}

const YOUNG: &str = r#"
version: 1
registries: { src: { host: src.example }, x: { host: x.example } }
mirrors:
  - { from: src/app, to: x/app, tags: { created_within: 90d } }
"#;

/// Surveys `src` for what is young on the first of March 2024.
async fn young(src: &Fake, x: &Fake, cache: ManifestCache) -> planner::Plan {
    let input = planner::config::Input {
        name: "transship.yaml",
        text: YOUNG,
        environment: &|_| None,
    };
    let spec = planner::config::parse(&input).unwrap();
    let connections = connect(&[src, x]);
    let (capabilities, reader) = (connections.capabilities(), connections.reader(cache));
    let now = "2024-03-01T00:00:00Z".parse().unwrap();
    let survey = survey(&spec, &capabilities, now, &reader, &Events::unheard()).await;
    planner::plan(&spec, &capabilities, &survey)
}

#[tokio::test]
async fn what_tells_how_old_images_are_is_read_once_and_kept() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.hold("app", "new", &Image::created("new", "2024-02-01T00:00:00Z"));
    src.hold("app", "old", &Image::created("old", "2020-02-01T00:00:00Z"));
    let directory = tempfile::tempdir().unwrap();
    let cache = ManifestCache::at(directory.path().to_owned());
    let plan = young(&src, &x, cache.clone()).await;
    assert_eq!((plan.summary.tags.create, plan.blocked.len()), (1, 0));
    assert_eq!(
        (src.count("GET blob"), src.count("GET manifest")),
        (2, 2),
        "{:?}",
        src.log()
    );
    src.forget_log();
    assert_eq!(young(&src, &x, cache).await, plan);
    assert_eq!(
        (src.count("GET blob"), src.count("GET manifest")),
        (0, 0),
        "{:?}",
        src.log()
    );
}

#[tokio::test]
async fn a_config_that_can_not_be_read_blocks_its_tag_alone() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    let lost = Image::created("lost", "2024-02-01T00:00:00Z");
    src.hold("app", "lost", &lost);
    src.hold("app", "new", &Image::created("new", "2024-01-01T00:00:00Z"));
    let config = Digest::sha256(&lost.blobs[0]);
    let trouble = Trouble::Error(ErrorKind::Integrity);
    src.trouble(&format!("GET blob {config}"), usize::MAX, trouble);
    let plan = young(&src, &x, ManifestCache::none()).await;
    assert_eq!(plan.summary.tags.create, 1);
    assert_eq!(plan.blocked.len(), 1);
    let problem = &plan.blocked[0];
    assert_eq!(problem.tag.as_ref().map(oci::Tag::as_str), Some("lost"));
    assert_eq!(
        (problem.kind, problem.side),
        (ProblemKind::Integrity, Side::Source)
    );
}
