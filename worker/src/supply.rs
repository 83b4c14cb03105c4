//! The supply of a sweep's data: wanted, on its way, or ready for every slot.

use std::sync::Arc;

use trainer::PreparedData;

use crate::{
    convert::DataSpec,
    datasets::{DataRefusal, Datasets, Prepared},
    link::Artifacts,
    pending::{Pending, completed},
};

pub(crate) struct Supply {
    datasets: Datasets,
    wanted: Option<DataSpec>,
    on_its_way: Option<Pending<Result<Prepared, DataRefusal>>>,
    ready: Option<Prepared>,
}

impl Supply {
    pub(crate) fn new(datasets: Datasets) -> Self {
        Self { datasets, wanted: None, on_its_way: None, ready: None }
    }

    /// Starts preparing this data unless it is ready or in flight; `artifacts` is where it comes from
    /// if the cache lacks it.
    pub(crate) fn want(&mut self, spec: DataSpec, artifacts: impl FnOnce() -> Artifacts) {
        if self.wanted.as_ref() == Some(&spec) {
            return;
        }
        self.ready = None;
        self.on_its_way = Some(Box::pin(self.datasets.clone().prepare(spec.clone(), artifacts())));
        self.wanted = Some(spec);
    }

    pub(crate) fn ready(&self) -> Option<&Arc<PreparedData>> {
        self.ready.as_ref().map(|prepared| &prepared.data)
    }

    /// Waits until data has become ready; for ever if none is on its way.
    pub(crate) async fn arrival(&mut self) -> Result<(), DataRefusal> {
        self.ready = Some(completed(&mut self.on_its_way).await?);
        Ok(())
    }
}
