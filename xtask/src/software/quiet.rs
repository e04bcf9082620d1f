//! Commands that are heard only where they fail.

use std::process::{Command, Stdio};

/// Runs a command; where it fails, the last of its complaints is the error.
pub(super) fn quiet(command: &mut Command) -> Result<(), String> {
    heard(command).map(drop)
}

/// Runs a command as [`quiet`] does, and returns what it printed.
pub(super) fn heard(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(complaint(&String::from_utf8_lossy(&said)).unwrap_or_else(|| format!("{program}: {}", output.status)))
}

fn complaint(said: &str) -> Option<String> {
    let mut lines = said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next();
    lines
        .find_map(|line| line.strip_prefix("ERROR: "))
        .or(last)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn the_last_error_is_the_complaint() {
        let said =
            "ERROR: Could not find a version\nERROR: No matching distribution found for moto\nnotice\n";
        assert_eq!(
            complaint(said).as_deref(),
            Some("No matching distribution found for moto")
        );
        assert_eq!(
            complaint("no ERROR\n\nensurepip\n\n").as_deref(),
            Some("ensurepip")
        );
        assert_eq!(complaint("\n"), None);
    }
}
