//! The command line of `worker`.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Parser;

use crate::{DiskLimits, run::Config};

const MAX_SLOTS: usize = 1024;

/// Trains the trials of a sweep: joins a coordinator and works until the sweep is finished.
#[derive(Debug, Parser)]
#[command(name = "worker", version)]
pub(crate) struct Args {
    /// Where the coordinator listens, as it prints it, e.g. http://10.0.0.5:7070
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    coordinator: String,

    /// Trials trained at the same time, one thread each [default: usable cores]
    #[arg(long, value_name = "N", value_parser = parse_slots)]
    slots: Option<NonZeroUsize>,

    /// What people read in tables and logs [default: this host's name]
    #[arg(long)]
    name: Option<String>,

    /// Data sets, checkpoints and the spool [default: ~/.cache/sweep]
    #[arg(long, value_name = "DIR", env = "SWEEP_CACHE_DIR")]
    cache_dir: Option<PathBuf>,

    /// Largest data set that is taken from a coordinator
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = parse_size)]
    max_dataset: u64,

    /// Above this, data sets and checkpoints that nobody uses are removed, the oldest first
    #[arg(long, value_name = "SIZE", default_value = "16GiB", value_parser = parse_size)]
    max_cache: u64,

    /// Wait for the next sweep at the same address, for as long as it takes
    #[arg(long)]
    stay: bool,

    /// Give up after this long without a coordinator, once nothing is being trained
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = parse_duration)]
    lost_after: Duration,

    /// Training between two checkpoints of a trial: what a lost worker costs at the most
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    checkpoint_every: Duration,

    /// Leave it to the system which core a slot runs on
    #[arg(long)]
    no_pin: bool,
}

impl Args {
    pub(crate) fn into_config(self) -> anyhow::Result<Config> {
        Ok(Config {
            coordinator: self.coordinator,
            n_slots: self.slots,
            name: self.name,
            cache_dir: match self.cache_dir {
                Some(folder) => folder,
                None => default_cache_dir()?,
            },
            disk_limits: DiskLimits {
                max_dataset_bytes: self.max_dataset,
                max_cache_bytes: self.max_cache,
            },
            stay: self.stay,
            lost_after: self.lost_after,
            checkpoint_every: self.checkpoint_every,
            pin: !self.no_pin,
            local_index: None,
            exit_on_stdin_eof: false,
        })
    }
}

/// Where workers keep data sets and results, unless they are told.
pub fn default_cache_dir() -> anyhow::Result<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let base = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let base = base.ok_or_else(|| {
        anyhow::anyhow!("neither XDG_CACHE_HOME nor HOME is set: name a folder with --cache-dir")
    })?;
    Ok(base.join("sweep"))
}

fn parse_url(text: &str) -> Result<String, String> {
    if text.starts_with("https://") {
        return Err("this build has no TLS: use http://HOST:PORT".into());
    }
    let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    match address.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && !address.contains('/') && port.parse::<u16>().is_ok() =>
        {
            Ok(format!("http://{address}"))
        }
        _ => Err("expected http://HOST:PORT".into()),
    }
}

fn parse_slots(text: &str) -> Result<NonZeroUsize, String> {
    let n_slots = text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= MAX_SLOTS);
    n_slots.ok_or_else(|| format!("expected a whole number from 1 to {MAX_SLOTS}"))
}

/// A whole number with its unit: `500ms`, `30s`, `30m`, `2h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a whole number with ms, s, m or h, e.g. 30m".to_string();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    let number: u32 = number.parse().map_err(|_| expected())?;
    Ok(Duration::from_millis(u64::from(number) * unit_ms))
}

/// A whole number with its unit: `500MiB`, `4GiB`, `2TiB`.
fn parse_size(text: &str) -> Result<u64, String> {
    let expected = || "expected a whole number with MiB, GiB or TiB, e.g. 4GiB".to_string();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit {
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(expected()),
    };
    let number: u32 = number.parse().map_err(|_| expected())?;
    u64::from(number).checked_mul(1 << shift).ok_or_else(expected)
}

/// A number of bytes as people read it: `512 bytes`, `52.4 MiB`.
pub(crate) fn size_text(n_bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = n_bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "bytes" { format!("{n_bytes} bytes") } else { format!("{size:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_duration("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "30", "m", "-1s", "1.5s", "99999999999s", "1d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_a_unit_and_are_shown_with_one() {
        assert_eq!(parse_size("500MiB"), Ok(500 << 20));
        assert_eq!(parse_size("4GiB"), Ok(DiskLimits::default().max_dataset_bytes));
        for wrong in ["", "4", "GiB", "-1GiB", "1.5GiB", "4GB", "4 GiB", "99999999999TiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            [0, 1023, 1024, 54_949_000].map(size_text),
            ["0 bytes", "1023 bytes", "1.0 KiB", "52.4 MiB"]
        );
        assert_eq!(size_text(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn addresses_may_lack_their_scheme() {
        assert_eq!(parse_url("127.0.0.1:7070"), Ok("http://127.0.0.1:7070".into()));
        assert_eq!(parse_url("http://[::1]:7070/"), Ok("http://[::1]:7070".into()));
        for wrong in
            ["", "host", ":7070", "host:port", "https://host:1", "host:1/path", "host:99999"]
        {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_manual() {
        let args = Args::parse_from(["worker", "--coordinator", "h:1", "--cache-dir", "/c"]);
        let config = args.into_config().unwrap();
        assert_eq!(config.lost_after, Duration::from_secs(1800));
        assert_eq!(config.checkpoint_every, crate::CHECKPOINT_EVERY);
        assert_eq!(config.disk_limits, DiskLimits::default());
        assert!(config.pin && !config.stay && config.n_slots.is_none());
        for wrong in [&["--slots", "0"][..], &["--slots", "1025"], &["--nope"]] {
            let args = ["worker", "--coordinator", "h:1"].iter().chain(wrong);
            assert_eq!(Args::try_parse_from(args).unwrap_err().exit_code(), 2);
        }
    }
}
