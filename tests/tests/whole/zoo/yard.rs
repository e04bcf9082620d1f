//! Where the binary runs: a configuration of registries, and a layout.

use std::fmt::Write as _;
use std::path::PathBuf;

use testkit::binary::Sandbox;

/// Repositories of the zoo.
const REPOSITORIES: [&str; 7] = [
    "images",
    "indexes",
    "artifacts",
    "attached",
    "odd",
    "shared/one",
    "shared/two",
];

/// Mirrors of every repository of the zoo, from one place to others.
pub(super) fn mirrors(from: &str, to: &[&str]) -> String {
    let mut text = String::new();
    for repository in REPOSITORIES {
        let to: Vec<String> = to.iter().map(|to| format!("{to}/zoo/{repository}")).collect();
        let to = to.join(", ");
        writeln!(text, "  - {{ from: {from}/zoo/{repository}, to: [{to}] }}").expect("a string takes all");
    }
    text
}

/// A sandbox whose configuration knows the registries, and a layout `usb`.
pub(super) struct Yard {
    sandbox: Sandbox,
    declarations: String,
}

impl Yard {
    pub(super) fn new(registries: &[(&str, &str)]) -> Self {
        let mut declarations = "version: 1\nregistries:\n  usb: { layout: usb }\n".to_owned();
        for (name, host) in registries {
            writeln!(declarations, "  {name}: {{ host: \"{host}\", plain_http: true }}")
                .expect("a string takes all");
        }
        Self {
            sandbox: Sandbox::new(),
            declarations,
        }
    }

    pub(super) fn usb(&self) -> PathBuf {
        self.sandbox.path("usb")
    }

    /// Applies mirrors, and finds that nothing is left to do then.
    pub(super) async fn mirror(&self, mirrors: &str) {
        let text = format!("{}mirrors:\n{mirrors}", self.declarations);
        self.sandbox.write("transship.yaml", &text);
        let _ = self.sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
        let _ = self.sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        let _ = self.sandbox.run(&["verify"]).await.expect(0);
    }
}
