//! The steps of apt-get.
//!
//! **Invariant:** what is downloaded stays in cache mounts; what a later build would change for no
//! reason (logs, caches) is not in the layer.

use super::super::{quote, shell};
use super::Writer;
use super::quote::Dollar;

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
        self.keep_trust();
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
        let keep = if self.own { "from=flowstorage," } else { "" };
        let (trust, options) = self.apt_trust();
        let mut mounts = vec![
            "type=cache,target=/var/cache/apt,sharing=locked".to_owned(),
            "type=cache,target=/var/lib/apt/lists,sharing=locked".to_owned(),
            format!(
                "type=bind,{keep}source=system/keep-packages.conf,\
                 target=/etc/apt/apt.conf.d/docker-clean"
            ),
        ];
        mounts.extend(trust);
        self.run(
            &mounts,
            &[
                format!("apt-get{options} update --quiet"),
                format!(
                    "DEBIAN_FRONTEND=noninteractive apt-get{options} install --yes --quiet \
                     --no-install-recommends{separator}{names}"
                ),
                "rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
                 /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old"
                    .to_owned(),
            ],
        );
    }
}
