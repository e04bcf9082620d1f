//! Globs: `include` and `exclude`.

use transship_planner::config::Conditions;

use super::{assert_taken, own};

#[test]
fn globs_include_and_exclude() {
    for (include, exclude, tags, expected) in [
        (&[][..], &[][..], "a b", "a b"),
        (&["*"], &[], "a b", "a b"),
        (&["3.*"], &[], "3.18 3.19 4.0 13.1", "3.18 3.19"),
        (&["3.*", "4.*"], &[], "3.18 4.0 5.0", "3.18 4.0"),
        (&["*-alpine"], &[], "7.4-alpine 7.4 7.4-alpine3", "7.4-alpine"),
        (&["v?"], &[], "v1 v10 v", "v1"),
        (&["v[12]"], &[], "v1 v2 v3", "v1 v2"),
        (&["{a,b}*"], &[], "a1 b1 c1", "a1 b1"),
        (&["latest"], &[], "latest latest-dev", "latest"),
        (&[], &["*-rc*"], "1.0 1.0-rc1", "1.0"),
        (&[], &["latest", "edge"], "latest edge 1", "1"),
        (&["3.*"], &["*-dev"], "3.1 3.1-dev 4.0", "3.1"),
        (&["a"], &["a"], "a b", ""),
        (&["A"], &[], "a A", "A"),
        (&["[!v]*"], &[], "v1 1", "1"),
        (&["1.2"], &[], "1.2 1x2", "1.2"),
    ] {
        let conditions = Conditions {
            include: own(include),
            exclude: own(exclude),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}
