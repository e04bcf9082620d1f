use std::collections::BTreeMap;

use planner::Import;

use super::*;

fn of_host(host: &str) -> Profile {
    Profile::of_host(&host.parse().unwrap(), None)
}

/// One line per class: mount, creation, referrers, sparse indexes, depth, listing, family, upload, page, quotas.
#[test]
fn every_class_has_its_row() {
    let table: Vec<String> = Class::ALL
        .into_iter()
        .map(|class| {
            let profile = Profile::of(class);
            assert_eq!(profile.class, class);
            let capabilities = profile.capabilities;
            let quotas = capabilities.quotas;
            format!(
                "{class:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {:?}",
                capabilities.mount,
                capabilities.creation,
                capabilities.referrers_api,
                capabilities.sparse_index,
                capabilities.depth,
                capabilities.listing,
                capabilities.family,
                profile.wire.upload,
                profile.wire.page,
                [quotas.put_manifest, quotas.start_upload, quotas.finish_upload]
                    .map(Option::unwrap_or_default),
            )
        })
        .collect();
    assert_eq!(
        table,
        [
            "Layout Any OnPush Some(true) Some(true) None Tags None Whole 1000 [0, 0, 0]",
            "DockerHub Any OnPush None Some(false) None Tags None Whole 1000 [0, 0, 0]",
            "Github Any OnPush Some(false) None None Tags None Whole 1000 [33, 33, 33]",
            "Ecr Committed Call Some(true) Some(false) None Inventory None Whole 1000 [10, 100, 100]",
            "EcrPublic Never Call Some(false) Some(false) None Inventory None Whole 1000 [10, 10, 10]",
            "Google Any Call Some(true) Some(false) Some(2) Inventory Some(\"google\") Whole 1000 [300, 300, 300]",
            "Azure Any OnPush Some(true) Some(false) None Inventory None Chunked { above: 16777216, chunk: 4194304 } 1000 [0, 0, 0]",
            "Harbor Any OnPush None Some(false) Some(1) Inventory None Whole 1000 [0, 0, 0]",
            "Other Any OnPush None None None Tags None Whole 1000 [0, 0, 0]",
        ]
    );
}

#[test]
fn the_table_has_every_class_once() {
    let classes: Vec<Class> = TABLE.iter().map(|row| row.class).collect();
    assert_eq!(classes, Class::ALL);
}

#[test]
fn what_a_call_makes_on_gcr_is_the_project() {
    for (host, depth) in [
        ("gcr.io", Some(1)),
        ("eu.gcr.io", Some(1)),
        ("eu-docker.pkg.dev", Some(2)),
        ("contoso.azurecr.io", None),
    ] {
        assert_eq!(of_host(host).capabilities.depth, depth, "{host}");
    }
    let emulator = Profile::of_host(&"localhost:5000".parse().unwrap(), Some("gar"));
    assert_eq!(emulator.capabilities.depth, Some(2));
}

#[test]
fn what_is_not_overridden_stays() {
    for class in Class::ALL {
        let built_in = Profile::of(class);
        assert_eq!(
            built_in.clone().with(&ProfileOverrides::default(), None),
            built_in
        );
    }
}

type Change = fn(&mut Profile);

#[test]
fn every_override_changes_its_field_and_no_other() {
    let none = ProfileOverrides::default;
    let cases: [(Class, ProfileOverrides, Change); 9] = [
        (
            Class::Azure,
            ProfileOverrides {
                upload: Some(UploadRule::Whole),
                ..none()
            },
            |profile| {
                profile.wire.upload = Upload::Whole;
            },
        ),
        (
            Class::Other,
            ProfileOverrides {
                upload: Some(UploadRule::Chunked),
                ..none()
            },
            |profile| {
                profile.wire.upload = Upload::Chunked {
                    above: 8 << 20,
                    chunk: 8 << 20,
                };
            },
        ),
        (
            Class::Azure,
            ProfileOverrides {
                whole_up_to: Some(1 << 20),
                ..none()
            },
            |profile| {
                profile.wire.upload = Upload::Chunked {
                    above: 1 << 20,
                    chunk: 4 << 20,
                };
            },
        ),
        (
            Class::Ecr,
            ProfileOverrides {
                chunk: Some(5 << 20),
                ..none()
            },
            |profile| {
                profile.wire.upload = Upload::Chunked {
                    above: 5 << 20,
                    chunk: 5 << 20,
                };
            },
        ),
        (
            Class::Other,
            ProfileOverrides {
                page: Some(100),
                ..none()
            },
            |profile| profile.wire.page = 100,
        ),
        (
            Class::Ecr,
            ProfileOverrides {
                mount: Some(MountRule::Never),
                ..none()
            },
            |profile| {
                profile.capabilities.mount = MountRule::Never;
            },
        ),
        (
            Class::Ecr,
            ProfileOverrides {
                referrers: Some(ReferrersRule::Fallback),
                ..none()
            },
            |profile| {
                profile.capabilities.referrers_api = Some(false);
            },
        ),
        (
            Class::Google,
            ProfileOverrides {
                listing: Some(Listing::Tags),
                ..none()
            },
            |profile| {
                profile.capabilities.listing = Listing::Tags;
            },
        ),
        // What plans reckon with follows the rate.
        (
            Class::Ecr,
            ProfileOverrides {
                rates: BTreeMap::from([(Rated::PutManifest, 50)]),
                ..none()
            },
            |profile| {
                profile.wire.rates.insert(Operation::PutManifest, 50);
                profile.capabilities.quotas.put_manifest = Some(50);
            },
        ),
    ];
    for (class, overrides, change) in cases {
        let mut expected = Profile::of(class);
        change(&mut expected);
        assert_ne!(expected, Profile::of(class), "{overrides:?}");
        assert_eq!(
            Profile::of(class).with(&overrides, None),
            expected,
            "{overrides:?}"
        );
    }
}

#[test]
fn every_rate_that_a_configuration_names_is_one_of_the_client() {
    let all = [
        Rated::ListTags,
        Rated::HeadManifest,
        Rated::GetManifest,
        Rated::PutManifest,
        Rated::ListReferrers,
        Rated::HeadBlob,
        Rated::GetBlob,
        Rated::StartUpload,
        Rated::SendChunk,
        Rated::FinishUpload,
    ];
    let overrides = ProfileOverrides {
        rates: all.into_iter().zip(1..).collect(),
        ..ProfileOverrides::default()
    };
    let wire = Profile::of(Class::Ecr).with(&overrides, None).wire;
    assert_eq!(wire.rates.len(), all.len());
    assert!(wire.rates.values().copied().eq(1..=10));
}

#[test]
fn a_registry_imports_where_it_can_and_is_asked_to() {
    let import = |class, copy| {
        Profile::of(class)
            .with(&ProfileOverrides::default(), copy)
            .capabilities
            .import
    };
    assert_eq!(import(Class::Azure, None), None);
    assert_eq!(import(Class::Azure, Some(false)), None);
    assert_eq!(import(Class::Azure, Some(true)), Some(Import { manifests: 50 }));
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Azure) {
        assert_eq!(import(class, Some(true)), None, "{class}");
    }
}

#[test]
fn googles_registries_mount_from_each_other_unless_told_not_to() {
    let family = |copy| {
        Profile::of(Class::Google)
            .with(&ProfileOverrides::default(), copy)
            .capabilities
            .family
    };
    assert_eq!(family(None).as_deref(), Some("google"));
    assert_eq!(family(Some(true)).as_deref(), Some("google"));
    assert_eq!(family(Some(false)), None);
}

#[test]
fn a_connection_brings_its_provider_and_what_it_knows_better() {
    let connection = Connection {
        provider: Some("acr".to_owned()),
        server_side_copy: Some(true),
        profile: Some(ProfileOverrides {
            page: Some(7),
            ..ProfileOverrides::default()
        }),
        ..Connection::default()
    };
    let profile = Profile::of_connection(&"localhost:5000".parse().unwrap(), &connection);
    assert_eq!((profile.class, profile.wire.page), (Class::Azure, 7));
    assert!(profile.capabilities.import.is_some());
}

#[test]
fn a_profile_is_told_in_rows() {
    let rows = |profile: &Profile| {
        let rows = profile.rows().into_iter();
        rows.map(|(name, text)| format!("{name}: {text}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&of_host("contoso.azurecr.io")),
        [
            "class: Azure Container Registry",
            "mount: any blob of another repository",
            "creation: the first push",
            "referrers: API",
            "sparse index: refused",
            "listing: inventory",
            "family: none",
            "import: no",
            "upload: one request up to 16.0 MiB, beyond parts of 4.0 MiB",
            "page: 1000 tags",
        ]
    );
    let public = rows(&of_host("public.ecr.aws"));
    assert_eq!(
        public[10..],
        [
            "rate of put_manifest: 10/s",
            "rate of head_blob: 200/s",
            "rate of start_upload: 10/s",
            "rate of send_chunk: 260/s",
            "rate of finish_upload: 10/s",
        ]
    );
}
