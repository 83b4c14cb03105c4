//! The coordinator's parts, for whoever embeds one or tests one in a world of its own.

use std::io;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::cli::Run;
pub use crate::driver::Ended;
use crate::engine::{Engine, Opening};
pub use crate::facts::Facts;
use crate::mailbox::Post;
use crate::prepare::{self, Opened, Refusal};
use crate::progress::Progress;
pub use crate::progress::silence;
use crate::rpc;
pub use crate::store::{Reader, TrialRow, TrialState, database_in};

/// Runs or resumes a sweep as a task, with the workers that come over `incoming`; no report is
/// written and none of this machine's own workers is started. Once `stop` is cancelled it stops in
/// good order.
///
/// # Errors
///
/// The sweep file or the state cannot be used, or the state not be written.
pub async fn coordinate<C>(
    run: &Run,
    incoming: impl Stream<Item = io::Result<C>> + Send + 'static,
    selftest_digest: [u8; 32],
    stop: CancellationToken,
) -> anyhow::Result<Ended>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let mut planned = prepare::plan_run(run).map_err(explain)?;
    let opened = prepare::open_state(run, &mut planned).map_err(explain)?;
    let Opened { folder, store, facts, confirm, recorded, .. } = opened;
    let plan = Arc::new(planned.plan);
    let blob = planned.loaded.blob;
    let opening = Opening { plan, blob, folder: &folder, store, facts: &facts, confirm, recorded };
    let progress = Progress::new(run.output, false);
    let engine = Engine::assemble(run, opening, progress, String::new(), selftest_digest)?;
    let Engine { driver, restored, sweep, mailbox } = engine;
    let (stopping, shutdown) = (driver.stopping.clone(), CancellationToken::new());
    let serve = rpc::serve(incoming, Arc::new(sweep), mailbox.clone(), shutdown);
    let tell = async {
        stop.cancelled().await;
        stopping.cancel();
        mailbox.tell(Post::Stop).await;
        std::future::pending().await
    };
    select! {
        ended = driver.run(restored) => Ok(ended?),
        served = serve => Err(anyhow!("the server ended: {served:?}")),
        () = tell => unreachable!("it never ends"),
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
