//! The steps of apt-get.
//!
//! **Invariant:** what is downloaded stays in cache mounts; what a later build would change for no
//! reason (logs, caches) is not in the layer.

use std::fmt::Write as _;

use super::super::context::WITHOUT_APT;
use super::super::{quote, shell};
use super::quote::Dollar;
use super::{MOUNT, PYTHON, Writer};
use crate::runtime;
use crate::storage::{NeededPackage, Phase};

impl Writer<'_> {
    pub(super) fn system(&mut self) {
        self.block("environment and system packages");
        self.line(&format!("FROM {} AS {}", self.base, self.stage("system")));
        self.root();
        let env = &self.storage.env;
        if env.iter().any(|(_, value)| quote::needs_newline(value)) {
            self.line(&format!("ARG {}", quote::NEWLINE_ARG));
        }
        for (name, value) in env {
            let value = quote::value(value, Dollar::Expands, self.escape);
            self.line(&format!("ENV {name}={value}"));
        }
        if self.storage.has_packages(Phase::Run) {
            self.apt(Phase::Run);
        }
    }

    /// Installs what the spec names and what is needed besides in a phase.
    pub(super) fn apt(&mut self, phase: Phase) {
        let mut words: Vec<String> =
            self.storage.named_in(phase).iter().map(|name| shell::quote(name)).collect();
        let is_inferred_alone = words.is_empty();
        words.sort();
        words.dedup();
        let (needed, programs) = self.needed(phase);
        words.extend(needed);
        let escape = self.escape;
        let separator = format!(" {escape}\n      ");
        let words = words.join(&separator);
        let keep = if self.own { "from=flowstorage," } else { "" };
        // One by one: a step must not run anew because of what another one mounts.
        let mut mounts = vec![
            "type=cache,target=/var/cache/apt,sharing=locked".to_owned(),
            "type=cache,target=/var/lib/apt/lists,sharing=locked".to_owned(),
            format!(
                "type=bind,{keep}source=system/keep-packages.conf,\
                 target=/etc/apt/apt.conf.d/docker-clean"
            ),
        ];
        mounts.extend(programs.iter().map(|program| self.bind(&format!("system/{program}"))));
        let mut commands = vec![
            "apt-get update --quiet".to_owned(),
            format!(
                "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
                 --no-install-recommends{separator}{words}"
            ),
            "rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
             /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old"
                .to_owned(),
        ];
        if is_inferred_alone && self.storage.without_apt.is_some() {
            // Nobody asked for apt: a base without it is told what it should have.
            mounts.push(self.bind(&format!("system/{WITHOUT_APT}")));
            let first = &mut commands[0];
            *first = format!("if command -v apt-get >/dev/null; then {escape}\n    {first}");
            if let Some(last) = commands.last_mut() {
                let _ = write!(last, "; {escape}\n    else cat {MOUNT}/system/{WITHOUT_APT}; fi");
            }
        }
        self.run(&mounts, &commands);
    }

    /// The needed packages of a phase, as words of a shell that the base's release decides, and the
    /// files that these run.
    fn needed(&self, phase: Phase) -> (Vec<String>, Vec<&'static str>) {
        let (headers, others): (Vec<&NeededPackage>, Vec<_>) =
            self.storage.needed_in(phase).partition(|package| package.is_python_headers());
        let mut names: Vec<String> =
            others.iter().map(|package| shell::quote(&package.names.join("|"))).collect();
        names.sort();
        names.dedup();
        let mut words = Vec::new();
        let mut programs = Vec::new();
        if !names.is_empty() {
            let (program, _) = runtime::AVAILABLE;
            let separator = format!(" {}\n        ", self.escape);
            let names = names.join(&separator);
            programs.push(program);
            words.push(format!("$(sh {MOUNT}/system/{program}{separator}{names})"));
        }
        if !headers.is_empty() {
            let (program, _) = runtime::HEADERS;
            programs.push(program);
            words.push(format!("$({PYTHON} {MOUNT}/system/{program})"));
        }
        (words, programs)
    }
}
