//! The writer: the store's one batch at a time, each off the threads that keep calls going, so that no
//! await can interrupt a commit. Batches grow by themselves while one is being synced.

use std::sync::Arc;

use coordinator_core::event::Record;
use sweep::Plan;
use worker::parts::Disk;

use crate::store::connection::Store;
use crate::store::error::StoreError;

#[derive(Debug)]
pub struct Writer {
    /// `None` while a batch is written, and after a panic in it.
    store: Option<Store>,
    disk: Disk,
}

impl Writer {
    pub fn new(store: Store, disk: Disk) -> Self {
        Self { store: Some(store), disk }
    }

    /// Returns when the batch is durable, or when it is sure that nothing of it is. Dropped before,
    /// it leaves a batch that is durable or not, and a writer that writes no more.
    /// `plan` is what the records' indices count in.
    pub async fn commit(
        &mut self,
        plan: Arc<Plan>,
        records: Arc<[Record]>,
    ) -> Result<(), StoreError> {
        self.work(move |store| store.commit(&plan, &records)).await
    }

    /// Records that the coordinator is still there.
    pub async fn touch(&mut self) -> Result<(), StoreError> {
        self.work(Store::touch).await
    }

    /// Records that the coordinator has ended in good order.
    pub async fn end_term(&mut self) -> Result<(), StoreError> {
        self.work(Store::end_term).await
    }

    async fn work(
        &mut self,
        work: impl FnOnce(&mut Store) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let broken = || StoreError::Damaged("a former batch was not written to its end".into());
        let mut store = self.store.take().ok_or_else(broken)?;
        let written = self.disk.work(move || {
            let result = work(&mut store);
            (store, result)
        });
        let (store, result) = written.await.map_err(|_| broken())?;
        self.store = Some(store);
        result
    }
}
