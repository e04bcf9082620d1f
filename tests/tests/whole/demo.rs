//! The demonstration.

use testkit::binary::Sandbox;

use crate::site::NO_CHANGES;

#[tokio::test]
async fn the_demo_plans_applies_verifies_and_finds_nothing_left_to_do() {
    let output = Sandbox::new().run(&["demo"]).await.expect(0);
    let text = &output.stdout;
    let plan = text.find("Plan: ").expect("a plan is shown");
    let nothing = text.find(NO_CHANGES).expect("the second plan is empty");
    assert!(plan < nothing, "{text}");
    assert!(!text.contains('\u{1b}'), "no colour where there is no terminal");
}

#[tokio::test]
async fn the_demo_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&["demo"]).await.expect(0);
    for directory in [sandbox.path(""), sandbox.home(), sandbox.temporary()] {
        let left = std::fs::read_dir(&directory)
            .expect("the directory is there")
            .count();
        assert_eq!(left, 0, "{}", directory.display());
    }
}
