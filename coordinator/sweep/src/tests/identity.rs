//! Ids: what they depend on, what not, and that they never change.

use trial::{Digest, PrefixError, Scale, Split, TrialId};

use crate::identity::{Identity, trial_id};
use crate::tests::{BASE, DatasetMeta, base_and, base_with, mnist, parse, plan, planned};

const SPLIT: Split = Split { n_train: 50_000, n_valid: 10_000, scale: Scale::Unit };

#[test]
fn the_canonical_text_holds_what_decides_a_trial() {
    let source = base_with("optimizer", r#"optimizer = ["adam"]"#);
    let config =
        planned(&format!("{source}patience = [4]\n[seeds]\nlist = [11]\n")).hyperparameters(1);
    let text = Identity::new(trainer::interface(), Digest([7; 32]), SPLIT)
        .texts(&config)
        .with(config.seed);
    let digest = "07".repeat(32);
    let expected = format!(
        "trial 1
activation=relu
batch_size=32
beta1=3feccccccccccccd
beta2=3feff7ced916872b
dataset={digest}
decoupled_decay=0000000000000000
dropout=0000000000000000
epochs=10
eps=3e45798ee2308c3a
hidden=256-128
label_smoothing=0000000000000000
learning_rate=3f847ae147ae147b
n_train=50000
n_valid=10000
numerics=2
optimizer=adam
patience=4
scale=unit
schedule=constant
seed=11
weight_decay=0000000000000000
"
    );
    assert_eq!(text, expected);
}

/// Tables and pages call it `none`; ids do not.
#[test]
fn a_network_without_hidden_layers_keeps_its_id() {
    let source = base_with("depth", "hidden = [[]]").replace("widths = [256, 128, 64]\n", "");
    let config = planned(&source).hyperparameters(0);
    let text = Identity::new(trainer::interface(), Digest([7; 32]), SPLIT).texts(&config).with(1);
    assert!(text.contains("\nhidden=\nlabel_smoothing="), "{text}");
}

/// An id that changes without a new numerics version or form of the text orphans every recorded
/// result. These were computed by another program from the description of the text.
#[test]
fn ids_are_golden() {
    let plan = planned(&base_and("[seeds]\nn = 2"));
    let ids: Vec<String> = [0, 1, 15].map(|i: usize| plan.trials[i].id.to_string()).to_vec();
    assert_eq!(
        ids,
        [
            "5ae547cd71b7dfc1478d21cd302a20231c5f422ed8954687f914191a8d14aedd",
            "462e1abd86615c24fde5e4846956bd26e51968b5bc6b69c62c8da3d8765c0938",
            "3f67ff1fa9848e0e045d5a5231c9a788c617dcb4b5738a78bb8bd021f8c7660b"
        ]
    );
}

#[test]
fn a_plan_and_a_configuration_give_the_same_ids() {
    let optimizers = "optimizer = [\"sgd\", \"momentum\", \"nesterov\", \"adam\", \"adamw\", \"rmsprop\", \"lion\", \"backtracking\", \"sls\"]";
    let plan = planned(&format!(
        "{}momentum = [0.5, 0.9]\npatience = [3]\n",
        base_with("optimizer", optimizers)
    ));
    for (i, trial) in plan.trials.iter().enumerate() {
        // As the trainer understands them, with its own defaults.
        let given = trainer::TrainConfig::of(&plan.hyperparameters(i)).unwrap().hyperparameters();
        let id = trial_id(trainer::interface(), &given, plan.dataset_digest, plan.split);
        assert_eq!(trial.id, id);
    }
}

#[test]
fn everything_that_decides_bits_changes_the_id() {
    let reference = planned(BASE).trials[0].id;
    let same = base_with("name = \"base\"", "name = \"other\"\ndescription = \"d\"");
    assert_eq!(planned(&same).trials[0].id, reference);
    for other in [
        base_with("epochs", "epochs = 11"),
        base_with("epochs", "dropout = 0.1"),
        base_with("epochs", "shrink = 0.6"),
        base_with("epochs", "patience = 1"),
        base_with("widths", "widths = [255, 128]"),
        base_with("batch_size", "batch_size = [33]"),
        base_with("name = \"mnist\"", "name = \"mnist\"\ntrain = 49_999"),
        base_with("name = \"mnist\"", "name = \"mnist\"\ntrain = 50_000\nvalid = 9_999"),
        base_with("name = \"mnist\"", "name = \"mnist\"\nscale = \"standard\""),
        base_and("[seeds]\nlist = [2]"),
    ] {
        assert_ne!(planned(&other).trials[0].id, reference, "{other}");
    }
    let file = parse(BASE).unwrap();
    let other = plan(&file, &DatasetMeta { digest: Digest([8; 32]), ..mnist() }).unwrap();
    assert_ne!(other.trials[0].id, reference);
    let more_test_rows = plan(&file, &DatasetMeta { nonzero_share: 0.5, ..mnist() }).unwrap();
    assert_eq!(more_test_rows.trials[0].id, reference);
}

#[test]
fn ids_are_written_and_read_as_64_hex_digits() {
    let id = planned(BASE).trials[0].id;
    assert_eq!(id.to_string().len(), 64);
    assert_eq!(id.to_string().parse(), Ok(id));
    let odd = format!("{}é", "a".repeat(62));
    for text in ["", "12", &id.to_string()[1..], &"g".repeat(64), &odd] {
        assert!(text.parse::<TrialId>().is_err(), "{text}");
    }
}

#[test]
fn a_prefix_names_the_one_trial_that_begins_so() {
    let id = |start: u8, next: u8| {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&[start, next]);
        TrialId::from_bytes(bytes)
    };
    let ids = [id(0xab, 0x10), id(0xab, 0x1f), id(0x3f, 0xa9)];
    assert_eq!(TrialId::find("3", ids), Ok(ids[2]));
    assert_eq!(TrialId::find("AB1F", ids), Ok(ids[1]));
    assert_eq!(TrialId::find(&ids[0].to_string(), ids), Ok(ids[0]));
    let error = TrialId::find("ab1", ids).unwrap_err();
    assert_eq!(
        error,
        PrefixError::Ambiguous { prefix: "ab1".into(), first: ids[0], second: ids[1] }
    );
    assert!(matches!(TrialId::find("ff", ids), Err(PrefixError::NotFound { .. })));
    for prefix in ["", "xyz", &"0".repeat(65)] {
        assert!(matches!(TrialId::find(prefix, ids), Err(PrefixError::NoId { .. })));
    }
}
