//! Command lines that people paste: every word of them as a shell wants it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::text::shown;

/// A word in quotes where a shell would not take it as it is. One that no page or terminal shows as it
/// is (bytes that are not text, line breaks, spaces in a row, marks that turn the text), and one with
/// backticks, which end the command on many pages, stands in octal form, as all POSIX shells read it.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    match word.to_str() {
        // To zsh, a word that begins with `=` is the path of a program.
        Some(text) if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('=') => {
            text.into()
        }
        Some(text) if shown(text) == text && !text.contains('`') => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        _ => format!("\"$(printf '{}')\"", octal(word.as_bytes())),
    }
}

/// As a format of `printf`, and without what an interactive shell reads in double quotes.
fn octal(bytes: &[u8]) -> String {
    let escaped = |(index, byte): (usize, &u8)| match byte {
        b'-' if index == 0 => "\\055".into(),
        byte if byte.is_ascii_alphanumeric() || b"-_./=:,@+".contains(byte) => {
            char::from(*byte).to_string()
        }
        byte => format!("\\{byte:03o}"),
    };
    bytes.iter().enumerate().map(escaped).collect()
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
    line("coordinator", words)
}

/// A command of any program.
pub fn line<W: AsRef<OsStr>>(program: &str, words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().fold(program.into(), |line, word| line + " " + &quoted(word))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_wants_them() {
        assert_eq!(quoted("--out=a/b"), "--out=a/b");
        assert_eq!(quoted("my sweep"), "'my sweep'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("größe"), "'größe'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("=a"), "'=a'");
        assert_eq!(quoted("a`b"), "\"$(printf 'a\\140b')\"");
        assert_eq!(quoted("a  b"), "\"$(printf 'a\\040\\040b')\"");
        assert_eq!(quoted(OsStr::from_bytes(b"it's \xff")), "\"$(printf 'it\\047s\\040\\377')\"");
        assert_eq!(path(Path::new("-o/a")), "./-o/a");
        assert_eq!(path(Path::new("o/-a")), "o/-a");
        assert_eq!(coordinator(["plan", "a b.toml"]), "coordinator plan 'a b.toml'");
    }

    fn read_by_a_shell(words: &[OsString]) -> Vec<u8> {
        let command = line("printf", [OsString::from("%s|")].iter().chain(words));
        Command::new("sh").arg("-c").arg(command).output().expect("a shell runs").stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A shell takes line breaks at the end of a word in octal form away; no other byte is lost.
        #[test]
        fn a_shell_reads_every_word_back(
            words in prop::collection::vec(prop_oneof![
                prop::collection::vec(1_u8..=255, 0..12),
                "[-$`'\"\\\\!%*~<>&|;#(){}=\u{202e}\u{a0} \tß]{0,12}".prop_map(String::into_bytes),
            ], 1..8)
        ) {
            let words = words.into_iter().map(|mut word| {
                while word.ends_with(b"\n") {
                    word.pop();
                }
                OsString::from_vec(word)
            });
            let words: Vec<OsString> = words.collect();
            let expected: Vec<u8> =
                words.iter().flat_map(|word| [word.as_bytes(), b"|"].concat()).collect();
            prop_assert_eq!(read_by_a_shell(&words), expected);
        }
    }
}
