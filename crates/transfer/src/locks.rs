//! Locks between the processes of one machine.
//!
//! No registry offers to change a tag only if it stands where it was read. What is read, changed and written back is
//! therefore held against everybody else here: by a mutex within the process, by a lock on a file between processes. The
//! kernel lets go of such a lock when its process ends, however that ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oci::{Digest, RepositoryName, Tag};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How many locks there are: what shares one waits for each other now and then, and the files don't grow in number.
const STRIPES: usize = 256;

/// How long the lock of another process is waited for. One that was stopped in its tracks must not hold up all others.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the processes of one machine lock what they change together.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    directory: Option<Arc<Path>>,
}

impl Locks {
    /// Locks files in `directory`, which is made where it is missing. They stay there, empty, for the next process.
    ///
    /// # Errors
    /// A directory in which nothing can be written.
    pub fn at(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        open(&path(&directory, 0))?;
        Ok(Self {
            directory: Some(directory.into()),
        })
    }

    /// Locks nothing between processes.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    async fn take(&self, stripe: u8) -> io::Result<Option<File>> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        let path = path(directory, stripe);
        // The thread may wait on when we no longer do: then it lets go of the lock as soon as it has it.
        let lock = spawn_blocking(move || {
            let file = open(&path)?;
            file.lock()?;
            Ok(file)
        });
        match timeout(PATIENCE, lock).await {
            Ok(Ok(locked)) => locked.map(Some),
            Ok(Err(ended)) => Err(io::Error::other(ended)),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("another process has held it for {} seconds", PATIENCE.as_secs()),
            )),
        }
    }
}

fn path(directory: &Path, stripe: u8) -> PathBuf {
    directory.join(format!("{stripe:02x}"))
}

/// Opens a file to be locked. What stands there and is no file is left alone: a link may lead anywhere, and who opens a pipe
/// waits for its reader.
fn open(path: &Path) -> io::Result<File> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        let text = format!("{} is no file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    // Writable, because NFS grants exclusive locks on writable files only.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// The locks of one run.
#[derive(Debug)]
pub(crate) struct Stripes {
    locks: Locks,
    mutexes: Vec<Arc<Mutex<()>>>,
    /// Whether a lock was waited for in vain: then no other is waited for.
    forsaken: AtomicBool,
}

/// Held while a tag is read, changed and written back.
#[derive(Debug)]
pub(crate) struct Held {
    _mutex: OwnedMutexGuard<()>,
    _file: Option<File>,
}

impl Stripes {
    pub(crate) fn new(locks: Locks) -> Self {
        Self {
            locks,
            mutexes: (0..STRIPES).map(|_| Arc::default()).collect(),
            forsaken: AtomicBool::new(false),
        }
    }

    /// Waits until nobody else on this machine changes `tag` of a repository of `registry`, whatever its name is here.
    ///
    /// Where the file can't be locked the tag is held within this process alone; the error is returned beside. Once a lock
    /// has not come in time, the files are left alone.
    pub(crate) async fn hold(
        &self,
        registry: &str,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> (Held, Option<io::Error>) {
        let stripe = stripe(registry, repository, tag);
        // Within the process first: then as many threads wait for files as there are stripes, and no more.
        let mutex = Arc::clone(&self.mutexes[usize::from(stripe)]).lock_owned().await;
        let taken = if self.forsaken.load(Ordering::Relaxed) {
            Ok(None)
        } else {
            self.locks.take(stripe).await
        };
        let (file, error) = match taken {
            Ok(file) => (file, None),
            Err(error) => (None, Some(error)),
        };
        if error
            .as_ref()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        {
            self.forsaken.store(true, Ordering::Relaxed);
        }
        let held = Held {
            _mutex: mutex,
            _file: file,
        };
        (held, error)
    }
}

/// The same in every process, whatever version it is.
fn stripe(registry: &str, repository: &RepositoryName, tag: &Tag) -> u8 {
    let key = Digest::sha256(format!("{registry}/{repository}:{tag}").as_bytes());
    u8::from_str_radix(&key.hex()[..2], 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn key() -> (RepositoryName, Tag) {
        ("team/app".parse().unwrap(), "v1.sig".parse().unwrap())
    }

    fn at(directory: &tempfile::TempDir) -> Stripes {
        Stripes::new(Locks::at(directory.path().join("locks")).unwrap())
    }

    #[tokio::test]
    async fn what_another_process_holds_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (at(&directory), at(&directory));
        let (repository, tag) = key();
        let (held, error) = one.hold("site.example", &repository, &tag).await;
        assert!(error.is_none());
        let mut waiting = pin!(other.hold("site.example", &repository, &tag));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        let file = open(&path(
            &directory.path().join("locks"),
            stripe("site.example", &repository, &tag),
        ))
        .unwrap();
        assert!(file.try_lock().is_err(), "the file is locked");
        drop(held);
        let (_held, error) = waiting.await;
        assert!(error.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_lock_that_never_came_no_other_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (at(&directory), at(&directory));
        let (repository, tag) = key();
        let (_held, _) = one.hold("site.example", &repository, &tag).await;
        {
            let mut waiting = pin!(other.hold("site.example", &repository, &tag));
            let mut context = Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            // The clock does not move by itself while a thread waits for the file.
            tokio::time::advance(PATIENCE).await;
            let (_held, error) = waiting.await;
            assert_eq!(error.unwrap().kind(), io::ErrorKind::TimedOut);
        }
        let mut again = pin!(other.hold("site.example", &repository, &tag));
        let poll = again.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Poll::Ready((_, None))));
    }

    #[tokio::test]
    async fn within_one_process_no_directory_is_needed() {
        let stripes = Stripes::new(Locks::none());
        let (repository, tag) = key();
        let (held, _) = stripes.hold("site.example", &repository, &tag).await;
        let mut waiting = pin!(stripes.hold("site.example", &repository, &tag));
        let poll = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Poll::Pending));
        drop(held);
        waiting.await;
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_locked_is_told_and_nothing_waits_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let stripes = at(&directory);
        fs::remove_dir_all(directory.path().join("locks")).unwrap();
        let (repository, tag) = key();
        let (_held, error) = stripes.hold("site.example", &repository, &tag).await;
        assert!(error.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn neither_a_link_nor_a_pipe_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), path(directory.path(), 0));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(Locks::at(directory.path().to_owned()).is_err());
        assert!(!file.exists(), "nothing is made where the link leads");
        fs::remove_file(&link).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&link).status().unwrap();
        assert!(made.success());
        let error = Locks::at(directory.path().to_owned()).unwrap_err();
        assert!(error.to_string().ends_with("is no file"));
    }

    #[test]
    fn a_directory_that_can_not_be_made_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Locks::at(file.join("locks")).is_err());
    }

    #[test]
    fn keys_are_spread_over_all_stripes() {
        let (repository, _) = key();
        let stripes: std::collections::BTreeSet<u8> = (0..5000)
            .map(|number| {
                stripe(
                    "site.example",
                    &repository,
                    &format!("v{number}").parse().unwrap(),
                )
            })
            .collect();
        assert_eq!(stripes.len(), STRIPES);
    }
}
