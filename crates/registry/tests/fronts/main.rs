//! The client against real registries behind fronts with the rules of the clouds.

#[cfg(test)]
mod acr;
#[cfg(test)]
mod ecr;
#[cfg(test)]
mod gar;
#[cfg(test)]
mod support;
