//! The coordinator, built for the tests of this crate.

fn main() -> std::process::ExitCode {
    coordinator::main()
}
