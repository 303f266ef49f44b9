//! The form that single values must have, whatever the rest of the spec says.
//!
//! **Invariant:** what passes here can be written into a Dockerfile through its quoting.

use super::{Resolver, pairs};
use crate::image_ref;
use crate::spec::Keyed;

impl Resolver<'_> {
    /// Values that must have a certain form whatever the rest says.
    pub(super) fn check_grammars(&mut self) {
        let spec = self.storage;
        if let Some(base) = &spec.base_image
            && !image_ref::is_base_image(&base.value)
        {
            let message = format!("`{}` is not an image", base.value);
            let remedy = "write name:tag, as python:3.11-slim";
            self.problem("base_image", Some(&base.place), message, remedy);
        }
        if let Some(version) = &spec.python_version
            && version.value.parse::<pep440_rs::Version>().is_err()
        {
            let message = format!("`{}` is not a version", version.value);
            let remedy = "write python_version = \"3.11\", for example";
            self.problem("python_version", Some(&version.place), message, remedy);
        }
        if let Some(version) = &spec.prefect_version {
            self.check_prefect_version(version);
        }
        for (key, value) in [("prefect_directory", &spec.prefect_directory), ("path", &spec.path)] {
            let Some(value) = value else { continue };
            if !value.value.starts_with('/') || value.value.chars().any(char::is_control) {
                let message = format!("`{}` is not an absolute path of the image", value.value);
                self.problem(key, Some(&value.place), message, "begin it with `/`");
            }
        }
        for (key, packages) in
            [("system_packages", &spec.system_packages), ("build_packages", &spec.build_packages)]
        {
            for package in packages.iter().flat_map(|list| &list.value) {
                if !is_debian_package(&package.value) {
                    let message = format!("`{}` is not the name of a package", package.value);
                    let remedy = "write one Debian package per item, as \"unixodbc\"";
                    self.problem(key, Some(&package.place), message, remedy);
                }
            }
        }
        for command in spec.required_commands.iter().flat_map(|list| &list.value) {
            let is_blank = |c: char| c.is_whitespace() || c.is_control();
            if command.value.is_empty() || command.value.contains(is_blank) {
                let message = format!("`{}` is not the name of a program", command.value);
                let remedy = "write one name or path per item, without arguments, as \"ffmpeg\"";
                self.problem("required_commands", Some(&command.place), message, remedy);
            }
        }
        for (key, table) in [("env_vars", &spec.env_vars), ("image_labels", &spec.image_labels)] {
            for pair in pairs(table.as_ref()) {
                let fits = |c: char| {
                    c.is_ascii_graphic() && !matches!(c, '=' | '"' | '\'' | '\\' | '$' | '`' | '#')
                };
                if pair.key.is_empty() || !pair.key.chars().all(fits) {
                    let message = format!("`{}` cannot be a name in `{key}`", pair.key);
                    let remedy = "use letters, digits, `_`, `-` and `.`";
                    self.problem(key, Some(&pair.place), message, remedy);
                }
                if pair.value.contains('\0') {
                    let message = format!("the value of `{}` holds a NUL character", pair.key);
                    self.problem(key, Some(&pair.place), message, "remove the character");
                }
            }
        }
        if let Some(user) = &spec.user {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
            if user.value.is_empty() || !user.value.chars().all(fits) {
                let message = format!("`{}` is not a user", user.value);
                self.problem("user", Some(&user.place), message, "write a name or uid[:gid]");
            }
        }
    }

    /// A release, or what Git calls a revision: Prefect 1 could be installed from its repository.
    fn check_prefect_version(&mut self, version: &Keyed<String>) {
        let text = version.value.as_str();
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-/+".contains(c);
        let is_revision = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(fits)
            && !text.contains("..");
        let remedy = "write the release, as prefect_version = \"1.4.1\"";
        if !is_revision {
            let message = format!("`{text}` is not a version");
            self.problem("prefect_version", Some(&version.place), message, remedy);
        } else if matches!(text, "master" | "main") {
            let message = format!("the branch `{text}` of Prefect no longer holds Prefect 1");
            self.problem("prefect_version", Some(&version.place), message, remedy);
        }
    }
}

/// `name[:architecture][=version]` or `name[/release]`, as apt-get takes it.
fn is_debian_package(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(word)
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '+' | '-' | '.' | ':' | '=' | '~' | '/' | '*' | '_')
        })
}
