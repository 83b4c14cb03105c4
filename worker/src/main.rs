//! The program `worker`; everything it does is in the library.

fn main() -> std::process::ExitCode {
    worker::main()
}
