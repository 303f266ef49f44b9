//! The keys that a spec may hold.
//!
//! **Invariant:** every key of [`super::StorageSpec`] is here once, and nothing else is.

/// The shape of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Switch,
    /// A list of strings; one string stands for a list of one.
    Texts,
    /// A table of strings, numbers and booleans.
    Pairs,
    /// A list of paths, or a table of name and path.
    Flows,
    /// A table of values of any kind.
    Options,
    /// `true` or `false`, or a table.
    SwitchOrOptions,
    /// A list of tables.
    Tables,
    /// A list of names, or a table of names with options.
    TextsOrOptions,
}

impl Shape {
    /// What to write, for a remedy.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Text => "write a string in quotes",
            Self::Switch => "write true or false, without quotes",
            Self::Texts => "write a list of strings, as [\"a\", \"b\"]",
            Self::Pairs => "write a table of strings, as { NAME = \"value\" }",
            Self::Flows => "write a list of paths, or a table { \"flow name\" = \"path\" }",
            Self::Options => "write a table, as { nocache = true }",
            Self::SwitchOrOptions => "write true, false, or a table, as { ca_cert = \"ca.pem\" }",
            Self::Tables => "write a list of tables, as [{ uris = \"...\" }]",
            Self::TextsOrOptions => {
                "write a list of names, or a table { name = { option = true } }"
            }
        }
    }
}

/// A key of the spec.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The shape of its value.
    pub shape: Shape,
    /// One line about it.
    pub about: &'static str,
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, about }
}

/// All keys, in the order that the documentation has them in.
pub const KEYS: &[Key] = &[
    key("flows", Shape::Flows, "flow scripts: paths, globs, or a table of name and path"),
    key("runtime", Shape::Text, "`prefect1`, `prefect` or `python`; found from the flows"),
    key("registry_url", Shape::Text, "registry and namespace in front of the image name"),
    key("image_name", Shape::Text, "repository of the image; the slug of a single flow's name"),
    key("image_tag", Shape::Text, "tag of the image; a digest of what goes in"),
    key("base_image", Shape::Text, "image to start from"),
    key("dockerfile", Shape::Text, "your own Dockerfile to start from, built in its own folder"),
    key("dockerignore", Shape::Text, "file of patterns that keep files out of the image"),
    key("python_version", Shape::Text, "version that the image's Python must have"),
    key("python_dependencies", Shape::Texts, "requirements, as `pip install` takes them"),
    key("requirements", Shape::Texts, "requirements.txt and pyproject.toml files"),
    key("env_vars", Shape::Pairs, "environment variables of the image; `$NAME` is expanded"),
    key("files", Shape::Pairs, "files and folders to copy: source and destination"),
    key("modules", Shape::Texts, "local modules and packages; found by reading imports"),
    key("system_packages", Shape::Texts, "Debian packages in the image"),
    key("build_packages", Shape::Texts, "Debian packages only where Python packages are built"),
    key("infer_system_packages", Shape::Switch, "add what dependencies and flows need; on"),
    key("exclude_system_packages", Shape::Texts, "Debian packages that are not added by inference"),
    key("required_commands", Shape::Texts, "programs that must be on PATH in the image"),
    key("apt_repositories", Shape::Tables, "more repositories of Debian packages, with their keys"),
    key("recipes", Shape::TextsOrOptions, "named bundles of repository, packages and settings"),
    key("index_url", Shape::Text, "index of Python packages, instead of PyPI"),
    key("extra_index_urls", Shape::Texts, "more indexes of Python packages"),
    key("build_secrets", Shape::Pairs, "secrets of the steps that install Python packages"),
    key("ssh", Shape::Texts, "ssh agents or keys for requirements that git fetches"),
    key("ca_certificates", Shape::Texts, "certificates that the build trusts besides the base's"),
    key("keep_ca_certificates", Shape::Switch, "keep `ca_certificates` in the image"),
    key("extra_dockerfile_commands", Shape::Texts, "instructions after files, before the check"),
    key("prefect_version", Shape::Text, "Prefect release in the image"),
    key("prefect_directory", Shape::Text, "folder of Prefect's files in the image"),
    key("path", Shape::Text, "location of the flow in the image"),
    key("stored_as_script", Shape::Switch, "store the script instead of the serialised flow"),
    key("ignore_healthchecks", Shape::Switch, "build without the check"),
    key("import_check_exclude", Shape::Texts, "dependencies that the check does not import"),
    key("secrets", Shape::Texts, "names of the Prefect secrets that loading the flow takes"),
    key("local_image", Shape::Switch, "take the base image from the engine, do not pull it"),
    key("base_url", Shape::Text, "address of the engine, as docker's --host"),
    key("tls_config", Shape::SwitchOrOptions, "TLS of `base_url`"),
    key("build_kwargs", Shape::Options, "options of docker-py's build, as BuildKit has them"),
    key("platforms", Shape::Texts, "platforms to build for, as linux/amd64"),
    key("image_labels", Shape::Pairs, "labels of the image"),
    key("user", Shape::Text, "user that the image runs as, where the base's user is not root"),
];

/// Finds a key by its name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that a misspelt one was probably meant to be.
pub fn nearest(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase().replace('-', "_");
    KEYS.iter()
        .map(|key| key.name)
        .chain(["storage"])
        .map(|known| (strsim::damerau_levenshtein(&lower, known), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3).min(4))
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_keys_find_their_neighbour() {
        for (typed, meant) in [
            ("base_imge", Some("base_image")),
            ("env_var", Some("env_vars")),
            ("Python-Dependencies", Some("python_dependencies")),
            ("storages", Some("storage")),
            ("flow", Some("flows")),
            ("tls", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed), meant, "{typed}");
        }
    }

    #[test]
    fn names_are_unique() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..at].iter().all(|other| other.name != key.name), "{}", key.name);
            assert!(!key.about.ends_with('.'), "{}", key.name);
        }
    }
}
