//! Whatever the texts from files, workers and data are, a report's pages and pictures have the very
//! elements that plain words give, and its tables their rows and columns.

use std::time::{Duration, Instant};

use report::input::{Failure, Input, State};
use sweep::{Axis, Objective};
use trial::known::{GRADIENT_NORM, TRAIN_LOSS, VALID_LOSS};
use trial::{EpochRecord, Value};

use crate::built::{Files, build, text};
use crate::sample::{input, parameter};
use crate::whole::small;

const HOSTILE: [&str; 7] = [
    "a|b `c` <script>alert(1)</script> [x](javascript:y)\n# h \u{202e}\u{0}\u{7} =1+1,\"q\"",
    "</svg></text></code></table><img src=x onerror=y>]]>--><!-- &lt; &#60;b&#62;",
    "![x](https://x.y/z.png) [x]: https://x.y <https://x.y> https://x.y www.x.y @user :smile:",
    "=HYPERLINK(\"https://x.y\";\"z\")\r\n+1\n-1\t@SUM(A1)\n\n- x\n1. y\n> z\n    code\n***\n===\n---",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{2028}\u{2029}\u{85}\u{feff}\u{200b}\u{2066}x\u{2069}",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627} \u{202e}txt.exe\u{202c} ||| ``` ~~~ $$",
    "\\`*_{}[]()#+-.!~$^|\\",
];

/// The sample sweep with one text in each place that files, workers and data may fill.
fn named(name: &str) -> Input {
    let mut input = input(&small());
    let set = |text: &mut String| *text = name.to_string();
    set(&mut input.name);
    input.description.iter_mut().for_each(set);
    set(&mut input.data.name);
    set(&mut input.notes_on_copies[0]);
    set(&mut input.provenance.command);
    set(&mut input.provenance.version);
    input.hypotheses.iter_mut().for_each(|hypothesis| set(&mut hypothesis.claim));
    for worker in &mut input.provenance.workers {
        [&mut worker.name, &mut worker.cpu, &mut worker.isa].into_iter().for_each(set);
    }
    input.layout.parameters.push(parameter("schedule"));
    input.axes.push(Axis { name: "schedule", values: Vec::new() });
    for (index, trial) in input.trials.iter_mut().enumerate() {
        trial.values.push(Some(Value::Text(format!("{name}{}", index / 2 % 2))));
        if let State::Done(done) = &mut trial.state {
            for timing in &mut done.timings {
                [&mut timing.worker, &mut timing.isa].into_iter().for_each(set);
            }
        }
    }
    input.trials[3].state = State::Failed(Some(Failure { cause: name.into(), n_attempts: 3 }));
    input
}

/// The names of a document's elements in order.
fn elements(markup: &str) -> Vec<&str> {
    markup.split('<').skip(1).map(|part| part.split([' ', '>', '\n']).next().unwrap()).collect()
}

fn check(name: &str, files: &Files, plain: &Files) {
    assert!(files.keys().eq(plain.keys()), "other files for {name:?}");
    for file in files.keys().filter(|file| file.ends_with(".svg") || file.ends_with(".html")) {
        let (found, expected) = (text(files, file), text(plain, file));
        assert!(elements(found) == elements(expected), "{file} for {name:?}");
    }
    for file in ["report.md", "report.html"] {
        let lines = |files| text(files, file).lines().count();
        assert_eq!(lines(files), lines(plain), "{file} for {name:?}");
    }
    let rows = |files| text(files, "results-incomplete.csv").lines().count();
    assert_eq!(rows(files), rows(plain), "{name:?}");
    let is_read =
        |file: &&String| [".md", ".html", ".svg", ".csv"].iter().any(|e| file.ends_with(e));
    for file in files.keys().filter(is_read) {
        let steers =
            |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200b}".contains(c);
        assert!(!text(files, file).contains(steers), "{file} for {name:?}");
    }
}

#[test]
fn names_do_nothing() {
    let (_, plain) = build(&named("word"));
    for name in HOSTILE {
        check(name, &build(&named(name)).1, &plain);
    }
    for long in ["long ".repeat(50), "x".repeat(250), "|<`\u{202e}".repeat(60)] {
        check(&long, &build(&named(&long)).1, &plain);
    }
}

/// Numbers that a loss, a norm or a time may be, as far as the columns are concerned.
const NUMBERS: [f64; 7] = [0.0, 5e-324, f64::MIN_POSITIVE, 1e-13, 7e38, 1e300, f64::MAX];

type Set = fn(&mut EpochRecord, f64);

/// A report is as large with any finite number as it is with ordinary ones, and done as soon.
#[test]
fn numbers_of_any_size_end_in_a_report() {
    let ordinary = input(&small());
    let start = Instant::now();
    let n_bytes = |files: &Files| files.values().map(Vec::len).sum::<usize>();
    let usual = n_bytes(&build(&ordinary).1);
    let usual_time = start.elapsed();
    let fields: [Set; 3] = [
        |epoch, x| epoch[VALID_LOSS] = x,
        |epoch, x| epoch[TRAIN_LOSS] = x,
        |epoch, x| epoch[GRADIENT_NORM] = x,
    ];
    for metric in [Objective::VALID_ACCURACY, Objective::VALID_LOSS] {
        for number in NUMBERS {
            let mut input = Input { metric, ..input(&small()) };
            for (index, trial) in input.trials.iter_mut().enumerate() {
                let State::Done(done) = &mut trial.state else { continue };
                // One trial has it in one field, another in the next, a third in its times.
                match fields.get(index % 5) {
                    Some(set) => set(&mut done.history[1], number),
                    None if index % 5 == 3 => {
                        done.timings.iter_mut().for_each(|timing| timing.cpu_s = number);
                    }
                    None => {}
                }
            }
            let start = Instant::now();
            let files = build(&input).1;
            let (took, n) = (start.elapsed(), n_bytes(&files));
            assert!(n < 3 * usual, "{number:e}: {n} bytes, {usual} with ordinary numbers");
            let limit = 10 * usual_time + Duration::from_secs(5);
            assert!(took < limit, "{number:e}: {took:?}, {usual_time:?} with ordinary numbers");
            for name in files.keys().filter(|name| name.ends_with(".svg")) {
                let wrong =
                    ["NaN", "\"inf", "-inf"].iter().find(|it| text(&files, name).contains(**it));
                assert_eq!(wrong, None, "{name} with {number:e}");
            }
        }
    }
}
