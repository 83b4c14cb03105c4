//! The command line of `worker`.

pub mod duration;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ContextKind;
use clap::{CommandFactory as _, Parser};

use crate::DiskLimits;
use crate::config::Config;
use crate::disk::size::parse_size;

const MAX_SLOTS: usize = 1024;

const EXAMPLES: &str = "\
Examples:
  worker --coordinator http://10.0.0.5:7070             all usable cores, until the sweep is finished
  worker --coordinator http://10.0.0.5:7070 --slots 4   four trials at once
  worker --coordinator http://10.0.0.5:7070 --stay      for every sweep that is run at that address

Exit codes: 0 the sweep is finished, or this worker was asked to stop; 1 error; 2 wrong usage;
4 refused by the coordinator (another version or arithmetic; starting it again does not help).";

/// Trains the trials of a sweep: joins a coordinator and works until the sweep is finished.
#[derive(Debug, Parser)]
#[command(name = "worker", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the coordinator listens, as it prints it, such as http://10.0.0.5:7070
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    coordinator: String,

    /// Trials trained at the same time, one thread each [default: usable cores]
    #[arg(long, value_name = "N", value_parser = parse_slots)]
    slots: Option<NonZeroUsize>,

    /// Its name in tables and logs [default: this host's name]
    #[arg(long)]
    name: Option<String>,

    /// Folder of data sets, checkpoints and results on their way [default: ~/.cache/sweep]
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
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration::parse)]
    lost_after: Duration,

    /// Time of training between two checkpoints of a trial, which is lost at most with a worker
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    checkpoint_every: Duration,

    /// Let the operating system choose the cores that slots run on
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

/// Reads this process's command line.
///
/// # Errors
/// Gives the exit code once everything is said: 2 for wrong usage, with its reason and what was
/// probably meant, 0 for `--help` and `--version`.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|mut error| {
        if !error.use_stderr() {
            return print_help(&error);
        }
        // Its advice to take a flag for a value is never what was meant.
        error.remove(ContextKind::Suggested);
        // A closed stream is no reason for another code.
        let _ = error.print();
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        if let Some(hint) = hint(&arguments) {
            let _ = writeln!(io::stderr(), "\n{hint}");
        }
        ExitCode::from(2)
    })
}

/// Prints the text that `--help` and `--version` ask for, and gives the exit code. A reader that went
/// away is no error.
pub fn print_help(text: &clap::Error) -> ExitCode {
    match text.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Whether `worker` has a flag of this name.
pub fn has_flag(name: &str) -> bool {
    Args::command().get_arguments().any(|it| it.get_long() == Some(name))
}

/// What others, the coordinator too, call a flag of this program.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("--local-slots", "--slots"),
    ("--threads", "--slots"),
    ("--jobs", "--slots"),
    ("--workers", "--slots"),
    ("--cache", "--cache-dir"),
];

/// What a command line that cannot be read was probably meant to be.
fn hint(arguments: &[OsString]) -> Option<String> {
    let words: Vec<&str> = arguments.iter().map(|it| it.to_str().unwrap_or_default()).collect();
    if let Some(meant) = duration::parted(&words) {
        return Some(format!("did you mean `{meant}`? A duration is one word"));
    }
    let other = words.iter().find_map(|word| {
        let name = word.split('=').next()?;
        OTHER_NAMES.iter().find(|(other, _)| *other == name)
    });
    if let Some((_, own)) = other {
        return Some(format!("did you mean `{own}`?"));
    }
    if words.iter().any(|it| *it == "--coordinator" || it.starts_with("--coordinator=")) {
        return None;
    }
    if let Some(at) = words.iter().position(|it| parse_url(it).is_ok()) {
        let url = parse_url(words[at]).ok()?;
        // With a flag of another name before it, as in `--url URL`.
        let before = at.checked_sub(1).filter(|it| at == 1 && words[*it].starts_with("--"));
        let others = words.iter().enumerate().filter(|(it, _)| *it != at && Some(*it) != before);
        let others: Vec<&str> = others.map(|(_, word)| *word).collect();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
        let is_kept = others.iter().all(|it| !it.is_empty() && it.chars().all(is_plain));
        let others = if is_kept { others.join(" ") } else { String::new() };
        let line = format!("worker --coordinator {url} {others}");
        return Some(format!("did you mean `{}`?", line.trim_end()));
    }
    let is_sweep = |it: &&&str| it.ends_with(".toml") || it.starts_with("reports/");
    if words.iter().find(is_sweep).is_some() {
        return Some(
            "a worker gets its sweep from a coordinator: start that with `coordinator --sweep FILE`, \
             and this one with `worker --coordinator http://HOST:PORT`, as the coordinator prints it"
                .into(),
        );
    }
    // A host without its port, a port without its host.
    let is_of_address = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    let [first, last] = [words.first(), words.last()].map(|it| it.copied().unwrap_or_default());
    let is_alone = words.len() == 1 && !first.starts_with('-');
    let is_address_flag = words.len() == 2
        && ["--host", "--port", "--url", "--address", "--connect", "--server"].contains(&first);
    if (is_alone || is_address_flag) && is_of_address(&last) {
        let address = match last.parse::<u16>() {
            Ok(port) => format!("HOST:{port}"),
            Err(_) => format!("{last}:PORT"),
        };
        return Some(format!(
            "did you mean `worker --coordinator http://{address}`? The coordinator prints its address"
        ));
    }
    let example =
        "such as `worker --coordinator http://127.0.0.1:7070`; the coordinator prints its own";
    words.is_empty().then(|| example.into())
}

/// Where a coordinator listens, as `HOST:PORT` or `http://HOST:PORT`.
pub fn is_address(text: &str) -> bool {
    parse_url(text).is_ok()
}

/// Such an address as a URL.
pub fn url(address: &str) -> Option<String> {
    parse_url(address).ok()
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
        _ => Err("expected http://HOST:PORT, such as http://10.0.0.5:7070".into()),
    }
}

fn parse_slots(text: &str) -> Result<NonZeroUsize, String> {
    let n_slots = text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= MAX_SLOTS);
    n_slots.ok_or_else(|| format!("expected a whole number from 1 to {MAX_SLOTS}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::size::size_text;

    #[test]
    fn durations_have_a_unit() {
        let lost_after = |text: &str| {
            let line = ["worker", "--coordinator", "h:1", "--lost-after", text];
            Args::try_parse_from(line)
                .map(|args| args.lost_after)
                .map_err(|error| error.exit_code())
        };
        assert_eq!(lost_after("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(lost_after("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(lost_after("1h30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "30", "m", "1.5s", "99999999999999999999s", "3w"] {
            assert_eq!(lost_after(wrong), Err(2), "{wrong}");
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
    fn a_hint_shows_the_whole_command() {
        let hinted = |line: &str| hint(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for (line, meant) in [
            ("10.0.0.5:7070", "`worker --coordinator http://10.0.0.5:7070`"),
            ("--url http://h:1 --slots 2", "`worker --coordinator http://h:1 --slots 2`"),
            ("--slots 2 h:1", "`worker --coordinator http://h:1 --slots 2`"),
            ("sweeps/quick.toml", "`coordinator --sweep FILE`"),
            ("localhost", "`worker --coordinator http://localhost:PORT`"),
            ("7070", "`worker --coordinator http://HOST:7070`"),
            ("--port 7070", "`worker --coordinator http://HOST:7070`"),
            ("--coordinator h:1 --local-slots 2", "`--slots`"),
            ("--coordinator h:1 --threads=2", "`--slots`"),
            ("--coordinator h:1 --lost-after 1h 30m", "`--lost-after 1h30m`"),
        ] {
            let hint = hinted(line).unwrap_or_default();
            assert!(hint.contains(meant), "{line}: {hint}");
        }
        assert!(hint(&[]).is_some_and(|hint| hint.contains("worker --coordinator http://")));
        assert_eq!(hinted("--coordinator h:1 --nope"), None);
        assert_eq!(hinted("--nope"), None);
    }

    #[test]
    fn no_value_is_refused_in_the_words_of_a_library() {
        let flags: Vec<String> = Args::command()
            .get_arguments()
            .filter(|it| it.get_action().takes_values())
            .filter_map(|it| Some(format!("--{}", it.get_long()?)))
            .collect();
        assert!(flags.contains(&"--slots".to_owned()));
        for (flag, value) in flags.iter().flat_map(|flag| ["0", "1.5", "x"].map(|it| (flag, it))) {
            let mut line = vec!["worker", flag, value];
            if flag != "--coordinator" {
                line.extend(["--coordinator", "h:1"]);
            }
            if let Err(error) = Args::try_parse_from(line) {
                let text = error.to_string();
                assert!(text.contains("expected"), "{flag} {value}: {text}");
            }
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
