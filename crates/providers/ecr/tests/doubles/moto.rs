//! What moto offers beside AWS: a record of what it was asked, and authorization.

use std::env;

use testkit::python;

const CALL: &str = r#"
import os, urllib.request
def call(path, data=None):
    request = urllib.request.Request(os.environ["URL"] + "/moto-api/" + path, data, {"Content-Type": "text/plain"})
    return urllib.request.urlopen(request).read().decode()
"#;

async fn call(script: &str) -> String {
    let url = env::var("AWS_ENDPOINT_URL").expect("the world has a moto");
    python::run(&format!("{CALL}{script}"), &[("URL", &url)]).await
}

/// Remembers every request from here on.
pub(crate) async fn record() {
    call("call('recorder/reset-recording', b''); call('recorder/start-recording', b'')").await;
}

/// Returns a line for every request: who signed it, and its body.
pub(crate) async fn recorded() -> String {
    call(
        "import base64, json
for line in call('recorder/download-recording').splitlines():
    asked = json.loads(line)
    body = base64.b64decode(asked['body']).decode() if asked['body_encoded'] else asked['body']
    print(asked['headers'].get('Authorization'), body)",
    )
    .await
}

/// From here on, everybody needs a policy that allows what they do.
pub(crate) async fn authorize() {
    call("call('reset-auth', b'0')").await;
}
