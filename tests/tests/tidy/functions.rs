//! How long functions are: from `fn` to the closing brace, by Rust's own tokens, so that strings and
//! comments are none of it. Functions within macros count too.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub struct Function {
    pub name: String,
    /// The line of its `fn`; counts from 1.
    pub line: usize,
    pub n_lines: usize,
}

/// Those with a body, inner ones too.
pub fn functions(source: &str) -> Vec<Function> {
    let mut found = Vec::new();
    collect(source.parse().expect("tokens of Rust"), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Function>) {
    let mut open: Option<(String, usize)> = None;
    let mut after_fn = None;
    for token in tokens {
        match &token {
            TokenTree::Ident(word) if *word == "fn" => after_fn = Some(word.span().start().line),
            // A type such as `fn(u32)` has no name.
            TokenTree::Ident(name) => {
                open = after_fn.take().map(|line| (name.to_string(), line)).or(open);
            }
            TokenTree::Punct(sign) if sign.as_char() == ';' => open = None,
            TokenTree::Group(group) => {
                after_fn = None;
                if group.delimiter() == Delimiter::Brace
                    && let Some((name, line)) = open.take()
                {
                    let n_lines = group.span_close().end().line + 1 - line;
                    found.push(Function { name, line, n_lines });
                }
                collect(group.stream(), found);
            }
            _ => {}
        }
    }
}

#[test]
fn functions_are_measured_by_their_tokens() {
    let source = r####"
        /// fn of_a_comment() {
        trait Shape { fn area(&self) -> f64; }
        const TEXT: &str = "fn of_a_text() {";
        fn short(call: fn(u32) -> u32) -> u32 { call('{' as u32) }
        impl<'a> Shape for Raw<'a> {
            fn area(&self) -> f64 {
                let text = r#"
                    } "fn of_a_raw_text() {"#;
                // }
                fn inner() {
                }
                text.len() as f64
            }
        }
        in_a_macro! {
            fn listed(x in 0..3) {
            }
        }
    "####;
    let found: Vec<_> = functions(source).into_iter().map(|it| (it.name, it.n_lines)).collect();
    let expected = [("short", 1), ("area", 8), ("inner", 2), ("listed", 2)];
    assert_eq!(found, expected.map(|(name, n_lines)| (name.to_owned(), n_lines)));
}
