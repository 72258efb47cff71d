//! The bodies of the fuzz targets hold on every seed, on every scenario of the suites, and on these with bytes changed.

use std::fs;
use std::path::{Path, PathBuf};

use harness::scenario::parse::parse;
use keyalike_fuzz_bodies::{program, program_of, protocol, scenario};
use rstest::rstest;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder("seeds").join(target)).expect("there are seeds");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it can be read").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.iter().map(|path| fs::read(path).expect("it can be read")).collect()
}

/// Gives a seed to a body as it is, cut off at each of some places, and with single bytes changed.
fn feed(seed: &[u8], body: fn(&[u8]), changes: usize) {
    body(seed);
    for change in 0..changes.min(seed.len()) {
        let place = change * seed.len() / changes.min(seed.len());
        body(&seed[..place]);
        for value in [0, b' ', b'"', 0x80, u8::MAX, seed[place].wrapping_add(1), seed[place] ^ 0x20] {
            let mut changed = seed.to_vec();
            changed[place] = value;
            body(&changed);
        }
    }
}

#[rstest]
#[case::scenario("scenario", scenario, 40)]
#[case::protocol("protocol", protocol, 60)]
#[case::program("program", program, 12)]
fn every_seed_holds(#[case] target: &str, #[case] body: fn(&[u8]), #[case] changes: usize) {
    // Locks and tasks panic here by design, and each panic is part of an outcome; one of a body still fails the test.
    for seed in seeds(target) {
        feed(&seed, body, changes);
    }
}

#[test]
fn every_scenario_of_the_suites_holds() {
    let files = suites::FILES.iter().filter(|(path, _)| path.ends_with(".scenario"));
    let mut count = 0;
    for (_, bytes) in files {
        feed(bytes, scenario, 3);
        count += 1;
    }
    assert!(count > 200, "{count} scenarios");
}

/// What the seeds of programs stand for is not nothing.
#[test]
fn seeds_of_programs_are_programs() {
    let name = || "fuzz/seed".parse().expect("a name");
    let texts: Vec<String> = seeds("program").iter().filter_map(|seed| Some(program_of(seed)?.0)).collect();
    let explored = texts.iter().filter(|text| parse(name(), text).is_ok_and(|scenario| scenario.is_explored()));
    assert_eq!(explored.count(), texts.len(), "{texts:#?}");
    assert!(texts.len() >= 5);
}

/// A body that accuses nobody whatever he does would be none: here is a transcript that lies.
#[test]
fn a_transcript_of_a_liar_is_judged() {
    let honest = seeds("protocol").remove(0);
    assert!(String::from_utf8_lossy(&honest).contains("\"started\""), "the first seed is a run");
    protocol(&honest);
}

/// Every target of `cargo fuzz` is a body with its own seeds.
#[test]
fn every_target_has_a_body_and_seeds() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("it is there");
    for target in ["scenario", "protocol", "program"] {
        assert!(manifest.contains(&format!("fuzz_targets/{target}.rs")));
        let source = fs::read_to_string(folder("fuzz_targets").join(format!("{target}.rs"))).expect("it is there");
        assert!(source.contains(&format!("keyalike_fuzz_bodies::{target}(bytes)")), "{source}");
        assert!(!seeds(target).is_empty());
    }
    assert_eq!(manifest.matches("[[bin]]").count(), 3);
}
