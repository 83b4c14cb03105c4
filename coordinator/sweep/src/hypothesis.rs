//! Matches the points of a hypothesis' two sides, and refuses a hypothesis that no point can test.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use trial::Variant;

use super::plan::Plan;
use crate::file::problem::{Problem, Problems};
use crate::file::spec::{Compare, Hypothesis, SweepFile};
use crate::space::domain::{DEPTH, toml_text};
use crate::space::filter::{Condition, Filter};
use crate::space::points::column_of;

/// The two sides of a hypothesis and what is compared between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sides {
    /// Points, ascending.
    pub better: Vec<u32>,
    /// Points, ascending.
    pub than: Vec<u32>,
    /// Pairs (better, than) that are equal on every axis of the file that neither side names and
    /// both optimizers use, ascending. Empty for `Compare::Best`.
    pub matched: Vec<(u32, u32)>,
}

impl Plan {
    pub fn sides(&self, hypothesis: &Hypothesis) -> Sides {
        let better = self.points.matching(&hypothesis.better);
        let than = self.points.matching(&hypothesis.than);
        let matched = match hypothesis.compare {
            Compare::Best => Vec::new(),
            Compare::Matched => self.matched(hypothesis, &better, &than),
        };
        Sides { better, than, matched }
    }

    fn matched(&self, hypothesis: &Hypothesis, better: &[u32], than: &[u32]) -> Vec<(u32, u32)> {
        let is_named = |name: &str| hypothesis.better.names(name) || hypothesis.than.names(name);
        let is_shape = |name: &str| name == DEPTH || name == "hidden";
        let shape_is_named = is_named(DEPTH) || is_named("hidden");
        let compared: BTreeSet<usize> = self
            .axes
            .iter()
            .map(|axis| axis.name)
            .filter(|name| !is_named(name))
            .filter(|name| !shape_is_named || !is_shape(name))
            .map(|name| column_of(self.interface.parameters, name))
            .collect();
        let (better, than) = (self.by_variant(better), self.by_variant(than));
        let mut pairs = Vec::new();
        for (ours, better) in &better {
            for (theirs, than) in &than {
                let is_used = |column: &usize| {
                    let parameter = &self.interface.parameters[*column];
                    parameter.is_used_by(ours.name) && parameter.is_used_by(theirs.name)
                };
                let columns: Vec<usize> = compared.iter().copied().filter(is_used).collect();
                self.join(&columns, better, than, &mut pairs);
            }
        }
        pairs.sort_unstable();
        pairs
    }

    pub(crate) fn by_variant(&self, points: &[u32]) -> BTreeMap<Variant, Vec<u32>> {
        let mut by_variant: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for &point in points {
            by_variant.entry(self.variant(point as usize)).or_default().push(point);
        }
        by_variant
    }

    /// Pairs of points that are equal in some columns.
    fn join(&self, columns: &[usize], ours: &[u32], theirs: &[u32], out: &mut Vec<(u32, u32)>) {
        let key = |point: u32| -> Vec<u32> {
            columns.iter().map(|&column| self.points.code(point as usize, column)).collect()
        };
        let mut partners: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
        for &point in theirs {
            partners.entry(key(point)).or_default().push(point);
        }
        for &point in ours {
            let found = partners.get(&key(point)).into_iter().flatten();
            out.extend(found.map(|&partner| (point, partner)));
        }
    }
}

/// Notes every hypothesis of which a side is empty, both sides are the same, or no points match.
pub(crate) fn check(file: &SweepFile, plan: &Plan, problems: &mut Problems) {
    for declaration in &file.hypotheses {
        let hypothesis = &declaration.hypothesis;
        let sides = plan.sides(hypothesis);
        let mut is_testable = true;
        for (filter, span, points) in [
            (&hypothesis.better, &declaration.better_span, &sides.better),
            (&hypothesis.than, &declaration.than_span, &sides.than),
        ] {
            if points.is_empty() {
                let label = format!("no point of the sweep has {filter}");
                let message = "a hypothesis about no point";
                let problem = Problem::at(span.clone(), message, label);
                problems.push(problem.help(what_there_is(plan, filter)));
                is_testable = false;
            }
        }
        if !is_testable {
            continue;
        }
        let than: BTreeSet<u32> = sides.than.iter().copied().collect();
        if sides.better.iter().any(|point| than.contains(point)) {
            let label = "expected sides without a common point";
            let message = "both sides of a hypothesis hold for the same point";
            problems.push(Problem::at(declaration.than_span.clone(), message, label));
        } else if hypothesis.compare == Compare::Matched && sides.matched.is_empty() {
            let label = "no two points are equal on all other axes";
            let problem = Problem::at(declaration.span.clone(), "nothing to match", label);
            problems.push(problem.help("`compare = \"best\"` compares each side's best point"));
        }
    }
}

/// Notes every hypothesis that another one states already, in whatever words: the same points
/// compared by the same rule. A claim that is made twice is no second one, and its correction for
/// several claims would be one for more than there are.
pub(crate) fn check_repeats(file: &SweepFile, plan: &Plan, problems: &mut Problems) {
    // The sides of a large sweep are long: only their hash is kept.
    let mut former: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (i, declaration) in file.hypotheses.iter().enumerate() {
        let question = Question::of(plan, &declaration.hypothesis);
        let alike = former.entry(question.short()).or_default();
        let is_same = |j: &usize| Question::of(plan, &file.hypotheses[*j].hypothesis) == question;
        if alike.iter().any(is_same) {
            // Without a number, so that a sweep that was begun with it can get further claims.
            let label = "a hypothesis before it compares the same points by the same rule";
            let message = "a hypothesis is stated twice";
            let problem = Problem::at(declaration.span.clone(), message, label);
            problems.push(problem.help("remove one of the two, or correct its sides"));
        } else {
            alike.push(i);
        }
    }
}

/// What a hypothesis asks, whatever its words.
#[derive(PartialEq, Hash)]
struct Question {
    sides: Sides,
    is_matched: bool,
    margin: u64,
}

impl Question {
    fn of(plan: &Plan, hypothesis: &Hypothesis) -> Self {
        Self {
            sides: plan.sides(hypothesis),
            is_matched: hypothesis.compare == Compare::Matched,
            margin: (hypothesis.margin + 0.0).to_bits(),
        }
    }

    fn short(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// For a filter that no point passes: the values that its first unknown one can be taken from.
fn what_there_is(plan: &Plan, filter: &Filter) -> String {
    const MAX_VALUES: usize = 10;
    let is_unknown = |condition: &&Condition| {
        let alone = Filter { conditions: vec![(*condition).clone()] };
        plan.points.matching(&alone).is_empty()
    };
    let Some(Condition { name, .. }) = filter.conditions.iter().find(is_unknown) else {
        return "there are points with each of these values, but none with all of them".into();
    };
    let values = plan.points.values(name);
    let shown: Vec<String> = values.iter().take(MAX_VALUES).map(toml_text).collect();
    match values.len() {
        0 => format!("no optimizer of the sweep uses `{name}`"),
        1 => format!("`{name}` is {} everywhere", shown[0]),
        n if n > MAX_VALUES => format!("`{name}` takes {n} values: {}, ...", shown.join(", ")),
        _ => format!("`{name}` takes the values {}", shown.join(", ")),
    }
}
