//! No excerpt shows a secret.

use super::bad;

#[track_caller]
fn assert_hidden(text: &str) {
    let shown = bad(text).to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("***"), "{shown}");
}

#[test]
fn nothing_under_auth_is_shown_whatever_is_wrong_beside_it() {
    let rest = "mirrors: []\n";
    for auth in [
        "{ username: hunter2, pasword: hunter2 }",
        "{ password: hunter2 }",
        "{ token: 'hunter2' }",
        "{ password: { env: hunter2, file: hunter2 } }",
        "{ password: [hunter2] }",
        "{ password: {hunter2} }",
        "{ username: {hunter2} }",
        "[hunter2]",
        "hunter2",
        "{ helper: { x: hunter2 } }",
        "{ anonymous: hunter2 }",
    ] {
        assert_hidden(&format!(
            "version: 1\nregistries:\n  a: {{ hst: x, auth: {auth} }}\n{rest}"
        ));
    }
}

#[test]
fn a_secret_at_the_wrong_place_is_hidden_too() {
    assert_hidden("version: 1\nregistries:\n  a: { host: a.example, password: hunter2 }\nmirrors: []\n");
    assert_hidden("version: 1\nregistries:\n  a:\n    host: a.example\n    token: hunter2\nmirrors: []\n");
}

#[test]
fn secrets_behind_anchors_and_merges_are_hidden() {
    assert_hidden(
        "version: 1\nx-auth: &auth { password: hunter2 }\nregistries:\n  a: { host: a.example, auth: *auth }\nmirrors: []\n",
    );
    assert_hidden(
        "version: 1\nx-auth: &auth { usrname: hunter2 }\nregistries:\n  a: { host: a.example, auth: { <<: *auth } }\nmirrors: []\n",
    );
}

#[test]
fn block_texts_are_hidden_on_every_line() {
    let text = "version: 1\nregistries:\n  a:\n    host: a.example\n    auth:\n      password: |\n        hunter2\n        hunter2\nmirrors: []\n";
    let shown = bad(text).to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn secrets_are_hidden_where_the_syntax_is_broken() {
    for broken in [
        "version: 1\nregistries:\n  a: { host: a.example, auth: { password: hunter2 } ]\n",
        "version: 1\nregistries:\n  a:\n    auth:\n      password: 'hunter2\n",
        "version: 1\nregistries:\n  a:\n    auth: {\n      password: hunter2 ]\n",
        "version: 1\nregistries:\n  a:\n    auth: {\n  password: hunter2 ]\n",
        "version: 1\nregistries:\n  a:\n    auth:\n      password: \"hunter2\" hunter2\n",
        "version: 1\nregistries:\n  a:\n    \"auth\": { token: hunter2 ]\n",
    ] {
        let shown = bad(broken).to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
