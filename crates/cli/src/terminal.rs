//! The terminal: data to standard output, talk to standard error, and no tricks by remote text.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loudness {
    /// Errors alone.
    Quiet,
    /// What a person wants to follow.
    Normal,
    /// More than that.
    Verbose,
}

/// Where words go, and whether they have colour.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    loudness: Loudness,
    colour_out: bool,
    colour_err: bool,
    /// Whether people read standard output.
    out_is_terminal: bool,
    /// Whether people read standard error, so that bars can be drawn and digests are shortened.
    err_is_terminal: bool,
}

impl Terminal {
    /// Looks at where the streams go. `NO_COLOR` decides over any terminal.
    pub(crate) fn new(loudness: Loudness, no_colour: bool) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            loudness,
            colour_out: out && !no_colour,
            colour_err: err && !no_colour,
            out_is_terminal: out,
            err_is_terminal: err,
        }
    }

    /// Returns how much is said.
    pub(crate) fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// Returns true where data and talk meet on one screen.
    pub(crate) fn shows_both(&self) -> bool {
        self.out_is_terminal && self.err_is_terminal
    }

    /// Returns true where progress bars can be drawn.
    pub(crate) fn draws(&self) -> bool {
        self.err_is_terminal && self.loudness > Loudness::Quiet
    }

    /// Writes data to standard output as it is.
    ///
    /// # Errors
    /// Whatever the stream answers, but for a reader that went away: that ends the output and is no failure.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes to standard output as they are.
    ///
    /// # Errors
    /// As [`Terminal::data`].
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Writes text for people to standard output: remote tricks taken out, lines of a plan coloured.
    ///
    /// # Errors
    /// As [`Terminal::data`].
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        self.data(&paint(&sanitise(text), self.colour_out))
    }

    /// Writes text for people to standard output as [`Terminal::text`] does; on a terminal digests are shortened.
    ///
    /// # Errors
    /// As [`Terminal::data`].
    pub(crate) fn brief(&self, text: &str) -> io::Result<()> {
        if self.out_is_terminal {
            self.text(&shortened(text))
        } else {
            self.text(text)
        }
    }

    /// Says something on standard error, unless told to be quiet.
    pub(crate) fn say(&self, text: &str) {
        if self.loudness > Loudness::Quiet {
            self.error(text);
        }
    }

    /// Says something on standard error in any case.
    pub(crate) fn error(&self, text: &str) {
        let clean = sanitise(text);
        let clean = if self.err_is_terminal {
            shortened(&clean)
        } else {
            clean
        };
        let painted = paint(&clean, self.colour_err);
        let mut err = io::stderr().lock();
        // Where standard error is gone, nobody is left to be told.
        let _ = err
            .write_all(painted.as_bytes())
            .and_then(|()| err.write_all(b"\n"));
    }

    /// Asks on standard error and leaves the cursor behind the question.
    pub(crate) fn ask(&self, question: &str) {
        let mut err = io::stderr().lock();
        let _ = err
            .write_all(sanitise(question).as_bytes())
            .and_then(|()| err.flush());
    }
}

/// Replaces what could move the cursor, change colours or reverse the reading order by its escape.
///
/// Line feeds and tabs stay. Covers the C0 and C1 controls, DEL, the bidirectional controls and zero-width characters (CWE-150).
pub(crate) fn sanitise(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if !matches!(c, '\n' | '\t') && (c.is_control() || is_invisible(c)) {
            let _ = write!(clean, "{}", c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Shortens every digest to the 12 digits that people compare.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 12;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices("sha") {
        let Some(name @ ("sha256:" | "sha512:")) = text.get(at..at + 7) else {
            continue;
        };
        let start = at + name.len();
        let digits = text[start..].bytes().take_while(u8::is_ascii_hexdigit);
        let digits = digits.count();
        if matches!(digits, 64 | 128) {
            out.push_str(&text[copied..start + SHOWN]);
            copied = start + digits;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Colours whole lines by what they begin with.
fn paint(text: &str, colour: bool) -> String {
    if !colour {
        return text.to_owned();
    }
    text.split_inclusive('\n').map(paint_line).collect()
}

fn paint_line(line: &str) -> String {
    let Some(code) = line_colour(line.trim_start()) else {
        return line.to_owned();
    };
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    format!("\x1b[{code}m{body}\x1b[0m{end}")
}

fn line_colour(line: &str) -> Option<&'static str> {
    const GREEN: &str = "32";
    const YELLOW: &str = "33";
    const RED: &str = "31";
    const BOLD: &str = "1";
    let starts = [
        ("+ ", GREEN),
        ("~ ", YELLOW),
        ("- ", RED),
        ("! ", RED),
        ("error:", RED),
        ("hint:", YELLOW),
        ("warning:", YELLOW),
        ("Plan:", BOLD),
        ("No changes.", BOLD),
        ("$ ", BOLD),
    ];
    starts
        .iter()
        .find(|(start, _)| line.starts_with(start))
        .map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_from_a_registry_are_shown_and_not_obeyed() {
        assert_eq!(
            sanitise("a\x1b[2Jb\u{202e}c\r\u{9b}\nd"),
            "a\\u{1b}[2Jb\\u{202e}c\\u{d}\\u{9b}\nd"
        );
    }

    #[test]
    fn plain_text_in_any_language_is_left_alone() {
        assert_eq!(sanitise("größer → 大きい"), "größer → 大きい");
    }

    #[test]
    fn people_see_the_first_digits_of_a_digest() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(
            shortened(&format!("a@{digest} is not {digest}, nor sha256:abc")),
            "a@sha256:0123456789ab is not sha256:0123456789ab, nor sha256:abc"
        );
    }

    #[test]
    fn lines_of_a_plan_have_the_colour_of_their_sign() {
        assert_eq!(paint("+ a:1\nrest\n", true), "\x1b[32m+ a:1\x1b[0m\nrest\n");
    }

    #[test]
    fn without_colour_text_passes_unchanged() {
        assert_eq!(paint("! a: gone\n", false), "! a: gone\n");
    }
}
