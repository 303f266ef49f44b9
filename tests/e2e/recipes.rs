//! Recipes as built: what each promises is tried in its image.
//!
//! **Invariant:** a recipe that its table calls verified is here; the others are texts only, in
//! `tests/fixtures/plan/recipes`.

use std::collections::BTreeSet;

use docker_flowstorage::packages::recipes;
use serde_json::json;

use crate::support::{PYTHON, Project};

/// Builds a plain flow with recipes; returns the image.
#[track_caller]
fn built(project: &Project, spec: &str) -> String {
    project.plain(spec);
    project.pushed()
}

/// What a shell in the image prints.
#[track_caller]
fn sh(project: &Project, image: &str, script: &str) -> String {
    project.docker(&["run", "--rm", image, "sh", "-c", script]).ok().out
}

/// The recipes that this file builds.
const BUILT: [&str; 5] = ["chromium", "freetds", "java", "odbc-postgresql", "openssl-legacy-tls"];

#[test]
fn what_is_called_verified_is_built_here() {
    let verified = recipes::all().iter().filter(|(_, recipe)| recipe.verified == "yes");
    let verified: BTreeSet<&str> = verified.map(|(name, _)| name.as_str()).collect();
    assert_eq!(verified, BTreeSet::from(BUILT));
}

#[test]
fn odbc_drivers_are_registered() {
    let project = Project::new();
    let image = built(
        &project,
        "python_dependencies = [\"pyodbc\"]\n[recipes]\nodbc-postgresql = {}\n\
         freetds = { tools = true }\n",
    );
    let program = "import json, pyodbc; print(json.dumps(sorted(pyodbc.drivers())))";
    let drivers = json!(["FreeTDS", "PostgreSQL ANSI", "PostgreSQL Unicode"]);
    assert_eq!(project.python(&image, program), drivers);
    // Nobody listens: the driver itself says so.
    let program = "import json, pyodbc
def refused(driver):
    try:
        pyodbc.connect(f'Driver={driver};Server=127.0.0.1;Port=1;UID=x;PWD=x;Database=x')
    except pyodbc.Error as error:
        return str(error)
print(json.dumps(['[FreeTDS]' in refused('FreeTDS'),
    'Connection refused' in refused('PostgreSQL Unicode')]))";
    assert_eq!(project.python(&image, program), json!([true, true]));
    assert!(sh(&project, &image, "tsql -C").contains("TDS version"));
}

/// A server and a client of TLS 1.0, both with the image's own configuration.
const HANDSHAKE: &str = "cd /tmp
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost 2>/dev/null
openssl s_server -accept 4433 -cert cert -key key -quiet >server 2>&1 &
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.5
    echo | openssl s_client -connect localhost:4433 -tls1 >client 2>&1
    grep -q 'Connection refused\\|connect:errno' client || break
done
grep -o 'New, [^ ]*' client
true";

#[test]
fn an_old_server_is_spoken_to() {
    let project = Project::new();
    project.docker(&["pull", "--quiet", PYTHON]).ok();
    assert_eq!(sh(&project, PYTHON, HANDSHAKE), "New, (NONE),\n");
    let image = built(&project, "recipes = \"openssl-legacy-tls\"\n");
    assert_eq!(sh(&project, &image, HANDSHAKE), "New, TLSv1.0,\n");
    // The level of the well-known recipe takes old ciphers; since OpenSSL 3, TLS 1.0 needs more.
    let image = built(&project, "recipes = { openssl-legacy-tls = { security_level = 1 } }\n");
    assert_eq!(sh(&project, &image, HANDSHAKE), "New, (NONE),\n");
    let ciphers = "openssl ciphers -s -v DEFAULT@SECLEVEL=1 >/dev/null && \
        grep -E '^(MinProtocol|CipherString)' /etc/ssl/openssl.cnf | sort";
    let set = "CipherString = DEFAULT@SECLEVEL=1\nMinProtocol = TLSv1\n";
    assert_eq!(sh(&project, &image, ciphers), set);
}

#[test]
fn any_openssl_cnf_is_changed_where_it_counts() {
    let project = Project::new();
    let tail = "ssl_conf = ssl_sect\n\n[ssl_sect]\nsystem_default = system_default_sect\n\n\
        [system_default_sect]\nCipherString = DEFAULT@SECLEVEL=0\nMinProtocol = TLSv1\n";
    let (_, program) = recipes::program("openssl-legacy-tls.sh").unwrap();
    project.file("program.sh", program);
    let mount = format!("{}:/mnt:ro", project.folder().display());
    for (before, after) in [
        ("", format!("openssl_conf = openssl_init\n\n[openssl_init]\n{tail}")),
        (
            "HOME = .\n# openssl_conf = x\n[ req ]\nbits = 1\n",
            format!(
                "openssl_conf = openssl_init\nHOME = .\n# openssl_conf = x\n[ req ]\nbits = 1\n\n\
                 [openssl_init]\n{tail}"
            ),
        ),
        (
            "openssl_conf = a # first\n[a]\nssl_conf = b\n[ b ]\nsystem_default = c\n[c]\n\
             MinProtocol = TLSv1.2\nCipherString = DEFAULT@SECLEVEL=2\nOptions = x\n[d]\nx = y\n",
            "openssl_conf = a # first\n[a]\nssl_conf = b\n[ b ]\nsystem_default = c\n[c]\n\
             CipherString = DEFAULT@SECLEVEL=0\nMinProtocol = TLSv1\nOptions = x\n[d]\nx = y\n"
                .to_owned(),
        ),
    ] {
        project.file("before.cnf", before);
        let script = "cp /mnt/before.cnf /etc/ssl/openssl.cnf
            for run in first second; do sh /mnt/program.sh TLSv1 0; done; cat /etc/ssl/openssl.cnf";
        let run = ["run", "--rm", "--volume", &mount, PYTHON, "sh", "-c", script];
        assert_eq!(project.docker(&run).ok().out, after, "{before}");
    }
}

#[test]
fn java_runs() {
    let project = Project::new();
    let image = built(&project, "recipes = [\"java\"]\n");
    let script = "\"$JAVA_HOME/bin/java\" -version 2>&1 | head -n 1 | cut -d ' ' -f 1-2";
    assert_eq!(sh(&project, &image, script), "openjdk version\n");
}

#[test]
fn chromium_draws_a_page() {
    let project = Project::new();
    let image = built(&project, "recipes = [\"chromium\"]\n");
    let script = "\"$CHROME_BIN\" --headless --no-sandbox --disable-gpu --dump-dom \
        'data:text/html,<p id=x></p><script>x.textContent=6*7</script>' 2>/dev/null \
        | grep -o '<p id=\"x\">.*</p>'; chromedriver --version | cut -d ' ' -f 1";
    assert_eq!(sh(&project, &image, script), "<p id=\"x\">42</p>\nChromeDriver\n");
}

/// An archive of the vendor's form, made here: its own could not be had.
#[test]
fn an_archive_of_the_client_is_unpacked_and_found() {
    let project = Project::new();
    let make = "import os, stat, zipfile
with zipfile.ZipFile('client.zip', 'w') as archive:
    for name in ('libclntsh.so.23.1', 'adrci'):
        entry = zipfile.ZipInfo('instantclient_23_9/' + name)
        entry.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(entry, 'x')
    entry = zipfile.ZipInfo('instantclient_23_9/libclntsh.so')
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, 'libclntsh.so.23.1')";
    project.run("python3", &["-c", make]).ok();
    let image = built(
        &project,
        "[recipes.oracle-instantclient]\nfile = \"client.zip\"\naccept_license = true\n",
    );
    let script = "cat /etc/ld.so.conf.d/oracle-instantclient.conf
        cd /opt/oracle/instantclient_23_9; ls -l | awk '{ print $1, $9, $10, $11 }' | tail -n +2
        ldconfig -p | grep -c 'libaio.so.1 '; ls /mnt";
    assert_eq!(
        sh(&project, &image, script),
        "/opt/oracle/instantclient_23_9\n\
         -rwxr-xr-x adrci  \n\
         lrwxrwxrwx libclntsh.so -> libclntsh.so.23.1\n\
         -rwxr-xr-x libclntsh.so.23.1  \n1\n"
    );
}
