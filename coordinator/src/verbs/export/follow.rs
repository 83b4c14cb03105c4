//! `export --follow`: adds to an export what it lacks, for as long as the sweep runs. A journal only
//! grows and a run of TensorBoard appears whole, so that those who read meanwhile see nothing half.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use cli::ExportFormat;

use super::source::Source;
use super::{optuna, tensorboard};
use crate::cli;
use crate::cli::refusal::Refusal;
use crate::store::StateFolder;
use crate::verbs::export::source::state_of;
use crate::view::stdout::say;
use crate::view::terminal::n_of;

/// Between two looks at the state.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub fn follow(arguments: &cli::Export, to: &Path) -> Result<(), Refusal> {
    let is_there = to.symlink_metadata().is_ok();
    let is_such = match arguments.format {
        ExportFormat::Sqlite => {
            let text = "--follow is for tensorboard and optuna; a copy of the state is of one moment, \
                        and --force makes it anew";
            return Err(Refusal::Usage(text.into()));
        }
        ExportFormat::Tensorboard => tensorboard::is_export(to),
        ExportFormat::Optuna => optuna::is_export(to),
    };
    if is_there && !is_such {
        return Err(Refusal::Usage(format!(
            "{}: exists already and is no former export of this form, so nothing is added to it; choose another place with --to",
            to.display()
        )));
    }
    let state = state_of(arguments);
    say(&format!("export: {}\n", to.display()))?;
    let mut n_all = 0;
    loop {
        // Asked first: what is recorded until the coordinator ends is looked at once more.
        let is_running = StateFolder::is_in_use(&state);
        let source = Source::open(arguments)?;
        let added = match arguments.format {
            ExportFormat::Optuna => optuna::add(&source, to),
            _ => tensorboard::add(&source, to),
        };
        let n_added = added.with_context(|| format!("{}: cannot be added to", to.display()))?;
        n_all += n_added;
        if n_added > 0 || !is_running {
            say(&format!("{} added, {n_all} in all\n", n_of(n_added, "trial")))?;
        }
        if !is_running {
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
}
