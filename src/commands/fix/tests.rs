use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::{load, plans};
use super::*;
use crate::cli::SpecArgs;
use crate::term::Term;

/// What a run says of each storage that it failed for: what that lacks.
type Script = Vec<(&'static str, &'static [&'static str])>;

/// A world in which every run is known beforehand.
struct Fake {
    names: Vec<String>,
    /// What comes of each run: `None` for one that was stopped.
    runs: VecDeque<Option<Script>>,
    /// What was asked for.
    done: Vec<String>,
    held: Vec<(String, String)>,
}

impl Fake {
    fn next(&mut self, what: String) -> Outcome<String> {
        self.done.push(what.clone());
        let script = self.runs.pop_front().expect("no such run was foreseen");
        let Some(script) = script else { return Outcome::Stopped(what) };
        if script.is_empty() {
            return Outcome::Built(what);
        }
        let storages = script.iter().map(|(name, _)| (*name).to_owned()).collect();
        let learnt = script.iter().filter(|(_, lacks)| !lacks.is_empty()).map(|(name, lacks)| {
            let run = lacks.iter().map(|name| (*name).to_owned()).collect();
            Learnt { storage: (*name).to_owned(), run, ..Learnt::default() }
        });
        let learnt = learnt.collect();
        Outcome::Failed(Failed { attempt: what, storages, learnt })
    }
}

impl World for Fake {
    type Attempt = String;

    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn build(&mut self, names: &[String], purpose: Purpose) -> anyhow::Result<Outcome<String>> {
        Ok(self.next(format!("{purpose:?} {}", names.join(" "))))
    }

    fn add(&mut self, learnt: &[Learnt]) -> anyhow::Result<Vec<String>> {
        let mut grown = Vec::new();
        for learnt in learnt {
            for package in &learnt.run {
                let held = (learnt.storage.clone(), package.clone());
                if !self.held.contains(&held) {
                    self.done.push(format!("{} += {package}", learnt.storage));
                    self.held.push(held);
                    grown.push(learnt.storage.clone());
                }
            }
        }
        Ok(grown)
    }
}

/// Runs the loop; returns what was done and the run that decided.
fn run(names: &[&str], runs: Vec<Option<Script>>) -> (Vec<String>, String) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let mut world = Fake { names, runs: runs.into(), done: Vec::new(), held: Vec::new() };
    let first = world.next("first".to_owned());
    let decided = rounds(&mut world, first).expect("a fake does not fail");
    assert!(world.runs.is_empty(), "{} runs too few: {:?}", world.runs.len(), world.done);
    (world.done, decided)
}

#[test]
fn a_build_that_succeeds_is_left_alone() {
    assert_eq!(run(&["a"], vec![Some(vec![])]), (vec!["first".to_owned()], "first".to_owned()));
}

#[test]
fn what_is_missing_is_added_until_nothing_is() {
    let (done, decided) = run(
        &["a"],
        vec![Some(vec![("a", &["gcc"])]), Some(vec![("a", &["x", "y"])]), Some(vec![])],
    );
    assert_eq!(done, ["first", "a += gcc", "Again a", "a += x", "a += y", "Again a"]);
    assert_eq!(decided, "Again a");
}

#[test]
fn nothing_new_ends_it() {
    for again in [&["gcc"][..], &[]] {
        let (done, _) = run(&["a"], vec![Some(vec![("a", &["gcc"])]), Some(vec![("a", again)])]);
        assert_eq!(done, ["first", "a += gcc", "Again a"], "{again:?}");
    }
}

#[test]
fn five_more_builds_are_enough() {
    let lacks: [&'static [&'static str]; 6] = [&["1"], &["2"], &["3"], &["4"], &["5"], &["6"]];
    let (done, _) = run(&["a"], lacks.iter().map(|l| Some(vec![("a", *l)])).collect());
    assert_eq!(done.iter().filter(|what| *what == "Again a").count(), 5);
    assert_eq!(done.last().map(String::as_str), Some("Again a"));
}

#[test]
fn storages_that_the_first_failure_stopped_are_tried_too() {
    let (done, decided) = run(
        &["a", "b", "c"],
        vec![
            Some(vec![("b", &["x"])]),
            Some(vec![("c", &["y"])]),
            Some(vec![]),
            Some(vec![("a", &["z"])]),
            Some(vec![]),
            Some(vec![]),
        ],
    );
    assert_eq!(
        done,
        [
            "first",
            "Trial a c",
            "Trial a",
            "b += x",
            "c += y",
            "Again a b c",
            "Trial b c",
            "a += z",
            "Again a b c",
        ]
    );
    assert_eq!(decided, "Again a b c");
}

#[test]
fn the_failure_that_decides_is_the_one_that_cannot_be_mended() {
    let (done, decided) = run(&["a", "b"], vec![Some(vec![("b", &["x"])]), Some(vec![("a", &[])])]);
    assert_eq!(done, ["first", "Trial a", "b += x"]);
    assert_eq!(decided, "Trial a");
    // Then the others are not even tried.
    assert_eq!(run(&["a", "b"], vec![Some(vec![("b", &[])])]).0, ["first"]);
}

#[test]
fn a_request_to_stop_ends_it_at_once() {
    assert_eq!(run(&["a"], vec![None]).1, "first");
    let (done, decided) = run(&["a"], vec![Some(vec![("a", &["x"])]), None]);
    assert_eq!((done.last(), decided.as_str()), (Some(&"Again a".to_owned()), "Again a"));
    let (done, decided) = run(&["a", "b"], vec![Some(vec![("a", &["x"])]), None]);
    assert_eq!((done, decided.as_str()), (vec!["first".into(), "Trial b".into()], "Trial b"));
}

#[test]
fn an_answer_is_yes_or_no() {
    for (line, yes) in [
        ("y\n", true),
        ("Yes\r\n", true),
        (" y ", true),
        ("\n", false),
        ("n\n", false),
        ("yep", false),
    ] {
        assert_eq!(is_yes(line), yes, "{line:?}");
    }
}

/// A folder with a spec and a script, and a machine whose current folder it is.
fn project(spec: &str) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("flow.py"), "print()\n").expect("a script");
    fs::write(folder.path().join("flowstorage.toml"), spec).expect("a spec");
    let term = Term::from_writers(Box::new(Vec::new()), Box::new(Vec::new()));
    let host = Host { env: BTreeMap::new(), cwd: folder.path().to_owned(), term };
    (folder, host)
}

fn loaded(file: Option<&str>, host: &Host) -> Loaded {
    let args = SpecArgs { file: file.map(Into::into), storages: Vec::new() };
    load(&args, host).unwrap_or_else(|error| panic!("{error}"))
}

const SPEC: &str = "flows = [\"flow.py\"]\nruntime = \"python\"\nbase_image = \"debian\"\n\
                    image_name = \"app\"\npython_dependencies = [\"psycopg2\"]\n";

/// The Dockerfile of a spec, and what it is with packages added in two rounds.
fn dockerfiles(rest: &str, added: Added) -> (String, String) {
    let (_folder, host) = project(&(SPEC.to_owned() + rest));
    let mut storages = loaded(None, &host).resolve(&Overrides::default()).expect("a sound spec");
    let before = plans(&storages).remove(0).dockerfile;
    let compiles = !added.build.is_empty();
    storages[0].added = added;
    let after = plans(&storages).remove(0).dockerfile;
    // What is compiled with more packages is kept apart; only steps that run anew name the cache.
    let (old, new) = (cache(&before), cache(&after));
    assert_eq!(old != new, compiles, "{after}");
    (before, after.replace(&new, &old))
}

/// The id of uv's cache.
fn cache(dockerfile: &str) -> String {
    let at = dockerfile.find("id=flowstorage-uv-").expect("a cache");
    dockerfile[at..].split(',').next().unwrap_or_default().to_owned()
}

/// A Dockerfile without the steps that install one of these.
fn without(dockerfile: &str, packages: &[&str]) -> String {
    let mut steps: Vec<String> = Vec::new();
    for line in dockerfile.split_inclusive('\n') {
        match steps.last_mut() {
            Some(step) if line.starts_with(' ') => step.push_str(line),
            _ => steps.push(line.to_owned()),
        }
    }
    let installs = |step: &String, name: &str| step.split_whitespace().any(|word| word == name);
    steps.retain(|step| !packages.iter().any(|name| installs(step, name)));
    steps.concat()
}

#[test]
fn packages_that_are_added_change_no_step_before_them() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let added = Added {
        build: vec![list(&["b1"]), list(&["b2"])],
        run: vec![list(&["r1"]), list(&["r2"])],
    };
    let names = ["b1", "b2", "r1", "r2"];
    let lists = "system_packages = [\"libpq5\"]\nbuild_packages = [\"gcc\"]\n";
    let (before, after) = dockerfiles(lists, added.clone());
    assert_eq!(without(&after, &names), before);
    assert_eq!(without(&before, &["gcc"]), without(&after, &[&names[..], &["gcc"]].concat()));
    let at = |text: &str| after.find(text).unwrap_or_else(|| panic!("no {text} in {after}"));
    let order = [
        at("AS build\n"),
        at("      gcc"),
        at("      b1"),
        at("      b2"),
        at("wheels.py"),
        at("AS app\n"),
        at("--no-deps --no-build"),
        at("      r1"),
        at("      r2"),
        at("AS check\n"),
    ];
    assert!(order.is_sorted(), "{order:?} in {after}");

    // Where nothing was compiled, there is a stage for it now; the steps before it stay.
    let (before, after) = dockerfiles("system_packages = [\"libpq5\"]\n", added.clone());
    let (start, _) = after.split_once("\n# --- what must be compiled").expect("a stage");
    assert!(before.starts_with(start), "{before}");
    let (_, cache) = before.split_once("id=flowstorage-uv-").expect("a cache");
    assert_eq!(after.matches(&cache[..12]).count(), 2);
}

fn learnt(storage: &str, build: &[&str], run: &[&str]) -> Learnt {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Learnt { storage: storage.to_owned(), build: list(build), run: list(run), ..Learnt::default() }
}

#[test]
fn a_draft_is_named_by_what_will_be_written() {
    let (folder, host) = project(SPEC);
    let first = loaded(None, &host);
    let overrides = Overrides::default();
    let storages = first.resolve(&overrides).expect("a sound spec");
    let mut draft = Draft::of(&first, &host).expect("a spec");
    draft.add(&first, &[learnt("app", &["gcc"], &["libpq5"])]).expect("a simple spec");
    let written = draft.storages(&storages, &overrides, &host).expect("a sound spec");
    draft.write().expect("it can be written");
    let text = format!("{SPEC}system_packages = [\"libpq5\"]\nbuild_packages = [\"gcc\"]\n");
    assert_eq!(fs::read_to_string(folder.path().join("flowstorage.toml")).expect("text"), text);
    let again = loaded(None, &host).resolve(&overrides).expect("a sound spec");
    assert_eq!(plans(&again), plans(&written));
    assert_ne!(plans(&again)[0].references, plans(&storages)[0].references);
}

#[test]
fn writing_keeps_the_mode_and_a_link_and_refuses_a_file_that_changed() {
    let (folder, host) = project(SPEC);
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("flowstorage.toml"), path("real.toml")).expect("a name");
    symlink("real.toml", path("flowstorage.toml")).expect("a link");
    fs::set_permissions(path("real.toml"), fs::Permissions::from_mode(0o640)).expect("a mode");
    let first = loaded(None, &host);
    let mut draft = Draft::of(&first, &host).expect("a spec");
    draft.add(&first, &[learnt("app", &[], &["libpq5"])]).expect("a simple spec");
    draft.write().expect("it can be written");
    assert_eq!(
        fs::read_link(path("flowstorage.toml")).expect("a link").to_str(),
        Some("real.toml")
    );
    let text = fs::read_to_string(path("real.toml")).expect("text");
    assert_eq!(text, format!("{SPEC}system_packages = [\"libpq5\"]\n"));
    let mode = fs::metadata(path("real.toml")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    // It is no longer what was read.
    let error = draft.write().expect_err("the file changed").to_string();
    assert_eq!(error, "`flowstorage.toml` was changed during the build; nothing was written");
    assert_eq!(fs::read_to_string(path("real.toml")).expect("text"), text);
}

#[test]
fn a_script_gets_a_spec_beside_it_unless_one_is_there() {
    let (folder, host) = project("");
    let script = loaded(Some("flow.py"), &host);
    assert_eq!(
        Draft::of(&script, &host).map(|_| ()),
        Err("`flow.py` is a script, and `flowstorage.toml` is there already".to_owned())
    );
    fs::remove_file(folder.path().join("flowstorage.toml")).expect("it is there");
    let storages = script.resolve(&Overrides::default()).expect("a sound script");
    let mut draft = Draft::of(&script, &host).expect("a new spec");
    draft.add(&script, &[learnt("flow", &[], &["libmagic1"])]).expect("a simple spec");
    let written = draft.storages(&storages, &Overrides::default(), &host).expect("a sound spec");
    draft.write().expect("it can be written");
    let again = loaded(None, &host).resolve(&Overrides::default()).expect("a sound spec");
    assert_eq!(again[0].system_packages, ["libmagic1"]);
    assert_eq!(plans(&again), plans(&written));
}
