//! The JSON Schema of the configuration, and a configuration to start from.

use serde_json::Value;

/// A commented configuration, as `transship init` writes it.
pub const STARTER: &str = include_str!("starter.yaml");

/// Returns the JSON Schema (draft 2020-12) of the configuration, for editors.
///
/// # Panics
/// Never: the schema is part of the program.
#[must_use]
pub fn json_schema() -> Value {
    serde_json::from_str(include_str!("schema.json")).expect("the schema is JSON")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::amazon::CATALOG_KEYS;
    use super::super::auth::AUTH_KEYS;
    use super::super::conditions::{CONDITION_KEYS, LATEST_KEYS};
    use super::super::creation::{CREATE_KEYS, ENCRYPTION, ON_DRIFT, TAG_MUTABILITY};
    use super::super::discovery::DISCOVERY_KEYS;
    use super::super::file::TOP_KEYS;
    use super::super::google::{CLEANUP_ACTIONS, CLEANUP_KEYS, MODE};
    use super::super::mirrors::{CHECK, DEFAULT_KEYS, FOREIGN_LAYERS, MIRROR_KEYS, ON_CHANGE};
    use super::super::platforms::INDEX;
    use super::super::profile::{LISTING, MOUNT, PROFILE_KEYS, RATES, REFERRERS, SPARSE_INDEX, UPLOAD};
    use super::super::provider::PROVIDERS;
    use super::super::registries::{LIMIT_KEYS, REGISTRY_KEYS, TLS_KEYS};
    use super::*;

    const CREATION: &str = "/$defs/createRepositories/anyOf/1/properties";

    fn at(pointer: &str) -> Value {
        json_schema()
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} is in the schema"))
            .clone()
    }

    fn keys(pointer: &str) -> BTreeSet<String> {
        let value = at(pointer);
        value
            .as_object()
            .expect("properties are an object")
            .keys()
            .cloned()
            .collect()
    }

    /// The words that stand at a key, beside what a variable brings.
    fn texts(pointer: &str) -> BTreeSet<String> {
        let value = at(&format!("{pointer}/anyOf/0/enum"));
        let items = value.as_array().expect("an enumeration is a list").iter();
        items
            .map(|item| item.as_str().expect("a word").to_owned())
            .collect()
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn the_schema_has_the_keys_of_the_reader_and_no_others() {
        for (pointer, known) in [
            ("/properties", &TOP_KEYS[..]),
            ("/$defs/registry/properties", &REGISTRY_KEYS),
            ("/$defs/tls/properties", &TLS_KEYS),
            ("/$defs/limits/properties", &LIMIT_KEYS),
            ("/$defs/auth/anyOf/1/properties", &AUTH_KEYS),
            (CREATION, &CREATE_KEYS.map(|(key, _)| key)),
            (
                "/$defs/createRepositories/anyOf/1/properties/catalog/properties",
                &CATALOG_KEYS,
            ),
            (
                "/$defs/createRepositories/anyOf/1/properties/cleanup_policies/additionalProperties/properties",
                &CLEANUP_KEYS,
            ),
            ("/$defs/profile/properties", &PROFILE_KEYS),
            (
                "/$defs/profile/properties/rates/properties",
                &RATES.map(|(key, _)| key),
            ),
            ("/$defs/mirror/properties", &MIRROR_KEYS),
            ("/$defs/source/anyOf/1/properties", &DISCOVERY_KEYS),
            ("/properties/defaults/properties", &DEFAULT_KEYS),
            ("/$defs/tagSet/properties", &CONDITION_KEYS),
            ("/$defs/tagSet/properties/latest/anyOf/1/properties", &LATEST_KEYS),
        ] {
            assert_eq!(keys(pointer), set(known), "{pointer}");
        }
    }

    #[test]
    fn the_schema_has_the_words_of_the_reader_and_no_others() {
        let names = |words: &[(&str, ())]| words.iter().map(|(word, ())| (*word).to_owned()).collect();
        let on_change: BTreeSet<String> = names(&ON_CHANGE.map(|(word, _)| (word, ())));
        assert_eq!(texts("/$defs/onChange"), on_change);
        let check: BTreeSet<String> = names(&CHECK.map(|(word, _)| (word, ())));
        assert_eq!(texts("/$defs/check"), check);
        let layers: BTreeSet<String> = names(&FOREIGN_LAYERS.map(|(word, _)| (word, ())));
        assert_eq!(texts("/$defs/foreignLayers"), layers);
        let index: BTreeSet<String> = names(&INDEX.map(|(word, _)| (word, ())));
        assert_eq!(texts("/$defs/index"), index);
        assert_eq!(texts("/$defs/registry/properties/provider"), set(&PROVIDERS));
        for (key, words) in [
            ("on_drift", &ON_DRIFT[..]),
            ("tag_mutability", &TAG_MUTABILITY),
            ("encryption", &ENCRYPTION),
            ("mode", &MODE),
            (
                "cleanup_policies/additionalProperties/properties/action",
                &CLEANUP_ACTIONS,
            ),
        ] {
            assert_eq!(texts(&format!("{CREATION}/{key}")), set(words), "{key}");
        }
        for (key, words) in [
            ("upload", UPLOAD.map(|(word, _)| word).as_slice()),
            ("mount", &MOUNT.map(|(word, _)| word)),
            ("referrers", &REFERRERS.map(|(word, _)| word)),
            ("sparse_index", &SPARSE_INDEX.map(|(word, _)| word)),
            ("listing", &LISTING.map(|(word, _)| word)),
        ] {
            assert_eq!(
                texts(&format!("/$defs/profile/properties/{key}")),
                set(words),
                "{key}"
            );
        }
    }

    #[test]
    fn every_map_of_the_schema_is_closed() {
        fn walk(value: &Value, path: &str, open: &mut Vec<String>) {
            if let Some(map) = value.as_object() {
                let is_map = map.get("type").is_some_and(|kind| kind == "object");
                if is_map && map.contains_key("properties") && !map.contains_key("additionalProperties") {
                    open.push(path.to_owned());
                }
                for (key, value) in map {
                    walk(value, &format!("{path}/{key}"), open);
                }
            }
            for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                walk(item, &format!("{path}/{at}"), open);
            }
        }
        let mut open = Vec::new();
        walk(&json_schema(), "", &mut open);
        assert_eq!(open, Vec::<String>::new());
    }
}
