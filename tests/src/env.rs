//! A test's own folder: the data set, sweep files, reports and caches, and the programs started
//! in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::files::data;
use crate::programs::Programs;
use crate::programs::process::Process;
use crate::{Coordinator, Ended, RemoteWorker, Status, Sweep, Terminal, paste};

#[derive(Debug)]
pub struct Env {
    folder: TempDir,
    programs: Programs,
}

impl Env {
    /// A new folder with the generated data set in `data/`; removed when dropped.
    pub fn new(programs: Programs) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        data::write(&folder.path().join("data"));
        Self { folder, programs }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The report folder of a sweep; programs are started in this folder, so it is their default.
    pub fn report(&self, sweep: &Sweep) -> PathBuf {
        self.path("reports").join(sweep.name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Starts the sweep on a free port, unless `arguments` name one, with `--output json`.
    pub fn start(&self, sweep: &Sweep, arguments: &[&str]) -> Coordinator {
        self.start_with(sweep, arguments, &[])
    }

    /// Starts the sweep with additional environment variables.
    pub fn start_with(
        &self,
        sweep: &Sweep,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Coordinator {
        let file = format!("{}.toml", sweep.name);
        self.write(&file, sweep.to_toml());
        self.start_file(&file, arguments, variables)
    }

    /// Starts the sweep of a file that lies here already.
    pub fn start_file(
        &self,
        file: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Coordinator {
        let mut command = self.coordinator_command();
        command.args(["--sweep", file, "--output", "json"]).args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Coordinator::start(command.envs(variables.iter().copied()))
    }

    /// Runs a sweep to its end, which must be a good one.
    #[track_caller]
    pub fn run(&self, sweep: &Sweep, arguments: &[&str]) -> Ended {
        self.start(sweep, arguments).wait().expect(0)
    }

    /// Runs `coordinator` with these arguments alone to its end.
    pub fn coordinator(&self, arguments: &[&str]) -> Ended {
        Process::start(self.coordinator_command().args(arguments)).wait()
    }

    /// Starts `coordinator` with these arguments on a terminal, with additional environment variables.
    pub fn start_in_terminal(
        &self,
        arguments: &[&str],
        columns: u16,
        rows: u16,
        variables: &[(&str, &str)],
    ) -> Terminal {
        let mut command = self.coordinator_command();
        command.args(arguments).envs(variables.iter().copied());
        Terminal::start(&command, "exec", columns, rows)
    }

    /// Starts `coordinator` as a shell's job in the background of its terminal.
    pub fn start_in_background_of_terminal(&self, arguments: &[&str]) -> Terminal {
        let mut command = self.coordinator_command();
        command.args(arguments);
        Terminal::start(&command, "job() { set -m; \"$@\" & wait $!; }; job", 80, 24)
    }

    /// Starts a worker on a terminal, without a coordinator to connect to.
    pub fn start_worker_in_terminal(&self, variables: &[(&str, &str)]) -> Terminal {
        let mut command = self.program(self.programs.worker);
        command.args(["--coordinator", "http://127.0.0.1:9", "--cache-dir", "worker"]);
        command.envs(variables.iter().copied());
        Terminal::start(&command, "exec", 80, 24)
    }

    /// Runs a command as it was printed, in this folder, to its end.
    pub fn paste(&self, command: &str) -> Ended {
        Process::start(&mut self.shell(command)).wait()
    }

    /// Starts a command of `coordinator` as it was printed, in this folder.
    pub fn start_pasted(&self, command: &str) -> Coordinator {
        Coordinator::start(&mut self.shell(&format!("exec {command}")))
    }

    /// Starts a command of `worker` as it was printed, in this folder.
    pub fn start_pasted_worker(&self, command: &str) -> RemoteWorker {
        RemoteWorker::start(&mut self.shell(&format!("exec {command}")))
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = paste::shell(&self.programs, self.folder.path(), command);
        shell.current_dir(self.folder.path());
        shell
    }

    fn coordinator_command(&self) -> Command {
        self.program(self.programs.coordinator)
    }

    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_remove("SWEEP_ISA");
        command
    }

    /// Starts a remote worker with one slot; its name is that of its cache folder too.
    pub fn start_worker(&self, url: &str, name: &str) -> RemoteWorker {
        self.start_worker_with(url, name, &[])
    }

    pub fn start_worker_with(&self, url: &str, name: &str, arguments: &[&str]) -> RemoteWorker {
        self.start_worker_in(url, name, arguments, &[])
    }

    /// Starts a remote worker with additional environment variables.
    pub fn start_worker_in(
        &self,
        url: &str,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> RemoteWorker {
        let mut command = self.program(self.programs.worker);
        command.args(["--coordinator", url, "--name", name, "--slots", "1", "--cache-dir", name]);
        command.args(arguments).envs(variables.iter().copied());
        RemoteWorker::start(&mut command)
    }

    /// Runs `worker` with these arguments alone to its end.
    pub fn worker(&self, arguments: &[&str]) -> Ended {
        Process::start(self.program(self.programs.worker).args(arguments)).wait()
    }

    /// What `coordinator status` tells of a sweep.
    #[track_caller]
    pub fn status(&self, sweep: &Sweep) -> Status {
        let folder = format!("reports/{}", sweep.name);
        Status::parse(&self.coordinator(&["status", &folder]).expect(0).stdout_text())
    }
}
