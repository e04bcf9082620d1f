//! Names of members, and where links among them lead.

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeadsOut;

/// Gives a member's name one spelling: no `.`, no doubled and no last slash. Empty for the root.
pub(crate) fn tidy(name: &str) -> Result<String, LeadsOut> {
    if name.starts_with('/') {
        return Err(LeadsOut);
    }
    join("", name)
}

/// Returns the member that a symbolic link leads to.
pub(crate) fn follow(link: &str, target: &str) -> Result<String, LeadsOut> {
    if target.starts_with('/') {
        return Err(LeadsOut);
    }
    let parent = link.rsplit_once('/').map_or("", |(parent, _)| parent);
    join(parent, target)
}

/// Walks from a directory; `..` may be walked as far as the root of the archive.
fn join(directory: &str, path: &str) -> Result<String, LeadsOut> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => parts.pop().map(drop).ok_or(LeadsOut)?,
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_has_one_spelling() {
        for (name, tidied) in [
            ("index.json", "index.json"),
            ("./index.json", "index.json"),
            ("blobs//sha256/./x", "blobs/sha256/x"),
            ("./", ""),
            ("a/../b", "b"),
        ] {
            assert_eq!(tidy(name).as_deref(), Ok(tidied), "{name}");
        }
    }

    #[test]
    fn a_link_counts_from_where_it_stands() {
        assert_eq!(
            follow("b/layer.tar", "../a/layer.tar").as_deref(),
            Ok("a/layer.tar")
        );
        assert_eq!(follow("layer.tar", "a.tar").as_deref(), Ok("a.tar"));
    }

    #[test]
    fn what_leads_out_is_refused() {
        for name in ["/etc/passwd", "../x", "a/../../x"] {
            assert_eq!(tidy(name), Err(LeadsOut), "{name}");
        }
        assert_eq!(follow("a/b", "../../x"), Err(LeadsOut));
        assert_eq!(follow("a/b", "/etc/passwd"), Err(LeadsOut));
    }
}
