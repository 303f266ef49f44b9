//! Libraries and programs that an image lacks: the check names the package that has them.
//!
//! **Invariant:** no test has the packages of its dependencies inferred: what is missing is found in
//! the image.

use crate::support::registry::Reference;
use crate::support::{Project, Said};

const ALONE: &str = "infer_system_packages = false\n";

/// Builds, fails, and says exactly these lines; nothing is pushed.
#[track_caller]
fn fails(project: &Project, verdict: &[&str]) -> Said {
    let said = project.flowstorage("build --push").ended(1);
    assert_eq!(said.verdict(), verdict, "{}", said.err);
    let image = format!("{}/app:none", project.namespace);
    assert_eq!(Reference::of(&image).tags(), Vec::<String>::new());
    said
}

#[test]
fn a_wheel_that_wants_libraries_of_the_system() {
    let project = Project::new();
    let opencv = format!("{ALONE}python_dependencies = [\"opencv-python==4.10.0.84\"]\n");
    project.plain(&opencv);
    fails(
        &project,
        &[
            "ERROR: `libGL.so.1`, needed by `opencv-python`, is missing; \
             `libglib-2.0.so.0`, needed by `opencv-python`, is missing; \
             `libgthread-2.0.so.0`, needed by `opencv-python`, is missing",
            "hint: add `libgl1` to `system_packages`; add `libglib2.0-0` to `system_packages`",
        ],
    );
    project.plain(&format!("{opencv}system_packages = [\"libgl1\", \"libglib2.0-0\"]\n"));
    project.flowstorage("build --push").ok();
}

#[test]
fn a_command_that_the_flow_runs() {
    let project = Project::new();
    let commands = format!("{ALONE}required_commands = [\"sh\", \"git\", \"/bin/ls\"]\n");
    project.plain(&commands);
    fails(
        &project,
        &["ERROR: the command `git` is not on PATH", "hint: add `git` to `system_packages`"],
    );
    project.plain(&format!("{commands}system_packages = [\"git\"]\n"));
    project.flowstorage("build --push").ok();
}

#[test]
fn a_registered_odbc_driver_whose_own_library_is_missing() {
    let project = Project::new();
    let driver = format!("{ALONE}system_packages = [\"odbc-postgresql\"]\n");
    project.plain(&driver);
    project.flowstorage("build --push").ok();

    let project = Project::new();
    let takes_away =
        "extra_dockerfile_commands = [\"RUN rm /usr/lib/*/libpq.so.5* && ldconfig\"]\n";
    project.plain(&format!("{driver}{takes_away}"));
    fails(
        &project,
        &[
            "ERROR: the ODBC driver `PostgreSQL ANSI` needs `libpq.so.5`, which is missing; \
             the ODBC driver `PostgreSQL Unicode` needs `libpq.so.5`, which is missing",
            "hint: add `libpq5` to `system_packages`",
        ],
    );
}
