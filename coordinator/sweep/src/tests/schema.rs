//! The schema speaks of the same keys as the reader.

use serde_json::Value as Json;

use crate::file::{parse, questions};
use crate::phases::confirm;
use crate::space::{domain, grid, range};

/// The keys of the object at a JSON pointer.
fn keys(pointer: &str) -> Vec<String> {
    let schema = crate::schema(trainer::interface());
    let object = schema.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"));
    assert_eq!(object["additionalProperties"], Json::Bool(false), "{pointer}");
    object["properties"].as_object().unwrap().keys().cloned().collect()
}

fn sorted(keys: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.sort();
    keys
}

#[test]
fn each_section_has_the_keys_that_the_reader_knows() {
    let train: Vec<&str> = trainer::interface().parameters.iter().map(|key| key.name).collect();
    let grid = "/properties/grid/items";
    for (pointer, known) in [
        ("", parse::ROOT_KEYS),
        ("/properties/dataset", parse::DATASET_KEYS),
        ("/properties/model", parse::MODEL_KEYS),
        ("/properties/train", &train),
        (grid, &grid::keys(trainer::interface().parameters)),
        (
            &format!("{grid}/properties/exclude/items"),
            &domain::names(trainer::interface().parameters),
        ),
        ("/properties/seeds", parse::SEEDS_KEYS),
        ("/properties/confirm", confirm::CONFIRM_KEYS),
        ("/properties/report", questions::REPORT_KEYS),
        ("/properties/report/properties/heatmaps/items", questions::HEATMAP_KEYS),
        ("/properties/hypothesis/items", questions::HYPOTHESIS_KEYS),
    ] {
        assert_eq!(keys(pointer), sorted(known), "{pointer}");
    }
    let ranges: Vec<String> = (0..3)
        .flat_map(|i| keys(&format!("{grid}/properties/learning_rate/anyOf/1/anyOf/{i}")))
        .collect();
    assert!(range::KEYS.iter().all(|key| ranges.iter().any(|known| known == key)));
}

#[test]
fn defaults_and_words_come_from_the_table_of_keys() {
    let schema = crate::schema(trainer::interface());
    let train = &schema["properties"]["train"]["properties"];
    assert_eq!(train["epochs"]["default"], 10);
    assert_eq!(train["momentum"]["default"], 0.9);
    assert_eq!(train["optimizer"]["enum"][0], "sgd");
    assert!(train["shrink"].get("default").is_none(), "line searches differ in it");
    let shrink = train["shrink"]["description"].as_str().unwrap();
    assert!(shrink.contains("0.5 (backtracking), 0.9 (sls)"), "{shrink}");
    let text = schema.to_string();
    assert!(!text.contains("$ref"), "editors resolve references unevenly");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
}
