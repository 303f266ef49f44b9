//! `plan`: everything but the build.
//!
//! **Invariant:** the folder of `-o` builds to the image that `build` makes.

use crate::cli::{Format, PlanArgs};
use crate::error::Error;
use crate::host::Host;
use crate::plugin::Call;
use crate::report;
use crate::resolve::Overrides;
use crate::stage::{self, UserContexts};

/// Runs the command.
pub fn run(args: &PlanArgs, _: &Call, host: &mut Host) -> anyhow::Result<()> {
    let overrides = Overrides {
        tags: args.tag.clone(),
        platforms: args.platform.clone(),
        ..super::overrides(&args.spec, &args.names)
    };
    let loaded = super::load(&args.spec, host)?;
    let storages = loaded.resolve(&overrides).map_err(Error::Spec)?;
    super::warn(&storages, host);
    let mut plans = super::plans(&storages);
    super::build::add_arguments(&mut plans, &args.build_arg, host);
    if let Some(folder) = &args.output {
        stage::eject(&plans, &host.cwd.join(folder))?;
        host.term.note(&format!(
            "wrote `{}`; build it there with: docker buildx bake",
            folder.display()
        ));
        if args.format == Format::Default {
            return Ok(());
        }
    }
    let bake = stage::bake_file(&plans, UserContexts::Copied, &host.cwd).to_json();
    host.term.result(&match args.format {
        Format::Default => report::plan_text(&storages, &plans, &bake),
        Format::Json => report::plan_json(&storages, &plans, &bake),
    })?;
    Ok(())
}
