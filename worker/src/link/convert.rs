//! What a coordinator asks for, as the trainer's types.

use std::collections::BTreeMap;

use proto::convert::Malformed;
use proto::text::clean_line;
use trainer::TrainConfig;
use trial::{Digest, Split};

/// The data that all trials of a sweep are trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataSpec {
    pub(crate) digest: Digest,
    pub(crate) n_bytes: u64,
    pub(crate) split: Split,
}

pub(crate) fn data_spec(data: &proto::Data) -> Result<DataSpec, String> {
    let (digest, split) = data.identity().map_err(|Malformed(text)| text)?;
    Ok(DataSpec { digest, n_bytes: data.n_bytes, split })
}

/// Most bytes of a text about what a coordinator sent.
const MAX_TEXT_BYTES: usize = 1000;

/// What a grant asks to be trained. The error says what this build does not know or refuses; it
/// becomes the trial's failure text, and is clean although it repeats what was sent.
pub(crate) fn train_config(
    hyperparameters: &[proto::Hyperparameter],
    seed: u32,
) -> Result<TrainConfig, String> {
    foreign_config(hyperparameters, seed).map_err(|text| clean_line(&text, MAX_TEXT_BYTES))
}

fn foreign_config(
    hyperparameters: &[proto::Hyperparameter],
    seed: u32,
) -> Result<TrainConfig, String> {
    let mut values = BTreeMap::new();
    for hyperparameter in hyperparameters {
        let key = &hyperparameter.key;
        if trainer::key(key).is_none() {
            return Err(format!(
                "this worker does not know the hyperparameter `{key}`: it is older than its coordinator"
            ));
        }
        let Some(value) = hyperparameter.to_value() else {
            return Err(format!("{key}: this worker does not know this kind of value"));
        };
        values.insert(key.clone(), value);
    }
    TrainConfig::from_values(&values, seed).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proto::hyperparameter;
    use trial::Scale;

    use super::*;

    fn hyperparameter(key: &str, value: hyperparameter::Value) -> proto::Hyperparameter {
        proto::Hyperparameter { key: key.into(), value: Some(value) }
    }

    fn granted() -> Vec<proto::Hyperparameter> {
        use hyperparameter::Value as V;
        vec![
            hyperparameter("optimizer", V::Text("sgd".into())),
            hyperparameter("learning_rate", V::Number(0.25)),
            hyperparameter("batch_size", V::Count(8)),
            hyperparameter("hidden", V::Widths(proto::Widths { widths: vec![5, 3] })),
        ]
    }

    #[test]
    fn a_grant_becomes_the_configuration_it_names() {
        let config = train_config(&granted(), 9).unwrap();
        assert_eq!((config.batch_size, config.hidden, config.seed), (8, vec![5, 3], 9));
    }

    #[test]
    fn a_hyperparameter_of_a_later_build_is_a_failure_that_names_it() {
        let mut unknown = granted();
        unknown.push(hyperparameter("warp_factor", hyperparameter::Value::Count(9)));
        assert!(train_config(&unknown, 1).unwrap_err().contains("`warp_factor`"));
        let mut unknown = granted();
        unknown.push(proto::Hyperparameter { key: "epochs".into(), value: None });
        assert!(train_config(&unknown, 1).unwrap_err().starts_with("epochs"));
        let mut wrong = granted();
        wrong[2] = hyperparameter("batch_size", hyperparameter::Value::Number(8.0));
        assert!(train_config(&wrong, 1).unwrap_err().starts_with("batch_size"));
    }

    #[test]
    fn what_a_failure_repeats_of_a_grant_is_clean_and_short() {
        use hyperparameter::Value as V;
        const HOSTILE: &str = "x\u{1b}[2J\nERROR forged\u{202e}\u{2028}";
        let mut unknown = granted();
        unknown[0].key = HOSTILE.repeat(1000);
        let text = train_config(&unknown, 1).unwrap_err();
        assert!(text.contains("[2J ERROR forged  x"), "{text}");
        assert!(text.len() <= MAX_TEXT_BYTES && clean_line(&text, text.len()) == text);
        let mut wrong = granted();
        wrong[0] = hyperparameter("optimizer", V::Text(HOSTILE.repeat(1000)));
        let text = train_config(&wrong, 1).unwrap_err();
        assert!(text.len() <= MAX_TEXT_BYTES && clean_line(&text, text.len()) == text);
    }

    /// Neither a panic nor more memory than the message took.
    #[test]
    fn absurd_sizes_of_a_grant_are_failures() {
        use hyperparameter::Value as V;
        for (key, value) in [
            ("batch_size", V::Count(u64::MAX)),
            ("epochs", V::Count(u64::MAX)),
            ("hidden", V::Widths(proto::Widths { widths: vec![u32::MAX; 3] })),
            ("hidden", V::Widths(proto::Widths { widths: vec![1; 100_000] })),
            ("hidden", V::Widths(proto::Widths { widths: vec![0] })),
            ("learning_rate", V::Number(f64::NAN)),
            ("learning_rate", V::Number(f64::INFINITY)),
            ("learning_rate", V::Number(-1.0)),
            ("optimizer", V::Text("sgd".repeat(100_000))),
        ] {
            let mut absurd = granted();
            absurd.retain(|it| it.key != key);
            absurd.push(hyperparameter(key, value));
            let text = train_config(&absurd, 1).expect_err(key);
            assert!(text.len() <= MAX_TEXT_BYTES, "{key}: {text}");
        }
    }

    #[test]
    fn data_of_an_unknown_scale_or_a_short_digest_is_refused() {
        let good = proto::Data {
            digest: vec![7; 32],
            n_bytes: 10,
            n_train: 6,
            n_valid: 2,
            scale: proto::Scale::Standard.into(),
        };
        assert_eq!(data_spec(&good).unwrap().split.scale, Scale::Standard);
        assert!(data_spec(&proto::Data { scale: 99, ..good.clone() }).is_err());
        assert!(data_spec(&proto::Data { digest: vec![7; 31], ..good }).is_err());
    }
}
