//! What a flow script computes: supplied by a flag, or a problem that says how to supply it.
//!
//! **Invariant:** nothing that is not known is guessed; each is said once.

use super::{Overrides, Resolver};
use crate::problem::Problem;
use crate::spec::UnknownValue;

impl Resolver<'_> {
    /// Sorts unknown values into those that the command line makes up for, which are returned, and
    /// problems.
    pub(super) fn unknown(&mut self, overrides: &Overrides) -> Vec<UnknownValue> {
        let (supplied, missing): (Vec<_>, Vec<_>) =
            self.storage.unknown.iter().cloned().partition(|u| is_supplied(&u.key, overrides));
        let file = self.spec.file.as_str();
        self.problems.extend(missing.iter().map(|unknown| problem(unknown, file)));
        supplied
    }
}

fn is_supplied(key: &str, overrides: &Overrides) -> bool {
    let named = !overrides.tags.is_empty();
    match key {
        "registry_url" => named || overrides.registry_url.is_some(),
        "image_name" => named || overrides.image_name.is_some(),
        "image_tag" => named || overrides.image_tag.is_some(),
        _ => false,
    }
}

fn problem(unknown: &UnknownValue, script: &str) -> Problem {
    let UnknownValue { key, item, expression, place, variable, credential, missing_file } = unknown;
    let what = match item {
        _ if key == "**" => "keywords of `Docker(...)`".to_owned(),
        Some(item) if item.chars().all(|c| c.is_ascii_digit()) => {
            let number = item.parse::<usize>().map_or(0, |at| at + 1);
            format!("item {number} of `{key}`")
        }
        Some(item) => format!("`{key}.{item}`"),
        None => format!("`{key}`"),
    };
    let are = if key == "**" { ("are", "need") } else { ("is", "needs") };
    let supply = match key.as_str() {
        "registry_url" => "pass --registry-url".to_owned(),
        "image_name" => "pass --image-name".to_owned(),
        "image_tag" => "pass --image-tag".to_owned(),
        "**" => format!("write them in a spec, which `docker flowstorage init {script}` begins"),
        key => format!("set `{key}` in a spec, which `docker flowstorage init {script}` begins"),
    };
    if let Some(name) = credential {
        let message =
            format!("{what} would put the value of `{name}`, a credential, into the image");
        let remedy = "leave it out, and give it to the container that runs the flow".to_owned();
        return Problem { key: Some(key.clone()), place: Some(place.clone()), message, remedy };
    }
    let (message, remedy) = match (variable, missing_file) {
        (Some(name), _) => (
            format!("{what} {} the environment variable `{name}`, which is not set", are.1),
            format!("set it, or {supply}"),
        ),
        (None, Some(path)) => (
            format!("{what} {} read from `{path}`, which is no readable file", are.0),
            format!("create it, or {supply}"),
        ),
        (None, None) => {
            (format!("{what} {} known only when the script runs: `{expression}`", are.0), supply)
        }
    };
    Problem { key: Some(key.clone()), place: Some(place.clone()), message, remedy }
}
