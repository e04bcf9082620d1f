//! Layouts on a real filesystem.

#[cfg(test)]
mod blobs;
#[cfg(test)]
mod common;
#[cfg(test)]
mod index;
#[cfg(test)]
mod parallel;
