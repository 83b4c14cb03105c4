//! The writer thread: owns the store, so that no await can interrupt a commit. It takes one batch
//! at a time; batches grow by themselves while one is being synced.

use std::{sync::Arc, thread};

use coordinator_core::{event::Record, sweep::Plan};
use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError};

#[derive(Debug)]
pub struct Writer {
    batches: mpsc::Sender<Batch>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Batch {
    plan: Arc<Plan>,
    records: Arc<[Record]>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub fn start(mut store: Store) -> std::io::Result<Self> {
        let (batches, mut inbox) = mpsc::channel::<Batch>(1);
        let work = move || {
            while let Some(batch) = inbox.blocking_recv() {
                // Nobody waiting any more changes nothing: the batch is durable or it is not.
                let _ = batch.done.send(store.commit(&batch.plan, &batch.records));
            }
        };
        let thread = thread::Builder::new().name("store".into()).spawn(work)?;
        Ok(Self { batches, thread: Some(thread) })
    }

    /// Returns when the batch is durable, or when it is sure that nothing of it is.
    /// `plan` is what the records' indices count in.
    pub async fn commit(&self, plan: Arc<Plan>, records: Arc<[Record]>) -> Result<(), StoreError> {
        let ended = || StoreError::Damaged("the writer thread has ended".into());
        let (done, answer) = oneshot::channel();
        self.batches.send(Batch { plan, records, done }).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Ends the thread and closes the database.
    pub fn close(mut self) {
        let thread = self.thread.take();
        drop(self);
        if let Some(thread) = thread {
            // A panic of the writer has already been reported to whoever waited for a commit.
            let _ = thread.join();
        }
    }
}
