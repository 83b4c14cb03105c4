//! A coordinator on a pseudo terminal, and what the screen of that terminal shows.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU16;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::Signal;
use rustix::termios::{Winsize, tcsetwinsize};

use crate::programs::process::{children_of_any_name, send, send_if_there};
use crate::wait::eventually;

/// Ended when dropped, with the program on its terminal.
pub struct Terminal {
    script: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    /// All bytes that were written to the terminal.
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a program on a new terminal of this size, by `script` of util-linux. `by` is what its
    /// shell starts it with.
    pub(crate) fn start(command: &Command, by: &str, columns: u16, rows: u16) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
        let line = format!("stty rows {rows} cols {columns}; {by} {}", words.join(" "));
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]);
        script.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").env_remove("NO_COLOR");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.current_dir(command.get_current_dir().expect("a folder"));
        script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = script.spawn().expect("`script` of util-linux");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(nonzero(rows), nonzero(columns), 0)));
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut bytes = script.stdout.take().expect("a pipe");
        let (its_screen, its_written) = (screen.clone(), written.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            let mut margin = Margin::default();
            while let Ok(n_bytes @ 1..) = bytes.read(&mut buffer) {
                let mut screen = its_screen.lock().unwrap_or_else(PoisonError::into_inner);
                for &byte in &buffer[..n_bytes] {
                    margin.process(&mut screen, byte);
                }
                let mut written = its_written.lock().unwrap_or_else(PoisonError::into_inner);
                written.extend_from_slice(&buffer[..n_bytes]);
            }
        });
        Self { script, screen, written }
    }

    /// The lines that are on the screen.
    pub fn screen(&self) -> Vec<String> {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, columns) = screen.screen().size();
        screen.screen().rows(0, columns.get()).collect()
    }

    /// Everything written so far.
    pub fn written(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let path = format!("/proc/{}/fd/2", self.program());
        let terminal = File::options().read(true).write(true).open(path).expect("its terminal");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        tcsetwinsize(&terminal, size).expect("a terminal has a size");
        screen.screen_mut().set_size(nonzero(rows), nonzero(columns));
    }

    /// To the program, not to what it started.
    pub fn signal(&self, signal: Signal) {
        send(self.program(), signal);
    }

    fn program(&self) -> u32 {
        eventually("the program on the terminal", || {
            children_of_any_name(self.script.id()).first().copied()
        })
    }

    /// Waits for its end by itself, and for all that it wrote; gives its exit code.
    pub fn wait(&mut self) -> i32 {
        let status =
            eventually("the end on the terminal", || self.script.try_wait().expect("a child"));
        // The collector ends with the terminal.
        eventually("all that was written", || (Arc::strong_count(&self.screen) == 1).then_some(()));
        status.code().expect("an exit code")
    }
}

/// The right margin: what the model of the screen lacks of it. While wrapping is off
/// (`ESC [ ? 7 l`), text that comes to the margin goes no further.
#[derive(Default)]
struct Margin {
    is_wrap_off: bool,
    /// The sequence that is not at its end yet.
    sequence: Vec<u8>,
}

impl Margin {
    fn process(&mut self, screen: &mut vt100::Parser, byte: u8) {
        let is_in_sequence = !self.sequence.is_empty();
        if byte == 0x1b || is_in_sequence {
            self.sequence.push(byte);
            let is_last = self.sequence.len() > 2 && (0x40..=0x7e).contains(&byte);
            if is_last {
                match &self.sequence[..] {
                    b"\x1b[?7l" => self.is_wrap_off = true,
                    b"\x1b[?7h" => self.is_wrap_off = false,
                    _ => {}
                }
                screen.process(&std::mem::take(&mut self.sequence));
            }
            return;
        }
        let (_, columns) = screen.screen().size();
        let (_, column) = screen.screen().cursor_position();
        let is_beyond = self.is_wrap_off && byte >= 0x20 && column >= columns.get();
        if !is_beyond {
            screen.process(&[byte]);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for pid in children_of_any_name(self.script.id()) {
            send_if_there(pid, Signal::KILL);
        }
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn nonzero(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).expect("a terminal has a size")
}
