//! The embedded MNIST, on a small part of its training file.

use std::fs;

use e2e::{Env, Programs, results, sha256_of};

const SWEEP: &str = r#"
name = "mnist"

[dataset]
name = "mnist"
train = 2_000
valid = 1_000

[model]
widths = [64]

[train]
epochs = 1

[[grid]]
optimizer = ["sgd", "backtracking"]
learning_rate = [0.2]
batch_size = [16]
depth = [1]
"#;

fn env() -> Env {
    let env = Env::new(Programs {
        coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
        worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
    });
    env.write("mnist.toml", SWEEP);
    env
}

#[test]
fn one_epoch_learns_most_digits() {
    let env = env();
    env.start_file("mnist.toml", &[], &[]).wait().expect(0);
    let rows = results(&env.path("reports/mnist"));
    assert_eq!(rows.len(), 2);
    for row in rows {
        for column in ["best_valid_accuracy", "test_accuracy"] {
            let accuracy: f64 = row[column].parse().expect("a number");
            assert!(0.8 < accuracy && accuracy < 1.0, "{row:?}");
        }
    }
}

#[test]
fn a_worker_with_nothing_gets_the_data_set_once() {
    let env = env();
    for sweep in ["mnist", "again"] {
        let file = format!("{sweep}.toml");
        env.write(&file, SWEEP.replace("name = \"mnist\"\n\n", &format!("name = \"{sweep}\"\n")));
        let coordinator = env.start_file(&file, &["--local-workers", "0"], &[]);
        let worker = env.start_worker(&coordinator.url(), "worker");
        coordinator.wait().expect(0);
        let told = worker.wait().expect(0).stderr_text();
        assert_eq!(told.contains("fetched the data set"), sweep == "mnist", "{told}");
    }
    let cached: Vec<_> = fs::read_dir(env.path("worker/datasets"))
        .expect("a cache")
        .flatten()
        .filter(|entry| entry.file_name().len() == 64)
        .collect();
    assert_eq!(cached.len(), 1);
    assert_eq!(cached[0].file_name().to_string_lossy(), sha256_of(&cached[0].path()));
}
