//! A program under test: started with its output collected, signalled, waited for, and never left
//! behind.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{LIMIT, eventually};

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// A program that has ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Process {
    /// Starts `command` with no standard input and no setting of the tester's own environment.
    pub(crate) fn start(command: &mut Command) -> Self {
        // With colours off, error messages can be compared.
        command.env("NO_COLOR", "1");
        if !command.get_envs().any(|(name, _)| name == "RUST_LOG") {
            command.env_remove("RUST_LOG");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Lines::collect(child.stdout.take().expect("a pipe"));
        let stderr = Lines::collect(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// `kill -9`; returns when the process is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits for `find` to find something in the lines of stdout.
    pub fn in_stdout<T>(&self, what: &str, find: impl FnMut(&[String]) -> Option<T>) -> T {
        self.stdout.wait_for(what, find).unwrap_or_else(|| self.missed(what))
    }

    /// Waits for `find` to find something in the lines of stderr.
    pub fn in_stderr<T>(&self, what: &str, find: impl FnMut(&[String]) -> Option<T>) -> T {
        self.stderr.wait_for(what, find).unwrap_or_else(|| self.missed(what))
    }

    fn missed(&self, what: &str) -> ! {
        let (stdout, stderr) = (self.stdout.so_far(), self.stderr.so_far());
        panic!("no {what}\nstdout: {stdout:#?}\nstderr: {stderr:#?}")
    }

    /// Waits for its end by itself, but not for children that hold its output.
    ///
    /// # Panics
    /// If the exit code is another one.
    #[track_caller]
    pub fn wait_for_exit(mut self, code: i32) {
        assert_eq!(self.exit_status().code(), Some(code));
    }

    /// Waits for its end, and for that of everything that holds its output.
    pub fn wait(mut self) -> Ended {
        let status = self.exit_status();
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        let code = status.code().unwrap_or_else(|| {
            panic!("ended by signal {:?}\nstderr: {stderr:#?}", status.signal())
        });
        Ended { code, stdout, stderr }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// The lines of stderr until now; all of them once it has ended and nobody else holds it.
    pub fn log(&self) -> Vec<String> {
        self.stderr.so_far()
    }

    /// All lines of stderr of a process that has ended; waits until nobody else holds it.
    pub fn whole_log(&self) -> Vec<String> {
        self.stderr.all()
    }

    fn exit_status(&mut self) -> ExitStatus {
        let started = Instant::now();
        eventually("the process's end", || {
            let status = self.ended();
            if status.is_none() && LIMIT <= started.elapsed() {
                self.missed("end of the process");
            }
            status
        })
    }

    fn end(&mut self) {
        // One that has ended already needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

impl Ended {
    /// # Panics
    /// If the exit code is another one; shows what the process wrote.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; {self:#?}");
        self
    }

    pub fn stderr_text(&self) -> String {
        self.stderr.join("\n")
    }

    pub fn stdout_text(&self) -> String {
        self.stdout.join("\n")
    }
}

/// Sends `signal` to a process, which need not be a child of this one.
///
/// # Panics
/// If there is no such process.
pub fn send(pid: u32, signal: Signal) {
    assert!(send_if_there(pid, signal), "process {pid} is gone");
}

/// Sends `signal` to a process that may be gone; tells whether it was there.
pub fn send_if_there(pid: u32, signal: Signal) -> bool {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id");
    kill_process(pid, signal).is_ok()
}

/// SIGINT, as Ctrl-C sends it; where that is ignored, as in the background of a shell, programs
/// started from here ignore it too, and SIGTERM must do.
pub fn ctrl_c() -> Signal {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is there");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    let ignored = u64::from_str_radix(mask.trim(), 16).expect("a mask in hex");
    // Bit s - 1 stands for signal s, and SIGINT is 2.
    if ignored & 0b10 == 0 { Signal::INT } else { Signal::TERM }
}

/// Whether a process runs; one that has ended but was not collected by its parent does not.
pub fn is_alive(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// The children of a process whose command line has the word `word`.
pub(crate) fn children_of(parent: u32, word: &str) -> Vec<u32> {
    let has_word = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|&byte| byte == 0).any(|it| it == word.as_bytes()))
    };
    children_of_any_name(parent).into_iter().filter(has_word).collect()
}

/// The children of a process.
pub(crate) fn children_of_any_name(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| state_and_parent(pid).is_some_and(|(_, its_parent)| its_parent == parent))
        .collect()
}

/// From /proc/PID/stat, where the program's name in brackets stands before both.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The lines of a stream, collected by a thread as they come.
#[derive(Debug)]
struct Lines(Arc<(Mutex<Collected>, Condvar)>);

#[derive(Debug, Default)]
struct Collected {
    lines: Vec<String>,
    is_closed: bool,
}

impl Lines {
    fn collect(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::default(), Condvar::new()));
        let lines = Self(shared.clone());
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|n_bytes| 0 < n_bytes) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                lines.change(|collected| collected.lines.push(text));
                line.clear();
            }
            lines.change(|collected| collected.is_closed = true);
        });
        Self(shared)
    }

    fn change(&self, change: impl FnOnce(&mut Collected)) {
        let (collected, changed) = &*self.0;
        change(&mut collected.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    fn so_far(&self) -> Vec<String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// `None` when the stream ended without it, or after the limit.
    fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&[String]) -> Option<T>) -> Option<T> {
        let (collected, changed) = &*self.0;
        let started = Instant::now();
        let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = find(&collected.lines) {
                return Some(found);
            }
            let left = LIMIT.checked_sub(started.elapsed())?;
            if collected.is_closed {
                return None;
            }
            collected = changed
                .wait_timeout(collected, left)
                .unwrap_or_else(|_| panic!("the collector broke down before {what}"))
                .0;
        }
    }

    /// All lines, once nobody can write any more.
    fn all(&self) -> Vec<String> {
        let lines = self.so_far();
        let is_closed =
            || self.0.0.lock().unwrap_or_else(PoisonError::into_inner).is_closed.then_some(());
        eventually(&format!("the end of a stream after {lines:#?}"), is_closed);
        self.so_far()
    }
}
