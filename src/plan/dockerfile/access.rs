//! How the steps that fetch get what they fetch with.
//!
//! **Invariant:** everything is mounted for one step; of all of it only certificates that the spec
//! keeps are in a layer.

use super::super::access::{TRUST, is_wrapped};
use super::{MOUNT, PYTHON, Writer};
use crate::access::KNOWN_HOSTS;

/// Where Debian has its bundle.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

impl Writer<'_> {
    fn trusts(&self) -> bool {
        !self.storage.access.certificates.is_empty()
    }

    fn bind_trust(&self) -> String {
        format!("type=bind,from={},source=/trust,target={TRUST}", self.stage("trust"))
    }

    /// The certificates of the base and those of the spec in one file.
    pub(super) fn trust(&mut self) {
        if !self.trusts() {
            return;
        }
        self.block("the certificates that the build trusts; not in the image");
        self.line(&format!("FROM {} AS {}", self.base, self.stage("trust")));
        self.root();
        let bundle = format!(
            "{{ cat \"${{SSL_CERT_FILE:-{BUNDLE}}}\" 2>/dev/null || \
             cat \"$({PYTHON} -m pip._vendor.certifi)\"; }}"
        );
        self.run(
            &[self.bind("certificates")],
            &[
                "mkdir /trust".to_owned(),
                format!(
                    "{{ {bundle} || true; cat {MOUNT}/certificates/*.crt; }} >/trust/bundle.pem"
                ),
            ],
        );
    }

    /// Mounts of a step of apt-get, and options of apt-get itself, each with a space before it.
    pub(super) fn apt_trust(&self) -> (Vec<String>, String) {
        if self.trusts() {
            let option = format!(" -o Acquire::https::CAInfo={TRUST}/bundle.pem");
            (vec![self.bind_trust()], option)
        } else {
            (Vec::new(), String::new())
        }
    }

    /// Mounts of a step that fetches Python packages.
    pub(super) fn fetch_mounts(&self) -> Vec<String> {
        let access = &self.storage.access;
        if !is_wrapped(self.storage) {
            return Vec::new();
        }
        let mut mounts = vec![self.bind("indexes")];
        if self.trusts() {
            mounts.push(self.bind_trust());
        }
        let given = access.secrets.iter().filter(|secret| secret.id != KNOWN_HOSTS);
        mounts.extend(given.map(|secret| format!("type=secret,id={},required=true", secret.id)));
        mounts
    }

    /// Mounts of a step that git may fetch in.
    pub(super) fn git_mounts(&self) -> Vec<String> {
        let ssh = &self.storage.access.ssh;
        let mut mounts = self.fetch_mounts();
        if !ssh.is_empty() && is_wrapped(self.storage) {
            // Not everyone has one: the Dockerfile is the same with and without.
            mounts.push(format!("type=secret,id={KNOWN_HOSTS}"));
            mounts.extend(ssh.iter().map(|ssh| format!("type=ssh,id={},required=true", ssh.id)));
        }
        mounts
    }

    /// What stands before a command that fetches Python packages.
    pub(super) fn fetching(&self) -> String {
        if is_wrapped(self.storage) {
            let escape = self.escape;
            format!(
                "{PYTHON} {MOUNT}/indexes/indexes.py {MOUNT}/indexes/indexes.json -- {escape}\n      "
            )
        } else {
            String::new()
        }
    }

    /// Puts the certificates into the image, where the spec says so.
    pub(super) fn keep_trust(&mut self) {
        let storage = self.storage;
        if !(storage.access.keep_certificates && self.trusts()) {
            return;
        }
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
            if storage.env.iter().all(|(known, _)| known != name) {
                self.line(&format!("ENV {name}={BUNDLE}"));
            }
        }
        let folder = "/usr/local/share/ca-certificates";
        self.run(
            &[self.bind_trust(), self.bind("certificates")],
            &[
                format!("mkdir -p {folder} {}", BUNDLE.rsplit_once('/').map_or("/", |(f, _)| f)),
                format!("cp {MOUNT}/certificates/*.crt {folder}/"),
                // It comes with the package; without it, the bundle is all there is.
                format!(
                    "{{ if command -v update-ca-certificates >/dev/null; \
                     then update-ca-certificates; else cp {TRUST}/bundle.pem {BUNDLE}; fi; }}"
                ),
            ],
        );
    }
}
