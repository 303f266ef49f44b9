//! The Dockerfile of a storage.
//!
//! What changes often comes last: base, system packages, Python packages, files, flows. A stage of
//! its own checks the image, and only through its files can the last stage be built.
//!
//! **Invariant:** every value passes through [`super::quote`] or [`super::shell`]; only
//! `extra_dockerfile_commands` and the user's own Dockerfile are instructions of the user's.

mod access;
mod apt;
mod python;

pub(super) use apt::key_name;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::context::{MOUNT, OUTPUT, REGISTRATION_FOLDER, is_beside_users, name_in_context};
use super::quote::{self, Dollar};
use super::{REGISTRATION, installs, labels, registers, shell};
use crate::runtime::MODULES_PATH;
use crate::storage::{Base, Check, Storage, Tree};

/// The interpreter: Debian's own has no shorter name.
const PYTHON: &str = "python3";

/// Writes the Dockerfile.
pub(super) fn dockerfile(storage: &Storage) -> String {
    // Without its folder: the same spec gives the same bytes wherever it is.
    let spec_name = quote::comment(storage.spec.rsplit('/').next().unwrap_or_default());
    let (escape, base, user, mut text) = match &storage.base {
        Base::Image(image) => {
            // A variable that the base does not set is empty, as users of `$PATH:…` expect.
            let refers = storage.env.iter().any(|(_, value)| value.contains('$'));
            let directive = if refers { "# check=skip=UndefinedVar\n" } else { "" };
            let mut text = format!(
                "{directive}# Made by docker flowstorage from {}, storage {}.\n\n\
                 # --- base ---\n",
                spec_name, storage.name
            );
            let _ = writeln!(text, "FROM {image} AS base");
            ('\\', "base".to_owned(), storage.user.clone(), text)
        }
        Base::Dockerfile(file) => {
            let parsed = &file.parsed;
            let text = format!(
                "{}\n# Up to here {}; the rest was made by docker flowstorage from {}, storage {}.\n",
                parsed.text,
                quote::comment(&file.path),
                spec_name,
                storage.name
            );
            let user = storage.user.clone().or_else(|| parsed.user.clone());
            (parsed.escape, parsed.last_stage.clone(), user, text)
        }
    };
    let mut writer =
        Writer { storage, escape, base, user, text: String::new(), own: is_beside_users(storage) };
    writer.trust();
    writer.uv();
    writer.downloads();
    writer.repositories();
    writer.system();
    writer.build();
    writer.app();
    writer.check();
    writer.registration();
    writer.image();
    text.push_str(&writer.text);
    text
}

/// A stage's name: prefixed where it could be one of the user's.
pub(super) fn stage(storage: &Storage, name: &str) -> String {
    if is_beside_users(storage) { format!("flowstorage-{name}") } else { name.to_owned() }
}

struct Writer<'a> {
    storage: &'a Storage,
    escape: char,
    /// The stage that ours begin from.
    base: String,
    /// Who runs the image, where it is known and someone else must install.
    user: Option<String>,
    text: String,
    /// Whether our files come in a context of their own, beside the user's.
    own: bool,
}

impl Writer<'_> {
    fn stage(&self, name: &str) -> String {
        stage(self.storage, name)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn block(&mut self, title: &str) {
        self.line(&format!("\n# --- {title} ---"));
    }

    fn root(&mut self) {
        if self.user.is_some() {
            self.line("USER root");
        }
    }

    /// RUN with mounts and commands that must all succeed.
    fn run(&mut self, mounts: &[String], commands: &[String]) {
        let escape = self.escape;
        let mut text = String::from("RUN ");
        for mount in mounts {
            let _ = write!(text, "--mount={mount} {escape}\n    ");
        }
        text.push_str(&commands.join(&format!(" {escape}\n && ")));
        self.line(&text);
    }

    /// A folder or file of our context, seen while a step runs.
    fn bind(&self, folder: &str) -> String {
        let from = if self.own { "from=flowstorage," } else { "" };
        format!("type=bind,{from}source={folder},target={MOUNT}/{folder}")
    }

    /// uv leaves its lock in /tmp.
    fn tmp() -> String {
        "type=tmpfs,target=/tmp".to_owned()
    }

    fn bind_uv(&self) -> String {
        format!("type=bind,from={},source=/uv,target=/uv", self.stage("uv"))
    }

    fn app(&mut self) {
        let storage = self.storage;
        self.block("Python packages and files");
        self.line(&format!("FROM {} AS {}", self.stage("system"), self.stage("app")));
        self.python_packages();
        for packages in &storage.added.run {
            self.apt_also(packages);
        }
        self.files();
        self.modules();
        for command in &storage.commands {
            self.line(command.trim_end());
        }
        if let Some(user) = self.user.clone() {
            self.line(&format!("USER {user}"));
        }
    }

    fn files(&mut self) {
        for (at, entry) in self.storage.files.iter().enumerate() {
            let name = name_in_context(entry);
            let mut source = format!("files/{at}/{name}");
            let mut dest = entry.dest.clone();
            if name != entry.basename && matches!(entry.tree, Tree::File(_)) && dest.ends_with('/')
            {
                dest.push_str(&entry.basename);
            }
            if matches!(entry.tree, Tree::Folder(_)) {
                source.push('/');
                // A folder's content goes into the destination, which need not exist.
                if !dest.ends_with('/') {
                    dest.push('/');
                }
            }
            self.copy(source, &dest);
        }
    }

    /// COPY of something in our context.
    fn copy(&mut self, source: String, dest: &str) {
        let from = if self.own { "--from=flowstorage " } else { "" };
        let words = quote::copy(&[source], dest, self.escape);
        self.line(&format!("COPY {from}{words}"));
    }

    /// The folder of modules is made known to Python first, in a layer that stays cached.
    fn modules(&mut self) {
        let modules = &self.storage.modules;
        if modules.files.is_empty() {
            return;
        }
        let folder = modules.folder.trim_end_matches('/');
        let program = MODULES_PATH.0;
        let command = format!("{PYTHON} {MOUNT}/path/{program} {}", shell::quote(folder));
        self.run(&[self.bind("path")], &[command]);
        self.copy("modules/".to_owned(), &format!("{folder}/"));
    }

    fn check(&mut self) {
        self.block("flows, serialised and checked where they will run; leaves only their files");
        self.line(&format!("FROM {} AS {}", self.stage("app"), self.stage("check")));
        if let Check::On { .. } = &self.storage.check {
            let mut mounts = vec![self.bind("programs"), self.bind("check")];
            if installs(self.storage) {
                mounts.push(self.bind_uv());
            }
            let program =
                format!("{PYTHON} {MOUNT}/programs/check_environment.py {MOUNT}/check/check.json");
            self.run(&mounts, &[program]);
        }
        let program = format!("{PYTHON} {MOUNT}/programs/flows.py {MOUNT}/flows/flows.json");
        let mut mounts = vec![self.bind("programs"), self.bind("flows")];
        let secrets = super::secret_variables(self.storage);
        mounts.extend(secrets.map(|(id, _)| format!("type=secret,id={id}")));
        self.run(&mounts, &[program]);
    }

    fn registration(&mut self) {
        if !registers(self.storage) {
            return;
        }
        self.block("what `prefect register` reads; not in the image");
        self.line(&format!("FROM scratch AS {}", self.stage(REGISTRATION)));
        let source = format!("{REGISTRATION_FOLDER}/");
        let words = quote::copy(&[source], "/", self.escape);
        self.line(&format!("COPY --from={} {words}", self.stage("check")));
    }

    fn image(&mut self) {
        self.block("the image");
        self.line(&format!("FROM {} AS {}", self.stage("app"), self.stage("image")));
        // By folder: one layer for all flows, and no folder that exists is touched.
        let mut folders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for flow in &self.storage.flows {
            let folder = flow.location.rfind('/').map_or("/", |at| &flow.location[..=at]);
            let produced = format!("{OUTPUT}{}", flow.location);
            let sources = folders.entry(folder).or_default();
            if !sources.contains(&produced) {
                sources.push(produced);
            }
        }
        for (folder, sources) in folders {
            let words = quote::copy(&sources, folder, self.escape);
            self.line(&format!("COPY --from={} --chown=0:0 {words}", self.stage("check")));
        }
        if let Some(folder) = &self.storage.workdir {
            let folder = quote::value(folder, Dollar::Literal, self.escape);
            self.line(&format!("WORKDIR {folder}"));
        }
        let labels = labels(self.storage);
        if labels.iter().any(|(_, value)| quote::needs_newline(value)) {
            self.line(&format!("ARG {}", quote::NEWLINE_ARG));
        }
        for (name, value) in labels {
            let value = quote::value(&value, Dollar::Literal, self.escape);
            self.line(&format!("LABEL {name}={value}"));
        }
    }
}
