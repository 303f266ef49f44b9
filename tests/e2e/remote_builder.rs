//! Base images that only the engine has, on a builder that is not the engine's.
//!
//! **Invariant:** the builder has no way to the image but the one under test.

use serde_json::json;

use crate::support::far_builder::FarBuilder;
use crate::support::{PYTHON, Project};

#[test]
fn a_local_base_is_handed_to_a_builder_that_cannot_see_it() {
    let project = Project::new();
    let builder = FarBuilder::start(&project);
    // In the namespace, so that it is removed with the project; it is never pushed.
    let base = format!("{}/only-here:1", project.namespace);
    project.file("base/Dockerfile", format!("FROM {PYTHON}\nRUN echo here >/from-the-base\n"));
    project.docker(&["build", "--quiet", "--tag", &base, "base"]).ok();

    let spec = format!("flows = [\"flow.py\"]\nbase_image = \"{base}\"\n");
    project.file("flow.py", "print('ran')\n").spec(&spec);
    let build = format!("build --push --builder {}", builder.name);
    let said = project.flowstorage(&build).ended(1);
    let blind = format!("{base}: not found");
    assert!(said.err.contains(&blind), "the builder is to see nothing of the engine: {}", said.err);

    project.spec(&format!("{spec}local_image = true\n"));
    let read = "import json; print(json.dumps(open('/from-the-base').read()))";
    // The engine's own builder finds the image by its name.
    for build in [build.as_str(), "build --push"] {
        let image = project.flowstorage(build).ok().out;
        assert_eq!(project.python(image.trim(), read), json!("here\n"), "{build}");
    }
}
