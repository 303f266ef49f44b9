use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ArgAction;

use super::*;
use crate::term::Term;

fn host(env: &[(&str, &str)]) -> Host {
    let env: BTreeMap<OsString, OsString> =
        env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let term = Term::from_writers(Box::new(Vec::new()), Box::new(Vec::new()));
    Host { env, cwd: PathBuf::from("/"), term }
}

fn call(verb: Verb) -> Call {
    Call {
        globals: Vec::new(),
        original_cli: Some("docker".into()),
        socket: None,
        config_dir: None,
        command_path: "docker flowstorage",
        verb,
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

fn parse_with(line: &str, env: &[(&str, &str)]) -> Result<Parsed, Error> {
    parse(&call(Verb::Run(words(line))), &host(env))
}

fn run(line: &str) -> Result<Parsed, Error> {
    parse_with(line, &[])
}

#[track_caller]
fn build(line: &str, env: &[(&str, &str)]) -> BuildArgs {
    match parse_with(line, env).unwrap() {
        Parsed::Run(Command::Build(args)) => *args,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(line: &str, env: &[(&str, &str)]) -> (String, u8) {
    let error = parse_with(line, env).unwrap_err();
    let first = error.to_string().lines().next().unwrap_or_default().to_owned();
    (first, error.exit().into())
}

#[track_caller]
fn page(line: &str) -> String {
    match run(line).unwrap() {
        Parsed::Print(text) => text,
        other @ Parsed::Run(_) => panic!("{other:?}"),
    }
}

#[test]
fn the_grammar_is_sound() {
    command().debug_assert();
}

#[test]
fn every_flag_says_what_it_does_as_docker_would() {
    for sub in command().get_subcommands() {
        let about = sub.get_about().unwrap().to_string();
        assert!(!about.ends_with('.') && !about.contains('`'), "{about}");
        for arg in sub.get_arguments().filter(|arg| !arg.is_positional()) {
            let help = arg.get_help().unwrap().to_string();
            let name = format!("{} --{}", sub.get_name(), arg.get_long().unwrap());
            assert!(help.is_ascii() && !help.ends_with('.') && !help.contains('`'), "{name}");
            // Go's flags print the kind of value, which clap would take from the field's name.
            if arg.get_action().takes_values() {
                let kind = arg.get_value_names().unwrap()[0].as_str();
                let many = matches!(arg.get_action(), ArgAction::Append);
                assert_eq!(kind, if many { "stringArray" } else { "string" }, "{name}");
            }
        }
    }
}

#[test]
fn every_flag_of_build_reaches_its_field() {
    let line = "build one --push --platform linux/amd64,linux/arm64 --platform x -t a -tb --builder c \
                --pull --no-cache --cache-from d --cache-from e,f --cache-to=g --secret id=h --ssh default \
                --build-arg A=1 --build-arg B=a,b -o type=local,dest=i --metadata-file j --progress=plain \
                --format json --provenance false --sbom true -f k.toml two --registry-url r \
                --image-name n --image-tag t --flows-json fj --storage-json=sj --pin-digest \
                --prefect-yaml py --fix -y";
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let expected = BuildArgs {
        spec: SpecArgs { file: Some("k.toml".into()), storages: list(&["one", "two"]) },
        names: NameArgs {
            registry_url: Some("r".into()),
            image_name: Some("n".into()),
            image_tag: Some("t".into()),
        },
        push: true,
        load: false,
        platform: list(&["linux/amd64", "linux/arm64", "x"]),
        tag: list(&["a", "b"]),
        builder: Some("c".into()),
        pull: true,
        no_cache: true,
        cache_from: list(&["d", "e,f"]),
        cache_to: list(&["g"]),
        secret: list(&["id=h"]),
        ssh: list(&["default"]),
        build_arg: list(&["A=1", "B=a,b"]),
        output: list(&["type=local,dest=i"]),
        metadata_file: Some("j".into()),
        progress: Progress::Plain,
        quiet: false,
        format: Format::Json,
        provenance: Some("false".into()),
        sbom: Some("true".into()),
        flows_json: Some("fj".into()),
        storage_json: Some("sj".into()),
        pin_digest: true,
        prefect_yaml: Some("py".into()),
        fix: true,
        yes: true,
    };
    assert_eq!(build(line, &[]), expected);
    assert_eq!(build("build", &[]), BuildArgs::default());
}

#[test]
fn flags_may_stand_anywhere_and_the_last_one_counts() {
    assert!(build("build x --load", &[]).load);
    assert!(!build("build --load --load=false", &[]).load);
    assert!(build("build --load=false --load", &[]).load);
    assert!(build("build --push --load=false", &[]).push);
    assert_eq!(build("build -f a -fb -f=c", &[]).spec.file, Some("c".into()));
    assert_eq!(build("build --builder a --builder b", &[]).builder.as_deref(), Some("b"));
    assert_eq!(build("build -- --push -x", &[]).spec.storages, ["--push", "-x"]);
    assert_eq!(build("build --builder= ", &[]).builder.as_deref(), Some(""));
    assert_eq!(build("build -", &[]).spec.storages, ["-"]);
    let quiet = build("build -qf a", &[]);
    assert_eq!((quiet.progress, quiet.spec.file), (Progress::Quiet, Some("a".into())));
}

#[test]
fn the_environment_sets_what_the_command_line_leaves_open() {
    let env =
        [("BUILDKIT_PROGRESS", "plain"), ("DOCKER_DEFAULT_PLATFORM", "linux/arm64,linux/386")];
    let args = build("build", &env);
    assert_eq!(args.progress, Progress::Plain);
    assert_eq!(args.platform, ["linux/arm64", "linux/386"]);
    let args = build("build --progress tty --platform linux/amd64", &env);
    assert_eq!(
        (args.progress, &args.platform[..]),
        (Progress::Tty, &["linux/amd64".to_owned()][..])
    );
    assert_eq!(build("build -q", &env).progress, Progress::Quiet);
    assert_eq!(build("build", &[("BUILDKIT_PROGRESS", "none")]).progress, Progress::Quiet);
    assert_eq!(build("build", &[("BUILDKIT_PROGRESS", "")]).progress, Progress::Auto);
    // `check` has neither flag: the variables are nothing to it.
    let env = [("BUILDKIT_PROGRESS", "bogus"), ("DOCKER_DEFAULT_PLATFORM", "x")];
    let expected = Parsed::Run(Command::Check(CheckArgs::default()));
    assert_eq!(parse_with("check", &env).unwrap(), expected);
    assert_eq!(
        refused("build", &env).0,
        "invalid value \"bogus\" of BUILDKIT_PROGRESS: \
         must be one of \"auto\", \"plain\", \"quiet\", \"rawjson\", \"tty\""
    );
}

#[test]
fn wrong_use_is_refused_in_dockers_words() {
    let modes = "\"auto\", \"plain\", \"quiet\", \"rawjson\", \"tty\"";
    let table = [
        ("build --nope", "unknown flag: --nope", 125),
        ("--nope build", "unknown flag: --nope", 125),
        ("build -x", "unknown shorthand flag: 'x' in -x", 125),
        ("build -f", "flag needs an argument: 'f' in -f", 125),
        ("build --file", "flag needs an argument: --file", 125),
        ("build --help --nope", "unknown flag: --nope", 125),
        ("build --nope --help", "unknown flag: --nope", 125),
        ("nosuch --nope", "unknown flag: --nope", 125),
        (
            "build -q=maybe",
            "invalid argument \"maybe\" for \"-q, --quiet\" flag: \
             strconv.ParseBool: parsing \"maybe\": invalid syntax",
            125,
        ),
        (
            "build --progress loud",
            &format!("invalid argument \"loud\" for \"--progress\" flag: must be one of {modes}"),
            125,
        ),
        (
            "version -f yaml",
            "invalid argument \"yaml\" for \"-f, --format\" flag: must be one of \"default\", \"json\"",
            125,
        ),
        ("build --push --load", "conflicting options: cannot specify both --push and --load", 125),
        ("build --load --push", "conflicting options: cannot specify both --push and --load", 125),
        (
            "build --progress=plain -q",
            "conflicting options: cannot specify both --quiet and --progress=plain",
            125,
        ),
        ("build -y", "conflicting options: cannot specify --yes without --fix", 125),
        (
            "build --fix --yes --fix=0",
            "conflicting options: cannot specify --yes without --fix",
            125,
        ),
        ("version x", "docker: 'docker flowstorage version' accepts no arguments", 1),
        ("install x", "docker: 'docker flowstorage install' accepts no arguments", 1),
        ("nosuch", "docker: unknown command: docker flowstorage nosuch", 1),
        ("buil", "docker: unknown command: docker flowstorage buil", 1),
        ("help", "docker: unknown command: docker flowstorage help", 1),
        ("-- build", "docker: unknown command: docker flowstorage build", 1),
    ];
    for (line, message, exit) in table {
        assert_eq!(refused(line, &[]), (message.to_owned(), exit), "{line}");
    }
}

#[test]
fn an_error_is_laid_out_as_dockers() {
    assert_eq!(
        run("build --nope").unwrap_err().to_string(),
        "unknown flag: --nope\n\n\
         Usage:  docker flowstorage build [OPTIONS] [STORAGE...]\n\n\
         Run 'docker flowstorage build --help' for more information"
    );
    assert_eq!(
        run("nosuch").unwrap_err().to_string(),
        "docker: unknown command: docker flowstorage nosuch\n\n\
         Usage:  docker flowstorage COMMAND\n\n\
         Run 'docker flowstorage --help' for more information"
    );
}

#[test]
fn words_are_counted_as_docker_counts_them() {
    let needs = |required: usize, optional: usize, endless: bool| {
        let mut command = clap::Command::new("tag");
        for at in 0..required + optional {
            let last = at + 1 == required + optional;
            let action = if endless && last { ArgAction::Append } else { ArgAction::Set };
            let name = format!("A{at}");
            command = command.arg(Arg::new(name).required(at < required).action(action));
        }
        command
    };
    let say = |command: &clap::Command, line: &str| {
        let place = Place { command, path: "docker tag".into(), program: "docker" };
        let refusal = reject_count(&place, &words(line)).err().map(|error| error.to_string());
        refusal.map(|text| text.lines().next().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    let two = needs(2, 0, false);
    assert_eq!(say(&two, "a"), "docker: 'docker tag' requires 2 arguments");
    assert_eq!(say(&two, "a b"), "");
    assert_eq!(say(&needs(1, 0, false), ""), "docker: 'docker tag' requires 1 argument");
    assert_eq!(say(&needs(1, 0, true), ""), "docker: 'docker tag' requires at least 1 argument");
    assert_eq!(say(&needs(1, 0, true), "a b c"), "");
    assert_eq!(say(&needs(0, 1, false), "a b"), "docker: 'docker tag' requires at most 1 argument");
    assert_eq!(
        say(&needs(1, 1, false), "a b c"),
        "docker: 'docker tag' requires at least 1 and at most 2 arguments"
    );
    assert_eq!(say(&needs(0, 1, true), "a b c"), "");
}

#[test]
fn help_is_found_wherever_docker_finds_it() {
    let group = page("--help");
    assert!(group.starts_with("Usage:  docker flowstorage COMMAND\n"), "{group}");
    let of_build = page("build --help");
    assert!(of_build.starts_with("Usage:  docker flowstorage build [OPTIONS]"), "{of_build}");
    for line in ["", "nosuch --help", "--help nosuch", "--help=true"] {
        assert_eq!(page(line), group, "{line}");
    }
    for line in ["--help build", "build x --help", "build -q --help=0 --help"] {
        assert_eq!(page(line), of_build, "{line}");
    }
    let notice = "Flag shorthand -h has been deprecated, use --help\n";
    for line in ["build -h", "build -qh"] {
        assert_eq!(page(line), format!("{notice}{of_build}"), "{line}");
    }
    assert_eq!(page("-h"), format!("{notice}{group}"));
    assert_eq!(page("-h build"), format!("{notice}{of_build}"));

    let topic = |line| parse(&call(Verb::Help(words(line))), &host(&[]));
    assert_eq!(topic("build").unwrap(), Parsed::Print(of_build));
    assert_eq!(topic("").unwrap(), Parsed::Print(group));
    for (line, word) in [("nosuch", "nosuch"), ("build nosuch", "nosuch")] {
        let error = topic(line).unwrap_err();
        assert_eq!(error.to_string(), format!("unknown help topic: {word}"));
        assert_eq!(u8::from(error.exit()), 1);
    }
}

#[test]
fn a_letter_of_a_value_is_not_a_request_for_help() {
    assert_eq!(build("build -fhello.py", &[]).spec.file, Some("hello.py".into()));
    let page = page("build -fhello.py --help");
    assert!(page.starts_with("Usage:"), "{page}");
}

#[test]
fn words_that_are_not_utf8_are_named() {
    use std::os::unix::ffi::OsStrExt;
    let bad = OsStr::from_bytes(b"\xff").to_owned();
    let mut flagged = words("build -t");
    flagged.push(bad.clone());
    let error = parse(&call(Verb::Run(flagged)), &host(&[])).unwrap_err().to_string();
    let first = error.lines().next();
    assert_eq!(
        first,
        Some("invalid argument \"\u{fffd}\" for \"-t, --tag\" flag: not valid UTF-8")
    );

    let mut positional = words("build");
    positional.push(bad.clone());
    let error = parse(&call(Verb::Run(positional)), &host(&[])).unwrap_err().to_string();
    let first = error.lines().next();
    let expected = "docker: 'docker flowstorage build' cannot take \"\u{fffd}\": not valid UTF-8";
    assert_eq!(first, Some(expected));

    let mut path = words("build -f");
    path.push(bad.clone());
    match parse(&call(Verb::Run(path)), &host(&[])).unwrap() {
        Parsed::Run(Command::Build(args)) => assert_eq!(args.spec.file, Some(bad.into())),
        other => panic!("{other:?}"),
    }
}
