//! `login` and `logout`: what is kept is what skopeo reads too, and what is refused is not kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use loopback::{BearerOptions, Options, Registry};
use serde_json::{Value, json};
use testkit::binary::{Output, Sandbox, finish, transship};
use testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
use testkit::push::Direct;
use testkit::software::{Need, need, skopeo};
use tokio::io::AsyncWriteExt;

use crate::site::single;

/// Base64 of mirror:swordfish.
const PAIR: &str = "bWlycm9yOnN3b3JkZmlzaA==";

/// A registry with a password and an image in it.
async fn vault() -> Option<DockerRegistry> {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return None;
    }
    let vault = DockerRegistry::start_with(Access::Password).await;
    Direct::new(vault.host())
        .login(USERNAME, PASSWORD)
        .push("team/app", &single("v1", 1, 3_000))
        .await;
    Some(vault)
}

/// Runs a command with something on its standard input.
async fn fed(sandbox: &Sandbox, arguments: &[&str], input: &str) -> Output {
    let mut command = sandbox.command(arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A command that refuses its arguments does not read.
    let _unread = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    finish(child, arguments).await
}

async fn sign_in(sandbox: &Sandbox, host: &str) -> Output {
    let arguments = ["login", host, "-u", USERNAME, "--password-stdin"];
    fed(sandbox, &arguments, &format!("{PASSWORD}\n")).await
}

fn config(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.home().join(".docker/config.json")
}

fn document(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&fs::read(config(sandbox)).expect("the file was written"))
        .expect("the file is JSON")
}

fn prepare(sandbox: &Sandbox, text: &str) {
    fs::create_dir_all(sandbox.home().join(".docker")).expect("the home can be written");
    fs::write(config(sandbox), text).expect("the home can be written");
}

/// Puts a helper in shell on the path: it keeps one answer in a file beside it.
fn helper(sandbox: &mut Sandbox) -> std::path::PathBuf {
    let directory = sandbox.path("bin");
    fs::create_dir_all(&directory).expect("the sandbox can be written");
    let program = directory.join("docker-credential-box");
    let script = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$1" in
  store) cat > kept ;;
  get) cat > /dev/null; [ -f kept ] || { echo "credentials not found in native keychain"; exit 1; }; cat kept ;;
  erase) cat > /dev/null; rm -f kept ;;
esac
"#;
    fs::write(&program, script).expect("the sandbox can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the sandbox can be written");
    let path = std::env::var("PATH").unwrap_or_default();
    sandbox.set("PATH", &format!("{}:{path}", directory.display()));
    directory.join("kept")
}

#[tokio::test]
async fn what_is_kept_is_private_and_skopeo_and_we_sign_in_with_it() {
    let Some(vault) = vault().await else { return };
    let sandbox = Sandbox::new();
    let reference = format!("{}/team/app:v1", vault.host());
    let _ = sandbox.run(&["digest", &reference]).await.expect(77);
    let output = sign_in(&sandbox, vault.host()).await.expect(0);
    let output = output.says(&["Login succeeded", USERNAME, "not encrypted"]);
    for secret in [PASSWORD, PAIR] {
        assert!(!format!("{}{}", output.stdout, output.stderr).contains(secret));
    }
    assert_eq!(
        document(&sandbox),
        json!({ "auths": { vault.host(): { "auth": PAIR } } })
    );
    let mode = fs::metadata(config(&sandbox))
        .expect("the file is there")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let _ = sandbox.run(&["digest", &reference]).await.expect(0);
    let authfile = config(&sandbox).display().to_string();
    let read = skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        "--authfile",
        &authfile,
        &format!("docker://{reference}"),
    ])
    .await;
    let direct = Direct::new(vault.host()).login(USERNAME, PASSWORD);
    let stands = direct.manifest("team/app", "v1").await.expect("it was pushed");
    assert_eq!(read, stands.bytes);
}

#[tokio::test]
async fn a_refused_password_is_77_and_nothing_is_written() {
    let Some(vault) = vault().await else { return };
    let sandbox = Sandbox::new();
    let arguments = ["login", vault.host(), "-u", USERNAME, "--password-stdin"];
    let output = fed(&sandbox, &arguments, "mackerel").await.expect(77);
    assert!(!output.stderr.contains("mackerel"), "{}", output.stderr);
    assert!(!config(&sandbox).exists());
    let before = r#"{ "auths": { "other.example": {} } }"#;
    prepare(&sandbox, before);
    let _ = fed(&sandbox, &arguments, "mackerel").await.expect(77);
    assert_eq!(fs::read_to_string(config(&sandbox)).expect("it is there"), before);
}

#[tokio::test]
async fn a_password_on_the_command_line_works_and_is_warned_of() {
    let Some(vault) = vault().await else { return };
    let sandbox = Sandbox::new();
    let arguments = [
        "login",
        vault.host(),
        "-u",
        USERNAME,
        "-p",
        PASSWORD,
        "--authfile",
        "auth.json",
    ];
    let output = sandbox.run(&arguments).await.expect(0);
    let _ = output.warns(&["warning: ", "--password-stdin"]);
    assert!(sandbox.read("auth.json").contains(PAIR));
    assert!(!config(&sandbox).exists());
}

#[tokio::test]
async fn without_a_terminal_the_flags_are_asked_for() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["login", "127.0.0.1:1"]).await.expect(64);
    let _ = output.warns(&["--username"]);
    let output = sandbox.run(&["login", "127.0.0.1:1", "-u", "u"]).await.expect(64);
    let _ = output.warns(&["--password-stdin"]);
    for host in ["127.0.0.1:1/team", "nowhere"] {
        let _ = sandbox
            .run(&["login", host, "-u", "u", "-p", "p"])
            .await
            .expect(64);
    }
}

/// Waits for each question before it answers.
const PERSON: &str = r#"
import os, pty, signal, sys, termios, time
signal.alarm(60)
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
def wait(text):
    global seen
    while text not in seen:
        seen += os.read(fd, 1024)
wait(b"User name"); os.write(fd, b"mirror\n")
wait(b"Password of mirror: ")
# A person types once what is typed is not shown any more; what came before is thrown away.
while termios.tcgetattr(fd)[3] & termios.ECHO:
    time.sleep(0.01)
os.write(fd, b"swordfish\n")
try:
    while True:
        more = os.read(fd, 1024)
        if not more: break
        seen += more
except OSError:
    pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[tokio::test]
async fn on_a_terminal_a_person_is_asked_and_the_password_is_not_shown() {
    if need("python3") == Need::Skip {
        return;
    }
    let Some(vault) = vault().await else { return };
    let sandbox = Sandbox::new();
    let mut command = tokio::process::Command::new("python3");
    let output = command
        .args(["-c", PERSON])
        .arg(transship())
        .args(["login", vault.host()])
        .env("HOME", sandbox.home())
        .env("DOCKER_CONFIG", sandbox.home().join(".docker"))
        .kill_on_drop(true)
        .output()
        .await
        .expect("python can be run");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("Login succeeded") && !shown.contains(PASSWORD),
        "{shown}"
    );
    assert_eq!(document(&sandbox)["auths"][vault.host()]["auth"], PAIR);
}

#[tokio::test]
async fn a_helper_that_the_file_names_keeps_the_password() {
    let Some(vault) = vault().await else { return };
    let mut sandbox = Sandbox::new();
    let kept = helper(&mut sandbox);
    prepare(&sandbox, r#"{"credsStore":"box","x":1}"#);
    let output = sign_in(&sandbox, vault.host()).await.expect(0);
    let _ = output.says(&["docker-credential-box"]);
    let held: Value = serde_json::from_slice(&fs::read(&kept).expect("the helper was asked")).expect("JSON");
    assert_eq!(
        held,
        json!({ "ServerURL": vault.host(), "Username": USERNAME, "Secret": PASSWORD })
    );
    let text = fs::read_to_string(config(&sandbox)).expect("it is there");
    assert!(
        !text.contains(PAIR) && text.find("credsStore") < text.find("\"x\""),
        "{text}"
    );
    assert_eq!(document(&sandbox)["auths"], json!({ vault.host(): {} }));
    let reference = format!("{}/team/app:v1", vault.host());
    let _ = sandbox.run(&["digest", &reference]).await.expect(0);
    let output = sandbox.run(&["logout", vault.host()]).await.expect(0);
    let _ = output.says(&["Logged out", "docker-credential-box"]);
    assert!(!kept.exists());
    assert_eq!(
        document(&sandbox),
        json!({ "credsStore": "box", "x": 1, "auths": {} })
    );
    let _ = sandbox.run(&["digest", &reference]).await.expect(77);
}

#[tokio::test]
async fn logging_out_takes_the_entry_and_says_what_else_there_is() {
    let Some(vault) = vault().await else { return };
    let sandbox = Sandbox::new();
    let _ = sign_in(&sandbox, vault.host()).await.expect(0);
    let arguments = [
        "login",
        vault.host(),
        "-u",
        USERNAME,
        "--password-stdin",
        "--authfile",
    ];
    let other = sandbox.home().join(".config/containers/auth.json");
    let path = other.display().to_string();
    let _ = fed(&sandbox, &[&arguments[..], &[&path]].concat(), PASSWORD)
        .await
        .expect(0);
    let output = sandbox.run(&["logout", vault.host()]).await.expect(0);
    let _ = output.says(&["Logged out"]).warns(&["containers/auth.json"]);
    assert_eq!(document(&sandbox), json!({ "auths": {} }));
    let output = sandbox
        .run(&["logout", vault.host(), "--authfile", &path])
        .await
        .expect(0);
    let output = output.says(&["Logged out"]);
    assert_eq!(output.stderr, "");
    let output = sandbox.run(&["logout", vault.host()]).await.expect(0);
    let _ = output.says(&["has no credential for"]);
    let reference = format!("{}/team/app:v1", vault.host());
    let _ = sandbox.run(&["digest", &reference]).await.expect(77);
}

#[tokio::test]
async fn a_file_that_can_not_be_read_is_left_as_it_is() {
    let sandbox = Sandbox::new();
    prepare(&sandbox, "{ not JSON");
    let arguments = ["login", "127.0.0.1:1", "-u", "u", "-p", "CANARY"];
    let output = sandbox.run(&arguments).await.expect(1);
    assert!(!output.stderr.contains("CANARY"), "{}", output.stderr);
    let text = fs::read_to_string(config(&sandbox)).expect("it is there");
    assert_eq!(text, "{ not JSON");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_issues_tokens_tells_whether_the_password_is_right() {
    let options = Options {
        basic_auth: Some((USERNAME.to_owned(), PASSWORD.to_owned())),
        bearer: Some(BearerOptions::default()),
        ..Options::default()
    };
    let server = serve(options).await;
    let sandbox = Sandbox::new();
    let arguments = ["login", &server.host(), "-u", USERNAME, "--password-stdin"];
    let _ = fed(&sandbox, &arguments, "mackerel").await.expect(77);
    assert!(!config(&sandbox).exists());
    let output = sign_in(&sandbox, &server.host()).await.expect(0);
    assert_eq!(output.stderr, "");
    assert_eq!(document(&sandbox)["auths"][server.host()]["auth"], PAIR);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_asks_for_nothing_proves_nothing() {
    let server = serve(Options::default()).await;
    let sandbox = Sandbox::new();
    let output = sign_in(&sandbox, &server.host()).await.expect(0);
    let _ = output.warns(&["warning: ", "asks nobody to sign in"]);
}

async fn serve(options: Options) -> loopback::Server {
    let registry = Registry::in_memory().with_options(options);
    let server = registry.serve(([127, 0, 0, 1], 0).into()).await;
    server.expect("a loopback port is free")
}
