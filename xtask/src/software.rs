//! What the tests need and we did not write: looked for, and installed where that is allowed.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The programs, which are also the names of Debian's packages.
const NEEDED: [&str; 2] = ["docker-registry", "skopeo"];

/// Installs what is missing where it may; what stays missing is said, and left to the tests that need it.
pub(crate) fn provide() {
    let missing: Vec<&str> = NEEDED.into_iter().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        println!("==> {} are installed", NEEDED.join(" and "));
        return;
    }
    println!("==> missing: {}", missing.join(", "));
    if let Err(reason) = install(&missing) {
        println!("==> not installed: {reason}; the tests that need it will be skipped");
    }
}

fn install(packages: &[&str]) -> Result<(), String> {
    if find("apt-get").is_none() {
        return Err("this is no Debian, there is no apt-get".to_owned());
    }
    let root = privilege().ok_or("neither root nor sudo without a password")?;
    apt(root, &["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    apt(root, &arguments)
}

/// How apt-get is run as root: directly, or by sudo where that asks for no password.
fn privilege() -> Option<&'static [&'static str]> {
    let identity = Command::new("id").arg("-u").output().ok()?;
    if identity.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let sudo = Command::new("sudo")
        .args(["-n", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    sudo.is_ok_and(|status| status.success())
        .then_some(&["sudo", "-n"])
}

fn apt(privilege: &[&str], arguments: &[&str]) -> Result<(), String> {
    // `env` carries the variable through sudo, which drops its own.
    let mut words = privilege.to_vec();
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    words.extend(arguments);
    println!("==> {}", words.join(" "));
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("apt-get {}: {status}", arguments[0]))
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/bin".into()])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
