//! What lies at the bottom of a failed request.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::resolver::{LeadsInside, Unresolved};
use crate::{TransportError, TransportErrorKind as Kind};

const TRUST: &str = "a site's own authority is given as `tls: { ca: FILE }`; `insecure_skip_verify: true` takes any certificate";
const NAME: &str =
    "reach it by a name that its certificate has; `insecure_skip_verify: true` takes any certificate";
const TIME: &str =
    "renew the certificate, or set this machine's clock; `insecure_skip_verify: true` takes any certificate";
const IDENTITY: &str = "give it one: `tls: { client_cert: FILE, client_key: FILE }`";
const PLAIN: &str = "a registry without TLS is declared `plain_http: true`";
const ENCRYPTED: &str = "a registry with TLS is declared without `plain_http: true`";

type Cause<'a> = &'a (dyn StdError + 'static);

/// Tells failures apart, and says what to do where that is known.
pub(crate) fn classify(error: reqwest::Error) -> TransportError {
    // The address may carry a signature.
    let error = error.without_url();
    let (kind, message, hint) = meaning(&error);
    let failure = TransportError::new(kind, message).caused_by(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

type Meaning = (Kind, &'static str, Option<&'static str>);

fn meaning(error: &reqwest::Error) -> Meaning {
    if let Some(error) = find::<rustls::Error>(error) {
        let (message, hint) = of_tls(error);
        return (Kind::Tls, message, Some(hint));
    }
    if let Some(meaning) = of_name(error) {
        return meaning;
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        let not_http = "the answer is not HTTP, or there is no end to its head";
        return (Kind::Decode, not_http, Some(ENCRYPTED));
    }
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if find::<io::Error>(error).is_some_and(refused) {
        return (Kind::Refused, "connection refused", None);
    }
    let (kind, message) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => (Kind::Connect, "no connection in time"),
        (true, false) => (Kind::Connect, "no connection"),
        (false, true) => (Kind::Timeout, "no answer in time"),
        (false, false) if error.is_builder() => (Kind::Forbidden, "the request can't be made"),
        (false, false) => (Kind::Interrupted, "the connection broke"),
    };
    (kind, message, None)
}

fn of_name(error: &reqwest::Error) -> Option<Meaning> {
    if find::<LeadsInside>(error).is_some() {
        let inside = "the name leads to this machine or its network";
        return Some((Kind::Forbidden, inside, None));
    }
    let unresolved = "the name does not resolve";
    find::<Unresolved>(error).map(|_| (Kind::Connect, unresolved, None))
}

fn of_tls(error: &rustls::Error) -> (&'static str, &'static str) {
    use rustls::Error::{AlertReceived, InvalidCertificate};
    match error {
        InvalidCertificate(error) => of_certificate(error),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => ("it does not speak TLS", PLAIN),
        AlertReceived(AlertDescription::CertificateRequired) => {
            ("it asks for a client certificate", IDENTITY)
        }
        AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => ("it refuses our client certificate, or wants one", IDENTITY),
        _ => ("TLS failed", PLAIN),
    }
}

fn of_certificate(error: &CertificateError) -> (&'static str, &'static str) {
    use CertificateError as Error;
    match error {
        Error::UnknownIssuer => ("its certificate is of an authority that is not trusted", TRUST),
        Error::NotValidForName | Error::NotValidForNameContext { .. } => {
            ("its certificate is for another name", NAME)
        }
        Error::Expired
        | Error::ExpiredContext { .. }
        | Error::NotValidYet
        | Error::NotValidYetContext { .. } => ("its certificate is not valid now", TIME),
        _ => ("its certificate is not trusted", TRUST),
    }
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn causes<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// An I/O error hides what it was made from behind its own source.
fn cause<'a>(error: Cause<'a>) -> Option<Cause<'a>> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
