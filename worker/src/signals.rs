//! SIGINT, SIGTERM and SIGHUP: the first asks for an orderly stop, a second ends the process.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Gives one message for the first signal. A second one exits with 1 at once: results that are
/// done lie in the spool.
pub(crate) fn watch() -> io::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(1);
    let asked_before = Arc::new(AtomicBool::new(false));
    let ignored = ignored_signals();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // `nohup` and shells that start a job in the background ignore signals on purpose.
        if ignored & (1 << (kind.as_raw_value() - 1)) != 0 {
            continue;
        }
        let mut signals = signal(kind)?;
        let sender = sender.clone();
        let asked_before = asked_before.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if asked_before.swap(true, Ordering::Relaxed) {
                    std::process::exit(1);
                }
                let _ = sender.try_send(());
            }
        });
    }
    Ok(receiver)
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
