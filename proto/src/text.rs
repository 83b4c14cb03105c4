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

/// Neither a control character, nor a line break of another name, nor one of the invisible
/// characters that change the order or the look of what stands beside them.
fn is_plain(c: char) -> bool {
    let is_invisible = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !is_invisible
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
    fn letters_of_any_language_stay() {
        let text = "Zürich, 東京, עברית, 🦀 n=3";
        assert_eq!(clean_line(text, 100), text);
    }
}
