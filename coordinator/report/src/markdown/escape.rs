//! Text from files and workers as Markdown that shows it and does nothing else, whether a code host
//! reads it (with tables, autolinks, mentions and emoji names) or any other CommonMark reader.

use crate::text::{shortened, shown};

/// A name: at most 200 characters.
pub(crate) fn escape(text: &str) -> String {
    escape_up_to(text, 200)
}

/// A text of several sentences: at most 2,000 characters.
pub(crate) fn escape_prose(text: &str) -> String {
    escape_up_to(text, 2_000)
}

fn escape_up_to(text: &str, max_chars: usize) -> String {
    let text = shortened(text, max_chars);
    if text.is_empty() {
        return "–".to_string();
    }
    let mut safe = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        let (before, after) = (&text[..index], text[index + c.len_utf8()..].chars().next());
        let ends_word = after.is_none_or(|next| next == ' ');
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '|' => safe.push_str("&#124;"),
            '@' => safe.push_str("&#64;"),
            // An address would become a link, and a word between colons a picture.
            ':' if !ends_word => safe.push_str("&#58;"),
            '.' if before.to_ascii_lowercase().ends_with("www") => safe.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '~' | '!' | '$' | '^' => {
                safe.push('\\');
                safe.push(c);
            }
            // At a line's start these make a list, a rule or a heading of the line above.
            '-' | '+' | '=' if index == 0 && (ends_word || after == Some(c)) => {
                safe.push('\\');
                safe.push(c);
            }
            '.' | ')' if ends_word && is_number(before) => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Text as inline code that cannot end early; for commands and digests.
pub(crate) fn code(text: &str) -> String {
    format!("`{}`", shown(text).replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser};

    use super::*;
    use crate::command;
    use crate::text::hostile;

    /// The text that a reader sees, and how many pieces of markup are around it.
    fn read(markdown: &str) -> (String, usize) {
        let (mut text, mut n_marks) = (String::new(), 0);
        let extensions = Options::all()
            - Options::ENABLE_SMART_PUNCTUATION
            - Options::ENABLE_OLD_FOOTNOTES
            - Options::ENABLE_DEFINITION_LIST;
        for event in Parser::new_ext(markdown, extensions) {
            match event {
                Event::Text(part) | Event::Code(part) => text.push_str(&part),
                _ => n_marks += 1,
            }
        }
        (text, n_marks)
    }

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            escape("a|b <img src=x> [x](y) \u{202e}`c`\n# d"),
            "a&#124;b &lt;img src=x&gt; \\[x\\](y) \u{fffd}\\`c\\` \\# d"
        );
        assert_eq!(escape("see https://x.y: www.z.w"), "see https&#58;//x.y: www&#46;z.w");
        assert_eq!([escape("- a"), escape("3. a"), escape("-0.5")], ["\\- a", "3\\. a", "-0.5"]);
        assert_eq!(escape(&"é".repeat(300)).chars().count(), 201);
        assert_eq!(escape_prose(&"é".repeat(300)).chars().count(), 300);
        assert_eq!(escape(" \n"), "–");
        assert_eq!(code("a`b\u{7}"), "`a'b\u{fffd}`");
    }

    proptest! {
        /// Wherever a text stands, its markup is that of a harmless word, and it reads as it is.
        #[test]
        fn texts_read_as_they_are(text in hostile::text()) {
            let plain = shortened(&text, 200);
            if plain.is_empty() {
                return Ok(());
            }
            let escaped = escape(&text);
            for (before, after) in [
                ("", "\n"),
                ("A paragraph before.\n\n", "\n\nAnd one after.\n"),
                ("Words before ", " and after.\n"),
                ("## 1. ", "\n"),
                ("- ", "\n- b\n"),
                ("1. **", "**: *holds*\n"),
                ("| a | b |\n| --- | --- |\n| ", " | c |\n"),
                ("| a | ", " |\n| --- | --- |\n| c | d |\n"),
            ] {
                let (shown, n_marks) = read(&format!("{before}{escaped}{after}"));
                let (word, n_marks_of_word) = read(&format!("{before}w0rd{after}"));
                prop_assert_eq!(shown, word.replace("w0rd", &plain), "in {:?}", before);
                prop_assert_eq!(n_marks, n_marks_of_word, "in {:?}", before);
            }
        }

        #[test]
        fn code_reads_as_it_is(text in hostile::text()) {
            let plain = shown(&text);
            if plain.is_empty() {
                return Ok(());
            }
            prop_assert_eq!(read(&format!("run {}.\n", code(&text))), (format!("run {}.", plain.replace('`', "'")), 2));
        }

        #[test]
        fn a_command_reads_as_it_is(word in hostile::text()) {
            let command = command::coordinator([word]);
            prop_assert_eq!(code(&command), format!("`{command}`"));
            prop_assert_eq!(read(&format!("run {}.\n", code(&command))), (format!("run {command}."), 2));
        }
    }
}
