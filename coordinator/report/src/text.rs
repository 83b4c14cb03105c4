//! Text from files and workers on one line, without characters that steer, hide or turn it: what
//! every page, picture, table and terminal shows instead of the text itself.

/// The text with white space as single spaces, none around it, and each character that nobody should
/// meet replaced by U+FFFD. Markup is left alone: how to escape it depends on where it is shown.
pub fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_whitespace() => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c if is_hostile(c) => line.push(char::REPLACEMENT_CHARACTER),
            c => line.push(c),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// `shown`, of a long text its first characters and an ellipsis.
pub(crate) fn shortened(text: &str, max_chars: usize) -> String {
    let mut line = shown(text);
    if let Some((end, _)) = line.char_indices().nth(max_chars) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Control characters, marks that turn the reading direction, characters without any width that make
/// two texts look alike, and those that no XML holds.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
        || c as u32 & 0xfffe == 0xfffe
}

/// Strings that tests of escaping start from.
#[cfg(test)]
pub(crate) mod hostile {
    use proptest::prelude::*;

    pub(crate) const PARTS: [&str; 44] = [
        "a|b",
        "||",
        "`",
        "``",
        "[x](javascript:y)",
        "![x](http://x.y/z.png)",
        "[^1]",
        "[[x]]",
        "<b>",
        "<script>alert(1)</script>",
        "</svg>",
        "]]>",
        "<!--",
        "-->",
        "&lt;",
        "&#124;",
        "=1+1",
        "@user",
        "+1",
        "-1",
        "- ",
        "1. ",
        "2) ",
        "# ",
        "\n# x",
        "\n\n",
        "\n- x",
        "===",
        "---",
        "***",
        "__x__",
        "~~x~~",
        "$x$",
        "\\",
        "\\|",
        "\u{1b}[2J",
        "\u{0}",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "\"q\"",
        "https://x.y",
        "www.x.y",
        ":smile:",
    ];

    /// Such parts and anything else, in any order.
    pub(crate) fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            3 => prop::sample::select(PARTS.to_vec()).prop_map(String::from),
            1 => any::<String>(),
            1 => "[ a-z0-9.,:;()'\u{5d0}-\u{5ea}]{0,12}",
        ];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_is_replaced() {
        assert_eq!(shown(" a\tb\r\n\u{2028}c\u{7f}\u{9b}2J\n"), "a b c\u{fffd}\u{fffd}2J");
        assert_eq!(
            shown("x\u{202e}\u{200b}\u{1b}[0m\u{ffff}"),
            "x\u{fffd}\u{fffd}\u{fffd}[0m\u{fffd}"
        );
        assert_eq!(
            shown("\u{5e9}\u{5dc}\u{5d5}\u{5dd} é 你好 👍🏽"),
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd} é 你好 👍🏽"
        );
        assert_eq!(shortened("ééé", 2), "éé…");
        assert_eq!(shortened("ééé", 3), "ééé");
    }
}
