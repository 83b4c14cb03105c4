//! What keeps one local worker running: starts it, passes on what it says, starts it again.

use std::io;
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proto::text::clean_line;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use crate::placement::token::LocalToken;
use crate::rpc::gate::local_workers;
use crate::run::mailbox::{Mailbox, Post};
use crate::view::{say, warn};

const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// A worker that lived this long starts with a fresh backoff when it dies.
const STEADY: Duration = Duration::from_secs(60);

/// So many deaths of one worker within a minute, before any could join, end the run.
const EARLY_DEATHS_MAX: usize = 5;

/// Exit codes of a worker that another start would not help: wrong usage, and refused.
const RESTART_IS_USELESS: [Option<i32>; 2] = [Some(2), Some(4)];

/// How long a worker may take to end once its pipe is closed.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// In the time of a lease, looks at whether a worker was heard. One is given up after one and a half
/// times as many.
const LOOKS_A_LEASE: u32 = 6;

/// A longer line of a worker is shown in pieces.
const MAX_LINE_BYTES: u64 = 16 << 10;

/// What to start.
#[derive(Clone, Debug)]
pub struct Spec {
    pub program: PathBuf,
    pub url: String,
    pub cache_dir: PathBuf,
    pub token: LocalToken,
    /// Slots of each worker.
    pub slots: Vec<NonZeroUsize>,
    pub lease_ttl: Duration,
}

/// What is heard of the workers.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Turns true once any of them has joined.
    pub joined: Arc<AtomicBool>,
    pub calls: Arc<local_workers::LocalWorkers>,
}

/// Keeps one worker running.
pub struct Supervisor {
    pub index: u32,
    pub n_slots: NonZeroUsize,
    pub spec: Spec,
    pub mailbox: Mailbox,
    pub heard: Heard,
    pub early_deaths: Vec<Instant>,
    pub finished: CancellationToken,
    pub drain: CancellationToken,
    pub end: CancellationToken,
    pub hopeless: CancellationToken,
}

impl Supervisor {
    pub async fn supervise(mut self) {
        let mut backoff = BACKOFF_MIN;
        while !self.is_over() {
            let born = Instant::now();
            let how = match self.command().spawn() {
                Ok(child) => self.watch(child).await,
                Err(error) => Err(error),
            };
            let expected = self.is_over();
            let ended = Post::LocalEnded { local_index: self.index, expected, how: in_words(&how) };
            self.mailbox.tell(ended).await;
            if expected {
                return;
            }
            match how {
                Ok(status) if RESTART_IS_USELESS.contains(&status.code()) => {
                    return self.hopeless.cancel();
                }
                Ok(status) => tracing::warn!(
                    "local worker {} ended ({status}); starting it again",
                    self.index
                ),
                Err(error) => tracing::warn!("local worker {}: {error}; trying again", self.index),
            }
            self.count_death();
            if STEADY < born.elapsed() {
                backoff = BACKOFF_MIN;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                () = self.drain.cancelled() => {}
                () = self.end.cancelled() => {}
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    fn is_over(&self) -> bool {
        let over = [&self.drain, &self.end, &self.finished];
        over.iter().any(|token| token.is_cancelled())
    }

    fn count_death(&mut self) {
        if self.heard.joined.load(Ordering::Relaxed) {
            return;
        }
        self.early_deaths.push(Instant::now());
        self.early_deaths.retain(|death| death.elapsed() < STEADY);
        if EARLY_DEATHS_MAX <= self.early_deaths.len() {
            self.hopeless.cancel();
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.spec.program);
        command
            .arg("local-worker")
            .args(["--coordinator", &self.spec.url])
            .args(["--slots", &self.n_slots.to_string()])
            .args(["--name", &format!("local-{}", self.index)])
            .args(["--local-index", &self.index.to_string()])
            .arg("--cache-dir")
            .arg(&self.spec.cache_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // What it says appears above the live view, not across it.
            .stderr(Stdio::piped())
            // In a group of its own, so that a Ctrl-C reaches the coordinator alone.
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// Until the child is gone and its last words are said; says how it went.
    async fn watch(&self, mut child: Child) -> io::Result<ExitStatus> {
        let words = child.stderr.take();
        let said = words.map(|words| tokio::spawn(pass_on(words, format!("local-{}", self.index))));
        let how = self.wait_for(child).await;
        if let Some(said) = said {
            // What it has started itself may hold the other end.
            let _ = tokio::time::timeout(END_TIMEOUT, said).await;
        }
        how
    }

    async fn wait_for(&self, mut child: Child) -> io::Result<ExitStatus> {
        let mut pipe = child.stdin.take();
        if let Some(pipe) = &mut pipe
            && let Err(error) = hand_over(pipe, &self.spec.token).await
        {
            // It has ended, or is about to: how says more than that it did not listen.
            let ended = tokio::time::timeout(END_TIMEOUT, child.wait()).await;
            return ended.unwrap_or(Err(error));
        }
        tokio::select! {
            status = child.wait() => return status,
            () = self.end.cancelled() => {}
            () = self.silence() => {
                tracing::warn!(
                    "local worker {} has said nothing for longer than its lease, as one that was stopped or hangs; killing it",
                    self.index
                );
                return kill(&mut child).await;
            }
            () = self.drain.cancelled() => {
                terminate(&child);
                tokio::select! {
                    status = child.wait() => return status,
                    () = self.end.cancelled() => {}
                }
            }
        }
        drop(pipe);
        match tokio::time::timeout(END_TIMEOUT, child.wait()).await {
            Ok(status) => status,
            Err(_) => kill(&mut child).await,
        }
    }

    /// Until a worker that was heard is heard no more: it has lost its lease by then, and for all that is
    /// known it does nothing. Looks are counted and not time, since this process may have been stopped
    /// too.
    async fn silence(&self) {
        let n_before = self.heard.calls.n_calls(self.index);
        let (mut n_calls, mut n_silent_looks) = (n_before, 0);
        while n_silent_looks <= LOOKS_A_LEASE + LOOKS_A_LEASE / 2 {
            tokio::time::sleep(self.spec.lease_ttl / LOOKS_A_LEASE).await;
            let n_now = self.heard.calls.n_calls(self.index);
            let is_silent = n_now == n_calls && n_now > n_before;
            n_silent_looks = if is_silent { n_silent_looks + 1 } else { 0 };
            n_calls = n_now;
        }
    }
}

async fn kill(child: &mut Child) -> io::Result<ExitStatus> {
    child.start_kill()?;
    // One whose file system does not answer cannot even be killed.
    let gone = tokio::time::timeout(END_TIMEOUT, child.wait()).await;
    gone.unwrap_or_else(|_| Err(io::Error::other("it hangs and cannot be killed")))
}

/// How a process ended, and what that usually means: a program that gets no memory aborts, and a
/// system that has none left kills.
fn in_words(how: &io::Result<ExitStatus>) -> String {
    let status = match how {
        Ok(status) => status,
        Err(error) => return error.to_string(),
    };
    let is_by = |signal: Signal| status.signal() == Some(signal.as_raw());
    if is_by(Signal::ABORT) {
        format!("{status}, as when it gets no more memory; the log has its last words")
    } else if is_by(Signal::KILL) {
        format!("{status}, as when the system is out of memory and ends it")
    } else {
        status.to_string()
    }
}

async fn hand_over(pipe: &mut ChildStdin, token: &LocalToken) -> io::Result<()> {
    pipe.write_all(token.bytes()).await?;
    pipe.flush().await
}

/// Says what a worker says, each line under its name, until it has nothing more to say.
async fn pass_on(words: ChildStderr, name: String) {
    let mut words = BufReader::new(words);
    let mut line = Vec::new();
    // A line of any length ends somewhere.
    while let Ok(n_bytes) = (&mut words).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await
        && n_bytes > 0
    {
        let text = clean_line(String::from_utf8_lossy(&line).trim_end(), line.len() * 3);
        let is_warning = text.split_whitespace().take(2).any(|it| it == "WARN" || it == "ERROR");
        let shown = format!("{name}: {text}");
        if is_warning {
            warn(&shown)
        } else {
            say(&shown)
        }
        line.clear();
    }
}

fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        // One that is gone already needs no signal.
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use coordinator_core::lease::{SessionId, WorkerId};

    use super::*;

    fn supervisor() -> Supervisor {
        let spec = Spec {
            program: "/bin/sh".into(),
            url: String::new(),
            cache_dir: PathBuf::new(),
            token: LocalToken::draw().unwrap(),
            slots: vec![NonZeroUsize::MIN],
            lease_ttl: Duration::from_secs(1),
        };
        let token = CancellationToken::new;
        Supervisor {
            index: 0,
            n_slots: NonZeroUsize::MIN,
            spec,
            mailbox: Mailbox::new().0,
            heard: Heard::default(),
            early_deaths: Vec::new(),
            finished: token(),
            drain: token(),
            end: token(),
            hopeless: token(),
        }
    }

    fn shell(script: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// One that is wrongly used ends before it reads.
    #[tokio::test]
    async fn a_worker_that_ends_before_it_reads_tells_how_it_ended() {
        let mut child = shell("exec 0<&-; echo closed; sleep 0.2; exit 4");
        let mut closed = [0; 6];
        child.stdout.take().unwrap().read_exact(&mut closed).await.unwrap();
        assert_eq!(supervisor().watch(child).await.unwrap().code(), Some(4));
    }

    /// A line that says that the lines above tell why must come after them.
    #[tokio::test]
    async fn a_worker_has_ended_once_its_last_words_are_said() {
        let began = Instant::now();
        let child = shell("(sleep 1; echo why >&2) & exit 4");
        assert_eq!(supervisor().watch(child).await.unwrap().code(), Some(4));
        assert!(began.elapsed() >= Duration::from_secs(1), "its words were not waited for");
    }

    #[tokio::test]
    async fn words_that_never_end_are_not_waited_for() {
        let began = Instant::now();
        let child = shell("sleep 20 >&- & exit 4");
        assert_eq!(supervisor().watch(child).await.unwrap().code(), Some(4));
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    /// As by SIGSTOP: the pipe is open, and nothing comes any more.
    #[tokio::test]
    async fn a_worker_that_falls_silent_after_it_was_heard_is_killed() {
        let mut supervisor = supervisor();
        supervisor.spec.lease_ttl = Duration::from_millis(300);
        let calls = supervisor.heard.calls.clone();
        let session = SessionId(1);
        let watched = tokio::spawn(async move { supervisor.watch(shell("sleep 60")).await });
        // Slow to join, then heard often: neither is silence.
        tokio::time::sleep(Duration::from_millis(1000)).await;
        calls.joined(0, WorkerId([1; 16]), session);
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            calls.called(session);
        }
        assert!(!watched.is_finished());
        let status = tokio::time::timeout(Duration::from_secs(20), watched).await;
        let status = status.expect("it is killed").unwrap().unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    }
}
