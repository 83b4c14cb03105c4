//! Section 1, last part: what became of the claims that the sweep file states.

use super::confirm::hypotheses_sentence;
use crate::analysis::{
    BestPoints, Judged, Sweep, Untrained, Verdict, judge_all, points_of, score_text,
};
use crate::markdown::page::n_of_n;
use crate::markdown::page::{Page, Right, count, escape};
use crate::markdown::phrases::{COLLAPSED, failures_text, p_text};

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    let judged = judge_all(sweep);
    if judged.is_empty() {
        page.block("The sweep file states no hypotheses.");
        return;
    }
    page.heading(3, "Hypotheses");
    let once = if judged.iter().any(|it| it.is_repeat) {
        ", where the same comparison counts once"
    } else {
        ""
    };
    page.block(&format!(
        "Stated in the sweep file before the run. The random unit is the seed; intervals are 95 % \
         paired t intervals over seeds and not corrected for the number of hypotheses; p is two-sided \
         and corrected by Holm over all of them{once}. An effect is positive when the claim points the right \
         way. *Holds*: the interval lies above 0 and the corrected p is below 0.05. *Does not hold*: \
         the whole interval lies below the margin, 0 where none is given. *Not distinguishable*: \
         neither.",
    ));
    if sweep.counts.n_collapsed > 0 {
        page.block(COLLAPSED);
    }
    for (index, judged) in judged.iter().enumerate() {
        page.block(&format!("{}. {}", index + 1, sentence(sweep, judged)));
    }
    hypotheses_sentence(page, sweep, &judged);
    let has_seeds =
        |it: &Judged<'_>| it.verdict != Verdict::CannotBeJudged && !it.paired.seeds.is_empty();
    for (index, judged) in judged.iter().enumerate().filter(|(_, it)| has_seeds(it)) {
        per_seed_table(page, sweep, index + 1, judged);
    }
}

fn sentence(sweep: &Sweep<'_>, judged: &Judged<'_>) -> String {
    let (paired, points) = (&judged.paired, |gain| points_of(sweep.metric(), gain));
    let claim = escape(&judged.hypothesis.claim);
    if judged.verdict == Verdict::CannotBeJudged {
        let verdict = judged.verdict.words();
        return format!("**{claim}**: *{verdict}*; {}.", untrained_text(judged.untrained));
    }
    let mut parts = vec![format!("**{claim}**: *{}*", judged.verdict.words())];
    parts.push(effect(sweep, judged));
    parts.extend(sides(judged));
    if paired.n_bit_equal > 0 {
        parts.push(format!(
            "{} of trials took the very same steps, equal to the last bit",
            n_of_n(paired.n_bit_equal, paired.n_run_pairs, "pair")
        ));
    }
    if judged.hypothesis.margin != 0.0 {
        parts.push(format!("margin {}", points(judged.hypothesis.margin)));
    }
    if let Some((low, high)) = paired.bootstrap {
        parts.push(format!("bootstrap 95 % interval {} to {}", points(low), points(high)));
    }
    if let Some(p) = paired.wilcoxon_p {
        parts.push(format!("exact Wilcoxon {} before correction", p_text(p)));
    }
    if paired.n_dropped > 0 {
        let dropped = count(paired.n_dropped, "point");
        parts.push(format!("{dropped} without a full match left out"));
    }
    parts.extend(failures_text(sweep, paired));
    format!("{}.", parts.join("; "))
}

fn untrained_text(untrained: Untrained) -> String {
    let one = |side: &str, n: usize| {
        format!("every trial on {side} side diverged ({n}), so that side has no best point")
    };
    match (untrained.better, untrained.than) {
        (Some(better), Some(than)) => format!(
            "every trial diverged, {better} on the better side and {than} on the other, and chance \
             against chance says nothing"
        ),
        (Some(n), None) => one("the better", n),
        (None, n) => one("the other", n.unwrap_or(0)),
    }
}

fn effect(sweep: &Sweep<'_>, judged: &Judged<'_>) -> String {
    let (paired, points) = (&judged.paired, |gain| points_of(sweep.metric(), gain));
    match (paired.test, paired.seeds.first()) {
        (Some(test), _) => format!(
            "effect {}, interval {} to {}, {}, {} {}seeds",
            points(test.mean),
            points(test.low),
            points(test.high),
            judged.p.map(p_text).unwrap_or_default(),
            paired.seeds.len(),
            if judged.best.as_ref().is_some_and(|best| best.is_confirmed) {
                "confirm "
            } else {
                ""
            },
        ),
        (None, Some(only)) => {
            format!("effect {} with 1 seed, which gives neither interval nor p", points(only.gain))
        }
        (None, None) => "no pair of points has all its results".to_string(),
    }
}

/// The best points, or how many points match; `None` while no pair has all its results.
fn sides(judged: &Judged<'_>) -> Option<String> {
    let paired = &judged.paired;
    if paired.n_matched == 0 {
        return None;
    }
    Some(match &judged.best {
        Some(BestPoints { better, than, .. }) => {
            format!("{} against {}", escape(better), escape(than))
        }
        None => format!(
            "{}: {} won, {} equal, {} lost",
            count(paired.n_matched, "matched point"),
            paired.n_won,
            paired.n_equal,
            paired.n_lost
        ),
    })
}

fn per_seed_table(page: &mut Page, sweep: &Sweep<'_>, number: usize, judged: &Judged<'_>) {
    const MAX_ROWS: usize = 20;
    let metric = sweep.metric();
    let rows: Vec<Vec<String>> = judged
        .paired
        .seeds
        .iter()
        .take(MAX_ROWS)
        .map(|pair| {
            vec![
                pair.seed.to_string(),
                score_text(metric, pair.better),
                score_text(metric, pair.than),
                points_of(metric, pair.gain),
            ]
        })
        .collect();
    page.folded(&format!("Hypothesis {number}, seed by seed"), |page| {
        page.table(
            &[(Right, "seed"), (Right, "better"), (Right, "than"), (Right, "difference")],
            &rows,
        );
    });
}
