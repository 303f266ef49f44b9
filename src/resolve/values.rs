//! Where each value of a storage came from.
//!
//! **Invariant:** every key of the spec that has a value is listed under its own name.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::Overrides;
use super::versions::Inferred;
use crate::access::without_credentials;
use crate::spec::document::{Node, Table};
use crate::spec::{FlowSpec, Keyed, Pair, StorageSpec};
use crate::storage::{Base, Storage, Value};

/// What resolving found out on the way.
pub(super) struct Origins {
    pub(super) inferred_python: Option<Inferred>,
}

/// The values of a storage with their origins.
pub(super) fn of(
    spec: &StorageSpec,
    storage: &Storage,
    overrides: &Overrides,
    origins: &Origins,
) -> BTreeMap<&'static str, Value> {
    let mut values = Values(BTreeMap::new());
    let inferred = |name: &str| format!("inferred from {name}");
    values.put("runtime", json!(storage.runtime.name()), inferred("the flows"));
    let name = storage.repository.to_string();
    let name = name.rsplit('/').next().unwrap_or_default();
    let from = if storage.flows.len() == 1 { "the flow's name" } else { "the storage's name" };
    values.put("image_name", json!(name), inferred(from));
    match &storage.base {
        Base::Image(image) => values.put("base_image", json!(image), "default".to_owned()),
        Base::Dockerfile(_) => {}
    }
    if let Some(Inferred { version, from }) = &origins.inferred_python {
        values.put("python_version", json!(version), from.clone());
    }
    if !storage.build_packages.is_empty() && spec.build_packages.is_none() {
        let origin = inferred("the base image, which lacks the workflow engine");
        values.put("build_packages", json!(storage.build_packages), origin);
    }
    if let [first, ..] = storage.requirements.wanted.as_slice()
        && spec.requirements.is_none()
        && spec.python_dependencies.is_none()
    {
        let file = &first.place.file;
        values.put("requirements", json!([file]), inferred(&format!("`{file}`")));
    }
    if !storage.modules.files.is_empty() {
        let files: Vec<&str> = storage.modules.files.iter().map(|m| m.path.as_str()).collect();
        values.put("modules", json!(files), inferred("the imports of the flows"));
    }
    values.0.extend(written(spec));
    if !overrides.platforms.is_empty() {
        values.put("platforms", json!(overrides.platforms), "--platform".to_owned());
    }
    for (key, flag, value) in [
        ("registry_url", "--registry-url", &overrides.registry_url),
        ("image_name", "--image-name", &overrides.image_name),
        ("image_tag", "--image-tag", &overrides.image_tag),
    ] {
        if let Some(value) = value {
            values.put(key, json!(value), flag.to_owned());
        }
    }
    values.0
}

/// The values that the spec itself has.
pub fn written(spec: &StorageSpec) -> BTreeMap<&'static str, Value> {
    let mut values = Values(BTreeMap::new());
    values.keyed("flows", spec.flows.as_ref(), |flows| {
        if flows.iter().any(|flow| flow.name.is_some()) {
            let named = |flow: &FlowSpec| Some((flow.name.clone()?, json!(flow.path)));
            Json::Object(flows.iter().filter_map(named).collect())
        } else {
            flows.iter().map(|flow| json!(flow.path)).collect()
        }
    });
    values.keyed("runtime", spec.runtime.as_ref(), |kind| json!(kind.name()));
    let texts: [(&'static str, &Option<Keyed<String>>); 13] = [
        ("index_url", &spec.index_url),
        ("registry_url", &spec.registry_url),
        ("image_name", &spec.image_name),
        ("image_tag", &spec.image_tag),
        ("base_image", &spec.base_image),
        ("dockerfile", &spec.dockerfile),
        ("dockerignore", &spec.dockerignore),
        ("python_version", &spec.python_version),
        ("prefect_version", &spec.prefect_version),
        ("prefect_directory", &spec.prefect_directory),
        ("path", &spec.path),
        ("user", &spec.user),
        ("base_url", &spec.base_url),
    ];
    for (key, text) in texts {
        values.keyed(key, text.as_ref(), |text| json!(shown(key, text)));
    }
    values.keyed("stored_as_script", spec.stored_as_script.as_ref(), |on| json!(on));
    for (key, switch) in [
        ("infer_system_packages", &spec.infer_system_packages),
        ("keep_ca_certificates", &spec.keep_ca_certificates),
    ] {
        values.keyed(key, switch.as_ref(), |on| json!(on));
    }
    values.keyed("recipes", spec.recipes.as_ref(), tree);
    values.keyed("apt_repositories", spec.apt_repositories.as_ref(), |items| {
        items.iter().map(|item| tree(&item.node)).collect()
    });
    values.keyed("local_image", spec.local_image.as_ref(), |on| json!(on));
    values.keyed("tls_config", spec.tls_config.as_ref(), tree);
    values.keyed("build_kwargs", spec.build_kwargs.as_ref(), table_of);
    values.keyed("ignore_healthchecks", spec.ignore_healthchecks.as_ref(), |on| json!(on));
    let lists: [(&'static str, &Option<List>); 14] = [
        ("exclude_system_packages", &spec.exclude_system_packages),
        ("required_commands", &spec.required_commands),
        ("extra_index_urls", &spec.extra_index_urls),
        ("ssh", &spec.ssh),
        ("ca_certificates", &spec.ca_certificates),
        ("python_dependencies", &spec.python_dependencies),
        ("requirements", &spec.requirements),
        ("system_packages", &spec.system_packages),
        ("build_packages", &spec.build_packages),
        ("extra_dockerfile_commands", &spec.extra_dockerfile_commands),
        ("import_check_exclude", &spec.import_check_exclude),
        ("platforms", &spec.platforms),
        ("modules", &spec.modules),
        ("secrets", &spec.secrets),
    ];
    for (key, list) in lists {
        let items = |list: &Vec<Keyed<String>>| {
            list.iter().map(|item| json!(shown(key, &item.value))).collect()
        };
        values.keyed(key, list.as_ref(), items);
    }
    let tables: [(&'static str, &Option<Keyed<Vec<Pair>>>); 4] = [
        ("build_secrets", &spec.build_secrets),
        ("env_vars", &spec.env_vars),
        ("files", &spec.files),
        ("image_labels", &spec.image_labels),
    ];
    for (key, table) in tables {
        let object = |pairs: &Vec<Pair>| {
            let value = |pair: &Pair| json!(shown(key, &pair.value));
            Json::Object(pairs.iter().map(|pair| (pair.key.clone(), value(pair))).collect())
        };
        values.keyed(key, table.as_ref(), object);
    }
    values.0
}

/// A text without a credential that stands where none is allowed.
fn shown(key: &str, text: &str) -> String {
    // ssh names its users before an `@`, which are no secrets.
    let may_hold = ["index_url", "extra_index_urls", "python_dependencies"].contains(&key);
    let is_ssh = text.contains("ssh://");
    // A value may have been written where the name of a variable belongs.
    if key == "build_secrets" && !["env=", "src="].iter().any(|of| text.starts_with(of)) {
        return "…".to_owned();
    }
    if may_hold && !is_ssh { without_credentials(text) } else { text.to_owned() }
}

/// A tree of the document as JSON.
fn tree(node: &Node) -> Json {
    match node {
        Node::String(text) => json!(without_credential(text)),
        Node::Integer(number) => json!(number),
        // Numbers that JSON cannot hold stay as they are written.
        Node::Float(text) => {
            text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number))
        }
        Node::Boolean(on) => json!(on),
        Node::List(items) => items.iter().map(|item| tree(&item.node)).collect(),
        Node::Table(table) => table_of(table),
        Node::Other(_) => Json::Null,
    }
}

/// An address without who asks: a spec that holds it is refused, and reported all the same.
fn without_credential(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => text.to_owned(),
    }
}

fn table_of(table: &Table) -> Json {
    Json::Object(table.entries.iter().map(|e| (e.key.clone(), tree(&e.value.node))).collect())
}

type List = Keyed<Vec<Keyed<String>>>;

struct Values(BTreeMap<&'static str, Value>);

impl Values {
    fn put(&mut self, key: &'static str, value: Json, origin: String) {
        self.0.insert(key, Value { value, origin });
    }

    fn keyed<T>(&mut self, key: &'static str, keyed: Option<&Keyed<T>>, json: impl Fn(&T) -> Json) {
        if let Some(keyed) = keyed {
            self.put(key, json(&keyed.value), keyed.place.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_reported() {
        for (text, reported) in [
            ("https://me:word@example.org/a@b", "https://…@example.org/a@b"),
            ("https://a@b@example.org", "https://…@example.org"),
            ("https://example.org/a@b", "https://example.org/a@b"),
            ("me@example.org", "me@example.org"),
        ] {
            assert_eq!(tree(&Node::String(text.to_owned())), json!(reported), "{text}");
        }
    }
}
