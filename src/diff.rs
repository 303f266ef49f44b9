//! What a change does to a file, as `diff -u` shows it.
//!
//! **Invariant:** pure; `patch` makes the new text of the old one.

use similar::TextDiff;

/// A unified diff of a file; `old` is none for a file that is new.
pub fn unified(old: Option<&str>, new: &str, name: &str) -> String {
    let from = if old.is_some() { name } else { "/dev/null" };
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new);
    diff.unified_diff().header(from, name).to_string()
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let old = "a\nb\nc\nd\ne\nf";
        assert_eq!(
            unified(Some(old), "a\nb\nc\nd\nx\ne\nf", "spec.toml"),
            "--- spec.toml\n+++ spec.toml\n@@ -2,5 +2,6 @@\n b\n c\n d\n+x\n e\n f\n\
             \\ No newline at end of file\n"
        );
        assert_eq!(unified(Some(old), old, "spec.toml"), "");
        assert_eq!(
            unified(None, "a\n", "spec.toml"),
            "--- /dev/null\n+++ spec.toml\n@@ -0,0 +1 @@\n+a\n"
        );
    }
}
