//! The stream of `--output json`: events on stdout, and what happens when they cannot be written.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::view::Event;

static IS_ON: AtomicBool = AtomicBool::new(false);
static FAILURE: OnceLock<String> = OnceLock::new();
static FAILED: Notify = Notify::const_new();

/// From now on this process tells programs what happens.
pub fn start() {
    IS_ON.store(true, Ordering::Relaxed);
}

/// Writes an event and hands it over at once. The first failure is kept for [`failure`]; after it
/// nothing is written any more, so that no reader sees a stream with a hole.
pub fn emit(event: &Event) {
    if FAILURE.get().is_some() {
        return;
    }
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", event.to_line()).and_then(|()| stdout.flush());
    if let Err(error) = written {
        let text = match error.kind() {
            io::ErrorKind::BrokenPipe => "its reader is gone".to_owned(),
            _ => error.to_string(),
        };
        let _ = FAILURE.set(text);
        FAILED.notify_one();
    }
}

/// If there is a stream.
pub fn emit_to_readers(event: &Event) {
    if IS_ON.load(Ordering::Relaxed) {
        emit(event);
    }
}

/// Why the stream cannot be written any more.
pub fn failure() -> Option<&'static str> {
    FAILURE.get().map(String::as_str)
}

/// Ends once the stream cannot be written any more.
pub async fn failed() {
    FAILED.notified().await;
}

/// Tells programs the warnings that people find in the log.
pub struct Warnings;

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut text = Text::default();
            event.record(&mut text);
            emit_to_readers(&Event::Warning { text: text.0.trim() });
        }
    }
}

/// A log event as text: its message, then its fields as `name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => {
                self.0.insert_str(0, &format!("{value:?}"));
                Ok(())
            }
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("memory takes all");
    }
}
