//! The coordinator that is measured: a process of its own, started as users start it and killed as
//! accidents do, so that every figure is that of the real program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use worker::duration;

use crate::cli::run_config::LeaseTiming;
use crate::view::say;

const FILE: &str = "sweep.toml";

/// Between two signals to a process that is to end.
const SIGNAL_PAUSE: Duration = Duration::from_millis(20);

/// Where the coordinator runs, and how.
#[derive(Debug)]
pub struct Site {
    pub program: PathBuf,
    /// Holds the sweep file, the state and the report.
    pub folder: PathBuf,
    pub lease: LeaseTiming,
}

#[derive(Debug)]
pub struct Coordinator {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// From its start until it listened, everything planned and loaded.
    pub start_s: f64,
}

impl Site {
    pub fn write_sweep(&self, text: &str) -> anyhow::Result<()> {
        let path = self.folder.join(FILE);
        fs::write(&path, text).with_context(|| format!("{}: cannot write it", path.display()))
    }

    /// Starts a coordinator on the sweep, or resumes it; port 0 takes a free one.
    pub fn start(&self, address: &str) -> anyhow::Result<Coordinator> {
        let started = Instant::now();
        let mut child = Command::new(&self.program)
            .args(["--sweep", FILE, "--out", "reports", "--local-workers", "0"])
            .args(["--listen", address])
            .args(["--sync-every", &duration::exact(self.lease.sync_every())])
            .args(["--lease-ttl", &duration::exact(self.lease.ttl())])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: cannot start it", self.program.display()))?;
        let told = pass_on(child.stderr.take().context("a coordinator without stderr")?);
        match told.recv() {
            Ok(address) => {
                Ok(Coordinator { child, address, start_s: started.elapsed().as_secs_f64() })
            }
            Err(_) => bail!("the coordinator did not start: {}", child.wait()?),
        }
    }
}

/// Shows the lines of a coordinator, and gives the address among them.
fn pass_on(stderr: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            say(&line);
            if let Some(address) = line.strip_prefix("listening on http://") {
                // Who waits for it has not gone: it waits for nothing else.
                let _ = sender.send(address.to_owned());
            }
        }
    });
    receiver
}

impl Coordinator {
    /// CPU seconds of all its threads since its start.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        let stat = self.proc_file("stat")?;
        // The name before the last parenthesis may hold anything.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
        let ticks = fields.map(|fields| fields.skip(11).take(2).map(str::parse::<u64>));
        let ticks: u64 = ticks.context("no such line")?.sum::<Result<_, _>>()?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// The most memory that it held at once, in 10^6 bytes.
    pub fn peak_rss_mb(&self) -> anyhow::Result<f64> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()).context("no such line")?;
        Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
    }

    fn proc_file(&self, name: &str) -> anyhow::Result<String> {
        let path = Path::new("/proc").join(self.child.id().to_string()).join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// `kill -9`.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it without waiting for its report: a second signal stops a coordinator at once, and
    /// with it what it started.
    pub fn end(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a process without a number")?;
        while self.child.try_wait()?.is_none() {
            kill_process(pid, Signal::TERM)?;
            thread::sleep(SIGNAL_PAUSE);
        }
        Ok(())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // Nothing is to be done if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
