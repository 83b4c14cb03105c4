//! What the programs tell while they are simulated: the trace of a run, and the acknowledgements that
//! workers saw.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Shared by its writer and the run, which reads.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Told>>);

#[derive(Default)]
pub struct Told {
    pub lines: Vec<String>,
    /// Trials, by their ids in hexadecimal digits, of which some worker knows an outcome to be
    /// recorded.
    pub acknowledged: BTreeSet<String>,
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

/// Takes in what is worth a line: what the programs say, and in a trace what the network does too.
/// It keeps no account of spans, which would cost as much as all the rest of a simulation.
pub struct Writer {
    pub log: Log,
    pub network: bool,
}

impl Subscriber for Writer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let is_ours = target.starts_with("worker") || target.starts_with("coordinator");
        let is_network = target.starts_with("turmoil");
        (is_ours && *metadata.level() <= Level::DEBUG)
            || (is_network && (self.network || metadata.is_span()))
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut told = self.log.told();
        if told.is_closed {
            return;
        }
        if fields.text.starts_with("message=acknowledged") {
            told.acknowledged.extend(fields.trial);
        }
        let ms = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        let target = event.metadata().target();
        let line = format!("{ms} {} {target} {}", told.host, fields.text);
        told.lines.push(line);
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        if span.metadata().name() == "node" {
            let mut fields = Fields::default();
            span.record(&mut fields);
            self.log.told().host = fields.text;
        }
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields {
    text: String,
    trial: Option<String>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.text, "{}={value:?} ", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "trial" {
            self.trial = Some(value.into());
        }
        let _ = write!(self.text, "{}={value} ", field.name());
    }
}
