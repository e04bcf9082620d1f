//! `delete`: a tag alone where the registry can, a manifest with its tags, and nothing silently.

use loopback::{Options, Registry, Server};
use testkit::binary::{Sandbox, transship};
use testkit::image::{Content, Family};
use testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
use testkit::push::Direct;
use testkit::software::{Need, need, skopeo, skopeo_raw};

/// One image under two tags, and another.
fn content() -> Content {
    let mut content = Content::new();
    for (tags, seed) in [(&["v1", "latest"][..], 1), (&["v2"], 2)] {
        let layer = content.layer(Family::Oci, seed, 3_000);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        for tag in tags {
            content.tag(tag, &image);
        }
    }
    content
}

fn digest_of(content: &Content, tag: &str) -> String {
    content.tags[&tag.parse().expect("a tag")].to_string()
}

async fn serve(options: Options) -> (Server, Direct) {
    let registry = Registry::in_memory().with_options(options);
    let server = registry.serve(([127, 0, 0, 1], 0).into()).await;
    let server = server.expect("a loopback port is free");
    let direct = Direct::new(&server.host());
    direct.push("team/app", &content()).await;
    (server, direct)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_goes_alone_where_the_registry_can() {
    let (server, direct) = serve(Options::default()).await;
    let reference = format!("{}/team/app:v1", server.host());
    let output = Sandbox::new()
        .run(&["delete", "--yes", &reference])
        .await
        .expect(0);
    let output = output.says(&[
        &format!("Deleted the tag {reference}"),
        &format!("team/app@{}", digest_of(&content(), "v1")),
    ]);
    assert_eq!(output.stderr, "");
    assert_eq!(
        direct.tags("team/app").await,
        ["latest", "v2"].map(str::to_owned).into()
    );
    let output = Sandbox::new()
        .run(&["delete", "--yes", &reference])
        .await
        .expect(1);
    let _ = output.warns(&["there is no"]);
}

#[tokio::test]
async fn a_registry_that_can_not_says_so_and_names_what_else_would_go() {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return;
    }
    let registry = DockerRegistry::start_with(Access::Password).await;
    let direct = Direct::new(registry.host()).login(USERNAME, PASSWORD);
    direct.push("team/app", &content()).await;
    let sandbox = Sandbox::new();
    let creds = format!("{USERNAME}:{PASSWORD}");
    let reference = format!("{}/team/app:v1", registry.host());
    let output = sandbox
        .run(&["delete", "--yes", "--creds", &creds, &reference])
        .await
        .expect(1);
    let by_digest = format!("{}/team/app@{}", registry.host(), digest_of(&content(), "v1"));
    let _ = output.warns(&["can't delete a tag alone", &by_digest, "tags latest, v1"]);
    assert_eq!(direct.tags("team/app").await.len(), 3);

    let output = sandbox
        .run(&["delete", "--yes", "--creds", &creds, &by_digest])
        .await
        .expect(0);
    let _ = output.says(&["Deleted the manifest", "tags latest, v1"]);
    let place = format!("docker://{}/team/app", registry.host());
    let listed = skopeo(&["list-tags", "--tls-verify=false", "--creds", &creds, &place]).await;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    assert!(
        listed.contains("v2") && !listed.contains("v1") && !listed.contains("latest"),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_deletes_nothing_says_so() {
    let (server, direct) = serve(Options {
        delete: false,
        ..Options::default()
    })
    .await;
    let host = server.host();
    let sandbox = Sandbox::new();
    let by_digest = format!("{host}/team/app@{}", digest_of(&content(), "v2"));
    let output = sandbox.run(&["delete", "--yes", &by_digest]).await.expect(1);
    let _ = output.warns(&["405", "deletes nothing"]);
    let output = sandbox
        .run(&["delete", "--yes", &format!("{host}/team/app:v2")])
        .await
        .expect(1);
    let _ = output.warns(&["can't delete a tag alone", &by_digest, "its tag v2"]);
    assert_eq!(direct.tags("team/app").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_deleted_without_a_yes() {
    let (server, direct) = serve(Options::default()).await;
    let reference = format!("{}/team/app:v1", server.host());
    let output = Sandbox::new().run(&["delete", &reference]).await.expect(64);
    let _ = output.warns(&["--yes"]);
    let bare = format!("{}/team/app", server.host());
    let _ = Sandbox::new().run(&["delete", "--yes", &bare]).await.expect(64);
    assert_eq!(direct.tags("team/app").await.len(), 3);
}

/// Answers the question with its first argument once it is asked.
const PERSON: &str = r#"
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
while b"accepted: " not in seen:
    seen += os.read(fd, 4096)
os.write(fd, sys.argv[1].encode() + b"\n")
try:
    while True:
        more = os.read(fd, 4096)
        if not more: break
        seen += more
except OSError:
    pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_only_yes_deletes() {
    if need("python3") == Need::Skip {
        return;
    }
    let (server, direct) = serve(Options::default()).await;
    let by_digest = format!("{}/team/app@{}", server.host(), digest_of(&content(), "v1"));
    for (answer, code, left) in [("y", 1, 3), ("yes", 0, 1)] {
        let mut command = tokio::process::Command::new("python3");
        let output = command
            .args(["-c", PERSON, answer])
            .arg(transship())
            .args(["delete", &by_digest])
            .kill_on_drop(true)
            .output()
            .await
            .expect("python can be run");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert!(shown.contains("and its tags latest, v1"), "{shown}");
        assert_eq!(direct.tags("team/app").await.len(), left, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_entry_of_a_layout_goes_and_its_blobs_stay() {
    if need("skopeo") == Need::Skip {
        return;
    }
    let (server, _direct) = serve(Options::default()).await;
    let sandbox = Sandbox::new();
    for tag in ["v1", "v2"] {
        let from = format!("{}/team/app:{tag}", server.host());
        let _ = sandbox
            .run(&["copy", &from, &format!("oci:kept:{tag}")])
            .await
            .expect(0);
    }
    let output = sandbox.run(&["delete", "--yes", "oci:kept:v1"]).await.expect(0);
    let _ = output.says(&["Deleted the tag oci:kept:v1", "stay in the layout"]);
    let content = content();
    let blob = |tag: &str| {
        sandbox
            .path("kept/blobs/sha256")
            .join(&digest_of(&content, tag)["sha256:".len()..])
    };
    assert!(blob("v1").exists());
    let output = sandbox.run(&["tags", "oci:kept"]).await.expect(0);
    assert_eq!(output.stdout, "v2\n");
    let rest = format!("oci:{}:v2", sandbox.path("kept").display());
    let read = skopeo(&["inspect", "--raw", &rest]).await;
    assert_eq!(read, skopeo_raw(&server.host(), "team/app", "v2").await);
    let by_digest = format!("oci:kept@{}", digest_of(&content, "v2"));
    let output = sandbox.run(&["delete", "--yes", &by_digest]).await.expect(0);
    let _ = output.says(&["and its tag v2", "Blobs stay"]);
    let output = sandbox.run(&["tags", "oci:kept"]).await.expect(0);
    assert_eq!(output.stdout, "");
    let _ = sandbox.run(&["delete", "--yes", "oci:kept:v2"]).await.expect(1);
    let _ = sandbox
        .run(&["delete", "--yes", "oci:nowhere:v2"])
        .await
        .expect(1);
    assert!(!sandbox.path("nowhere").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_of_a_layout_is_found_in_its_repositories_and_goes_from_all_of_them() {
    let (server, direct) = serve(Options::default()).await;
    let sandbox = Sandbox::new();
    let from = format!("{}/team/app:v1", server.host());
    for file in ["oci:kept", "oci-archive:kept.tar"] {
        let places = ["a:v1", "a:v1-b", "b/c:v2"].map(|name| format!("{file}:{name}"));
        let [one, two, three] = &places;
        let _ = sandbox.run(&["copy", &from, one, two, three]).await.expect(0);
        let other = format!("{}/team/app:v2", server.host());
        let rest = format!("{file}:b/c:rest");
        let _ = sandbox.run(&["copy", &other, &rest]).await.expect(0);
        let digest = digest_of(&content(), "v1");
        let by_digest = format!("{file}@{digest}");
        let named = format!("{file}:b/c@{digest}");
        for (source, target) in [(&by_digest, "whole"), (&named, "named")] {
            let target = format!("{}/back/{target}:{}", server.host(), file.len());
            let _ = sandbox.run(&["copy", source, &target]).await.expect(0);
        }
        let back = direct.manifest("back/whole", &file.len().to_string()).await;
        assert_eq!(back.map(|back| back.digest.to_string()), Some(digest));
        let output = sandbox.run(&["delete", "--yes", &by_digest]).await.expect(0);
        let _ = output.says(&["and its tags a:v1, a:v1-b, b/c:v2"]);
        let output = sandbox.run(&["tags", file]).await.expect(0);
        assert_eq!(output.stdout, "b/c:rest\n");
    }
}
