//! The direction of dependencies between modules, and habits that a compiler does not check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use; a module that is not here may use none.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["lib"]),
    ("lib", &["cli", "commands", "error", "host", "plugin"]),
    ("cli", &["error", "host", "plugin"]),
    (
        "commands",
        &[
            "access",
            "cli",
            "diff",
            "docker",
            "drive",
            "error",
            "explain",
            "facts",
            "host",
            "init",
            "plan",
            "plugin",
            "problem",
            "progress",
            "python",
            "registration",
            "render",
            "report",
            "resolve",
            "slug",
            "spec",
            "stage",
            "storage",
        ],
    ),
    ("plugin", &["error", "host"]),
    ("host", &["term"]),
    ("term", &["problem"]),
    ("error", &["problem"]),
    ("spec", &["problem", "python"]),
    ("access", &["problem"]),
    ("deps", &["access", "problem", "spec"]),
    ("facts", &["deps", "python", "spec"]),
    ("runtime", &["python", "spec", "storage"]),
    ("explain", &["packages", "progress", "storage"]),
    ("storage", &["access", "deps", "facts", "image_ref", "problem", "spec", "user_file"]),
    ("registration", &["storage"]),
    ("init", &["resolve", "spec"]),
    (
        "resolve",
        &[
            "access",
            "deps",
            "facts",
            "image_ref",
            "packages",
            "problem",
            "python",
            "runtime",
            "slug",
            "spec",
            "storage",
            "user_file",
        ],
    ),
    ("plan", &["access", "facts", "image_ref", "packages", "runtime", "spec", "storage"]),
    ("stage", &["facts", "plan"]),
    ("docker", &["error", "host", "plan", "plugin"]),
    ("drive", &["docker", "progress", "render"]),
    ("render", &["error", "progress", "term"]),
    ("report", &["explain", "plan", "problem", "python", "spec", "storage"]),
];

/// Modules that must not know files, processes, environment or clock.
const PURE: &[&str] = &[
    "access",
    "deps",
    "diff",
    "explain",
    "image_ref",
    "init",
    "packages",
    "plan",
    "problem",
    "progress",
    "python",
    "registration",
    "resolve",
    "runtime",
    "slug",
    "spec",
    "storage",
    "user_file",
    "report",
];

/// What those may not use.
const IMPURE: &[&str] =
    &["std::fs", "std::env", "std::process", "std::io", "std::net", "SystemTime", "Instant::now"];

const MAX_LINES: usize = 600;

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pending = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).expect("below src");
                let first = relative.iter().next().expect("a name");
                let module = Path::new(first).file_stem().expect("a stem").to_string_lossy();
                let text = fs::read_to_string(&path).expect("UTF-8");
                sources.push(Source { module: module.into_owned(), path, text });
            }
        }
    }
    assert!(sources.len() > 40, "only {} files were found", sources.len());
    sources
}

/// The code without its unit tests, which may look anywhere, and without comments.
fn code(source: &Source) -> String {
    let code = source.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that a file uses through `crate::`.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split("};").next().unwrap_or_default();
                used.extend(list.split(',').map(|item| word(item.trim())));
            }
            None => {
                used.insert(word(rest));
            }
        }
    }
    used.retain(|module| !module.is_empty());
    used
}

fn is_test(source: &Source) -> bool {
    let has_name = |path: &Path| path.file_stem().is_some_and(|stem| stem == "tests");
    has_name(&source.path) || source.path.parent().is_some_and(has_name)
}

#[test]
fn dependencies_point_one_way() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for source in sources().iter().filter(|source| !is_test(source)) {
        let allowed = may_use.get(source.module.as_str()).copied().unwrap_or_default();
        for target in used(&code(source)) {
            if target != source.module && !allowed.contains(&target.as_str()) {
                wrong.push(format!(
                    "{}: {} may not use {target}",
                    source.path.display(),
                    source.module
                ));
            }
            seen.insert((source.module.clone(), target));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<String> = MAY_USE
        .iter()
        .filter(|(module, _)| !matches!(*module, "main" | "lib"))
        .flat_map(|(module, allowed)| allowed.iter().map(move |target| (*module, *target)))
        .filter(|(module, target)| !seen.contains(&((*module).to_owned(), (*target).to_owned())))
        .map(|(module, target)| format!("{module} → {target}"))
        .collect();
    assert!(unused.is_empty(), "no longer needed: {}", unused.join(", "));
}

#[test]
fn the_permitted_directions_have_no_cycle() {
    let edges: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    for (start, _) in MAY_USE {
        let mut pending = edges[start].to_vec();
        let mut seen = BTreeSet::new();
        while let Some(module) = pending.pop() {
            assert_ne!(module, *start, "{start} can reach itself");
            if seen.insert(module) {
                pending.extend(edges.get(module).copied().unwrap_or_default());
            }
        }
    }
}

#[test]
fn pure_modules_know_nothing_of_the_machine() {
    let is_pure = |source: &&Source| PURE.contains(&source.module.as_str()) && !is_test(source);
    for source in sources().iter().filter(is_pure) {
        let code = code(source);
        for impure in IMPURE {
            assert!(!code.contains(impure), "{} uses {impure}", source.path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_owns_and_stays_readable() {
    for source in sources().iter().filter(|source| !is_test(source)) {
        let path = source.path.display();
        assert!(source.text.starts_with("//! "), "{path} does not open with what it owns");
        if !matches!(source.module.as_str(), "lib") {
            assert!(source.text.contains("//! **Invariant:**"), "{path} states no invariant");
        }
        let lines = source.text.lines().count();
        assert!(lines <= MAX_LINES, "{path} has {lines} lines");
    }
}

#[test]
fn there_is_one_unsafe_block() {
    let places: Vec<String> = sources()
        .iter()
        .filter(|source| code(source).contains("unsafe {"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].ends_with("docker/run.rs"), "{places:?}");
}
