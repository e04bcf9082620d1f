//! The grammars and documents of the specifications, and what hostile peers make of them.

#[cfg(test)]
mod attachments;
#[cfg(test)]
mod common;
#[cfg(test)]
mod digests;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod json;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod names;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod references;
