//! What the image is called, and for which platforms it is.
//!
//! **Invariant:** a name that the user gave is taken as it is or refused, never changed.

use std::str::FromStr;

use super::{Overrides, Resolver, flag_problem, stem, text};
use crate::image_ref::{self, ImageRef, Repository, Tag};
use crate::problem::{Place, Problem};
use crate::runtime::NamedFlow;
use crate::slug::slugify;
use crate::spec::SpecFile;
use crate::storage::Storage;

impl Resolver<'_> {
    /// The repository and tag of the image. `image_name` is its last part.
    pub(super) fn image(
        &mut self,
        image_name: &str,
        overrides: &Overrides,
    ) -> (Option<Repository>, Option<Tag>) {
        let spec = self.storage;
        let flag = |flag: &Option<String>| flag.clone();
        let registry = flag(&overrides.registry_url)
            .or_else(|| text(spec.registry_url.as_ref()).map(str::to_owned));
        let full = match registry.as_deref() {
            Some(registry) if !registry.trim_end_matches('/').is_empty() => {
                format!("{}/{image_name}", registry.trim_end_matches('/'))
            }
            _ => image_name.to_owned(),
        };
        let is_name = image_name.parse::<Repository>().is_ok();
        let (key, keyed, flag) = if is_name {
            let keyed = spec.registry_url.as_ref().or(spec.image_name.as_ref());
            ("registry_url", keyed, &overrides.registry_url)
        } else {
            ("image_name", spec.image_name.as_ref(), &overrides.image_name)
        };
        let repository = full.parse::<Repository>();
        let repository = match flag {
            Some(_) => self.flag_name(&format!("--{}", key.replace('_', "-")), repository),
            None => self.name(key, keyed.map(|keyed| &keyed.place), repository),
        };
        let tag = match (&overrides.image_tag, &spec.image_tag) {
            (Some(tag), _) => self.flag_name("--image-tag", Tag::from_str(tag)),
            (None, Some(tag)) => self.name("image_tag", Some(&tag.place), tag.value.parse()),
            (None, None) => None,
        };
        (repository, tag)
    }

    /// What the image is called: what is given, or else the flow's slug, or the storage's name.
    pub(super) fn image_name(
        &mut self,
        name: Option<&str>,
        flows: &[NamedFlow],
        script: Option<&str>,
        overrides: &Overrides,
    ) -> Option<String> {
        let spec = self.storage;
        let given = overrides.image_name.clone();
        if let Some(given) = given.or_else(|| text(spec.image_name.as_ref()).map(str::to_owned)) {
            return Some(given);
        }
        if let [flow] = flows {
            return Some(slugify(&flow.name));
        }
        if let Some(name) = name {
            return Some(name.to_lowercase());
        }
        // A reference of the command line names the image whole.
        let from_tag = overrides.tags.first().and_then(|tag| tag.parse::<ImageRef>().ok());
        let from_tag = from_tag.map(|reference| reference.repository.to_string());
        if let Some(repository) = from_tag {
            return repository.rsplit('/').next().map(str::to_owned);
        }
        // Several flows of a script without a spec: the script is all that they have in common.
        if let Some(script) = script.filter(|_| self.spec.is_script() && !flows.is_empty()) {
            return Some(slugify(stem(script)));
        }
        let is_unknown = spec.unknown.iter().any(|unknown| unknown.key == "image_name");
        if !flows.is_empty() && !is_unknown {
            let message = format!("{} flows share one image without a name", flows.len());
            self.problem("image_name", None, message, "set image_name = \"…\"");
        }
        None
    }

    fn flag_name<T>(&mut self, flag: &str, parsed: Result<T, image_ref::NotAName>) -> Option<T> {
        match parsed {
            Ok(name) => Some(name),
            Err(error) => {
                let message = format!("{flag}: {}", error.message);
                self.problems.push(flag_problem(message, error.remedy));
                None
            }
        }
    }

    fn name<T>(
        &mut self,
        key: &str,
        place: Option<&Place>,
        parsed: Result<T, image_ref::NotAName>,
    ) -> Option<T> {
        match parsed {
            Ok(name) => Some(name),
            Err(error) => {
                self.problem(key, place, error.message, error.remedy);
                None
            }
        }
    }

    pub(super) fn references(&mut self, overrides: &Overrides) -> Vec<ImageRef> {
        let mut references = Vec::new();
        for tag in &overrides.tags {
            match tag.parse() {
                Ok(reference) => references.push(reference),
                Err(error) => references.extend(self.flag_name("--tag", Err(error))),
            }
        }
        references
    }

    pub(super) fn platforms(
        &mut self,
        overrides: &Overrides,
        from_kwargs: Vec<String>,
    ) -> Vec<String> {
        let remedy = "write os/architecture, as linux/arm64";
        let fits = |platform: &str| {
            let parts: Vec<&str> = platform.split('/').collect();
            (2..=3).contains(&parts.len())
                && parts.iter().all(|part| {
                    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                })
        };
        if !overrides.platforms.is_empty() {
            for platform in overrides.platforms.iter().filter(|platform| !fits(platform)) {
                let message = format!("--platform: `{platform}` is not a platform");
                self.problems.push(flag_problem(message, remedy.to_owned()));
            }
            return overrides.platforms.clone();
        }
        let Some(platforms) = &self.storage.platforms else {
            let place = self.storage.build_kwargs.as_ref().map(|kwargs| &kwargs.place);
            for platform in from_kwargs.iter().filter(|platform| !fits(platform)) {
                let message = format!("`{platform}` is not a platform");
                self.problem("build_kwargs", place, message, remedy);
            }
            return from_kwargs;
        };
        let platforms = &platforms.value;
        for platform in platforms.iter().filter(|platform| !fits(&platform.value)) {
            let message = format!("`{}` is not a platform", platform.value);
            self.problem("platforms", Some(&platform.place), message, remedy);
        }
        platforms.iter().map(|platform| platform.value.clone()).collect()
    }
}

/// Two storages may not overwrite each other's image.
pub(super) fn same_image(spec: &SpecFile, storages: &[Storage], problems: &mut Vec<Problem>) {
    for (at, storage) in storages.iter().enumerate() {
        let twin = storages[..at].iter().find(|other| {
            other.references.is_empty()
                && storage.references.is_empty()
                && other.repository == storage.repository
                && other.tag == storage.tag
        });
        if let Some(twin) = twin {
            let of_storage =
                spec.storages.iter().find(|s| s.name.as_deref() == Some(&storage.name));
            problems.push(Problem {
                key: Some("image_name".to_owned()),
                place: of_storage.and_then(|storage| storage.place.clone()),
                message: format!(
                    "storages `{}` and `{}` make the same image `{}`",
                    twin.name, storage.name, storage.repository
                ),
                remedy: "give each its own image_name or image_tag".to_owned(),
            });
        }
    }
}
