//! `build`: spec → storages → plans → staged context → buildx → report.
//!
//! **Invariant:** a reference is printed only for what buildx reports as done.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use super::{local_base, registration, secrets};
use crate::cli::{BuildArgs, Format, Progress};
use crate::docker::image::{self, Whereabouts};
use crate::docker::metadata::{self, Built};
use crate::docker::run::Requests;
use crate::docker::{Docker, fault};
use crate::drive::{Driven, drive};
use crate::error::{Error, Fault, UsageExit};
use crate::host::Host;
use crate::plan::Plan;
use crate::plan::bake::BakeFile;
use crate::plugin::Call;
use crate::problem::Problem;
use crate::progress::failure::Failure;
use crate::render::{self, Canvas, Charset, Mode};
use crate::report::{self, BuildReport, BuiltReport, FailedReport};
use crate::resolve::Overrides;
use crate::stage::{self, BAKE_FILE, UserContexts};
use crate::storage::Storage;

const METADATA_FILE: &str = "metadata.json";

/// Runs the command.
pub fn run(args: &BuildArgs, call: &Call, host: &mut Host) -> anyhow::Result<()> {
    let result = build(args, call, host);
    // Whoever reads JSON is told in JSON, also where nothing was built.
    if let (Err(error), Format::Json) = (&result, args.format)
        && let Some(Error::Spec(problems)) = error.downcast_ref::<Error>()
    {
        let failed = |problem: &Problem| {
            let place = problem.place.as_ref().map(|place| format!("{place}: "));
            FailedReport {
                name: String::new(),
                step: None,
                cause: place.unwrap_or_default() + &problem.message,
                remedy: Some(problem.remedy.clone()),
            }
        };
        let failed = problems.iter().map(failed).collect();
        host.term.result(&report::json(&BuildReport::new(Vec::new(), failed)))?;
    }
    result
}

fn build(args: &BuildArgs, call: &Call, host: &mut Host) -> anyhow::Result<()> {
    let mode = mode(args, host)?;
    let overrides = Overrides {
        tags: args.tag.clone(),
        platforms: args.platform.clone(),
        ..super::overrides(&args.spec, &args.names)
    };
    let storages = super::load(&args.spec, host)?.resolve(&overrides).map_err(Error::Spec)?;
    let mut plans = super::plans(&storages);
    add_arguments(&mut plans, &args.build_arg, host);
    registration::check(args, &storages, host)?;
    secrets::check(args, &storages, host)?;
    super::warn(&storages, host);
    let mut docker = Docker::discover(call, host)?;
    // Resolving made sure that all storages name the same engine.
    if let Some(address) = storages.iter().find_map(|storage| storage.address.as_ref()) {
        docker = docker.at(address.host.as_deref(), &address.tls);
    }

    let requests = Requests::listen(call.socket.as_deref())?;
    let staged = tempfile::Builder::new()
        .prefix("flowstorage-")
        .tempdir()
        .context("making a temporary folder")?;
    let mut bake = stage::bake_file(&plans, UserContexts::InPlace, staged.path());
    add_options(&mut bake, args, host);
    local_base::hand_over(&mut bake, &plans, args.builder.as_deref(), &docker, staged.path())?;
    let extra = registration::add_targets(&mut bake, args, &plans);
    stage::write(&plans, &bake, staged.path(), UserContexts::InPlace)?;

    let targets: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
    let mut words: Vec<String> = ["buildx", "bake", "--file", BAKE_FILE, "--progress", "rawjson"]
        .into_iter()
        .chain(["--metadata-file", METADATA_FILE])
        .map(str::to_owned)
        .collect();
    if let Some(builder) = &args.builder {
        words.extend(["--builder".to_owned(), builder.clone()]);
    }
    if plans.iter().any(|plan| plan.build.network.as_deref() == Some("host")) {
        words.push("--allow=network.host".to_owned());
    }
    words.extend(targets.iter().chain(extra.iter().map(|(name, _)| name)).cloned());
    let invocation = docker.command(staged.path(), words);
    let charset = Charset::of_locale(["LC_ALL", "LC_CTYPE", "LANG"].map(|name| host.var(name)));
    let redactor = || secrets::redactor(&bake, &storages, host);
    let view = || render::new(mode, Canvas::stderr(host.term.style, charset));
    let mut driven = drive(&invocation, requests, &targets, &extra, redactor(), view())?;
    if lost_a_race(&driven) {
        let requests = Requests::listen(call.socket.as_deref())?;
        driven = drive(&invocation, requests, &targets, &extra, redactor(), view())?;
    }

    if driven.exited.code != 0 {
        return Err(failed(args, &driven, mode, host)?);
    }
    let metadata_path = staged.path().join(METADATA_FILE);
    let metadata = std::fs::read_to_string(&metadata_path)
        .context("reading what buildx reports of the build")?;
    if let Some(file) = &args.metadata_file {
        write_atomically(&host.cwd.join(file), &metadata)?;
    }
    let built = metadata::parse(&metadata)?;
    let mut reports = reports(&storages, &plans, &built, &driven);
    if args.format == Format::Json {
        for report in &mut reports {
            let whereabouts = if args.push { Whereabouts::Registry } else { Whereabouts::Engine };
            let Some(digest) = &report.digest else { continue };
            let described =
                image::describe(&docker, &host.cwd, &report.reference, digest, whereabouts);
            if let Some(described) = described {
                report.platforms = described.platforms;
                report.size = Some(described.size);
            }
        }
    }
    registration::write(args, &storages, &plans, &reports, staged.path(), host)?;
    let report = BuildReport::new(reports, Vec::new());
    host.term.result(&match args.format {
        Format::Default => report.lines(),
        Format::Json => report::json(&report),
    })?;
    Ok(())
}

/// Whether another build named the same image at the same moment: the engine's store then refuses
/// one of the two. Every step is cached by now.
fn lost_a_race(driven: &Driven) -> bool {
    let failures = driven.graph.failures();
    let is_race = |failure: &Failure| {
        let error = failure.error.trim_end();
        error.contains("image \"") && error.ends_with("already exists")
    };
    driven.exited.code != 0
        && !driven.exited.stopped
        && !failures.is_empty()
        && failures.iter().all(is_race)
}

fn mode(args: &BuildArgs, host: &Host) -> Result<Mode, Error> {
    let flag = match args.progress {
        _ if args.quiet => "quiet",
        Progress::Auto => "auto",
        Progress::Plain => "plain",
        Progress::Quiet => "quiet",
        Progress::Rawjson => "rawjson",
        Progress::Tty => "tty",
    };
    Mode::choose(Some(flag), host.term.err_is_terminal).map_err(|fault| {
        let hint = fault.hint.unwrap_or_default();
        Error::Usage { text: format!("{}: {hint}", fault.message), exit: UsageExit::Flags }
    })
}

/// Adds `--build-arg`: `NAME=value`, or `NAME` for a variable of our own environment.
pub(super) fn add_arguments(plans: &mut [Plan], arguments: &[String], host: &Host) {
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), host.var(argument)),
        };
        let Some(value) = value else { continue };
        for plan in plans.iter_mut() {
            plan.args.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// What the command line adds to each target.
fn add_options(bake: &mut BakeFile, args: &BuildArgs, host: &Host) {
    let absolute = |text: &String| from_cwd(text, &host.cwd);
    for target in bake.target.values_mut() {
        target.pull |= args.pull;
        target.no_cache |= args.no_cache;
        target.cache_from.extend(args.cache_from.iter().map(absolute));
        target.cache_to = args.cache_to.iter().map(absolute).collect();
        // What the command line gives replaces what the spec names.
        let id = |secret: &String| secrets::id(secret);
        target.secret.retain(|known| args.secret.iter().all(|given| id(given) != id(known)));
        target.secret.extend(args.secret.iter().map(absolute));
        let id = |entry: &String| entry.split('=').next().unwrap_or_default().to_owned();
        target.ssh.retain(|known| args.ssh.iter().all(|given| id(given) != id(known)));
        target.ssh.extend(args.ssh.iter().cloned());
        target.output = match (args.push, args.output.as_slice()) {
            (true, _) => vec!["type=image,push=true".to_owned()],
            // A container builder has no default, and would throw the image away.
            (false, []) => vec!["type=docker".to_owned()],
            (false, outputs) => outputs.iter().map(absolute).collect(),
        };
        if let Some(provenance) = &args.provenance {
            target.attest = match provenance.as_str() {
                "false" => vec!["type=provenance,disabled=true".to_owned()],
                "true" => vec!["type=provenance".to_owned()],
                options => vec![format!("type=provenance,{options}")],
            };
        }
        match args.sbom.as_deref() {
            None | Some("false") => {}
            Some("true") => target.attest.push("type=sbom".to_owned()),
            Some(options) => target.attest.push(format!("type=sbom,{options}")),
        }
    }
}

/// buildx runs in the staged folder: paths in its options are relative to the user's own.
fn from_cwd(option: &str, cwd: &Path) -> String {
    let is_path = |field: &str| {
        let (key, value) = field.split_once('=')?;
        let holds_path = matches!(key, "dest" | "src" | "source");
        (holds_path && !value.is_empty() && value != "-")
            .then(|| format!("{key}={}", cwd.join(value).to_string_lossy()))
    };
    if !option.contains('=') && option != "-" {
        // The short form of --output: a folder.
        return cwd.join(option).to_string_lossy().into_owned();
    }
    let fields: Vec<String> =
        option.split(',').map(|field| is_path(field).unwrap_or_else(|| field.to_owned())).collect();
    fields.join(",")
}

fn reports(
    storages: &[Storage],
    plans: &[Plan],
    built: &BTreeMap<String, Built>,
    driven: &Driven,
) -> Vec<BuiltReport> {
    let report = |(storage, plan): (&Storage, &Plan)| {
        let totals = driven.graph.totals(&plan.name);
        BuiltReport {
            name: plan.name.clone(),
            reference: report::reference(plan),
            digest: built.get(&plan.name).and_then(|built| built.digest.clone()),
            platforms: plan.platforms.clone(),
            size: None,
            duration_ms: totals.duration.as_millis(),
            steps: totals.steps,
            cached_steps: totals.cached,
            flows: report::flows(storage),
        }
    };
    storages.iter().zip(plans).map(report).collect()
}

/// Says why a build failed; returns the error that ends the command.
fn failed(
    args: &BuildArgs,
    driven: &Driven,
    mode: Mode,
    host: &mut Host,
) -> anyhow::Result<anyhow::Error> {
    // 130 is what Docker's own commands exit with when they are stopped.
    if driven.exited.stopped || driven.exited.code == 130 {
        return Ok(Error::Cancelled.into());
    }
    let failures = driven.graph.failures();
    let mut causes: Vec<(Failure, Error)> =
        failures.into_iter().map(|failure| (failure.clone(), error_of(&failure))).collect();
    if causes.is_empty() {
        let texts: Vec<&str> = driven.graph.texts().collect();
        let error = fault::classify(texts.iter().copied()).unwrap_or_else(|| {
            let last = texts.iter().rev().find(|text| !text.trim().is_empty());
            let said = last.map_or("it said nothing", |text| text.trim());
            let code = driven.exited.code;
            Error::Build(Fault::bare(format!("docker buildx ended with exit code {code}: {said}")))
        });
        causes.push((Failure::default(), error));
    }
    if !matches!(mode, Mode::Quiet | Mode::RawJson) {
        let (width, style) = (host.term.width, host.term.style);
        for (failure, _) in &causes {
            let context = render::failure_context(failure, width, style);
            if !context.is_empty() {
                host.term.note(context.trim_end());
            }
        }
    }
    if args.format == Format::Json {
        let report = |(failure, error): &(Failure, Error)| {
            let names: Vec<String> = if failure.targets.is_empty() {
                driven.graph.targets().to_vec()
            } else {
                failure.targets.clone()
            };
            let one = |name: String| FailedReport {
                name,
                step: failure.step.clone(),
                cause: error.to_string(),
                remedy: error.hint().map(str::to_owned),
            };
            names.into_iter().map(one).collect::<Vec<_>>()
        };
        let failed = causes.iter().flat_map(report).collect();
        host.term.result(&report::json(&BuildReport::new(Vec::new(), failed)))?;
    }
    let mut errors = causes.into_iter().map(|(_, error)| error);
    let first = errors.next().unwrap_or(Error::Cancelled);
    for other in errors {
        // The last one is printed where every command's error is.
        host.term.error(&other.to_string());
        if let Some(hint) = other.hint() {
            host.term.hint(hint);
        }
    }
    Ok(first.into())
}

/// The error that a failure stands for.
fn error_of(failure: &Failure) -> Error {
    let known = if !failure.findings.is_empty() {
        None
    } else if failure.exit_code.is_some() {
        fault::classify_in_image(failure.log_tail.iter().map(String::as_str))
    } else {
        let texts = failure.texts.iter().map(String::as_str);
        fault::classify(failure.error.lines().chain(texts))
    };
    known
        .unwrap_or_else(|| Error::Build(Fault { message: failure.cause(), hint: failure.remedy() }))
}

/// A file that others may read as far as the umask lets them: other programs are meant to.
fn readable_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    tempfile::Builder::new().permissions(mode).tempfile_in(folder)
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let doing = || format!("writing `{}`", path.display());
    let file = readable_file(folder).with_context(doing)?;
    std::fs::write(file.path(), text).with_context(doing)?;
    file.persist_noclobber(path).with_context(doing)?;
    Ok(())
}

pub(super) fn write_atomically(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let doing = || format!("writing `{}`", path.display());
    let file = readable_file(folder).with_context(doing)?;
    std::fs::write(file.path(), text).with_context(doing)?;
    file.persist(path).with_context(doing)?;
    Ok(())
}
