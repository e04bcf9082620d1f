//! The conformance suite of the OCI Distribution Specification, run against the loopback registry.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The suite's module. Its directory carries no release tags of its own, so a commit is pinned.
const SUITE: &str = "github.com/opencontainers/distribution-spec/conformance";
const SUITE_VERSION: &str = "v0.0.0-20260831232431-97274622c111";

/// How long one run may take. It takes seconds.
const LIMIT: Duration = Duration::from_secs(300);

/// How often to look whether a run has ended.
const LOOK: Duration = Duration::from_millis(50);

/// What is switched on beyond the suite's defaults for release 1.1: all of it optional, all of it supported.
const SWITCHED_ON: [&str; 4] = [
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
];

/// What stays off: a registry may accept manifests whose content is missing, and this one refuses them by default.
const SWITCHED_OFF: &str = "Sparse Manifests";

/// The fewest tests that a whole run has; it had 986 when this was written.
const LEAST: u32 = 900;

/// One line of each part of the report, so that a part that is missing is missed.
const LANDMARKS: [&str; 6] = ["FAIL", "Error", "Ping", "Referrers", "Blob push", "Image"];

/// Builds the suite and runs it over memory and over a layout.
///
/// # Errors
/// A tool that is missing, and a category of the suite that did not run or did not pass.
pub(crate) fn run() -> Result<(), String> {
    let directory = root()?.join("target/conformance");
    let suite = install(&directory.join("bin"))?;
    build_server()?;
    for storage in ["memory", "layout"] {
        let results = fresh(&directory.join(storage))?;
        let layout = (storage == "layout").then(|| results.join("content"));
        let report = examine(&suite, &results, layout.as_deref())?;
        print(&format!("Conformance over {storage}\n{}", summary(&report)));
        judge(&report).map_err(|problem| format!("over {storage}: {problem}; see {}", results.display()))?;
    }
    Ok(())
}

fn root() -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(Path::to_owned)
        .ok_or_else(|| "xtask has no workspace around it".to_owned())
}

/// Installs the suite, pinned, through the Go module proxy.
fn install(bin: &Path) -> Result<PathBuf, String> {
    let mut go = Command::new("go");
    go.arg("install")
        .arg(format!("{SUITE}@{SUITE_VERSION}"))
        .env("GOBIN", bin);
    succeed(&mut go, "go install, which needs Go 1.24 or newer")?;
    Ok(bin
        .join("conformance")
        .with_extension(std::env::consts::EXE_EXTENSION))
}

/// Builds the server first, so that waiting for it to listen is not waiting for a compiler.
fn build_server() -> Result<(), String> {
    succeed(cargo("build").arg("--quiet"), "building the registry")
}

fn cargo(verb: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([verb, "--package", "transship-loopback", "--example", "serve"]);
    cargo
}

fn succeed(command: &mut Command, what: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} failed: {status}")),
        Err(error) => Err(format!("{what} did not start: {error}")),
    }
}

/// Makes an empty directory of one.
fn fresh(directory: &Path) -> Result<PathBuf, String> {
    let failed = |error| format!("{}: {error}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(failed)?;
    }
    fs::create_dir_all(directory).map_err(failed)?;
    Ok(directory.to_owned())
}

/// Runs the suite against a registry of its own, and returns what it printed.
fn examine(suite: &Path, results: &Path, layout: Option<&Path>) -> Result<String, String> {
    let server = Server::start(layout)?;
    let report = results.join("report.txt");
    let output = File::create(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    let mut command = Command::new(suite);
    command
        .current_dir(results)
        .env("OCI_VERSION", "1.1")
        .env("OCI_REGISTRY", &server.address)
        .env("OCI_TLS", "disabled")
        .env("OCI_REPO1", "conformance/one")
        .env("OCI_REPO2", "conformance/two")
        .env("OCI_RESULTS_DIR", results)
        .envs(SWITCHED_ON.map(|name| (name, "true")))
        .stdin(Stdio::null())
        .stdout(output);
    let suite = command
        .spawn()
        .map_err(|error| format!("the suite did not start: {error}"))?;
    wait(suite)?;
    fs::read_to_string(&report).map_err(|error| format!("{}: {error}", report.display()))
}

/// Waits for the suite. Its status says the same as its report, and less.
fn wait(mut suite: Child) -> Result<(), String> {
    let started = Instant::now();
    while started.elapsed() < LIMIT {
        if suite.try_wait().map_err(|error| error.to_string())?.is_some() {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    end(&mut suite);
    Err(format!(
        "the suite did not end within {} seconds",
        LIMIT.as_secs()
    ))
}

/// Ends a process that is not needed any more; one that has ended by itself is as good.
fn end(child: &mut Child) {
    drop(child.kill());
    drop(child.wait());
}

/// The registry's process. Dropped, it ends.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts a registry on a free port of the loopback interface.
    fn start(layout: Option<&Path>) -> Result<Self, String> {
        let mut command = cargo("run");
        command
            .args(["--quiet", "--", "127.0.0.1:0"])
            .args(layout)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("the registry did not start: {error}"))?;
        match address(&mut child) {
            Some(address) => Ok(Self { child, address }),
            None => {
                end(&mut child);
                Err("the registry does not listen".to_owned())
            }
        }
    }
}

/// Reads the line by which the registry says where it listens.
fn address(child: &mut Child) -> Option<String> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    line.trim().strip_prefix("listening on ").map(str::to_owned)
}

impl Drop for Server {
    fn drop(&mut self) {
        // The registry ends with its standard input. Killing would end cargo only, and leave the registry.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Returns the part of the report that counts, without the list of every test.
fn summary(report: &str) -> &str {
    report
        .find("OCI Conformance Result")
        .map_or(report, |start| &report[start..])
}

/// Refuses a report in which anything failed or was left out, or that is not whole.
fn judge(report: &str) -> Result<(), String> {
    let lines: Vec<(&str, &str)> = summary(report).lines().filter_map(entry).collect();
    let value = |name| {
        lines
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| *value)
    };
    let passed = value("Pass").and_then(|count| count.parse().ok()).unwrap_or(0);
    if passed < LEAST {
        return Err(format!("only {passed} tests passed, of at least {LEAST}"));
    }
    if let Some(lost) = LANDMARKS.into_iter().find(|name| value(name).is_none()) {
        return Err(format!("the report says nothing about {lost}"));
    }
    let bad: Vec<_> = lines
        .iter()
        .filter(|line| !is_good(**line))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    if bad.is_empty() {
        Ok(())
    } else {
        Err(bad.join(", "))
    }
}

/// Reads a line such as `  Blob push.........: Pass`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("  ")?.split_once(':')?;
    Some((name.trim_end_matches('.'), value.trim()))
}

fn is_good((name, value): (&str, &str)) -> bool {
    match name {
        "Pass" | "Total" | "Disabled" => true,
        "Skip" | "FAIL" | "Error" => value == "0",
        SWITCHED_OFF => value == "Pass" || value == "Disabled",
        _ => value == "Pass",
    }
}

#[expect(clippy::print_stdout, reason = "the summary is what this command is run for")]
fn print(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failed: &str, push: &str) -> String {
        format!(
            "Test results\nOCI Conformance Result: Pass\n  Skip...: 0\n  Pass...: 986\n  FAIL...: {failed}\n  Error..: 0\n\n\
             API conformance:\n  Blob push...: {push}\n  Ping...: Pass\n  Referrers...: Pass\n\n\
             Data conformance:\n  Image...: Pass\n  Sparse Manifests...: Disabled\n"
        )
    }

    #[test]
    fn a_whole_report_without_failures_is_good() {
        assert_eq!(judge(&report("0", "Pass")), Ok(()));
    }

    #[test]
    fn what_failed_was_skipped_or_is_missing_is_named() {
        assert_eq!(
            judge(&report("2", "FAIL")),
            Err("FAIL: 2, Blob push: FAIL".to_owned())
        );
        assert_eq!(judge(&report("0", "Skip")), Err("Blob push: Skip".to_owned()));
        assert_eq!(
            judge(&report("0", "Disabled")),
            Err("Blob push: Disabled".to_owned())
        );
        let cut = report("0", "Pass").replace("Referrers", "Others");
        assert_eq!(
            judge(&cut),
            Err("the report says nothing about Referrers".to_owned())
        );
        assert_eq!(
            judge("panic"),
            Err("only 0 tests passed, of at least 900".to_owned())
        );
    }
}
