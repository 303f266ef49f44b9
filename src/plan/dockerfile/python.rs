//! The steps that install Python packages.
//!
//! **Invariant:** compilers and headers are in the stage `build` alone; the image gets wheels.

use std::fmt::Write as _;

use super::super::{compiles, installs, shell, short_digest};
use super::{MOUNT, PYTHON, Writer};
use crate::storage::{Base, Phase, Storage};

/// The release of uv that installs Python packages.
const UV: &str = "uv==0.13.9";
/// Where its wheel is kept between builds.
const UV_WHEELS: &str = "/var/cache/flowstorage/uv";

impl Writer<'_> {
    /// What uv built fits one base and one set of -dev packages: with fewer, another build must not
    /// find what it could not have built.
    pub(super) fn uv_cache(&self) -> String {
        let key = short_digest(&[
            match &self.storage.base {
                Base::Image(image) => image.as_str(),
                Base::Dockerfile(file) => file.parsed.text.as_str(),
            },
            &packages_of(self.storage, Phase::Run),
            &packages_of(self.storage, Phase::Build),
        ]);
        let added = self.storage.added.build.concat();
        let key = if added.is_empty() { key } else { short_digest(&[&key, &added.join(" ")]) };
        format!("type=cache,id=flowstorage-uv-{key},target=/var/cache/uv")
    }

    pub(super) fn uv(&mut self) {
        if !installs(self.storage) {
            return;
        }
        self.block("uv, which installs Python packages; not in the image");
        self.line(&format!("FROM {} AS {}", self.base, self.stage("uv")));
        self.root();
        // Not every index lets pip cache what it sends: the wheel is kept by ourselves. As
        // variables, what an old pip does not know does not stop it.
        let fetching = self.fetching();
        let mut mounts = vec![format!("type=cache,target={UV_WHEELS},sharing=locked")];
        mounts.extend(self.fetch_mounts());
        self.run(
            &mounts,
            &[
                format!("cd {UV_WHEELS}"),
                "export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore".to_owned(),
                format!(
                    "install_uv() {{ {PYTHON} -m pip install --quiet --no-index --find-links . \
                     --target /uv {UV}; }}"
                ),
                format!(
                    "{{ install_uv 2>/dev/null || \
                     {{ {fetching}{PYTHON} -m pip download --quiet --no-deps {UV} && install_uv; }}; }}"
                ),
                format!(
                    "{{ /uv/bin/uv pip check --no-cache --python \"$(command -v {PYTHON})\" \
                     >/uv/base-conflicts.txt 2>&1 || true; }}"
                ),
            ],
        );
    }

    /// `uv pip install` of everything that the storage asks for.
    pub(super) fn install(&self) -> Vec<String> {
        let mut commands = Vec::new();
        let exact = self.exact(true);
        let mut arguments = format!("{exact}--requirements {MOUNT}/python/requirements.txt");
        if !self.storage.requirements.constraints.is_empty() {
            let _ = write!(arguments, " --constraints {MOUNT}/python/constraints.txt");
        }
        if let Some(engine) = &self.storage.engine {
            let module = engine.module;
            commands.push(format!(
                "{{ {PYTHON} -c 'import {module}' 2>/dev/null || \
                 set -- --requirements {MOUNT}/python/{module}.txt; }}"
            ));
            arguments.push_str(r#" "$@""#);
        }
        commands.push(self.uv_pip("install", &arguments));
        commands
    }

    /// Options that keep uv to what locks and hashes say. The workflow engine has neither, so where
    /// it may have to be added, each hash that there is still holds, but none is asked for.
    fn exact(&self, resolves: bool) -> String {
        let requirements = &self.storage.requirements;
        let mut options = String::new();
        if self.storage.engine.is_some() {
            return options;
        }
        if resolves && requirements.locked() {
            options.push_str("--no-deps ");
        }
        if requirements.hashed() {
            options.push_str("--require-hashes ");
            if requirements.locked_indexes() {
                // Any index may have the file that a hash names, and only that file is taken.
                options.push_str("--index-strategy unsafe-best-match ");
            }
        }
        options
    }

    pub(super) fn uv_pip(&self, command: &str, arguments: &str) -> String {
        let options = match command {
            "install" => " --break-system-packages --compile-bytecode",
            _ => "",
        };
        let fetching = if command == "install" { self.fetching() } else { String::new() };
        let escape = self.escape;
        format!(
            "UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy \
             {fetching}/uv/bin/uv pip {command} {escape}\n      \
             --python \"$(command -v {PYTHON})\"{options} {escape}\n      {arguments}"
        )
    }

    pub(super) fn build(&mut self) {
        if !compiles(self.storage) {
            return;
        }
        self.block("what must be compiled, kept as wheels; not in the image");
        self.line(&format!("FROM {} AS {}", self.stage("system"), self.stage("build")));
        let storage = self.storage;
        if storage.has_packages(Phase::Build) {
            self.apt(Phase::Build);
        }
        for packages in &storage.added.build {
            self.apt_also(packages);
        }
        let mut commands = vec![self.uv_pip("freeze", ">/tmp/before.txt")];
        commands.extend(self.install());
        commands.push(self.uv_pip("freeze", ">/tmp/after.txt"));
        let escape = self.escape;
        let mut keep = format!(
            "{PYTHON} {MOUNT}/python/wheels.py /var/cache/uv /tmp/before.txt /tmp/after.txt \
             {escape}\n      {MOUNT}/python/requirements.txt /wheels"
        );
        let mut python = self.bind("python");
        if self.storage.local.iter().any(|local| local.is_built) {
            // Builds write beside their sources; nothing of it is kept.
            python.push_str(",rw");
        }
        let mut mounts = vec![self.uv_cache(), self.bind_uv(), python];
        mounts.extend(self.git_mounts());
        if self.storage.infer {
            // What the image has is told apart from what was added for compiling. A base without
            // Debian's packages has this folder, too.
            let from = self.stage("system");
            mounts.push(format!("type=bind,from={from},source=/var/lib,target={MOUNT}/system"));
            mounts.push(self.bind("programs/flowstorage_elf.py"));
            let _ = write!(keep, " {MOUNT}/system/dpkg/status");
            for package in &self.storage.excluded_packages {
                let _ = write!(keep, " {}", shell::quote(package));
            }
        }
        commands.push(keep);
        self.run(&mounts, &commands);
    }

    /// Installs them in the image.
    pub(super) fn python_packages(&mut self) {
        let storage = self.storage;
        if compiles(storage) {
            let wheels =
                format!("type=bind,from={},source=/wheels,target=/wheels", self.stage("build"));
            if storage.infer {
                let stage = self.stage("build");
                self.apt_listed(&stage, "/wheels/packages.txt", "/wheels/findings.txt");
            }
            let exact = self.exact(false);
            let arguments = format!(
                "--no-deps --no-build {exact}--find-links /wheels/*/ \
                 --requirements /wheels/requirements.txt"
            );
            let install = self.uv_pip("install", &arguments);
            let mut mounts = vec![self.uv_cache(), Self::tmp(), self.bind_uv(), wheels];
            mounts.extend(self.fetch_mounts());
            self.run(&mounts, &[install]);
        } else if installs(storage) {
            let commands = self.install();
            let mut mounts =
                vec![self.uv_cache(), Self::tmp(), self.bind_uv(), self.bind("python")];
            mounts.extend(self.git_mounts());
            self.run(&mounts, &commands);
        }
    }
}

/// The names of all packages of a phase.
fn packages_of(storage: &Storage, phase: Phase) -> String {
    let named = storage.named_in(phase).iter().cloned();
    let needed = storage.needed_in(phase).map(|package| package.names.join("|"));
    named.chain(needed).collect::<Vec<_>>().join(" ")
}
