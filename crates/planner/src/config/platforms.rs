//! Reading `platforms` and `index`.

use oci::Platform;

use super::decode::Decoder;
use super::diagnostic::Diagnostic;
use super::node::{Entry, Node};
use crate::spec::Platforms;

/// What becomes of an index of which some platforms are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexRule {
    Whole,
    Sparse,
    Rewrite,
}

pub(crate) const INDEX: [(&str, IndexRule); 3] = [
    ("whole", IndexRule::Whole),
    ("sparse", IndexRule::Sparse),
    ("rewrite", IndexRule::Rewrite),
];

impl Decoder<'_> {
    /// Reads what a mirror takes of an index. A rule for indexes without a list of platforms has nothing to do: it may stand in
    /// `defaults` for the mirrors that have one.
    pub(crate) fn platforms(&mut self, platforms: Option<&Entry>, index: Option<&Entry>) -> Platforms {
        let rule = index.map(|entry| self.choice(&entry.value, "index", &INDEX));
        let Some(entry) = platforms else {
            return Platforms::All;
        };
        let Some(items) = entry.value.list() else {
            if entry.value.text().is_none_or(|(text, _)| text != "all") {
                self.wrong_platforms(&entry.value);
            }
            return Platforms::All;
        };
        if items.is_empty() {
            let message = "`platforms` names no platform";
            self.tell(Diagnostic::new(entry.value.span, message, "write platforms: all"));
        }
        let list: Vec<Platform> = items.iter().filter_map(|item| self.platform(item)).collect();
        match rule {
            Some(Some(IndexRule::Sparse)) => Platforms::Sparse(list),
            Some(Some(IndexRule::Rewrite)) => Platforms::Rewrite(list),
            // Another word is told already.
            Some(None) => Platforms::All,
            None | Some(Some(IndexRule::Whole)) => {
                let message = "some platforms of an index are not the whole index";
                let help = "add `index: sparse` to keep the digest or `index: rewrite` to make a new index";
                self.tell(Diagnostic::new(entry.key_span, message, help));
                Platforms::All
            }
        }
    }

    fn wrong_platforms(&mut self, node: &Node) {
        let help = "write platforms: all, or a list in brackets: platforms: [linux/amd64]";
        if node
            .text()
            .is_some_and(|(text, _)| text.parse::<Platform>().is_ok())
        {
            let message = "expected `platforms`, all or a list, found text";
            self.tell(Diagnostic::new(node.span, message, help));
        } else if node.text().is_some() {
            self.choice_or(
                node,
                "platforms",
                &[("all", ())],
                ", or a list in brackets: [linux/amd64]",
            );
        } else {
            self.wrong_type(node, "`platforms`, all or a list", help);
        }
    }

    fn platform(&mut self, node: &Node) -> Option<Platform> {
        let text = self.value(node, "a platform", "linux/amd64")?;
        let platform = text.parse::<Platform>().map_err(|error| {
            let message = format!("`{text}` is no platform");
            Diagnostic::new(node.span, message, error.to_string())
        });
        self.told(platform)
    }
}
