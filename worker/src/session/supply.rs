//! The supply of a sweep's data: wanted, on its way, or ready for every slot.

use std::sync::Arc;

use tokio::time::Instant;
use trainer::PreparedData;

use crate::disk::datasets::{DataRefusal, Datasets, Prepared};
use crate::link::Artifacts;
use crate::link::convert::DataSpec;
use crate::session::pending::{Pending, completed};
use crate::session::troubles::Troubles;

pub(crate) struct Supply {
    datasets: Datasets,
    troubles: Troubles,
    wanted: Option<DataSpec>,
    wanted_since: Instant,
    on_its_way: Option<Pending<Result<Prepared, DataRefusal>>>,
    ready: Option<Prepared>,
}

impl Supply {
    pub(crate) fn new(datasets: Datasets, troubles: Troubles) -> Self {
        Self {
            datasets,
            troubles,
            wanted: None,
            wanted_since: Instant::now(),
            on_its_way: None,
            ready: None,
        }
    }

    /// Starts preparing this data unless it is ready or in flight; `artifacts` is where it comes from
    /// if the cache lacks it.
    pub(crate) fn want(&mut self, spec: DataSpec, artifacts: impl FnOnce() -> Artifacts) {
        if self.wanted.as_ref() == Some(&spec) {
            return;
        }
        self.ready = None;
        let (datasets, troubles) = (self.datasets.clone(), self.troubles.clone());
        let prepared = datasets.prepare(spec.clone(), artifacts(), troubles);
        self.on_its_way = Some(Box::pin(prepared));
        self.wanted = Some(spec);
        self.wanted_since = Instant::now();
    }

    /// Since when the data is wanted; `None` if it is there or nobody wants it.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let waits = self.wanted.is_some() && self.ready.is_none();
        waits.then_some(self.wanted_since)
    }

    pub(crate) fn ready(&self) -> Option<&Arc<PreparedData>> {
        self.ready.as_ref().map(|prepared| &prepared.data)
    }

    /// Waits until data has become ready; forever if none is on its way.
    pub(crate) async fn arrival(&mut self) -> Result<(), DataRefusal> {
        self.ready = Some(completed(&mut self.on_its_way).await?);
        Ok(())
    }
}
