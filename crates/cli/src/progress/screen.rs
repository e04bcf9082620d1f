//! Where progress is drawn.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::{Loudness, Terminal, sanitise, shortened};

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

/// What a bar knows beside how far it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Bytes to send in all.
    pub(super) total: u64,
    /// Bytes that were sent each second of late.
    pub(super) per_second: u64,
}

impl Screen {
    pub(super) fn survey(terminal: &Terminal) -> Self {
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is well-formed");
        Self::new(terminal, || ProgressBar::new_spinner().with_style(style))
    }

    pub(super) fn execution(terminal: &Terminal, bytes: u64) -> Self {
        // The text is cut where a narrow terminal ends: a line that wraps can't be drawn over.
        let style =
            ProgressStyle::with_template("[{bar:20}] {wide_msg}").expect("the template is well-formed");
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
            Some(bar) => bar.println(shortened(&sanitise(text))),
            None => self.terminal.say(text),
        }
    }

    /// Says something that stays, to those who asked for more.
    pub(super) fn detail(&self, text: impl FnOnce() -> String) {
        if self.terminal.loudness() == Loudness::Verbose {
            self.line(&text());
        }
    }

    /// Shows how far it is: behind the bar, with what is sent each second, or as a line.
    pub(super) fn show(&self, sent: u64, bar: impl FnOnce(Rate) -> String, line: impl FnOnce() -> String) {
        match &self.bar {
            Some(shown) => {
                let total = shown.length().unwrap_or(sent);
                shown.set_position(sent.min(total));
                shown.set_message(bar(Rate {
                    total,
                    per_second: shown.per_sec() as u64,
                }));
                shown.tick();
            }
            None => self.terminal.say(&line()),
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
