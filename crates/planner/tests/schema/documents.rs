//! Documents that are valid, with any of the keys.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A key: it is always there, or by chance.
type Key = (&'static str, Presence, BoxedStrategy<Value>);

#[derive(Clone, Copy)]
enum Presence {
    Required,
    Optional,
}

fn must(key: &'static str, value: impl Strategy<Value = Value> + 'static) -> Key {
    (key, Presence::Required, value.boxed())
}

fn may(key: &'static str, value: impl Strategy<Value = Value> + 'static) -> Key {
    (key, Presence::Optional, value.boxed())
}

fn map(keys: Vec<Key>) -> BoxedStrategy<Value> {
    let entries: Vec<BoxedStrategy<Option<(String, Value)>>> = keys
        .into_iter()
        .map(|(key, presence, value)| {
            let entry = value.prop_map(move |value| (key.to_owned(), value));
            match presence {
                Presence::Required => entry.prop_map(Some).boxed(),
                Presence::Optional => prop::option::weighted(0.3, entry).boxed(),
            }
        })
        .collect();
    entries
        .prop_map(|entries| Value::Object(entries.into_iter().flatten().collect::<Map<_, _>>()))
        .boxed()
}

fn one(values: &[Value]) -> BoxedStrategy<Value> {
    prop::sample::select(values.to_vec()).boxed()
}

fn words(words: &[&str]) -> BoxedStrategy<Value> {
    let words: Vec<Value> = words.iter().map(|&word| word.into()).collect();
    one(&[words, vec!["${WORD}".into()]].concat())
}

fn text() -> BoxedStrategy<Value> {
    one(&[
        json!("some text"),
        json!("${TEXT}"),
        json!(7),
        json!(1.5),
        json!(true),
    ])
}

fn truth() -> BoxedStrategy<Value> {
    one(&[json!(true), json!(false), json!("${TRUTH}")])
}

fn count() -> BoxedStrategy<Value> {
    one(&[json!(1), json!(3), json!(4_000_000_000_u64), json!("${COUNT:-3}")])
}

fn one_or_more(items: &[Value]) -> BoxedStrategy<Value> {
    let several = prop::sample::subsequence(items.to_vec(), 1..=items.len()).prop_map(Value::Array);
    prop_oneof![one(items), several].boxed()
}

fn secret() -> BoxedStrategy<Value> {
    one(&[
        json!({ "env": "PASSWORD" }),
        json!({ "file": "secrets/site" }),
        json!({ "env": 7 }),
    ])
}

fn size() -> BoxedStrategy<Value> {
    one(&[json!("4MiB"), json!("16 MB"), json!("1B"), json!("${SIZE}")])
}

fn tls() -> BoxedStrategy<Value> {
    one(&[
        json!({}),
        json!({ "ca": "certs/ca.pem" }),
        json!({ "ca": 7, "client_cert": "c.pem", "client_key": "k.pem" }),
    ])
}

fn limits() -> BoxedStrategy<Value> {
    let rate = one(&[json!("20MiB/s"), json!("1B/s"), json!("5 kB/s"), json!("${RATE}")]);
    map(vec![
        may("concurrency", count()),
        may("requests_per_second", count()),
        may("bandwidth", rate),
    ])
}

/// Who signs in at a registry that is no cloud's.
fn auth() -> BoxedStrategy<Value> {
    let beside = || vec![may("realm", text()), may("endpoint", text())];
    let way = |keys: Vec<Key>| map([keys, beside()].concat_keys());
    prop_oneof![
        Just(json!("anonymous")),
        way(vec![must("anonymous", truth())]),
        way(vec![must("username", text()), must("password", secret())]),
        way(vec![must("token", secret())]),
        way(vec![must("helper", text())]),
        way(vec![must("docker_config", text())]),
        way(vec![]),
    ]
    .boxed()
}

trait ConcatKeys {
    fn concat_keys(self) -> Vec<Key>;
}

impl<const N: usize> ConcatKeys for [Vec<Key>; N] {
    fn concat_keys(self) -> Vec<Key> {
        self.into_iter().flatten().collect()
    }
}

fn profile() -> BoxedStrategy<Value> {
    let rates = [
        "list_tags",
        "head_manifest",
        "get_manifest",
        "put_manifest",
        "list_referrers",
        "head_blob",
        "get_blob",
        "start_upload",
        "send_chunk",
        "finish_upload",
    ]
    .map(|key| may(key, count()));
    let rest = || {
        vec![
            may("page", one(&[json!(100), json!("${PAGE}")])),
            may("mount", words(&["any", "committed", "never"])),
            may("referrers", words(&["api", "fallback"])),
            may("listing", words(&["inventory", "tags"])),
        ]
    };
    let parts = vec![
        may("upload", Just(json!("chunked"))),
        may("whole_up_to", size()),
        may("chunk", size()),
        may("rates", map(rates.into())),
    ];
    prop_oneof![
        map([vec![must("upload", Just(json!("whole")))], rest()].concat_keys()),
        map([parts, rest()].concat_keys()),
    ]
    .boxed()
}

fn registry(provider: &'static str, host: &'static str, own: Vec<Key>) -> BoxedStrategy<Value> {
    let keys = vec![
        must("host", Just(json!(host))),
        must("provider", Just(json!(provider))),
        may("plain_http", truth()),
        may("insecure_skip_verify", truth()),
        may("tls", tls()),
        may("limits", limits()),
        may("profile", profile()),
    ];
    map([keys, own].concat_keys())
}

fn policy() -> BoxedStrategy<Value> {
    let selection = json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 });
    let rule = json!({ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } });
    Just(json!({ "rules": [rule] })).boxed()
}

fn ecr() -> BoxedStrategy<Value> {
    let auth = map(vec![
        may("profile", text()),
        must("role_arn", text()),
        may("external_id", text()),
        may("region", text()),
        may("endpoint", text()),
    ]);
    let tags = one(&[json!({}), json!({ "team": "base", "cost": 7 })]);
    let creation = map(vec![
        may("on_drift", words(&["keep", "update"])),
        must("tag_mutability", words(&["mutable", "immutable"])),
        may(
            "mutability_exclusions",
            one(&[json!(["latest*"]), json!(["dev", 7, "${TAG}"])]),
        ),
        may("scan_on_push", truth()),
        must("encryption", words(&["kms", "kms_dsse"])),
        may("kms_key", text()),
        may("tags", tags),
        may("lifecycle_policy", policy()),
        may("repository_policy", policy()),
    ]);
    let own = vec![
        may("auth", auth),
        may("create_repositories", prop_oneof![truth(), creation]),
    ];
    registry("ecr", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", own)
}

fn ecr_public() -> BoxedStrategy<Value> {
    let catalog = map(vec![
        may("description", text()),
        may("about", text()),
        may("usage", text()),
        may("architectures", one(&[json!([]), json!(["x86-64", "ARM 64"])])),
        may("operating_systems", one(&[json!(["Linux", 7])])),
    ]);
    let creation = map(vec![may("catalog", catalog), may("repository_policy", policy())]);
    registry(
        "ecr",
        "public.ecr.aws",
        vec![may("create_repositories", creation)],
    )
}

fn gar() -> BoxedStrategy<Value> {
    let auth = map(vec![
        may(
            "impersonate",
            one(&[json!("mirror@p.iam.gserviceaccount.com"), json!("${ACCOUNT}")]),
        ),
        may("key_file", text()),
        may("endpoint", text()),
    ]);
    let key = "projects/p/locations/europe/keyRings/r/cryptoKeys/k";
    let cleanup = one(&[
        json!({}),
        json!({ "old": { "action": "DELETE", "condition": { "tagState": "UNTAGGED" } } }),
        json!({ "few": { "action": "KEEP", "mostRecentVersions": { "keepCount": 5 } } }),
    ]);
    let creation = map(vec![
        may("on_drift", words(&["keep", "update"])),
        may("tag_mutability", words(&["mutable", "immutable"])),
        may("kms_key", one(&[json!(key), json!("${KEY}")])),
        may("description", text()),
        may(
            "labels",
            one(&[json!({}), json!({ "team": "base", "über": "x_-9", "n": 7 })]),
        ),
        may("cleanup_policies", cleanup),
        may("cleanup_dry_run", truth()),
        may("mode", words(&["standard"])),
        may(
            "location",
            one(&[json!("europe-west1"), json!("us"), json!("${PLACE}")]),
        ),
    ]);
    let own = vec![
        may("auth", auth),
        may("create_repositories", creation),
        may("server_side_copy", truth()),
    ];
    registry("gar", "europe-west1-docker.pkg.dev", own)
}

fn acr() -> BoxedStrategy<Value> {
    let auth = map(vec![
        may("tenant_id", text()),
        must("client_id", text()),
        may("client_secret", secret()),
        may("audience", text()),
        may("authority", text()),
        may("endpoint", text()),
    ]);
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso";
    let creation = map(vec![
        may("on_drift", words(&["keep", "update"])),
        may("lock_after_push", truth()),
    ]);
    let own = vec![
        may("auth", auth),
        may("create_repositories", prop_oneof![truth(), creation]),
        may("server_side_copy", truth()),
        may("resource_id", one(&[json!(id), json!("${ID}")])),
    ];
    registry("acr", "contoso.azurecr.io", own)
}

fn registries() -> BoxedStrategy<Value> {
    let site = registry("generic", "site.example:5000", vec![may("auth", auth())]);
    let harbor = registry("harbor", "harbor.example", vec![may("auth", auth())]);
    map(vec![
        must("hub", Just(json!({ "host": "docker.io" }))),
        must("site", site),
        must("usb", Just(json!({ "layout": "/media/usb/mirror" }))),
        may("harbor", harbor),
        may("ecr", ecr()),
        may("gallery", ecr_public()),
        may("gar", gar()),
        may("acr", acr()),
    ])
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn tag_set() -> BoxedStrategy<Value> {
    let globs = || {
        one_or_more(&[
            json!("3.*"),
            json!("*-alpine"),
            json!("${GLOB}"),
            json!(3.19),
            json!(7),
        ])
    };
    let expressions = || one_or_more(&[json!(r"v\d+"), json!("(?<version>.+)-alpine"), json!(".*")]);
    let listed = one_or_more(&[
        json!("latest"),
        json!(3.19),
        json!("_x"),
        json!("${TAG}"),
        json!(true),
    ]);
    let ranges = || {
        one(&[
            json!(">=3.19, <4"),
            json!("^1.2 || ~2.3"),
            json!("${RANGE}"),
            json!(1.2),
            json!(3),
        ])
    };
    let minors = map(vec![must("minors", count()), may("patches", count())]);
    let at_least = || one(&[json!(0), json!(3), json!("${LEAST}")]);
    let ages = one(&[json!("90d"), json!("1s"), json!("007w"), json!("${AGE}")]);
    let versions = vec![
        must("semver", ranges()),
        may("prerelease", truth()),
        may("latest", prop_oneof![count(), minors]),
    ];
    let tags = |versions: Vec<Key>| {
        let keys = vec![
            may("include", globs()),
            may("exclude", globs()),
            may("regex", expressions()),
            may("exclude_regex", expressions()),
            may("list", listed.clone()),
            may("created_within", ages.clone()),
            may("at_least", at_least()),
        ];
        map([keys, versions].concat_keys())
    };
    let digests = one_or_more(&[
        json!(DIGEST),
        json!("${DIGEST}"),
        json!(DIGEST.replace('e', "f").replace("shf", "she")),
    ]);
    prop_oneof![
        4 => tags(versions),
        2 => tags(vec![may("latest", count())]),
        1 => map(vec![must("digests", digests), may("at_least", one(&[json!(0), json!(1)]))]),
    ]
    .boxed()
}

fn tags() -> BoxedStrategy<Value> {
    let several = prop::collection::vec(tag_set(), 1..3).prop_map(Value::Array);
    prop_oneof![tag_set(), several].boxed()
}

/// A list goes with an index that is not whole, which stands beside it.
fn platforms() -> BoxedStrategy<Value> {
    one(&[
        json!("all"),
        json!(["linux/amd64"]),
        json!(["linux/arm64/v8", "windows/amd64"]),
        json!(["${PLATFORM}"]),
    ])
}

fn referrers() -> BoxedStrategy<Value> {
    let types = |types: Value| json!({ "artifact_types": types });
    one(&[
        json!("all"),
        json!("none"),
        types(json!(["application/spdx+json", "text/x-some.thing_else"])),
        types(json!(["${TYPE}"])),
    ])
}

/// The keys that a mirror and `defaults` share, but for those of a name and places.
fn rules() -> Vec<Key> {
    vec![
        may("tags", tags()),
        may("platforms", platforms()),
        must("index", words(&["sparse", "rewrite"])),
        may("referrers", referrers()),
        may("on_change", words(&["update", "keep", "refuse"])),
        may("check", words(&["tags", "manifests", "blobs"])),
        may("foreign_layers", words(&["skip", "copy"])),
    ]
}

fn mirrors() -> BoxedStrategy<Value> {
    let list = json!(["hub/team/one", "quay.io/team/two"]);
    let mirror = |from: &[Value], to: &[Value]| {
        let own = vec![must("from", one(from)), must("to", one(to)), may("name", text())];
        map([own, rules()].concat_keys())
    };
    let repositories = mirror(
        &[json!("hub/library/alpine"), json!(["docker.io/library/redis"])],
        &[json!("site/first/{name}"), json!(["everywhere/first"])],
    );
    let several = mirror(&[list], &[json!("site/second/{host}/{repository}")]);
    let found = mirror(
        &[
            json!({ "registry": "hub", "repositories": ["team/*", "base/**"] }),
            json!([{ "registry": "hub", "repositories": "team/*" }]),
        ],
        &[json!("site/third/{repository}"), json!(["site/third/{name}"])],
    );
    (repositories, several, found)
        .prop_flat_map(|(first, second, third)| {
            prop::sample::subsequence(vec![first, second, third], 0..=3).prop_map(Value::Array)
        })
        .boxed()
}

/// Makes configurations.
pub(crate) fn document() -> BoxedStrategy<Value> {
    let defaults = prop_oneof![
        Just(Value::Null),
        map([
            vec![may("name", text()), may("to", Just(json!("site/{name}")))],
            rules()
        ]
        .concat_keys()),
    ];
    map(vec![
        must("version", one(&[json!(1), json!("${VERSION}")])),
        must("registries", registries()),
        must("groups", Just(json!({ "everywhere": ["site", "usb/below"] }))),
        may("defaults", defaults),
        must("mirrors", mirrors()),
        may("x-own", text()),
    ])
}
