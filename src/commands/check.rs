//! `check`: every problem of a spec at once, without an engine.
//!
//! **Invariant:** writes nothing and starts nothing.

use crate::cli::{CheckArgs, Format};
use crate::error::Error;
use crate::host::Host;
use crate::plugin::Call;
use crate::report::{self, CheckedReport};
use crate::resolve::values;

/// Runs the command.
pub fn run(args: &CheckArgs, _: &Call, host: &mut Host) -> anyhow::Result<()> {
    let overrides = super::overrides(&args.spec, &args.names);
    let loaded = super::load(&args.spec, host)?;
    let resolved = loaded.resolve(&overrides);
    if args.format == Format::Json {
        let (problems, storages) = match &resolved {
            Ok(storages) => {
                let checked = storages.iter().map(|storage| CheckedReport {
                    name: Some(storage.name.clone()),
                    flows: report::flows(storage),
                    values: report::values(&storage.values),
                    unknown: storage.unknown.clone(),
                    warnings: report::problems(storage.warnings.iter().chain(&storage.habits)),
                });
                (&[][..], checked.collect())
            }
            Err(problems) => {
                let read = loaded.spec.storages.iter().map(|storage| CheckedReport {
                    name: storage.name.clone(),
                    flows: report::found_flows(storage, &loaded.facts.scripts),
                    values: report::values(&values::written(storage)),
                    unknown: storage.unknown.clone(),
                    warnings: Vec::new(),
                });
                (problems.as_slice(), read.collect())
            }
        };
        host.term.result(&report::check_json(problems, storages))?;
    }
    let storages = resolved.map_err(Error::Spec)?;
    super::warn(&storages, host);
    if args.format == Format::Default {
        for habit in storages.iter().flat_map(|storage| &storage.habits) {
            host.term.note(&habit.to_string());
        }
        for storage in &storages {
            for flow in &storage.flows {
                let line = format!("{}: flow `{}` at {}", storage.name, flow.name, flow.location);
                host.term.note(&line);
            }
        }
        host.term.note(&format!("{}: no problems", loaded.spec.file));
    }
    Ok(())
}
