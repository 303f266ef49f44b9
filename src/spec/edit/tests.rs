use proptest::prelude::*;

use super::*;

fn items(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// Adds to `system_packages`.
#[track_caller]
fn run(text: &str, format: Format, storage: Option<&str>, wanted: &[&str]) -> String {
    let addition = Addition { key: "system_packages", items: items(wanted) };
    add(text, format, storage, &[addition]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_list_grows_in_its_own_layout() {
    for (list, grown) in [
        ("[]", "[\"x\", \"y\"]"),
        ("[ ]", "[\"x\", \"y\" ]"),
        ("\"a\"", "[\"a\", \"x\", \"y\"]"),
        ("'a'", "['a', 'x', 'y']"),
        ("[\"a\"]", "[\"a\", \"x\", \"y\"]"),
        ("['a' ]  # why", "['a', 'x', 'y' ]  # why"),
        ("[\"a\",]", "[\"a\", \"x\", \"y\",]"),
        ("[\"a\", \"b\"]", "[\"a\", \"b\", \"x\", \"y\"]"),
        ("[\n]", "[\n    \"x\",\n    \"y\",\n]"),
        ("[ # none yet\n]", "[ # none yet\n    \"x\",\n    \"y\",\n]"),
        ("[\n  # none yet\n]", "[\n  # none yet\n  \"x\",\n  \"y\",\n]"),
        ("[\n  \"a\",\n]", "[\n  \"a\",\n  \"x\",\n  \"y\",\n]"),
        ("[\n  \"a\"\n]", "[\n  \"a\",\n  \"x\",\n  \"y\"\n]"),
        (
            "[\n  \"a\",  # one\n  \"b\"  # two\n]",
            "[\n  \"a\",  # one\n  \"b\",  # two\n  \"x\",\n  \"y\"\n]",
        ),
        (
            "[\n\t\"a\",  # \"]\n\t# \"b\",\n]",
            "[\n\t\"a\",  # \"]\n\t\"x\",\n\t\"y\",\n\t# \"b\",\n]",
        ),
        ("[\n  \"a\" # c\n  , # d\n]", "[\n  \"a\" # c\n  , # d\n  \"x\",\n  \"y\",\n]"),
        ("[\"a\",\n  \"b\"]", "[\"a\",\n  \"b\",\n  \"x\",\n  \"y\"]"),
        ("[\"a\", # c\n]", "[\"a\", # c\n    \"x\",\n    \"y\",\n]"),
        (
            "[\n  \"a\", \"b\",\n  \"c\", \"d\",\n]",
            "[\n  \"a\", \"b\",\n  \"c\", \"d\",\n  \"x\",\n  \"y\",\n]",
        ),
    ] {
        for newline in ["\n", "\r\n"] {
            let text = |list| {
                let text: String = format!("flows = ['f']\nsystem_packages = {list}\nuser = 'u'\n");
                text.replace('\n', newline)
            };
            assert_eq!(run(&text(list), Format::Toml, None, &["x", "y"]), text(grown));
        }
    }
}

#[test]
fn items_that_are_there_are_not_added() {
    let text = "flows = ['f']\nsystem_packages = [\"b\", \"a\"]\n";
    assert_eq!(run(text, Format::Toml, None, &["a", "b", "a"]), text);
    let grown = "flows = ['f']\nsystem_packages = [\"b\", \"a\", \"c\"]\n";
    assert_eq!(run(text, Format::Toml, None, &["a", "c", "c"]), grown);
    assert_eq!(run("flows = ['f']\n", Format::Toml, None, &[]), "flows = ['f']\n");
}

#[test]
fn a_new_key_comes_beside_the_nearest_one() {
    for (text, edited) in [
        (
            "# All.\nflows = ['f']\npython_dependencies = [\n  \"p\", # why\n] # end\n\nuser = 'u'\n\n[env_vars]\nA = '1'\n",
            "# All.\nflows = ['f']\npython_dependencies = [\n  \"p\", # why\n] # end\n\
             system_packages = [\n  \"x\",\n  \"y\",\n]\n\nuser = 'u'\n\n[env_vars]\nA = '1'\n",
        ),
        (
            "build_packages = [\"b\"]\nrequirements = \"r.txt\"\nflows = ['f']",
            "build_packages = [\"b\"]\nsystem_packages = [\"x\", \"y\"]\nrequirements = \"r.txt\"\nflows = ['f']",
        ),
        ("flows = ['f']", "flows = ['f']\nsystem_packages = ['x', 'y']"),
        ("  flows = 'f'  # c", "  flows = 'f'  # c\n  system_packages = ['x', 'y']"),
        (
            "flows.a = 'f'\nuser = 'u'\n",
            "flows.a = 'f'\nuser = 'u'\nsystem_packages = ['x', 'y']\n",
        ),
        // No key of the table's own.
        (
            "# About.\n\n# Flows.\n[flows]\na = 'f'\n",
            "# About.\n\nsystem_packages = [\"x\", \"y\"]\n\n# Flows.\n[flows]\na = 'f'\n",
        ),
        ("[flows]\na = 'f'\n", "system_packages = [\"x\", \"y\"]\n\n[flows]\na = 'f'\n"),
        (
            "\u{feff}[flows]\na = 'f'\n",
            "\u{feff}system_packages = [\"x\", \"y\"]\n\n[flows]\na = 'f'\n",
        ),
        (
            "\u{feff}flows = [\"f\"]\n",
            "\u{feff}flows = [\"f\"]\nsystem_packages = [\"x\", \"y\"]\n",
        ),
    ] {
        assert_eq!(run(text, Format::Toml, None, &["x", "y"]), edited);
    }
}

#[test]
fn a_long_list_is_written_line_by_line() {
    let names: Vec<String> = (0..9).map(|n| format!("libsomething-{n}-dev")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lines: String = names.iter().flat_map(|name| ["    \"", name, "\",\n"]).collect();
    assert_eq!(
        run("flows = [\"f\"]\n", Format::Toml, None, &names),
        format!("flows = [\"f\"]\nsystem_packages = [\n{lines}]\n")
    );
}

#[test]
fn a_storage_has_its_own_lists_or_inherits() {
    for (text, edited) in [
        // Its own list.
        (
            "system_packages = ['s']\n[storage.a]\nflows = ['f']\nsystem_packages = ['t']\n[storage.b]\nflows = ['g']\n",
            "system_packages = ['s']\n[storage.a]\nflows = ['f']\nsystem_packages = ['t', 'x']\n[storage.b]\nflows = ['g']\n",
        ),
        // The list that it inherits.
        (
            "system_packages = ['s']\n[storage.a]\nflows = ['f']\n",
            "system_packages = ['s', 'x']\n[storage.a]\nflows = ['f']\n",
        ),
        // A new list, in the storage's own table whatever is around it.
        (
            "base_image = 'b'\n\n[storage.a]\nflows = ['f']\n\n[storage.a.env_vars]\nA = '1'\n",
            "base_image = 'b'\n\n[storage.a]\nflows = ['f']\nsystem_packages = ['x']\n\n[storage.a.env_vars]\nA = '1'\n",
        ),
        (
            "flows = ['f']\n[storage.a]  # all is shared\n[storage.b]\n",
            "flows = ['f']\n[storage.a]  # all is shared\nsystem_packages = [\"x\"]\n[storage.b]\n",
        ),
        (
            "flows = ['f']\n[storage.b]\n\n# One.\n[storage.a.env_vars]\nA = '1'\n",
            "flows = ['f']\n[storage.b]\n\n[storage.a]\nsystem_packages = [\"x\"]\n\n# One.\n[storage.a.env_vars]\nA = '1'\n",
        ),
        (
            "storage.a.flows = ['f']\nstorage.b.flows = ['g']\n",
            "storage.a.flows = ['f']\nstorage.a.system_packages = ['x']\nstorage.b.flows = ['g']\n",
        ),
        (
            "[storage]\n  \"a\" . 'flows' = [\"f\"] # c\n  b.flows = ['g']\n",
            "[storage]\n  \"a\" . 'flows' = [\"f\"] # c\n  \"a\" . system_packages = [\"x\"]\n  b.flows = ['g']\n",
        ),
        (
            "[storage]\na = { flows = [\"f\"], user = 'u' }\n",
            "[storage]\na = { flows = [\"f\"], user = 'u', system_packages = ['x'] }\n",
        ),
        (
            "[storage]\na = { requirements = 'r', flows = ['f'] }  # c\n",
            "[storage]\na = { requirements = 'r', system_packages = ['x'], flows = ['f'] }  # c\n",
        ),
        (
            "flows = ['f']\nstorage = { a = {}, b = { } }\n",
            "flows = ['f']\nstorage = { a = { system_packages = [\"x\"] }, b = { } }\n",
        ),
        (
            "storage.a = {\n  flows = [\"f\"], # c\n}\n",
            "storage.a = {\n  flows = [\"f\"], # c\n  system_packages = [\"x\"],\n}\n",
        ),
        (
            "[storage.a]\n\"system_packages\" = 's'\nflows = ['f']\n",
            "[storage.a]\n\"system_packages\" = ['s', 'x']\nflows = ['f']\n",
        ),
    ] {
        assert_eq!(run(text, Format::Toml, Some("a"), &["x"]), edited);
    }
}

#[test]
fn a_pyproject_is_changed_in_our_table_alone() {
    for (text, storage, edited) in [
        (
            "[project]\nname = 'p'\n\n[tool.flowstorage]\nflows = ['f']\n\n[tool.ruff]\nsystem_packages = []\n",
            None,
            "[project]\nname = 'p'\n\n[tool.flowstorage]\nflows = ['f']\nsystem_packages = ['x']\n\n[tool.ruff]\nsystem_packages = []\n",
        ),
        (
            "[tool]\nflowstorage.flows = ['f']\nflowstorage.storage.a.user = 'u'\n",
            Some("a"),
            "[tool]\nflowstorage.flows = ['f']\nflowstorage.storage.a.user = 'u'\nflowstorage.storage.a.system_packages = ['x']\n",
        ),
        (
            "[project]\nname = 'p'\n[tool.flowstorage.flows]\na = 'f'\n",
            None,
            "[project]\nname = 'p'\n[tool.flowstorage]\nsystem_packages = [\"x\"]\n\n[tool.flowstorage.flows]\na = 'f'\n",
        ),
    ] {
        assert_eq!(run(text, Format::Pyproject, storage, &["x"]), edited);
    }
}

#[test]
fn json_keeps_its_layout() {
    for (text, storage, edited) in [
        (r#"{"flows": ["f"]}"#, None, r#"{"flows": ["f"], "system_packages": ["x", "y"]}"#),
        (
            r#"{"system_packages": "s", "flows": ["f"]}"#,
            None,
            r#"{"system_packages": ["s", "x", "y"], "flows": ["f"]}"#,
        ),
        (
            "{\n\t\"python_dependencies\": [\n\t\t\"p\"\n\t],\n\t\"flows\": [\"f\"]\n}\n",
            None,
            "{\n\t\"python_dependencies\": [\n\t\t\"p\"\n\t],\n\t\"system_packages\": [\n\t\t\"x\",\n\t\t\"y\"\n\t],\n\t\"flows\": [\"f\"]\n}\n",
        ),
        (
            "{\n  \"flows\": [\"f\"],\n  \"storage\": {\n    \"a\": {\n      \"user\": \"u\"\n    },\n    \"b\": {\n    }\n  }\n}",
            Some("b"),
            "{\n  \"flows\": [\"f\"],\n  \"storage\": {\n    \"a\": {\n      \"user\": \"u\"\n    },\n    \"b\": {\n      \"system_packages\": [\"x\", \"y\"]\n    }\n  }\n}",
        ),
        (
            "{\"flows\": [\"f\"], \"storage\": {\"a\": {\"system_packages\": [\n  \"s\"]}}}",
            Some("a"),
            "{\"flows\": [\"f\"], \"storage\": {\"a\": {\"system_packages\": [\n  \"s\",\n  \"x\",\n  \"y\"]}}}",
        ),
    ] {
        assert_eq!(run(text, Format::Json, storage, &["x", "y"]), edited);
    }
}

#[test]
fn both_lists_at_once() {
    let additions = [
        Addition { key: "system_packages", items: items(&["libpq5"]) },
        Addition { key: "build_packages", items: items(&["gcc", "libpq-dev"]) },
    ];
    assert_eq!(
        add(
            "python_dependencies = [\"psycopg2\"]\nflows = ['f']\n",
            Format::Toml,
            None,
            &additions
        ),
        Ok("python_dependencies = [\"psycopg2\"]\nsystem_packages = [\"libpq5\"]\n\
            build_packages = [\"gcc\", \"libpq-dev\"]\nflows = ['f']\n"
            .to_owned())
    );
}

#[test]
fn what_cannot_be_written_is_said() {
    let fails = |text: &str, storage: Option<&str>, format| {
        let addition = Addition { key: "system_packages", items: items(&["x"]) };
        add(text, format, storage, &[addition]).expect_err(text).to_string()
    };
    assert_eq!(fails("system_packages = 3\n", None, Format::Toml), "`system_packages` is no list");
    assert_eq!(fails("a = 1\n", Some("b"), Format::Toml), "the spec has no storage `b`");
    assert_eq!(fails("a = 1\n", None, Format::Pyproject), "the spec has no `[tool.flowstorage]`");
    assert_eq!(
        fails("[storage]\na.env_vars.A = '1'\n", Some("a"), Format::Toml),
        "`storage.a` has no line of its own"
    );
    // It is valid, but no spec: nothing is written that could not be read before.
    assert_eq!(
        fails("flow = ['f']\n", None, Format::Toml),
        "the spec is written in a way that cannot be added to"
    );
}

/// How the lists of a generated spec are written.
#[derive(Clone, Debug)]
struct Layout {
    spread: bool,
    comma: bool,
    comment: bool,
    quote: char,
    indent: &'static str,
}

fn layout() -> impl Strategy<Value = Layout> {
    let indent = prop::sample::select(vec!["  ", "    ", "\t"]);
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), indent).prop_map(
        |(spread, comma, comment, single, indent)| {
            let quote = if single { '\'' } else { '"' };
            Layout { spread, comma, comment, quote, indent }
        },
    )
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z][a-z0-9.+-]{1,6}", 0..4).prop_map(|names| unique(&names))
}

fn list(names: &[String], layout: &Layout, json: bool) -> String {
    let quote = if json { '"' } else { layout.quote };
    let quoted: Vec<String> = names.iter().map(|name| format!("{quote}{name}{quote}")).collect();
    let last = quoted.len().saturating_sub(1);
    let comma = |at: usize| if at < last || (layout.comma && !json) { "," } else { "" };
    if !layout.spread {
        let items: Vec<String> =
            quoted.iter().enumerate().map(|(at, item)| format!("{item}{}", comma(at))).collect();
        return format!("[{}]", items.join(" "));
    }
    let comment = if layout.comment && !json { "  # \"why\", ]" } else { "" };
    let lines = quoted
        .iter()
        .enumerate()
        .map(|(at, item)| format!("{}{item}{}{comment}\n", layout.indent, comma(at)));
    format!("[{comment}\n{}]", lines.collect::<String>())
}

/// A spec of two storages; each list may be shared, of storage `a`, or nowhere.
fn spec(
    lists: &[(&str, Option<bool>, Vec<String>)],
    layout: &Layout,
    style: usize,
    json: bool,
) -> String {
    let assign = |prefix: &str, key: &str, value: &str| {
        if json { format!("\"{key}\": {value}") } else { format!("{prefix}{key} = {value}") }
    };
    let pick = |own: bool, prefix: &str| -> Vec<String> {
        lists
            .iter()
            .filter(|(_, place, _)| *place == Some(own))
            .map(|(key, _, names)| assign(prefix, key, &list(names, layout, json)))
            .collect()
    };
    let mut shared = pick(false, "");
    shared.push(assign("", "flows", "[\"f.py\"]"));
    if json {
        let own = format!("\"a\": {{{}}}, \"b\": {{}}", pick(true, "").join(", "));
        return format!("{{\n  {},\n  \"storage\": {{{own}}}\n}}", shared.join(",\n  "));
    }
    let shared = shared.join("\n") + "\n";
    match style {
        0 => format!(
            "{shared}\n# The first.\n[storage.a]  # here\n{}\n\n[storage.a.env_vars]\nA = '1'\n[storage.b]",
            pick(true, "").join("\n")
        ),
        1 => format!(
            "{shared}[storage]\na.user = 'u'\n{}\nb.user = 'u'\n",
            pick(true, "a.").join("\n")
        ),
        _ => format!("{shared}storage = {{ a = {{ {} }}, b = {{}} }}", pick(true, "").join(", ")),
    }
}

proptest! {
    #[test]
    fn only_the_new_items_are_new(
        held in (names(), names()),
        places in (prop::option::of(any::<bool>()), prop::option::of(any::<bool>())),
        new in (names(), names()),
        layout in layout(),
        style in 0usize..3,
        json: bool,
        crlf: bool,
        bom: bool,
    ) {
        let lists = [
            ("system_packages", places.0, held.0.clone()),
            ("build_packages", places.1, held.1.clone()),
        ];
        let mut text = spec(&lists, &layout, style, json);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if bom && !json {
            text.insert(0, '\u{feff}');
        }
        let format = if json { Format::Json } else { Format::Toml };
        let additions = [
            Addition { key: "system_packages", items: new.0.clone() },
            Addition { key: "build_packages", items: new.1.clone() },
        ];
        let edited = add(&text, format, Some("a"), &additions).expect("it can be written");

        // It reads as the old one, but for the lists.
        let read = |text: &str| {
            let (spec, problems) = parse(text, format, "s", PathBuf::new());
            assert_eq!(problems, [], "{text}");
            spec.storages
        };
        let strip = |text: &str| -> Vec<StorageSpec> {
            let mut storages = read(text);
            for storage in &mut storages {
                storage.system_packages = None;
                storage.build_packages = None;
                storage.place = None;
                storage.flows.as_mut().expect("flows").place.line = 0;
                storage.flows.as_mut().expect("flows").value[0].place.line = 0;
                storage.user = None;
                storage.env_vars = None;
            }
            storages
        };
        prop_assert_eq!(strip(&edited), strip(&text));
        for (key, held, place, new) in [
            ("system_packages", held.0, places.0, new.0),
            ("build_packages", held.1, places.1, new.1),
        ] {
            let held = if place.is_some() { held } else { Vec::new() };
            let wanted = unique(&[held.clone(), new].concat());
            let after = read(&edited);
            prop_assert_eq!(&texts(&after[0], key), &wanted);
            // The other one has what is shared, and no more.
            let other = if place == Some(false) { wanted } else { Vec::new() };
            prop_assert_eq!(texts(&after[1], key), other);
        }

        // Nothing was taken away or moved: the old bytes are in the new ones, in their order.
        let mut rest = edited.chars();
        prop_assert!(text.chars().all(|old| rest.any(|new| new == old)), "{}", edited);
        let kept = |text: &str| -> Vec<String> {
            text.lines().filter_map(|line| Some(line.split_once('#')?.1.to_owned())).collect()
        };
        prop_assert_eq!(kept(&edited), kept(&text));
        prop_assert_eq!(edited.matches("\r\n").count() > 0, crlf);
        prop_assert_eq!(edited.matches('\n').count() == edited.matches("\r\n").count(), crlf);
        prop_assert_eq!(edited.ends_with('\n'), text.ends_with('\n'));

        // Once is enough.
        prop_assert_eq!(add(&edited, format, Some("a"), &additions), Ok(edited));
    }
}
