//! Every figure of sweeps that are hard to draw: nothing leaves the picture, no text lies on another.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use report::input::{Input, State};
use trial::Ending;

use crate::sample::{Shape, awkward, input};

/// A text of a figure with the room it takes.
struct Text {
    content: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn attribute<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let start = line.find(&format!(" {name}=\""))? + name.len() + 3;
    line[start..].split('"').next()
}

fn number(line: &str, name: &str) -> f64 {
    attribute(line, name).unwrap().parse().unwrap()
}

/// A little less than the letters take, so that only what the eye sees as a touch counts.
fn text_of(line: &str) -> Text {
    let content = line.split('>').nth(1).unwrap().trim_end_matches("</text").to_string();
    let (x, y, size) = (number(line, "x"), number(line, "y"), number(line, "font-size"));
    let length = content.chars().count() as f64 * size * 0.5;
    let (before, after) = match attribute(line, "text-anchor") {
        Some("start") => (0.0, length),
        Some("end") => (length, 0.0),
        _ => (length / 2.0, length / 2.0),
    };
    let (up, down) = (size * 0.72, 0.0);
    if line.contains("rotate(-90") {
        return Text { content, left: x - up, right: x + down, top: y - after, bottom: y + before };
    }
    Text { content, left: x - before, right: x + after, top: y - up, bottom: y + down }
}

fn overlap(a: &Text, b: &Text) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

/// Figures of all sweeps by sweep and file name.
fn figures() -> &'static BTreeMap<String, String> {
    static FIGURES: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    FIGURES.get_or_init(draw)
}

fn draw() -> BTreeMap<String, String> {
    let mut figures = BTreeMap::new();
    for (sweep, input) in awkward::sweeps() {
        draw_into(&mut figures, sweep, &input);
    }
    figures
}

fn draw_into(figures: &mut BTreeMap<String, String>, sweep: &str, input: &Input) {
    let folder = tempfile::tempdir().unwrap();
    let built = report::build(input, folder.path()).unwrap();
    for path in built.files.iter().filter(|path| path.extension().is_some_and(|e| e == "svg")) {
        let name = path.file_name().unwrap().to_string_lossy();
        figures.insert(format!("{sweep}/{name}"), std::fs::read_to_string(path).unwrap());
    }
}

#[test]
fn texts_stay_inside_and_apart() {
    let figures = figures();
    assert!(figures.len() > 50, "only {} figures", figures.len());
    for (name, svg) in figures {
        let (width, height) = (number(svg, "width"), number(svg, "height"));
        let texts: Vec<Text> =
            svg.lines().filter(|line| line.starts_with("<text")).map(text_of).collect();
        for (index, a) in texts.iter().enumerate() {
            let is_inside = a.left >= 0.0 && a.right <= width && a.top >= 0.0 && a.bottom <= height;
            assert!(is_inside, "{name}: {:?} leaves the picture", a.content);
            for b in &texts[index + 1..] {
                assert!(!overlap(a, b), "{name}: {:?} lies on {:?}", a.content, b.content);
            }
        }
    }
}

#[test]
fn a_full_grid_gets_every_figure() {
    let figures = figures();
    let of_usual: Vec<&str> =
        figures.keys().filter_map(|name| name.strip_prefix("usual/")).collect();
    assert_eq!(
        of_usual,
        [
            "axis-importance.svg",
            "best-of-k.svg",
            "best-points.svg",
            "convergence-by-time.svg",
            "convergence.svg",
            "curves.svg",
            "heatmap-batch-size-by-learning-rate.svg",
            "heatmap-depth-by-learning-rate.svg",
            "learning-rate-sensitivity.svg",
            "line-search.svg",
            "pareto.svg",
        ]
    );
    // A scale of their own would end elsewhere: the worst cells differ.
    let bar = |name: &str| -> Vec<&str> {
        figures[name].lines().filter(|line| line.ends_with(" %</text>")).collect()
    };
    let of = |y: &str| {
        let labels = bar(&format!("usual/heatmap-{y}-by-learning-rate.svg"));
        labels.iter().map(|line| line.split('>').nth(1).unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of("depth"), of("batch-size"), "one scale for all heatmaps");
}

#[test]
fn outliers_stand_on_the_border() {
    let triangles = |sweep: &str| {
        let svg = &figures()[&format!("{sweep}/pareto.svg")];
        svg.lines().filter(|line| line.starts_with("<polygon")).count()
    };
    assert_eq!((triangles("usual"), triangles("outliers")), (0, 2));
}

#[test]
fn nothing_is_drawn_from_test_figures() {
    let shape = Shape { learning_rates: vec![0.1, 0.5], n_epochs: 2, ..Shape::usual() };
    let one = input(&shape);
    let mut other = one.clone();
    for (index, trial) in other.trials.iter_mut().enumerate() {
        let State::Done(done) = &mut trial.state else { continue };
        if let Ending::Completed { test_accuracy, .. } = &mut done.ending {
            *test_accuracy = Some(index as f64 / 1e4);
        }
    }
    let (mut drawn, mut again) = (BTreeMap::new(), BTreeMap::new());
    draw_into(&mut drawn, "same", &one);
    draw_into(&mut again, "same", &other);
    assert!(drawn.len() > 8 && drawn == again);
}

#[test]
fn what_did_not_train_is_not_drawn_as_a_result() {
    let figures = figures();
    let diverged: Vec<&String> =
        figures.keys().filter(|name| name.starts_with("all-diverged/")).collect();
    assert!(diverged.is_empty(), "{diverged:?}");
}
