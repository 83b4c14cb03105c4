//! The screen: stderr with a live view at its bottom, and the one door for all other text, which
//! appears above that view. The cursor rests on the view's first line: a terminal that wraps its lines
//! anew when it is resized keeps the cursor there, so that the next frame covers all of the last one.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

use super::echo;

/// What is shown now; empty while there is no live view.
static FRAME: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// The size that it was laid out for.
static LAID_OUT: Mutex<Size> = Mutex::new(USUAL);

/// From the cursor's line to the end of the screen.
const CLEAR: &str = "\r\x1b[J";

/// A terminal that does not tell its size is taken to have this one.
const USUAL: Size = Size { columns: 80, rows: 24 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// Whether a live view can be shown: stderr is a terminal that can move its cursor, and this process
/// is in its foreground, since one in the background is stopped when it changes a terminal's modes.
pub fn can_be_live() -> bool {
    let moves = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    io::stderr().is_terminal() && moves && is_in_foreground()
}

fn is_in_foreground() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|group| group == getpgrp())
}

pub fn size() -> Size {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => USUAL,
    }
}

/// Shows these lines in the place of the last frame. None of them may be wider than the terminal was
/// at `laid_out`: what is too wide by now would wrap and leave a dead frame, so the next one is waited
/// for.
pub fn show(laid_out: Size, lines: Vec<String>) {
    if !is_in_foreground() || size() != laid_out {
        return;
    }
    let mut frame = frame();
    if frame.is_empty() {
        echo::hide();
    }
    // A closed stderr is no reason to stop.
    let _ = io::stderr().lock().write_all(repaint(&lines).as_bytes());
    *frame = lines;
    *LAID_OUT.lock().unwrap_or_else(PoisonError::into_inner) = laid_out;
}

/// Takes the live view away. Also called where the process is about to end.
pub fn leave() {
    let mut frame = frame();
    if !frame.is_empty() && is_in_foreground() {
        let _ = io::stderr().lock().write_all(CLEAR.as_bytes());
        echo::restore();
    }
    frame.clear();
}

fn frame() -> MutexGuard<'static, Vec<String>> {
    FRAME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal wraps what is wider than it, or leaves it out.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// In one piece and without an empty screen in between, which would flicker. Nothing wraps: a terminal
/// may become narrower while a frame is on its way to it.
fn repaint(lines: &[String]) -> String {
    let mut text = format!("{WRAP_OFF}\r");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text += "\r\n";
        }
        text += line;
        text += "\x1b[K";
    }
    text += "\x1b[J";
    text += WRAP_ON;
    match lines.len() {
        0 | 1 => text + "\r",
        n_lines => text + &format!("\x1b[{}A\r", n_lines - 1),
    }
}

/// Writes to stderr, above the live view if there is one.
#[derive(Clone, Copy, Debug)]
pub struct LogWriter;

/// For `tracing_subscriber`'s `with_writer`.
pub fn make_writer() -> LogWriter {
    LogWriter
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut frame = frame();
        if frame.is_empty() || !is_in_foreground() {
            return io::stderr().write_all(bytes);
        }
        let above = String::from_utf8_lossy(bytes);
        let above = above.strip_suffix('\n').unwrap_or(&above);
        // The size has changed: the next frame comes soon.
        if size() != *LAID_OUT.lock().unwrap_or_else(PoisonError::into_inner) {
            *frame = vec![String::new()];
        }
        let text = format!("{CLEAR}{above}\n{}", repaint(&frame));
        io::stderr().write_all(text.as_bytes())
    }

    /// In one piece: a frame shown between two pieces of a line would tear it.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_comes_back_to_the_first_line() {
        let two = "\x1b[?7l\r\x1b[K\r\na\x1b[K\x1b[J\x1b[?7h\x1b[1A\r";
        assert_eq!(repaint(&["".into(), "a".into()]), two);
        assert_eq!(repaint(&["a".into()]), "\x1b[?7l\ra\x1b[K\x1b[J\x1b[?7h\r");
    }
}
