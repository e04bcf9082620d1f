//! What a class of registries can do and how it wants to be talked to, as one piece of data.

use planner::Capabilities;
use registry::Wire;

use crate::Class;

/// What is known of a registry beforehand, or said by its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The software or service behind it.
    pub class: Class,
    /// What it can do, for plans.
    pub capabilities: Capabilities,
    /// How it wants to be talked to.
    pub wire: Wire,
}

impl Profile {
    /// Returns the built-in profile of a class.
    #[must_use]
    pub fn of(class: Class) -> Self {
        Self {
            class,
            capabilities: class.capabilities(),
            wire: Wire::default(),
        }
    }
}
