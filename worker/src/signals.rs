//! The signals that ask this process for an orderly stop: SIGINT, SIGTERM and SIGHUP.

use std::{
    fs,
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// Requests to stop. A signal that was ignored when the process began stays ignored: `nohup` and
/// shells that start a job in the background ignore signals on purpose.
#[derive(Debug)]
pub struct StopSignals {
    heeded: Vec<Signal>,
    /// Requests from within the process.
    asked: Option<mpsc::Receiver<()>>,
}

impl StopSignals {
    /// Takes the signals over from the system, which would end the process. Needs a tokio runtime
    /// with I/O.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    pub fn new() -> io::Result<Self> {
        let ignored = ignored_signals();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let is_heeded = |kind: &SignalKind| ignored & (1 << (kind.as_raw_value() - 1)) == 0;
        let heeded = kinds.into_iter().filter(is_heeded).map(signal);
        Ok(Self { heeded: heeded.collect::<io::Result<_>>()?, asked: None })
    }

    /// Each message is a request; the system's signals are left alone.
    pub fn from_channel(asked: mpsc::Receiver<()>) -> Self {
        Self { heeded: Vec::new(), asked: Some(asked) }
    }

    /// Waits for the next signal; for ever if all of them are ignored. Dropping this loses none.
    pub async fn next(&mut self) {
        poll_fn(|context| self.poll_next(context)).await;
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for signal in &mut self.heeded {
            if signal.poll_recv(context).is_ready() {
                return Poll::Ready(());
            }
        }
        let asked = self.asked.as_mut().map(|asked| asked.poll_recv(context));
        match asked {
            Some(Poll::Ready(Some(()))) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

/// Bit s - 1 stands for signal s.
fn ignored_signals() -> u64 {
    parse_ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

fn parse_ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read_from_the_status_file() {
        assert_eq!(parse_ignored("SigBlk:\t00\nSigIgn:\t0000000000001001\n"), 0x1001);
        assert_eq!(parse_ignored("nothing"), 0);
    }
}
