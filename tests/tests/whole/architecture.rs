//! The arrows between the crates, and the rules that every file keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Who may know whom, in what is shipped.
const ARROWS: [(&str, &[&str]); 14] = [
    ("transship-oci", &[]),
    ("transship-planner", &["transship-oci"]),
    ("transship-layout", &["transship-oci"]),
    ("transship-registry", &["transship-oci", "transship-layout"]),
    (
        "transship-provider",
        &["transship-oci", "transship-planner", "transship-registry"],
    ),
    (
        "transship-ecr",
        &[
            "transship-oci",
            "transship-planner",
            "transship-registry",
            "transship-provider",
        ],
    ),
    (
        "transship-gar",
        &[
            "transship-oci",
            "transship-planner",
            "transship-registry",
            "transship-provider",
        ],
    ),
    (
        "transship-acr",
        &[
            "transship-oci",
            "transship-planner",
            "transship-registry",
            "transship-provider",
        ],
    ),
    (
        "transship-transfer",
        &[
            "transship-oci",
            "transship-planner",
            "transship-registry",
            "transship-provider",
        ],
    ),
    ("transship-loopback", &["transship-oci", "transship-layout"]),
    (
        "transship-testkit",
        &[
            "transship-oci",
            "transship-planner",
            "transship-registry",
            "transship-loopback",
        ],
    ),
    (
        "transship",
        &[
            "transship-oci",
            "transship-planner",
            "transship-layout",
            "transship-registry",
            "transship-provider",
            "transship-ecr",
            "transship-gar",
            "transship-acr",
            "transship-transfer",
            "transship-loopback",
        ],
    ),
    ("xtask", &[]),
    ("transship-tests", &[]),
];

/// The crates that talk to a terminal: the program, and the tools around it.
const TALKERS: [&str; 3] = ["transship", "xtask", "transship-tests"];

/// The longest file, in lines.
const LONGEST: usize = 700;

struct Package {
    name: String,
    directory: PathBuf,
    /// Dependency to its kind: `normal`, `dev` or `build`.
    dependencies: BTreeSet<(String, String)>,
}

impl Package {
    fn sources(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        for part in ["src", "tests", "benches", "examples"] {
            collect(&self.directory.join(part), &mut files);
        }
        files
    }

    fn depends_on(&self, name: &str, kind: &str) -> bool {
        self.dependencies.contains(&(name.to_owned(), kind.to_owned()))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

fn packages() -> Vec<Package> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    document["packages"]
        .as_array()
        .expect("there are packages")
        .iter()
        .map(package)
        .collect()
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().expect("cargo metadata has texts").to_owned();
    let manifest = PathBuf::from(text(&value["manifest_path"]));
    let dependencies = value["dependencies"]
        .as_array()
        .expect("a package has dependencies");
    Package {
        name: text(&value["name"]),
        directory: manifest.parent().expect("a manifest has a directory").to_owned(),
        dependencies: dependencies
            .iter()
            .map(|dependency| {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                (text(&dependency["name"]), kind.to_owned())
            })
            .collect(),
    }
}

fn collect(directory: &Path, files: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("a directory can be read").path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file can be read");
            files.push((path, text));
        }
    }
}

#[test]
fn crates_know_only_whom_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in &packages {
        let may = allowed.get(package.name.as_str());
        let may = may.unwrap_or_else(|| panic!("{} has no place in the architecture", package.name));
        for (name, kind) in &package.dependencies {
            if kind != "dev" && ours.contains(name.as_str()) {
                assert!(
                    may.contains(&name.as_str()),
                    "{} must not know {name}",
                    package.name
                );
            }
        }
    }
    assert_eq!(
        ours.len(),
        ARROWS.len(),
        "every crate of the architecture is there"
    );
}

#[test]
fn the_testkit_is_for_tests_alone() {
    for package in packages() {
        assert!(
            !package.depends_on("transship-testkit", "normal"),
            "{}",
            package.name
        );
        for (path, text) in package.sources() {
            let in_src = path.starts_with(package.directory.join("src"));
            assert!(
                !in_src || !text.contains("testkit::"),
                "{} uses the testkit",
                path.display()
            );
        }
    }
}

#[test]
fn the_planner_is_pure() {
    let packages = packages();
    let planner = packages
        .iter()
        .find(|package| package.name == "transship-planner")
        .expect("it is there");
    for name in [
        "tokio",
        "reqwest",
        "hyper",
        "axum",
        "jiff",
        "fastrand",
        "async-trait",
        "transship-registry",
    ] {
        for kind in ["normal", "dev", "build"] {
            assert!(!planner.depends_on(name, kind), "the planner depends on {name}");
        }
    }
    for (path, text) in planner.sources() {
        for word in [
            "std::env",
            "std::fs",
            "std::net",
            "SystemTime",
            "Instant::now",
            "async fn",
        ] {
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            let in_src = path.starts_with(planner.directory.join("src"));
            assert!(
                !in_src || !shipped.contains(word),
                "{} has {word}",
                path.display()
            );
        }
    }
}

#[test]
fn no_library_prints() {
    // Built here, so that this file does not find itself.
    let words: Vec<String> = ["println", "eprintln", "print", "eprint", "dbg"]
        .iter()
        .flat_map(|word| [format!(" {word}!("), format!("({word}!("), format!("{{{word}!(")])
        .collect();
    for package in packages()
        .iter()
        .filter(|package| !TALKERS.contains(&package.name.as_str()))
    {
        let src = package.directory.join("src");
        for (path, text) in package
            .sources()
            .into_iter()
            .filter(|(path, _)| path.starts_with(&src))
        {
            for (number, line) in text.lines().enumerate() {
                let code = line.trim_start();
                let found = words
                    .iter()
                    .any(|word| format!(" {code}").contains(word.as_str()));
                assert!(
                    code.starts_with("//") || !found,
                    "{}:{}: {line}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for package in packages() {
        let manifest =
            fs::read_to_string(package.directory.join("Cargo.toml")).expect("a manifest can be read");
        assert!(
            manifest.contains("[lints]\nworkspace = true\n"),
            "{}",
            package.name
        );
    }
}

#[test]
fn files_stay_short() {
    for package in packages() {
        for (path, text) in package.sources() {
            let lines = text.lines().count();
            assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn no_test_sleeps() {
    // Built here, so that this file does not find itself.
    let words = [format!("thread::{}(", "sleep"), format!("time::{}(", "sleep")];
    for package in packages() {
        for (path, text) in package.sources() {
            let tests = path.starts_with(package.directory.join("tests"));
            // With a paused clock, sleeping takes no time and is exact.
            let virtually = text.contains("start_paused = true");
            let found = words.iter().any(|word| text.contains(word.as_str()));
            assert!(!tests || !found || virtually, "{} sleeps", path.display());
        }
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let here = root().join("tests/tests/whole");
    let mut files = Vec::new();
    collect(&here, &mut files);
    assert!(files.len() > 10);
    for (path, _) in files {
        let parent = path.parent().expect("a file has a directory");
        let lister = if parent == here {
            here.join("main.rs")
        } else {
            parent.with_extension("rs")
        };
        let listed = fs::read_to_string(&lister).expect("who lists a file can be read");
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a file has a name");
        assert!(
            name == "main" || listed.contains(&format!("mod {name};\n")),
            "{name}.rs is not in {}",
            lister.display()
        );
    }
}

/// Features of the program, and the crates of which at least one comes with each.
const CLOUDS: [(&str, &[&str]); 3] = [
    ("ecr", &["aws-config", "aws-sdk-ecr", "aws-sdk-ecrpublic"]),
    ("gar", &["google-cloud-auth"]),
    ("acr", &["azure_core", "azure_identity"]),
];

#[test]
fn a_cloud_comes_with_its_feature_and_with_no_other() {
    let all: Vec<&str> = CLOUDS.iter().map(|(feature, _)| *feature).collect();
    let selections = all
        .iter()
        .map(|feature| vec![*feature])
        .chain([Vec::new(), all.clone()]);
    for selection in selections {
        let tree = tree(&selection);
        for (feature, crates) in CLOUDS {
            let comes = selection.contains(&feature);
            for name in crates {
                assert_eq!(tree.contains(*name), comes, "{name} with {selection:?}");
            }
        }
    }
}

/// The crates that the program is made of, with these features.
fn tree(features: &[&str]) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "transship",
            "--edges",
            "normal",
        ])
        .args([
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--no-default-features",
            "--features",
        ])
        .arg(features.join(","))
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("cargo tree is text");
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}
