//! Files: read with a limit, written whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file argument: a path, or `-` for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Standard input.
    Standard,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// Takes an argument.
    pub(crate) fn new(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Standard
        } else {
            Self::File(path.to_owned())
        }
    }

    /// Returns how messages name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Standard => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Returns the directory that relative paths in it count from.
    pub(crate) fn directory(&self) -> PathBuf {
        match self {
            Self::Standard => PathBuf::new(),
            Self::File(path) => path.parent().map(Path::to_owned).unwrap_or_default(),
        }
    }

    /// Reads all of it, at most `limit` bytes.
    ///
    /// # Errors
    /// What can't be read, and what is longer.
    pub(crate) fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        match self {
            Self::Standard => read_at_most(io::stdin().lock(), limit),
            Self::File(path) => read_at_most(File::open(path)?, limit),
        }
    }
}

fn read_at_most(source: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Writes a file whole or not at all, readable by its owner alone. A pipe or a device is simply written to.
///
/// # Errors
/// Whatever the file system answers; then the old file stands as it was.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let directory = directory(path);
    let mut file = beside(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // A rename lasts once its directory is on the disk.
    File::open(directory)?.sync_all()
}

/// Finds out beforehand whether [`write_whole`] can write there. Nothing is left behind.
///
/// # Errors
/// A directory that is missing or takes no files, and a path that is a directory itself.
pub(crate) fn can_be_written(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(()),
        _ => beside(directory(path)).map(drop),
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes a temporary file with mode 0600, which it keeps when it is renamed.
fn beside(directory: &Path) -> io::Result<NamedTempFile> {
    if !directory.is_dir() {
        let missing = format!("there is no directory {}", directory.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, missing));
    }
    // The name of the temporary file would only confuse.
    NamedTempFile::new_in(directory).map_err(|error| error.kind().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_known_beforehand() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        can_be_written(&path).unwrap();
        assert!(!path.exists());
        assert!(can_be_written(directory.path()).is_err());
        let error = can_be_written(&directory.path().join("missing/report.json")).unwrap_err();
        assert!(error.to_string().starts_with("there is no directory "), "{error}");
    }

    #[test]
    fn a_written_file_is_private_and_replaces_the_old_one() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.json");
        std::fs::write(&path, "old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("big");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(Input::new(&path).read(5).unwrap(), b"12345");
        assert!(Input::new(&path).read(4).is_err());
    }

    #[test]
    fn a_dash_is_standard_input_whose_paths_count_from_here() {
        assert_eq!(Input::new(Path::new("-")), Input::Standard);
        assert_eq!(Input::Standard.directory(), PathBuf::new());
        assert_eq!(Input::new(Path::new("a/b.yaml")).directory(), PathBuf::from("a"));
    }
}
