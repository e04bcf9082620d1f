//! The file that keeps credentials, and the helpers that it names.

use std::io;
use std::path::{Path, PathBuf};

use oci::Host;
use registry::Secret;
use registry::credentials::{DockerDocument, Helper};

use crate::connect;
use crate::credentials;
use crate::failure::Failure;
use crate::files::{self, Input};

/// No such file is larger.
const MAX_FILE: u64 = 8 << 20;

/// A docker or podman file as it was read, to be changed.
pub(crate) struct CredentialFile {
    path: PathBuf,
    document: DockerDocument,
}

/// Who keeps a credential now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The file itself.
    File,
    /// A helper of this name.
    Helper(String),
}

impl CredentialFile {
    /// Reads the file that a flag names, or docker's. One that is missing is empty.
    ///
    /// # Errors
    /// A file that can't be read, is something else or could not be written, and no home to look in (64).
    pub(crate) fn open(authfile: Option<&Path>) -> Result<Self, Failure> {
        let path = authfile
            .map(Path::to_owned)
            .or_else(credentials::docker_file)
            .ok_or_else(|| {
                Failure::usage("there is no home directory to keep credentials in")
                    .hint("name a file by `--authfile`")
            })?;
        // A link stays one: what it leads to is replaced.
        let path = path.canonicalize().unwrap_or(path);
        let refuse = |what: &str| Failure::failed(format!("{}: {what}", path.display()));
        let bytes = match Input::File(path.clone()).read(MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(refuse("it can't be read").because(&error)),
        };
        let document =
            DockerDocument::read(&bytes).map_err(|error| refuse("it is left as it is").because(&error))?;
        if directory(&path).is_dir() {
            files::can_be_written(&path).map_err(|error| refuse("it can't be written").because(&error))?;
        }
        Ok(Self { path, document })
    }

    /// Returns where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a password for a host: with the host's helper, where the file names one.
    ///
    /// # Errors
    /// A helper that fails, and a file that can't be written: then it is as it was.
    pub(crate) async fn keep(
        mut self,
        host: &Host,
        username: &str,
        password: &Secret,
    ) -> Result<Keeper, Failure> {
        let keeper = match self.helper(host)? {
            Some((name, helper)) => {
                let stored = helper.store(username, password).await;
                stored.map_err(|error| connect::answered(&error))?;
                self.document.note_helper(host);
                Keeper::Helper(name)
            }
            None => {
                self.document.keep(host, username, password);
                Keeper::File
            }
        };
        self.write()?;
        Ok(keeper)
    }

    /// Forgets what is kept for a host, in the file and with its helper. Returns who kept something.
    ///
    /// # Errors
    /// As [`CredentialFile::keep`].
    pub(crate) async fn forget(mut self, host: &Host) -> Result<Vec<Keeper>, Failure> {
        let mut kept = Vec::new();
        if let Some((name, helper)) = self.helper(host)? {
            let erased = erase(&helper).await.map_err(|error| connect::answered(&error))?;
            kept.extend(erased.then_some(Keeper::Helper(name)));
        }
        if self.document.forget(host) {
            if kept.is_empty() {
                kept.push(Keeper::File);
            }
            self.write()?;
        }
        Ok(kept)
    }

    fn helper(&self, host: &Host) -> Result<Option<(String, Helper)>, Failure> {
        let Some(name) = self.document.helper(host) else {
            return Ok(None);
        };
        let helper = Helper::new(name, host);
        let helper =
            helper.map_err(|error| Failure::failed(self.path.display().to_string()).because(&error))?;
        Ok(Some((name.to_owned(), helper)))
    }

    fn write(self) -> Result<(), Failure> {
        let written = private_directory(directory(&self.path))
            .and_then(|()| files::write_whole(&self.path, &self.document.into_bytes()));
        written.map_err(|error| {
            Failure::failed(format!("{}: it can't be written", self.path.display())).because(&error)
        })
    }
}

/// Has a helper forget. Whether it had anything only `get` tells: many erase what is not there without a word.
async fn erase(helper: &Helper) -> Result<bool, registry::Error> {
    Ok(helper.knows().await? && helper.erase().await?)
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory that is missing, for its owner alone.
fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
