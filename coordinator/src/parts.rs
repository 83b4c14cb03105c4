//! The coordinator's parts, for those who embed one or test one in a world of its own.

use std::io;

use anyhow::anyhow;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::cli::RunConfig;
use crate::cli::refusal::Refusal;
pub use crate::run::driver::Ended;
use crate::run::engine::Engine;
pub use crate::run::engine::Outside;
use crate::run::{open, prepare};
pub use crate::store::error::StoreError;
pub use crate::store::meta::SweepMeta;
pub use crate::store::{Reader, TrialRow, TrialState, database_in};
use crate::view::Progress;
pub use crate::view::silence;

/// Runs or resumes a sweep as a task, with the workers that come over `incoming`; no report is
/// written and none of this machine's own workers is started. Once `stop` is cancelled it stops in
/// good order.
///
/// # Errors
///
/// The sweep file or the state cannot be used, or the state not be written.
pub async fn coordinate<C>(
    run: &RunConfig,
    incoming: impl Stream<Item = io::Result<C>> + Send + 'static,
    outside: Outside,
    stop: CancellationToken,
) -> anyhow::Result<Ended>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let planned = prepare::plan_run(run).map_err(explain)?;
    let opened = open::open(run, planned).map_err(explain)?;
    let progress = Progress::new(run.output, false);
    let engine = Engine::assemble(run, opened, progress, outside)?;
    let mut running = engine.start(incoming);
    loop {
        select! {
            ended = &mut running.driver => return Ok(ended??),
            served = &mut running.server => return Err(anyhow!("the server ended: {served:?}")),
            () = stop.cancelled(), if !running.stopping.is_cancelled() => running.stop().await,
        }
    }
}

fn explain(refusal: Refusal) -> anyhow::Error {
    match refusal {
        Refusal::Usage(text) => anyhow!("wrong usage: {text}"),
        Refusal::SweepFile { path, problems } => {
            let first = problems.first().map_or("", |problem| &problem.message);
            anyhow!("{}: {first}", path.display())
        }
        Refusal::Runtime(error) => error,
    }
}
