//! Command lines that are understood, and those that are refused.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::args::*;
use super::run_config::FormerState;
use super::*;
use crate::view::output::Output;

fn parse_line(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["coordinator"].into_iter().chain(line.split_whitespace()))
}

fn run_of(line: &str) -> RunConfig {
    match parse_line(line).expect(line).command {
        Command::Run(run) => run,
        other => panic!("{line}: expected a run, found {other:?}"),
    }
}

#[test]
fn is_well_formed() {
    RawCli::command().debug_assert();
}

#[test]
fn a_run_has_a_default_for_everything_but_the_sweep() {
    let run = run_of("--sweep sweeps/quick.toml");
    assert_eq!(
        run,
        RunConfig {
            sweep: "sweeps/quick.toml".into(),
            out: "reports".into(),
            state: None,
            allow_network_state: false,
            former_state: FormerState::Resumed,
            n_local_workers: 1,
            n_local_slots: None,
            listen: run.listen,
            lease: run.lease,
            crash_limit: NonZeroU32::new(3).expect("not zero"),
            retry_failed: false,
            max_failed: None,
            time_limit: None,
            audit_share: 0.0,
            output: Output::Human,
            interface: trainer::interface(),
        }
    );
    assert_eq!(run.listen.get().to_string(), "127.0.0.1:7070");
    assert_eq!((run.lease.ttl().as_secs(), run.lease.sync_every().as_secs()), (30, 5));
}

#[test]
fn a_run_takes_every_flag() {
    let run = run_of(
        "--sweep a.toml --out o --state s --allow-network-state --fresh --yes \
         --local-workers 0 --local-slots 2 --listen 0.0.0.0:0 --insecure-plaintext \
         --lease-ttl 2s --sync-every 300ms --crash-limit 5 --retry-failed --max-failed 10 \
         --time-limit 1h30m --audit 0.25 --output json",
    );
    assert_eq!(run.state, Some("s".into()));
    assert_eq!((run.n_local_workers, run.n_local_slots), (0, NonZeroUsize::new(2)));
    assert_eq!(run.listen.get().port(), 0);
    assert_eq!((run.lease.ttl().as_millis(), run.lease.sync_every().as_millis()), (2_000, 300));
    assert_eq!(run.max_failed, NonZeroU32::new(10));
    assert_eq!(run.time_limit, Some(Duration::from_secs(5_400)));
    assert_eq!((run.audit_share, run.output), (0.25, Output::Json));
    assert_eq!(run.former_state, FormerState::SetAside { is_confirmed: true });
    assert!(run.retry_failed && run.allow_network_state);
}

#[test]
fn verbs_need_no_sweep_flag() {
    let verb = |line: &str| match parse_line(line).expect(line).command {
        Command::Verb(verb) => verb,
        other => panic!("{line}: expected a verb, found {other:?}"),
    };
    assert_eq!(verb("plan a.toml"), Verb::Plan(Plan { file: "a.toml".into() }));
    assert_eq!(verb("schema"), Verb::Schema);
    let folder = FolderArgs { folder: "reports/full".into(), state: Some("s".into()) };
    assert_eq!(verb("report reports/full --state s"), Verb::Report(folder.clone()));
    assert_eq!(verb("status reports/full --state s"), Verb::Status(folder.clone()));
    assert_eq!(verb("verify reports/full --state s"), Verb::Verify(folder.clone()));
    let export = Export {
        report: folder,
        format: ExportFormat::Optuna,
        to: Some("t".into()),
        force: false,
        follow: false,
    };
    assert_eq!(verb("export reports/full --state s --format optuna --to t"), Verb::Export(export));
    assert!(matches!(verb("export f"), Verb::Export(e) if e.format == ExportFormat::Sqlite));
    assert!(matches!(verb("replay f best --save w"), Verb::Replay(r) if r.save.is_some()));
    let worker = "local-worker --coordinator http://127.0.0.1:7070 --slots 2 --name w \
                  --cache-dir c --local-index 1 --no-pin";
    assert!(matches!(
        parse_line(worker).expect(worker).command,
        Command::LocalWorker(w) if w.local_index == 1 && w.no_pin
    ));
    let bench = "bench train --hidden 128,64 --samples 640 --dense --output json";
    assert!(matches!(
        verb(bench),
        Verb::Bench(Bench::Train(b)) if b.hidden == [128, 64] && b.batch_size == 32 && b.dense
    ));
    let build = "build-report --state s --out o --partial";
    assert!(matches!(verb(build), Verb::BuildReport(b) if b.partial));
}

#[test]
fn verbosity_counts_in_both_forms() {
    assert_eq!(parse_line("--sweep a.toml -vv").expect("valid").verbosity, 2);
    assert_eq!(parse_line("plan a.toml -v").expect("valid").verbosity, 1);
}

/// Every flag of every verb that people see, with values that most of them cannot take.
#[test]
fn no_value_is_refused_in_the_words_of_a_library() {
    let of_verb = |words: &str, verb: &clap::Command| -> Vec<String> {
        let flags = verb.get_arguments().filter(|it| it.get_action().takes_values());
        flags.filter_map(|it| Some(format!("{words} --{}", it.get_long()?))).collect()
    };
    let raw = RawCli::command();
    let mut flags = of_verb("--sweep a.toml", &raw);
    for verb in raw.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let path = if verb.get_name() == "replay" { "f best" } else { "f" };
        flags.extend(of_verb(&format!("{} {path}", verb.get_name()), verb));
        for inner in verb.get_subcommands() {
            flags.extend(of_verb(&format!("{} {}", verb.get_name(), inner.get_name()), inner));
        }
    }
    let mut n_refused = 0;
    for flag in flags.iter().filter(|it| !it.ends_with(" --sweep")) {
        for value in ["0", "-1", "-0.5", "1.5", "x", "99999999999999999999999"] {
            let Err(error) = parse_line(&format!("{flag} {value}")) else { continue };
            n_refused += 1;
            let text = error.to_string();
            let is_told =
                ["expected", "too large", "possible values"].iter().any(|it| text.contains(it));
            assert!(is_told && text.contains(value), "{flag} {value}: {text}");
        }
    }
    assert!(n_refused > 100, "{n_refused} were refused");
}

#[test]
fn wrong_usage_is_refused_with_2() {
    for (line, reason) in [
        ("--out o", "--sweep <FILE>"),
        ("--sweep", "a value is required"),
        ("--sweep a.toml --local-slots 0", "expected a whole number, 1 or more"),
        ("--sweep a.toml --local-workers -1", "expected a whole number, 0 or more"),
        ("--sweep a.toml --crash-limit 0", "expected a whole number, 1 or more"),
        ("--sweep a.toml --max-failed 0", "expected a whole number, 1 or more"),
        ("--sweep a.toml --time-limit 30", "`30` lacks its unit"),
        ("--sweep a.toml --time-limit 1.5h", "did you mean 1h30m?"),
        ("--sweep a.toml --audit 5", "expected a number from 0 to 1"),
        ("--sweep a.toml --audit NaN", "expected a number from 0 to 1"),
        ("--sweep a.toml --listen 7070", "expected an IP address and a port"),
        ("--sweep a.toml --listen 0.0.0.0:7070", "--insecure-plaintext"),
        ("--sweep a.toml --output xml", "[possible values: human, json]"),
        ("--sweep a.toml --fersh", "'--fresh'"),
        ("--sweep a.toml plan b.toml", "cannot be used with"),
        ("plan", "<FILE>"),
        ("replan a.toml", "plan"),
        ("bench train --optimizer sdg", "backtracking"),
        ("export f --format csv", "[possible values: sqlite, tensorboard, optuna]"),
    ] {
        let error = parse_line(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(reason), "{line}: {error}");
    }
    assert_eq!(parse_line("").expect_err("nothing asked for").exit_code(), 2);
    assert_eq!(parse_line("-v").expect_err("nothing asked for").exit_code(), 2);
}

#[test]
fn a_lease_lasts_three_reports() {
    assert!(parse_line("--sweep a.toml --lease-ttl 15s").is_ok());
    let error = parse_line("--sweep a.toml --lease-ttl 14s").expect_err("too short");
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.contains("--lease-ttl 14s") && text.contains("--sync-every 5s"), "{text}");
    assert!(text.contains("--lease-ttl 15s or more"), "{text}");
}

#[test]
fn help_and_version_exit_with_0() {
    for line in ["--help", "--version", "plan --help"] {
        assert_eq!(parse_line(line).expect_err(line).exit_code(), 0, "{line}");
    }
    let help = RawCli::command().render_long_help().to_string();
    assert!(help.contains("sweeps/quick.toml") && !help.contains("local-worker "), "{help}");
}
