//! A plan on paper and the folder of `plan -o`.
//!
//! **Invariant:** plain `docker buildx bake` makes of the folder the image that `build` makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::registry::Reference;
use crate::support::{PREFECT, Project};

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn etl() -> Project {
    let project = Project::new();
    project
        .file("flow.py", "from prefect import Flow\nwith Flow('etl') as flow:\n    pass\n")
        .file("conf/a b.ini", "[x]\n")
        .file("conf/${x}.ini", "[y]\n")
        .spec(&format!(
            "flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\npython_dependencies = [\"six\"]\n\
             env_vars = {{ HELLO = \"a \\\"b\\\" ${{x}} %{{y}}\\n$PATH\" }}\nfiles = {{ conf = \"/etc/etl\" }}\n"
        ));
    project
}

#[test]
fn the_folder_builds_to_the_same_image_without_us() {
    let project = etl();
    let ours = Reference::of(&project.pushed());
    project.flowstorage("plan -o out").ok();

    fs::remove_file(project.client().join("cli-plugins/docker-flowstorage")).unwrap();
    fs::remove_file(project.folder().join("flow.py")).unwrap();
    fs::remove_dir_all(project.folder().join("conf")).unwrap();
    let out = project.folder().join("out");
    let mut command = project.command("docker", &["buildx", "bake", "--push"]);
    let baked = command.current_dir(out).output().unwrap();
    assert!(baked.status.success(), "{}", String::from_utf8_lossy(&baked.stderr));

    let tags = ours.tags();
    assert_eq!(tags.len(), 1, "the folder names the same tag: {tags:?}");
    let theirs = Reference::of(&format!("{}/app:{}", project.namespace, tags[0]));
    assert_eq!(theirs.config(), ours.config());
    assert_eq!(theirs.digest(), ours.digest());
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let project = etl();
    let plans: Vec<String> = (0..2).map(|_| project.flowstorage("plan").ok().out).collect();
    assert_eq!(plans[0], plans[1]);
    project.flowstorage("plan -o one").ok();
    project.flowstorage("plan -o two").ok();
    let one = tree(&project.folder().join("one"));
    assert!(one.contains_key("app/Dockerfile") && one.contains_key("docker-bake.json"));
    assert_eq!(one, tree(&project.folder().join("two")));

    // And so does another place with the same files, whatever umask and times they have.
    let elsewhere = etl();
    let spec = fs::read(project.folder().join("flowstorage.toml")).unwrap();
    elsewhere.file("flowstorage.toml", spec);
    let script = ["-c", "umask 077; touch -d @1 flow.py; docker flowstorage plan -o one"];
    elsewhere.run("sh", &script).ok();
    assert_eq!(tree(&elsewhere.folder().join("one")), one);
    assert_eq!(elsewhere.flowstorage("plan").ok().out, plans[0]);
}
