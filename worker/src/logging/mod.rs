//! The log of a program: lines on stderr that no text of a peer can forge, in colour where a person
//! can see it and wants it.

pub mod repeats;
pub mod short_id;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::{env, io};

use proto::text::clean_line;
use tracing::Subscriber;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Identity, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Most bytes of a field of a line.
const MAX_FIELD_BYTES: usize = 4000;

/// Starts the log of this process. `RUST_LOG` decides what is told, else `level`. A log that is
/// set up already stays. A line that the writer does not take is dropped: the subscriber's own word
/// about it would panic.
pub fn start<W>(level: LevelFilter, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    start_with(level, writer, None::<Identity>);
}

/// As [`start`], and hands every event to `other` as well, whatever is told.
pub fn start_with<W, L>(level: LevelFilter, writer: W, other: Option<L>)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    L: Layer<Registry> + Send + Sync,
{
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let lines = lines(writer).with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(other).with(lines);
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn lines<S, W>(writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Every text is clean where it comes in; whatever was missed is caught here.
    let fields = debug_fn(|writer, field, value| {
        let text = clean_line(&format!("{value:?}"), MAX_FIELD_BYTES);
        match field.name() {
            "message" => writer.write_str(&text),
            name => write!(writer, "{name}={text}"),
        }
    });
    tracing_subscriber::fmt::layer()
        .with_target(false)
        .log_internal_errors(false)
        .with_ansi(color_on_stderr())
        .fmt_fields(fields.delimited(" "))
        .with_writer(writer)
}

/// Whether what this process writes to stderr may be coloured: a person sees it, the terminal knows
/// colours, and neither `NO_COLOR` (no-color.org) nor `CLICOLOR=0` (bixense.com/clicolors) is set, by
/// which help texts go too.
pub fn color_on_stderr() -> bool {
    may_color(io::stderr().is_terminal(), |name| env::var_os(name))
}

fn may_color(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_zero = |name| variable(name).is_some_and(|value| value == "0");
    let is_dumb = variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    is_terminal && !is_dumb && !is_set("NO_COLOR") && !is_zero("CLICOLOR")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn colour_is_for_people_who_want_it() {
        let may = |is_terminal, variables: &[(&str, &str)]| {
            let found = |name: &str| variables.iter().find(|it| it.0 == name);
            may_color(is_terminal, |name| found(name).map(|it| it.1.into()))
        };
        let xterm = ("TERM", "xterm-256color");
        assert!(may(true, &[xterm]) && may(true, &[xterm, ("NO_COLOR", "")]));
        assert!(!may(false, &[xterm]));
        assert!(!may(true, &[xterm, ("NO_COLOR", "1")]));
        assert!(!may(true, &[("TERM", "dumb")]) && !may(true, &[("TERM", "")]));
        assert!(!may(true, &[]), "no word of what the terminal knows");
        assert!(!may(true, &[xterm, ("CLICOLOR", "0")]) && may(true, &[xterm, ("CLICOLOR", "1")]));
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_text_forges_a_line() {
        let written = Written::default();
        let writer = written.clone();
        let hostile = "a\u{1b}[2J\r\nERROR b\u{202e}\u{2028}c";
        let log = tracing_subscriber::registry().with(lines(move || writer.clone()));
        tracing::subscriber::with_default(log, || {
            tracing::info!(trial = hostile, n = 3, "told: {hostile}");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(text.contains("told: a [2J  ERROR b  c"), "{text:?}");
        assert!(text.contains("n=3") && !text.trim_end().contains(char::is_control), "{text:?}");
    }
}
