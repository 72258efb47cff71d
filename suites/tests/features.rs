//! Says which backends can be built, and holds that each feature that is named here exists.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if backends::all().is_empty() && !arguments.list {
        eprintln!("no backend is built, so only the harness is tested; choose with --features:");
        for (feature, meaning) in backends::FEATURES {
            eprintln!("  {feature:<20}{meaning}");
        }
    }
    let trial = Trial::test("every_feature_is_forwarded", || check_features(include_str!("../Cargo.toml")));
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

fn check_features(manifest: &str) -> Result<(), Failed> {
    let missing = backends::FEATURES.iter().find(|(feature, _)| !manifest.contains(&format!("\n{feature} = [")));
    missing.map_or(Ok(()), |(feature, _)| Err(Failed::from(format!("suites/Cargo.toml does not forward {feature}"))))
}
