//! Coverage: which values of a filter's conditions matter, told by the points that it is shown. A
//! value that no point of the whole filter has is a slip that would change nothing.

use trial::Value;

use super::filter::{Condition, Filter};
use super::points::{CodeFilter, Column};
use crate::file::problem::{Problem, Span};

pub(crate) struct Coverage<'a> {
    filter: &'a Filter,
    codes: CodeFilter,
    n_matching: u64,
    /// For each condition the codes of points that the filter holds for.
    seen: Vec<Vec<bool>>,
}

impl<'a> Coverage<'a> {
    pub(crate) fn new(filter: &'a Filter, columns: &[Column]) -> Self {
        let codes = CodeFilter::new(filter, columns);
        let seen = codes.conditions().map(|(_, allowed)| vec![false; allowed.len()]).collect();
        Self { filter, codes, n_matching: 0, seen }
    }

    /// Whether the filter holds for a point, which is noted.
    pub(crate) fn look(&mut self, code: impl Fn(usize) -> u32) -> bool {
        if !self.codes.matches(&code) {
            return false;
        }
        self.n_matching += 1;
        for ((column, _), seen) in self.codes.conditions().zip(&mut self.seen) {
            seen[code(column) as usize] = true;
        }
        true
    }

    pub(crate) fn n_matching(&self) -> u64 {
        self.n_matching
    }

    /// The conditions with the values that no point has, of a filter that holds for some.
    pub(crate) fn idle(&self, columns: &[Column]) -> Vec<Condition> {
        let idle = |(condition, seen): (&Condition, &Vec<bool>)| {
            let name = condition.name;
            let is_idle = |value: &&Value| !is_seen(name, value, seen, columns);
            let values: Vec<Value> = condition.values.iter().filter(is_idle).cloned().collect();
            (!values.is_empty()).then_some(Condition { name, values })
        };
        self.filter.conditions.iter().zip(&self.seen).filter_map(idle).collect()
    }
}

fn is_seen(name: &'static str, value: &Value, seen: &[bool], columns: &[Column]) -> bool {
    let alone = Condition { name, values: vec![value.clone()] };
    let codes = CodeFilter::new(&Filter { conditions: vec![alone] }, columns);
    let mut conditions = codes.conditions();
    conditions.any(|(_, allowed)| allowed.iter().zip(seen).any(|(&allowed, &seen)| allowed && seen))
}

/// A condition whose `values` nothing has, of a filter that holds for something.
pub(crate) fn idle_values(
    span: &Span,
    place: &str,
    filter: &Filter,
    condition: Condition,
) -> Problem {
    let name = condition.name;
    let others = filter.conditions.iter().filter(|other| other.name != name).cloned();
    let without_effect = Filter { conditions: [condition.clone()].into_iter().collect() };
    let whole = Filter { conditions: [condition].into_iter().chain(others).collect() };
    let message = format!("{without_effect} has no effect here");
    let label = format!("no point of {place} has {whole}");
    Problem::at(span.clone(), message, label).help("correct these values or remove them")
}
