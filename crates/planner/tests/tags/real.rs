//! Tags as well-known repositories have them.

use transship_planner::config::{Conditions, Latest};

use super::{assert_taken, own};

const ALPINE: &str = "2.6 2.7 3 3.17 3.17.10 3.18 3.18.11 3.18.12 3.19 3.19.0 3.19.6 3.19.7 3.20 3.20.0 3.20.0_rc1 3.20.3 \
                      3.20.5 3.21 3.21.2 20231219 20240315 20240923 edge latest";

const PYTHON: &str = "2 2.7 2.7.18 2.7.18-slim 3 3.11 3.11.11 3.11.11-slim-bookworm 3.12 3.12.8 3.12.8-alpine 3.12.8-alpine3.20 \
                      3.12.8-alpine3.21 3.12.8-slim 3.12.8-slim-bookworm 3.12.8-windowsservercore-ltsc2022 3.13 3.13.0 3.13.0rc3 \
                      3.13.1 3.13.1-alpine3.21 3.13.1-bookworm 3.13.1-slim 3.14-rc 3.14.0a3 3.14.0a3-slim alpine latest slim rc";

const NGINX: &str = "1 1-alpine 1.26 1.26.2 1.26.2-alpine 1.26.2-alpine-perl 1.26.2-alpine3.20 1.26.2-perl 1.27 1.27.2 1.27.3 1.27.3-alpine \
                     1.27.3-alpine-otel 1.27.3-alpine-slim 1.27.3-alpine3.20 1.27.3-bookworm alpine latest mainline stable stable-alpine";

const POSTGRES: &str = "9 9.6 9.6.24 9.6.24-alpine 12.22 13.18 14 14.15 15 15.10 15.10-alpine 16 16-alpine 16.5 16.6 16.6-alpine \
                        16.6-alpine3.20 16.6-bookworm 17 17.1 17.2 17.2-alpine 17.2-alpine3.21 17beta3 17rc1 alpine latest";

const REDIS: &str = "6.2 6.2.16 6.2.16-alpine 7 7.0.15 7.2.6 7.2.6-alpine 7.4 7.4-alpine 7.4-rc2 7.4.0 7.4.1 7.4.1-alpine 7.4.1-alpine3.20 \
                     7.4.2 7.4.2-bookworm 8.0-M02 8.0-M02-alpine 8.0-rc1 latest alpine";

const TEMURIN: &str = "8 8-jre 8u432-b06-jdk 8u432-b06-jre-alpine 11.0.25_9-jdk 11.0.25_9-jre 17 17-jdk 17.0.12_7-jre 17.0.13_11-jdk \
                       17.0.13_11-jdk-alpine 17.0.13_11-jre 21 21-jre 21.0.4_7-jre-alpine 21.0.5_11-jdk 21.0.5_11-jre \
                       21.0.5_11-jre-alpine 21.0.5_11-jre-windowsservercore-ltsc2022 21_35-jdk 23.0.1_11-jre latest";

fn semver(range: &str) -> Conditions {
    Conditions {
        semver: Some(range.to_owned()),
        ..Conditions::default()
    }
}

fn regex(expression: &str) -> Conditions {
    Conditions {
        regex: own(&[expression]),
        ..Conditions::default()
    }
}

fn minors(minors: u64) -> Option<Latest> {
    Some(Latest::Minors { minors, patches: 1 })
}

#[test]
fn alpine() {
    assert_taken(
        &semver(">=3.20"),
        ALPINE,
        "3.20 3.20.0 3.20.0_rc1 3.20.3 3.20.5 3.21 3.21.2",
    );
    let newest = Conditions {
        latest: minors(3),
        ..semver(">=3")
    };
    assert_taken(&newest, ALPINE, "3.21.2 3.20.5 3.19.7");
    // What stands behind a `_` is a build: an `_rc1` is no prerelease, and equal to its release.
    let first = Conditions {
        latest: Some(Latest::Versions(1)),
        ..semver("~3.20, <3.20.1")
    };
    assert_taken(&first, ALPINE, "3.20 3.20.0 3.20.0_rc1");
    let without = Conditions {
        exclude: own(&["*_rc*"]),
        ..first
    };
    assert_taken(&without, ALPINE, "3.20 3.20.0");
    // Snapshots of edge are single numbers, and those no versions.
    assert_taken(&semver(">=2024"), ALPINE, "");
    assert_taken(&regex(r"2024\d{4}"), ALPINE, "20240315 20240923");
    // Tags that move are named by their form.
    assert_taken(&regex(r"3\.\d+"), ALPINE, "3.17 3.18 3.19 3.20 3.21");
}

#[test]
fn python() {
    assert_taken(&semver(">=3.12"), PYTHON, "3.12 3.12.8 3.13 3.13.0 3.13.1");
    let slim = Conditions {
        latest: minors(2),
        ..regex("(?<version>.+)-slim")
    };
    assert_taken(&slim, PYTHON, "3.13.1-slim 3.12.8-slim");
    // Python writes prereleases without a `-`, so that they are no versions at all.
    let all = Conditions {
        prerelease: true,
        ..semver(">=3.13")
    };
    assert_taken(
        &all,
        PYTHON,
        "3.13 3.13.0 3.13.1 3.13.1-alpine3.21 3.13.1-bookworm 3.13.1-slim 3.14-rc",
    );
    assert_taken(&regex(r"3\.14\.\d+(a|b|rc)\d+"), PYTHON, "3.14.0a3");
    let alpine = Conditions {
        semver: Some("3.12.x".to_owned()),
        ..regex(r"(?<version>.+)-alpine(\d+\.\d+)?")
    };
    assert_taken(
        &alpine,
        PYTHON,
        "3.12.8-alpine 3.12.8-alpine3.20 3.12.8-alpine3.21",
    );
    // One version, so that its spellings count once.
    let newest = Conditions {
        latest: Some(Latest::Versions(1)),
        semver: Some("3.12.x".to_owned()),
        ..alpine
    };
    assert_taken(
        &newest,
        PYTHON,
        "3.12.8-alpine 3.12.8-alpine3.20 3.12.8-alpine3.21",
    );
}

#[test]
fn nginx() {
    let alpine = Conditions {
        latest: Some(Latest::Versions(1)),
        ..regex("(?<version>.+)-alpine")
    };
    assert_taken(&alpine, NGINX, "1.27.3-alpine");
    let stable = Conditions {
        semver: Some("1.26.x".to_owned()),
        ..regex("(?<version>.+)-alpine")
    };
    assert_taken(&stable, NGINX, "1.26.2-alpine");
    assert_taken(&semver("~1.27"), NGINX, "1.27 1.27.2 1.27.3");
    let named = Conditions {
        include: own(&["stable*", "mainline"]),
        exclude: own(&["*-alpine"]),
        ..Conditions::default()
    };
    assert_taken(&named, NGINX, "stable mainline");
}

#[test]
fn postgres() {
    // Two-part versions are whole here: each major is a line, its minor a version.
    assert_taken(&semver(">=16"), POSTGRES, "16.5 16.6 17.1 17.2");
    let newest = Conditions {
        latest: Some(Latest::Versions(2)),
        ..semver(">=14, <17")
    };
    assert_taken(&newest, POSTGRES, "16.6 16.5");
    // A line is major and minor, so that each of these is one of its own.
    let lines = Conditions {
        latest: minors(2),
        ..semver(">=14, <17")
    };
    assert_taken(&lines, POSTGRES, "16.6 16.5");
    assert_taken(&regex(r"\d+(beta|rc)\d+"), POSTGRES, "17beta3 17rc1");
    let alpine = Conditions {
        semver: Some("^16".to_owned()),
        ..regex("(?<version>.+)-alpine")
    };
    assert_taken(&alpine, POSTGRES, "16.6-alpine");
}

#[test]
fn redis() {
    let newest = Conditions {
        latest: minors(2),
        ..semver("7.x")
    };
    assert_taken(&newest, REDIS, "7.4.2 7.2.6");
    let ahead = Conditions {
        prerelease: true,
        latest: Some(Latest::Versions(1)),
        ..semver(">=7")
    };
    // Letters order after capitals: rc1 stands above M02 and M02-alpine.
    assert_taken(&ahead, REDIS, "8.0-rc1");
    let candidates = Conditions {
        include: own(&["*-rc*", "*-M??"]),
        prerelease: true,
        ..semver("*")
    };
    assert_taken(&candidates, REDIS, "7.4-rc2 8.0-M02 8.0-rc1");
    let alpine = Conditions {
        latest: Some(Latest::Versions(2)),
        ..regex("(?<version>.+)-alpine")
    };
    assert_taken(&alpine, REDIS, "7.4.1-alpine 7.4-alpine");
}

#[test]
fn temurin() {
    // The build number stands behind a `_`, with all that follows: variants of a version are one version.
    assert_taken(
        &semver("^17"),
        TEMURIN,
        "17.0.12_7-jre 17.0.13_11-jdk 17.0.13_11-jdk-alpine 17.0.13_11-jre",
    );
    let newest = Conditions {
        latest: Some(Latest::Versions(1)),
        ..semver("^21")
    };
    assert_taken(
        &newest,
        TEMURIN,
        "21.0.5_11-jdk 21.0.5_11-jre 21.0.5_11-jre-alpine 21.0.5_11-jre-windowsservercore-ltsc2022",
    );
    let jre = Conditions {
        latest: minors(3),
        ..regex(r"(?<version>[\d.]+_\d+)-jre")
    };
    assert_taken(&jre, TEMURIN, "23.0.1_11-jre 21.0.5_11-jre 17.0.13_11-jre");
    // Java 8 and the first of each major are no versions by the form of their tags.
    assert_taken(
        &regex(r"8u\d+-b\d+-jdk|\d+_\d+-jdk"),
        TEMURIN,
        "8u432-b06-jdk 21_35-jdk",
    );
}
