//! What buildx reports of a build that went well: its metadata file.
//!
//! **Invariant:** unknown fields are ignored; a target without a digest is one that has no image.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

/// What is known of one target's result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Built {
    /// Digest of manifest or index: what registries and `docker image inspect` know.
    #[serde(rename = "containerimage.digest")]
    pub digest: Option<String>,
}

/// Reads a metadata file: results by target.
pub fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Built>> {
    let fields: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).context("reading the metadata file of buildx")?;
    // Beside the targets buildx may put facts of its own, such as warnings.
    let targets = fields.into_iter().filter(|(_, value)| value.is_object());
    targets.map(|(name, value)| Ok((name, serde_json::from_value(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_by_target() {
        let text = r#"{"etl": {"buildx.build.ref": "x", "containerimage.digest": "sha256:1"},
            "local": {"buildx.build.ref": "y"}, "buildx.build.warnings": []}"#;
        let built = parse(text).expect("valid");
        let digests: Vec<_> =
            built.iter().map(|(k, v)| (k.as_str(), v.digest.as_deref())).collect();
        assert_eq!(digests, [("etl", Some("sha256:1")), ("local", None)]);
    }
}
