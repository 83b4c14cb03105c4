//! Command lines that people paste: every word of them as a shell wants it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// A word in quotes where a shell would not take it as it is. Bytes that are not text stand in their
/// octal form, as bash, zsh and ksh read it.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let Some(text) = word.as_ref().to_str() else {
        let bytes = word.as_ref().as_bytes();
        return format!("$'{}'", bytes.iter().map(escaped).collect::<String>());
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn escaped(byte: &u8) -> String {
    match byte {
        b'\\' | b'\'' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// A path as a word of its own, which no program takes for a flag.
pub fn path(path: &Path) -> OsString {
    if path.as_os_str().as_bytes().starts_with(b"-") {
        Path::new(".").join(path).into()
    } else {
        path.into()
    }
}

/// A command of this program.
pub fn coordinator<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().fold("coordinator".into(), |line, word| line + " " + &quoted(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_wants_them() {
        assert_eq!(quoted("--out=a/b"), "--out=a/b");
        assert_eq!(quoted("my sweep"), "'my sweep'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("größe"), "'größe'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted(OsStr::from_bytes(b"it's \xff")), "$'it\\'s \\377'");
        assert_eq!(path(Path::new("-o/a")), "./-o/a");
        assert_eq!(path(Path::new("o/-a")), "o/-a");
        assert_eq!(coordinator(["plan", "a b.toml"]), "coordinator plan 'a b.toml'");
    }
}
