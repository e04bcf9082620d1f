//! Tags made from digests.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use transship_oci::{Algorithm, AttachmentTag, CosignKind, Digest, Tag};

use crate::common::config;

fn scheme(text: &str) -> Option<AttachmentTag> {
    AttachmentTag::scheme(&text.parse::<Tag>().unwrap())
}

#[test]
fn the_tags_of_a_subject_are_made_from_its_digest() {
    let subject = Digest::sha256(b"");
    let tag = |scheme: AttachmentTag| scheme.of(&subject).to_string();
    let hex = subject.hex();
    assert_eq!(tag(AttachmentTag::Fallback), format!("sha256-{hex}"));
    assert_eq!(
        tag(AttachmentTag::Cosign(CosignKind::Signature)),
        format!("sha256-{hex}.sig")
    );
    assert_eq!(
        tag(AttachmentTag::Cosign(CosignKind::Attestation)),
        format!("sha256-{hex}.att")
    );
    assert_eq!(
        tag(AttachmentTag::Cosign(CosignKind::Sbom)),
        format!("sha256-{hex}.sbom")
    );
}

#[test]
fn a_long_digest_is_cut_to_64_digits() {
    let subject = Digest::of(Algorithm::Sha512, b"");
    assert_eq!(
        AttachmentTag::Fallback.of(&subject).as_str(),
        format!("sha512-{}", &subject.hex()[..64])
    );
}

#[test]
fn tags_that_only_resemble_the_schemes_are_tags() {
    let hex = Digest::sha256(b"").hex();
    for text in [
        format!("sha256-{}", hex.to_uppercase()),
        format!("sha256-{}", &hex[1..]),
        format!("sha256-{hex}0"),
        format!("sha256-{hex}."),
        format!("sha256-{hex}.other"),
        format!("sha256-{hex}.sig.sig"),
        format!("sha256-{hex}-sig"),
        format!("sha1-{hex}"),
        format!("SHA256-{hex}"),
        format!("v-sha256-{hex}"),
        hex,
        "latest".to_owned(),
        "sha256-".to_owned(),
    ] {
        assert_eq!(scheme(&text), None, "{text}");
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn every_tag_of_a_subject_is_known_for_what_it_is(content: Vec<u8>, long: bool) {
        let subject = Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, &content);
        for kind in AttachmentTag::ALL {
            let tag = kind.of(&subject);
            prop_assert_eq!(AttachmentTag::scheme(&tag), Some(kind));
            prop_assert!(tag.as_str().contains(&subject.hex()[..64]));
        }
    }

    #[test]
    fn no_tag_makes_the_scheme_panic(text in "(sha(256|512)-)?[0-9a-g]{0,70}(\\.[a-z]{0,4})?") {
        if let Ok(tag) = text.parse::<Tag>() {
            prop_assert!(AttachmentTag::scheme(&tag).is_none() || text.starts_with("sha"));
        }
    }
}
