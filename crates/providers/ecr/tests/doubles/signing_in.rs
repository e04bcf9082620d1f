//! Who signs in: the SDK's own chain, as it is shipped.

use std::env;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use planner::config::Auth;
use provider::Provider;
use registry::{Credential, Error, ErrorKind, SignIn};
use transship_ecr::EcrProvider;

use crate::front::{self, Front};
use crate::inside::{World, in_moto, in_moto_as, inside, provider, setup};
use crate::moto;

const ROLE: &str = "arn:aws:iam::999999999999:role/mirror";
const KEYS: &str = "aws_access_key_id = AKIDFROMFILE\naws_secret_access_key = testing\n";

async fn sign_in(auth: Auth) -> Result<SignIn, Error> {
    provider(auth).credentials().sign_in().await
}

async fn origin(auth: Auth) -> String {
    let told = sign_in(auth).await.unwrap();
    let Credential::Basic { username, password } = told.credential else {
        panic!("{told:?}");
    };
    assert_eq!(username, "AWS");
    assert!(!password.expose().is_empty());
    told.origin
}

fn profile(name: &str) -> Auth {
    Auth {
        profile: Some(name.to_owned()),
        ..Auth::default()
    }
}

#[tokio::test]
async fn keys_of_the_environment_sign_in() {
    in_moto("signing_in::keys_of_the_environment_sign_in", async {
        let told = sign_in(Auth::default()).await.unwrap();
        assert_eq!(told.origin, "AWS default credentials (environment)");
        // moto's tokens ended in 2015.
        assert_eq!(told.expires, None);
        assert!(matches!(told.credential, Credential::Basic { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_profile_that_is_named_goes_before_the_environment() {
    let world = |_: &_, world: World| world.file(".aws/credentials", &format!("[prod]\n{KEYS}"));
    in_moto_as(
        "signing_in::a_profile_that_is_named_goes_before_the_environment",
        world,
        async {
            moto::record().await;
            assert_eq!(origin(profile("prod")).await, "AWS profile prod");
            let recorded = moto::recorded().await;
            assert!(recorded.contains("Credential=AKIDFROMFILE/"), "{recorded}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_an_error_whoever_else_is() {
    in_moto(
        "signing_in::a_profile_that_is_not_there_is_an_error_whoever_else_is",
        async {
            let error = sign_in(profile("prod")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
            assert!(error.to_string().contains("AWS profile prod"), "{error}");
            assert!(error.hint().unwrap().contains("profile prod"), "{error:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id() {
    in_moto("signing_in::a_role_is_assumed_with_its_external_id", async {
        moto::record().await;
        let auth = Auth {
            role_arn: Some(ROLE.to_owned()),
            external_id: Some("tenant 7".to_owned()),
            ..Auth::default()
        };
        assert_eq!(
            origin(auth).await,
            format!("AWS role {ROLE} assumed from AWS default credentials (environment)")
        );
        let recorded = moto::recorded().await;
        let assumed = recorded
            .lines()
            .find(|line| line.contains("Action=AssumeRole"))
            .unwrap_or_else(|| panic!("{recorded}"));
        for part in [
            "ExternalId=tenant+7",
            "RoleSessionName=transship",
            "role%2Fmirror",
        ] {
            let spelled = part.replace('+', "%20");
            assert!(
                assumed.contains(part) || assumed.contains(&spelled),
                "{part} in {assumed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_profile_assumes_its_role() {
    let config = format!("[profile base]\n{KEYS}[profile prod]\nrole_arn = {ROLE}\nsource_profile = base\n");
    in_moto_as(
        "signing_in::a_profile_assumes_its_role",
        |_, world| world.without_keys().file(".aws/config", &config),
        async {
            moto::record().await;
            assert_eq!(origin(profile("prod")).await, "AWS profile prod");
            assert!(moto::recorded().await.contains("Action=AssumeRole"));
        },
    )
    .await;
}

#[tokio::test]
async fn a_web_identity_token_signs_in() {
    let world = |_: &_, world: World| {
        let world = world.without_keys().file("token", "a.web.token");
        let token = world.path("token");
        world
            .with("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
            .with("AWS_ROLE_ARN", ROLE)
    };
    in_moto_as("signing_in::a_web_identity_token_signs_in", world, async {
        assert_eq!(
            origin(Auth::default()).await,
            "AWS default credentials (web identity token)"
        );
    })
    .await;
}

#[tokio::test]
async fn a_process_gives_credentials() {
    let process = r#"echo '{"Version":1,"AccessKeyId":"AKIDFROMPROCESS","SecretAccessKey":"testing"}'"#;
    let config = format!("[default]\ncredential_process = {process}\n");
    in_moto_as(
        "signing_in::a_process_gives_credentials",
        |_, world| world.without_keys().file(".aws/config", &config),
        async {
            moto::record().await;
            assert_eq!(
                origin(Auth::default()).await,
                "AWS default credentials (credential_process)"
            );
            assert!(moto::recorded().await.contains("Credential=AKIDFROMPROCESS/"));
        },
    )
    .await;
}

/// EKS Pod Identity: the address of an agent, and a file with the token for it.
#[tokio::test]
async fn a_container_is_given_credentials() {
    let test = "signing_in::a_container_is_given_credentials";
    let body = async {
        assert_eq!(
            origin(Auth::default()).await,
            "AWS default credentials (container)"
        );
    };
    if inside(test) {
        return body.await;
    }
    let agent = Front::start(|asked| {
        assert_eq!(asked.header("authorization"), "pod-token");
        front::json(
            200,
            r#"{"AccessKeyId":"AKIDFROMPOD","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#,
        )
    })
    .await;
    let ecr = Front::start(|asked| {
        assert!(asked.header("authorization").contains("Credential=AKIDFROMPOD/"));
        front::token()
    })
    .await;
    let world = World::of_nobody().file("token", "pod-token");
    let token = world.path("token");
    world
        .with("AWS_ENDPOINT_URL", &ecr.url)
        .with(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{}/v1/credentials", agent.url),
        )
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token)
        .run(test)
        .await;
}

#[tokio::test]
async fn nobody_leaves_the_docker_files_their_turn() {
    let test = "signing_in::nobody_leaves_the_docker_files_their_turn";
    if !inside(test) {
        return World::of_nobody().run(test).await;
    }
    let told = sign_in(Auth::default()).await.unwrap();
    assert_eq!(told.credential, Credential::Anonymous);
    assert!(
        told.origin.contains("no AWS credentials in the environment"),
        "{told:?}"
    );
}

/// An address that nobody has: a laptop is not in EC2, and finds out soon.
#[tokio::test]
async fn a_machine_without_instance_metadata_does_not_wait_for_it() {
    let test = "signing_in::a_machine_without_instance_metadata_does_not_wait_for_it";
    if !inside(test) {
        return World::of_nobody()
            .without("AWS_EC2_METADATA_DISABLED")
            .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1")
            .run(test)
            .await;
    }
    let start = Instant::now();
    let told = sign_in(Auth::default()).await.unwrap();
    assert_eq!(told.credential, Credential::Anonymous);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

/// Where the metadata service of an instance is switched off it answers 403.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>
#[tokio::test]
async fn instance_metadata_that_is_switched_off_names_nobody() {
    let test = "signing_in::instance_metadata_that_is_switched_off_names_nobody";
    if !inside(test) {
        let off = Front::start(|_| Response::builder().status(403).body(Body::empty()).unwrap()).await;
        return World::of_nobody()
            .without("AWS_EC2_METADATA_DISABLED")
            .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &off.url)
            .run(test)
            .await;
    }
    let told = sign_in(Auth::default()).await.unwrap();
    assert_eq!(told.credential, Credential::Anonymous);
}

#[tokio::test]
async fn whoever_is_named_has_to_be_there() {
    let test = "signing_in::whoever_is_named_has_to_be_there";
    if !inside(test) {
        return World::of_nobody().run(test).await;
    }
    let auth = Auth {
        role_arn: Some(ROLE.to_owned()),
        ..Auth::default()
    };
    let error = sign_in(auth).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert!(
        error.hint().unwrap().contains("somebody has to assume"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_single_sign_on_that_has_ended_says_how_to_renew_it() {
    let test = "signing_in::a_single_sign_on_that_has_ended_says_how_to_renew_it";
    if !inside(test) {
        let config = "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dev\n\
                      [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n";
        return World::of_nobody()
            .file(".aws/config", config)
            .with("AWS_PROFILE", "dev")
            .run(test)
            .await;
    }
    let error = sign_in(profile("dev")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert_eq!(error.hint(), Some("run `aws sso login --profile dev`"));
    // A profile that the environment names is no reason to go on with somebody else either.
    let error = sign_in(Auth::default()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("aws sso login"), "{error:?}");
}

#[tokio::test]
async fn a_role_that_is_refused_says_what_to_grant() {
    let test = "signing_in::a_role_that_is_refused_says_what_to_grant";
    if inside(test) {
        let auth = Auth {
            role_arn: Some(ROLE.to_owned()),
            external_id: Some("x".to_owned()),
            ..Auth::default()
        };
        let error = sign_in(auth).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{error:?}");
        let user = "arn:aws:iam::123456789012:user/ci";
        let expected = format!(
            "grant sts:AssumeRole on {ROLE} to {user}, and let the trust policy of {ROLE} name {user}, under the \
             external id that `auth.external_id` gives"
        );
        assert_eq!(error.hint(), Some(expected.as_str()));
        return;
    }
    let sts = Front::start(|_| {
        let message = format!(
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
        );
        front::xml_error(403, "AccessDenied", &message)
    })
    .await;
    World::of_nobody()
        .with("AWS_ACCESS_KEY_ID", "k")
        .with("AWS_SECRET_ACCESS_KEY", "s")
        .with("AWS_ENDPOINT_URL_STS", &sts.url)
        .run(test)
        .await;
}

#[tokio::test]
async fn many_sign_ins_read_the_configuration_once() {
    let world = |_: &_, world: World| {
        let counter = world.path("count");
        let process = format!(
            r#"sh -c 'echo x >> {counter}; echo "{{\"Version\":1,\"AccessKeyId\":\"k\",\"SecretAccessKey\":\"s\"}}"'"#
        );
        world
            .without_keys()
            .file(
                ".aws/config",
                &format!("[default]\ncredential_process = {process}\n"),
            )
            .with("COUNTER", &counter)
    };
    in_moto_as(
        "signing_in::many_sign_ins_read_the_configuration_once",
        world,
        async {
            let source = provider(Auth::default()).credentials();
            let (one, two, three) = tokio::join!(source.sign_in(), source.sign_in(), source.sign_in());
            for told in [one, two, three] {
                told.unwrap();
            }
            let counter = env::var("COUNTER").unwrap();
            assert_eq!(std::fs::read_to_string(counter).unwrap().lines().count(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn an_address_that_is_given_is_asked_whatever_the_host() {
    let test = "signing_in::an_address_that_is_given_is_asked_whatever_the_host";
    if inside(test) {
        let auth = Auth {
            endpoint: env::var("FRONT").ok(),
            ..Auth::default()
        };
        for host in [
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
            "123456789012.dkr-ecr.us-east-1.on.aws",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        ] {
            let provider = EcrProvider::new(setup(host, auth.clone())).unwrap();
            let told = provider.credentials().sign_in().await.unwrap();
            assert!(told.expires.is_some(), "{told:?}");
        }
        return;
    }
    let front = Front::start(|asked| {
        assert!(asked.header("authorization").contains("/us-east-1/ecr/"));
        front::token()
    })
    .await;
    World::of_nobody()
        .with("AWS_ACCESS_KEY_ID", "k")
        .with("AWS_SECRET_ACCESS_KEY", "s")
        .with("FRONT", &front.url)
        .run(test)
        .await;
}

#[tokio::test]
async fn a_host_of_ones_own_needs_a_region() {
    let error = EcrProvider::new(setup("registry.corp.example", Auth::default())).unwrap_err();
    assert!(error.to_string().contains("a key `auth.region`"), "{error}");
    assert!(
        error.hint().unwrap().contains("auth: { region: REGION }"),
        "{error:?}"
    );
}
