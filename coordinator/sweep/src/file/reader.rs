//! A table of the sweep file, read field by field: wrong types, values out of range and unknown
//! keys become problems with their place.

use std::ops::RangeInclusive;

use toml::de::{DeArray, DeInteger, DeTable, DeValue};
use trial::Interface;

use super::problem::{Problem, Problems, Span, Spanned, did_you_mean, suggest};

/// A value of the file and its place.
pub(crate) type Item<'a> = &'a toml::Spanned<DeValue<'a>>;

/// What a value is, in the words of "expected a list, found ...".
pub(crate) fn describe(item: Item) -> &'static str {
    match item.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The problem of a value that has another type than its key wants.
pub(crate) fn wrong_type(name: &str, expected: &str, item: Item) -> Problem {
    let found = describe(item);
    Problem::at(
        item.span(),
        format!("`{name}` has the wrong type"),
        format!("expected {expected}, found {found}"),
    )
}

/// A whole number; `None` outside of i128, or if the value is no integer.
pub(crate) fn integer(item: Item) -> Option<i128> {
    let digits: &DeInteger = item.get_ref().as_integer()?;
    i128::from_str_radix(digits.as_str(), digits.radix()).ok()
}

/// A number, whole or not, with -0 as 0; what is too large for f64 is infinite.
pub(crate) fn number(item: Item) -> Option<f64> {
    let x = match item.get_ref() {
        DeValue::Float(digits) => digits.as_str().parse::<f64>().ok()?,
        DeValue::Integer(_) => match integer(item) {
            Some(n) => n as f64,
            None => f64::INFINITY,
        },
        _ => return None,
    };
    Some(x + 0.0)
}

/// A table, the title that errors give it, and its place.
pub(crate) struct Table<'a> {
    pub(crate) title: &'static str,
    pub(crate) span: Span,
    /// What the file's trials are made of.
    pub(crate) interface: &'static Interface,
    fields: &'a DeTable<'a>,
    /// Keys that unknown ones most likely mean: they are not missing as well.
    misspelt: Vec<&'a str>,
}

impl<'a> Table<'a> {
    pub(crate) fn root(fields: &'a DeTable<'a>, interface: &'static Interface) -> Self {
        Self { title: "the sweep file", span: 0..0, interface, fields, misspelt: Vec::new() }
    }

    /// Reads a value in it that must be a table; which keys it may have is the caller's to check.
    pub(crate) fn inner(&self, item: Item<'a>, title: &'static str) -> Result<Self, Problem> {
        match item.get_ref() {
            DeValue::Table(fields) => {
                let (span, interface) = (item.span(), self.interface);
                Ok(Self { title, span, interface, fields, misspelt: Vec::new() })
            }
            _ => Err(Problem::at(
                item.span(),
                format!("{title} has the wrong type"),
                format!("expected a table, found {}", describe(item)),
            )),
        }
    }

    /// The section `[name]`, if the file has it.
    pub(crate) fn section(
        &self,
        name: &str,
        title: &'static str,
        known: &[&'a str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut table = problems.ok(self.inner(self.item(name)?, title))?;
        table.refuse_unknown(known, problems);
        Some(table)
    }

    /// The tables of `[[name]]`, none if the file has none.
    pub(crate) fn sections(
        &self,
        name: &str,
        title: &'static str,
        known: &[&'a str],
        problems: &mut Problems,
    ) -> Vec<Self> {
        let Some(item) = self.item(name) else { return Vec::new() };
        let Some(items) = item.get_ref().as_array() else {
            let problem = wrong_type(name, "a list of tables", item);
            problems.push(problem.help(format!("write {title} with two brackets")));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            let Some(mut table) = problems.ok(self.inner(item, title)) else { continue };
            table.refuse_unknown(known, problems);
            tables.push(table);
        }
        tables
    }

    pub(crate) fn refuse_unknown(&mut self, known: &[&'a str], problems: &mut Problems) {
        for (name, span, _) in self.entries() {
            if !known.contains(&name) {
                self.misspelt.extend(suggest(name, known.iter().copied()));
                problems.push(
                    Problem::at(
                        span,
                        format!("unknown key `{name}`"),
                        format!("not a key of {}", self.title),
                    )
                    .help(what_was_meant(self.interface, name, known)),
                );
            }
        }
    }

    /// Keys with their places and values, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Span, Item<'a>)> {
        let mut entries: Vec<_> = self
            .fields
            .iter()
            .map(|(key, item)| (key.get_ref().as_ref(), key.span(), item))
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    pub(crate) fn item(&self, name: &str) -> Option<Item<'a>> {
        self.fields.get(name)
    }

    pub(crate) fn text(&self, name: &str, problems: &mut Problems) -> Option<Spanned<String>> {
        let item = self.item(name)?;
        let Some(text) = item.get_ref().as_str() else {
            problems.push(wrong_type(name, "a string", item));
            return None;
        };
        Some(Spanned { value: text.to_string(), span: item.span() })
    }

    /// One of a few words, by its position in `words`.
    pub(crate) fn word(
        &self,
        name: &str,
        words: &[&str],
        problems: &mut Problems,
    ) -> Option<usize> {
        let text = self.text(name, problems)?;
        let position = words.iter().position(|&word| word == text.value);
        if position.is_none() {
            let label = format!("expected {}", quoted_list(words));
            let message = format!("`{name}` cannot be \"{}\"", text.value);
            problems.push(Problem::at(text.span, message, label));
        }
        position
    }

    pub(crate) fn count(
        &self,
        name: &str,
        range: RangeInclusive<u32>,
        problems: &mut Problems,
    ) -> Option<Spanned<u32>> {
        let item = self.item(name)?;
        problems.ok(count(name, item, range))
    }

    pub(crate) fn number(&self, name: &str, problems: &mut Problems) -> Option<Spanned<f64>> {
        let item = self.item(name)?;
        let Some(value) = number(item) else {
            problems.push(wrong_type(name, "a number", item));
            return None;
        };
        Some(Spanned { value, span: item.span() })
    }

    pub(crate) fn array(
        &self,
        name: &str,
        expected: &str,
        problems: &mut Problems,
    ) -> Option<&'a DeArray<'a>> {
        let item = self.item(name)?;
        let array = item.get_ref().as_array();
        if array.is_none() {
            problems.push(wrong_type(name, expected, item));
        }
        array
    }

    /// Whether the file has a key, be it under a name with a slip in it.
    pub(crate) fn means(&self, name: &str) -> bool {
        self.item(name).is_some() || self.misspelt.contains(&name)
    }

    /// Notes that a required key is missing, unless a misspelt one is noted already.
    pub(crate) fn missing(&self, name: &str, help: impl Into<String>, problems: &mut Problems) {
        if self.means(name.trim_matches(['[', ']'])) {
            return;
        }
        let message = format!("{} has no `{name}`", self.title);
        let mut problem =
            Problem::at(self.span.clone(), message, format!("`{name}` is missing")).help(help);
        if self.span.is_empty() {
            problem.span = None;
        }
        problems.push(problem);
    }
}

fn what_was_meant(interface: &Interface, name: &str, known: &[&str]) -> String {
    match interface.variant(&name.to_lowercase()) {
        Some(variant) => {
            let (name, selector) = (variant.name, interface.selector());
            format!("`{name}` is an {selector}: write `{selector} = [\"{name}\"]` in [[grid]]")
        }
        None if suggest(name, known.iter().copied()).is_some() => {
            did_you_mean(name, known, "known keys")
        }
        None => home(interface, name).unwrap_or_else(|| did_you_mean(name, known, "known keys")),
    }
}

/// Keys that stand elsewhere than one may think, with their sections.
pub(crate) const HOMES: &[(&str, &str)] = &[
    ("widths", "[model]"),
    ("zip", "[[grid]]"),
    ("exclude", "[[grid]]"),
    ("path", "[dataset]"),
    ("format", "[dataset]"),
    ("valid", "[dataset]"),
    ("scale", "[dataset]"),
    ("metric", "[report]"),
    ("heatmaps", "[report]"),
    ("claim", "[[hypothesis]]"),
    ("margin", "[[hypothesis]]"),
];

/// Where a key belongs that its section does not have.
fn home(interface: &Interface, name: &str) -> Option<String> {
    if let Some((name, section)) = HOMES.iter().find(|(known, _)| *known == name) {
        return Some(format!("`{name}` belongs in {section}"));
    }
    match name {
        "seed" | "seeds" => Some(
            "seeds have a section of their own: write [seeds] with `n = 3` or `list = [1, 2, 3]`"
                .to_string(),
        ),
        "depth" => Some(
            "`depth` is an axis: write `depth = [1, 2]` in [[grid]]; one depth for all is \
             `hidden = [256, 128]` under [train]"
                .to_string(),
        ),
        _ => interface
            .parameter(name)
            .map(|_| format!("`{name}` belongs under [train], or as a list in [[grid]]")),
    }
}

/// A whole number in a range.
pub(crate) fn count(
    name: &str,
    item: Item,
    range: RangeInclusive<u32>,
) -> Result<Spanned<u32>, Problem> {
    let (low, high) = (*range.start(), *range.end());
    if !item.get_ref().is_integer() {
        return Err(wrong_type(name, "a whole number", item));
    }
    match integer(item).and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n)) {
        Some(value) => Ok(Spanned { value, span: item.span() }),
        None => Err(Problem::at(
            item.span(),
            format!("`{name}` is out of range"),
            format!("expected {}", whole_numbers(low, high)),
        )),
    }
}

/// `a whole number from 1 to 9`, or the only one there is.
pub(crate) fn whole_numbers(low: u32, high: u32) -> String {
    if low == high { low.to_string() } else { format!("a whole number from {low} to {high}") }
}

/// `"a", "b" or "c"`.
pub(crate) fn quoted_list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
