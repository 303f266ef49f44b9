//! The steps of apt-get.
//!
//! **Invariant:** what is downloaded stays in cache mounts; what a later build would change for no
//! reason (logs, caches) is not in the layer.

use super::super::{quote, shell};
use super::Writer;
use super::quote::Dollar;

/// Removes what apt-get and dpkg leave behind.
const CLEAN: &str = "rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
                     /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old";

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
        if !self.storage.system_packages.is_empty() {
            let packages = self.storage.system_packages.clone();
            self.apt(&packages);
        }
    }

    pub(super) fn apt(&mut self, packages: &[String]) {
        let mut sorted: Vec<String> = packages.iter().map(|name| shell::quote(name)).collect();
        sorted.sort();
        sorted.dedup();
        let escape = self.escape;
        let separator = format!(" {escape}\n      ");
        let names = sorted.join(&separator);
        self.run(
            &self.apt_mounts(),
            &[
                "apt-get update --quiet".to_owned(),
                format!(
                    "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
                     --no-install-recommends{separator}{names}"
                ),
                CLEAN.to_owned(),
            ],
        );
    }

    /// Installs what a file of another stage lists, which may be nothing, and shows another file.
    pub(super) fn apt_listed(&mut self, stage: &str, packages: &str, findings: &str) {
        let mut mounts = self.apt_mounts();
        // Only the two: what else is there changes more often.
        for file in [packages, findings] {
            mounts.push(format!("type=bind,from={stage},source={file},target={file}"));
        }
        let escape = self.escape;
        self.run(
            &mounts,
            &[
                format!("if test -s {packages}; then {escape}\n    cat {findings}"),
                "apt-get update --quiet".to_owned(),
                format!(
                    "DEBIAN_FRONTEND=noninteractive xargs --arg-file={packages} {escape}\n      \
                     apt-get install --yes --quiet --no-install-recommends"
                ),
                format!("{CLEAN}; {escape}\n    fi"),
            ],
        );
    }

    /// The mounts of every step that runs apt-get.
    fn apt_mounts(&self) -> Vec<String> {
        let keep = if self.own { "from=flowstorage," } else { "" };
        vec![
            "type=cache,target=/var/cache/apt,sharing=locked".to_owned(),
            "type=cache,target=/var/lib/apt/lists,sharing=locked".to_owned(),
            format!(
                "type=bind,{keep}source=system/keep-packages.conf,\
                 target=/etc/apt/apt.conf.d/docker-clean"
            ),
        ]
    }
}
