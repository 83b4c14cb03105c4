//! Command lines that people paste: every word of them as a shell wants it.

use std::ffi::OsStr;

/// A word in quotes where a shell would not take it as it is. What is no Unicode is shown as well
/// as it can be.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
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
        assert_eq!(coordinator(["plan", "a b.toml"]), "coordinator plan 'a b.toml'");
    }
}
