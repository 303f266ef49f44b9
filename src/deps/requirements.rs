//! requirements.txt files and single requirements, and the lines that locks make of themselves.
//!
//! The format is pip's: <https://pip.pypa.io/en/stable/reference/requirements-file-format/>.
//!
//! **Invariant:** every accepted line is one that `uv pip install` takes from a file, is a single
//! line, and carries no password.

use std::path::Path;
use std::str::FromStr;

use pep440_rs::Operator;
use pep508_rs::{MarkerTree, Pep508Error, Requirement as Pep508, VerbatimUrl, VersionOrUrl};

use super::lines::{Purpose, beside, include, logical_lines};
use super::local::{self, Local};
use super::{lock, tables};
use crate::access::{self, Indexes, userinfo};
use crate::problem::{Place, Problem};

/// One line for the installer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The line as it goes into the image's requirements file.
    pub line: String,
    /// The distribution that it asks for, none for an option or a bare URL.
    pub distribution: Option<Distribution>,
    /// The file or folder that it is.
    pub local: Option<Local>,
    /// Whether `-e` was written, which an image has no use for.
    pub is_editable: bool,
    /// Where it was declared.
    pub place: Place,
    /// Whether it is from a lock, which names all that it needs too.
    pub locked: bool,
}

impl Requirement {
    /// Whether its line says which files it may be.
    pub fn is_hashed(&self) -> bool {
        self.line.contains(HASH)
    }

    /// Whether it is the index that a lock names.
    pub fn is_locked_index(&self) -> bool {
        self.locked && self.line.starts_with("--")
    }

    /// The line without hashes, as people write it.
    pub fn without_hashes(&self) -> &str {
        self.line.split_once(HASH).map_or(self.line.as_str(), |(line, _)| line.trim_end())
    }

    /// Whether git fetches it, and whether by ssh.
    pub fn git(&self) -> Option<bool> {
        let at = self.line.find("git+").filter(|_| self.local.is_none())?;
        let is_url = at == 0 || self.line[..at].trim_end().ends_with('@');
        is_url.then(|| self.line[at..].starts_with("git+ssh:"))
    }
}

/// Hashes are pip's own, not part of PEP 508.
const HASH: &str = " --hash";

/// What a line of requirements is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Item {
    /// Something to install, or an option for it.
    Requirement(Requirement),
    /// `--index-url`.
    Index(String),
    /// `--extra-index-url`.
    ExtraIndex(String),
}

/// A distribution that a requirement names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// The name, normalised by PEP 503.
    pub name: String,
    /// Whether an environment marker may leave it out.
    pub conditional: bool,
    /// The version, where it must be just that one.
    pub version: Option<String>,
    /// File names of its wheels, where a lock lists them.
    pub wheels: Vec<String>,
    /// Whether the lock lists a source distribution. With no wheels either, its files are not known.
    pub has_sdist: bool,
    /// Whether the user asked for it, not only something that the user asked for.
    pub direct: bool,
}

/// pip takes several names after one `--no-binary`, uv one each.
fn split_names(line: &str) -> Vec<String> {
    let option = line.split(['=', ' ']).next().unwrap_or(line);
    let names = line[option.len()..].trim_start_matches(['=', ' ']);
    if matches!(option, "--no-binary" | "--only-binary") && names.contains(',') {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| format!("{option} {name}")).collect()
    } else {
        vec![line.to_owned()]
    }
}

/// Requirements and constraints of one storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What to install.
    pub wanted: Vec<Requirement>,
    /// What to keep to if it is installed (`-c`).
    pub constraints: Vec<Requirement>,
    /// The indexes that are named among them.
    pub indexes: Indexes,
}

impl Requirements {
    /// The lines of the file that installs what is wanted. `folder` is where local packages are
    /// then.
    pub fn wanted_lines(&self, folder: &str) -> impl Iterator<Item = String> {
        self.wanted.iter().flat_map(move |requirement| match &requirement.local {
            Some(local) => vec![local.line(folder)],
            None => split_names(&requirement.line),
        })
    }

    /// Takes in one line. As with pip, the last `--index-url` counts.
    pub fn take(&mut self, item: Item) {
        match item {
            Item::Requirement(requirement) => self.wanted.push(requirement),
            Item::Index(url) => self.indexes.default = Some(url),
            Item::ExtraIndex(url) => self.indexes.extra.push(url),
        }
    }

    /// Whether there is nothing to install.
    pub fn is_empty(&self) -> bool {
        self.installed().next().is_none()
    }

    /// Whether every file that may be installed is named by a hash.
    pub fn hashed(&self) -> bool {
        !self.is_empty() && self.installed().all(Requirement::is_hashed)
    }

    /// Whether all that is wanted is from locks, so that nothing else is to be looked for.
    pub fn locked(&self) -> bool {
        !self.is_empty() && self.installed().all(|requirement| requirement.locked)
    }

    /// Whether a lock names indexes.
    pub fn locked_indexes(&self) -> bool {
        self.wanted.iter().any(Requirement::is_locked_index)
    }

    /// What is wanted, without the options.
    fn installed(&self) -> impl Iterator<Item = &Requirement> {
        self.wanted.iter().filter(|requirement| !requirement.line.starts_with('-'))
    }
}

/// Options that may stand on a line of their own and go to the installer as they are.
const OPTIONS: [&str; 4] = ["--no-index", "--no-binary", "--only-binary", "--pre"];

/// The local packages that a file of requirements names, as paths relative to the spec.
pub fn local_paths(text: &str, path: &str) -> Vec<String> {
    let only = |wanted: &str| (wanted == path).then_some(text);
    let mut into = Requirements::default();
    read_file(path, &only, &mut into, &mut Vec::new());
    into.wanted.into_iter().filter_map(|requirement| Some(requirement.local?.path)).collect()
}

/// The file that a lock is made from.
const PYPROJECT: &str = "pyproject.toml";

/// The files that a requirements file names with `-r` and `-c`, as paths beside it. A lock is read
/// together with its project.
pub fn included(text: &str, path: &str) -> Vec<String> {
    if lock::is_lock(path) {
        return vec![beside(path, PYPROJECT)];
    }
    if is_toml(path) || has_extension(path, "py") {
        return Vec::new();
    }
    let includes = logical_lines(text).into_iter();
    includes.filter_map(|(_, line)| Some(beside(path, include(&line)?.1))).collect()
}

fn is_toml(path: &str) -> bool {
    has_extension(path, "toml")
}

pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Reads a file of requirements. `text_of` gives the text of an included file.
pub fn read_file<'a>(
    path: &str,
    text_of: &dyn Fn(&str) -> Option<&'a str>,
    into: &mut Requirements,
    problems: &mut Vec<Problem>,
) {
    if lock::is_lock(path) {
        let Some(lock) = text_of(path) else { return };
        let beside = text_of(&beside(path, PYPROJECT));
        let texts = lock::Texts { lock, beside, own: text_of(PYPROJECT) };
        match lock::read(path, texts) {
            Ok(locked) => into.wanted.extend(lock::requirements(&locked, path, problems)),
            Err(found) => problems.extend(found),
        }
    } else if is_toml(path) {
        if let Some(text) = text_of(path) {
            into.wanted.extend(tables::pyproject(path, text, problems));
        }
    } else if has_extension(path, "py") {
        if let Some(text) = text_of(path) {
            into.wanted.extend(tables::script(path, text, problems));
        }
    } else {
        let mut reader = Reader { text_of, into, problems, seen: Vec::new() };
        reader.file(path, Purpose::Install);
    }
}

/// Reads one line of requirements, or says what is wrong with it.
pub fn read_one(text: &str, place: &Place, key: &str) -> Result<Item, Problem> {
    let problem = |message: String, remedy: &str| Problem {
        key: Some(key.to_owned()),
        place: Some(place.clone()),
        message,
        remedy: remedy.to_owned(),
    };
    let text = text.trim();
    if text.is_empty() || text.contains(['\n', '\r']) {
        return Err(problem("a requirement is not one line".to_owned(), "write one per item"));
    }
    let made = |line: &str, distribution| Requirement {
        line: line.to_owned(),
        distribution,
        local: None,
        is_editable: false,
        place: place.clone(),
        locked: false,
    };
    // Paths in the list of a spec are relative to the spec, those in a file to the file.
    let beside = |path: &str| {
        if key == "python_dependencies" { path.to_owned() } else { beside(&place.file, path) }
    };
    if let Some(local) = local::read(text, &beside) {
        let (line, is_editable) = local::editable(text);
        let distribution = local.name.clone().map(|name| Distribution {
            name,
            conditional: text.contains(';'),
            direct: true,
            ..Distribution::default()
        });
        let local = Some(local);
        return Ok(Item::Requirement(Requirement {
            local,
            is_editable,
            ..made(line, distribution)
        }));
    }
    let (text, is_editable) = match local::editable(text) {
        (rest, true) if rest.starts_with("git+") => (rest, true),
        _ => (text, false),
    };
    if text.starts_with('-') {
        let option = text.split(['=', ' ']).next().unwrap_or(text);
        let value = text[option.len()..].trim_start_matches(['=', ' ']).trim();
        let index =
            || access::index_url(value).map_err(|(message, remedy)| problem(message, &remedy));
        return match option {
            "--index-url" | "-i" => Ok(Item::Index(index()?)),
            "--extra-index-url" => Ok(Item::ExtraIndex(index()?)),
            _ if OPTIONS.contains(&option) => Ok(Item::Requirement(made(text, None))),
            _ => Err(problem(
                format!("the option `{option}` cannot be used here"),
                "write a requirement such as \"pandas>=2\" or \"./libs/mylib\"",
            )),
        };
    }
    if has_password(text) {
        return Err(problem(
            format!("the URL in `{}` holds a password", without_password(text)),
            if text.contains("git+") {
                "write ${NAME} there, with the name of a variable that you set where you build"
            } else {
                "leave it out; the URL of an index in `extra_index_urls` may have one"
            },
        ));
    }
    let bare = text.split([' ', ';']).next().unwrap_or(text);
    let is_url = ["git+", "https://", "http://"].iter().any(|scheme| bare.starts_with(scheme));
    if is_url {
        let egg = bare.split_once("#egg=").map(|(_, egg)| egg.split(['&', '[']).next());
        let distribution = egg.flatten().map(|name| Distribution {
            name: normalise(name),
            conditional: text.contains(';'),
            direct: true,
            ..Distribution::default()
        });
        return Ok(Item::Requirement(Requirement { is_editable, ..made(text, distribution) }));
    }
    let (requirement, _) = text.split_once(HASH).unwrap_or((text, ""));
    match pep508(requirement) {
        Ok(parsed) => {
            let distribution = Distribution {
                name: parsed.name.to_string(),
                conditional: parsed.marker != MarkerTree::TRUE,
                version: pinned(&parsed),
                direct: true,
                ..Distribution::default()
            };
            Ok(Item::Requirement(made(text, Some(distribution))))
        }
        Err(error) => {
            let reason = error.message.to_string();
            let reason = reason.lines().next().unwrap_or_default();
            Err(problem(
                format!("`{text}` is not a requirement: {}", lower_first(reason)),
                "write it as pip takes it, for example \"pandas>=2,<3\"",
            ))
        }
    }
}

/// The only version that a requirement allows.
fn pinned(requirement: &Pep508<VerbatimUrl>) -> Option<String> {
    let Some(VersionOrUrl::VersionSpecifier(limits)) = &requirement.version_or_url else {
        return None;
    };
    let mut limits = limits.iter();
    let (only, None) = (limits.next()?, limits.next()) else { return None };
    (*only.operator() == Operator::Equal).then(|| only.version().to_string())
}

/// Reads a requirement of PEP 508. The parser would put in the variables of this machine that a URL
/// names, which is for uv to do where it runs.
pub(super) fn pep508(text: &str) -> Result<Pep508<VerbatimUrl>, Pep508Error<VerbatimUrl>> {
    Pep508::from_str(&text.trim().replace("${", ""))
}

/// The normalised name of a distribution, by PEP 503.
pub fn normalise(name: &str) -> String {
    let mut result = String::new();
    for c in name.trim().chars() {
        if matches!(c, '-' | '_' | '.') {
            if !result.ends_with('-') {
                result.push('-');
            }
        } else {
            result.extend(c.to_lowercase());
        }
    }
    result
}

struct Reader<'a, 'b> {
    text_of: &'b dyn Fn(&str) -> Option<&'a str>,
    into: &'b mut Requirements,
    problems: &'b mut Vec<Problem>,
    seen: Vec<String>,
}

impl Reader<'_, '_> {
    fn file(&mut self, path: &str, purpose: Purpose) {
        if self.seen.iter().any(|seen| seen == path) {
            return;
        }
        self.seen.push(path.to_owned());
        let Some(text) = (self.text_of)(path) else { return };
        for (line, text) in logical_lines(text) {
            let place = Place { file: path.to_owned(), line };
            if let Some((purpose_of_included, target)) = include(&text) {
                let target = beside(path, target);
                if (self.text_of)(&target).is_none() {
                    self.problems.push(Problem {
                        key: Some("requirements".to_owned()),
                        place: Some(place),
                        message: format!("`{target}` cannot be read"),
                        remedy: "create it, or remove this line".to_owned(),
                    });
                }
                let nested =
                    if purpose == Purpose::Constrain { purpose } else { purpose_of_included };
                self.file(&target, nested);
                continue;
            }
            match read_one(&text, &place, "requirements") {
                Ok(Item::Requirement(requirement)) if purpose == Purpose::Constrain => {
                    if requirement.local.is_some() {
                        self.problems.push(Problem {
                            key: Some("requirements".to_owned()),
                            place: Some(requirement.place),
                            message: format!("the constraint `{}` is a path", requirement.line),
                            remedy: "constrain its version, as \"name==1.0\"".to_owned(),
                        });
                    } else {
                        self.into.constraints.push(requirement);
                    }
                }
                Ok(item) => self.into.take(item),
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

/// `git+ssh://git@host` names a user, which is no secret; nor is the name of a variable, which uv
/// takes from its environment and git from uv.
fn has_password(text: &str) -> bool {
    let Some((start, end)) = userinfo(text) else { return false };
    let before = &text[..start];
    if before.ends_with("ssh://") {
        return text[start..end].contains(':');
    }
    !before.contains("git+")
        || access::check_credentials(&text[before.find("git+").unwrap_or(0)..]).is_err()
}

fn without_password(text: &str) -> String {
    match userinfo(text) {
        Some((start, end)) => format!("{}…{}", &text[..start], &text[end..]),
        None => text.to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let text_of =
            |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
        let mut into = Requirements::default();
        let mut problems = Vec::new();
        read_file(files[0].0, &text_of, &mut into, &mut problems);
        let lines = |list: &[Requirement]| {
            list.iter().map(|r| format!("{}:{} {}", r.place.file, r.place.line, r.line)).collect()
        };
        let problems = problems.iter().map(ToString::to_string).collect();
        (lines(&into.wanted), lines(&into.constraints), problems)
    }

    #[test]
    fn files_are_read_as_pip_reads_them() {
        let (wanted, constraints, problems) = read(&[
            (
                "d/a.txt",
                "# head\npandas >= 2 ; python_version > '3.8' # why\n\
                 x[extra]==1 \\\n  --hash=sha256:00\n-r b.txt\n--constraint=c.txt\n\
                 git+https://example.org/x.git@v1#egg=X_y\n",
            ),
            ("d/b.txt", "y\n-r a.txt\n"),
            ("d/c.txt", "z<2\n"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            wanted,
            [
                "d/a.txt:2 pandas >= 2 ; python_version > '3.8'",
                "d/a.txt:3 x[extra]==1   --hash=sha256:00",
                "d/b.txt:1 y",
                "d/a.txt:7 git+https://example.org/x.git@v1#egg=X_y",
            ]
        );
        assert_eq!(constraints, ["d/c.txt:1 z<2"]);
    }

    #[test]
    fn what_cannot_be_installed_is_said_with_its_line() {
        let (_, _, problems) = read(&[(
            "r.txt",
            "--pre-x\n-i https://u:secret@h/\nfoo=1\nhttps://u:secret@example.org/x.whl\n\
             -r none.txt\ngit+https://u:secret@example.org/x.git\n\
             https://${TOKEN}@example.org/x.whl\n",
        )]);
        assert_eq!(problems.len(), 7, "{problems:#?}");
        for (at, problem) in problems.iter().enumerate() {
            assert!(problem.starts_with(&format!("r.txt:{}: ", at + 1)), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn indexes_are_taken_out() {
        let text = "--index-url=https://one.example.org/\n--extra-index-url \
                    https://${TOKEN}@two.example.org/\na\n-i https://three.example.org/\n";
        let mut into = Requirements::default();
        let mut problems = Vec::new();
        read_file("r.txt", &|_| Some(text), &mut into, &mut problems);
        assert_eq!(problems, []);
        assert_eq!(into.wanted_lines("/l").collect::<Vec<_>>(), ["a"]);
        let indexes = Indexes {
            default: Some("https://three.example.org/".to_owned()),
            extra: vec!["https://${TOKEN}@two.example.org/".to_owned()],
        };
        assert_eq!(into.indexes, indexes);
    }

    #[test]
    fn what_git_fetches() {
        let place = Place { file: "s".into(), line: 1 };
        for (text, git) in [
            ("git+https://example.org/x.git", Some(false)),
            ("-e git+ssh://git@example.org/x.git#egg=x", Some(true)),
            ("x @ git+https://${TOKEN}@example.org/x.git@v1", Some(false)),
            // A variable that is set here, to what no URL may hold.
            ("x @ git+https://me:${PATH}@example.org/x.git", Some(false)),
            ("git-plus>1", None),
            ("./git+ssh:x", None),
        ] {
            let Ok(Item::Requirement(read)) = read_one(text, &place, "k") else { panic!("{text}") };
            assert_eq!(read.git(), git, "{text}");
            assert_eq!(read.is_editable, text.starts_with("-e"), "{text}");
        }
    }

    #[test]
    fn a_pyproject_gives_its_dependencies() {
        let (wanted, _, problems) = read(&[(
            "pyproject.toml",
            "[project]\nname = 'x'\ndependencies = [\n  'a>1',\n  'b; sys_platform == \"win32\"',\n]\n",
        )]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            wanted,
            ["pyproject.toml:4 a>1", "pyproject.toml:5 b; sys_platform == \"win32\""]
        );
    }

    #[test]
    fn several_names_after_one_option_are_split() {
        assert_eq!(split_names("--no-binary=a,b"), ["--no-binary a", "--no-binary b"]);
        assert_eq!(split_names("--no-binary :all:"), ["--no-binary :all:"]);
        assert_eq!(split_names("a[b,c]>1,<2"), ["a[b,c]>1,<2"]);
    }

    #[test]
    fn hashes_and_pins_are_known() {
        let all = |text: &'static str| {
            let mut into = Requirements::default();
            read_file("r.txt", &|_| Some(text), &mut into, &mut Vec::new());
            into
        };
        let hashed = "--no-binary x\na==1 ; os_name == 'nt' --hash=sha256:00\nb @ \
                      https://example.org/b.whl \\\n  --hash=sha256:11\n";
        assert_eq!((all(hashed).hashed(), all(hashed).locked()), (true, false));
        assert_eq!(all(hashed).wanted[1].without_hashes(), "a==1 ; os_name == 'nt'");
        assert!(!all("a==1 --hash=sha256:00\nb==2\n").hashed());
        assert!(!all("--pre\n").hashed());
        let read = all("a==1.0 --hash=sha256:00\nb>=1\nc==1.*\nd>1,==2\ne\n");
        let versions: Vec<Option<&str>> = read
            .wanted
            .iter()
            .map(|requirement| requirement.distribution.as_ref()?.version.as_deref())
            .collect();
        assert_eq!(versions, [Some("1.0"), None, None, None, None]);
    }

    #[test]
    fn names_are_normalised() {
        let place = Place { file: "s".into(), line: 1 };
        for (text, name, conditional) in [
            ("Foo_Bar.baz>1", "foo-bar-baz", false),
            ("psycopg2 @ https://example.org/p.whl", "psycopg2", false),
            ("a; python_version < '3'", "a", true),
        ] {
            let Ok(Item::Requirement(read)) = read_one(text, &place, "k") else { panic!("{text}") };
            let name = name.to_owned();
            let wanted =
                Distribution { name, conditional, direct: true, ..Distribution::default() };
            assert_eq!(read.distribution, Some(wanted), "{text}");
        }
    }
}
