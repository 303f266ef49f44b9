//! Variables of this machine that the scripts read while they are loaded.
//!
//! The flow of a script that says `TABLE = os.environ["STAGE"] + "_orders"` is made of that
//! variable, and the image does not have it: it is handed to the step that loads the flows, and to
//! nothing else.
//!
//! **Invariant:** a value that may be a credential is named only; its value stays with buildx.

use super::Resolver;
use super::flows::Named;
use crate::spec::credentials::is_credential;
use crate::storage::Variable;

/// What the image has of its own, whatever this machine says.
const OF_THE_IMAGE: [&str; 18] = [
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "OLDPWD",
    "PATH",
    "PWD",
    "PYTHONHOME",
    "PYTHONPATH",
    "SHELL",
    "SHLVL",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "USER",
    "VIRTUAL_ENV",
];

impl Resolver<'_> {
    /// The variables, sorted by name.
    pub(super) fn environment(&self, scripts: &[Named]) -> Vec<Variable> {
        let read = scripts.iter().flat_map(Named::variables);
        let mut names: Vec<&str> = read.map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let variable = |name: &str| {
            let value = self.facts.environment.get(name)?;
            let is_ours = OF_THE_IMAGE.contains(&name)
                || name.starts_with("LC_")
                || name.starts_with("DOCKER_")
                || !is_plain(name);
            (!is_ours).then(|| Variable {
                name: name.to_owned(),
                value: (!is_credential(name, value)).then(|| value.clone()),
            })
        };
        names.into_iter().filter_map(variable).collect()
    }
}

/// Whether a name can be the name of a secret of a build.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
