//! Foreign text: what a peer sent and a person will read. Both sides clean it here, where it becomes
//! text of theirs, so that nothing a peer says writes over a terminal or forges a line of a log.

/// At most `max_bytes` of one line, cut between characters.
pub fn clean_line(text: &str, max_bytes: usize) -> String {
    clean(text, max_bytes, |c| !is_plain(c))
}

/// As [`clean_line`], but line feeds stay.
pub fn clean_lines(text: &str, max_bytes: usize) -> String {
    clean(text, max_bytes, |c| c != '\n' && !is_plain(c))
}

fn clean(text: &str, max_bytes: usize, is_replaced: impl Fn(char) -> bool) -> String {
    let mut clean = String::new();
    for c in text.chars() {
        let c = if is_replaced(c) { ' ' } else { c };
        if clean.len() + c.len_utf8() > max_bytes {
            break;
        }
        clean.push(c);
    }
    clean
}

/// A name as [`clean_line`] leaves it, without blanks around it; `None` if nothing of it can be seen.
pub fn clean_name(text: &str, max_bytes: usize) -> Option<String> {
    let name = clean_line(text, max_bytes);
    let name = name.trim();
    name.contains(|c: char| !is_blank(c)).then(|| name.to_owned())
}

/// Neither a control character, nor a line break of another name, nor one of the invisible
/// characters that change the order or the look of what stands beside them, nor a filler that looks like
/// nothing at all.
fn is_plain(c: char) -> bool {
    let is_invisible = matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
        || is_ignorable(c) && !is_selector(c);
    !c.is_control() && !is_invisible
}

/// By itself it shows nothing.
fn is_blank(c: char) -> bool {
    // An empty pattern of Braille is a letter by its class alone.
    c.is_whitespace() || c == '\u{2800}' || is_ignorable(c)
}

/// Chooses the form of the letter before it, as an emoji's colours do.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

/// The code points that Unicode calls `Default_Ignorable_Code_Point`.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clean_line("aé\u{1b}[2Jb", 5), "aé [");
        assert_eq!(clean_line("é", 1), "");
    }

    #[test]
    fn nothing_is_left_that_moves_the_cursor_or_turns_the_text_around() {
        assert_eq!(clean_line("a\nERROR b\rc\u{9b}2J", 100), "a ERROR b c 2J");
        assert_eq!(clean_line("x\u{202e}gpj\u{2028}y\u{2066}z\u{feff}", 100), "x gpj y z ");
        assert_eq!(clean_lines("a\nb\r\n\u{2029}c", 100), "a\nb \n c");
    }

    #[test]
    fn a_name_of_nothing_that_can_be_seen_is_none() {
        for nothing in
            ["", " \t", "\u{3164}", "\u{115f}\u{ffa0}\u{34f}", "\u{2800}", "\u{fe0f}", "\u{e0100}"]
        {
            assert_eq!(clean_name(nothing, 100), None, "{nothing:?}");
        }
        assert_eq!(clean_name("\u{3164} node 7\u{e0041}", 100).as_deref(), Some("node 7"));
        assert_eq!(clean_name("é é", 3).as_deref(), Some("é"));
    }

    #[test]
    fn fillers_and_tags_are_taken_for_blanks() {
        assert_eq!(clean_line("a\u{3164}b\u{e0fff}c\u{1160}d\u{fff0}e", 100), "a b c d e");
    }

    #[test]
    fn letters_of_any_language_stay() {
        let text = "Zürich, 東京, עברית, 한국어, 🦀 ❤\u{fe0f} n=3";
        assert_eq!(clean_line(text, 100), text);
    }
}
