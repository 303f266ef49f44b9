//! Docker's own flags on their way to the nested buildx.
//!
//! **Invariant:** the engine is reached through the flags alone: no variable names it.

use crate::support::registry::Reference;
use crate::support::{BINARY, Project, engine};

#[test]
fn dockers_flags_reach_the_buildx_that_builds() {
    let mut project = Project::new();
    project.plain("");
    let host = format!("host={}", engine());
    project.docker(&["context", "create", "live", "--docker", &host]).ok();
    project.docker(&["context", "create", "dead", "--docker", "host=unix:///nowhere.sock"]).ok();
    project.docker(&["context", "use", "dead"]).ok();
    project.env("DOCKER_HOST", "");

    let dead = project.docker(&["flowstorage", "build", "--push"]).ended(3);
    assert_eq!(dead.verdict()[0], "ERROR: the Docker daemon does not answer");

    for globals in [&["--context", "live", "-D"][..], &["-Dclive"], &["-H", &host[5..]]] {
        let words = [globals, &["flowstorage", "build", "--push"]].concat();
        let built = project.docker(&words).ok();
        let digest = Reference::of(built.out.trim()).digest();
        assert!(digest.is_some_and(|digest| built.out.trim().ends_with(&digest)), "{built:?}");
    }
    project.env("DOCKER_CONTEXT", "live");
    project.docker(&["flowstorage", "build", "--push"]).ok();
    project.run(BINARY, &["--context", "live", "build", "--push"]).ok();
}
