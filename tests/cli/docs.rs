//! The documentation is true: its examples are specs, its command lines parse, its outputs are
//! what is printed now.
//!
//! `<!-- file: FOLDER/NAME -->` above a block makes it a file of a project, which must pass
//! `check`; `<!-- output: COMMAND, in FOLDER -->` makes it what the command prints.
//! `SNAPSHOTS=overwrite cargo test --test cli docs` rewrites those outputs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use docker_flowstorage::cli;
use docker_flowstorage::error::Exit;
use docker_flowstorage::host::Host;
use docker_flowstorage::plugin::Call;
use docker_flowstorage::spec::keys::{KEYS, Shape};
use docker_flowstorage::spec::{self, Format};
use docker_flowstorage::term::Term;
use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

const PAGES: [&str; 11] = [
    "README.md",
    "CHANGELOG.md",
    "docs/spec.md",
    "docs/image.md",
    "docs/prefect1.md",
    "docs/prefect.md",
    "docs/recipes.md",
    "docs/private.md",
    "docs/defects.md",
    "docs/explain.md",
    "docs/packages.md",
];
const ORIGINAL_CLI: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// A fenced block.
struct Block {
    /// Line of its first line of text, counted from 0.
    start: usize,
    /// Line of the fence that ends it.
    end: usize,
    language: String,
    text: String,
    /// What the comment above says.
    note: Option<String>,
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// Lines as a text that ends with a line break.
fn joined<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect()
}

fn blocks(page: &str) -> Vec<Block> {
    let lines: Vec<&str> = page.lines().collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some(language) = lines[at].strip_prefix("```") {
            let start = at + 1;
            let end =
                start + lines[start..].iter().position(|line| *line == "```").expect("an end");
            let above = if at == 0 { "" } else { lines[at - 1] };
            let note = above.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
            blocks.push(Block {
                start,
                end,
                language: language.to_owned(),
                text: joined(&lines[start..end]),
                note: note.map(str::to_owned),
            });
            at = end;
        }
        at += 1;
    }
    blocks
}

/// Writes the files of a page's projects below a folder; returns each project's folder and what
/// its spec is: a `flowstorage.toml`, or else its only script.
fn write_projects(page: &str, root: &Path) -> BTreeMap<PathBuf, String> {
    let mut projects = BTreeMap::new();
    for block in blocks(page) {
        let Some(file) = block.note.as_deref().and_then(|note| note.strip_prefix("file: ")) else {
            continue;
        };
        let path = root.join(file);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(&path, &block.text).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "flowstorage.toml" {
            projects.insert(folder.to_owned(), name);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            projects.entry(folder.to_owned()).or_insert(name);
        }
    }
    projects
}

/// Runs a command line as docker starts it, on no terminal.
fn run(words: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_docker-flowstorage"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env(ORIGINAL_CLI, "docker")
        .output()
        .expect("the binary runs")
}

#[test]
fn every_spec_has_known_keys_of_the_right_type() {
    let mut count = 0;
    for name in PAGES {
        for block in blocks(&page(name)) {
            let format = match block.language.as_str() {
                "toml" if block.text.contains("[tool.flowstorage]") => Format::Pyproject,
                "toml" => Format::Toml,
                "json" => Format::Json,
                _ => continue,
            };
            let (read, problems) = spec::parse(&block.text, format, name, PathBuf::from("/"));
            assert_eq!(problems, [], "{name}, line {}", block.start);
            let has_flows = read.storages.iter().all(|storage| storage.flows.is_some());
            assert!(has_flows, "{name}, line {}: no flows", block.start);
            count += 1;
        }
    }
    assert!(count > KEYS.len(), "only {count} specs were found");
}

#[test]
fn every_project_passes_the_check() {
    let mut count = 0;
    for name in PAGES {
        let root = tempfile::tempdir().expect("a folder");
        for (project, spec) in write_projects(&page(name), root.path()) {
            let checked = run(&["flowstorage", "check", "--file", &spec], &project);
            let said = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{name}, {}: {said}", project.display());
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

#[test]
fn every_output_is_what_is_printed_now() {
    let mut count = 0;
    for name in PAGES {
        let text = page(name);
        let root = tempfile::tempdir().expect("a folder");
        write_projects(&text, root.path());
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // From the last one, so that the lines of those before stay where they are.
        for block in blocks(&text).iter().rev() {
            let note = block.note.as_deref().and_then(|note| note.strip_prefix("output: docker "));
            let Some(note) = note else { continue };
            let (line, folder) = note.split_once(", in ").unwrap_or((note, "."));
            let words: Vec<&str> = line.split(' ').collect();
            let printed = run(&words, &root.path().join(folder));
            let said = String::from_utf8_lossy(&printed.stderr);
            assert!(printed.status.success(), "{name}: {line}: {said}");
            let printed = String::from_utf8(printed.stdout).expect("UTF-8");
            lines.splice(block.start..block.end, printed.trim_end().lines().map(str::to_owned));
            count += 1;
        }
        let actual = joined(&lines);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let expected = Data::read_from(&file, Some(DataFormat::Text));
        Assert::new().action_env("SNAPSHOTS").eq(actual, expected.raw());
    }
    assert_eq!(count, 2);
}

/// Every command line of ours on a page: in shell blocks, and between backticks in the text.
fn command_lines(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let shell = |block: &&Block| matches!(block.language.as_str(), "sh" | "console");
    for block in blocks(page).iter().filter(shell) {
        for line in block.text.lines() {
            if let Some(at) = line.find("docker flowstorage") {
                let line = line[at..].split("  #").next().unwrap_or_default();
                found.push(line.split(')').next().unwrap_or_default().trim().to_owned());
            }
        }
    }
    let mut spans = page.split('`').skip(1).step_by(2);
    found
        .extend(spans.by_ref().filter(|s| s.starts_with("docker flowstorage ")).map(str::to_owned));
    found
}

#[test]
fn every_command_line_parses() {
    let mut count = 0;
    for name in PAGES {
        for line in command_lines(&page(name)) {
            let host = Host {
                env: BTreeMap::from([(OsString::from(ORIGINAL_CLI), OsString::from("docker"))]),
                cwd: PathBuf::from("/"),
                term: Term::from_writers(Box::new(Vec::new()), Box::new(Vec::new())),
            };
            let words = line.split_whitespace().map(OsString::from);
            let args: Vec<OsString> =
                [OsString::from("docker-flowstorage")].into_iter().chain(words.skip(1)).collect();
            let call = Call::parse(&args, &host).expect(&line);
            let parsed = cli::parse(&call, &host);
            assert!(parsed.is_ok(), "{name}: {line}: {:?}", parsed.err());
            count += 1;
        }
    }
    assert!(count >= 12, "only {count} command lines were found");
}

#[test]
fn spec_md_has_every_key_in_order_with_its_type() {
    let text = page("docs/spec.md");
    let sections: Vec<(&str, &str)> = text
        .split("\n### `")
        .skip(1)
        .map(|section| section.split_once("`\n\n").expect("a key and its text"))
        .collect();
    let documented: Vec<(&str, &str)> = sections
        .iter()
        .map(|(key, about)| (*key, about.split(['.', ':']).next().unwrap_or_default()))
        .collect();
    let word = |shape| match shape {
        Shape::Text => "Text",
        Shape::Switch => "Switch",
        Shape::Texts => "List",
        Shape::Pairs => "Table",
        Shape::Flows | Shape::TextsOrOptions => "List or table",
        Shape::Options => "Options",
        Shape::SwitchOrOptions => "Switch or table",
        Shape::Tables => "List of tables",
    };
    let keys: Vec<(&str, &str)> = KEYS.iter().map(|key| (key.name, word(key.shape))).collect();
    assert_eq!(documented, keys);
    for (key, about) in sections {
        assert!(about.contains("Default") || about.contains("Required"), "{key} says no default");
        let example = blocks(about).into_iter().next().expect(key);
        let is_set = example
            .text
            .lines()
            .any(|line| line.starts_with(&format!("{key} = ")) || line == format!("[{key}]"));
        assert!(is_set, "the example of {key} does without it");
    }
}

#[test]
fn spec_md_has_every_exit_code() {
    let text = page("docs/spec.md");
    let (_, table) = text.split_once("| code | means |\n| --- | --- |\n").expect("the table");
    let documented: Vec<u8> = table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let exits = [
        Exit::Done,
        Exit::BuildFailed,
        Exit::SpecWrong,
        Exit::DockerUnusable,
        Exit::Retry,
        Exit::Usage,
        Exit::Cancelled,
    ];
    assert_eq!(documented, exits.map(u8::from));
}

/// The keywords of Prefect 1.4.1's `Docker(...)`.
const KEYWORDS: [&str; 23] = [
    "registry_url",
    "base_image",
    "dockerfile",
    "dockerignore",
    "python_dependencies",
    "image_name",
    "image_tag",
    "env_vars",
    "files",
    "prefect_version",
    "ignore_healthchecks",
    "prefect_directory",
    "path",
    "stored_as_script",
    "extra_dockerfile_commands",
    "local_image",
    "base_url",
    "tls_config",
    "build_kwargs",
    "secrets",
    "result",
    "labels",
    "add_default_labels",
];

#[test]
fn prefect1_md_says_of_every_keyword_what_became_of_it() {
    let text = page("docs/prefect1.md");
    let rows = |text: &str| -> Vec<String> {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.flat_map(|row| {
            let names = row.split(" |").next().unwrap_or_default();
            names.split(", ").map(|name| name.replace('`', "")).collect::<Vec<_>>()
        })
        .collect()
    };
    let is_key = |name: &&str| KEYS.iter().any(|key| key.name == *name);
    let mut ours: Vec<&str> = KEYWORDS.into_iter().filter(is_key).collect();
    let mut documented = rows(&text);
    ours.sort_unstable();
    documented.sort_unstable();
    assert_eq!(documented, ours);
    // The rest belongs to the flow object.
    let others: Vec<&str> = KEYWORDS.into_iter().filter(|name| !is_key(name)).collect();
    assert_eq!(others, ["result", "labels", "add_default_labels"]);
    let told = "`result`, `labels` and `add_default_labels` concern the flow object";
    assert_eq!(text.matches(told).count(), 1);
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in PAGES {
        let folder = root.join(name).parent().expect("a folder").to_owned();
        let text = page(name);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            if path.starts_with("https://") {
                continue;
            }
            let file = if path.is_empty() { root.join(name) } else { folder.join(path) };
            assert!(file.exists(), "{name}: {target} does not exist");
            if !anchor.is_empty() {
                let linked = fs::read_to_string(&file).expect("a page");
                assert!(headings(&linked).contains(&anchor.to_owned()), "{name}: {target}");
            }
        }
    }
}

/// The anchors that a page's headings have.
fn headings(page: &str) -> Vec<String> {
    let heading =
        |line: &str| Some(line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase());
    let keep = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    page.lines()
        .filter_map(heading)
        .map(|text| text.chars().filter(|c| keep(*c)).collect::<String>().replace(' ', "-"))
        .collect()
}
