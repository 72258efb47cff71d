//! smoke
use std::sync::Arc;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let entries = backends::all();
    if args[1] == "serve" {
        let b = entries.iter().find(|e| e.id == args[3]).expect("backend").start();
        harness::worker::serve(&*b).expect("serve");
        return;
    }
    let suite = match harness::suite::Suite::read(&suites::root()) {
        Ok(s) => s,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    let all = args.iter().any(|a| a == "all");
    let runs = args.iter().position(|a| a == "--repeat").map_or(1, |p| args[p + 1].parse().expect("n"));
    let backs: Vec<_> = entries.iter().filter(|e| all || e.native).map(|e| e.start()).collect();
    let options = harness::runner::Options {
        runs,
        workers: Arc::new(harness::isolation::Workshop::new(harness::isolation::WorkerCommand::own().expect("exe"))),
        isolate: false,
    };
    let progs: Vec<Arc<_>> = suite
        .programs
        .values()
        .filter(|p| args[1] == "run" || p.scenario.name.as_str().contains(&args[1]))
        .cloned()
        .collect();
    let t = std::time::Instant::now();
    let cells = harness::runner::run_all(&progs, &backs, &options, &|_| {});
    let e = t.elapsed();
    for cell in cells {
        match cell.outcome {
            Ok(o) => {
                if args[1] == "run" {
                    println!("{:50} {:24} {} {}", cell.program.scenario.name, cell.backend, o.verdict, o.grade)
                } else {
                    println!("== {} {} {}\n{}", cell.program.scenario.name, cell.backend, o.grade, o.text())
                }
            }
            Err(e) => {
                println!("{:50} {:24} ERROR {e}", cell.program.scenario.name, cell.backend);
                if let harness::runner::CellError::Varies(v) = e {
                    for v in v {
                        println!("  --- {} {}\n{}", v.count, v.seat, v.outcome.text())
                    }
                }
            }
        }
    }
    println!("{e:?}");
}
