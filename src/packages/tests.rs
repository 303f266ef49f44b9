//! The tables keep to their form and agree with each other.

use std::collections::BTreeSet;

use super::{PROGRAMS, Package, SONAMES, Wheel};
use super::{distribution, external, header, package, program, soname};

const DISTRIBUTIONS: &str = include_str!("data/distributions.tsv");
const DEBIAN: &str = include_str!("data/debian.tsv");
const HEADERS: &str = include_str!("data/headers.tsv");
const EXTERNAL: &str = include_str!("data/external.tsv");

/// Each table's name, columns and text.
const TABLES: &[(&str, &[&str], &str)] = &[
    (
        "distributions",
        &["distribution", "compiled", "linked", "needed", "loads", "calls", "wheel", "note"],
        DISTRIBUTIONS,
    ),
    ("debian", &["package", "trixie", "generic"], DEBIAN),
    ("sonames", &["soname", "bookworm", "trixie"], SONAMES),
    ("headers", &["header", "bookworm", "trixie"], HEADERS),
    ("programs", &["program", "package"], PROGRAMS),
    ("external", &["id", "build", "run"], EXTERNAL),
];

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}

/// The items of a cell, without the loaders.
fn items(cell: &'static str) -> Vec<&'static str> {
    cell.split(',').filter(|item| *item != "-").collect()
}

/// The name of each table and of its row with each cell that holds Debian packages.
fn package_cells() -> Vec<(String, &'static str)> {
    let mut cells = Vec::new();
    for (name, columns, text) in TABLES {
        for row in rows(text) {
            for (column, cell) in columns.iter().zip(&row).skip(1) {
                if matches!(
                    *column,
                    "compiled" | "linked" | "needed" | "bookworm" | "package" | "build" | "run"
                ) {
                    cells.push((format!("{name}: {} {column}", row[0]), *cell));
                }
            }
        }
    }
    cells
}

#[test]
fn every_table_is_sorted_and_complete() {
    let mut wrong = Vec::new();
    for (name, columns, text) in TABLES {
        assert_eq!(text.lines().next(), Some(columns.join("\t").as_str()), "{name}");
        assert!(text.ends_with('\n'), "{name} does not end with a line's end");
        let mut before = "";
        for row in rows(text) {
            if row[0] <= before {
                wrong.push(format!("{name}: `{}` comes after `{before}`", row[0]));
            }
            before = row[0];
            if row.len() != columns.len() {
                wrong.push(format!("{name}: `{before}` has {} columns", row.len()));
            }
            if row.iter().any(|cell| cell.is_empty() || cell.trim() != *cell) {
                wrong.push(format!("{name}: `{before}` has an empty cell or a blank at an end"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_list_names_each_item_once() {
    let mut wrong = Vec::new();
    let cells = rows(DISTRIBUTIONS)
        .flat_map(|row| [(row[0], row[4]), (row[0], row[5])])
        .map(|(name, cell)| (format!("distributions: {name}"), cell));
    for (place, cell) in package_cells().into_iter().chain(cells) {
        let mut sorted = items(cell);
        let is_list =
            cell == "-" || sorted.join(",") == cell && !cell.contains(char::is_whitespace);
        sorted.sort_unstable();
        sorted.dedup();
        if !is_list || sorted.len() != items(cell).len() || sorted.contains(&"") {
            wrong.push(format!("{place}: {cell}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_package_is_known_and_of_use() {
    let cells = package_cells();
    let named: BTreeSet<&str> = cells.iter().flat_map(|(_, cell)| items(cell)).collect();
    let known: BTreeSet<&str> = rows(DEBIAN).map(|row| row[0]).collect();
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "not in the table of packages: {unknown:?}");
    // A library that only Debian 13 has may be in a package that 12 has as well.
    let in_trixie = rows(SONAMES).chain(rows(HEADERS)).map(|row| row[2]);
    // What a failed build is told to add is in no other table here.
    let signatures = rows(include_str!("../explain/data/signatures.tsv"));
    let proposed = signatures.flat_map(|row| [items(row[2]), items(row[3])].concat());
    let used = named.into_iter().chain(in_trixie).chain(proposed).collect();
    let of_no_use: Vec<_> = known.difference(&used).collect();
    assert!(of_no_use.is_empty(), "named by no other table: {of_no_use:?}");
}

#[test]
fn a_c_compiler_comes_with_the_c_library() {
    let without: Vec<String> = package_cells()
        .into_iter()
        .filter(|(_, cell)| items(cell).contains(&"gcc") && !items(cell).contains(&"libc6-dev"))
        .map(|(place, _)| place)
        .filter(|place| !place.starts_with("debian:") && !place.starts_with("programs:"))
        .collect();
    assert!(without.is_empty(), "{}", without.join("\n"));
}

#[test]
fn every_distribution_has_a_normalised_name_and_needs_something() {
    let is_normal = |name: &str| {
        // `psycopg[c]` is a row of its own.
        let name = name.replace(['[', ']'], "");
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        name.chars().all(allowed)
            && !name.contains("--")
            && !name.starts_with('-')
            && !name.ends_with('-')
    };
    let mut wrong = Vec::new();
    for row in rows(DISTRIBUTIONS) {
        let known = distribution(row[0]).expect("a row of the table is found");
        if !is_normal(row[0]) {
            wrong.push(format!("`{}` is not normalised", row[0]));
        }
        if !matches!(row[6], "yes" | "no" | "partial") {
            wrong.push(format!("`{}` has the wheel `{}`", row[0], row[6]));
        }
        // What an extra brings may take away what the distribution alone needs.
        let is_extra = row[0].contains('[');
        let needs = [&known.compiled, &known.linked, &known.needed];
        if needs.iter().all(|list| list.is_empty()) && !is_extra {
            wrong.push(format!("`{}` needs nothing", row[0]));
        }
        let opens = !known.loads.is_empty() || !known.calls.is_empty();
        if opens && known.needed.is_empty() {
            wrong.push(format!("`{}` opens what nothing brings", row[0]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn finds_what_each_row_says() {
    let psycopg2 = distribution("psycopg2").unwrap();
    assert_eq!(psycopg2.name, "psycopg2");
    assert_eq!(psycopg2.compiled, ["gcc", "libc6-dev", "libpq-dev"]);
    assert_eq!((psycopg2.linked, psycopg2.needed), (vec!["libpq5"], vec![]));
    assert_eq!((psycopg2.loads, psycopg2.calls), (vec![], vec![]));
    assert_eq!(psycopg2.wheel, Wheel::No);
    assert_eq!(psycopg2.note, Some("psycopg2-binary has wheels and needs nothing"));
    assert_eq!(distribution("pydub").unwrap().calls, ["ffmpeg"]);
    assert_eq!(distribution("python-magic").unwrap().loads, ["magic"]);
    assert_eq!(distribution("annoy").unwrap().note, None);
    assert_eq!(distribution("mariadb").unwrap().wheel, Wheel::Partial);
    assert_eq!(distribution("requests"), None);
    assert_eq!(distribution("Psycopg2"), None);
}

#[test]
fn names_a_package_in_both_releases() {
    let names = |name| package(name).map(|Package { names, .. }| names);
    assert_eq!(names("libpq5"), Some(vec!["libpq5"]));
    assert_eq!(names("libldap-2.5-0"), Some(vec!["libldap-2.5-0", "libldap2"]));
    assert_eq!(names("wkhtmltopdf"), Some(vec!["wkhtmltopdf"]));
    assert_eq!(names("no-such-package"), None);
    let described = package("libpq-dev").unwrap();
    assert_eq!(described.generic, "PostgreSQL client library, headers");
}

#[test]
fn finds_who_has_a_file() {
    assert_eq!(program("ffprobe"), Some("ffmpeg"));
    assert_eq!(program("sqlcmd"), None);
    assert_eq!(soname("libGL.so.1"), ["libgl1"]);
    assert_eq!(soname("libasound.so.2"), ["libasound2", "libasound2t64"]);
    assert_eq!(soname("libldap-2.5.so.0"), ["libldap-2.5-0"]);
    assert_eq!(soname("libnone.so.1"), [""; 0]);
    assert_eq!(header("libpq-fe.h"), ["libpq-dev"]);
    assert_eq!(header("none.h"), [""; 0]);
}

#[test]
fn understands_external_requirements() {
    let libpq = external("dep:generic/libpq").unwrap();
    assert_eq!(
        (libpq.build.as_slice(), libpq.run.as_slice()),
        (&["libpq-dev"][..], &["libpq5"][..])
    );
    assert_eq!(external("pkg:generic/libpq@>=12"), Some(libpq.clone()));
    assert_eq!(external("dep:generic/libpq@>=12,<18"), Some(libpq.clone()));
    assert_eq!(external("dep:generic/libpq?arch=any"), Some(libpq));
    let compiler = external("dep:virtual/compiler/c").unwrap();
    assert_eq!(compiler.build, ["gcc", "libc6-dev"]);
    assert_eq!(compiler.run, [""; 0]);
    for unknown in ["", "dep:", "dep:generic/none", "generic/libpq", "libpq"] {
        assert_eq!(external(unknown), None, "{unknown:?}");
    }
}
