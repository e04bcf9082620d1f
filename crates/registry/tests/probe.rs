//! Probes of registries: ours, a real one, and one that lies.

#[cfg(test)]
mod probing {
    use std::fmt;
    use std::fs;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use http::{HeaderMap, HeaderName, Method, StatusCode};
    use loopback::{BearerOptions, Options, Server};
    use oci::Digest;
    use testkit::image::{Content, Family};
    use testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
    use testkit::proxy::Proxy;
    use testkit::push::Direct;
    use testkit::software::{Need, need};
    use transship_registry::probe::{
        BlobFacts, ChallengeFacts, LimitFacts, LocationFacts, ManifestFacts, MountFacts, PatchFacts, Prober,
        RangeFacts, Reads, RedirectFacts, ReferrersFacts, SessionFacts, TagsFacts, Writes,
    };
    use transship_registry::{
        Client, ClientSettings, Credential, CredentialSource, Error, ErrorKind, HttpTransport, Request,
        Response, Secret, SignIn, TlsSettings, Transport, TransportError,
    };

    #[derive(Debug)]
    struct Known(Credential);

    #[async_trait]
    impl CredentialSource for Known {
        async fn sign_in(&self) -> Result<SignIn, Error> {
            Ok(SignIn {
                credential: self.0.clone(),
                origin: "the test".to_owned(),
                expires: None,
            })
        }
    }

    fn client(host: &str, transport: Arc<dyn Transport>, credential: Credential) -> Client {
        let settings = ClientSettings {
            plain_http: true,
            retries: 0,
            ..ClientSettings::new(host.parse().unwrap())
        };
        Client::new(settings, transport, Arc::new(Known(credential)))
    }

    fn prober(host: &str, credential: Credential) -> Prober {
        let transport = HttpTransport::new(&TlsSettings::default(), "test").unwrap();
        Prober::new(
            client(host, Arc::new(transport), credential),
            "team/app".parse().unwrap(),
        )
    }

    fn user(name: &str, password: &str) -> Credential {
        Credential::Basic {
            username: name.to_owned(),
            password: Secret::new(password),
        }
    }

    /// Three tags, the first of them an index.
    fn content() -> Content {
        let mut content = Content::new();
        let layer = content.layer(Family::Oci, 1, 5_000);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        let index = content.index(Family::Oci, std::slice::from_ref(&image));
        content.tag("a", &index);
        content.tag("b", &image);
        content.tag("c", &image);
        content
    }

    async fn serve(options: Options) -> Server {
        let registry = loopback::Registry::in_memory().with_options(options);
        registry.serve(([127, 0, 0, 1], 0).into()).await.unwrap()
    }

    fn relative() -> LocationFacts {
        LocationFacts {
            absolute: false,
            under_v2: true,
            elsewhere: None,
        }
    }

    fn assert_content(reads: &Reads) {
        let manifest = ManifestFacts {
            status: 200,
            digest: true,
            size: true,
        };
        assert_eq!(reads.manifest, Ok(manifest));
        assert_eq!(
            reads.blob,
            Ok(BlobFacts {
                status: 200,
                size: true
            })
        );
        assert_eq!(
            reads.redirect,
            Ok(RedirectFacts {
                status: 206,
                to: None
            })
        );
        assert_eq!(reads.range, Ok(RangeFacts { status: 206 }));
    }

    fn assert_parts(writes: &Writes) {
        let chunks = writes.chunks.as_ref().unwrap();
        let patch = |range: &str| PatchFacts {
            status: 202,
            range: Some(range.to_owned()),
        };
        assert_eq!(
            (&chunks.first, &chunks.second),
            (&patch("0-0"), &Some(patch("0-1")))
        );
        assert_eq!((chunks.least, chunks.cancelled), (None, Some(204)));
    }

    #[tokio::test]
    async fn an_open_registry_shows_what_it_can_do() {
        let server = serve(Options::default()).await;
        Direct::new(&server.host()).push("team/app", &content()).await;
        let prober = prober(&server.host(), Credential::Anonymous);
        let reads = prober.reads().await.unwrap();
        assert_eq!((reads.sign_in.status, reads.sign_in.challenges.len()), (200, 0));
        assert_eq!(reads.sign_in.credential, None);
        let tags = TagsFacts {
            asked: 2,
            listed: 2,
            next: Some(relative()),
        };
        assert_eq!(reads.tags, tags);
        assert_eq!(
            reads.limit,
            Ok(LimitFacts {
                asked: 1_001,
                status: 200
            })
        );
        assert_content(&reads);
        assert_eq!(
            reads.referrers,
            Ok(ReferrersFacts {
                status: 200,
                index: true
            })
        );
        let writes = prober.writes(&reads.sample).await;
        assert_eq!(
            writes.mount,
            Ok(MountFacts {
                status: 201,
                cancelled: None
            })
        );
        assert_eq!(writes.session.as_ref().unwrap().cancelled, Some(204));
        assert_parts(&writes);
        assert!(prober.limits().is_empty());
    }

    #[tokio::test]
    async fn what_a_registry_lacks_is_seen() {
        let options = Options {
            referrers_api: false,
            mounts: false,
            ..Options::default()
        };
        let server = serve(options).await;
        Direct::new(&server.host()).push("team/app", &content()).await;
        let prober = prober(&server.host(), Credential::Anonymous);
        let reads = prober.reads().await.unwrap();
        assert_eq!(
            reads.referrers,
            Ok(ReferrersFacts {
                status: 404,
                index: false
            })
        );
        let writes = prober.writes(&reads.sample).await;
        let declined = MountFacts {
            status: 202,
            cancelled: Some(204),
        };
        assert_eq!(writes.mount, Ok(declined));
    }

    #[tokio::test]
    async fn a_token_service_is_named_and_so_is_the_credential() {
        let options = Options {
            basic_auth: Some(("mirror".to_owned(), "swordfish".to_owned())),
            bearer: Some(BearerOptions::default()),
            ..Options::default()
        };
        let server = serve(options).await;
        let host = server.host();
        let writer = client(
            &host,
            Arc::new(HttpTransport::new(&TlsSettings::default(), "test").unwrap()),
            user("mirror", "swordfish"),
        );
        tag_something(&writer).await;
        let reads = prober(&host, user("mirror", "swordfish")).reads().await.unwrap();
        let challenge = ChallengeFacts {
            scheme: "bearer".to_owned(),
            token_service: Some(host.clone()),
            service: Some("loopback".to_owned()),
        };
        assert_eq!(
            (reads.sign_in.status, &reads.sign_in.challenges),
            (401, &vec![challenge])
        );
        assert_eq!(reads.sign_in.credential.as_deref(), Some("the test"));
        assert_eq!(reads.sample, Err("the first tag names no blob".to_owned()));

        let refused = prober(&host, user("mirror", "mackerel"))
            .reads()
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Auth);
        assert!(!format!("{refused:?} {refused}").contains("mackerel"));
    }

    async fn tag_something(writer: &Client) {
        use transship_registry::Registry as _;
        let index =
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let index = oci::Manifest::parse(index.into(), None).unwrap();
        let tag = oci::ManifestReference::Tag("v1".parse().unwrap());
        let repository = writer.writer(&"team/app".parse().unwrap());
        repository.put_manifest(&tag, &index).await.unwrap();
    }

    /// Counts the upload sessions whose bytes a registry keeps. Version 2.8.2 leaves directories of cancelled ones behind.
    fn sessions(root: &Path) -> usize {
        let directory = root.join("storage/docker/registry/v2/repositories/team/app/_uploads");
        let kept = fs::read_dir(directory).into_iter().flatten().flatten();
        kept.filter(|session| session.path().join("data").exists())
            .count()
    }

    #[tokio::test]
    async fn the_reference_registry_shows_what_it_is_known_for_and_keeps_nothing() {
        if need("docker-registry") == Need::Skip {
            return;
        }
        let registry = DockerRegistry::start().await;
        Direct::new(registry.host()).push("team/app", &content()).await;
        let proxy = Proxy::start(registry.host()).await;
        let prober = prober(&proxy.host(), Credential::Anonymous);
        let reads = prober.reads().await.unwrap();
        // Version 2.8.2 does not know pages of tags.
        assert_eq!(reads.tags.listed, 3, "{:?}", reads.tags);
        assert_eq!(
            reads.limit,
            Ok(LimitFacts {
                asked: 1_001,
                status: 200
            })
        );
        assert_content(&reads);
        assert_eq!(
            reads.referrers,
            Ok(ReferrersFacts {
                status: 404,
                index: false
            })
        );
        assert!(proxy.exchanges().mutating().is_empty(), "reading wrote");

        let writes = prober.writes(&reads.sample).await;
        assert_eq!(
            writes.mount,
            Ok(MountFacts {
                status: 201,
                cancelled: None
            })
        );
        let session = SessionFacts {
            status: 202,
            location: Some(LocationFacts {
                absolute: true,
                ..relative()
            }),
            cancelled: Some(204),
        };
        assert_eq!(writes.session, Ok(session));
        assert_parts(&writes);
        assert_eq!(sessions(registry.root()), 0);
        for exchange in proxy.exchanges().mutating() {
            assert!(
                exchange.path.starts_with("/v2/team/app/blobs/uploads/"),
                "{exchange:?}"
            );
            assert_ne!(exchange.method, Method::PUT, "nothing is committed");
        }
    }

    #[tokio::test]
    async fn a_password_is_asked_for_and_a_repository_that_is_not_there_is_an_error() {
        if need("docker-registry") == Need::Skip {
            return;
        }
        let registry = DockerRegistry::start_with(Access::Password).await;
        Direct::new(registry.host())
            .login(USERNAME, PASSWORD)
            .push("team/app", &content())
            .await;
        let reads = prober(registry.host(), user(USERNAME, PASSWORD))
            .reads()
            .await
            .unwrap();
        let schemes: Vec<&str> = reads
            .sign_in
            .challenges
            .iter()
            .map(|asked| asked.scheme.as_str())
            .collect();
        assert_eq!((reads.sign_in.status, schemes), (401, vec!["basic"]));
        let nobody = prober(registry.host(), Credential::Anonymous)
            .reads()
            .await
            .unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::Auth);

        let open = DockerRegistry::start().await;
        let missing = prober(open.host(), Credential::Anonymous)
            .reads()
            .await
            .unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    type Play = dyn Fn(&Request) -> Answer + Send + Sync;

    struct Answer(u16, Vec<(&'static str, String)>, Bytes);

    /// Answers by a function and remembers what it was asked.
    struct Liar {
        play: Box<Play>,
        asked: Mutex<Vec<String>>,
    }

    impl fmt::Debug for Liar {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Liar")
        }
    }

    #[async_trait]
    impl Transport for Liar {
        async fn send(&self, request: Request) -> Result<Response, TransportError> {
            self.asked
                .lock()
                .unwrap()
                .push(format!("{} {}", request.method, request.url));
            let Answer(status, headers, body) = (self.play)(&request);
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            Ok(Response {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: stream::iter([Ok(body)]).boxed(),
            })
        }
    }

    fn lying(play: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Arc<Liar>, Prober) {
        let liar = Arc::new(Liar {
            play: Box::new(play),
            asked: Mutex::default(),
        });
        let client = client(
            "r.example",
            Arc::clone(&liar) as Arc<dyn Transport>,
            Credential::Anonymous,
        );
        (liar, Prober::new(client, "team/app".parse().unwrap()))
    }

    #[tokio::test]
    async fn a_session_that_is_no_upload_or_not_here_is_never_deleted() {
        for location in [
            "/v2/team/app/manifests/v1",
            "/v2/team/app/tags/v1",
            "/v2/team/app/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "http://elsewhere.example/v2/team/app/blobs/uploads/1",
            "//elsewhere.example/uploads/1",
        ] {
            let (liar, prober) =
                lying(move |_| Answer(202, vec![("location", location.to_owned())], Bytes::new()));
            let writes = prober.writes(&Ok(Digest::sha256(b"x"))).await;
            assert_eq!(writes.session.unwrap().cancelled, None, "{location}");
            assert!(writes.chunks.is_err(), "{location}");
            let asked = liar.asked.lock().unwrap().clone();
            assert!(
                asked
                    .iter()
                    .all(|line| line.starts_with("POST http://r.example/")),
                "{asked:?}"
            );
        }
    }

    #[tokio::test]
    async fn addresses_outside_v2_limits_and_least_parts_are_told() {
        let (_, prober) = lying(|request| match request.method {
            Method::POST => {
                let headers = vec![
                    ("location", "/artifacts-uploads/x?sig=secret".to_owned()),
                    ("oci-chunk-min-length", "5242880".to_owned()),
                    ("ratelimit-limit", "100;w=21600".to_owned()),
                    ("x-secret", "no".to_owned()),
                ];
                Answer(202, headers, Bytes::new())
            }
            Method::PATCH => Answer(416, vec![("retry-after", "7".to_owned())], Bytes::new()),
            _ => Answer(204, Vec::new(), Bytes::new()),
        });
        let writes = prober.writes(&Err("no blob".to_owned())).await;
        let at = writes.session.unwrap().location.unwrap();
        assert!(!at.absolute && !at.under_v2 && at.elsewhere.is_none());
        let chunks = writes.chunks.unwrap();
        assert_eq!(
            (chunks.least, chunks.first.status, chunks.second),
            (Some(5 << 20), 416, None)
        );
        assert_eq!(chunks.cancelled, Some(204));
        assert_eq!(writes.mount, Err("no blob".to_owned()));
        let limits = prober.limits();
        let limits: Vec<(&str, &str)> = limits
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(limits, [("ratelimit-limit", "100;w=21600"), ("retry-after", "7")]);
    }

    #[tokio::test]
    async fn a_redirect_is_named_and_then_followed() {
        let layer = Bytes::from_static(b"layer");
        let digest = Digest::sha256(&layer);
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
               "config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{digest}","size":5}},"layers":[]}}"#
        );
        let (liar, prober) = lying(move |request| {
            let json = |body: &str| {
                Answer(
                    200,
                    vec![("content-type", "application/json".to_owned())],
                    body.to_owned().into(),
                )
            };
            let path = request.url.path();
            match (request.url.host_str(), path) {
                (Some("storage.example"), _) => Answer(206, Vec::new(), Bytes::from_static(b"l")),
                (_, "/v2/team/app/tags/list") => json(r#"{"tags":["v1"]}"#),
                _ if path.contains("/manifests/") => {
                    let kind = "application/vnd.oci.image.manifest.v1+json".to_owned();
                    Answer(200, vec![("content-type", kind)], manifest.clone().into())
                }
                _ if path.contains("/blobs/") => Answer(
                    307,
                    vec![("location", "http://storage.example:9000/x?sig=secret".to_owned())],
                    Bytes::new(),
                ),
                _ => Answer(404, Vec::new(), Bytes::new()),
            }
        });
        let reads = prober.reads().await.unwrap();
        let redirect = RedirectFacts {
            status: 307,
            to: Some("storage.example:9000".to_owned()),
        };
        assert_eq!(reads.redirect, Ok(redirect));
        assert_eq!(reads.range, Ok(RangeFacts { status: 206 }));
        assert!(!reads.manifest.unwrap().digest);
        assert_eq!(reads.sample, Ok(digest));
        assert!(
            liar.asked
                .lock()
                .unwrap()
                .iter()
                .all(|line| !line.starts_with("POST"))
        );
    }
}
