//! `check`: every problem of a spec at once, without an engine.
//!
//! **Invariant:** writes nothing and starts nothing.

use crate::cli::{CheckArgs, Format};
use crate::error::Error;
use crate::host::Host;
use crate::plugin::Call;
use crate::report::{self, CheckedReport};
use crate::resolve::{Overrides, values};

/// Runs the command.
pub fn run(args: &CheckArgs, _: &Call, host: &mut Host) -> anyhow::Result<()> {
    let overrides = Overrides { storages: args.spec.storages.clone(), ..Overrides::default() };
    let loaded = super::load(&args.spec, host)?;
    let resolved = loaded.resolve(&overrides);
    if args.format == Format::Json {
        let (problems, storages) = match &resolved {
            Ok(storages) => {
                let checked = storages.iter().map(|storage| CheckedReport {
                    name: Some(storage.name.clone()),
                    flows: report::flows(storage),
                    values: report::values(&storage.values),
                    unknown: Vec::new(),
                });
                (&[][..], checked.collect())
            }
            Err(problems) => {
                let read = loaded.spec.storages.iter().map(|storage| CheckedReport {
                    name: storage.name.clone(),
                    flows: Vec::new(),
                    values: report::values(&values::written(storage)),
                    unknown: Vec::new(),
                });
                (problems.as_slice(), read.collect())
            }
        };
        host.term.result(&report::check_json(problems, storages))?;
    }
    let storages = resolved.map_err(Error::Spec)?;
    if args.format == Format::Default {
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
