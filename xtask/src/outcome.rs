//! What the test binaries said, added up line by line.

use std::collections::BTreeSet;
use std::fmt;

/// The sums over all test binaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    passed: usize,
    failed: usize,
    ignored: usize,
    binaries: usize,
    skipped: BTreeSet<String>,
}

impl Outcome {
    /// Takes note of one line of output: `test result: ...`, `SKIPPED: ...`, or nothing of interest.
    pub(crate) fn hear(&mut self, line: &str) {
        if let Some(reason) = line.split_once("SKIPPED: ").map(|(_, reason)| reason) {
            self.skipped.insert(reason.trim().to_owned());
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.binaries += 1;
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
            self.ignored += number_before(result, " ignored");
        }
    }

    /// Adds what another stream said.
    pub(crate) fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.binaries += other.binaries;
        self.skipped.extend(other.skipped);
    }

    /// Says what each skipped test missed.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = &str> {
        self.skipped.iter().map(String::as_str)
    }

    /// Returns how many tests proved nothing: a test that skips itself, and one that is ignored.
    pub(crate) fn skips(&self) -> usize {
        self.skipped.len() + self.ignored
    }

    /// Returns true where not one test ran.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed + self.failed == 0
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The harness knows no skipping: a test that skips itself has passed there.
        let passed = self.passed.saturating_sub(self.skipped.len());
        write!(
            f,
            "{passed} passed, {} failed, {} skipped",
            self.failed,
            self.skips()
        )
    }
}

fn number_before(text: &str, word: &str) -> usize {
    text.split(word)
        .next()
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn results_are_added_up_and_skips_are_no_passes() {
        let mut outcome = Outcome::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "SKIPPED: real::copies: skopeo is not installed",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            outcome.hear(line);
        }
        assert_eq!(outcome.to_string(), "7 passed, 2 failed, 2 skipped");
    }

    #[test]
    fn a_skip_in_the_middle_of_a_line_of_the_harness_is_heard() {
        let mut outcome = Outcome::default();
        outcome.hear("test real::copies ... SKIPPED: real::copies: skopeo is not installed");
        outcome.hear("SKIPPED: real::copies: skopeo is not installed");
        assert_eq!(outcome.skips(), 1);
    }

    #[test]
    fn two_streams_add_up() {
        let mut first = Outcome::default();
        first.hear("test result: ok. 3 passed; 0 failed; 0 ignored");
        let mut second = Outcome::default();
        second.hear("SKIPPED: x: y");
        first.merge(second);
        assert_eq!(first.to_string(), "2 passed, 0 failed, 1 skipped");
        assert!(!first.is_empty());
    }
}
