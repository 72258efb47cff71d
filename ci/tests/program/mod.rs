//! Starts the program and keeps what it said.

use std::process::{Command, Output};

/// Returns the program with `arguments`, not started. It never builds backends.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyalike"));
    command
        .args(arguments)
        .env("KEYALIKE_BOOTSTRAPPED", "1")
        .env_remove("RUST_BACKTRACE")
        .env_remove("GITHUB_STEP_SUMMARY");
    command
}

/// Checks the exit code of `keyalike ARGUMENTS`, and that it says all of `said` on stdout or stderr.
#[track_caller]
pub(crate) fn check(arguments: &[&str], code: i32, said: &[&str]) {
    check_output(program(arguments), code, said);
}

/// Checks the exit code of a command, and that it says all of `said` on stdout or stderr.
#[track_caller]
pub(crate) fn check_output(mut command: Command, code: i32, said: &[&str]) {
    let output = command.output().expect("the program starts");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{command:?} said:\n{text}");
    for part in said {
        assert!(text.contains(part), "{command:?} does not say `{part}`:\n{text}");
    }
    assert!(!text.contains("RUST_BACKTRACE"), "{text}");
    assert!(!text.contains('\u{1b}'), "there is colour where there is no terminal:\n{text}");
}

/// Returns all that it said.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
