//! The JSON Schema of the sweep file (draft-07, subschemas inlined), so that editors complete and
//! check it. Built from the lists of keys that the parser reads by.

use serde_json::{Map, Value as Json, json};
use trial::{Interface, Kind, Value, Variant};

use super::parse::{MAX_NAME_BYTES, MODEL_KEYS, SEEDS_KEYS};
use crate::file::objective::Objective;
use crate::file::spec::{Cell, Compare, SCALE_NAMES};
use crate::limits::{MAX_AXIS_VALUES, MAX_TRIALS};
use crate::phases::confirm::{CONFIRM_KEYS, FIRST_CONFIRM_SEED};
use crate::space::domain::{Domain, domain, names};
use crate::space::grid;
use crate::split::MAX_DEFAULT_N_VALID;

/// The schema of sweep files whose trials are made of what `interface` declares.
pub fn schema(interface: &Interface) -> Json {
    object(
        "A hyperparameter sweep: expanded into trials, trained, and reported.",
        &["name", "dataset", "grid"],
        [
            ("name", name()),
            ("description", string("What the sweep asks; stands under the report's title.")),
            ("dataset", dataset()),
            ("model", model(interface)),
            ("train", train(interface)),
            ("grid", list("One or more grids; the sweep is their union.", grid(interface), 1)),
            ("seeds", seeds()),
            ("confirm", confirm()),
            ("report", report(interface)),
            (
                "hypothesis",
                list(
                    "Claims stated before the run, judged in the report.",
                    hypothesis(interface),
                    0,
                ),
            ),
        ],
    )
    .with("$schema", "http://json-schema.org/draft-07/schema#")
    .with("title", "Sweep file")
}

/// Adds a field to a schema.
trait With {
    fn with(self, field: &str, value: impl Into<Json>) -> Json;
}

impl With for Json {
    fn with(mut self, field: &str, value: impl Into<Json>) -> Json {
        self[field] = value.into();
        self
    }
}

fn object<'a>(
    description: &str,
    required: &[&str],
    properties: impl IntoIterator<Item = (&'a str, Json)>,
) -> Json {
    let properties: Map<String, Json> =
        properties.into_iter().map(|(name, schema)| (name.to_string(), schema)).collect();
    let schema = json!({
        "type": "object",
        "description": description,
        "additionalProperties": false,
        "properties": properties,
    });
    if required.is_empty() { schema } else { schema.with("required", required) }
}

fn list(description: &str, items: Json, n_min: usize) -> Json {
    json!({ "type": "array", "description": description, "items": items, "minItems": n_min })
}

fn string(description: &str) -> Json {
    json!({ "type": "string", "description": description })
}

fn count(description: &str, low: u64, high: u64) -> Json {
    json!({ "type": "integer", "description": description, "minimum": low, "maximum": high })
}

fn words(description: &str, words: &[&str]) -> Json {
    json!({ "enum": words, "description": description, "default": words[0] })
}

fn name() -> Json {
    string("Names the sweep and its folder under reports/.")
        .with("pattern", format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", MAX_NAME_BYTES - 1))
}

fn dataset() -> Json {
    let n_rows = |what: &str| count(what, 1, u64::from(u32::MAX));
    object(
        "What is trained on: an embedded data set by name, or files by format and path.",
        &[],
        [
            ("name", string("An embedded data set, such as \"mnist\".")),
            ("format", json!({ "enum": ["idx"], "description": "The format of the files at `path`." })),
            ("path", string("The folder of the four IDX files, relative to the sweep file.")),
            ("train", n_rows("Rows that train: the first of the training file. Default: all that do not validate.")),
            ("valid", n_rows(&format!("Rows after them that validate. Default: the rest, or without `train` a fifth of the rows, {MAX_DEFAULT_N_VALID} at most."))),
            ("scale", words("unit: inputs from 0 to 1. standard: mean 0 and deviation 1 over the training rows.", &SCALE_NAMES)),
        ],
    )
    .with("oneOf", json!([{ "required": ["name"] }, { "required": ["format", "path"] }]))
}

fn model(interface: &Interface) -> Json {
    object(
        "The network: fully connected layers.",
        &[],
        MODEL_KEYS.iter().map(|&name| match name {
            "widths" => (
                name,
                one(interface, "hidden")
                    .with("description", "Widths that the axis `depth` takes the first of."),
            ),
            _ => (name, one(interface, name)),
        }),
    )
}

fn train(interface: &Interface) -> Json {
    object(
        "Hyperparameters that are the same for all trials; an axis of a grid overrides them.",
        &[],
        interface.parameters.iter().map(|it| (it.name, one(interface, it.name))),
    )
}

fn grid(interface: &Interface) -> Json {
    let exclude = object(
        "Leaves out the points that have all of these values.",
        &[],
        names(interface.parameters)
            .into_iter()
            .map(|name| (name, one_or_more(known(interface, name)))),
    )
    .with("minProperties", 1);
    let zip = list(
        "Axes that go in step instead of being crossed.",
        list("", json!({ "type": "string" }), 2),
        1,
    );
    object(
        "Axes whose values are crossed. What has no default must stand here or in [train]: optimizer, learning_rate, batch_size, and depth or hidden.",
        &[],
        grid::keys(interface.parameters).into_iter().map(|name| match name {
            "zip" => (name, zip.clone()),
            "exclude" => (name, list("Points to leave out.", exclude.clone(), 0)),
            name => (name, axis(known(interface, name))),
        }),
    )
}

fn seeds() -> Json {
    object(
        "Every point runs once with each seed. Default: seed 1 alone.",
        &[],
        SEEDS_KEYS.iter().map(|&name| match name {
            "n" => (name, count("Seeds 1 to n.", 1, MAX_TRIALS).with("default", 1)),
            _ => (name, list("The seeds themselves.", count("", 0, u64::from(u32::MAX)), 1)),
        }),
    )
    .with("oneOf", json!([{ "required": ["n"] }, { "required": ["list"] }]))
}

fn confirm() -> Json {
    let seeds = format!("Number of fresh seeds: {FIRST_CONFIRM_SEED} and those after it.");
    object(
        "The best point of each optimizer, and of each side of a hypothesis about best points, is trained again with fresh seeds. Headline figures, tests of best points and test accuracy then come from these alone.",
        &["seeds"],
        CONFIRM_KEYS.iter().map(|&name| (name, count(&seeds, 1, MAX_TRIALS))),
    )
}

fn report(interface: &Interface) -> Json {
    let axis =
        || json!({ "enum": names(interface.parameters), "description": "An axis of a grid." });
    let heatmap = object(
        "The metric over two axes.",
        &["x", "y"],
        [
            ("x", axis()),
            ("y", axis()),
            (
                "cell",
                words(
                    "What a cell shows of the points behind it: the best, or their mean.",
                    &Cell::NAMES,
                ),
            ),
        ],
    );
    object(
        "What the report shows.",
        &[],
        [
            (
                "metric",
                words(
                    "Selects the best configuration; read at each trial's best epoch.",
                    &Objective::NAMES,
                ),
            ),
            ("heatmaps", list("Default: one over the first two axes.", heatmap, 0)),
        ],
    )
}

fn hypothesis(interface: &Interface) -> Json {
    let side = |what: &str| {
        let names = names(interface.parameters).into_iter();
        let properties = names.map(|name| (name, one_or_more(known(interface, name))));
        object(what, &[], properties).with("minProperties", 1)
    };
    object(
        "A claim that one side of the sweep beats another.",
        &["claim", "better", "than"],
        [
            ("claim", string("The claim in words.")),
            ("better", side("Points that the claim says are better.")),
            ("than", side("Points that they are compared with.")),
            (
                "compare",
                words(
                    "best: each side's best point. matched: points equal on every other axis.",
                    &Compare::NAMES,
                ),
            ),
            (
                "margin",
                json!({ "type": "number", "minimum": 0, "default": 0.0, "description": "The difference that the claim must reach." }),
            ),
        ],
    )
}

fn known(interface: &Interface, name: &str) -> Domain {
    domain(interface.parameters, name).expect("names come from the declarations")
}

/// One value of a key, with its default where all optimizers share it.
fn one(interface: &Interface, name: &str) -> Json {
    let domain = known(interface, name);
    let schema = bare(domain);
    let by_variant = defaults_by_variant(interface, name);
    let description =
        format!("{}: {}.{}", capitalized(domain.help), domain.expected, defaults(&by_variant));
    let schema = schema.with("description", description);
    match common_default(&by_variant) {
        Some(default) => schema.with("default", default.clone()),
        None => schema,
    }
}

fn bare(domain: Domain) -> Json {
    match domain.kind {
        Kind::Text(words) => json!({ "enum": words }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Count => json!({ "type": "integer", "minimum": 1 }),
        Kind::Widths { max_layers, max_width } => json!({
            "type": "array",
            "maxItems": max_layers,
            "items": { "type": "integer", "minimum": 1, "maximum": max_width },
        }),
    }
}

fn one_or_more(domain: Domain) -> Json {
    let many = json!({ "type": "array", "items": bare(domain), "minItems": 1 });
    json!({ "description": capitalized(domain.help), "anyOf": [bare(domain), many] })
}

/// An axis: a list, or for numbers a range.
fn axis(domain: Domain) -> Json {
    let values = json!({
        "type": "array", "items": bare(domain), "minItems": 1, "maxItems": MAX_AXIS_VALUES,
    });
    let help = format!("{}: {}.", capitalized(domain.help), domain.expected);
    match domain.kind {
        Kind::Number | Kind::Count => {
            json!({ "description": help, "anyOf": [values, range()] })
        }
        Kind::Text(_) | Kind::Widths { .. } => values.with("description", help),
    }
}

fn range() -> Json {
    let number = json!({ "type": "number" });
    let ends = json!({ "type": "array", "items": number, "minItems": 2, "maxItems": 2 });
    let n = count("Number of values, both ends included.", 2, MAX_AXIS_VALUES as u64);
    json!({ "anyOf": [
        object("Equal ratios.", &["log", "n"], [("log", ends.clone()), ("n", n.clone())]),
        object("Equal differences.", &["linear", "n"], [("linear", ends), ("n", n)]),
        object(
            "Steps from one end to the other.",
            &["step", "from", "to"],
            ["step", "from", "to"].map(|name| (name, number.clone())),
        ),
    ] })
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The defaults of the variants that have one.
type Defaults = Vec<(Variant, Json)>;

fn defaults_by_variant(interface: &Interface, name: &str) -> Defaults {
    let Some(parameter) = interface.parameter(name) else { return Vec::new() };
    let users = interface.variants().filter(|variant| parameter.is_used_by(variant.name));
    users.filter_map(|it| Some((it, to_json(parameter.default_for(it.name)?)))).collect()
}

/// The default that they share.
fn common_default(defaults: &Defaults) -> Option<&Json> {
    let (_, first) = defaults.first()?;
    defaults.iter().all(|(_, value)| value == first).then_some(first)
}

/// " Default: 0.999 (adam), 0.99 (lion)." where they differ, else nothing.
fn defaults(defaults: &Defaults) -> String {
    if defaults.is_empty() || common_default(defaults).is_some() {
        return String::new();
    }
    let each: Vec<String> =
        defaults.iter().map(|(variant, value)| format!("{value} ({})", variant.name)).collect();
    format!(" Default: {}.", each.join(", "))
}

fn to_json(value: Value) -> Json {
    match value {
        Value::Text(text) => text.into(),
        Value::Number(x) => x.into(),
        Value::Count(n) => n.into(),
        Value::Widths(widths) => widths.into(),
    }
}
