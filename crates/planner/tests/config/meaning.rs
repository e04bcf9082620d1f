//! What good configurations mean.

use std::path::Path;

use insta::assert_snapshot;
use transship_planner::config::{self, Connection, SecretReference};
use transship_planner::spec::{Check, ForeignLayers, OnChange, Referrers};

use super::{environment, good, input, lines};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The sample of the documentation, without what is not built yet.
const SAMPLE: &str = r#"
version: 1
registries:
  hub:  { host: docker.io }
  ecr:
    host: 123456789012.dkr.ecr.eu-west-1.amazonaws.com
    auth: { role_arn: "arn:aws:iam::123456789012:role/mirror" }
    create_repositories: { tag_mutability: immutable, scan_on_push: true, tags: { team: base } }
  gar:
    host: europe-west1-docker.pkg.dev
    auth: { impersonate: mirror@my-project.iam.gserviceaccount.com }
  acr:
    host: contoso.azurecr.io
    auth: { tenant_id: T, client_id: C, client_secret: { file: secrets/acr } }
  site:
    host: registry.site.example:5000
    plain_http: false
    tls:    { ca: certs/site-ca.pem, client_cert: c.pem, client_key: k.pem }
    auth:   { username: mirror, password: { env: SITE_PASSWORD } }
    limits: { concurrency: 8, requests_per_second: 50, bandwidth: 20MiB/s }
  usb:  { layout: /media/usb/mirror }
groups:
  everywhere: [ecr, gar/my-project/base, acr, site]
defaults:
  platforms: all
  referrers: all
mirrors:
  - name: alpine
    from: hub/library/alpine
    to: ["everywhere/base/{name}", "usb/{repository}:{tag}-{{x}}"]
    tags:
      semver: ">=3.19, <4"
      prerelease: false
      latest: 3
      at_least: 1
    platforms: all
    index: whole
    referrers: all
    on_change: update
    check: tags
    foreign_layers: skip
"#;

#[test]
fn the_sample_means_what_it_says() {
    let text = SAMPLE.replace("-{{x}}", "-mirror");
    assert_snapshot!(lines(&good(&text)), @r#"
    acr = Host(contoso.azurecr.io)
    ecr = Host(123456789012.dkr.ecr.eu-west-1.amazonaws.com)
    gar = Host(europe-west1-docker.pkg.dev)
    hub = Host(docker.io)
    site = Host(registry.site.example:5000)
    usb = Layout("/media/usb/mirror")
    [alpine]
    hub/library/alpine -> ecr/base/alpine
    hub/library/alpine -> gar/my-project/base/base/alpine
    hub/library/alpine -> acr/base/alpine
    hub/library/alpine -> site/base/alpine
    hub/library/alpine -> usb/library/alpine:{tag}-mirror
    "#);
}

#[test]
fn the_starter_is_a_configuration() {
    assert_snapshot!(lines(&good(config::STARTER)), @r#"
    hub = Host(docker.io)
    site = Host(localhost:5000)
    [alpine]
    hub/library/alpine -> site/base/alpine
    [hub/library/busybox]
    hub/library/busybox:stable -> site/base/busybox
    "#);
}

#[test]
fn templates_are_filled_from_the_source() {
    assert_snapshot!(lines(&good(r#"
version: 1
registries: { site: { host: "site.example:5000" }, hub: { host: docker.io } }
mirrors:
  - from: [hub/alpine, "site/team/app"]
    to: ["far.example/{host}/{repository}", "usb.example/x/{name}:{tag}-mirror", "hub/{name}-copy", "far.example/y/{name}:{tag}"]
"#)), @r#"
    far.example = Host(far.example)
    hub = Host(docker.io)
    site = Host(site.example:5000)
    usb.example = Host(usb.example)
    [hub/library/alpine]
    hub/library/alpine -> far.example/docker.io/library/alpine
    hub/library/alpine -> usb.example/x/alpine:{tag}-mirror
    hub/library/alpine -> hub/library/alpine-copy
    hub/library/alpine -> far.example/y/alpine
    site/team/app -> far.example/site.example/team/app
    site/team/app -> usb.example/x/app:{tag}-mirror
    site/team/app -> hub/library/app-copy
    site/team/app -> far.example/y/app
    "#);
}

#[test]
fn sources_may_be_pinned() {
    assert_snapshot!(lines(&good(&format!(r#"
version: 1
mirrors:
  - from: [docker.io/alpine:3.19, "docker.io/alpine:3.20@{DIGEST}"]
    to: site.example/base/{{name}}
  - from: docker.io/alpine@{DIGEST}
    to: [site.example/pinned, "site.example/named:stable"]
"#))), @r#"
    docker.io = Host(docker.io)
    site.example = Host(site.example)
    [docker.io/library/alpine]
    docker.io/library/alpine:3.19 -> site.example/base/alpine
    docker.io/library/alpine:3.20@sha256:e3b0c44298fc -> site.example/base/alpine
    [docker.io/library/alpine]
    docker.io/library/alpine@sha256:e3b0c44298fc -> site.example/pinned
    docker.io/library/alpine@sha256:e3b0c44298fc -> site.example/named:stable
    "#);
}

#[test]
fn sources_with_disjoint_names_may_share_a_target() {
    let spec = good(
        "version: 1\nmirrors:\n  - { from: quay.io/a/app, to: site.example/app, tags: { list: [one, two] } }\n  - { from: quay.io/b/app:three, to: site.example/app }\n  - { from: quay.io/c/app:one, to: \"site.example/app:{tag}-c\" }\n",
    );
    assert_eq!(spec.mirrors.len(), 3);
}

#[test]
fn one_host_under_two_names_goes_by_the_first_that_reaches_a_repository() {
    assert_snapshot!(lines(&good(r#"
version: 1
registries:
  one: { host: site.example }
  two: { host: site.example }
  hub: { host: docker.io }
mirrors:
  - { from: hub/a/a, to: two/a, tags: { list: [x] } }
  - { from: hub/a/b, to: one/a, tags: { list: [y] } }
  - { from: hub/a/c, to: two/c }
"#)), @r#"
    hub = Host(docker.io)
    one = Host(site.example)
    two = Host(site.example)
    [hub/a/a]
    hub/a/a -> one/a
    [hub/a/b]
    hub/a/b -> one/a
    [hub/a/c]
    hub/a/c -> two/c
    "#);
}

#[test]
fn defaults_give_whole_values() {
    let spec = good(
        "version: 1\ndefaults: { to: \"site.example/{name}\", tags: { list: [a], at_least: 2 }, on_change: keep, check: blobs, referrers: none, foreign_layers: copy }\nmirrors:\n  - from: quay.io/a/one\n  - { from: quay.io/a/two, tags: { list: [b] }, on_change: refuse, check: manifests, referrers: all, foreign_layers: skip }\n  - from: quay.io/a/three:v1\n",
    );
    let [one, two, three] = spec.mirrors.as_slice() else {
        panic!("three mirrors")
    };
    assert_eq!(
        (one.on_change, one.check, one.foreign_layers),
        (OnChange::Keep, Check::Blobs, ForeignLayers::Copy)
    );
    assert_eq!(one.referrers, Referrers::None);
    assert_eq!(one.tags[0].conditions().at_least, Some(2));
    assert_eq!(
        (two.on_change, two.check, two.foreign_layers),
        (OnChange::Refuse, Check::Manifests, ForeignLayers::Skip)
    );
    assert_eq!(two.referrers, Referrers::All);
    assert_eq!(two.tags[0].conditions().at_least, None);
    assert!(three.sources[0].pinned.is_some());
    assert_eq!(two.name, "quay.io/a/two");
}

#[test]
fn plain_numbers_in_a_list_keep_their_text() {
    let spec = good(
        "version: 1\nmirrors:\n  - { from: quay.io/a/b, to: site.example/b, tags: { list: [3.10, 1, true] } }\n",
    );
    let list = spec.mirrors[0].tags[0].list().expect("a list");
    assert_eq!(
        list.iter().map(oci::Tag::as_str).collect::<Vec<_>>(),
        ["1", "3.10", "true"]
    );
}

#[test]
fn anchors_aliases_and_merges_work() {
    assert_snapshot!(lines(&good(r#"
version: 1
x-mirror: &mirror { to: "site.example/{name}", tags: { latest: 1 } }
x-more: &more { to: "never.example/{name}", check: blobs }
x-places: &places [far.example/a, far.example/b]
mirrors:
  - <<: [*mirror, *more]
    from: quay.io/a/one
  - <<: *mirror
    from: quay.io/a/two
    to: *places
"#)), @r#"
    far.example = Host(far.example)
    quay.io = Host(quay.io)
    site.example = Host(site.example)
    [quay.io/a/one]
    quay.io/a/one -> site.example/one
    [quay.io/a/two]
    quay.io/a/two -> far.example/a
    quay.io/a/two -> far.example/b
    "#);
}

#[test]
fn variables_expand_everywhere_but_in_secret_references() {
    let text = r#"
version: 1
registries:
  site:
    host: ${HOST}
    plain_http: ${YES}
    auth: { username: "${USER:-me}", password: { env: "${NOT}" } }
    limits: { concurrency: "${EIGHT}", bandwidth: "${EIGHT}MiB/s" }
mirrors:
  - from: site/${REPO:-team}/app
    to: far.example/$${x}
"#;
    let spec = good(&text.replace("$${x}", "{name}"));
    assert_eq!(spec.mirrors[0].sources[0].place.to_string(), "site/team/app");
    let connection = &spec.registries[&"site".parse().expect("a name")].connection;
    assert_eq!(connection.host.as_deref(), Some("${HOST}"));
    assert_eq!(connection.plain_http, Some(true));
    let resolved = connection.resolve(&environment).expect("all variables are set");
    assert_eq!(resolved.connection.host.as_deref(), Some("quay.io"));
    assert_eq!(resolved.bandwidth, Some(8 << 20));
    let auth = resolved.connection.auth.expect("auth");
    assert_eq!(auth.username.as_deref(), Some("me"));
    assert_eq!(auth.password, Some(SecretReference::Env("${NOT}".to_owned())));
}

#[test]
fn a_connection_that_lost_its_variable_says_which() {
    let connection = Connection {
        host: Some("${GONE}:${LOST}".to_owned()),
        ..Connection::default()
    };
    let error = connection.resolve(&environment).expect_err("they are not set");
    assert_eq!(
        error,
        "`${GONE}` is not set in the environment; `${LOST}` is not set in the environment"
    );
}

#[test]
fn relative_paths_count_from_the_file() {
    let spec = good(
        &SAMPLE
            .replace("-{{x}}", "")
            .replace("/media/usb/mirror", "./usb//mirror/"),
    );
    let at = |name: &str| {
        let connection = &spec.registries[&name.parse().expect("a name")].connection;
        connection
            .resolve(&environment)
            .expect("no variables")
            .at(Path::new("/etc/transship"))
            .connection
    };
    assert_eq!(at("usb").layout.as_deref(), Some("/etc/transship/./usb//mirror/"));
    let tls = at("site").tls.expect("certificates");
    assert_eq!(tls.ca.as_deref(), Some("/etc/transship/certs/site-ca.pem"));
    let secret = at("acr").auth.expect("auth").client_secret;
    assert_eq!(
        secret,
        Some(SecretReference::File("/etc/transship/secrets/acr".to_owned()))
    );
}

#[test]
fn connections_survive_the_plan_as_written() {
    let spec = good(&SAMPLE.replace("-{{x}}", ""));
    for registry in spec.registries.values() {
        let json = serde_json::to_string(&registry.connection).expect("a connection is JSON");
        let read: Connection = serde_json::from_str(&json).expect("and reads again");
        assert_eq!(read, registry.connection);
    }
}

#[test]
fn the_digest_is_of_what_is_wanted() {
    let text = SAMPLE.replace("-{{x}}", "");
    let digest = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is replaced");
        good(&text.replace(from, to)).digest
    };
    let same = good(&text).digest;
    for (from, to) in [
        ("username: mirror", "username: other"),
        ("certs/site-ca.pem", "other.pem"),
        ("concurrency: 8", "concurrency: 9"),
        ("version: 1", "# a comment\nversion: 1"),
        (
            "scan_on_push: true, tags: { team: base }",
            "tags: { team: base }, scan_on_push: true",
        ),
    ] {
        assert_eq!(digest(from, to), same, "{from} -> {to}");
    }
    for (from, to) in [
        ("registry.site.example:5000", "registry.site.example:5001"),
        ("scan_on_push: true", "scan_on_push: false"),
        ("latest: 3", "latest: 4"),
        ("on_change: update", "on_change: keep"),
        ("hub/library/alpine", "hub/library/redis"),
        ("/media/usb/mirror", "/media/usb"),
        ("everywhere/base", "everywhere/other"),
    ] {
        assert_ne!(digest(from, to), same, "{from} -> {to}");
    }
}

#[test]
fn the_digest_is_of_values_and_not_of_the_variables_that_bring_them() {
    let text = "version: 1\nregistries: { site: { host: \"${HOST}\", provider: ecr, create_repositories: { tags: { team: \"${TEAM:-base}\" } } } }\nmirrors: [{ from: docker.io/a/b, to: site/b }]\n";
    let digest = |text: &str, team: Option<&str>| {
        let environment = |name: &str| match name {
            "TEAM" => team.map(str::to_owned),
            other => environment(other),
        };
        let input = config::Input {
            name: "transship.yaml",
            text,
            environment: &environment,
        };
        config::parse(&input).expect("a configuration").digest
    };
    let written = text
        .replace("${HOST}", "quay.io")
        .replace("${TEAM:-base}", "base");
    assert_eq!(digest(text, None), digest(&written, None));
    assert_eq!(digest(text, None), digest(text, Some("base")));
    assert_ne!(digest(text, None), digest(text, Some("other")));
}

#[test]
fn another_format_of_the_same_file_has_the_same_digest() {
    let text = SAMPLE.replace("-{{x}}", "");
    let anchored = text
        .replace("tags:\n      semver", "tags: &tags\n      semver")
        .replace("mirrors:", "x-unused: { a: 1 }\nmirrors:");
    let unused = text.replace("groups:", "  spare: { host: spare.example }\ngroups:");
    let written_out = text.replace(
        "\"everywhere/base/{name}\"",
        "ecr/base/{name}, gar/my-project/base/base/{name}, acr/base/{name}, site/base/{name}",
    );
    for (name, other) in [
        ("carriage returns", text.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("an anchor", anchored),
        ("a registry that nothing uses", unused),
        (
            "no defaults",
            text.replace("defaults:\n  platforms: all\n  referrers: all\n", ""),
        ),
        ("a group written out", written_out.replace("/{name}", "/alpine")),
    ] {
        assert_ne!(other, text, "{name}");
        assert_eq!(good(&other).digest, good(&text).digest, "{name}");
    }
}

#[test]
fn the_port_that_a_scheme_means_anyway_makes_no_other_registry() {
    let text = "version: 1\nregistries:\n  a: { host: \"site.example:443\" }\n  b: { host: \"far.example:80\", plain_http: true }\nmirrors:\n  - { from: site.example/x, to: far.example/x }\n  - { from: \"site.example:443/y\", to: b/y }\n";
    assert_snapshot!(lines(&good(text)), @r#"
    a = Host(site.example)
    b = Host(far.example)
    [a/x]
    a/x -> b/x
    [a/y]
    a/y -> b/y
    "#);
}

#[test]
fn offline_a_missing_variable_is_no_error_and_others_are() {
    let text = "version: 1\nregistries:\n  site: { host: \"${SITE}\", plain_http: \"${P}\", limits: { bandwidth: \"${B}\" } }\n  other: { host: \"${OTHER}\" }\nmirrors:\n  - { from: quay.io/a/b, to: [site/b, other/b], tags: { semver: \"${RANGE}\", list: [\"${TAG}\"], regex: \"${R}\" } }\n  - { from: \"${REG}/x\", to: \"${TO}\" }\n";
    let spec = config::parse_offline(&input(text)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(spec.mirrors[0].sources[0].targets.len(), 2);
    assert!(config::parse(&input(text)).expect_err("online they are").len() >= 8);
    let wrong = config::parse_offline(&input(
        "version: 1\nmirrors:\n  - { from: \"${REG}/x\", too: y }\n",
    ));
    assert_eq!(wrong.expect_err("a typo stays one").len(), 2);
}

#[test]
fn anonymous_is_a_word_or_a_key() {
    for auth in ["anonymous", "{ anonymous: true }"] {
        let text = format!(
            "version: 1\nregistries: {{ a: {{ host: a.example, auth: {auth} }} }}\nmirrors: [{{ from: a/x, to: b.example/x }}]\n"
        );
        let spec = good(&text);
        let connection = &spec.registries[&"a".parse().expect("a name")].connection;
        assert_eq!(
            connection.auth.as_ref().and_then(|auth| auth.anonymous),
            Some(true)
        );
    }
}

#[test]
fn a_thousand_mirrors_are_read() {
    let mut text = String::from("version: 1\nmirrors:\n");
    for n in 0..1000 {
        text.push_str(
            &format!("  - {{ from: quay.io/a/app{n}, to: [a.example/{{name}}, b.example/{{name}}] }}\n")
                .replace("{name}", "x")
                .replace("/x", &format!("/x{n}")),
        );
    }
    assert_eq!(good(&text).mirrors.len(), 1000);
}
