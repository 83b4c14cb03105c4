//! The terminal's echo of keys. A `^C` or a line break that the terminal writes into the live view
//! moves the cursor and leaves a torn frame behind, so the echo is off while the view is shown.

use std::io;
use std::sync::Mutex;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The modes to go back to.
static FORMER: Mutex<Option<Termios>> = Mutex::new(None);

/// Does nothing where stderr is no terminal.
pub fn hide() {
    let Ok(former) = tcgetattr(io::stderr()) else { return };
    let mut quiet = former.clone();
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ECHOCTL);
    // A terminal that refuses shows a torn frame on Ctrl-C, and nothing worse.
    let _ = tcsetattr(io::stderr(), OptionalActions::Now, &quiet);
    *FORMER.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(former);
}

pub fn restore() {
    let former = FORMER.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(former) = former {
        // The terminal may be gone.
        let _ = tcsetattr(io::stderr(), OptionalActions::Now, &former);
    }
}
