//! Every sample is explained as it was meant to be, and every row is what some sample was taken for.

use std::collections::BTreeSet;

use super::table::{Row, Table};
use super::*;
use crate::packages;

const SAMPLES: &str = include_str!("data/samples.tsv");

fn samples() -> Vec<(&'static str, &'static str)> {
    let rows = SAMPLES.lines().skip(1).map(|line| line.split_once('\t').unwrap());
    rows.collect()
}

#[test]
fn every_sample_has_its_cause() {
    let mut wrong = Vec::new();
    let samples = samples();
    assert!(samples.len() > 170, "{} samples", samples.len());
    let (steps, builders) = (Table::of_steps(), Table::of_builders());
    for (expected, sample) in samples {
        let lines = [sample.to_owned()];
        let found = steps.first(&lines).or_else(|| builders.first(&lines));
        let cause = found.map_or_else(|| "nothing".to_owned(), |found| found.cause);
        if cause != expected {
            wrong.push(format!("{sample}\n  not: {cause}\n  but: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_is_the_first_for_some_sample() {
    let check = |table: &Table| {
        let first = |(_, sample): &(&str, &str)| {
            table.first(&[(*sample).to_owned()]).map(|found| found.row)
        };
        let reached: BTreeSet<usize> = samples().iter().filter_map(first).collect();
        let unreached: Vec<&str> = table
            .rows
            .iter()
            .enumerate()
            .filter(|(at, _)| !reached.contains(at))
            .map(|(_, row)| row.pattern)
            .collect();
        assert!(unreached.is_empty(), "no sample for:\n{}", unreached.join("\n"));
    };
    check(&Table::of_steps());
    check(&Table::of_builders());
}

fn rows() -> Vec<Row> {
    [Table::of_steps().rows, Table::of_builders().rows].concat()
}

#[test]
fn every_package_of_a_row_has_its_names() {
    for row in rows() {
        for name in row.packages() {
            assert!(packages::package(name).is_some(), "{name} is not in debian.tsv");
        }
    }
}

#[test]
fn every_key_in_an_advice_is_one_of_the_spec() {
    let known = |word: &str| crate::spec::keys::find(word).is_some();
    for row in rows() {
        for code in row.advice.split('`').skip(1).step_by(2) {
            let word = code.split([' ', '=', '[']).next().unwrap();
            // What looks like a key is one: other code has capitals, dashes, dots or quotes.
            if word.len() > 1
                && word.contains('_')
                && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            {
                assert!(known(word), "`{word}` in: {}", row.advice);
            }
        }
    }
}

fn explained(log: &str) -> Explanation {
    explain(log).unwrap()
}

#[test]
fn the_package_that_failed_adds_what_its_own_row_says() {
    let found = explained(
        "  × Failed to build `psycopg2==2.9.12`\n  error: command 'gcc' failed: No such file or directory\n",
    );
    assert_eq!(found.cause, "psycopg2==2.9.12: a C compiler is missing");
    assert_eq!(found.fix.build, ["gcc", "libc6-dev", "libpq-dev"]);
    assert_eq!(found.fix.run, ["libpq5"]);
    // A cause that no package cures is left alone.
    let found = explained(
        "Failed to build `psycopg2==2.9`\ngcc: fatal error: Killed signal terminated program cc1\n",
    );
    assert_eq!(found.fix.build, [""; 0]);
    // Where nothing else is known, its row is what there is.
    let found = explained("Failed to build `psycopg2==2.9`\n");
    assert_eq!(found.cause, "psycopg2==2.9: compiling failed, for a reason that is not known");
    assert_eq!(found.fix.build, ["gcc", "libc6-dev", "libpq-dev"]);
}

#[test]
fn a_program_is_missing_where_it_was_called() {
    let missing = |log: &str| explained(log).missing[0].clone();
    let osmium = |phase| Missing { kind: MissingKind::Program, name: "osmium".to_owned(), phase };
    assert_eq!(missing("/bin/sh: 1: osmium: not found\n"), osmium(Phase::Run));
    let in_a_build = "Failed building wheel for x\n/bin/sh: 1: osmium: not found\n";
    assert_eq!(missing(in_a_build), osmium(Phase::Build));
}

#[test]
fn tables_answer_before_anyone_is_asked() {
    let known = explained("a.c:1:10: fatal error: cups/cups.h: No such file or directory\n");
    assert_eq!(known.unknown(), Vec::<&Missing>::new());
    let known = explained("ImportError: libcups.so.2: cannot open shared object file\n");
    assert_eq!(known.unknown(), Vec::<&Missing>::new());
    assert_eq!(known.fix.run, ["libcups2"]);
    let unknown = explained("a.c:1:10: fatal error: uhd.h: No such file or directory\n");
    assert_eq!(unknown.unknown().len(), 1);
    assert_eq!(unknown.fix, Fix::default());
}

#[test]
fn packages_are_called_as_the_release_calls_them() {
    let mut found = explained("ImportError: libgthread-2.0.so.0: cannot open shared object file\n");
    assert_eq!(found.fix.run, ["libglib2.0-0"]);
    assert!(found.depends_on_release());
    found.turn_to(Release::Trixie);
    assert_eq!(found.fix.run, ["libglib2.0-0t64"]);
    for (image, release) in [
        ("python:3.11-slim-bookworm", Some(Release::Bookworm)),
        ("registry.example.org:5000/team/python:3.13-slim-trixie", Some(Release::Trixie)),
        ("debian:12-slim", Some(Release::Bookworm)),
        ("ubuntu:24.04", Some(Release::Trixie)),
        ("python:3.11-slim", None),
        ("python:12", None),
        ("python", None),
    ] {
        assert_eq!(Release::of_image(image), release, "{image}");
    }
}

#[test]
fn the_lines_to_add_hold_what_is_there_already() {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let fix = Fix { build: list(&["gcc", "libpq-dev"]), run: list(&["libpq5"]), advice: None };
    assert_eq!(
        lines(&fix, &list(&["zip", "gcc"]), &[]),
        ["build_packages = [\"zip\", \"gcc\", \"libpq-dev\"]", "system_packages = [\"libpq5\"]"]
    );
    assert_eq!(lines(&fix, &fix.build, &fix.run), [""; 0]);
}

#[test]
fn noise_is_not_explained() {
    for log in [
        "",
        "WARNING: Running pip as the 'root' user can result in broken permissions\n",
        "debconf: delaying package configuration, since apt-utils is not installed\n\
         debconf: unable to initialize frontend: Dialog\n",
        "Successfully installed six-1.17.0\n",
    ] {
        assert_eq!(explain(log), None, "{log}");
    }
}
