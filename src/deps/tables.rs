//! Dependencies in TOML: the table `[project]` of a pyproject.toml and the block of a script.
//!
//! The block is that of PEP 723: <https://peps.python.org/pep-0723/>.
//!
//! **Invariant:** lines are those of the file that the text came from.

use super::requirements::{Item, Requirement, normalise, read_one};
use crate::problem::{Place, Problem};
use crate::spec::document::{self, Node, Table};

/// `[project] dependencies` of a pyproject.toml.
pub(super) fn pyproject(path: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Requirement> {
    let (table, errors) = document::from_toml(text, path);
    if !errors.is_empty() {
        problems.extend(errors);
        return Vec::new();
    }
    let mut problem = |line, message: String, remedy: &str| {
        problems.push(Problem {
            key: Some("requirements".to_owned()),
            place: Some(Place { file: path.to_owned(), line }),
            message,
            remedy: remedy.to_owned(),
        });
    };
    let Some(project) = table.get("project") else {
        problem(1, format!("`{path}` has no table `[project]`"), "add it, as PEP 621 describes");
        return Vec::new();
    };
    let Node::Table(fields) = &project.value.node else {
        problem(project.line, "`project` is not a table".to_owned(), "write [project]");
        return Vec::new();
    };
    let dynamic = fields.get("dynamic").is_some_and(|entry| match &entry.value.node {
        Node::List(items) => items.iter().any(|i| i.node == Node::String("dependencies".into())),
        _ => false,
    });
    if dynamic {
        problem(
            project.line,
            "the dependencies are dynamic: only the project's build knows them".to_owned(),
            "name a requirements file instead",
        );
    }
    dependencies(fields, path, problems)
}

/// Whether a pyproject.toml lists the dependencies of its project.
pub fn declares_dependencies(text: &str) -> bool {
    let (table, errors) = document::from_toml(text, "pyproject.toml");
    let project = table.get("project").map(|entry| &entry.value.node);
    matches!(project, Some(Node::Table(project)) if project.get("dependencies").is_some())
        && errors.is_empty()
}

/// The name that the project of a pyproject.toml gives itself, normalised.
pub fn project_name(text: &str) -> Option<String> {
    let (table, _) = document::from_toml(text, "pyproject.toml");
    let Node::Table(project) = &table.get("project")?.value.node else { return None };
    match &project.get("name")?.value.node {
        Node::String(name) => Some(normalise(name)),
        _ => None,
    }
}

/// The dependencies of a script's block; none where it has none.
pub(super) fn script(path: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Requirement> {
    let Some(toml) = block(text) else { return Vec::new() };
    let (table, errors) = document::from_toml(&toml, path);
    if !errors.is_empty() {
        problems.extend(errors);
        return Vec::new();
    }
    dependencies(&table, path, problems)
}

/// The block of a script, read; none where there is none that is TOML.
pub fn script_block(text: &str) -> Option<Table> {
    let (table, errors) = document::from_toml(&block(text)?, "script");
    errors.is_empty().then_some(table)
}

/// The TOML of the block `script`, with an empty line for each that stands above it.
fn block(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let start = lines.iter().position(|line| *line == "# /// script")?;
    let is_content = |line: &&&str| **line == "#" || line.starts_with("# ");
    let below: Vec<&str> = lines[start + 1..].iter().take_while(is_content).copied().collect();
    // As in the reference implementation, the last closing line is the one that counts.
    let end = below.iter().rposition(|line| *line == "# ///")?;
    let mut toml = "\n".repeat(start + 1);
    for line in &below[..end] {
        toml.push_str(line.strip_prefix("# ").unwrap_or_default());
        toml.push('\n');
    }
    Some(toml)
}

/// The list `dependencies` of a table.
fn dependencies(fields: &Table, path: &str, problems: &mut Vec<Problem>) -> Vec<Requirement> {
    let Some(dependencies) = fields.get("dependencies") else { return Vec::new() };
    let Node::List(items) = &dependencies.value.node else {
        problems.push(Problem {
            key: Some("requirements".to_owned()),
            place: Some(Place { file: path.to_owned(), line: dependencies.line }),
            message: "`dependencies` is not a list".to_owned(),
            remedy: "write a list".to_owned(),
        });
        return Vec::new();
    };
    let mut result = Vec::new();
    for item in items {
        let place = Place { file: path.to_owned(), line: item.line };
        let Node::String(text) = &item.node else {
            problems.push(Problem {
                key: Some("requirements".to_owned()),
                place: Some(place),
                message: format!("a dependency is {}", item.node.kind()),
                remedy: "write a string".to_owned(),
            });
            continue;
        };
        match read_one(text, &place, "requirements") {
            Ok(Item::Requirement(requirement)) => result.push(requirement),
            Ok(Item::Index(_) | Item::ExtraIndex(_)) => problems.push(Problem {
                key: Some("requirements".to_owned()),
                place: Some(Place { file: path.to_owned(), line: item.line }),
                message: format!("`{text}` is no dependency"),
                remedy: "write it as `index_url` or `extra_index_urls` of the spec".to_owned(),
            }),
            Err(problem) => problems.push(problem),
        }
    }
    result
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_of_a_script_has_the_lines_of_the_script() {
        let text = "#!/usr/bin/env python\n# /// script\n# requires-python = \">=3.11\"\n\
                    # dependencies = [\n#   \"pandas>=2\",\n#   \"not ok!\",\n# ]\n# ///\n\
                    import pandas\n# ///\n";
        let mut problems = Vec::new();
        let found = script("flow.py", text, &mut problems);
        let found: Vec<_> = found.iter().map(|r| (r.line.as_str(), r.place.line)).collect();
        assert_eq!(found, [("pandas>=2", 5)]);
        let places: Vec<_> =
            problems.iter().filter_map(|p| p.place.as_ref()).map(|place| place.line).collect();
        assert_eq!(places, [6]);
        assert!(script_block(text).is_some_and(|block| block.get("requires-python").is_some()));
    }

    #[test]
    fn what_is_no_block_is_none() {
        for text in [
            "import x\n",
            "# /// script\n# dependencies = []\n",
            "# /// other\n# dependencies = []\n# ///\n",
            " # /// script\n# dependencies = []\n# ///\n",
        ] {
            assert_eq!(script_block(text), None, "{text}");
        }
    }
}
