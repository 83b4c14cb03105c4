//! The signals that ask this process for an orderly stop: those of people and service managers
//! (SIGINT, SIGTERM, SIGHUP), and those that batch schedulers send ahead of a limit (SIGUSR1,
//! SIGUSR2, SIGXCPU). SIGQUIT is left to the system: it ends a process that no longer listens.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Signals of different kinds within this time are one request: who stops a service or closes a
/// terminal often sends two.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// The signals that are heeded, and whether a second one asks for more than the first. A scheduler
/// repeats its warnings, and follows them up with SIGTERM; neither is impatience.
const HEEDED: [(Number, &str, bool); 6] = [
    (Number::INT, "SIGINT", true),
    (Number::TERM, "SIGTERM", true),
    (Number::HUP, "SIGHUP", true),
    (Number::USR1, "SIGUSR1", false),
    (Number::USR2, "SIGUSR2", false),
    (Number::XCPU, "SIGXCPU", false),
];

/// Requests to stop. A signal that was ignored when the process began stays ignored: `nohup` and
/// shells that start a job in the background ignore signals on purpose.
#[derive(Debug)]
pub struct StopSignals {
    heeded: Vec<(Heeded, Signal)>,
    patience: Patience,
    /// Requests from within the process.
    asked: Option<mpsc::Receiver<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heeded {
    name: &'static str,
    is_urgent: bool,
}

/// Tells a request from an echo of the one before.
#[derive(Debug, Default)]
struct Patience {
    /// A warning was heard.
    is_warned: bool,
    /// The first urgent signal, and when it came.
    urgent: Option<(&'static str, Instant)>,
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
        let is_heeded = |number: &Number| ignored & (1 << (number.as_raw() - 1)) == 0;
        let heeded = HEEDED.into_iter().filter(|(number, ..)| is_heeded(number));
        let heeded = heeded.map(|(number, name, is_urgent)| {
            let signal = signal(SignalKind::from_raw(number.as_raw()))?;
            Ok((Heeded { name, is_urgent }, signal))
        });
        let heeded = heeded.collect::<io::Result<_>>()?;
        Ok(Self { heeded, patience: Patience::default(), asked: None })
    }

    /// Each message is a request; the system's signals are left alone.
    pub fn from_channel(asked: mpsc::Receiver<()>) -> Self {
        Self { heeded: Vec::new(), patience: Patience::default(), asked: Some(asked) }
    }

    /// Waits for the next request and gives the name of its signal; forever if all of them are
    /// ignored. The first request means an orderly stop, a second one means at once. Dropping this
    /// loses none.
    pub async fn next(&mut self) -> &'static str {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<&'static str> {
        for (heeded, signal) in &mut self.heeded {
            while signal.poll_recv(context).is_ready() {
                if self.patience.is_request(*heeded, Instant::now()) {
                    return Poll::Ready(heeded.name);
                }
            }
        }
        let Some(asked) = &mut self.asked else { return Poll::Pending };
        match ready!(asked.poll_recv(context)) {
            Some(()) => Poll::Ready("a request"),
            None => Poll::Pending,
        }
    }
}

impl Patience {
    fn is_request(&mut self, heeded: Heeded, now: Instant) -> bool {
        if !heeded.is_urgent {
            let is_first = !self.is_warned && self.urgent.is_none();
            self.is_warned = true;
            return is_first;
        }
        match self.urgent {
            None => {
                self.urgent = Some((heeded.name, now));
                !self.is_warned
            }
            Some((first, at)) => first == heeded.name || now - at > ONE_REQUEST,
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

    /// Which of the signals, each with the milliseconds after the first, are requests.
    fn requests(signals: &[(&'static str, u64)]) -> Vec<bool> {
        let (began, mut patience) = (Instant::now(), Patience::default());
        let heeded = |name| {
            let (_, name, is_urgent) = HEEDED.into_iter().find(|it| it.1 == name).unwrap();
            Heeded { name, is_urgent }
        };
        let at = |&(name, ms)| (heeded(name), began + Duration::from_millis(ms));
        signals.iter().map(at).map(|(it, now)| patience.is_request(it, now)).collect()
    }

    #[test]
    fn impatience_is_told_from_a_scheduler_that_repeats_itself() {
        assert_eq!(requests(&[("SIGINT", 0), ("SIGINT", 1)]), [true, true], "twice Ctrl-C");
        assert_eq!(requests(&[("SIGTERM", 0), ("SIGHUP", 1)]), [true, false], "a service's stop");
        assert_eq!(requests(&[("SIGHUP", 0), ("SIGTERM", 5000)]), [true, true]);
        let warned = [("SIGUSR1", 0), ("SIGUSR1", 1000), ("SIGTERM", 9000), ("SIGTERM", 9500)];
        assert_eq!(requests(&warned), [true, false, false, true], "at a time limit");
        let over = [("SIGXCPU", 0), ("SIGXCPU", 1000), ("SIGXCPU", 2000)];
        assert_eq!(requests(&over), [true, false, false], "each second until the hard limit");
        assert_eq!(requests(&[("SIGTERM", 0), ("SIGUSR2", 5000)]), [true, false]);
    }
}
