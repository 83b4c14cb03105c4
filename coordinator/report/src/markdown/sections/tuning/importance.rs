//! Section 6: which axes matter, by analysis of variance.

use sweep::Objective;
use trial::Unit;

use crate::analysis::importance;
use crate::analysis::{Importance, Region, Shares, Sweep};
use crate::figures::bars;
use crate::figures::{Bars, Color, Figure, Fill, Group, sequential};
use crate::markdown::page::{Left, Page, Right, count, escape};
use crate::markdown::phrases::words;

/// Axes with a column and a colour of their own; the rest is added up.
const MAX_AXES: usize = 4;
const MAX_OPTIMIZERS: usize = 12;
/// Interactions belong to no axis.
const GREY: Color = Color(0xb4, 0xb4, 0xb4);
const DARK_GREY: Color = Color(0x70, 0x70, 0x70);
/// A pair of axes below this share is not worth a sentence.
const MIN_PAIR_SHARE: f64 = 0.05;

/// Two axes by name.
type Pair = (String, String);
/// Optimizers with what could be computed of them.
type Computed<'n> = Vec<(&'n str, Vec<(Region, Shares)>)>;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    if sweep.swept_axes.is_empty() {
        return;
    }
    page.heading(3, "Which axes matter");
    let names = &sweep.optimizers[..sweep.optimizers.len().min(MAX_OPTIMIZERS)];
    let mut computed: Computed<'_> = Vec::new();
    let mut remarks = Vec::new();
    for name in names {
        let mut shares = Vec::new();
        for region in [Region::All, Region::NearBest] {
            match importance(sweep, name, region) {
                Importance::Shares(found) => shares.push((region, found)),
                Importance::Unbalanced => remarks.push(format!(
                    "- {}: not computed: unbalanced (a combination of its values, or a seed, has no result).",
                    escape(name)
                )),
                Importance::NoSpread => remarks.push(format!(
                    "- {}, {}: there is no spread to split.",
                    escape(name),
                    region_words(sweep.metric(), region)
                )),
            }
        }
        remarks.extend(pair_remark(sweep.metric(), name, &shares));
        computed.push((name, shares));
    }
    remarks.dedup();
    computed.retain(|(_, shares)| !shares.is_empty());
    let parts = Parts::of(sweep, &computed);
    figure(page, sweep, &parts, &computed);
    table(page, sweep, &parts, &computed);
    if !computed.is_empty() {
        page.block(&explanation(sweep));
    }
    if !remarks.is_empty() {
        page.block(&remarks.join("\n"));
    }
}

fn explanation(sweep: &Sweep<'_>) -> String {
    let error = sweep.metric().error_title;
    let cap = match sweep.metric().unit {
        Unit::Share => {
            "worse than the optimizer's best point by more than 1 pt counts as 1 pt worse"
        }
        Unit::Plain => {
            "of more than 1.5 times that of the optimizer's best point counts as 1.5 times it"
        }
    };
    let seeds = if sweep.seeds().len() < 2 {
        "With one seed the interactions hold the seed's chance too. "
    } else {
        "The seeds' share is the spread within points. "
    };
    format!(
        "Shares of the variance of log10 of the {error} on each optimizer's full grid (analysis of \
         variance; they add up to 100 %). {seeds}Near the best: a result {cap}, so that what is far off \
         anyway does not speak. Shares describe this grid: an axis tried over a wider range gets more."
    )
}

fn region_words(metric: Objective, region: Region) -> &'static str {
    match (region, metric.unit) {
        (Region::All, _) => "all points",
        (Region::NearBest, Unit::Share) => "within 1 pt of the best",
        (Region::NearBest, Unit::Plain) => "within 1.5 x the best",
    }
}

/// The pair of axes whose values must be chosen together.
fn pair_remark(metric: Objective, name: &str, shares: &[(Region, Shares)]) -> Option<String> {
    let parts: Vec<String> = shares
        .iter()
        .filter_map(|(region, shares)| {
            let (pair, share) = largest_pair(&shares.pairs)?;
            let region = region_words(metric, *region);
            (share >= MIN_PAIR_SHARE)
                .then(|| format!("{} ({}, {region})", escape(&pair_words(&pair)), percent(share)))
        })
        .collect();
    let text = parts.join("; ");
    (!text.is_empty()).then(|| format!("- {}: to be chosen together: {text}.", escape(name)))
}

/// The first of those with the largest share.
fn largest_pair(pairs: &[(Pair, f64)]) -> Option<(Pair, f64)> {
    let largest = pairs.iter().reduce(|best, pair| if pair.1 > best.1 { pair } else { best });
    largest.cloned()
}

fn pair_words((a, b): &Pair) -> String {
    format!("{} × {}", words(a), words(b))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// What has a colour and a column of its own, the same for all optimizers.
struct Parts<'s> {
    /// The axes with the largest share anywhere, in the sweep file's order.
    axes: Vec<&'s str>,
    has_other_axes: bool,
    /// The pair with the largest share anywhere, where there are several.
    pair: Option<Pair>,
}

impl<'s> Parts<'s> {
    fn of(sweep: &Sweep<'s>, computed: &Computed<'_>) -> Self {
        let all = || computed.iter().flat_map(|(_, shares)| shares).map(|(_, shares)| shares);
        let largest = |name: &str| {
            let shares = all().flat_map(|shares| &shares.axes).filter(|(axis, _)| axis == name);
            shares.map(|(_, share)| *share).fold(0.0, f64::max)
        };
        let mut ranked = sweep.swept_axes.clone();
        ranked.sort_by(|a, b| largest(b).total_cmp(&largest(a)));
        ranked.truncate(MAX_AXES);
        let pairs: Vec<(Pair, f64)> = all().flat_map(|shares| shares.pairs.clone()).collect();
        let is_one_of_many = all().any(|shares| shares.pairs.len() > 1);
        Self {
            axes: sweep.swept_axes.iter().copied().filter(|name| ranked.contains(name)).collect(),
            has_other_axes: sweep.swept_axes.len() > MAX_AXES,
            pair: largest_pair(&pairs).filter(|_| is_one_of_many).map(|(pair, _)| pair),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.axes.iter().map(|name| words(name)).collect();
        names.extend(self.has_other_axes.then(|| "other axes".to_string()));
        let rest = if self.pair.is_some() { "other interactions" } else { "interactions" };
        names.extend(self.pair.as_ref().map(pair_words));
        names.extend([rest.to_string(), "seeds".to_string()]);
        names
    }

    fn fills(&self) -> Vec<Fill> {
        let n_shades = self.axes.len() + usize::from(self.has_other_axes);
        let shade = |index: usize| 0.15 + 0.8 * index as f64 / (n_shades.max(2) - 1) as f64;
        let mut fills: Vec<Fill> =
            (0..n_shades).map(|index| Fill::Color(sequential(shade(index)))).collect();
        fills.extend(self.pair.as_ref().map(|_| Fill::Color(DARK_GREY)));
        fills.extend([Fill::Color(GREY), Fill::Hatched]);
        fills
    }

    /// One share for each name; they add up to 1.
    fn shares(&self, shares: &Shares) -> Vec<f64> {
        let of = |name: &&str| shares.axes.iter().find(|(axis, _)| axis == name).map(|(_, s)| *s);
        let mut parts: Vec<f64> = self.axes.iter().map(|name| of(name).unwrap_or(0.0)).collect();
        let others = shares.axes.iter().filter(|(axis, _)| !self.axes.contains(&axis.as_str()));
        parts.extend(self.has_other_axes.then(|| others.map(|(_, share)| share).sum::<f64>()));
        let pair = self.pair.as_ref().map(|pair| {
            shares.pairs.iter().find(|(other, _)| other == pair).map_or(0.0, |(_, share)| *share)
        });
        parts.extend(pair);
        parts.extend([(shares.interactions - pair.unwrap_or(0.0)).max(0.0), shares.seeds]);
        parts
    }
}

fn figure(page: &mut Page, sweep: &Sweep<'_>, parts: &Parts<'_>, computed: &Computed<'_>) {
    let groups = computed.iter().map(|(name, shares)| Group {
        title: (*name).to_string(),
        bars: shares
            .iter()
            .map(|(region, shares)| {
                (region_words(sweep.metric(), *region).to_string(), parts.shares(shares))
            })
            .collect(),
    });
    let title = "What explains the spread of results".to_string();
    let drawn = bars(&Bars {
        title: title.clone(),
        label: format!("share of the variance of log10 of the {}, %", sweep.metric().error_title),
        parts: parts.names().into_iter().zip(parts.fills()).collect(),
        groups: groups.collect(),
    });
    let first = computed.iter().find_map(|(_, shares)| shares.first());
    if let (Some(svg), Some((_, first))) = (drawn, first) {
        let caption = format!(
            "Interactions: what combinations explain beyond each axis by itself; {} a point.",
            count(first.n_seeds, "seed")
        );
        page.figure(Figure { name: "axis-importance".to_string(), alt: title, svg }, &caption);
    }
}

fn table(page: &mut Page, sweep: &Sweep<'_>, parts: &Parts<'_>, computed: &Computed<'_>) {
    let names: Vec<String> = parts.names().iter().map(|name| escape(name)).collect();
    let mut header = vec![(Left, "share of the variance")];
    header.extend(names.iter().map(|name| (Right, name.as_str())));
    let rows = computed.iter().flat_map(|(name, shares)| {
        shares.iter().map(move |(region, shares)| {
            let region = region_words(sweep.metric(), *region);
            let n_points = count(shares.n_points, "point");
            let label = format!("{}, {region} ({n_points})", escape(name));
            std::iter::once(label).chain(parts.shares(shares).into_iter().map(percent)).collect()
        })
    });
    page.table(&header, &rows.collect::<Vec<_>>());
}
