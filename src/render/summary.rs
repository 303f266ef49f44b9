//! What a build that ended well is summed up as, one row per target.
//!
//! **Invariant:** a target for which nothing was done has no row.

use super::fit;
use crate::progress::graph::{Graph, Totals};

/// Returns the targets with what came of them.
pub(super) fn rows(graph: &Graph) -> impl Iterator<Item = (&str, Totals)> {
    let rows = graph.targets().iter().map(|target| (target.as_str(), graph.totals(target)));
    rows.filter(|(_, totals)| !totals.duration.is_zero())
}

/// `9 steps, 5 cached`.
pub(super) fn steps(totals: Totals) -> String {
    match totals.cached {
        0 => fit::count(totals.steps, "step"),
        cached if cached == totals.steps => {
            format!("{}, all cached", fit::count(totals.steps, "step"))
        }
        cached => format!("{}, {cached} cached", fit::count(totals.steps, "step")),
    }
}
