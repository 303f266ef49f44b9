//! `build`: spec → storages → plans → staged context → buildx → report.
//!
//! **Invariant:** a reference is printed only for what buildx reports as done.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use super::attempt::{Attempt, METADATA_FILE, Purpose, Site};
use super::explanation::Explained;
use super::fix::{self, Fixed, Project};
use super::{registration, secrets};
use crate::cli::{BuildArgs, Format, Progress};
use crate::docker::image::{self, Whereabouts};
use crate::docker::metadata::{self, Built};
use crate::docker::run::Requests;
use crate::docker::{Docker, fault};
use crate::drive::Driven;
use crate::error::{Error, Fault, UsageExit};
use crate::host::Host;
use crate::plan::Plan;
use crate::plan::bake::BakeFile;
use crate::plugin::Call;
use crate::problem::Problem;
use crate::progress::failure::Failure;
use crate::render::{self, Mode};
use crate::report::{self, BuildReport, BuiltReport, FailedReport, FixedReport};
use crate::resolve::Overrides;
use crate::storage::Storage;

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
                add: Vec::new(),
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
    let loaded = super::load(&args.spec, host)?;
    let mut storages = loaded.resolve(&overrides).map_err(Error::Spec)?;
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
    let socket = call.socket.as_deref();
    let resolved = storages.clone();
    let site =
        Site { args, docker: &docker, requests: &requests, socket, mode, resolved: &resolved };
    let mut attempt = site.build(&plans, Purpose::Result, host)?;
    let mut fixed = None;
    if args.fix {
        let project = Project { loaded: &loaded, overrides: &overrides, storages: &storages };
        let fix = fix::until_built(&site, &project, attempt, host)?;
        (attempt, plans, storages) = (fix.attempt, fix.plans, fix.storages);
        fixed = Some(fix.fixed);
    }
    if attempt.driven.exited.code != 0 {
        if let Some(fixed) = &fixed {
            fixed.say_in_vain(host);
        }
        let added = fixed.as_ref().map(Fixed::reports);
        return Err(failed(&site, attempt, &storages, added, host)?);
    }
    let Attempt { driven, staged, .. } = &attempt;
    let metadata_path = staged.path().join(METADATA_FILE);
    let metadata = std::fs::read_to_string(&metadata_path)
        .context("reading what buildx reports of the build")?;
    if let Some(file) = &args.metadata_file {
        write_atomically(&host.cwd.join(file), &metadata)?;
    }
    let built = metadata::parse(&metadata)?;
    let mut reports = reports(&storages, &plans, &built, driven);
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
    let mut report = BuildReport::new(reports, Vec::new());
    report.fixed = fixed.as_ref().map(Fixed::reports);
    host.term.result(&match args.format {
        Format::Default => report.lines(),
        Format::Json => report::json(&report),
    })?;
    fixed.map_or(Ok(()), |fixed| fixed.offer(&site, host))
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
pub(super) fn add_options(bake: &mut BakeFile, args: &BuildArgs, host: &Host) {
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

/// One failure, as the user is told of it.
struct Told {
    failure: Failure,
    error: Error,
    /// Lines to write into the spec.
    add: Vec<String>,
}

/// Says why a build failed; returns the error that ends the command.
fn failed(
    site: &Site<'_>,
    mut attempt: Attempt,
    storages: &[Storage],
    fixed: Option<Vec<FixedReport>>,
    host: &mut Host,
) -> anyhow::Result<anyhow::Error> {
    if attempt.is_stopped() {
        return Ok(Error::Cancelled.into());
    }
    let Site { args, mode, .. } = *site;
    if !matches!(mode, Mode::Quiet | Mode::RawJson) {
        let (width, style) = (host.term.width, host.term.style);
        for failure in attempt.driven.graph.failures() {
            let context = render::failure_context(&failure, width, style);
            if !context.is_empty() {
                host.term.note(context.trim_end());
            }
        }
    }
    let mut told = Vec::new();
    for (failure, explained) in attempt.explained(site, storages, host)? {
        let error = error_of(&failure, explained.as_ref());
        let add = explained.map(|explained| explained.add).unwrap_or_default();
        told.push(Told { failure, error, add });
    }
    let driven = &attempt.driven;
    if told.is_empty() {
        let texts: Vec<&str> = driven.graph.texts().collect();
        let error = fault::classify(texts.iter().copied()).unwrap_or_else(|| {
            let last = texts.iter().rev().find(|text| !text.trim().is_empty());
            let said = last.map_or("it said nothing", |text| text.trim());
            let code = driven.exited.code;
            Error::Build(Fault::bare(format!("docker buildx ended with exit code {code}: {said}")))
        });
        told.push(Told { failure: Failure::default(), error, add: Vec::new() });
    }
    if args.format == Format::Json {
        let report = |Told { failure, error, add }: &Told| {
            let names: Vec<String> = if failure.targets.is_empty() {
                driven.graph.targets().to_vec()
            } else {
                failure.targets.clone()
            };
            let one = |name: String| FailedReport {
                name,
                step: failure.step.clone(),
                cause: error.to_string(),
                remedy: error.hint().map(|hint| hint.replace('\n', "; ")),
                add: add.clone(),
            };
            names.into_iter().map(one).collect::<Vec<_>>()
        };
        let failed = told.iter().flat_map(report).collect();
        let mut report = BuildReport::new(Vec::new(), failed);
        report.fixed = fixed;
        host.term.result(&report::json(&report))?;
    }
    let mut errors = told.into_iter().map(|told| told.error);
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
pub(super) fn error_of(failure: &Failure, explained: Option<&Explained>) -> Error {
    let unknown = || Error::Build(Fault { message: failure.cause(), hint: failure.remedy() });
    if !failure.findings.is_empty() {
        return unknown();
    }
    if failure.exit_code.is_some() {
        let fault = fault::classify_in_image(failure.log_tail.iter().map(String::as_str));
        return match (fault, explained) {
            // What a retry may cure is told so, whatever else was said on the way.
            (Some(fault @ Error::Network(_)), _) | (Some(fault), None) => fault,
            (_, Some(explained)) => explained.error(),
            (None, None) => unknown(),
        };
    }
    let texts = failure.texts.iter().map(String::as_str);
    fault::classify(failure.error.lines().chain(texts)).unwrap_or_else(|| {
        // The builder's own words name the thing; the table adds what to do.
        let hint = explained.and_then(|explained| explained.explanation.fix.advice.clone());
        Error::Build(Fault { message: failure.cause(), hint })
    })
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

/// Replaces a file, or makes it: whoever reads it sees the old or the new one. What may be done
/// with it stays, and so does a link to it.
pub(super) fn write_atomically(path: &Path, text: &str) -> anyhow::Result<()> {
    let doing = || format!("writing `{}`", path.display());
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    let file = readable_file(folder).with_context(doing)?;
    std::fs::write(file.path(), text).with_context(doing)?;
    if let Ok(known) = std::fs::metadata(&target) {
        std::fs::set_permissions(file.path(), known.permissions()).with_context(doing)?;
    }
    file.persist(&target).with_context(doing)?;
    Ok(())
}
