use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::term::Term;

const DOCKER: &[(&str, &str)] = &[
    ("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "/usr/bin/docker"),
    ("DOCKER_CLI_PLUGIN_SOCKET", "@docker_cli_0123"),
];

fn host(env: &[(&str, &str)]) -> Host {
    let env: BTreeMap<OsString, OsString> =
        env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let term = Term::from_writers(Box::new(Vec::new()), Box::new(Vec::new()));
    Host { env, cwd: PathBuf::from("/"), term }
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

fn parse(line: &str, env: &[(&str, &str)]) -> Result<Call, Error> {
    let mut args = vec![OsString::from("/plugins/docker-flowstorage")];
    args.extend(words(line));
    Call::parse(&args, &host(env))
}

fn run(line: &str) -> Verb {
    Verb::Run(words(line))
}

fn help(line: &str) -> Verb {
    Verb::Help(words(line))
}

#[test]
fn every_argument_vector_that_docker_sends_is_sorted_out() {
    let table = [
        ("flowstorage build -f x", "", run("build -f x")),
        ("--context foo --debug flowstorage build", "--context foo --debug", run("build")),
        ("-Dc foo flowstorage build", "-Dc foo", run("build")),
        (
            "--context=foo --tls=false -lwarn flowstorage build",
            "--context=foo --tls=false -lwarn",
            run("build"),
        ),
        ("-- flowstorage build", "", run("build")),
        ("-D -- flowstorage build", "-D", run("build")),
        ("help flowstorage build", "", help("build")),
        ("help flowstorage", "", help("")),
        ("-D help flowstorage build", "-D", help("build")),
        ("flowstorage --help", "", run("--help")),
        ("--help flowstorage", "--help", help("")),
        ("-h flowstorage", "-h", help("")),
        ("--help flowstorage build", "--help", help("build")),
        ("--help=false flowstorage build", "--help=false", run("build")),
        ("flowstorage", "", run("")),
        ("-v flowstorage build", "-v", run("version")),
        ("--context flowstorage flowstorage build", "--context flowstorage", run("build")),
        ("-H unix:///a -H=b flowstorage x", "-H unix:///a -H=b", run("x")),
        (
            "--tlscacert a --tlscert b --tlskey c --tlsverify flowstorage x",
            "--tlscacert a --tlscert b --tlskey c --tlsverify",
            run("x"),
        ),
        ("flowstorage flowstorage", "", run("flowstorage")),
        ("flowstorage build -- -D", "", run("build -- -D")),
    ];
    for (line, globals, verb) in table {
        let expected = Call {
            globals: words(globals),
            original_cli: Some("/usr/bin/docker".into()),
            socket: Some("@docker_cli_0123".into()),
            config_dir: None,
            command_path: "docker flowstorage",
            verb,
        };
        assert_eq!(parse(line, DOCKER).unwrap(), expected, "{line}");
    }
}

#[test]
fn the_binary_works_without_docker_in_front() {
    for env in [&[][..], DOCKER] {
        let call = parse("--context X build -f x", env).unwrap();
        assert_eq!(call.command_path, "docker-flowstorage");
        assert_eq!(call.program(), "docker-flowstorage");
        assert_eq!(call.globals, words("--context X"));
        assert_eq!(call.verb, run("build -f x"));
        // What another plugin's docker left in the environment is not meant for us.
        assert_eq!(call.original_cli, None);
        assert_eq!(call.socket, None);
    }
    assert_eq!(parse("", &[]).unwrap().verb, run(""));
    assert_eq!(parse("help build", &[]).unwrap().verb, help("build"));
    assert_eq!(parse("--help", &[]).unwrap().verb, help(""));
    assert_eq!(parse("--version", &[]).unwrap().verb, run("version"));
    assert_eq!(parse("flowstorage build", &[]).unwrap().verb, run("flowstorage build"));
}

#[test]
fn the_last_config_folder_counts() {
    let call = parse("--config a --config=/b flowstorage version", DOCKER).unwrap();
    assert_eq!(call.config_dir.as_deref(), Some(Path::new("/b")));
    assert_eq!(call.globals, words("--config a --config=/b"));
}

#[test]
fn an_unknown_global_flag_is_a_usage_error() {
    let error = parse("--bogus build", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown flag: --bogus\n\n\
         Usage:  docker-flowstorage [OPTIONS] COMMAND\n\n\
         Run 'docker-flowstorage --help' for more information"
    );
    assert_eq!(u8::from(error.exit()), 125);
}

#[test]
fn completion_drops_our_name_and_does_not_trust_the_callers() {
    let table = [
        ("__complete flowstorage bu", "bu", true),
        ("__completeNoDesc flowstorage bu", "bu", false),
        ("__completeNoDesc bu", "bu", false),
        ("__complete flowstorage", "flowstorage", true),
        ("__complete flowstorage build flowstorage", "build flowstorage", true),
    ];
    for (line, expected, descriptions) in table {
        let call = parse(line, DOCKER).unwrap();
        let expected = Verb::Complete { words: words(expected), descriptions };
        assert_eq!(call.verb, expected, "{line}");
        assert_eq!(call.original_cli, None, "{line}");
    }
    let env = [("DOCKER_CLI_DISABLE_COMPLETION_DESCRIPTION", "1")];
    let call = parse("__complete flowstorage bu", &env).unwrap();
    assert_eq!(call.verb, Verb::Complete { words: words("bu"), descriptions: false });
}

#[test]
fn only_the_metadata_request_is_answered_early() {
    assert_eq!(metadata_request(&words("docker-flowstorage")), None);
    assert_eq!(metadata_request(&words("docker-flowstorage version")), None);
    assert_eq!(metadata_request(&words("x flowstorage docker-cli-plugin-metadata")), None);
}
