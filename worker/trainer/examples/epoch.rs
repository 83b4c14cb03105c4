//! Times training: `epoch FOLDER [--optimizer sgd] [--hidden 256,128,64] [--batch-size 32]
//! [--learning-rate 0.05] [--epochs 3] [--isa avx512]`, where FOLDER holds the four unpacked IDX
//! files of MNIST. 50,000 samples train, 10,000 validate.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use trainer::{Dataset, EpochEnd, Isa, KEYS, PreparedData, TrainConfig, Trainer};
use trial::known::{TRAIN_LOSS, VALID_ACCURACY};
use trial::{Kind, Scale, Split, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("expected a folder with unpacked IDX files")?;
    let mut values = BTreeMap::from([
        ("optimizer".to_string(), Value::Text("sgd".into())),
        ("learning_rate".to_string(), Value::Number(0.05)),
        ("batch_size".to_string(), Value::Count(32)),
        ("hidden".to_string(), Value::Widths(vec![256, 128, 64])),
        ("epochs".to_string(), Value::Count(3)),
    ]);
    let mut isa = Isa::choose(None)?;
    while let Some(flag) = arguments.next() {
        let text = arguments.next().ok_or(format!("{flag}: expected a value"))?;
        match flag.as_str() {
            "--isa" => isa = Isa::choose(Some(&text))?,
            _ => {
                let name = flag.trim_start_matches('-').replace('-', "_");
                let value = parse(&name, &text)?;
                values.insert(name, value);
            }
        }
    }
    let data = Arc::new(read(Path::new(&folder))?);
    let config = TrainConfig::from_values(&values, 1)?;
    let mut trainer = Trainer::new(config, data, isa)?;
    println!("{:?} on {}", values["optimizer"], isa.name());
    let stop = AtomicBool::new(false);
    loop {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let end = trainer.run_epoch(&stop);
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        if let Some(record) = trainer.history().last() {
            println!(
                "epoch {}: {seconds:.3} s ({cpu:.3} s of CPU), train loss {:.4}, validation {:.2} %",
                record.epoch,
                record[TRAIN_LOSS],
                100.0 * record[VALID_ACCURACY]
            );
        }
        if end != EpochEnd::Continues {
            break;
        }
    }
    let start = Instant::now();
    let result = trainer.into_result();
    println!("test evaluation: {:.1} ms", 1e3 * start.elapsed().as_secs_f64());
    println!("{:?}\n{:?}", result.ending, result.work);
    println!("digest {}", result.digest);
    Ok(())
}

/// CPU time of this thread; 0 where Linux's schedstat is missing.
fn cpu_seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}

fn parse(name: &str, text: &str) -> Result<Value, Box<dyn Error>> {
    let key = KEYS.iter().find(|key| key.name == name).ok_or(format!("--{name}: unknown"))?;
    Ok(match key.kind {
        Kind::Text(_) => Value::Text(text.into()),
        Kind::Number => Value::Number(text.parse()?),
        Kind::Count => Value::Count(text.parse()?),
        Kind::Widths { .. } => {
            let widths = text.split(',').filter(|width| !width.is_empty()).map(str::parse);
            Value::Widths(widths.collect::<Result<_, _>>()?)
        }
    })
}

fn read(folder: &Path) -> Result<PreparedData, Box<dyn Error>> {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let dataset = Dataset::from_idx(
        &file("train-images-idx3-ubyte")?,
        &file("train-labels-idx1-ubyte")?,
        &file("t10k-images-idx3-ubyte")?,
        &file("t10k-labels-idx1-ubyte")?,
    )?;
    let split = Split { n_train: 50_000, n_valid: 10_000, scale: Scale::Unit };
    Ok(PreparedData::new(&dataset, split)?)
}
