//! Layouts on a real filesystem.

#[cfg(test)]
mod archives;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod common;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod index;
#[cfg(test)]
mod members;
#[cfg(test)]
mod parallel;
#[cfg(test)]
mod tarball;
