//! Every blob is read once, sent once per registry, mounted elsewhere, and never sent where it already is.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, RepositoryName};
use testkit::image::Content;

use crate::site::{self, End, Site, assert_holds, named_blobs, once};

fn needed(family: &[(&'static str, Content)]) -> BTreeSet<Digest> {
    family
        .iter()
        .flat_map(|(_, content)| named_blobs(content))
        .collect()
}

/// Returns every repository of a target with every blob it needs.
fn pairs(family: &[(&'static str, Content)]) -> BTreeSet<(RepositoryName, Digest)> {
    let mut pairs = BTreeSet::new();
    for (name, content) in family {
        let repository: RepositoryName = name
            .replace("team/", "mirror/")
            .parse()
            .expect("it is a repository");
        pairs.extend(
            named_blobs(content)
                .into_iter()
                .map(|digest| (repository.clone(), digest)),
        );
    }
    pairs
}

/// Returns what was mounted, by repository and digest.
fn mounted(end: &End) -> BTreeMap<(RepositoryName, Digest), usize> {
    let mut counts = BTreeMap::new();
    for mount in end.proxy.exchanges().mounts() {
        assert_eq!(mount.status, 201, "{} declined {mount:?}", end.name);
        *counts.entry((mount.repository, mount.digest)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_blob_is_read_once_sent_once_per_registry_and_mounted_elsewhere() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(3, &repositories).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;

    assert_eq!(site.source.proxy.exchanges().blob_reads(), once(needed(&family)));
    assert!(site.source.proxy.exchanges().mutating().is_empty());
    for target in &site.targets {
        let exchanges = target.proxy.exchanges();
        assert_eq!(
            exchanges.blob_sends_to_registry(),
            once(needed(&family)),
            "{}",
            target.name
        );
        let sent: BTreeSet<_> = exchanges.blob_sends().into_keys().collect();
        let elsewhere = pairs(&family)
            .difference(&sent)
            .cloned()
            .map(|pair| (pair, 1))
            .collect();
        assert_eq!(mounted(target), elsewhere, "{}", target.name);
        assert!(exchanges.blob_reads().is_empty(), "{}", target.name);
        for (repository, content) in &family {
            assert_holds(target, &repository.replace("team/", "mirror/"), content).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_a_surveyed_repository_of_the_registry_holds_is_mounted_and_never_sent() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    let base = &family[0].1;
    let alpha = site.target("alpha");
    alpha.direct().push("mirror/base", base).await;
    site.plan(0).await;
    site.apply(0).await;

    let missing: BTreeSet<Digest> = needed(&family).difference(&named_blobs(base)).cloned().collect();
    let exchanges = alpha.proxy.exchanges();
    assert_eq!(exchanges.blob_sends_to_registry(), once(missing));
    let into_app: BTreeSet<Digest> = exchanges
        .mounts()
        .into_iter()
        .filter(|mount| mount.repository.as_str() == "mirror/app" && mount.status == 201)
        .map(|mount| mount.digest)
        .collect();
    let shared: BTreeSet<Digest> = named_blobs(base)
        .intersection(&named_blobs(&family[1].1))
        .cloned()
        .collect();
    assert_eq!(shared.len(), 2);
    assert!(shared.is_subset(&into_app), "{into_app:?}");
    let beta = site.target("beta").proxy.exchanges();
    assert_eq!(beta.blob_sends_to_registry(), once(needed(&family)));
    assert_eq!(site.source.proxy.exchanges().blob_reads(), once(needed(&family)));
    assert_holds(alpha, "mirror/app", &family[1].1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_every_target_holds_is_not_read_at_all() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    let base = &family[0].1;
    for target in &site.targets {
        target.direct().push("mirror/base", base).await;
    }
    site.plan(0).await;
    site.apply(0).await;
    let missing: BTreeSet<Digest> = needed(&family).difference(&named_blobs(base)).cloned().collect();
    assert_eq!(site.source.proxy.exchanges().blob_reads(), once(missing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_the_same_plan_again_changes_nothing() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;
    site.forget();
    let report = site.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["tags"]["written"], 0);
    for target in &site.targets {
        let exchanges = target.proxy.exchanges();
        assert_eq!(
            exchanges.mutating(),
            Vec::<&testkit::exchange::Exchange>::new(),
            "{}",
            target.name
        );
        assert!(!exchanges.0.is_empty(), "{} was asked", target.name);
    }
    assert!(site.source.proxy.exchanges().blob_reads().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_summary_and_the_report_count_what_the_proxies_counted() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    let plan = site.plan(0).await;
    site.forget();
    let report = site.apply(0).await;
    let blobs: BTreeMap<Digest, u64> = family
        .iter()
        .flat_map(|(_, content)| content.blobs.iter())
        .map(|(digest, bytes)| (digest.clone(), bytes.len() as u64))
        .filter(|(digest, _)| needed(&family).contains(digest))
        .collect();
    let bytes: u64 = blobs.values().sum();
    let summary = &plan["summary"];
    assert_eq!(summary["bytes"]["read"], bytes);
    assert_eq!(summary["bytes"]["upload"], bytes * 2);
    assert_eq!(summary["blobs"]["upload"], blobs.len() * 2);
    assert_eq!(
        summary["blobs"]["mount"],
        (pairs(&family).len() - blobs.len()) * 2
    );
    assert_eq!(report["ops"]["mounted"], summary["blobs"]["mount"]);
    for target in &site.targets {
        assert_eq!(target.proxy.exchanges().blob_bytes_sent(), bytes);
        assert_eq!(
            report["bytes"]["written"][target.name], bytes,
            "{}",
            report["bytes"]
        );
    }
    assert_eq!(report["bytes"]["read"]["origin"], bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_posted_or_put_before_a_head_has_said_that_it_is_missing() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(1, &repositories).await else {
        return;
    };
    site.plan(0).await;
    site.forget();
    site.apply(0).await;
    let exchanges = site.targets[0].proxy.exchanges();
    let mut missing = BTreeSet::new();
    for exchange in &exchanges.0 {
        if exchange.method.as_str() == "HEAD" && exchange.status == 404 {
            missing.insert(exchange.path.clone());
        }
        let puts_manifest = exchange.method.as_str() == "PUT" && exchange.path.contains("/manifests/");
        if puts_manifest {
            assert!(missing.contains(&exchange.path), "{} came unasked", exchange.path);
        }
        if let (Some(digest), Some(repository)) = (exchange.parameter("digest"), exchange.repository()) {
            let path = format!("/v2/{repository}/blobs/{digest}");
            assert!(missing.contains(&path), "{path} came unasked");
        }
    }
    assert!(missing.len() > 10);
}
