//! Files that are either whole or not there: written beside their place, synced, then renamed.
//! What lies in a folder that others can write to may be anything, so files are opened with care.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use trial::hex::hex;

/// Replaces `path` by `parts`, one after the other. When this returns, the new content is on the
/// disk; when it fails, the former content is still in place.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = beside(path, "tmp")?;
    let written = write_and_rename(&temporary, path, parts);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_and_rename(temporary: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    faults::point("worker.file.before");
    let mut file = File::options().write(true).create_new(true).open(temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    faults::point("worker.file.written");
    file.sync_all()?;
    faults::point("worker.file.synced");
    fs::rename(temporary, path)?;
    faults::point("worker.file.renamed");
    sync_folder_of(path)
}

/// Gives what lies at `from` the name `to`, for good: it is there after a loss of power too. Its
/// content has to be on the disk already.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)?;
    match from.parent() == to.parent() {
        true => Ok(()),
        false => sync_folder_of(from),
    }
}

/// A name in the same folder that no other process uses. A process id would not do: workers in
/// two containers that share a cache folder often have the same.
pub(crate) fn beside(path: &Path, ending: &str) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.{ending}", hex(&random)));
    Ok(path.with_file_name(name))
}

/// Makes a folder and those above it, durably: a folder's name is on the disk once the folder
/// above it is synced.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(_) if path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{}: expected a folder, found something else", path.display());
            Err(io::Error::new(error.kind(), text))
        }
        Err(error) => Err(naming(path, error)),
        Ok(()) => sync_folder_of(path),
    }
}

/// Makes a rename or a new name in `path`'s folder durable. A file system that cannot sync a
/// folder, and a folder that may not be read, cannot be helped.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    use io::ErrorKind as Kind;
    let folder = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                Kind::PermissionDenied | Kind::InvalidInput | Kind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Opens what is a file, and nothing else: a pipe would wait for its other end, and a device might
/// never end. The error names the path.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.custom_flags(nonblocking).open(path);
    let file = file.map_err(|error| naming(path, error))?;
    if !file.metadata()?.is_file() {
        let text = format!("{}: expected a file, found something else", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(file)
}

/// The bytes of a file that has at most `max_bytes`; `None` if it is not there.
pub(crate) fn read(path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = match open(path, File::options().read(true)) {
        Err(error) if is_absent(&error) => return Ok(None),
        opened => opened?,
    };
    let n_bytes = file.metadata()?.len();
    if n_bytes > max_bytes {
        let text = format!("{}: {n_bytes} bytes, expected at most {max_bytes}", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| naming(path, error))?;
    Ok(Some(bytes))
}

/// The error with the path that it is about.
pub(crate) fn naming(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Whether an error says that the disk, or this user's share of it, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Removes a file; it is no error that it was not there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Nothing is there, or not even the folder that it would be in.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_not_a_file_is_named_and_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        fs::create_dir(path("folder")).unwrap();
        symlink(path("loop"), path("loop")).unwrap();
        symlink("/dev/zero", path("endless")).unwrap();
        for name in ["pipe", "folder", "loop", "endless"] {
            let error = read(&path(name), 100).unwrap_err().to_string();
            assert!(error.contains(&path(name).display().to_string()), "{name}: {error}");
            assert!(open(&path(name), File::options().write(true).create(true)).is_err(), "{name}");
        }
        assert_eq!(read(&path("nothing"), 100).unwrap(), None);
        fs::write(path("file"), "four").unwrap();
        assert_eq!(read(&path("file"), 4).unwrap().unwrap(), b"four");
        assert!(read(&path("file"), 3).unwrap_err().to_string().contains("at most 3"));
    }

    #[test]
    fn folders_are_made_with_those_above_them_and_a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(folder.path().join("file"), "").unwrap();
        let error = make_folder(&folder.path().join("file/x")).unwrap_err().to_string();
        assert!(error.contains("file"), "{error}");
    }

    #[test]
    fn folders_are_made_once_and_take_what_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        fs::write(folder.path().join("file"), "content").unwrap();
        rename(&folder.path().join("file"), &deep.join("renamed")).unwrap();
        assert_eq!(fs::read_to_string(deep.join("renamed")).unwrap(), "content");
        assert!(make_folder(&deep.join("renamed")).is_err(), "a file is in the way");
    }
}
