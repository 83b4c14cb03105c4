//! What the programs tell while they are simulated: the trace of a run, and the acknowledgements that
//! workers saw.

use std::{
    collections::BTreeSet,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
};

/// Shared by the layer, which writes, and the run, which reads.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Told>>);

#[derive(Default)]
pub struct Told {
    pub lines: Vec<String>,
    /// Trials, by their ids in hexadecimal digits, and attempts whose outcomes some worker knows to
    /// be recorded.
    pub acknowledged: BTreeSet<(String, u32)>,
    /// The host whose turn it is.
    host: String,
    /// Nothing more is taken in.
    is_closed: bool,
}

impl Log {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What hosts tell while they are taken down is no part of a run.
    pub fn close(&self) {
        self.told().is_closed = true;
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut told = self.told();
        if told.is_closed {
            return;
        }
        if fields.text.starts_with("message=acknowledged")
            && let (Some(trial), Some(attempt)) = (fields.trial, fields.attempt)
        {
            told.acknowledged.insert((trial, attempt));
        }
        let ms = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        let target = event.metadata().target();
        let line = format!("{ms} {} {target} {}", told.host, fields.text);
        told.lines.push(line);
    }

    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if span.metadata().name() == "node" {
            let mut fields = Fields::default();
            span.record(&mut fields);
            self.told().host = fields.text;
        }
    }
}

#[derive(Default)]
struct Fields {
    text: String,
    trial: Option<String>,
    attempt: Option<u32>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.text, "{}={value:?} ", field.name());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "attempt" {
            self.attempt = u32::try_from(value).ok();
        }
        let _ = write!(self.text, "{}={value} ", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "trial" {
            self.trial = Some(value.into());
        }
        let _ = write!(self.text, "{}={value} ", field.name());
    }
}

/// What is worth a line: what the programs say, and in a trace what the network does too.
#[derive(Clone, Copy)]
pub struct Worth {
    pub network: bool,
}

impl<S> Filter<S> for Worth {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        let target = metadata.target();
        let is_ours = target.starts_with("worker") || target.starts_with("coordinator");
        let is_network = target.starts_with("turmoil");
        (is_ours && *metadata.level() <= Level::DEBUG)
            || (is_network && (self.network || metadata.is_span()))
    }
}
