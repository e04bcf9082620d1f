//! How the command line wants registries to be reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use planner::{RegistryName, Spec};
use registry::credentials::Static;

use crate::arguments::{Access, Copy, OneRegistry};
use crate::credentials;
use crate::failure::Failure;

/// How the command line wants registries to be reached.
#[derive(Debug)]
pub(crate) struct Manner {
    directory: PathBuf,
    authfile: Option<PathBuf>,
    retries: Option<u32>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// As the configuration says.
    Declared,
    /// As flags say; nothing is declared.
    OneShot {
        usual: Flags,
        by_name: BTreeMap<RegistryName, Flags>,
    },
}

/// What flags say of one registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Who signs in.
    pub(super) sign_in: Option<Static>,
    /// Whether certificates are checked.
    pub(super) verify: Option<bool>,
}

impl Manner {
    /// Reaches registries as the configuration says that stands in `directory`.
    pub(crate) fn declared(directory: PathBuf, access: &Access) -> Self {
        Self::new(directory, access, Way::Declared)
    }

    /// Reaches the one registry that a command names.
    ///
    /// # Errors
    /// A password that nobody can be asked for (64).
    pub(crate) fn one_shot(access: &Access, one: &OneRegistry) -> Result<Self, Failure> {
        let usual = flags("--creds", one.creds.as_deref(), one.tls_verify)?;
        Ok(Self::new(
            PathBuf::new(),
            access,
            Way::OneShot {
                usual,
                by_name: BTreeMap::new(),
            },
        ))
    }

    /// Reaches one registry with one credential and no other.
    pub(crate) fn signing_in(sign_in: Static, verify: Option<bool>) -> Self {
        let usual = Flags {
            sign_in: Some(sign_in),
            verify,
        };
        let by_name = BTreeMap::new();
        Self::new(
            PathBuf::new(),
            &Access::default(),
            Way::OneShot { usual, by_name },
        )
    }

    /// Reaches the source and the targets of a copy. A registry that is both is reached as a target.
    ///
    /// # Errors
    /// A password that nobody can be asked for (64).
    pub(crate) fn copying(arguments: &Copy, spec: &Spec) -> Result<Self, Failure> {
        let source = flags(
            "--src-creds",
            arguments.src_creds.as_deref(),
            arguments.src_tls_verify,
        )?;
        let target = flags(
            "--dest-creds",
            arguments.dest_creds.as_deref(),
            arguments.dest_tls_verify,
        )?;
        let sources = spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
        let mut by_name: BTreeMap<RegistryName, Flags> = BTreeMap::new();
        for read in sources.clone() {
            by_name.insert(read.place.registry.clone(), source.clone());
        }
        for written in sources.flat_map(|source| &source.targets) {
            let both = by_name.entry(written.place.registry.clone()).or_default();
            *both = target.clone().or(both);
        }
        let way = Way::OneShot {
            usual: Flags::default(),
            by_name,
        };
        Ok(Self::new(PathBuf::new(), &arguments.access, way))
    }

    fn new(directory: PathBuf, access: &Access, way: Way) -> Self {
        Self {
            directory,
            authfile: access.authfile.clone(),
            retries: access.retry_times,
            way,
        }
    }

    /// Returns the directory that relative paths count from.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the credential file that comes before all others.
    pub(super) fn authfile(&self) -> Option<&Path> {
        self.authfile.as_deref()
    }

    /// Returns how often a request is sent again, where a flag says so.
    pub(super) fn retries(&self) -> Option<u32> {
        self.retries
    }

    /// Returns what flags say of a registry; nothing where a configuration speaks for it.
    pub(super) fn flags(&self, name: &RegistryName) -> Option<&Flags> {
        match &self.way {
            Way::Declared => None,
            Way::OneShot { usual, by_name } => Some(by_name.get(name).unwrap_or(usual)),
        }
    }
}

impl Flags {
    fn or(self, other: &Self) -> Self {
        Self {
            sign_in: self.sign_in.or_else(|| other.sign_in.clone()),
            verify: self.verify.or(other.verify),
        }
    }
}

fn flags(name: &str, creds: Option<&str>, verify: Option<bool>) -> Result<Flags, Failure> {
    let sign_in = creds.map(|creds| credentials::flag(name, creds)).transpose()?;
    Ok(Flags { sign_in, verify })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_registry_has_no_flags() {
        let manner = Manner::declared(PathBuf::from("a"), &Access::default());
        assert!(manner.flags(&"site".parse().unwrap()).is_none());
        assert_eq!(manner.directory(), Path::new("a"));
    }

    #[test]
    fn flags_hold_for_the_registry_a_command_names() {
        let one = OneRegistry {
            creds: Some("u:p".to_owned()),
            tls_verify: Some(false),
        };
        let manner = Manner::one_shot(&Access::default(), &one).unwrap();
        let flags = manner.flags(&"site.example".parse().unwrap()).unwrap();
        assert_eq!(flags.verify, Some(false));
        assert!(flags.sign_in.is_some());
    }
}
