//! Every suite, on async-std and every lock library that was built.

mod conformance;

fn main() -> std::process::ExitCode {
    conformance::main(&["async-std"])
}
