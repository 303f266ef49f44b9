//! What a project needs besides Python packages: the table `[external]` of a pyproject.toml.
//!
//! The table is that of PEP 725: <https://peps.python.org/pep-0725/>.
//!
//! **Invariant:** reads text only; what an identifier means on a distribution is not known here.

use crate::problem::Place;
use crate::spec::document::{self, Node};

/// One entry of `[external]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// What it is needed for.
    pub need: ExternalNeed,
    /// The identifier, as `dep:generic/libpq` or `dep:virtual/compiler/c`.
    pub id: String,
    /// Where it stands.
    pub place: Place,
}

/// The lists of `[external]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalNeed {
    /// `build-requires`: programs that run while it is built.
    Build,
    /// `host-requires`: libraries that it is linked with.
    Host,
    /// `dependencies`: what it needs when it runs.
    Run,
}

/// The entries of a pyproject.toml, without those of extras and groups. What is no such table has
/// none: the file is somebody else's to check.
pub fn external(path: &str, text: &str) -> Vec<External> {
    let (table, _) = document::from_toml(text, path);
    let Some(Node::Table(external)) = table.get("external").map(|entry| &entry.value.node) else {
        return Vec::new();
    };
    let lists = [
        ("build-requires", ExternalNeed::Build),
        ("host-requires", ExternalNeed::Host),
        ("dependencies", ExternalNeed::Run),
    ];
    let mut found = Vec::new();
    for (key, need) in lists {
        let Some(Node::List(items)) = external.get(key).map(|entry| &entry.value.node) else {
            continue;
        };
        for item in items {
            if let Node::String(id) = &item.node {
                let place = Place { file: path.to_owned(), line: item.line };
                found.push(External { need, id: id.trim().to_owned(), place });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_lists_are_read_with_their_lines() {
        let text = "[project]\nname = 'x'\n\n[external]\nbuild-requires = [\n  \
                    'dep:virtual/compiler/c',\n]\nhost-requires = ['dep:generic/libpq@>=14']\n\
                    dependencies = ['dep:generic/ffmpeg', 3]\n\
                    [external.optional-build-requires]\nx = ['dep:generic/cmake']\n";
        let found: Vec<_> = external("pyproject.toml", text)
            .into_iter()
            .map(|entry| (entry.need, entry.id, entry.place.line))
            .collect();
        assert_eq!(
            found,
            [
                (ExternalNeed::Build, "dep:virtual/compiler/c".to_owned(), 6),
                (ExternalNeed::Host, "dep:generic/libpq@>=14".to_owned(), 8),
                (ExternalNeed::Run, "dep:generic/ffmpeg".to_owned(), 9),
            ]
        );
        assert_eq!(external("pyproject.toml", "external = 3\n"), []);
        assert_eq!(external("pyproject.toml", "[external\n"), []);
    }
}
