//! Where each value of a storage came from.
//!
//! **Invariant:** every key of the spec that has a value is listed under its own name.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::Overrides;
use crate::spec::{FlowSpec, Keyed, Pair, StorageSpec};
use crate::storage::{Base, Storage, Value};

/// The values of a storage with their origins.
pub(super) fn of(
    spec: &StorageSpec,
    storage: &Storage,
    overrides: &Overrides,
) -> BTreeMap<&'static str, Value> {
    let mut values = Values(BTreeMap::new());
    let inferred = |name: &str| format!("inferred from {name}");
    values.put("runtime", json!(storage.runtime.name()), inferred("the imports of the flows"));
    let name = storage.repository.to_string();
    let name = name.rsplit('/').next().unwrap_or_default();
    values.put("image_name", json!(name), inferred("the flow's name"));
    match &storage.base {
        Base::Image(image) => values.put("base_image", json!(image), "default".to_owned()),
        Base::Dockerfile(_) => {}
    }
    if !storage.build_packages.is_empty() && spec.build_packages.is_none() {
        let origin = inferred("the base image, which lacks the workflow engine");
        values.put("build_packages", json!(storage.build_packages), origin);
    }
    values.0.extend(written(spec));
    if !overrides.platforms.is_empty() {
        values.put("platforms", json!(overrides.platforms), "--platform".to_owned());
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
    let texts: [(&'static str, &Option<Keyed<String>>); 11] = [
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
    ];
    for (key, text) in texts {
        values.keyed(key, text.as_ref(), |text| json!(text));
    }
    values.keyed("stored_as_script", spec.stored_as_script.as_ref(), |on| json!(on));
    values.keyed("ignore_healthchecks", spec.ignore_healthchecks.as_ref(), |on| json!(on));
    let lists: [(&'static str, &Option<List>); 7] = [
        ("python_dependencies", &spec.python_dependencies),
        ("requirements", &spec.requirements),
        ("system_packages", &spec.system_packages),
        ("build_packages", &spec.build_packages),
        ("extra_dockerfile_commands", &spec.extra_dockerfile_commands),
        ("import_check_exclude", &spec.import_check_exclude),
        ("platforms", &spec.platforms),
    ];
    for (key, list) in lists {
        let items = |list: &Vec<Keyed<String>>| list.iter().map(|item| json!(item.value)).collect();
        values.keyed(key, list.as_ref(), items);
    }
    let tables: [(&'static str, &Option<Keyed<Vec<Pair>>>); 3] = [
        ("env_vars", &spec.env_vars),
        ("files", &spec.files),
        ("image_labels", &spec.image_labels),
    ];
    for (key, table) in tables {
        let object = |pairs: &Vec<Pair>| {
            Json::Object(pairs.iter().map(|p| (p.key.clone(), json!(p.value))).collect())
        };
        values.keyed(key, table.as_ref(), object);
    }
    values.0
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
