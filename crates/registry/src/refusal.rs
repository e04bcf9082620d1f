//! What a registry says where it does not do what it was asked, and what that means.

use std::fmt;

use futures_util::StreamExt;
use http::StatusCode;
use serde_json::Value;

use crate::ErrorKind;
use crate::call::Reply;
use crate::printable::printable;

/// How much of a refusal's body is read, in bytes.
const MAX_BODY: usize = 64 << 10;

/// How many errors of one answer are shown.
const MAX_SHOWN: usize = 4;

/// A status with what the body says about it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The first code of the body, such as `DENIED`.
    pub(crate) code: Option<String>,
    /// What is shown after the status.
    text: String,
    /// All that the body says, in lower case.
    evidence: String,
}

/// What texts say where codes say too little. Each was seen at a registry in the field.
const NO_ROOM: &[&str] = &[
    "no space left on device",
    "exceed the configured upper limit",
    "quota exceeded",
    "exceeded quota",
    "exceeds quota",
    "exceeded the quota",
    "exceeded your quota",
    "over quota",
    "storage quota",
    "insufficient storage",
];
const IMMUTABLE: &[&str] = &[
    "is immutable",
    "as immutable",
    "immutable tag",
    "tag immutability",
    "cannot be overwritten",
    "imagetagalreadyexists",
];
const EXPIRED: &[&str] = &["token has expired", "token is expired", "expired token"];
const THROTTLED: &[&str] = &["toomanyrequests", "rate exceeded", "rate limit"];
const MISSING_PARTS: &[&str] = &["required for pushing image", "manifest_blob_unknown"];

impl Refusal {
    /// Reads a reply's body as far as it helps.
    pub(crate) async fn read(mut reply: Reply) -> Self {
        let mut body = Vec::new();
        while let Some(Ok(chunk)) = reply.body.next().await {
            let room = MAX_BODY - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_BODY {
                break;
            }
        }
        Self::parse(reply.status, &body)
    }

    pub(crate) fn parse(status: StatusCode, body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(document) => Self::of_document(status, &document),
            Err(_) => Self::of_text(status, &String::from_utf8_lossy(body)),
        }
    }

    fn of_document(status: StatusCode, document: &Value) -> Self {
        let entries = entries(document);
        let mut codes = entries.iter().filter_map(|entry| code(entry));
        let shown: Vec<String> = entries.iter().take(MAX_SHOWN).map(|entry| line(entry)).collect();
        Self {
            status,
            code: codes.next().map(|code| printable(&code)),
            text: printable(&shown.join("; ")),
            evidence: document.to_string().to_lowercase(),
        }
    }

    fn of_text(status: StatusCode, body: &str) -> Self {
        // Pages for browsers and XML of storage services say little and show badly.
        let shown = if body.trim_start().starts_with('<') {
            ""
        } else {
            body
        };
        Self {
            status,
            code: None,
            text: printable(shown),
            evidence: body.to_lowercase(),
        }
    }

    fn says(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.evidence.contains(text))
    }

    fn is_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Says what it means: the status first, then the code, then the words.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self.status.as_u16() {
            429 => ErrorKind::RateLimit,
            401 => ErrorKind::Auth,
            507 => ErrorKind::Quota,
            400 | 403 if self.says(EXPIRED) => ErrorKind::Auth,
            400..=499 if self.is_code(&["TOOMANYREQUESTS"]) => ErrorKind::RateLimit,
            403 | 503 if self.says(THROTTLED) => ErrorKind::RateLimit,
            400..=599 if self.says(NO_ROOM) => ErrorKind::Quota,
            400..=499 => self.kind_of_refusal(),
            500 | 502..=504 | 506 | 509..=599 => ErrorKind::Network,
            300..=399 => ErrorKind::Policy,
            _ => ErrorKind::Other,
        }
    }

    fn kind_of_refusal(&self) -> ErrorKind {
        if self.is_code(&["TAG_INVALID", "REGISTRY_DISALLOWED_OPERATION"]) || self.says(IMMUTABLE) {
            return ErrorKind::Immutable;
        }
        if self.is_code(&["DIGEST_INVALID", "SIZE_INVALID"]) {
            return ErrorKind::Integrity;
        }
        if self.says(MISSING_PARTS) || self.is_code(&["NAME_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"]) {
            return ErrorKind::NotFound;
        }
        match self.status.as_u16() {
            403 => ErrorKind::Permission,
            404 | 410 => ErrorKind::NotFound,
            408 | 425 | 499 => ErrorKind::Network,
            _ if self.is_code(&["DENIED"]) => ErrorKind::Permission,
            _ if self.is_code(&["UNAUTHORIZED"]) => ErrorKind::Auth,
            _ => ErrorKind::Other,
        }
    }

    /// Says what to do next, where the answer alone tells.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.kind() {
            ErrorKind::NotFound if self.says(MISSING_PARTS) => Some(
                "the registry misses a blob or a manifest that this manifest names; run it again to send what is missing, and write index: rewrite where platforms are left out",
            ),
            ErrorKind::NotFound if self.is_code(&["NAME_UNKNOWN"]) => {
                Some("the repository does not exist; create it, or check its name")
            }
            ErrorKind::Immutable if self.is_code(&["REGISTRY_DISALLOWED_OPERATION"]) => {
                Some("the image, its repository or the registry is locked; unlock it there")
            }
            ErrorKind::Immutable => Some(
                "the registry does not let this tag move; use another tag, `on_change: keep`, or change the repository's setting",
            ),
            ErrorKind::Quota => Some("free space or raise the quota at the registry"),
            ErrorKind::Policy => {
                Some("the registry redirects a request that must not be redirected; check its address")
            }
            ErrorKind::Other if self.status == StatusCode::PAYLOAD_TOO_LARGE => Some(
                "something in front of the registry limits the size of a request; raise that limit or go around it",
            ),
            ErrorKind::Other if self.is_code(&["MANIFEST_INVALID"]) => {
                Some("the registry does not accept this kind of manifest; its bytes are never rewritten")
            }
            ErrorKind::Other if self.status == StatusCode::METHOD_NOT_ALLOWED => {
                Some("the registry does not allow this here; it may be read-only")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// Finds the errors in what a registry, or a cloud's API in front of it, answers with.
fn entries(document: &Value) -> Vec<&Value> {
    match (document.get("errors"), document.get("error")) {
        (Some(Value::Array(errors)), _) => errors.iter().collect(),
        (_, Some(error @ Value::Object(_))) => vec![error],
        _ => vec![document],
    }
}

fn code(entry: &Value) -> Option<String> {
    let text = |key| entry.get(key).and_then(Value::as_str);
    text("code")
        .or_else(|| text("status"))
        .or_else(|| text("error"))
        .filter(|code| !code.is_empty())
        .map(str::to_owned)
}

/// Renders one error as `denied: requested access to the resource is denied`.
fn line(entry: &Value) -> String {
    let message = ["message", "error_description", "details"]
        .iter()
        .find_map(|key| entry.get(key)?.as_str());
    let code = code(entry).map(|code| legible(&code));
    let mut parts: Vec<String> = code.into_iter().chain(message.map(str::to_owned)).collect();
    parts.extend(detail(entry));
    parts.join(": ")
}

/// Makes words of `MANIFEST_UNKNOWN`. `AuthorizationFailed` stays as people look it up.
fn legible(code: &str) -> String {
    let is_camel_case = code.contains(char::is_lowercase) && code.contains(char::is_uppercase);
    match is_camel_case {
        true => code.to_owned(),
        false => code.to_lowercase().replace('_', " "),
    }
}

/// Renders the `detail` of an error: it may be of any type.
fn detail(entry: &Value) -> Option<String> {
    match entry.get("detail")? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Array(list) if list.is_empty() => None,
        Value::Object(map) if map.is_empty() => None,
        detail => Some(detail.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::parse(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    fn coded(status: u16, code: &str, message: &str) -> Refusal {
        let document = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        refusal(status, &document.to_string())
    }

    #[test]
    fn a_code_is_shown_as_it_is_looked_up() {
        for (code, shown) in [
            ("MANIFEST_UNKNOWN", "manifest unknown: no such image"),
            ("AuthorizationFailed", "AuthorizationFailed: no such image"),
        ] {
            assert_eq!(coded(403, code, "no such image").text, shown);
        }
    }

    #[test]
    fn status_code_and_words_say_what_it_is() {
        let table = [
            (401, "UNAUTHORIZED", "authentication required", ErrorKind::Auth),
            (
                403,
                "DENIED",
                "requested access to the resource is denied",
                ErrorKind::Permission,
            ),
            (400, "DENIED", "not allowed", ErrorKind::Permission),
            (
                403,
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again.",
                ErrorKind::Auth,
            ),
            (400, "", "The token has expired", ErrorKind::Auth),
            (
                403,
                "",
                "You have exceeded a secondary rate limit",
                ErrorKind::RateLimit,
            ),
            (
                404,
                "NAME_UNKNOWN",
                "repository name not known to registry",
                ErrorKind::NotFound,
            ),
            (
                404,
                "BLOB_UPLOAD_UNKNOWN",
                "blob upload unknown to registry",
                ErrorKind::NotFound,
            ),
            (
                400,
                "MANIFEST_BLOB_UNKNOWN",
                "blob unknown to registry",
                ErrorKind::NotFound,
            ),
            (
                404,
                "NOT_FOUND",
                "Images with digests '[sha256:ab]' required for pushing image into repository do not exist",
                ErrorKind::NotFound,
            ),
            (429, "TOOMANYREQUESTS", "Rate exceeded", ErrorKind::RateLimit),
            (400, "TOOMANYREQUESTS", "Rate exceeded", ErrorKind::RateLimit),
            (
                429,
                "",
                "Quota exceeded for quota metric 'Requests'",
                ErrorKind::RateLimit,
            ),
            (500, "UNKNOWN", "unknown error", ErrorKind::Network),
            (503, "", "", ErrorKind::Network),
            (522, "", "", ErrorKind::Network),
            (408, "", "", ErrorKind::Network),
            (501, "", "", ErrorKind::Other),
            (
                400,
                "TAG_INVALID",
                "The image tag 'v1' already exists in the 'r' repository and cannot be overwritten because the repository is immutable.",
                ErrorKind::Immutable,
            ),
            (
                400,
                "MANIFEST_INVALID",
                "cannot update tag v1. The repository has enabled tag immutability",
                ErrorKind::Immutable,
            ),
            (
                412,
                "PRECONDITION",
                "Failed to process request due to 'r:v1' configured as immutable.",
                ErrorKind::Immutable,
            ),
            (
                405,
                "REGISTRY_DISALLOWED_OPERATION",
                "The operation is disallowed on this registry, repository or image.",
                ErrorKind::Immutable,
            ),
            (
                403,
                "DENIED",
                "adding 1.2 GiB of storage resource, which when updated to current usage of 4 GiB will exceed the configured upper limit of 5 GiB.",
                ErrorKind::Quota,
            ),
            (412, "PRECONDITION", "quota exceeded", ErrorKind::Quota),
            (507, "", "", ErrorKind::Quota),
            (413, "", "", ErrorKind::Other),
            (
                413,
                "DENIED",
                "storage quota of the project is used up",
                ErrorKind::Quota,
            ),
            (
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
                ErrorKind::Integrity,
            ),
            (
                400,
                "SIZE_INVALID",
                "provided length did not match content length",
                ErrorKind::Integrity,
            ),
            (400, "MANIFEST_INVALID", "manifest invalid", ErrorKind::Other),
            (
                405,
                "UNSUPPORTED",
                "The operation is unsupported.",
                ErrorKind::Other,
            ),
            (307, "", "", ErrorKind::Policy),
        ];
        for (status, code, message, kind) in table {
            assert_eq!(
                coded(status, code, message).kind(),
                kind,
                "{status} {code} {message}"
            );
        }
    }

    #[test]
    fn a_full_disk_is_read_from_the_detail() {
        let body = r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Enclosed":"write /x: no space left on device"}}]}"#;
        let refusal = refusal(500, body);
        assert_eq!(refusal.kind(), ErrorKind::Quota);
        assert!(
            refusal
                .to_string()
                .ends_with(r#"unknown: unknown error: {"Enclosed":"write /x: no space left on device"}"#)
        );
    }

    #[test]
    fn a_repository_called_quota_or_immutable_means_nothing() {
        let quota = coded(404, "NAME_UNKNOWN", "no repository team/quota-service");
        assert_eq!(quota.kind(), ErrorKind::NotFound);
        let immutable = coded(403, "DENIED", "no access to team/immutable");
        assert_eq!(immutable.kind(), ErrorKind::Permission);
    }

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        let denied = coded(403, "DENIED", "requested access to the resource is denied");
        assert_eq!(
            denied.to_string(),
            "403 Forbidden: denied: requested access to the resource is denied"
        );
        assert_eq!(denied.code.as_deref(), Some("DENIED"));
    }

    #[test]
    fn every_digest_that_is_missing_is_named_up_to_a_bound() {
        let entry =
            |digit| serde_json::json!({ "code": "MANIFEST_BLOB_UNKNOWN", "detail": { "digest": digit } });
        let entries: Vec<Value> = (0..100).map(entry).collect();
        let text = refusal(400, &serde_json::json!({ "errors": entries }).to_string()).to_string();
        assert!(text.contains(r#"manifest blob unknown: {"digest":3}"#), "{text}");
        assert!(!text.contains(r#"{"digest":4}"#), "{text}");
    }

    #[test]
    fn other_shapes_than_the_specifications_are_understood() {
        let google = refusal(
            403,
            r#"{"error":{"code":403,"message":"Permission denied on r","status":"PERMISSION_DENIED"}}"#,
        );
        assert_eq!(
            google.to_string(),
            "403 Forbidden: permission denied: Permission denied on r"
        );
        let token = refusal(
            400,
            r#"{"error":"invalid_grant","error_description":"no such user"}"#,
        );
        assert_eq!(token.to_string(), "400 Bad Request: invalid grant: no such user");
        let plain = refusal(404, "404 page not found\n");
        assert_eq!(plain.to_string(), "404 Not Found: 404 page not found");
        assert_eq!(plain.kind(), ErrorKind::NotFound);
        assert_eq!(refusal(400, "null").to_string(), "400 Bad Request");
        assert_eq!(refusal(400, r#"{"errors":null}"#).to_string(), "400 Bad Request");
    }

    #[test]
    fn a_page_for_browsers_is_not_shown() {
        let page = refusal(502, "\n<html><body>nginx</body></html>");
        assert_eq!(page.to_string(), "502 Bad Gateway");
    }

    #[test]
    fn remote_words_cannot_steer_a_terminal() {
        let text = coded(403, "DEN\u{1b}IED", "a\u{202e}b\nc").to_string();
        assert_eq!(text, "403 Forbidden: denied: ab c");
    }

    #[test]
    fn what_a_person_can_do_is_said() {
        let hinted = [
            coded(404, "NAME_UNKNOWN", ""),
            coded(400, "TAG_INVALID", ""),
            coded(405, "REGISTRY_DISALLOWED_OPERATION", ""),
            coded(400, "MANIFEST_BLOB_UNKNOWN", ""),
            refusal(413, ""),
            refusal(507, ""),
        ];
        for refusal in hinted {
            assert!(refusal.hint().is_some(), "{refusal}");
        }
    }
}
