//! Rows of tab-separated tables that are part of this program.
//!
//! **Invariant:** looking up a row reads a logarithmic number of lines and allocates nothing.

use std::cmp::Ordering;

/// The first column of the row whose first column is `key`, and the columns after it.
///
/// The first line of `table` is its header; the other lines are sorted by their first column.
pub(super) fn entry<const N: usize>(
    table: &'static str,
    key: &str,
) -> Option<(&'static str, [&'static str; N])> {
    let (_, mut rows) = table.split_once('\n')?;
    while !rows.is_empty() {
        // Both ends of `rows` are starts of lines, and so is the line around the middle of it: bytes,
        // as the middle may lie within a character.
        let bytes = rows.as_bytes();
        let middle = bytes.len() / 2;
        let is_end = |byte: &u8| *byte == b'\n';
        let start = bytes[..middle].iter().rposition(is_end).map_or(0, |at| at + 1);
        let end = bytes[middle..].iter().position(is_end).map_or(bytes.len(), |at| middle + at);
        let line = &rows[start..end];
        let (first, rest) = line.split_once('\t').unwrap_or((line, ""));
        match key.cmp(first) {
            Ordering::Less => rows = &rows[..start],
            Ordering::Greater => rows = rows.get(end + 1..).unwrap_or_default(),
            Ordering::Equal => {
                let mut columns = rest.split('\t');
                return Some((first, std::array::from_fn(|_| columns.next().unwrap_or_default())));
            }
        }
    }
    None
}

/// The items of a cell: `-` has none, a comma separates them.
pub(super) fn items(cell: &'static str) -> Vec<&'static str> {
    given(cell).map(|cell| cell.split(',').collect()).unwrap_or_default()
}

/// The text of a cell, unless it is `-`.
pub(super) fn given(cell: &'static str) -> Option<&'static str> {
    (!matches!(cell, "-" | "")).then_some(cell)
}

#[cfg(test)]
mod tests {
    use super::{entry, given, items};

    const TABLE: &str = "name\tone\ttwo\na\t1\t-\nab\tü,y\t2\nb\t-\t3\n";

    #[test]
    fn finds_every_row_and_no_other() {
        assert_eq!(entry(TABLE, "a"), Some(("a", ["1", "-"])));
        assert_eq!(entry(TABLE, "ab"), Some(("ab", ["ü,y", "2"])));
        assert_eq!(entry(TABLE, "b"), Some(("b", ["-", "3"])));
        for absent in ["", "A", "aa", "abc", "c", "name", "a\t1"] {
            assert_eq!(entry::<2>(TABLE, absent), None, "{absent:?}");
        }
        assert_eq!(entry::<2>("name\tone\ttwo\n", "a"), None);
        assert_eq!(entry::<2>("", "a"), None);
    }

    #[test]
    fn splits_cells() {
        assert_eq!(items("-"), [""; 0]);
        assert_eq!(items("a"), ["a"]);
        assert_eq!(items("a,b"), ["a", "b"]);
        assert_eq!(given("-"), None);
        assert_eq!(given("a, b"), Some("a, b"));
    }
}
