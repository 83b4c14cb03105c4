//! What can be done about a damaged state.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use report::command;

use crate::store::schema::SCHEMA_VERSION;

/// Says what can be done, and which copies there are.
pub fn rescue(path: &Path) -> String {
    let saved = path.with_extension("saved.db");
    let recover = command::line("sqlite3", [command::path(path), ".recover".into()]);
    let into = command::line("sqlite3", [command::path(&saved)]);
    let mut rescue = format!(
        "`{recover} | {into}` saves what is readable; --fresh sets the state aside, loses nothing of it, and starts anew"
    );
    let copies = copies_of(path);
    if !copies.is_empty() {
        let names: Vec<String> = copies.iter().map(|copy| copy.display().to_string()).collect();
        rescue += &format!("; former copies: {}", names.join(", "));
    }
    rescue
}

/// What can be done about a log that is damaged.
pub fn rescue_log(path: &Path) -> String {
    let pragma = "PRAGMA wal_checkpoint(TRUNCATE)".into();
    let keep = command::line("sqlite3", [command::path(path), pragma]);
    let remove = command::line("rm", [command::path(&mark_of(path))]);
    format!(
        "Put a copy of the log back if there is one; `{keep}` keeps what lies before the damage, and after `{remove}` a run goes on from there and repeats the rest; --fresh sets the state aside, loses nothing of it, and starts anew"
    )
}

/// What can be done about a database that has less than it had.
pub fn rescue_lost(path: &Path) -> String {
    let remove = command::line("rm", [command::path(&mark_of(path))]);
    format!(
        "Put {} back if there is a copy of it; after `{remove}` a run goes on with what is left and repeats the rest; --fresh sets the state aside, loses nothing of it, and starts anew",
        with_suffix(path, "-wal").display()
    )
}

/// Where the mark of a database lies.
pub fn mark_of(path: &Path) -> PathBuf {
    with_suffix(path, ".mark")
}

/// Those that this program made: before it brought the state up to date, and by `export`.
fn copies_of(path: &Path) -> Vec<PathBuf> {
    let exported = path.parent().and_then(Path::parent).map(|out| out.join("export/sweep.db"));
    let former = (1..SCHEMA_VERSION).rev().map(|version| former(path, version));
    former.chain(exported).filter(|copy| copy.is_file()).collect()
}

/// Where the copy of a database of a former version lies.
pub fn former(path: &Path, version: i64) -> PathBuf {
    with_suffix(path, &format!(".schema-{version}"))
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
