//! What the pages show is what the program takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use testkit::binary::{Sandbox, finish};
use tokio::io::AsyncWriteExt as _;

/// A page and its text.
type Page = (PathBuf, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

/// Returns the files of a directory, in order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of the documentation can be read");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn page(path: PathBuf) -> Page {
    let text = fs::read_to_string(&path).expect("a page can be read");
    (path, text)
}

/// Returns the page that everyone begins with, and those of the registries.
fn of_registries() -> Vec<Page> {
    let registries = files(&root().join("docs/registries"));
    registries
        .into_iter()
        .chain([root().join("README.md")])
        .map(page)
        .collect()
}

fn all_pages() -> Vec<Page> {
    let others = files(&root().join("docs")).into_iter().map(page);
    of_registries().into_iter().chain(others).collect()
}

/// Returns the whole configurations that a page shows: blocks of YAML that begin as one does.
fn configurations(text: &str) -> Vec<&str> {
    text.split("\n```yaml\n")
        .skip(1)
        .map(|rest| rest.split_once("\n```").map_or(rest, |(block, _)| block))
        .filter(|block| block.starts_with("version:"))
        .collect()
}

/// Returns where a page leads to within the project, without the heading.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.split_once('#').map_or(link, |(path, _)| path))
        .filter(|path| !path.is_empty() && !path.contains("://"))
        .collect()
}

#[tokio::test]
async fn configurations_of_the_pages_are_valid() {
    let sandbox = Sandbox::new();
    let arguments = ["validate", "-f", "-"];
    for (path, text) in of_registries() {
        for block in configurations(&text) {
            let mut command = sandbox.command(&arguments);
            let mut child = command
                .stdin(Stdio::piped())
                .spawn()
                .expect("the binary can be run");
            let mut stdin = child.stdin.take().expect("standard input is piped");
            stdin.write_all(block.as_bytes()).await.expect("the binary reads");
            drop(stdin);
            let output = finish(child, &arguments).await;
            assert_eq!(output.code, 0, "{}:\n{block}\n{}", path.display(), output.stderr);
        }
    }
}

#[test]
fn every_registry_has_a_whole_configuration_and_its_line_in_the_index() {
    let (_, index) = page(root().join("docs/registries/README.md"));
    for (path, text) in files(&root().join("docs/registries")).into_iter().map(page) {
        let name = path.file_name().expect("a page has a name").to_string_lossy();
        if name != "README.md" {
            assert!(index.contains(&format!("]({name})")), "{name}");
        }
        // Azure's page shows a registry's part alone.
        if !["README.md", "acr.md"].contains(&name.as_ref()) {
            assert!(!configurations(&text).is_empty(), "{name}");
        }
    }
}

#[test]
fn every_policy_is_json_and_named_by_a_page() {
    let pages = all_pages();
    let policies = files(&root().join("docs/policies"));
    assert!(!policies.is_empty());
    for path in policies {
        let (path, text) = page(path);
        let name = path.file_name().expect("a policy has a name").to_string_lossy();
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(document.is_object(), "{name}");
        let mention = format!("policies/{name}");
        assert!(
            pages.iter().any(|(_, text)| text.contains(&mention)),
            "no page names {name}"
        );
    }
}

#[test]
fn the_pages_lead_to_what_is_there() {
    for (path, text) in all_pages() {
        let directory = path.parent().expect("a page has a directory");
        for link in links(&text) {
            assert!(directory.join(link).exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn robot_accounts_may_do_no_more_than_their_page_says() {
    let access = |name: &str| {
        let (_, text) = page(root().join("docs/policies").join(name));
        let document: Value = serde_json::from_str(&text).expect("a robot account is JSON");
        let permissions = document["permissions"].as_array().expect("it has permissions");
        assert_eq!(permissions.len(), 1, "{name}: one project");
        let access = permissions[0]["access"].as_array().expect("it may do something");
        let pair = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().expect("a text").to_owned();
            (text("action"), text("resource"))
        };
        access.iter().map(pair).collect::<Vec<_>>()
    };
    let push = ("push".to_owned(), "repository".to_owned());
    let mut pushing = access("harbor-push.json");
    assert!(pushing.contains(&push));
    pushing.retain(|entry| *entry != push);
    assert_eq!(
        pushing,
        access("harbor-plan.json"),
        "pushing is all that is added"
    );
}
