//! The bake definition: what `docker buildx bake` builds, in JSON.
//!
//! The format is that of <https://docs.docker.com/build/bake/reference/>.
//!
//! **Invariant:** no string of ours is read as a template; options that vary by buildx release are
//! written as the CSV strings that all releases take.

use std::collections::BTreeMap;

use serde::Serialize;

/// A bake file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BakeFile {
    /// The group `default` names every target.
    pub group: BTreeMap<&'static str, Group>,
    /// The targets by name.
    pub target: BTreeMap<String, Target>,
}

/// A group of targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Names of targets, in the order of the spec.
    pub targets: Vec<String>,
}

/// One image. Fields are named as bake names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of bake's reference")]
pub struct Target {
    pub context: String,
    pub dockerfile: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_hosts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attest: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cache_from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cache_to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_cache: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pull: bool,
}

impl BakeFile {
    /// The file's text.
    pub fn to_json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        escape_templates(&mut value);
        serde_json::to_string_pretty(&value).map(|text| text + "\n").unwrap_or_default()
    }
}

/// In a bake file every string is an HCL template.
fn escape_templates(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = template(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(escape_templates),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(escape_templates),
        _ => {}
    }
}

/// Escapes what HCL would evaluate.
fn template(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What HCL makes of a template, from left to right.
    fn evaluated(template: &str) -> String {
        let mut result = String::new();
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            let escaped = ["$${", "%%{"].into_iter().find(|escape| rest.starts_with(escape));
            assert!(
                !rest.starts_with("${") && !rest.starts_with("%{"),
                "an expression: {template}"
            );
            result.push_str(escaped.map_or(&rest[..c.len_utf8()], |escape| &escape[1..]));
            rest = &rest[escaped.map_or(c.len_utf8(), str::len)..];
        }
        result
    }

    proptest! {
        #[test]
        fn strings_come_back(text in "[$%{}a\"\\\\\\n]{0,20}|\\PC{0,20}") {
            prop_assert_eq!(evaluated(&template(&text)), text);
        }
    }

    #[test]
    fn empty_fields_are_left_out() {
        let target = Target {
            context: "c".into(),
            dockerfile: "../D".into(),
            tags: vec!["t".into()],
            ..Target::default()
        };
        let file = BakeFile {
            group: BTreeMap::from([("default", Group { targets: vec!["a".into()] })]),
            target: BTreeMap::from([("a".to_owned(), target)]),
        };
        let value: serde_json::Value = serde_json::from_str(&file.to_json()).expect("JSON");
        let wanted = serde_json::json!({
            "group": {"default": {"targets": ["a"]}},
            "target": {"a": {"context": "c", "dockerfile": "../D", "tags": ["t"]}},
        });
        assert_eq!(value, wanted);
    }
}
