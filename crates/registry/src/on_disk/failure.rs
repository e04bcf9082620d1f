//! What a layout's errors mean.

use std::io;

use layout::LayoutError;

use crate::{Error, ErrorKind};

/// Makes an error of a layout's, which stays its source: it names the file.
pub(super) fn failure(action: &str, error: LayoutError) -> Error {
    let hint = error.hint();
    let failure = Error::new(kind(&error), action).caused_by(error);
    match (failure.kind(), hint) {
        (ErrorKind::Quota, _) => failure.with_hint("free space on the disk that holds the layout"),
        (_, Some(hint)) => failure.with_hint(hint),
        (_, None) => failure,
    }
}

fn kind(error: &LayoutError) -> ErrorKind {
    match error {
        LayoutError::Io { source, .. } => match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Quota,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Permission,
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Other,
        },
        LayoutError::Lost { source, .. } => kind(source),
        LayoutError::NotALayout { .. } => ErrorKind::NotFound,
        LayoutError::ReadOnly { .. } => ErrorKind::Permission,
        LayoutError::Json { .. }
        | LayoutError::Malformed { .. }
        | LayoutError::Entry { .. }
        | LayoutError::TooLarge { .. }
        | LayoutError::Tar { .. }
        | LayoutError::Truncated { .. }
        | LayoutError::Digest { .. } => ErrorKind::Integrity,
        LayoutError::Kind { .. } | LayoutError::Member { .. } => ErrorKind::Policy,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn a_full_disk_is_a_quota_and_the_layouts_error_stays_the_source() {
        let error = LayoutError::Io {
            action: "write",
            path: "/mirror/x".into(),
            source: io::Error::from(io::ErrorKind::StorageFull),
        };
        let error = failure("upload blob", error);
        assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Quota, true));
        assert_eq!(error.to_string(), "upload blob");
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("cannot write /mirror/x")
        );
    }
}
