//! Runs a build and shows it: bytes → events → graph → view.
//!
//! **Invariant:** every byte of output is decoded, also the last line without its end, and none
//! before the values of secrets are taken out.

use std::time::Instant;

use crate::docker::invocation::Invocation;
use crate::docker::run::{self, Exited, Happening, Requests};
use crate::progress::graph::Graph;
use crate::progress::rawjson::Decoder;
use crate::progress::redact::Redactor;
use crate::render::{Ending, Renderer};

/// What is known after a build.
#[derive(Debug)]
pub struct Driven {
    /// Every step.
    pub graph: Graph,
    /// How buildx ended.
    pub exited: Exited,
}

/// Runs an invocation of buildx to its end. `aliases` are targets that are shown as others.
pub fn drive(
    invocation: &Invocation,
    requests: &Requests,
    targets: &[String],
    aliases: &[(String, String)],
    mut redactor: Redactor,
    mut view: Box<dyn Renderer>,
) -> anyhow::Result<Driven> {
    let started = Instant::now();
    let mut decoder = Decoder::default();
    let mut graph = Graph::new(targets).with_aliases(aliases);
    let exited = run::run(invocation, requests, &mut |happening| match happening {
        Happening::Output(bytes) => {
            let bytes = redactor.push(bytes);
            view.raw(&bytes);
            for event in decoder.push(&bytes) {
                graph.apply(&event);
                view.event(&graph, &event);
            }
        }
        Happening::Tick => view.tick(&graph, started.elapsed()),
        Happening::Stopping => view.cancelling(&graph),
    })?;
    let rest = redactor.finish();
    view.raw(&rest);
    let mut events = decoder.push(&rest);
    events.extend(decoder.finish());
    for event in events {
        graph.apply(&event);
        view.event(&graph, &event);
    }
    let ending = match exited {
        Exited { code: 0, .. } => Ending::Built,
        Exited { stopped: true, .. } => Ending::Cancelled,
        Exited { .. } => Ending::Failed,
    };
    view.finish(&graph, ending);
    Ok(Driven { graph, exited })
}
