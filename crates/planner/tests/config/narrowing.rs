//! Parts of a specification.

use insta::assert_snapshot;
use transship_planner::spec::Check;

use super::{good, lines};

const THREE: &str = r#"
version: 1
registries:
  hub: { host: docker.io }
  site: { host: site.example }
  far: { host: far.example }
mirrors:
  - name: base
    from: [hub/library/alpine, hub/library/redis]
    to: ["site/base/{name}", "far/base/{name}"]
  - from: quay.io/team/app
    to: site/team/app
"#;

fn only(globs: &[&str]) -> Result<String, String> {
    let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
    good(THREE).only(&globs).map(|spec| lines(&spec))
}

#[test]
fn a_mirrors_name_keeps_it_whole() {
    assert_snapshot!(only(&["base"]).expect("base matches"), @r#"
    far = Host(far.example)
    hub = Host(docker.io)
    site = Host(site.example)
    [base]
    hub/library/alpine -> site/base/alpine
    hub/library/alpine -> far/base/alpine
    hub/library/redis -> site/base/redis
    hub/library/redis -> far/base/redis
    "#);
}

#[test]
fn a_source_is_kept_with_all_its_targets() {
    assert_snapshot!(only(&["hub/library/redis"]).expect("redis matches"), @r#"
    far = Host(far.example)
    hub = Host(docker.io)
    site = Host(site.example)
    [base]
    hub/library/redis -> site/base/redis
    hub/library/redis -> far/base/redis
    "#);
}

#[test]
fn a_target_is_kept_with_its_source() {
    assert_snapshot!(only(&["far/base/*"]).expect("far matches"), @r#"
    far = Host(far.example)
    hub = Host(docker.io)
    [base]
    hub/library/alpine -> far/base/alpine
    hub/library/redis -> far/base/redis
    "#);
}

#[test]
fn several_globs_keep_what_any_of_them_keeps() {
    assert_snapshot!(only(&["far/base/alpine", "quay.io/**"]).expect("both match"), @r#"
    far = Host(far.example)
    hub = Host(docker.io)
    quay.io = Host(quay.io)
    site = Host(site.example)
    [base]
    hub/library/alpine -> far/base/alpine
    [quay.io/team/app]
    quay.io/team/app -> site/team/app
    "#);
}

#[test]
fn a_glob_without_a_match_is_named() {
    assert_eq!(
        only(&["base", "nothing"]),
        Err("`nothing` matches no mirror, source or target".to_owned())
    );
    // `*` stops at `/`.
    assert_eq!(
        only(&["far/*"]),
        Err("`far/*` matches no mirror, source or target".to_owned())
    );
    assert!(only(&["["]).expect_err("no glob").contains("`[` is not a glob"));
}

#[test]
fn a_part_is_still_of_the_whole_configuration() {
    let whole = good(THREE);
    let part = whole
        .only(&["base".to_owned()])
        .expect("base matches")
        .with_check(Check::Blobs);
    assert_eq!(part.digest, whole.digest);
    assert!(part.mirrors.iter().all(|mirror| mirror.check == Check::Blobs));
}
