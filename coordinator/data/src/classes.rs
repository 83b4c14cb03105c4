//! Classes of a split: how many rows of each train, validate and test, and what about them makes
//! results mean something else than they seem to. The split is by position, so that sorted rows
//! train on some classes and validate on others.

use serde::{Deserialize, Serialize};
use trainer::Dataset;
use trial::Split;

/// Rows of each class in each part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCounts {
    pub train: Vec<u32>,
    pub valid: Vec<u32>,
    pub test: Vec<u32>,
    /// Whether the labels of the training file ascend or descend, as chance would hardly have it.
    pub is_sorted: bool,
}

/// Class shares differ strongly if their total variation is this large, and larger than chance makes
/// it: random splits are below `chance` in all but this share of cases.
const MIN_VARIATION: f64 = 0.1;
const FALSE_ALARMS: f64 = 1e-3;

/// Classes that are named one by one.
const N_CLASSES_SHOWN: usize = 10;

impl ClassCounts {
    pub fn of(dataset: &Dataset, split: Split) -> Self {
        let labels = dataset.train_labels();
        let (n_train, n_valid) = (split.n_train as usize, split.n_valid as usize);
        let count = |labels: &[u16]| {
            let mut counts = vec![0; dataset.n_classes()];
            labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
            counts
        };
        Self {
            train: count(&labels[..n_train]),
            valid: count(&labels[n_train..n_train + n_valid]),
            test: count(dataset.test_labels()),
            is_sorted: is_sorted(labels, &count(labels)),
        }
    }

    /// Sentences, the gravest first; none for a sound split.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        // States of older builds did not count.
        if self.train.is_empty() {
            return warnings;
        }
        if self.is_sorted {
            warnings.push(
                "the rows of the training file are sorted by label, and the split takes them in their order: shuffle images and labels alike"
                    .to_owned(),
            );
        }
        warnings.extend(self.absent());
        for (name, part) in [("validation", &self.valid), ("test", &self.test)] {
            warnings.extend(variation_warning(&self.train, part, name));
        }
        warnings
    }

    fn absent(&self) -> Vec<String> {
        let n_classes = self.train.len();
        let at = |part: &[u32], class: usize| part.get(class).copied().unwrap_or(0);
        let classes = |is_meant: &dyn Fn(usize) -> bool| {
            (0..n_classes).filter(|class| is_meant(*class)).collect::<Vec<usize>>()
        };
        let (train, valid, test) = (&self.train, &self.valid, &self.test);
        let is_elsewhere = |class| at(valid, class) + at(test, class) > 0;
        let is_nowhere = |class| at(train, class) == 0 && !is_elsewhere(class);
        let cases = [
            (
                classes(&|class| at(train, class) == 0 && is_elsewhere(class)),
                "has no row that trains, but others that validate or test: no trial can learn it",
                "have no row that trains, but others that validate or test: no trial can learn them",
            ),
            (
                missed(train, valid),
                "trains, but has no row that validates: nothing that is selected by validation knows it",
                "train, but have no row that validates: nothing that is selected by validation knows them",
            ),
            (
                missed(train, test),
                "trains, but has no row that tests",
                "train, but have no row that tests",
            ),
            (
                classes(&is_nowhere),
                "has no row at all: the network has an output for each label from 0 to the largest",
                "have no row at all: the network has an output for each label from 0 to the largest",
            ),
        ];
        // As EMNIST's letters do.
        let begins_with_1 = "has no row at all, the labels begin with 1: the network has an output for each label from 0 to the largest";
        let sentence = |(classes, one, several): (Vec<usize>, &str, &str)| match classes.as_slice()
        {
            [] => None,
            [0] if is_nowhere(0) => Some(format!("class 0 {begins_with_1}")),
            [class] => Some(format!("class {class} {one}")),
            _ => Some(format!("classes {} {several}", listed(&classes))),
        };
        let mut sentences: Vec<String> = cases.into_iter().filter_map(sentence).collect();
        for (name, part) in [("validation", valid), ("test", test)] {
            sentences.extend(single_class(train, part, name));
        }
        if test.iter().all(|n| *n == 0) {
            sentences.push("the test file has no rows: there will be no test accuracy".into());
        }
        sentences
    }
}

/// Classes that train and that a part lacks, unless chance may have left them out: `n` rows lack
/// classes with a share `s` of the rows with a probability of (1 - s)^n, and there are as many sets of
/// this many classes as the binomial coefficient says.
fn missed(train: &[u32], part: &[u32]) -> Vec<usize> {
    let is_missed = |class: &usize| train[*class] > 0 && part[*class] == 0;
    let classes: Vec<usize> = (0..train.len()).filter(is_missed).collect();
    let (n_train, n_part) = (total(train), total(part));
    let n_others: f64 = n_train - classes.iter().map(|class| f64::from(train[*class])).sum::<f64>();
    let log_factorial = |n: usize| libm::lgamma(n as f64 + 1.0);
    let log_sets = log_factorial(train.len())
        - log_factorial(classes.len())
        - log_factorial(train.len() - classes.len());
    let log_chance = n_part * libm::log(n_others / n_train) + log_sets;
    if n_part > 0.0 && log_chance < libm::log(FALSE_ALARMS) { classes } else { Vec::new() }
}

/// However likely by chance: rows of one class tell nothing apart, and a network that always answers
/// with this class has all of them right. Nothing where the lacking classes are told one by one.
fn single_class(train: &[u32], part: &[u32], name: &str) -> Option<String> {
    let mut present = (0..part.len()).filter(|class| part[*class] > 0);
    let (class, None) = (present.next()?, present.next()) else { return None };
    let trains_others = (0..train.len()).any(|other| other != class && train[other] > 0);
    (trains_others && missed(train, part).is_empty()).then(|| {
        format!(
            "the {name} rows are all of class {class}: a network that always answers {class} has all of them right, so their accuracy tells nothing; take more rows, or shuffle images and labels alike"
        )
    })
}

fn total(part: &[u32]) -> f64 {
    part.iter().map(|n| f64::from(*n)).sum()
}

fn listed(classes: &[usize]) -> String {
    let shown: Vec<String> =
        classes.iter().take(N_CLASSES_SHOWN).map(ToString::to_string).collect();
    match classes.len().saturating_sub(N_CLASSES_SHOWN) {
        0 => match shown.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => shown.concat(),
        },
        n => format!("{} and {n} more", shown.join(", ")),
    }
}

/// The total variation of two parts' class shares is half the sum of their differences: 0 for equal
/// ones, 1 for parts without a common class. Its mean over random parts is at most half the sum of
/// the differences' deviations, and it exceeds that mean by `sqrt(ln(1/p) (1/n + 1/m) / 2)` in a
/// share p of cases at most (McDiarmid): no approximation, however small the parts.
fn variation_warning(train: &[u32], part: &[u32], name: &str) -> Option<String> {
    let (n, m) = (total(train), total(part));
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let inverse = 1.0 / n + 1.0 / m;
    let pairs = || train.iter().zip(part).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let difference = |(a, b): (f64, f64)| b / m - a / n;
    let deviation = |(a, b): (f64, f64)| {
        let share = (a + b) / (n + m);
        (share * (1.0 - share) * inverse).sqrt()
    };
    let variation = pairs().map(|pair| difference(pair).abs()).sum::<f64>() / 2.0;
    let chance = pairs().map(deviation).sum::<f64>() / 2.0
        + (libm::log(1.0 / FALSE_ALARMS) * inverse / 2.0).sqrt();
    if variation < MIN_VARIATION || variation <= chance {
        return None;
    }
    let differs_most = |(_, a): &(usize, _), (_, b): &(usize, _)| {
        f64::total_cmp(&difference(*a).abs(), &difference(*b).abs())
    };
    let (class, (a, b)) = pairs().enumerate().max_by(differs_most)?;
    Some(format!(
        "the classes' shares of the {name} rows are not those of the training rows: {:.0} % of the {name} rows would have to be of other classes (chance alone stays below {:.0} % in 999 of 1,000 splits); class {class} is {:.1} % of the training rows and {:.1} % of the {name} rows",
        100.0 * variation,
        100.0 * chance,
        100.0 * a / n,
        100.0 * b / m,
    ))
}

/// In an order that one of a thousand shufflings at most has: the number of different orders is
/// the multinomial coefficient of the counts.
fn is_sorted(labels: &[u16], counts: &[u32]) -> bool {
    let log_factorial = |n: f64| libm::lgamma(n + 1.0);
    let of_classes: f64 = counts.iter().map(|n| log_factorial(f64::from(*n))).sum();
    let log_orders = log_factorial(labels.len() as f64) - of_classes;
    let is_rare = log_orders > libm::log(2.0 / FALSE_ALARMS);
    is_rare && (labels.is_sorted() || labels.iter().rev().is_sorted())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(train: &[u32], valid: &[u32], test: &[u32]) -> ClassCounts {
        let [train, valid, test] = [train, valid, test].map(<[u32]>::to_vec);
        ClassCounts { train, valid, test, is_sorted: false }
    }

    #[test]
    fn a_sound_split_has_no_warnings() {
        for (train, valid, test) in [
            (&[25, 30, 20][..], &[5, 9, 6][..], &[4, 3, 8][..]),
            (&[5000, 5100, 4900], &[500, 480, 520], &[1000, 990, 1010]),
            // Small parts that miss a class by chance.
            (&[1, 1, 1], &[1, 1, 0], &[0, 1, 1]),
            (&[9, 8, 9, 7], &[2, 0, 3, 1], &[0, 2, 2, 1]),
        ] {
            let warnings = counts(train, valid, test).warnings();
            assert!(warnings.is_empty(), "{warnings:?}");
        }
    }

    #[test]
    fn classes_that_a_part_lacks_are_named() {
        let warnings = counts(&[67, 67, 66, 0], &[0, 0, 0, 50], &[20, 20, 20, 20]).warnings();
        assert!(warnings[0].starts_with("class 3 has no row that trains"), "{warnings:?}");
        assert!(warnings[1].starts_with("classes 0, 1 and 2 train, but have no"), "{warnings:?}");
        assert!(warnings[2].contains("class 3 is 0.0 % of the training rows and 100.0 %"));
        let warnings = counts(&[0, 90, 90], &[0, 30, 30], &[0, 30, 30]).warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("class 0 has no row at all"), "{warnings:?}");
        let warnings = counts(&[90, 90], &[30, 30], &[60, 0]).warnings();
        assert!(warnings[0].starts_with("class 1 trains, but has no row that tests"));
        let warnings = counts(&[90, 90], &[30, 30], &[0, 0]).warnings();
        assert_eq!(warnings, ["the test file has no rows: there will be no test accuracy"]);
    }

    #[test]
    fn rows_of_one_class_tell_nothing_however_few_they_are() {
        let warnings = counts(&[4, 5], &[2, 0], &[0, 1]).warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("the validation rows are all of class 0:"), "{warnings:?}");
        assert!(warnings[1].starts_with("the test rows are all of class 1:"), "{warnings:?}");
        assert!(counts(&[4, 0], &[2, 0], &[1, 0]).warnings()[0].starts_with("class 1 has no row"));
    }

    #[test]
    fn many_classes_are_counted() {
        let warnings = counts(&[100; 30], &[100; 30], &[&[0; 15][..], &[100; 15]].concat());
        let warnings = warnings.warnings();
        assert!(warnings[0].starts_with("classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 5 more train"));
        assert!(warnings[1].contains("shares of the test rows"), "{warnings:?}");
    }

    #[test]
    fn random_splits_raise_no_alarm() {
        // A generator of full period modulo 2^32 is random enough for shares of classes.
        let mut state = 1_u32;
        let mut below = |n: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(state) * u64::from(n)) >> 32) as usize
        };
        let mut n_alarms = 0;
        for round in 0..2_000 {
            let n_classes = 2 + round % 12;
            let mut draw = |n: u32| {
                let mut part = vec![0; n_classes as usize];
                (0..n).for_each(|_| part[below(n_classes)] += 1);
                part
            };
            let parts = [draw(200), draw(50), draw(30)];
            let warnings = counts(&parts[0], &parts[1], &parts[2]).warnings();
            let of_chance = |text: &&String| text.contains("train, but") || text.contains("shares");
            n_alarms += warnings.iter().filter(of_chance).count();
        }
        assert!(n_alarms <= 4, "{n_alarms} false alarms");
    }

    #[test]
    fn sorted_rows_are_seen_where_chance_would_hardly_sort_them() {
        let sorted = |labels: &[u16]| {
            let mut counts = vec![0; 5];
            labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
            is_sorted(labels, &counts)
        };
        let ascending: Vec<u16> = (0..40).map(|i| i / 10).collect();
        let descending: Vec<u16> = ascending.iter().rev().copied().collect();
        assert!(sorted(&ascending) && sorted(&descending));
        assert!(!sorted(&[0, 1]) && !sorted(&[0, 0, 1, 1]) && !sorted(&[0; 40]));
        assert!(!sorted(&[&ascending[..], &[0]].concat()));
    }
}
