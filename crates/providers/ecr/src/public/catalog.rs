//! What the gallery of ECR Public shows of a repository.

use aws_sdk_ecrpublic::types::{RepositoryCatalogData, RepositoryCatalogDataInput};
use planner::Drift;

use crate::private::differs;
use crate::settings::Catalog;

/// Reads the catalog data that Amazon has.
pub(super) fn found(data: &RepositoryCatalogData) -> Catalog {
    let list = |entries: &[String]| (!entries.is_empty()).then(|| entries.to_vec());
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Catalog {
        description: text(data.description()),
        about: text(data.about_text()),
        usage: text(data.usage_text()),
        architectures: list(data.architectures()),
        operating_systems: list(data.operating_systems()),
    }
}

/// Says what is not as wanted, by the names of its keys: the texts are long.
pub(super) fn drift(found: &Catalog, wanted: &Catalog) -> Option<Drift> {
    let parts = [
        ("description", differ(&found.description, &wanted.description)),
        ("about", differ(&found.about, &wanted.about)),
        ("usage", differ(&found.usage, &wanted.usage)),
        (
            "architectures",
            differ(&found.architectures, &wanted.architectures),
        ),
        (
            "operating_systems",
            differ(&found.operating_systems, &wanted.operating_systems),
        ),
    ];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter(|(_, differ)| *differ)
        .map(|(key, _)| key)
        .collect();
    if parts.is_empty() {
        return None;
    }
    let parts = parts.join(", ");
    differs(
        "catalog",
        &format!("another {parts}"),
        &format!("{parts} as configured"),
    )
}

fn differ<T: PartialEq>(found: &Option<T>, wanted: &Option<T>) -> bool {
    wanted.is_some() && found != wanted
}

/// Makes what is sent: it replaces everything, so that what nobody asked for goes as it was found.
pub(super) fn input(found: &Catalog, wanted: &Catalog) -> RepositoryCatalogDataInput {
    fn either<T: Clone>(wanted: &Option<T>, found: &Option<T>) -> Option<T> {
        wanted.as_ref().or(found.as_ref()).cloned()
    }
    RepositoryCatalogDataInput::builder()
        .set_description(either(&wanted.description, &found.description))
        .set_about_text(either(&wanted.about, &found.about))
        .set_usage_text(either(&wanted.usage, &found.usage))
        .set_architectures(either(&wanted.architectures, &found.architectures))
        .set_operating_systems(either(&wanted.operating_systems, &found.operating_systems))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(description: Option<&str>, about: Option<&str>) -> Catalog {
        Catalog {
            description: description.map(str::to_owned),
            about: about.map(str::to_owned),
            ..Catalog::default()
        }
    }

    #[test]
    fn what_differs_is_named_by_its_keys() {
        let drift = drift(&of(Some("x"), Some("y")), &of(Some("z"), None)).unwrap();
        assert_eq!(
            (drift.setting.as_str(), drift.found.as_str()),
            ("catalog", "another description")
        );
        assert_eq!(
            super::drift(&of(Some("x"), Some("y")), &of(Some("x"), None)),
            None
        );
    }

    #[test]
    fn what_nobody_asked_for_stays() {
        let input = input(&of(Some("x"), Some("y")), &of(Some("z"), None));
        assert_eq!((input.description(), input.about_text()), (Some("z"), Some("y")));
    }
}
