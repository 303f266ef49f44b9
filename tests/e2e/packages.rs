//! Every Debian package that the tables name is one that apt knows, on each release.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{PYTHON, Project};

/// Lists the names of all packages of both releases, from wherever the base gets its own.
const DOCKERFILE: &str = r#"
FROM BASE AS apt
RUN <<END
set -eu
. /etc/os-release
for release in bookworm trixie; do
  etc=/tmp/$release/etc
  mkdir -p "$etc" "/tmp/$release/lists/partial" "/tmp/$release/cache/archives/partial" /names
  cp -r /etc/apt/. "$etc"
  find "$etc" '(' -name '*.list' -o -name '*.sources' ')' -exec sed -i "s/\b$VERSION_CODENAME/$release/g" {} +
  cat >"/tmp/$release/apt.conf" <<CONF
Dir::Etc "$etc";
Dir::State::Lists "/tmp/$release/lists";
Dir::State::Status "/dev/null";
Dir::Cache "/tmp/$release/cache";
Acquire::Languages "none";
CONF
  export APT_CONFIG=/tmp/$release/apt.conf
  apt-get -qq -o APT::Update::Error-Mode=any update
  apt-cache pkgnames | sort >"/names/$release"
done
END
FROM scratch
COPY --from=apt /names /
"#;

/// A table's name, its text, and its columns with names of Debian 12 and of Debian 13.
type Table = (&'static str, &'static str, &'static [usize], &'static [usize]);

const TABLES: &[Table] = &[
    ("distributions", include_str!("../../src/packages/data/distributions.tsv"), &[1, 2, 3], &[]),
    ("debian", include_str!("../../src/packages/data/debian.tsv"), &[0], &[1]),
    ("sonames", include_str!("../../src/packages/data/sonames.tsv"), &[1], &[2]),
    ("headers", include_str!("../../src/packages/data/headers.tsv"), &[1], &[2]),
    ("programs", include_str!("../../src/packages/data/programs.tsv"), &[1], &[]),
    ("external", include_str!("../../src/packages/data/external.tsv"), &[1, 2], &[]),
];

const DEBIAN: usize = 1;

#[test]
fn every_name_is_known_to_apt() {
    let project = Project::new();
    project.file("Dockerfile", DOCKERFILE.replace("BASE", PYTHON));
    project.docker(&["buildx", "build", "--output", "type=local,dest=names", "."]).ok();
    let names = |release: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(project.folder().join("names").join(release)).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    };
    let (bookworm, trixie) = (names("bookworm"), names("trixie"));
    assert!(bookworm.len() > 50_000 && trixie.len() > 50_000, "apt has not read its lists");

    let mut wrong = Vec::new();
    for (table, text, in_bookworm, in_trixie) in TABLES {
        for row in text.lines().skip(1) {
            let cells: Vec<&str> = row.split('\t').collect();
            let columns = [(*in_bookworm, &bookworm, "bookworm"), (*in_trixie, &trixie, "trixie")];
            for (columns, known, release) in columns {
                let listed = columns.iter().flat_map(|column| cells[*column].split(','));
                wrong.extend(
                    listed
                        .map(|name| if name == "=" { cells[0] } else { name })
                        .filter(|name| *name != "-" && !known.contains(*name))
                        .map(|name| format!("{table}: {}: no `{name}` in {release}", cells[0])),
                );
            }
        }
    }
    let gone = TABLES[DEBIAN].1.lines().filter_map(|row| row.split_once("\t-\t"));
    wrong.extend(
        gone.filter(|(name, _)| trixie.contains(*name))
            .map(|(name, _)| format!("debian: `{name}` is in trixie after all")),
    );
    assert!(wrong.is_empty(), "{} names are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
