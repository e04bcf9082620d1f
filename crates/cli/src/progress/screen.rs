//! Where progress is drawn.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::{Loudness, Terminal, sanitise};

/// How often a bar moves.
const FRAME: Duration = Duration::from_millis(100);

/// How often a line sums up where there is no bar.
const SUMMARY: Duration = Duration::from_secs(5);

/// A bar on a terminal, or lines.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal,
    bar: Option<ProgressBar>,
}

impl Screen {
    pub(super) fn survey(terminal: &Terminal) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed");
        Self::new(terminal, || ProgressBar::new_spinner().with_style(style))
    }

    pub(super) fn execution(terminal: &Terminal, bytes: u64) -> Self {
        let template =
            "[{bar:30}] {binary_bytes} of {binary_total_bytes} sent, {binary_bytes_per_sec}  {msg}";
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        Self::new(terminal, || {
            ProgressBar::new(bytes).with_style(style.progress_chars("=> "))
        })
    }

    fn new(terminal: &Terminal, bar: impl FnOnce() -> ProgressBar) -> Self {
        Self {
            terminal: terminal.clone(),
            bar: terminal.draws().then(bar),
        }
    }

    /// Returns how often [`Screen::show`] is worth calling.
    pub(super) fn interval(&self) -> Duration {
        if self.bar.is_some() { FRAME } else { SUMMARY }
    }

    /// Says something that stays.
    pub(super) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(sanitise(text)),
            None => self.terminal.say(text),
        }
    }

    /// Says something that stays, to those who asked for more.
    pub(super) fn detail(&self, text: impl FnOnce() -> String) {
        if self.terminal.loudness() == Loudness::Verbose {
            self.line(&text());
        }
    }

    /// Shows how far it is: as the bar, or as a line.
    pub(super) fn show(
        &self,
        sent: u64,
        bar: impl FnOnce() -> String,
        line: impl FnOnce() -> Option<String>,
    ) {
        match &self.bar {
            Some(shown) => {
                shown.set_position(sent.min(shown.length().unwrap_or(sent)));
                shown.set_message(bar());
                shown.tick();
            }
            None => {
                if let Some(line) = line() {
                    self.terminal.say(&line);
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
