//! A problem: one thing wrong with a sweep file, with the place, what was expected and what to do.

use std::ops::Range;

use crate::limits::MAX_PROBLEMS;

/// A byte range of the source.
pub type Span = Range<usize>;

/// A value and where the file says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

/// One thing wrong with a sweep file. Read like a compiler's message: `message` says what is
/// wrong, `label` stands under the place and says what was expected, `help` says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    /// A byte range of the source, on character boundaries; `None` for the file as a whole.
    pub span: Option<Span>,
    pub label: String,
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn at(span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span), label: label.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Collects problems, so that all are told at once.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if !self.0.contains(&problem) && self.0.len() < MAX_PROBLEMS {
            self.0.push(problem);
        }
    }

    /// Notes the error of a result and gives its value.
    pub(crate) fn ok<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of the file.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        sort_by_place(&mut self.0);
        self.0
    }
}

/// Puts problems into the order of the file.
pub fn sort_by_place(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| (span.start, span.end)));
}

/// The word of `known` that `word` most likely means: one that differs by a slip or two, one that
/// it begins (`batch` for `batch_size`), or one that it abbreviates (`lr` for `learning_rate`).
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let farthest = 1 + lower.chars().count() / 4;
    let distance = |candidate: &str| {
        let initials: String =
            candidate.split('_').filter_map(|part| part.chars().next()).collect();
        let is_short_for = lower.len() >= 3 && candidate.starts_with(&lower)
            || lower.len() >= 2 && initials == lower;
        if is_short_for { 1 } else { strsim::damerau_levenshtein(&lower, candidate) }
    };
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|&(distance, _)| distance <= farthest)
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?" where a word is close, and all known words otherwise.
pub(crate) fn did_you_mean(word: &str, known: &[&str], what: &str) -> String {
    match suggest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("{what}: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let known = ["learning_rate", "batch_size", "beta1"];
        assert_eq!(suggest("learning_rates", known), Some("learning_rate"));
        assert_eq!(suggest("Batch_Size", known), Some("batch_size"));
        assert_eq!(suggest("beta", known), Some("beta1"));
        assert_eq!(suggest("batch", known), Some("batch_size"));
        assert_eq!(suggest("lr", known), Some("learning_rate"));
        assert_eq!(suggest("colour", known), None);
    }

    #[test]
    fn a_file_full_of_mistakes_shows_a_bounded_number() {
        let mut problems = Problems::default();
        for start in 0..1000 {
            problems.push(Problem::at(start..start + 1, "wrong", "here"));
        }
        assert_eq!(problems.into_sorted().len(), MAX_PROBLEMS);
    }
}
