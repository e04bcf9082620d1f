//! `creds` of regsync's file.

use super::book::{Auth, Secret, Settings};
use super::draft::{Draft, Item, LeftOut};
use super::go_template;
use super::place;
use super::quote::{literal, shown};
use super::reading::{Keys, Reading};
use super::report::Kind;
use crate::config::node::Node;

const KEYS: [&str; 21] = [
    "registry",
    "hostname",
    "user",
    "pass",
    "token",
    "credHelper",
    "credExpire",
    "credHost",
    "tls",
    "regcert",
    "clientCert",
    "clientKey",
    "pathPrefix",
    "mirrors",
    "priority",
    "repoAuth",
    "api",
    "apiOpts",
    "blobChunk",
    "blobMax",
    "scheme",
];

const LIMITS: [(&str, &str); 2] = [
    ("reqPerSec", "requests_per_second"),
    ("reqConcurrent", "concurrency"),
];

const WITHOUT: [(&str, &str); 11] = [
    (
        "credExpire",
        "helpers are asked again when a credential is refused",
    ),
    ("credHost", "helpers are asked for the registry's own host"),
    ("pathPrefix", "write the whole path in `from` and `to`"),
    (
        "mirrors",
        "what is read is the registry that `from` names; name a mirror there",
    ),
    ("priority", "there is one registry for each source"),
    (
        "repoAuth",
        "tokens are for the repositories they are asked for anyway",
    ),
    ("api", "the protocol is the only one"),
    ("apiOpts", "`profile` says how a registry wants to be talked to"),
    ("blobChunk", "`profile` says how blobs are cut"),
    ("blobMax", "`profile` says how blobs are cut"),
    ("scheme", "`tls` says it, and here `plain_http`"),
];

/// Reads one entry.
pub(super) fn read(reading: &mut Reading<'_>, node: &Node, draft: &mut Draft) {
    let known: Vec<&str> = KEYS.into_iter().chain(LIMITS.map(|(key, _)| key)).collect();
    let keys = reading.keys(node, "an entry of `creds`", &known);
    reading.without_counterpart(keys, &WITHOUT);
    let Some((name, span)) = reading.text_of(keys, "registry") else {
        return;
    };
    let address = reading
        .text_of(keys, "hostname")
        .map_or(name, |(address, _)| address);
    let host = match go_template::text(address).and_then(|text| match text.contains('$') {
        true => Ok(text),
        false => place::host(&text).map(|host| host.to_string()),
    }) {
        Ok(host) => host,
        Err(why) => {
            let what = format!("the registry `{}`", shown(name));
            let at = reading.at(span);
            draft.items.push(Item::LeftOut(LeftOut { at, what, why }));
            return;
        }
    };
    let mut settings = Settings {
        host: host.clone(),
        ..Settings::default()
    };
    tls(reading, keys, &mut settings);
    limits(reading, keys, &mut settings);
    settings.auth = auth(reading, keys);
    let owns = matches!(
        &settings.auth,
        Some(
            Auth::Token(Secret::Own(_))
                | Auth::Basic {
                    password: Secret::Own(_),
                    ..
                }
        )
    );
    let id = draft.book.declare(settings);
    // References keep the name that the entry has in regsync, wherever the registry answers.
    if let Ok(alias) = place::host(name) {
        draft.book.alias(&alias, id);
    }
    if owns {
        let variable = draft.book.variable(id);
        let text = format!("set {variable} to the secret for {host}, which the configuration does not hold");
        reading.tell(Kind::ToDo, span, text);
    }
}

fn tls(reading: &mut Reading<'_>, keys: Keys<'_>, settings: &mut Settings) {
    match reading.text_of(keys, "tls") {
        Some(("disabled", _)) => settings.plain_http = true,
        Some(("insecure", _)) => settings.insecure_skip_verify = true,
        Some(("enabled", _)) | None => {}
        Some((other, span)) => {
            let message = format!("unknown value `{}` of `tls`", shown(other));
            reading.wrong(span, message, "regsync knows enabled, insecure and disabled");
        }
    }
    for (key, ours) in [
        ("regcert", "ca"),
        ("clientCert", "client_cert"),
        ("clientKey", "client_key"),
    ] {
        let Some((text, span)) = reading.text_of(keys, key) else {
            continue;
        };
        if let Some(path) = go_template::file(text) {
            settings.tls.insert(ours, path);
        } else {
            settings.comments.push(format!(
                "{key} stood in the file itself: save it, and name it as tls: {{ {ours}: FILE }}"
            ));
            let text =
                format!("`{key}` stands in the file itself: save it to a file and name that as `tls.{ours}`");
            reading.tell(Kind::ToDo, span, text);
        }
    }
    let pair = ["client_cert", "client_key"].map(|key| settings.tls.contains_key(key));
    if pair[0] != pair[1] {
        // One without the other is refused, and the one that is missing was told.
        settings.tls.retain(|key, _| *key == "ca");
    }
}

fn limits(reading: &mut Reading<'_>, keys: Keys<'_>, settings: &mut Settings) {
    for (key, ours) in LIMITS {
        let Some((text, span)) = reading.text_of(keys, key) else {
            continue;
        };
        match text.parse::<f64>() {
            Ok(number) if number >= 1.0 && number < f64::from(u32::MAX) => {
                if number.fract() > 0.0 {
                    reading.changed(span, format!("`{key}` is rounded down to a whole number"));
                }
                let whole = text.split('.').next().unwrap_or_default().parse();
                settings.limits.extend(whole.ok().map(|whole| (ours, whole)));
            }
            Ok(number) if number > 0.0 => {
                reading.changed(
                    span,
                    format!("`{key}` below 1 has no counterpart: the least is 1"),
                );
                settings.limits.insert(ours, 1);
            }
            Ok(_) => {}
            Err(_) => reading.wrong(span, format!("`{key}` is no number"), "write it in digits"),
        }
    }
}

fn auth(reading: &mut Reading<'_>, keys: Keys<'_>) -> Option<Auth> {
    if let Some((program, _)) = reading.text_of(keys, "credHelper") {
        let file = program.rsplit('/').next().unwrap_or(program);
        let name = file.strip_prefix("docker-credential-").unwrap_or(file);
        return Some(Auth::Helper(literal(name)));
    }
    let user = reading.text_of(keys, "user");
    let pass = reading.text_of(keys, "pass");
    if let (Some((user, span)), Some((pass, _))) = (user, pass) {
        let username = go_template::text(user).unwrap_or_else(|why| {
            reading.tell(Kind::ToDo, span, format!("write `username`: {why}"));
            "REPLACE-ME".to_owned()
        });
        return Some(Auth::Basic {
            username,
            password: go_template::secret(pass),
        });
    }
    let (token, span) = reading.text_of(keys, "token")?;
    reading.changed(span, "`token` is sent as a bearer token, as it is");
    Some(Auth::Token(go_template::secret(token)))
}
