//! Markers of lock files.
//!
//! **Invariant:** what is returned says nothing of extras: no installer is asked for any.

use std::collections::BTreeMap;
use std::str::FromStr;

use pep508_rs::{ExtraOperator, MarkerExpression, MarkerTree, MarkerValueExtra};

/// Markers by their text: a lock repeats few of them often.
#[derive(Debug, Default)]
pub(super) struct Markers {
    known: BTreeMap<String, Option<MarkerTree>>,
}

impl Markers {
    /// Parses a marker, which may speak of extras; none if it is no marker.
    pub(super) fn parse(&mut self, text: Option<&str>) -> Option<MarkerTree> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Some(MarkerTree::TRUE);
        };
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let parsed = MarkerTree::from_str(text).ok();
        self.known.insert(text.to_owned(), parsed.clone());
        parsed
    }
}

/// A marker where the extras are settled.
pub(super) fn settle(marker: &MarkerTree, has: &dyn Fn(&str) -> bool) -> MarkerTree {
    let dnf = marker.to_dnf();
    let is_extra =
        |expression: &MarkerExpression| matches!(expression, MarkerExpression::Extra { .. });
    if !dnf.iter().flatten().any(is_extra) {
        return marker.clone();
    }
    let mut result = MarkerTree::FALSE;
    for clause in dnf {
        let mut conjunction = MarkerTree::TRUE;
        for expression in clause {
            if let MarkerExpression::Extra { operator, name } = &expression {
                let holds = match name {
                    MarkerValueExtra::Extra(name) => has(name.as_ref()),
                    MarkerValueExtra::Arbitrary(name) => has(name),
                };
                if holds != (*operator == ExtraOperator::Equal) {
                    conjunction = MarkerTree::FALSE;
                }
            } else {
                conjunction.and(MarkerTree::expression(expression));
            }
        }
        result.or(conjunction);
    }
    result
}

/// Both markers at once.
pub(super) fn both(a: &MarkerTree, b: &MarkerTree) -> MarkerTree {
    let mut result = a.clone();
    result.and(b.clone());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_settled_and_the_rest_stays() {
        for (marker, wanted) in [
            ("extra == 'a' and sys_platform == 'linux'", "sys_platform == 'linux'"),
            ("extra == 'b' and sys_platform == 'linux'", "python_version < '0'"),
            ("extra != 'b' or extra == 'a'", ""),
            ("extra == 'b' or os_name == 'nt'", "os_name == 'nt'"),
            ("os_name == 'nt'", "os_name == 'nt'"),
        ] {
            let parsed = Markers::default().parse(Some(marker)).unwrap();
            let settled = settle(&parsed, &|extra| extra == "a");
            assert_eq!(settled.try_to_string().unwrap_or_default(), wanted, "{marker}");
        }
        assert_eq!(Markers::default().parse(Some("not a marker")), None);
        assert_eq!(Markers::default().parse(None), Some(MarkerTree::TRUE));
    }
}
