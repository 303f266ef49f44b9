//! A build that fails says what to add, and the base's own repositories know what no table does.
//!
//! **Invariant:** what is proposed is compared whole, and then does what it says.

use std::fs;
use std::path::Path;

use crate::support::Project;

/// The Python of the plain base has no headers.
const HEADERS: &str = "build_packages = [\"python3-dev\"]\n";

#[test]
fn a_package_without_a_wheel_names_what_compiling_it_takes() {
    let project = Project::new();
    let spec = "python_dependencies = [\"psycopg2==2.9.10\"]\ninfer_system_packages = false\n";
    project.plain(&format!("{HEADERS}{spec}"));
    let said = project.flowstorage("build --push").ended(1);
    // uv has hints of its own, above.
    let verdict = said.verdict();
    assert_eq!(
        verdict[verdict.len().saturating_sub(4)..],
        [
            "ERROR: psycopg2==2.9.10: the headers of PostgreSQL's client library are missing",
            "hint: build_packages = [\"python3-dev\", \"gcc\", \"libc6-dev\", \"libpq-dev\"]",
            "hint: system_packages = [\"libpq5\"]",
            "hint: or ask for `psycopg2-binary` in `python_dependencies`, which needs no compiler",
        ],
        "{}",
        said.err
    );
    assert_eq!(said.out, "");

    let said = project.flowstorage("build --push --format json").ended(1);
    let failed = &said.json()["failed"][0];
    assert_eq!(
        failed["cause"],
        "psycopg2==2.9.10: the headers of PostgreSQL's client library are missing"
    );
    assert_eq!(
        failed["add"],
        serde_json::json!([
            "build_packages = [\"python3-dev\", \"gcc\", \"libc6-dev\", \"libpq-dev\"]",
            "system_packages = [\"libpq5\"]",
        ])
    );

    // What was proposed is right.
    let lines = failed["add"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
    project.plain(&format!("{lines}{spec}"));
    let image = project.pushed();
    let version = "import json, psycopg2; print(json.dumps(psycopg2.__version__[:6]))";
    assert_eq!(project.python(&image, version), "2.9.10");
}

#[test]
fn what_no_table_knows_is_found_in_the_bases_own_repositories() {
    let project = Project::new();
    let compile = "RUN printf '#include <uhd.h>\\n' >/tmp/a.c && gcc -c -o /tmp/a.o /tmp/a.c";
    let compile =
        format!("extra_dockerfile_commands = [\"\"\"{}\"\"\"]\n", compile.replace('\\', "\\\\"));
    let packages = "\"gcc\", \"libc6-dev\"";
    project.plain(&format!("system_packages = [{packages}]\n{compile}"));
    let said = project.flowstorage("build --push").ended(1);
    assert_eq!(
        said.verdict(),
        [
            "ERROR: the header `uhd.h` is missing",
            "hint: system_packages = [\"gcc\", \"libc6-dev\", \"libuhd-dev\"]",
        ],
        "{}",
        said.err
    );
    let note = "looking up `uhd.h` in the package contents of the base image";
    assert_eq!(said.err.lines().filter(|line| *line == note).count(), 1, "{}", said.err);
}

#[test]
fn a_log_of_docker_build_is_completed_by_its_base() {
    let project = Project::new();
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/logs");
    for (log, cause, add) in [
        (
            "lfoo.log",
            "the library `-lmodbus` is missing, which is linked",
            "build_packages = [\"libmodbus-dev\"]",
        ),
        (
            "soname.log",
            "the shared library `libmodbus.so.5` is missing",
            "system_packages = [\"libmodbus5\"]",
        ),
    ] {
        project.file(log, fs::read_to_string(logs.join(log)).unwrap());
        let said = project.flowstorage(&format!("explain --format json {log}")).ok();
        let explained = &said.json()["explanations"][0];
        let found = (&explained["cause"], &explained["add"]);
        assert_eq!(found, (&cause.into(), &[add].into()), "{}", said.err);
    }
}

#[test]
fn a_base_that_is_not_there_leaves_the_tables_alone() {
    let project = Project::new();
    project.file("log", "a.c:1:10: fatal error: uhd.h: No such file or directory\n");
    let base = format!("{}/nothing:here", project.namespace);
    let said = project.flowstorage(&format!("explain --base-image {base} log")).ok();
    assert_eq!(
        said.out,
        "the header `uhd.h` is missing\n\n  a.c:1:10: fatal error: uhd.h: No such file or directory\n"
    );
    assert!(said.err.contains("the base image could not be asked: "), "{}", said.err);
}
