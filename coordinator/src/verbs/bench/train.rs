//! Times epochs of training on this core, and evaluations apart from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use data;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use trainer::{EpochEnd, Isa, PreparedData, TrainConfig, Trainer, peak_gflops};
use trial::{Ending, Scale, Split, Value};

use crate::cli::BenchTrain;
use crate::cli::refusal::Refusal;
use crate::reporting::values::short_label;
use crate::run::prepare;
use crate::verbs::bench::print;
use crate::view::output::Output;
use crate::view::terminal::n_of;

const SEED: u32 = 1;

const N_EVALUATIONS: usize = 9;

/// What was measured; the names are the keys of the JSON output.
#[derive(Debug, Serialize)]
struct Measurement {
    /// Median of the epochs, by the clock.
    seconds_per_epoch: f64,
    /// Median of the epochs, of this thread alone.
    cpu_seconds_per_epoch: f64,
    samples_per_epoch: u32,
    samples_per_second: f64,
    /// Multiply-adds count two, and zeros as if they were multiplied.
    gflops: f64,
    /// The peak of the same process and path.
    peak_gflops: f64,
    /// Evaluation of the test images, not in the times above; median by this thread's CPU time.
    evaluation_ms: f64,
    isa: &'static str,
    digest: String,
}

/// Wall and CPU seconds of one epoch.
#[derive(Clone, Copy)]
struct EpochTime {
    wall_s: f64,
    cpu_s: f64,
}

pub fn train(arguments: &BenchTrain) -> Result<(), Refusal> {
    let isa = prepare::choose_isa()?;
    let config = config(arguments)?;
    let measurement = measure(&config, arguments, isa)?;
    let text = match arguments.output {
        Output::Human => table(&measurement, &config),
        Output::Json => serde_json::to_string(&measurement)? + "\n",
    };
    print(&text);
    Ok(())
}

fn config(arguments: &BenchTrain) -> Result<TrainConfig, Refusal> {
    let values = BTreeMap::from([
        ("optimizer".into(), Value::Text(arguments.optimizer.clone())),
        ("learning_rate".into(), Value::Number(arguments.learning_rate)),
        ("batch_size".into(), Value::Count(arguments.batch_size)),
        ("hidden".into(), Value::Widths(arguments.hidden.clone())),
        ("epochs".into(), Value::Count(arguments.epochs.get().into())),
    ]);
    TrainConfig::from_values(&values, SEED).map_err(|error| Refusal::Usage(error.to_string()))
}

fn measure(config: &TrainConfig, arguments: &BenchTrain, isa: Isa) -> Result<Measurement, Refusal> {
    let dataset = data::load_embedded("mnist")?.dataset;
    let n_train = match arguments.samples {
        Some(samples) => samples.get(),
        None => u32::try_from(dataset.n_train())?,
    };
    let scale = if arguments.dense { Scale::Standard } else { Scale::Unit };
    let data = PreparedData::new(&dataset, Split { n_train, n_valid: 0, scale })?;
    let trainer = Trainer::new(config.clone(), Arc::new(data), isa)?;
    let peak_gflops = peak_gflops(isa);
    let (times, mut trainer) = run(trainer);
    let evaluation_ms = evaluation_ms(&mut trainer);
    let result = trainer.into_result();
    if let Ending::Diverged { step, .. } = result.ending {
        let text = format!("training diverged at step {step}, so there is nothing to measure");
        return Err(Refusal::Usage(text + "; take a smaller --learning-rate"));
    }
    let seconds_per_epoch = median(times.iter().map(|time| time.wall_s));
    let macs_per_epoch = result.work.macs_textbook as f64 / times.len() as f64;
    Ok(Measurement {
        seconds_per_epoch,
        cpu_seconds_per_epoch: median(times.iter().map(|time| time.cpu_s)),
        samples_per_epoch: n_train,
        samples_per_second: f64::from(n_train) / seconds_per_epoch,
        gflops: 2.0 * macs_per_epoch / seconds_per_epoch / 1e9,
        peak_gflops,
        evaluation_ms,
        isa: isa.name(),
        digest: result.digest.to_string(),
    })
}

fn run(mut trainer: Trainer) -> (Vec<EpochTime>, Trainer) {
    let never = AtomicBool::new(false);
    let mut times = Vec::new();
    loop {
        let (started, cpu_before) = (Instant::now(), thread_cpu_s());
        let end = trainer.run_epoch(&never);
        let cpu_s = thread_cpu_s() - cpu_before;
        times.push(EpochTime { wall_s: started.elapsed().as_secs_f64(), cpu_s });
        if end != EpochEnd::Continues {
            return (times, trainer);
        }
    }
}

fn evaluation_ms(trainer: &mut Trainer) -> f64 {
    let evaluation = |_| {
        let cpu_before = thread_cpu_s();
        std::hint::black_box(trainer.test_accuracy());
        1e3 * (thread_cpu_s() - cpu_before)
    };
    median((0..N_EVALUATIONS).map(evaluation))
}

fn thread_cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The upper one of an even number.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn table(measured: &Measurement, config: &TrainConfig) -> String {
    format!(
        "{}, {}, path {}\n\
         seconds per epoch   {:.4} (CPU {:.4})\n\
         samples per second  {:.0}\n\
         evaluation          {:.1} ms for the test images\n\
         GFLOP/s             {:.1}, zeros counted; {:.0} % of the peak of {:.1}\n\
         digest              {}\n",
        short_label(&config.hyperparameters()),
        n_of(measured.samples_per_epoch, "sample"),
        measured.isa,
        measured.seconds_per_epoch,
        measured.cpu_seconds_per_epoch,
        measured.samples_per_second,
        measured.evaluation_ms,
        measured.gflops,
        100.0 * measured.gflops / measured.peak_gflops,
        measured.peak_gflops,
        measured.digest,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Bench, Cli, Command, Verb};

    fn arguments(line: &str) -> BenchTrain {
        let words = "coordinator bench train".split(' ').chain(line.split_whitespace());
        match Cli::try_parse_from(words).expect(line).command {
            Command::Verb(Verb::Bench(Bench::Train(arguments))) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn measured(line: &str, isa: Isa) -> Measurement {
        let arguments = arguments(line);
        measure(&config(&arguments).unwrap(), &arguments, isa).unwrap()
    }

    #[test]
    fn json_has_the_keys_that_programs_read() {
        let isa = Isa::choose(None).unwrap();
        let measured = measured("--samples 640 --hidden 16 --epochs 2", isa);
        let json = serde_json::to_value(&measured).unwrap();
        let number = |key: &str| json[key].as_f64().expect(key);
        assert_eq!(number("samples_per_epoch"), 640.0);
        assert_eq!(json["isa"], isa.name());
        assert_eq!(json["digest"].as_str().unwrap().len(), 64);
        let seconds = number("seconds_per_epoch");
        assert!(seconds > 0.0 && number("cpu_seconds_per_epoch") > 0.0);
        assert!(number("evaluation_ms") > 0.0);
        assert!((number("samples_per_second") * seconds / 640.0 - 1.0).abs() < 1e-9);
        // Three products above the first layer's two, for a multiplication and an addition each.
        let flops = 640.0 * 2.0 * (2.0 * 784.0 * 16.0 + 3.0 * 16.0 * 10.0);
        assert!((number("gflops") * 1e9 * seconds / flops - 1.0).abs() < 1e-9);
        assert!(number("peak_gflops") > number("gflops") / 20.0);
    }

    #[test]
    fn paths_agree_on_the_digest_and_inputs_without_zeros_have_their_own() {
        let line = "--samples 64 --hidden 8 --epochs 1";
        let [first, rest @ ..] = &Isa::available()[..] else { panic!("there is always one path") };
        let digest = measured(line, *first).digest;
        for isa in rest {
            assert_eq!(measured(line, *isa).digest, digest, "{}", isa.name());
        }
        assert_ne!(measured(&format!("{line} --dense"), *first).digest, digest);
    }

    #[test]
    fn wrong_values_are_refused_with_their_reason() {
        for (line, reason) in
            [("--batch-size 0", "batch_size"), ("--learning-rate 0", "learning_rate")]
        {
            match config(&arguments(line)) {
                Err(Refusal::Usage(text)) => assert!(text.contains(reason), "{text}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
