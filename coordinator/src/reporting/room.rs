//! Whether there is room for files at a place: asked before the work whose outcome they take.

use std::io;
use std::path::Path;

use crate::cli::refusal::Refusal;

/// Whether files can be made in a folder, which may have to be made itself. Leaves nothing there.
///
/// # Errors
/// Why not, with the path.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    let naming = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    for above in folder.ancestors() {
        let above = if above == Path::new("") { Path::new(".") } else { above };
        match above.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(naming(above, error)),
            Ok(found) if found.is_dir() => {
                // It has no name, so that it is gone when this process is.
                return tempfile::tempfile_in(above).map(drop).map_err(|it| naming(above, it));
            }
            Ok(_) => {
                let text = "expected a folder, found something else";
                return Err(naming(above, io::Error::new(io::ErrorKind::NotADirectory, text)));
            }
        }
    }
    Ok(())
}

/// Whether a new file can be made where `flag` says.
///
/// # Errors
/// Wrong usage where something lies there, or the path is that of a folder.
pub fn check_new_file(flag: &str, path: &Path) -> Result<(), Refusal> {
    let shown = path.display();
    let is_name_of_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let Some(folder) = path.parent().filter(|_| !is_name_of_folder && path.file_name().is_some())
    else {
        let text = format!("{flag} {shown}: expected the path of a new file, with its name");
        return Err(Refusal::Usage(text));
    };
    match path.symlink_metadata() {
        Ok(_) => {
            let text = format!("{shown}: exists already; choose another name for {flag}");
            return Err(Refusal::Usage(text));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(path, error)),
    }
    check_folder(folder).map_err(|error| refused(path, error))
}

fn refused(path: &Path, error: io::Error) -> Refusal {
    let text = format!("{}: cannot be written, so nothing was started", path.display());
    anyhow::Error::from(error).context(text).into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Its exit code and its words.
    fn refused(path: &Path) -> Option<(u8, String)> {
        match check_new_file("--save", path).err()? {
            Refusal::Usage(text) => Some((2, text)),
            Refusal::Runtime(error) => Some((1, format!("{error:#}"))),
            Refusal::SweepFile { .. } => panic!("no sweep file was read"),
        }
    }

    #[test]
    fn a_place_that_takes_no_file_is_found_before_the_work() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::write(at("file"), "").unwrap();
        symlink(at("ring"), at("ring")).unwrap();
        symlink(at("nothing"), at("dangling")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let long = "x".repeat(300);
        for (path, code, words) in [
            ("file", 2, "exists already; choose another name for --save"),
            ("folder", 2, "exists already"),
            ("dangling", 2, "exists already"),
            ("new/", 2, "expected the path of a new file"),
            ("new/..", 2, "expected the path of a new file"),
            ("file/x", 1, "nothing was started: Not a directory"),
            ("ring/a/x", 1, "nothing was started"),
            (&long, 1, "File name too long"),
        ] {
            let (found, text) = refused(&at(path)).unwrap_or_else(|| panic!("{path} is taken"));
            assert!(found == code && text.contains(words), "{path}: {found} {text}");
        }
        assert_eq!(refused(Path::new("")).map(|it| it.0), Some(2));
        assert_eq!(refused(&at("folder/x")), None);
        assert_eq!(refused(&at("a/b/c/x")), None);
        assert!(!at("a").exists() && fs::read_dir(at("folder")).unwrap().count() == 0);
    }

    /// What the kernel itself lets nobody write to, root either.
    #[test]
    fn a_file_system_that_takes_no_file_is_found_before_the_work() {
        let (code, text) = refused(Path::new("/proc/x")).expect("nothing is made in /proc");
        assert!(code == 1 && text.contains("/proc"), "{text}");
        assert!(check_folder(Path::new("/proc/self/fd/reports")).is_err());
    }
}
