//! Which Debian packages a storage needs without anyone naming them, and why.
//!
//! Strongest first: `required_commands`, the project's `[external]` table, what is known of its
//! Python dependencies, and what its code names. The spec's own lists are not repeated.
//!
//! **Invariant:** every package has a reason that names what needs it; nothing is needed where
//! `infer_system_packages` is off.

use super::base::{self, Known, System};
use super::{Resolver, list};
use crate::deps::external::{self, ExternalNeed};
use crate::deps::marker;
use crate::deps::requirements::{Distribution, Requirement, Requirements};
use crate::deps::wheel::{self, Target};
use crate::facts::modules::Mentioned;
use crate::facts::{Found, PYTHON_VERSION_FILES};
use crate::packages::{self, Wheel};
use crate::problem::{Place, Problem};
use crate::python::imports::Outside;
use crate::spec::Keyed;
use crate::spec::document::Node;
use crate::storage::{Base, NeededPackage, PYTHON_HEADERS, Phase};

/// What compiling C takes everywhere; the compiler of C++ brings the rest.
const TOOLCHAIN: [&str; 3] = ["g++", "gcc", "libc6-dev"];

/// What is known when packages are inferred.
pub(super) struct Context<'a> {
    pub(super) base: Option<&'a Base>,
    /// Major and minor version that the image's Python must have.
    pub(super) python: Option<&'a str>,
    pub(super) platforms: &'a [String],
    pub(super) requirements: &'a Requirements,
    /// Paths of the flow scripts.
    pub(super) scripts: &'a [&'a str],
    /// What compiling the workflow engine takes, where the base lacks it.
    pub(super) engine: &'static [&'static str],
    /// What the spec asks for in other words: packages of recipes, and what fetches requirements.
    pub(super) said: Vec<NeededPackage>,
}

/// What inference gives.
#[derive(Debug, Default)]
pub(super) struct Inferred {
    pub(super) needed: Vec<NeededPackage>,
    /// What else to do where the base turns out to have no apt.
    pub(super) without_apt: Option<String>,
    /// Drivers of ODBC that flows name.
    pub(super) odbc_drivers: Vec<String>,
}

impl Resolver<'_> {
    /// Whether packages are inferred.
    pub(super) fn infers(&self) -> bool {
        self.storage.infer_system_packages.as_ref().is_none_or(|keyed| keyed.value)
    }

    /// Everything that is needed, each package once per phase.
    pub(super) fn inferred(&mut self, context: Context<'_>) -> Inferred {
        let known = context.base.and_then(base::known);
        let mut found = Collected::default();
        // That is the user's word: no switch takes it away.
        found.0.extend(context.said);
        let said = found.0.len();
        let mentioned = self.mentioned(context.scripts);
        if self.infers() {
            self.commands(&mut found);
            self.external(&mut found);
            let targets = base::targets(
                known.as_ref(),
                context.python.and_then(base::version),
                context.platforms,
                &self.facts.arch,
            );
            distributions(context.requirements, &targets, &mut found);
            if known.as_ref().is_some_and(|known| known.is_plain_python) {
                engine(context.engine, &mut found);
            }
            mentions(&mentioned, &mut found);
        }
        let mut needed = found.0;
        self.leave_out(&mut needed, said);
        if let Some(Known { image, system: System::Other(name), .. }) = &known {
            self.other_system(image, name, &needed);
            needed.clear();
        }
        let names = |mention: &&Mentioned| mention.what == Outside::OdbcDriver;
        let drivers: Vec<&Mentioned> = mentioned.iter().filter(names).collect();
        self.vendor_drivers(&drivers, known.as_ref());
        let odbc_drivers = drivers.iter().map(|driver| driver.name.clone()).collect();
        let is_debian = matches!(known.map(|known| known.system), Some(System::Debian(_)));
        let without_apt = (!is_debian && !needed.is_empty()).then(|| advice(&needed));
        Inferred { needed, without_apt, odbc_drivers }
    }

    /// What the code of the flows and of their modules names.
    fn mentioned(&self, scripts: &[&str]) -> Vec<Mentioned> {
        let mut all: Vec<Mentioned> = Vec::new();
        for script in scripts {
            let followed = self.facts.modules.get(*script).map(|found| &found.outside);
            let alone = self.facts.outside.get(*script);
            // What makes a tag for `Docker(...)` runs on the user's machine.
            let builds_itself = self.has_docker_call(&[*script]);
            for mention in followed.or(alone).into_iter().flatten() {
                let counts = mention.is_in_task || !builds_itself;
                let known =
                    |other: &Mentioned| other.what == mention.what && other.name == mention.name;
                if counts && !all.iter().any(known) {
                    all.push(mention.clone());
                }
            }
        }
        all
    }

    fn commands(&self, found: &mut Collected) {
        for command in list(self.storage.required_commands.as_ref()) {
            if let Some(package) = packages::program(&command) {
                found.add(package, Phase::Run, format!("required_commands names `{command}`"));
            }
        }
    }

    /// The `[external]` tables of the project and of the files of `requirements`.
    fn external(&mut self, found: &mut Collected) {
        let mut files = vec![PYTHON_VERSION_FILES[1].to_owned()];
        for path in list(self.storage.requirements.as_ref()) {
            if path.ends_with("pyproject.toml") && !files.contains(&path) {
                files.push(path);
            }
        }
        let facts = self.facts;
        for path in files {
            let Found::File(file) = facts.at(&path) else { continue };
            let Some(text) = &file.text else { continue };
            for entry in external::external(&path, text) {
                let place = &entry.place;
                let because = format!("`{}` in [external] of {place}", entry.id);
                let Some(known) = packages::external(&entry.id) else {
                    self.unknown_external(&entry.id, place);
                    continue;
                };
                let (build, run) = match entry.need {
                    ExternalNeed::Build => (known.build, Vec::new()),
                    ExternalNeed::Host => (known.build, known.run),
                    ExternalNeed::Run => (Vec::new(), known.run),
                };
                found.all(&build, Phase::Build, &because);
                found.all(&run, Phase::Run, &because);
            }
        }
    }

    fn unknown_external(&mut self, id: &str, place: &Place) {
        self.warnings.push(Problem {
            key: Some("system_packages".to_owned()),
            place: Some(place.clone()),
            message: format!("it is not known which Debian package is `{id}`"),
            remedy: "add it to `system_packages` or `build_packages`".to_owned(),
        });
    }

    /// Takes out what the spec names itself or excludes. The first `said` are not inferred.
    fn leave_out(&mut self, needed: &mut Vec<NeededPackage>, said: usize) {
        let bare = |name: &String| name.split(['=', '/', ':']).next().unwrap_or(name).to_owned();
        let run: Vec<String> =
            list(self.storage.system_packages.as_ref()).iter().map(bare).collect();
        let build: Vec<String> =
            list(self.storage.build_packages.as_ref()).iter().map(bare).collect();
        let excluded = list(self.storage.exclude_system_packages.as_ref());
        let has = |list: &[String], package: &NeededPackage| {
            package.names.iter().any(|name| list.contains(name))
        };
        let mut at = 0;
        needed.retain(|package| {
            at += 1;
            let named = has(&run, package) || package.phase == Phase::Build && has(&build, package);
            !named && (at <= said || !has(&excluded, package))
        });
    }

    /// A base of which it is known that it has no apt.
    fn other_system(&mut self, image: &str, name: &str, needed: &[NeededPackage]) {
        if needed.is_empty() {
            return;
        }
        let place = self.storage.base_image.as_ref().or(self.storage.dockerfile.as_ref());
        self.warnings.push(Problem {
            key: Some("base_image".to_owned()),
            place: place.map(|keyed| keyed.place.clone()),
            message: format!(
                "`{image}` is {name}, not Debian: what is needed is not installed by us"
            ),
            remedy: advice(needed),
        });
    }

    /// Drivers that no package of Debian has, on a base that cannot have them by itself.
    fn vendor_drivers(&mut self, drivers: &[&Mentioned], known: Option<&Known>) {
        let is_plain = matches!(known, Some(Known { system: System::Debian(_), .. }))
            && self.storage.dockerfile.is_none();
        if !is_plain {
            return;
        }
        let recipes = recipe_names(self.storage.recipes.as_ref());
        for mention in drivers {
            let Some(driver) = packages::odbc_driver(&mention.name) else { continue };
            if driver.recipe.is_some_and(|name| recipes.contains(&name)) {
                continue;
            }
            let Some(line) = driver.recipe_line() else { continue };
            self.warnings.push(Problem {
                key: Some("recipes".to_owned()),
                place: Some(mention.place.clone()),
                message: format!("`{}` is named here, and is no package of Debian", driver.name),
                remedy: format!("add {line}"),
            });
        }
    }
}

/// The recipes that a spec names.
fn recipe_names(recipes: Option<&Keyed<Node>>) -> Vec<&str> {
    match recipes.map(|recipes| &recipes.value) {
        Some(Node::Table(table)) => table.entries.iter().map(|e| e.key.as_str()).collect(),
        Some(Node::List(items)) => items.iter().filter_map(|item| item.node.as_text()).collect(),
        Some(node) => node.as_text().into_iter().collect(),
        None => Vec::new(),
    }
}

/// What a base without apt should have, in words that fit any distribution.
fn advice(needed: &[NeededPackage]) -> String {
    let mut wants: Vec<&str> = Vec::new();
    for package in needed {
        let canonical = package.names.first().map(String::as_str).unwrap_or_default();
        let generic = packages::package(canonical).map_or(canonical, |known| known.generic);
        if !wants.contains(&generic) {
            wants.push(generic);
        }
    }
    format!("see that the base has: {}", wants.join("; "))
}

/// What the workflow engine takes on a base that is known to lack it.
fn engine(packages: &[&str], found: &mut Collected) {
    if !packages.is_empty() {
        found.all(packages, Phase::Build, "the workflow engine is compiled, which the base lacks");
        found.headers();
    }
}

/// What Python dependencies need, by what is known of them.
fn distributions(requirements: &Requirements, targets: &[Target], found: &mut Collected) {
    let (no_binary, only_binary) =
        (Names::of(requirements, "--no-binary"), { Names::of(requirements, "--only-binary") });
    let python = targets.first().and_then(|target| target.python);
    let arch = targets.first().map(|target| target.arch.as_str()).unwrap_or_default();
    let mut compiles = false;
    for requirement in &requirements.wanted {
        let Some(distribution) = &requirement.distribution else { continue };
        let asked = marker::asked(&requirement.line, python, arch);
        if !asked.applies {
            continue;
        }
        let forced = if no_binary.has(&distribution.name) {
            Some(true)
        } else {
            only_binary.has(&distribution.name).then_some(false)
        };
        // `psycopg[binary]` is another thing than `psycopg`.
        let of_extra =
            |extra: &String| packages::distribution(&format!("{}[{extra}]", distribution.name));
        let mut rows: Vec<packages::Distribution> =
            asked.extras.iter().filter_map(of_extra).collect();
        if rows.is_empty() {
            rows.extend(packages::distribution(&distribution.name));
        }
        let one = One { requirement, distribution, targets, forced };
        if rows.is_empty() {
            compiles |= one.unknown(found);
        }
        for row in rows {
            compiles |= one.known(&row, found);
        }
    }
    if compiles {
        found.headers();
    }
}

/// One distribution that is to be installed.
struct One<'a> {
    requirement: &'a Requirement,
    distribution: &'a Distribution,
    targets: &'a [Target],
    /// What `--no-binary` and `--only-binary` say of it.
    forced: Option<bool>,
}

impl One<'_> {
    /// Its name and where it is asked for.
    fn shown(&self) -> String {
        let version = self.distribution.version.as_ref();
        let version = version.map(|version| format!(" {version}")).unwrap_or_default();
        let place = &self.requirement.place;
        format!("`{}`{version} ({place})", self.distribution.name)
    }

    /// How it is installed, as far as the list of its files or an option says so.
    fn making(&self) -> Making {
        match self.forced {
            Some(true) => return Making::Compiled("is compiled, as --no-binary says".to_owned()),
            Some(false) => return Making::Wheel,
            None => {}
        }
        let wheels = &self.distribution.wheels;
        if wheels.is_empty() && !self.distribution.has_sdist {
            return Making::Unknown;
        }
        let lacks = |target: &&Target| !wheels.iter().any(|file| wheel::fits(file, target));
        self.targets.iter().find(lacks).map_or(Making::Wheel, |target| {
            let python = target.python.map(|(major, minor)| format!("Python {major}.{minor} on "));
            let python = python.unwrap_or_default();
            Making::Compiled(format!("has no wheel for {python}{}", target.arch))
        })
    }

    /// Adds what a distribution of the table needs; whether it is compiled.
    fn known(&self, row: &packages::Distribution, found: &mut Collected) -> bool {
        let shown = self.shown();
        found.all(&row.needed, Phase::Run, &format!("{shown} needs it when it runs"));
        let compiled = match (self.making(), row.wheel) {
            (Making::Compiled(why), _) => why,
            (Making::Unknown, Wheel::No) => "has no wheel".to_owned(),
            (Making::Unknown, Wheel::Partial) => {
                "does not have a wheel for every Python".to_owned()
            }
            (Making::Wheel, _) | (Making::Unknown, Wheel::Yes) => return false,
        };
        if row.compiled.is_empty() {
            return false;
        }
        found.all(&row.compiled, Phase::Build, &format!("{shown} {compiled}"));
        found.all(&row.linked, Phase::Run, &format!("{shown} {compiled}, and is linked with it"));
        true
    }

    /// A distribution that nothing is known of: with wheels for other platforms only, it is
    /// certainly compiled.
    fn unknown(&self, found: &mut Collected) -> bool {
        let is_native = |file: &String| !file.ends_with("-none-any.whl");
        let Making::Compiled(why) = self.making() else { return false };
        if !self.distribution.wheels.iter().any(is_native) {
            return false;
        }
        found.all(&TOOLCHAIN, Phase::Build, &format!("{} {why}", self.shown()));
        true
    }
}

/// How a distribution gets into an image.
enum Making {
    /// Nothing says.
    Unknown,
    /// By a wheel of its own.
    Wheel,
    /// From source, and why.
    Compiled(String),
}

/// Programs and drivers that code names.
fn mentions(mentioned: &[Mentioned], found: &mut Collected) {
    for Mentioned { what, name, place, .. } in mentioned {
        match what {
            Outside::Program => {
                if let Some(package) = packages::program(name) {
                    found.add(package, Phase::Run, format!("{place} runs `{name}`"));
                }
            }
            Outside::OdbcDriver => {
                let package = packages::odbc_driver(name).and_then(|driver| driver.package);
                if let Some(package) = package {
                    let because = format!("{place} names the ODBC driver `{name}`");
                    found.add(package, Phase::Run, because);
                }
            }
        }
    }
}

/// The distributions that an option of pip names.
struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    fn of(requirements: &'a Requirements, option: &str) -> Self {
        let values = requirements.wanted.iter().filter_map(|requirement| {
            let rest = requirement.line.strip_prefix(option)?;
            Some(rest.trim_start_matches(['=', ' ']))
        });
        let mut names: Vec<&str> = Vec::new();
        for name in values.flat_map(|value| value.split(',')).map(str::trim) {
            // As with pip, it takes back all that stands before it.
            if name == ":none:" {
                names.clear();
            } else {
                names.push(name);
            }
        }
        Self(names)
    }

    fn has(&self, name: &str) -> bool {
        let is =
            |given: &&str| *given == ":all:" || crate::deps::requirements::normalise(given) == name;
        self.0.iter().any(is)
    }
}

/// Packages, each once per phase, in the order in which they were found.
#[derive(Default)]
struct Collected(Vec<NeededPackage>);

impl Collected {
    fn all(&mut self, names: &[&str], phase: Phase, because: &str) {
        for name in names {
            self.add(name, phase, because.to_owned());
        }
    }

    fn headers(&mut self) {
        let because = "headers of Python, where the base's own come without".to_owned();
        self.add(PYTHON_HEADERS, Phase::Build, because);
    }

    fn add(&mut self, name: &str, phase: Phase, because: String) {
        let names = match packages::package(name) {
            Some(known) => known.names.iter().map(|name| (*name).to_owned()).collect(),
            None => vec![name.to_owned()],
        };
        self.add_names(names, phase, because);
    }

    fn add_names(&mut self, names: Vec<String>, phase: Phase, because: String) {
        let known = |known: &&mut NeededPackage| known.names == names && known.phase == phase;
        match self.0.iter_mut().find(known) {
            Some(known) if known.because == because => {}
            Some(known) => {
                known.because.push_str("; ");
                known.because.push_str(&because);
            }
            None => {
                self.0.push(NeededPackage { names, phase, because, is_required: false });
            }
        }
    }
}
