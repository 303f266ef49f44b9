//! `local_image`: a base that is the engine's own, for a builder that cannot see it.
//!
//! **Invariant:** a builder of the engine itself is left alone: it finds the image by its name.

use std::collections::BTreeMap;
use std::path::Path;

use crate::docker::{Docker, image_layout};
use crate::plan::Plan;
use crate::plan::bake::BakeFile;

/// Gives each target that begins from a local image that image as an OCI layout, where needed.
pub(super) fn hand_over(
    bake: &mut BakeFile,
    plans: &[Plan],
    builder: Option<&str>,
    docker: &Docker,
    staged: &Path,
) -> anyhow::Result<()> {
    let local = || plans.iter().filter_map(|plan| Some((plan, plan.local_base.as_deref()?)));
    for (plan, _) in local() {
        if let Some(target) = bake.target.get_mut(&plan.name) {
            // A registry has nothing newer of it.
            target.pull = false;
        }
    }
    if local().next().is_none() || !image_layout::is_apart(docker, staged, builder)? {
        return Ok(());
    }
    let mut layouts: BTreeMap<&str, String> = BTreeMap::new();
    for (plan, base) in local() {
        if !layouts.contains_key(base) {
            let folder = staged.join(format!("base-{}", layouts.len()));
            let digest = image_layout::export(docker, base, &folder)?;
            layouts.insert(base, format!("oci-layout://{}@{digest}", folder.to_string_lossy()));
        }
        if let (Some(target), Some(layout)) = (bake.target.get_mut(&plan.name), layouts.get(base)) {
            target.contexts.insert(base.to_owned(), layout.clone());
        }
    }
    Ok(())
}
