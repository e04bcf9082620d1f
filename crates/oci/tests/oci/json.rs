//! Strict JSON.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};
use transship_oci::read_json;

use crate::common::{config, huge};

fn read(text: &str) -> Result<Value, String> {
    read_json(text.as_bytes()).map_err(|error| error.to_string())
}

/// Wraps a text in arrays and objects, one for each flag.
fn wrapped(mut text: String, in_array: &[bool]) -> String {
    for &array in in_array {
        text = if array {
            format!("[0,{text}]")
        } else {
            format!(r#"{{"x":{text}}}"#)
        };
    }
    text
}

#[test]
fn a_document_nests_at_most_64_deep() {
    let nested = |open: &str, inner: &str, close: &str, depth| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    assert!(read(&nested("[", "", "]", 64)).is_ok());
    assert!(
        read(&nested("[", "", "]", 65))
            .unwrap_err()
            .contains("nested too deeply")
    );
    assert!(read(&nested(r#"{"a":"#, "1", "}", 64)).is_ok());
    assert!(
        read(&nested(r#"{"a":"#, "1", "}", 65))
            .unwrap_err()
            .contains("nested too deeply")
    );
    assert!(read(&huge("[")).unwrap_err().contains("nested too deeply"));
}

#[test]
fn a_key_stands_once_however_it_is_spelled() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"":1,"":2}"#,
        r#"[[{"x":{"a":{},"a":[]}}]]"#,
    ] {
        assert!(read(text).unwrap_err().contains("a key stands twice"), "{text}");
    }
    assert_eq!(
        read(r#"{"a":{"a":1},"A":{"a":2}}"#),
        Ok(json!({"a": {"a": 1}, "A": {"a": 2}}))
    );
}

#[test]
fn nothing_may_follow_the_document() {
    for text in ["{} {}", "{},", "1 2", "[]x", "{}\0"] {
        assert!(
            read(text).unwrap_err().contains("trailing characters"),
            "{text:?}"
        );
    }
    assert_eq!(read(" {}\r\n\t"), Ok(json!({})));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "{'a':1}",
        r#"{"a":1,}"#,
        "[1,]",
        "// x\n{}",
        "NaN",
        "01",
        "+1",
        "\u{feff}{}",
        r#""\ud800""#,
        "1e999",
    ] {
        assert!(read(text).is_err(), "{text:?}");
    }
    assert!(read_json(b"\"\xff\"").is_err());
}

#[test]
fn an_error_is_short_however_long_the_document_is() {
    let error = serde_json::from_value::<u64>(huge("é").into()).unwrap_err();
    let message = transship_oci::JsonError::from(error).to_string();
    assert!(message.len() <= 203 && message.ends_with("..."), "{message}");
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_duplicate_key_is_found_at_any_depth(in_array in proptest::collection::vec(any::<bool>(), 0..60)) {
        let twice = wrapped(r#"{"a":1,"b":2,"a":3}"#.to_owned(), &in_array);
        let once = wrapped(r#"{"a":1,"b":2,"c":3}"#.to_owned(), &in_array);
        prop_assert!(read(&twice).is_err());
        prop_assert!(read(&once).is_ok());
    }

    #[test]
    fn strict_reading_agrees_with_lenient_reading(bytes in proptest::collection::vec(proptest::sample::select(br#"{}[]":,0a1-.e tn\u"#.to_vec()), 0..24)) {
        if let Ok(strict) = read_json(&bytes) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), strict);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        prop_assert_eq!(read_json(&bytes).is_ok(), serde_json::from_slice::<Value>(&bytes).is_ok());
    }
}
