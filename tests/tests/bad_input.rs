//! What is refused before anything starts: exit 2 (or 1 for the machine's state), words that say
//! what, where and what to do, and nothing made.

use e2e::{Ended, Env, Programs, Sweep};

fn env() -> Env {
    Env::new(Programs {
        coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
        worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
    })
}

#[track_caller]
fn assert_words(ended: &Ended, words: &[&str]) {
    let text = ended.stderr_text();
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

/// A good sweep file with `old` replaced is refused at `place`, `line:column`, in `words`.
#[track_caller]
fn assert_refused(old: &str, new: &str, place: &str, words: &[&str]) {
    let env = env();
    let good = Sweep::SHORT.to_toml();
    assert!(good.contains(old), "{old}");
    env.write("bad.toml", good.replace(old, new));
    for arguments in [&["--sweep", "bad.toml"][..], &["plan", "bad.toml"]] {
        let ended = env.coordinator(arguments).expect(2);
        assert_words(&ended, &[&format!("bad.toml:{place}\n")]);
        assert_words(&ended, words);
        assert!(ended.stdout.is_empty(), "{ended:#?}");
    }
    assert!(!env.path("reports").exists(), "something was started");
}

#[test]
fn an_unknown_key() {
    assert_refused("depth =", "dept =", "19:1", &["unknown key `dept`", "did you mean `depth`?"]);
    assert_refused("epochs =", "epoch =", "13:1", &["did you mean `epochs`?"]);
}

#[test]
fn a_wrong_type() {
    let words = ["`batch_size` has the wrong type", "expected a list of", "write `batch_size = ["];
    assert_refused("[16, 50]", "16", "18:14", &words);
}

#[test]
fn an_empty_axis() {
    let words = ["`learning_rate` has no values", "at least one value"];
    assert_refused("[0.05, 0.2]", "[]", "17:17", &words);
}

#[test]
fn a_depth_beyond_the_widths() {
    assert_refused("[1, 2]", "[1, 3]", "19:13", &["depth", "widths"]);
}

#[test]
fn an_unknown_optimizer() {
    let words = ["unknown optimizer \"sdg\"", "did you mean \"sgd\"?"];
    assert_refused("\"sgd\"", "\"sdg\"", "16:14", &words);
}

#[test]
fn a_missing_data_folder() {
    let words = ["nowhere", "No such file or directory", "counts from the sweep file's folder"];
    assert_refused("path = \"data\"", "path = \"nowhere\"", "6:8", &words);
}

#[test]
fn a_batch_larger_than_the_training_set() {
    let words = ["larger than the training set", "at most 500"];
    assert_refused("[16, 50]", "[16, 501]", "18:19", &words);
}

#[test]
fn a_learning_rate_that_is_not_finite_and_positive() {
    for wrong in ["0.0", "-0.1", "inf", "nan"] {
        let words = [&*format!("`learning_rate` cannot be {wrong}"), "a finite number above 0"];
        assert_refused("0.05", wrong, "17:18", &words);
    }
}

#[test]
fn more_than_a_million_trials() {
    let axis = "{ linear = [0.01, 1.0], n = 1000 }";
    let env = env();
    let text = Sweep { learning_rates: axis, n_seeds: 1_000, ..Sweep::SHORT }.to_toml();
    env.write("bad.toml", text);
    let ended = env.coordinator(&["--sweep", "bad.toml"]).expect(2);
    assert_words(&ended, &["bad.toml:", "8000000", "1000000"]);
    assert!(!env.path("reports").exists());
}

#[test]
fn a_network_or_a_batch_that_no_trainer_would_train() {
    let words = ["the network is too large to train", "539295744 weights", "268435456"];
    let env = env();
    let text = Sweep { widths: "[16384, 16384, 16384]", ..Sweep::SHORT }.to_toml();
    env.write("bad.toml", text.replace("depth = [1, 2]", "depth = [1, 3]"));
    let ended = env.coordinator(&["--sweep", "bad.toml"]).expect(2);
    assert_words(&ended, &[&["bad.toml:19:13"][..], &words].concat());
    assert!(!env.path("reports").exists());
    env.write("short.toml", Sweep::SHORT.to_toml());
    let plan = env.coordinator(&["plan", "short.toml"]).expect(0).stdout_text();
    assert!(plan.contains(" memory: up to ") && plan.contains("this machine has "), "{plan}");
}

#[test]
fn all_problems_are_told_at_once() {
    let env = env();
    let text = Sweep::SHORT.to_toml().replace("depth =", "dept =").replace("\"sgd\"", "\"sdg\"");
    env.write("bad.toml", text);
    let ended = env.coordinator(&["--sweep", "bad.toml"]).expect(2);
    assert_words(&ended, &["bad.toml:16:14", "bad.toml:19:1", "2 problems in bad.toml"]);

    // What the file asks, what its points and its data can answer: each is looked at by itself.
    let claim = "[[hypothesis]]\nclaim = \"c\"\nbetter = { depth = 9 }\nthan = { depth = 1 }\n";
    let text = Sweep::SHORT.to_toml() + "[report]\nmetric = \"accuracy\"\n" + claim;
    for (old, new, words) in [
        ("[16, 50]", "[16, 501]", "larger than the training set"),
        ("path = \"data\"", "path = \"nowhere\"", "No such file or directory"),
    ] {
        assert!(text.contains(old), "{text}");
        env.write("bad.toml", text.replace(old, new));
        let ended = env.coordinator(&["--sweep", "bad.toml"]).expect(2);
        let all = [words, "`metric` cannot be", "about no point", "3 problems in bad.toml"];
        assert_words(&ended, &all);
    }
}

#[test]
fn what_is_no_sweep_file() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    env.write("prose.toml", "Dear diary\n");
    env.write("elf.toml", b"\x7fELF\x00\xff\xfe");
    for (file, words) in [
        ("prose.toml", &["prose.toml:1:", "not valid TOML"][..]),
        ("elf.toml", &["elf.toml:1", "not UTF-8"]),
        ("missing.toml", &["missing.toml", "No such file", "short.toml"]),
        ("data", &["data is a folder", "expected a sweep file"]),
    ] {
        assert_words(&env.coordinator(&["--sweep", file]).expect(2), words);
    }
    assert!(!env.path("reports").exists());
}

#[test]
fn a_damaged_data_set() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    env.write("data/train-images-idx3-ubyte.gz", b"\x1f\x8b no more");
    let ended = env.coordinator(&["--sweep", "short.toml"]).expect(2);
    assert_words(&ended, &["short.toml:6:8", "train-images-idx3-ubyte.gz"]);
    assert!(!env.path("reports").exists());
}

#[test]
fn wrong_usage_of_the_coordinator() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    let good = ["--sweep", "short.toml"];
    for (more, words) in [
        (&["--lease-ttl", "1s", "--sync-every", "1s"][..], &["--lease-ttl 3s or more"][..]),
        (&["--listen", "0.0.0.0:0"], &["--insecure-plaintext", "127.0.0.1"]),
        (&["--listen", "here"], &["expected an IP address and a port"]),
        (&["--crash-limit", "0"], &["--crash-limit"]),
        (&["--time-limit", "soon"], &["--time-limit"]),
        (&["--frsh"], &["--fresh"]),
    ] {
        let ended = env.coordinator(&[&good[..], more].concat()).expect(2);
        assert_words(&ended, words);
    }
    env.coordinator(&[]).expect(2);
    env.coordinator(&["dance"]).expect(2);
    let isa = env.start_file("short.toml", &[], &[("SWEEP_ISA", "sse9")]).wait().expect(2);
    assert_words(&isa, &["SWEEP_ISA", "sse9", "portable"]);
    assert!(!env.path("reports").exists());
}

/// The command that was meant, and no advice of the parser that leads elsewhere.
#[test]
fn a_flag_or_a_file_in_the_wrong_place_gets_what_was_meant_alone() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    for (line, meant) in [
        ("plan --sweep short.toml", "did you mean `coordinator plan short.toml`?"),
        ("start short.toml", "did you mean `coordinator --sweep short.toml`"),
        ("start", "a sweep is started, and resumed, with `coordinator --sweep FILE`"),
        ("--sweep short.toml --slots 2", "did you mean `--local-slots 2`?"),
        ("--sweep short.toml --time-limit 1h 30m", "did you mean `--time-limit 1h30m`?"),
        ("--sweep short.toml --time-limit 1.5h", "did you mean 1h30m?"),
        ("--sweep short.toml --local-slots 0", "expected a whole number, 1 or more"),
        ("status short.toml --follow", "--follow is a flag of `coordinator export`"),
    ] {
        let ended = env.coordinator(&line.split(' ').collect::<Vec<_>>()).expect(2);
        assert_words(&ended, &[meant]);
        assert!(!ended.stderr_text().contains("tip:"), "{line}: {ended:#?}");
    }
    assert!(!env.path("reports").exists(), "something was started");
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let env = env();
    for command in [
        "coordinator --help",
        "coordinator --version",
        "coordinator plan --help",
        "coordinator schema",
        "worker --help",
        "worker --version",
    ] {
        let full = env.paste(&format!("{command} > /dev/full")).expect(1);
        assert_words(&full, &["cannot write to standard output: No space left on device"]);
    }
}

#[test]
fn a_port_in_use() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = env.coordinator(&["--sweep", "short.toml", "--listen", &address]).expect(1);
    assert_words(&ended, &[&address, "in use", "--listen 127.0.0.1:0"]);
    assert!(!env.path("reports").exists());
}

#[test]
fn a_state_in_use() {
    let env = env();
    let first = env.start(&Sweep::ENDLESS, &[]);
    first.wait_for_trials(1);
    let second = env.start(&Sweep::ENDLESS, &[]).wait().expect(1);
    assert_words(&second, &["reports/endless/.state", "another coordinator"]);
    let fresh = env.start(&Sweep::ENDLESS, &["--fresh", "--yes"]).wait().expect(1);
    assert_words(&fresh, &["another coordinator"]);
    assert!(!env.report(&Sweep::ENDLESS).join(".state-1").exists());
}

#[test]
fn reports_that_cannot_be_written() {
    let env = env();
    env.write("reports", "a file, not a folder");
    let ended = env.start(&Sweep::SHORT, &[]).wait().expect(1);
    assert_words(&ended, &["reports/short"]);
}

#[test]
fn wrong_usage_of_the_worker() {
    let env = env();
    for arguments in [
        &[][..],
        &["--coordinator", "https://127.0.0.1:7070"],
        &["--coordinator", "nowhere"],
        &["--coordinator", "127.0.0.1:7070", "--slots", "0"],
        &["--coordinator", "127.0.0.1:7070", "--lost-after", "soon"],
    ] {
        let ended = env.worker(arguments).expect(2);
        assert_words(&ended, &["--help"]);
    }
}

#[test]
fn an_address_in_the_wrong_place_gets_the_whole_command() {
    let env = env();
    for arguments in
        [&["127.0.0.1:9", "--slots", "2"][..], &["--url", "127.0.0.1:9", "--slots", "2"]]
    {
        let ended = env.worker(arguments).expect(2);
        assert_words(&ended, &["`worker --coordinator http://127.0.0.1:9 --slots 2`"]);
    }
    assert_words(&env.worker(&["sweeps/quick.toml"]).expect(2), &["`coordinator --sweep FILE`"]);
}

#[test]
fn a_worker_that_cannot_work() {
    let env = env();
    env.write("file", "");
    let ended = env.worker(&["--coordinator", "127.0.0.1:9", "--cache-dir", "file"]).expect(1);
    assert_words(&ended, &["file"]);
    let nobody = ["--coordinator", "127.0.0.1:9", "--cache-dir", "cache", "--lost-after", "200ms"];
    let ended = env.worker(&nobody).expect(1);
    assert_words(&ended, &["http://127.0.0.1:9"]);
}

/// A database of something else in the place of a state is left as it is by every verb.
#[test]
fn a_database_that_is_no_state() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    std::fs::create_dir(env.path("fdb")).expect("a folder");
    let database = env.path("fdb/sweep.db");
    // An empty file, then a folder: SQLite itself would say "in a moment" or "disk I/O error".
    env.write("fdb/sweep.db", "");
    for verb in ["status", "report", "export", "verify"] {
        let ended = env.coordinator(&[verb, "nowhere", "--state", "fdb"]).expect(1);
        let text = ended.stderr_text() + &ended.stdout_text();
        assert!(text.contains("is not the state of a sweep but empty"), "{verb}: {text}");
    }
    std::fs::remove_file(&database).expect("it is there");
    std::fs::create_dir(&database).expect("a folder");
    let run = [
        "--sweep",
        "short.toml",
        "--state",
        "fdb",
        "--local-workers",
        "0",
        "--listen",
        "127.0.0.1:0",
    ];
    let ended = env.coordinator(&run).expect(1);
    assert_words(&ended, &["fdb/sweep.db: is not the state of a sweep but a folder", "--state"]);
}
