//! Remote text made fit to be printed.

/// The most of a remote text that is shown, in bytes.
const MAX: usize = 2 << 10;

/// Makes a remote text one line that can't steer a terminal: no control, bidirectional or invisible characters,
/// addresses without their queries (they may be signed), and at most 2 KiB.
pub fn printable(text: &str) -> String {
    let mut line = String::new();
    let mut address = Address::Outside;
    for character in text.chars() {
        let character = if character.is_whitespace() { ' ' } else { character };
        address = address.next(&line, character);
        if address == Address::Query || is_dangerous(character) || (character == ' ' && line.ends_with(' ')) {
            continue;
        }
        if line.len() + character.len_utf8() > MAX {
            line.push_str("...");
            break;
        }
        line.push(character);
    }
    line.trim().to_owned()
}

/// Where in an address a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    Outside,
    Inside,
    Query,
}

impl Address {
    fn next(self, before: &str, character: char) -> Self {
        let ends = matches!(character, ' ' | '"' | '\'' | '<' | '>' | '\\' | '`' | ')');
        match self {
            Self::Outside if character == '/' && before.ends_with(":/") => Self::Inside,
            Self::Inside | Self::Query if ends => Self::Outside,
            Self::Inside if character == '?' => Self::Query,
            state => state,
        }
    }
}

/// Returns true for characters that change how other text looks, or that can't be seen.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_dropped() {
        let text = "a\u{1b}[31mred\u{7}\u{9b}1m \u{202e}gnp\u{2066}\u{200b}.exe\u{feff}";
        assert_eq!(printable(text), "a[31mred1m gnp.exe");
    }

    #[test]
    fn lines_become_one() {
        assert_eq!(
            printable(" first\r\n\tsecond\u{2028}third\u{85}x \n"),
            "first second third x"
        );
    }

    #[test]
    fn the_query_of_an_address_is_dropped() {
        assert_eq!(
            printable(
                r#"see "https://s3.example/b?X-Amz-Signature=CANARY&x=1", why? http://h/?t=CANARY) end"#
            ),
            r#"see "https://s3.example/b", why? http://h/) end"#
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let cut = printable(&"\u{e9}".repeat(4000));
        assert!(cut.len() <= MAX + 3, "{}", cut.len());
        assert!(cut.ends_with("\u{e9}..."));
    }
}
