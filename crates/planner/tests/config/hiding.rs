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
        "{hunter2}",
        "{hunter2, hunter2}",
        "{ [hunter2]: hunter2 }",
        "{ password: !hunter2 }",
        "{ password: *hunter2 }",
        "{ password: &hunter2 }",
        "{ password: abc #hunter2\n }",
        "{ password: \"{hunter2}\" }",
        "{ user: [hunter2, { x: hunter2 }] }",
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
        "version: 1\nregistries:\n  a:\n    auth: {\n usr: x,\n usr: hunter2 ]\n",
        "version: 1\nregistries:\n  a: { auth: { password: \"a}b\",\nusr: hunter2 ]\n",
        "version: 1\nregistries:\n  a:\n    auth:\n      password: \"abc\nhunter2: x\n",
        "version: 1\nregistries:\n  a:\n    ? auth\n    : { usr: hunter2 ]\n",
        "version: 1\nregistries:\n  a:\n    auth:\n      password: hunter2: x\n",
        "version: 1\nregistries:\n  a:\n    auth:\n      password: @hunter2\n",
        "version: 1\nx-a: &a\n  usr: hunter2: x\nregistries:\n  a: { auth: *a }\n",
        "version: 1\nx-a: &a { usr: hunter2 ]\nregistries:\n  a: { auth: *a }\n",
    ] {
        let shown = bad(broken).to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn what_yaml_reads_as_a_comment_or_an_anchor_is_hidden_with_the_secret() {
    for secret in [
        "abc #hunter2",
        "!hunter2",
        "*hunter2",
        "&hunter2",
        "hunter2\n        hunter2 # hunter2",
    ] {
        assert_hidden(&format!(
            "version: 1\nregistries:\n  a:\n    host: a.example\n    auth:\n      password: {secret}\nmirrors: []\n"
        ));
    }
}

#[test]
fn what_a_map_does_not_take_is_hidden_too() {
    for registry in [
        "{ auth: *more, host: a.example, auth: { username: hunter2 } }",
        "{ host: a.example, password: hunter2, password: hunter2, auth: *more }",
        "{ host: a.example, auth: { <<: *more, usr: hunter2 } }",
    ] {
        assert_hidden(&format!(
            "version: 1\nx-more: &more {{ usr: hunter2, usr: hunter2 }}\nregistries:\n  a: {registry}\nmirrors: []\n"
        ));
    }
}

#[test]
fn slips_of_secret_keys_are_hidden_and_names_of_the_users_own_are_none() {
    for key in ["passwd", "pasword", "apitoken", "Password", "client-secret"] {
        assert_hidden(&format!(
            "version: 1\nregistries:\n  a: {{ host: a.example, {key}: hunter2 }}\nmirrors: []\n"
        ));
    }
    let shown =
        bad("version: 1\nregistries:\n  tokens: { host: a.example, x: y }\nmirrors: []\n").to_string();
    assert!(shown.contains("tokens: { host: a.example, x: y }"), "{shown}");
}

#[test]
fn a_password_in_an_address_is_hidden() {
    assert_hidden(
        "version: 1\nregistries:\n  a: { host: \"https://me:hunter2@a.example\" }\n  b: { host: \"me:hunter2@b.example\" }\nmirrors: []\n",
    );
    assert_hidden(
        "version: 1\nmirrors:\n  - { from: \"docker://me:hunter2@a.example/x\", to: \"me:hunter2@b.example/x\" }\n",
    );
}

#[test]
fn lines_end_where_yaml_ends_them() {
    let text = "versin: 1\nregistries:\n  a:\n    auth:\n      password: hunter2\nmirrors: []\n";
    for end in ["\r", "\r\n", "\n"] {
        assert_hidden(&text.replace('\n', end));
        assert_hidden(&format!("\u{feff}{}", text.replace('\n', end)));
    }
}

#[test]
fn problems_show_no_secret_when_a_program_prints_them_whole() {
    let problems =
        bad("version: 1\nregistries:\n  a: { host: a.example, auth: { password: hunter2 } }\nmirrors: []\n");
    assert!(!format!("{problems:?}").contains("hunter2"));
}
