//! The oracle must catch a planted fault: beside each of its rules stands a broken lock that it convicts, and on the same
//! scenarios it has nothing to say against honest ones.
//!
//! Some locks hang or kill the process that they are in, so this test is its own worker.

mod broken_off;
mod convictions;
mod counted;
mod honesty;
mod locks;
mod properties;
mod run;
mod window;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, serve, flag, id] = &arguments[..]
        && (serve.as_str(), flag.as_str()) == ("serve", "--backend")
    {
        return serve_lock(id);
    }
    // Locks and scripts panic here by design, and each panic is part of an outcome.
    std::panic::set_hook(Box::new(|_| {}));
    let mut trials = convictions::trials();
    trials.extend(counted::trials());
    trials.extend(honesty::trials());
    trials.extend(properties::trials());
    trials.extend(broken_off::trials());
    trials.extend(window::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn serve_lock(id: &str) -> ExitCode {
    match locks::backend(id).map(|backend| keyalike_harness::worker::serve(&*backend)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
        None => {
            eprintln!("{id} is no lock of this test");
            ExitCode::from(2)
        }
    }
}
