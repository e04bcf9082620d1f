//! Every identity that Azure gives signs in, and what it may not do is told with what to grant.

use std::fs;

use testkit::azure::{Azure, Machine, Principal, Right, TENANT, az};
use testkit::image::Content;

use crate::acr_site::{AcrSite, CLIENT, SECRET, declaration, mirror, resource, trust};
use crate::site::{self, single};

fn app() -> Content {
    let family = site::family();
    family
        .into_iter()
        .find(|(name, _)| *name == "team/app")
        .expect("the family has an app")
        .1
}

/// Plans, applies, reads back, and plans again.
async fn assert_mirrored(site: &AcrSite, content: &Content) {
    site.source.direct().push("team/app", content).await;
    let (_, plan) = site.plan(0).await;
    assert_eq!(plan["summary"]["tags"]["create"], 3, "{}", plan["summary"]);
    let report = site.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");
    site.assert_holds("mirror/app", content).await;
    site.assert_settled().await;
    for name in ["plan.json", "report.json"] {
        assert!(!site.sandbox.read(name).contains(SECRET), "{name}");
    }
}

/// Lets the environment of the process say who signs in.
fn leave_to_the_environment(site: &mut AcrSite) {
    let authority = site.azure.authority();
    site.sandbox.set("AZURE_AUTHORITY_HOST", &authority);
    let endpoint = format!("auth: {{ endpoint: \"{}\" }}", site.azure.management());
    site.configure_with(&[&endpoint], "", &mirror("team/app"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_with_a_secret_signs_in_and_the_second_plan_is_empty() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    site.configure(&[], &mirror("team/app"));
    assert_mirrored(&site, &app()).await;
    assert!(!site.azure.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workload_of_kubernetes_signs_in_by_its_three_variables() {
    let principal = Principal::new(CLIENT, Right::ALL).assertion("projected");
    let Some(mut site) = AcrSite::start_as(principal).await else {
        return;
    };
    let file = site.sandbox.write("token", "projected");
    site.sandbox.set("AZURE_TENANT_ID", TENANT);
    site.sandbox.set("AZURE_CLIENT_ID", CLIENT);
    site.sandbox
        .set("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string());
    leave_to_the_environment(&mut site);
    assert_mirrored(&site, &app()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_service_signs_in_by_its_own_identity() {
    let Some(mut site) = AcrSite::start().await else {
        return;
    };
    let machine = Machine::start(&site.azure, CLIENT).await;
    for (name, value) in machine.variables() {
        site.sandbox.set(&name, &value);
    }
    leave_to_the_environment(&mut site);
    assert_mirrored(&site, &app()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_logged_in_at_the_azure_cli_signs_in() {
    let principal = Principal::new(CLIENT, Right::ALL).user("ann@contoso.example");
    let Some(mut site) = AcrSite::start_as(principal).await else {
        return;
    };
    let tools = site.sandbox.home().join("bin");
    fs::create_dir(&tools).expect("the home can be written");
    az(&site.azure, Some(CLIENT), &tools);
    site.sandbox
        .set("PATH", &format!("{}:/usr/bin:/bin", tools.display()));
    leave_to_the_environment(&mut site);
    assert_mirrored(&site, &app()).await;
    assert!(tools.join("az.log").exists(), "it was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_only_pull_is_told_what_to_grant_and_other_targets_complete() {
    let principal = Principal::new(CLIENT, [Right::Pull, Right::Describe]).secret(SECRET);
    let Some(site) = AcrSite::start_as(principal).await else {
        return;
    };
    let content = single("v1", 1, 20_000);
    site.source.direct().push("team/app", &content).await;
    let beside = site::End::start("beside").await;
    let others = format!(
        "  beside: {{ host: \"{}\", plain_http: true }}\n",
        beside.proxy.host()
    );
    let auth = format!("auth: {}", crate::acr_site::application(&site.azure));
    let mirrors = "  - { from: origin/team/app, to: [acr/mirror/app, beside/mirror/app] }\n";
    site.configure_with(&[&auth, &resource()], &others, mirrors);

    let _ = site.plan(0).await;
    let output = site
        .run(&["apply", "plan.json", "--report", "report.json"])
        .await
        .expect(77);
    let report = site.json("report.json");
    assert_eq!(report["outcome"], "partial");
    let failures = report["failures"].as_array().expect("failures are a list");
    assert!(!failures.is_empty());
    for failure in failures {
        assert_eq!(failure["registry"], "acr", "{failure}");
        assert!(
            ["auth", "permission"].contains(&failure["kind"].as_str().expect("a kind is text")),
            "{failure}"
        );
        let hint = failure["hint"].as_str().expect("there is a hint");
        for part in [
            format!("application {CLIENT}"),
            "Microsoft.ContainerRegistry/registries/push/write".to_owned(),
            format!("az role assignment create --assignee oid-{CLIENT} --role \"AcrPush\""),
            format!("--scope {}", testkit::azure::resource_id()),
        ] {
            assert!(hint.contains(&part), "`{part}` is not in {hint}");
        }
    }
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("--role \"AcrPush\""), "{said}");
    site::assert_holds(&beside, "mirror/app", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_nothing_is_told_so_by_the_plan() {
    let principal = Principal::new(CLIENT, []).secret(SECRET);
    let Some(site) = AcrSite::start_as(principal).await else {
        return;
    };
    site.source
        .direct()
        .push("team/app", &single("v1", 1, 20_000))
        .await;
    site.configure(&[], &mirror("team/app"));
    let (output, plan) = site.plan(77).await;
    let blocked = plan["blocked"].as_array().expect("it is a list");
    assert_eq!(blocked.len(), 1, "{blocked:#?}");
    for part in [
        "--role \"AcrPull\"",
        "Microsoft.ContainerRegistry/registries/pull/read",
        CLIENT,
    ] {
        assert!(
            output.stdout.contains(part),
            "`{part}` is not in {}",
            output.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_77_with_what_entra_says_and_is_never_shown() {
    let Some(mut site) = AcrSite::start().await else {
        return;
    };
    site.sandbox.set("ACR_SECRET", "CANARY");
    site.source
        .direct()
        .push("team/app", &single("v1", 1, 20_000))
        .await;
    site.configure(&[], &mirror("team/app"));
    let (output, _) = site.plan(77).await;
    let said = format!(
        "{}{}{}",
        output.stdout,
        output.stderr,
        site.sandbox.read("plan.json")
    );
    assert!(said.contains("AADSTS7000215"), "{said}");
    assert!(said.contains("az ad app credential reset"), "{said}");
    assert!(!said.contains("CANARY"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_link_of_the_chain_is_available_each_is_named() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    site.source
        .direct()
        .push("team/app", &single("v1", 1, 20_000))
        .await;
    let mut site = site;
    // No tool is installed there.
    let nothing = site.sandbox.home().display().to_string();
    site.sandbox.set("PATH", &nothing);
    let authority = site.azure.authority();
    let auth = format!("auth: {{ tenant_id: \"{TENANT}\", authority: \"{authority}\" }}");
    site.configure_with(&[&auth], "", &mirror("team/app"));
    let (output, plan) = site.plan(77).await;
    let said = format!("{}{}", output.stdout, plan["blocked"]);
    for part in [
        "client secret of the environment: AZURE_CLIENT_SECRET is not set",
        "workload identity: AZURE_FEDERATED_TOKEN_FILE is not set",
        "managed identity: ",
        "Azure CLI: not installed",
        "Azure Developer CLI: not installed",
        "az login",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_being_deleted_is_told_before_anything_is_pushed() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    site.source
        .direct()
        .push("team/app", &single("v1", 1, 20_000))
        .await;
    site.azure
        .set_properties(serde_json::json!({ "provisioningState": "Deleting" }));
    site.configure(&[&resource()], &mirror("team/app"));
    let (output, plan) = site.plan(1).await;
    assert_eq!(plan["blocked"][0]["registry"], "acr", "{}", plan["blocked"]);
    assert!(
        output.stdout.contains("is in provisioning state Deleting"),
        "{}",
        output.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_registry_of_azures_is_copied_to_another() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let content = app();
    site.source.direct().push("team/app", &content).await;
    site.configure(&[], &mirror("team/app"));
    let _ = site.plan(0).await;
    site.apply(0).await;

    let Some(second) = AcrSite::start().await else {
        return;
    };
    trust(&second.sandbox, &second.azure);
    second.sandbox.write("first.pem", &site.azure.certificate());
    let keys = format!("auth: {}", crate::acr_site::application(&site.azure));
    let first = declaration("first", &site.azure, "first.pem", &[&keys]);
    let own = format!("auth: {}", crate::acr_site::application(&second.azure));
    let mirrors = "  - { from: first/mirror/app, to: [acr/again/app], tags: { at_least: 3 } }\n";
    second.configure_with(&[&own], &first, mirrors);
    let _ = second.plan(0).await;
    second.apply(0).await;
    second.assert_holds("again/app", &content).await;
    let downloads = site.front.downloads();
    assert!(
        !downloads.is_empty() && downloads.iter().all(|status| *status == 200),
        "{downloads:?}"
    );
    second.assert_settled().await;
}

/// Kept out of the tests of signing in: an Azure that is never asked has heard nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_is_checked_without_asking_anybody() {
    let azure = Azure::start().await;
    let sandbox = testkit::binary::Sandbox::new();
    let keys = format!("auth: {}", crate::acr_site::application(&azure));
    let acr = declaration(
        "acr",
        &azure,
        "nowhere.pem",
        &[&keys, &resource(), "server_side_copy: true"],
    );
    let text = format!(
        "version: 1\nregistries:\n{acr}mirrors:\n  - {{ from: source.example/team/app, to: acr/mirror/app }}\n"
    );
    sandbox.write("transship.yaml", &text);
    let _ = sandbox.run(&["validate"]).await.expect(0);
    assert!(azure.asked().is_empty());
}
