//! The newest versions among those that are young enough.

use std::collections::{BTreeMap, BTreeSet};

use oci::Tag;

use super::tags::{Latest, Youth};
use super::version::Version;

/// The tags that a set takes, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct Taken<'a> {
    pub(crate) tags: BTreeSet<&'a Tag>,
    /// Tags whose age nobody tells.
    pub(crate) untold: Vec<&'a Tag>,
    /// Tags whose age can't be learnt: they stand for what they would be, and nothing takes their place.
    pub(crate) blocked: u64,
    /// Tags whose age must be known first.
    pub(crate) pending: u64,
}

impl<'a> Taken<'a> {
    /// Looks at a tag, and takes it where it is young.
    pub(crate) fn judge(&mut self, tag: &'a Tag, youth: Youth) {
        match youth {
            Youth::Young => {
                self.tags.insert(tag);
            }
            Youth::Old => {}
            Youth::Untold => self.untold.push(tag),
            Youth::Blocked => self.blocked += 1,
            Youth::Pending => self.pending += 1,
        }
    }
}

/// How many versions of a minor line are taken for sure, and how many with those whose age is not known yet.
#[derive(Clone, Copy, Default)]
struct Line {
    sure: u64,
    perhaps: u64,
}

/// The versions that were walked by, from the newest on.
struct Walk {
    lines: BTreeMap<(u64, u64), Line>,
    most_lines: u64,
    most_versions: u64,
    sure_lines: u64,
    perhaps_lines: u64,
    /// Versions that are too old, and those that were looked at ahead of need.
    old: u64,
    ahead: u64,
}

/// Takes the newest versions of which `youth` says that they are young.
///
/// Finding out how old a tag is costs requests, so that no more is looked at than may be needed: as many versions as are wanted,
/// and where some of them are too old, as many again ahead. Ten thousand old ones so take few rounds, and a young one takes one.
pub(crate) fn newest<'a>(
    versions: BTreeMap<Version, Vec<&'a Tag>>,
    latest: Option<Latest>,
    youth: &mut dyn FnMut(&Tag) -> Youth,
) -> Taken<'a> {
    let mut taken = Taken::default();
    let mut walk = Walk::new(latest);
    for (number, (version, tags)) in (0..).zip(versions.into_iter().rev()) {
        let line = match latest {
            Some(Latest::Minors { .. }) => (version.release.0, version.release.1),
            // Every version counts by itself.
            Some(Latest::Versions(_)) | None => (number, 0),
        };
        if walk.needs(line) {
            let before = (taken.pending, taken.tags.len(), taken.blocked);
            for tag in tags {
                let youth = youth(tag);
                taken.judge(tag, youth);
            }
            if taken.pending > before.0 {
                walk.perhaps(line);
            } else if (taken.tags.len(), taken.blocked) > (before.1, before.2) {
                walk.sure(line);
            } else {
                walk.old += 1;
            }
        }
    }
    taken
}

impl Walk {
    fn new(latest: Option<Latest>) -> Self {
        let (most_lines, most_versions) = match latest {
            None => (u64::MAX, 1),
            Some(Latest::Versions(versions)) => (versions, 1),
            Some(Latest::Minors { minors, patches }) => (minors, patches),
        };
        Self {
            lines: BTreeMap::new(),
            most_lines,
            most_versions,
            sure_lines: 0,
            perhaps_lines: 0,
            old: 0,
            ahead: 0,
        }
    }

    /// Says whether the next version is to be looked at: it is among the newest if those before it turn out young, or it may
    /// be if they turn out old, and as many did before.
    fn needs(&mut self, line: (u64, u64)) -> bool {
        let Line { sure, perhaps } = self.lines.get(&line).copied().unwrap_or_default();
        let fits =
            |taken: u64, lines: u64| taken < self.most_versions && (taken > 0 || lines < self.most_lines);
        if fits(perhaps, self.perhaps_lines) {
            return true;
        }
        let may = fits(sure, self.sure_lines) && self.ahead < self.old;
        self.ahead += u64::from(may);
        may
    }

    fn perhaps(&mut self, line: (u64, u64)) {
        let line = self.lines.entry(line).or_default();
        self.perhaps_lines += u64::from(line.perhaps == 0);
        line.perhaps += 1;
    }

    fn sure(&mut self, line: (u64, u64)) {
        self.perhaps(line);
        let line = self.lines.entry(line).or_default();
        self.sure_lines += u64::from(line.sure == 0);
        line.sure += 1;
    }
}
