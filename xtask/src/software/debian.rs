//! Debian's packages.

use std::process::{Command, Stdio};

use super::{find, python};

/// The programs, which are also the names of Debian's packages.
const PROGRAMS: [&str; 2] = ["docker-registry", "skopeo"];

/// Without it, Debian's Python makes no environments.
const VENV: &str = "python3-venv";

pub(super) fn provide() {
    let missing = missing();
    if missing.is_empty() {
        println!("==> {} and {VENV} are installed", PROGRAMS.join(", "));
        return;
    }
    println!("==> missing: {}", missing.join(", "));
    if let Err(reason) = install(&missing) {
        println!("==> not installed: {reason}; the tests that need it will be skipped");
    }
}

fn missing() -> Vec<&'static str> {
    let mut missing: Vec<&str> = PROGRAMS.into_iter().filter(|name| find(name).is_none()).collect();
    if !python::makes_environments() {
        missing.push(VENV);
    }
    missing
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
