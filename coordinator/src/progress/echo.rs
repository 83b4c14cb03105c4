//! The terminal's echo of control keys. A `^C` that the terminal writes among the bars moves them
//! by a line and leaves a torn one behind, so it is off while they are shown.

use std::io;
use std::sync::Mutex;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The modes to go back to.
static FORMER: Mutex<Option<Termios>> = Mutex::new(None);

/// Does nothing where stderr is no terminal.
pub(super) fn hide() {
    let Ok(former) = tcgetattr(io::stderr()) else { return };
    let mut quiet = former.clone();
    quiet.local_modes.remove(LocalModes::ECHOCTL);
    // A terminal that refuses shows a torn bar on Ctrl-C, and nothing worse.
    let _ = tcsetattr(io::stderr(), OptionalActions::Now, &quiet);
    *FORMER.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(former);
}

/// Also called where the process ends without taking the bars away.
pub fn restore() {
    let former = FORMER.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(former) = former {
        // The terminal may be gone.
        let _ = tcsetattr(io::stderr(), OptionalActions::Now, &former);
    }
}
