//! What tells Prefect of an image that was built: files for `prefect register` and `prefect deploy`.
//!
//! **Invariant:** pure; names the image that buildx reports, and no other.

use serde_json::{Value, json};

use crate::storage::Storage;

/// How the files name the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    /// The registry and namespace as the storage has it; none where the command line named it all.
    pub registry_url: Option<String>,
    /// The rest of the repository.
    pub image_name: String,
    /// A tag, or the hex digits of a digest.
    pub image_tag: String,
}

impl ImageName {
    /// Names an image `repository:tag` of a storage by tag, or by digest where one is given.
    ///
    /// Prefect 1 joins name and tag with `:`. With `name@sha256` as the name and the digits as the
    /// tag, the result is a reference by digest.
    pub fn new(storage: &Storage, reference: &str, digest: Option<&str>) -> Self {
        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let registry = storage.prefect1.registry_url.as_deref();
        let registry = registry.map(|url| url.trim_end_matches('/'));
        let below = registry.and_then(|url| repository.strip_prefix(url)?.strip_prefix('/'));
        let (registry_url, name) = match below {
            Some(name) => (registry.map(str::to_owned), name),
            None => (None, repository),
        };
        match digest.and_then(|digest| digest.split_once(':')) {
            Some((algorithm, hex)) => Self {
                registry_url,
                image_name: format!("{name}@{algorithm}"),
                image_tag: hex.to_owned(),
            },
            None => Self { registry_url, image_name: name.to_owned(), image_tag: tag.to_owned() },
        }
    }

    fn put(&self, storage: &mut Value) {
        if let Value::Object(fields) = storage {
            fields.insert("registry_url".to_owned(), json!(self.registry_url));
            fields.insert("image_name".to_owned(), json!(self.image_name));
            fields.insert("image_tag".to_owned(), json!(self.image_tag));
        }
    }
}

/// What the image said of its flows, with the image's name filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Flows as Prefect's schema has them.
    pub flows: Vec<Value>,
    /// The storage as Prefect's schema has it.
    pub storage: Value,
}

/// Reads the file that the build left, and fills in the image's name. The error is one line and
/// what to do, as the program in the image said it.
pub fn read(text: &str, image: &ImageName) -> Result<Registration, (String, Option<String>)> {
    let mut left: Value = serde_json::from_str(text)
        .map_err(|error| (format!("the build left no JSON: {error}"), None))?;
    if let Some(error) = left["error"].as_str() {
        return Err((error.to_owned(), left["remedy"].as_str().map(str::to_owned)));
    }
    let mut storage = left["storage"].take();
    image.put(&mut storage);
    let Value::Array(mut flows) = left["flows"].take() else {
        return Err(("the build left no flows".to_owned(), None));
    };
    for flow in &mut flows {
        image.put(&mut flow["storage"]);
    }
    Ok(Registration { flows, storage })
}

/// The file that `prefect register --json` reads: all flows, sorted by name.
pub fn flows_json(registrations: &[Registration]) -> String {
    let mut flows: Vec<&Value> = registrations.iter().flat_map(|r| &r.flows).collect();
    flows.sort_by_key(|flow| flow["name"].as_str().unwrap_or_default());
    pretty(&json!({ "version": 1, "flows": flows }))
}

/// A storage alone.
pub fn storage_json(registration: &Registration) -> String {
    pretty(&registration.storage)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}

/// The first line of a file that we may write again.
pub const PREFECT_YAML_MARK: &str = "# Made by docker flowstorage; a new build writes it again.";

/// A `prefect.yaml` with a deployment of every flow, each with the image that holds it.
///
/// Scalars are written as JSON, which YAML includes. The format is that of
/// <https://docs.prefect.io/v3/how-to-guides/deployments/prefect-yaml>.
pub fn prefect_yaml(images: &[(&Storage, String)]) -> String {
    use std::fmt::Write as _;
    let scalar = |text: &str| json!(text).to_string();
    let mut text = format!("{PREFECT_YAML_MARK}\ndeployments:\n");
    for (storage, image) in images {
        let folder = storage.workdir.as_deref().unwrap_or("/opt/prefect");
        for flow in &storage.flows {
            let below = flow.location.strip_prefix(&format!("{folder}/")).unwrap_or(&flow.location);
            let function = flow.function.as_deref().unwrap_or(&flow.name);
            let entrypoint = scalar(&format!("{below}:{function}"));
            let name = scalar(&flow.name);
            let image = scalar(image);
            let folder = scalar(folder);
            let _ = write!(
                text,
                "  - name: {name}\n    entrypoint: {entrypoint}\n    work_pool:\n      \
                 job_variables:\n        image: {image}\n    build: []\n    pull:\n      \
                 - prefect.deployments.steps.set_working_directory:\n          \
                 directory: {folder}\n"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(image_name: &str, image_tag: &str) -> ImageName {
        ImageName {
            registry_url: Some("r.example.org/team".to_owned()),
            image_name: image_name.to_owned(),
            image_tag: image_tag.to_owned(),
        }
    }

    #[test]
    fn the_image_is_filled_in_everywhere() {
        let left = r#"{"version": 1,
            "flows": [{"name": "b", "storage": {"type": "Docker", "image_tag": null}}],
            "storage": {"type": "Docker", "image_tag": null, "flows": {"b": "/x"}}}"#;
        let read = read(left, &name("etl", "v1")).expect("readable");
        let filled = |extra: Value| {
            let mut whole = json!({"type": "Docker", "image_tag": "v1"});
            for (key, value) in extra.as_object().expect("an object") {
                whole[key] = value.clone();
            }
            whole["registry_url"] = json!("r.example.org/team");
            whole["image_name"] = json!("etl");
            whole
        };
        assert_eq!(read.storage, filled(json!({"flows": {"b": "/x"}})));
        assert_eq!(read.flows, [json!({"name": "b", "storage": filled(json!({}))})]);
    }

    #[test]
    fn what_the_image_could_not_say_is_an_error_with_its_remedy() {
        let said = read(r#"{"error": "no schema", "remedy": "pin marshmallow"}"#, &name("a", "b"));
        assert_eq!(said, Err(("no schema".to_owned(), Some("pin marshmallow".to_owned()))));
        assert!(read("nothing", &name("a", "b")).is_err());
        assert!(read("{}", &name("a", "b")).is_err());
    }

    #[test]
    fn flows_of_several_storages_are_sorted_by_name() {
        let of = |name: &str| Registration {
            flows: vec![json!({ "name": name })],
            storage: Value::Null,
        };
        let text = flows_json(&[of("b"), of("a")]);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value, json!({"version": 1, "flows": [{"name": "a"}, {"name": "b"}]}));
    }
}
