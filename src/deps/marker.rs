//! Whether a requirement counts on Linux, and which extras it asks for.
//!
//! Markers are those of <https://packaging.python.org/en/latest/specifications/dependency-specifiers/>.
//!
//! **Invariant:** what only the image could tell (its kernel, its patch release) counts as true.

use pep508_rs::{ExtraName, MarkerEnvironment, MarkerEnvironmentBuilder};

/// A requirement, read for what it asks of a system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its extras, normalised, in order.
    pub extras: Vec<String>,
    /// Whether its marker can be true on Linux with this Python and machine.
    pub applies: bool,
}

/// Reads the line of a requirement. What is no requirement by name applies and has no extras.
pub fn asked(line: &str, python: Option<(u8, u8)>, arch: &str) -> Asked {
    let (requirement, _) = line.split_once(" --hash").unwrap_or((line, ""));
    let Ok(parsed) = super::requirements::pep508(requirement) else {
        return Asked { extras: Vec::new(), applies: true };
    };
    // Without a known Python it is enough that one of those in use fits.
    let pythons: Vec<(u8, u8)> = match python {
        Some(python) => vec![python],
        None => (8..=14).map(|minor| (3, minor)).collect(),
    };
    let mut environments = pythons.into_iter().filter_map(|python| linux(python, arch));
    let no_extras: &[ExtraName] = &[];
    let applies = environments.any(|environment| parsed.marker.evaluate(&environment, no_extras));
    Asked { extras: parsed.extras.iter().map(ToString::to_string).collect(), applies }
}

fn linux((major, minor): (u8, u8), arch: &str) -> Option<MarkerEnvironment> {
    let full = format!("{major}.{minor}.0");
    let short = format!("{major}.{minor}");
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &full,
        os_name: "posix",
        platform_machine: arch,
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: &full,
        python_version: &short,
        sys_platform: "linux",
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_those_of_linux() {
        for (line, python, applies) in [
            ("pywin32; sys_platform == 'win32'", Some((3, 11)), false),
            ("uvloop; sys_platform != 'win32' --hash=sha256:00", None, true),
            ("x; python_version < '3.9'", Some((3, 11)), false),
            ("x; python_version < '3.9'", None, true),
            ("x; python_version < '3.7'", None, false),
            ("x; platform_machine == 'aarch64'", None, false),
            ("x==1; extra == 'y'", None, false),
            ("https://example.org/x.whl", None, true),
        ] {
            assert_eq!(asked(line, python, "x86_64").applies, applies, "{line}");
        }
    }

    #[test]
    fn extras_are_normalised() {
        let found = asked("psycopg[Binary,c_x]>=3; os_name == 'posix'", None, "x86_64");
        assert_eq!(found, Asked { extras: vec!["binary".into(), "c-x".into()], applies: true });
    }
}
