//! Every suite, on tokio and every lock library that was built.

mod conformance;

fn main() -> std::process::ExitCode {
    conformance::main(&["tokio", "tokio-current-thread"])
}
