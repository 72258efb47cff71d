//! The walk-through of README.md shows the files of the example as they are: what runs in CI is what a reader copies.

use std::fs;
use std::path::Path;

#[test]
fn walk_through_shows_the_files_of_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |place: &str| {
        let file = root.join(place);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let readme = read("README.md");
    let (_, rest) = readme.split_once("## Test your own lock\n").expect("there is a walk-through");
    let (section, _) = rest.split_once("\n## ").expect("another section follows");
    let files = [
        "Cargo.toml",
        "tests/keyalike.rs",
        "keyalike/ledger.toml",
        "keyalike/scenarios/queue/place-is-kept-by-a-future.scenario",
    ];
    let files: Vec<String> = files.iter().map(|file| read(&format!("docs/example/{file}"))).collect();
    let mut shown = 0;
    for block in section.split("```").skip(1).step_by(2) {
        let (_language, text) = block.split_once('\n').expect("a block has lines");
        let lines: Vec<&str> = text.trim_end().lines().map(|line| line.strip_prefix("   ").unwrap_or(line)).collect();
        let text = lines.join("\n");
        if text.starts_with("cargo ") {
            continue;
        }
        assert!(files.iter().any(|file| file.contains(&text)), "no file of the example has\n{text}");
        shown += 1;
    }
    assert_eq!(shown, files.len(), "each file is shown");
}
