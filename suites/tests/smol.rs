//! Every suite, on smol and every lock library that was built.

mod conformance;

fn main() -> std::process::ExitCode {
    conformance::main(&["smol"])
}
