//! The worker, built for the tests of this crate.

fn main() -> std::process::ExitCode {
    worker::main()
}
