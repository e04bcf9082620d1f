//! Exit codes, all in one place.

use planner::ProblemKind;

/// How a run ends, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Something failed or is blocked, and no narrower code fits.
    Failed,
    /// Changes are pending, or a target has drifted.
    Changes,
    /// The command line is wrong.
    Usage,
    /// The configuration or the plan is refused; nothing was asked of any registry.
    Refused,
    /// Every cause is temporary: run it again.
    Temporary,
    /// Every cause is authentication or permission.
    Denied,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// Returns the number that the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Usage => 64,
            Self::Refused => 65,
            Self::Temporary => 75,
            Self::Denied => 77,
            Self::Interrupted => 130,
        }
    }

    /// Chooses the code for a set of causes; none at all is [`Exit::Done`].
    pub(crate) fn of_causes(causes: impl IntoIterator<Item = ProblemKind>) -> Self {
        let causes: Vec<ProblemKind> = causes.into_iter().collect();
        if causes.is_empty() {
            Self::Done
        } else if causes.iter().all(|cause| cause.is_temporary()) {
            Self::Temporary
        } else if causes.iter().all(|cause| cause.is_permission()) {
            Self::Denied
        } else {
            Self::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_success() {
        assert_eq!(Exit::of_causes([]), Exit::Done);
    }

    #[test]
    fn only_throttling_says_run_it_again() {
        assert_eq!(
            Exit::of_causes([ProblemKind::RateLimit, ProblemKind::RateLimit]).code(),
            75
        );
    }

    #[test]
    fn only_refused_credentials_say_that_running_again_is_vain() {
        assert_eq!(
            Exit::of_causes([ProblemKind::Auth, ProblemKind::Permission]).code(),
            77
        );
    }

    #[test]
    fn mixed_causes_are_a_plain_failure() {
        assert_eq!(
            Exit::of_causes([ProblemKind::Auth, ProblemKind::RateLimit]).code(),
            1
        );
        assert_eq!(Exit::of_causes([ProblemKind::Stale]).code(), 1);
    }

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        let codes = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Changes, 2),
            (Exit::Usage, 64),
            (Exit::Refused, 65),
            (Exit::Temporary, 75),
            (Exit::Denied, 77),
            (Exit::Interrupted, 130),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }
}
