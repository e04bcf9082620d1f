//! Digests.

use std::sync::LazyLock;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use regex::Regex;
use transship_oci::{Algorithm, Digest, Hasher, ParseDigestError};

use crate::common::{config, huge};

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC_512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
    2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

static DIGESTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\z").unwrap());

fn hex_error(algorithm: Algorithm, expected: usize) -> ParseDigestError {
    ParseDigestError::Hex { algorithm, expected }
}

#[test]
fn digests_are_those_of_the_published_test_vectors() {
    assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
    assert_eq!(Digest::of(Algorithm::Sha512, b"abc").to_string(), ABC_512);
}

#[test]
fn the_short_form_keeps_twelve_digits() {
    assert_eq!(Digest::sha256(b"").short(), "sha256:e3b0c44298fc");
}

#[test]
fn what_is_not_exactly_a_digest_is_refused() {
    let hex = &EMPTY[7..];
    let sha256 = Err(hex_error(Algorithm::Sha256, 64));
    for text in [
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("sha256: {}", &hex[1..]),
        format!("sha256:{hex}\n"),
        format!("sha256:0x{}", &hex[2..]),
        format!("sha256:{}é", &hex[2..]),
        format!("sha256::{}", &hex[1..]),
        format!("sha256:{}", &ABC_512[7..]),
        "sha256:".to_owned(),
        "sha256:../../x".to_owned(),
        format!("sha256:{}", "../".repeat(21) + "x"),
    ] {
        assert_eq!(text.parse::<Digest>(), sha256, "{text}");
    }
    assert_eq!(
        format!("sha512:{hex}").parse::<Digest>(),
        Err(hex_error(Algorithm::Sha512, 128))
    );
    for text in ["", "sha256", hex, "sha256-e3b0"] {
        assert_eq!(text.parse::<Digest>(), Err(ParseDigestError::Shape), "{text}");
    }
    for algorithm in [
        "",
        "SHA256",
        "Sha256",
        "sha1",
        "md5",
        "blake3",
        "sha256+b64u",
        " sha256",
        "../sha256",
    ] {
        let text = format!("{algorithm}:{hex}");
        assert_eq!(text.parse::<Digest>(), Err(ParseDigestError::Algorithm), "{text}");
    }
}

#[test]
fn ten_megabytes_are_refused_without_an_echo() {
    for text in [
        huge("a"),
        huge(":"),
        huge("é"),
        format!("sha256:{}", huge("0")),
        format!("sha512:{}", huge("f")),
    ] {
        let error = text.parse::<Digest>().unwrap_err();
        assert!(error.to_string().len() < 100);
        assert!(
            serde_json::from_value::<Digest>(text.into())
                .unwrap_err()
                .to_string()
                .len()
                < 100
        );
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_digest_reads_back_from_its_text_and_its_json(bytes: Vec<u8>, long: bool) {
        let digest = Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, &bytes);
        prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest.clone()));
        let json = serde_json::to_string(&digest).unwrap();
        prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn hashing_in_pieces_is_hashing_the_whole(pieces: Vec<Vec<u8>>) {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let mut hasher = Hasher::new(algorithm);
            pieces.iter().for_each(|piece| hasher.update(piece));
            prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &pieces.concat()));
        }
    }

    #[test]
    fn digests_order_as_their_texts(a: Vec<u8>, b: Vec<u8>, long in any::<(bool, bool)>()) {
        let of = |long, bytes| Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, bytes);
        let (a, b) = (of(long.0, &a), of(long.1, &b));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn a_text_that_parses_is_the_digests_own(text in "(sha256|sha512|sha1)?:?[0-9a-gA-F]{0,3}([0-9a-f]{62,65}|[0-9a-f]{126,129})") {
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text.as_str());
            prop_assert_eq!(digest.hex().len(), digest.as_bytes().len() * 2);
        }
        prop_assert_eq!(text.parse::<Digest>().is_ok(), DIGESTS.is_match(&text));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        prop_assert!(text.parse::<Digest>().is_err());
    }
}
