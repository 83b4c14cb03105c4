//! A future that may or may not be under way, to wait for beside others.

use std::pin::Pin;

pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The future's output once it is there, which leaves `None`; waits forever if there is none.
/// Dropping this loses nothing: the future stays in its place.
pub(crate) async fn completed<T>(pending: &mut Option<Pending<T>>) -> T {
    let Some(future) = pending else { return std::future::pending().await };
    let output = future.await;
    *pending = None;
    output
}
