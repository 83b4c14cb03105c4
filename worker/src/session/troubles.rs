//! Troubles: what keeps this worker from working. Each is told to its log at once and again every
//! minute with how long it has gone on, and to the coordinator with each Sync.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::text::clean_line;
use tokio::time::Instant;
use tracing::{info, warn};
use trial::wording::span;

/// Between two lines about the same trouble.
const SAID_EVERY: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nobody answers, so nobody is told.
    Coordinator,
    /// It is forgotten again and again.
    Session,
    /// It cannot be had, or what was tried was in vain.
    DataSet,
    /// It takes long, and nothing went wrong that is known of.
    Supply,
    Spool,
    Slots,
}

#[derive(Debug)]
struct Trouble {
    text: String,
    since: Instant,
}

/// Those of one worker, shared by its parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    now: BTreeMap<Kind, Trouble>,
    /// When each was last said: one that is over may be back in a moment.
    said_at: BTreeMap<Kind, Instant>,
}

impl Troubles {
    /// It goes on; `text` says what, since when, and what is done about it.
    pub(crate) fn note(&self, kind: Kind, text: &str) {
        let now = Instant::now();
        self.note_at(kind, text, now, now);
    }

    /// As `note`, of what was only noticed now.
    pub(crate) fn note_since(&self, kind: Kind, text: &str, since: Instant) {
        self.note_at(kind, text, since, Instant::now());
    }

    fn note_at(&self, kind: Kind, text: &str, since: Instant, now: Instant) {
        let mut book = self.lock();
        // What others sent is in it.
        let text = clean_line(text, proto::MAX_TROUBLE_BYTES);
        let former = book.now.get(&kind).map(|trouble| trouble.since);
        let since = former.unwrap_or(since);
        let said_at = book.said_at.get(&kind);
        if said_at.is_none_or(|said_at| now.duration_since(*said_at) >= SAID_EVERY) {
            book.said_at.insert(kind, now);
            match former {
                None => warn!("{text}"),
                Some(since) => warn!("{text} (for {} now)", span(now.duration_since(since))),
            }
        }
        book.now.insert(kind, Trouble { text, since });
    }

    pub(crate) fn is_over(&self, kind: Kind) {
        let Some(trouble) = self.lock().now.remove(&kind) else { return };
        let lasted = trouble.since.elapsed();
        // A hiccup is no news.
        if lasted >= SAID_EVERY {
            info!("over after {}: {}", span(lasted), trouble.text);
        }
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.lock().now.contains_key(&kind)
    }

    /// What a Sync tells.
    pub(crate) fn told(&self) -> Vec<proto::Trouble> {
        self.told_at(Instant::now())
    }

    fn told_at(&self, now: Instant) -> Vec<proto::Trouble> {
        let book = self.lock();
        let told = book.now.iter().filter(|(kind, _)| **kind != Kind::Coordinator);
        let told = told.map(|(_, trouble)| proto::Trouble {
            text: trouble.text.clone(),
            for_ms: millis(now.duration_since(trouble.since)),
        });
        told.take(proto::MAX_TROUBLES).collect()
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::*;

    /// What is logged, for a test to read.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn n_lines(&self) -> usize {
            String::from_utf8_lossy(&self.0.lock().unwrap()).lines().count()
        }
    }

    fn subscribed(log: &Log) -> tracing::subscriber::DefaultGuard {
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    #[test]
    fn a_trouble_that_comes_and_goes_is_said_once_a_minute() {
        let (log, troubles, began) = (Log::default(), Troubles::default(), Instant::now());
        let _guard = subscribed(&log);
        for s in 0..600 {
            let at = began + Duration::from_secs(s);
            troubles.note_at(Kind::Coordinator, "no answer", at, at);
            troubles.is_over(Kind::Coordinator);
        }
        assert_eq!(log.n_lines(), 10);
    }

    #[test]
    fn a_trouble_is_said_at_once_and_then_every_minute_with_how_long_it_goes_on() {
        let (log, troubles, began) = (Log::default(), Troubles::default(), Instant::now());
        let _guard = subscribed(&log);
        let after = |s| began + Duration::from_secs(s);
        for s in 0..600 {
            troubles.note_at(Kind::DataSet, "the disk is full\u{1b}[2J", after(s), after(s));
        }
        assert_eq!(log.n_lines(), 10);
        let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
        assert!(text.contains("the disk is full [2J (for 9m00s now)"), "{text}");
        let told = troubles.told_at(after(600));
        assert_eq!((told[0].text.as_str(), told[0].for_ms), ("the disk is full [2J", 600_000));
        troubles.is_over(Kind::DataSet);
        assert_eq!(troubles.told(), []);
    }

    #[test]
    fn an_unreachable_coordinator_is_told_to_the_log_alone() {
        let troubles = Troubles::default();
        troubles.note(Kind::Coordinator, "no answer");
        assert_eq!(troubles.told(), []);
    }
}
