//! Holds what a reader of `harness/src` relies on: no import circle between its modules, which `lib.rs` lists in
//! reading order, and the sizes of lines, functions and files.
//!
//! It scans text: comments, literals and `#[cfg(test)]` are blanked first, macros are not expanded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

const COLUMNS_MAX: usize = 120;
const FUNCTION_LINES_MAX: usize = 80;
const FILE_LINES_MAX: usize = 600;

/// Functions that are too long today, with their lines. A row is lowered or removed, never raised or added.
const LONG_FUNCTIONS: &[(&str, usize)] = &[];

/// Files that are too long today, with their lines. A row is lowered or removed, never raised or added.
const LONG_FILES: &[(&str, usize)] = &[("explore/search.rs", 677)];

/// Which module imports which, and where.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Vec<String>>>;

#[test]
fn modules_import_in_reading_order_and_in_no_circle() {
    let sources = sources();
    let ranks = ranks(&sources);
    let mut edges = Edges::new();
    for source in sources.iter().filter(|source| ranks.contains_key(source.module())) {
        for (line, module) in source.imports() {
            if let Some((module, _)) = ranks.get_key_value(module).filter(|_| module != source.module()) {
                let place = format!("{}:{line}", source.name);
                edges.entry(source.module()).or_default().entry(module).or_default().push(place);
            }
        }
    }
    let mut breaches = Vec::new();
    for (one, imported) in &edges {
        for (other, places) in imported {
            let (rank, other_rank) = (ranks[*one], ranks[*other]);
            // A circle through several groups has an import against the order, and that one is to blame.
            let back = path(&edges, other, one, |module| rank != other_rank || ranks[module] == rank);
            if rank < other_rank || rank == other_rank && back.is_some() {
                let what = match back {
                    Some(back) => format!("closes the circle {one} -> {}", back.join(" -> ")),
                    None => "stands below it in lib.rs".to_owned(),
                };
                breaches.push(format!(
                    "{}: `{one}` imports `{other}`, which {what}; move what it uses of `{other}` to `{one}` or to a \
                     module above it, or move what uses it to `{other}` or below",
                    places.join(", ")
                ));
            }
        }
    }
    report(&breaches);
}

#[test]
fn functions_are_short() {
    let mut lengths: BTreeMap<String, usize> = BTreeMap::new();
    for (name, lines) in sources().iter().flat_map(Source::functions) {
        // Of several of one name in a file, the longest counts.
        let longest = lengths.entry(name).or_default();
        *longest = lines.max(*longest);
    }
    report(&over(&lengths, FUNCTION_LINES_MAX, LONG_FUNCTIONS, "LONG_FUNCTIONS", "move a step of it to a function"));
}

#[test]
fn files_are_short() {
    let lengths = sources().iter().map(|source| (source.name.clone(), source.text.lines().count())).collect();
    report(&over(&lengths, FILE_LINES_MAX, LONG_FILES, "LONG_FILES", "move one of its concepts to a file below it"));
}

#[test]
fn lines_are_short() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                let (name, line) = (&source.name, index + 1);
                breaches.push(format!("{name}:{line}: {columns} columns, the most are {COLUMNS_MAX}; break the line"));
            }
        }
    }
    report(&breaches);
}

#[test]
fn only_code_is_scanned() {
    let text = "use crate::{a::{x, y}, b};\n// crate::c\nconst D: &str = \"crate::d {\";\n\
                const E: &str = r#\"crate::e \"{\"#;\nfn f<'g>(g: &'g [u8; 2]) -> char {\n    '{'\n}\n\
                #[cfg(test)]\nmod tests {\n    use crate::h;\n}\nuse crate::i;";
    let source = Source::new("j.rs".to_owned(), text.to_owned());
    assert_eq!(source.imports(), [(1, "a"), (1, "b"), (12, "i")]);
    assert_eq!(source.functions(), [("j.rs: f".to_owned(), 3)]);
}

/// One file of `harness/src`.
struct Source {
    /// Path below `harness/src`.
    name: String,
    text: String,
    /// The text with comments, literals and tests blanked: every line keeps its number.
    code: String,
}

impl Source {
    fn new(name: String, text: String) -> Self {
        let code = without_tests(without_literals(&text));
        Self { name, text, code }
    }

    /// Returns the top-level module that it belongs to: `foo.rs` and `foo/bar.rs` belong to `foo`.
    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Returns the names that stand directly behind the root of the crate, each with its line.
    fn imports(&self) -> Vec<(usize, &str)> {
        let from_root = ["crate::".to_owned(), "super::".repeat(self.name.split('/').count())];
        let mut names = Vec::new();
        for root in &from_root {
            for (at, _) in self.code.match_indices(root.as_str()) {
                let begin = at + root.len();
                let line = |offset: usize| 1 + self.code[..begin + offset].matches('\n').count();
                names.extend(first_names(&self.code[begin..]).map(|(offset, name)| (line(offset), name)));
            }
        }
        names
    }

    /// Returns each function with a body, by file and name, with its lines.
    fn functions(&self) -> Vec<(String, usize)> {
        let mut functions = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let is_word = !self.code[..at].ends_with(is_of_name);
            let signature = &self.code[at..];
            let mut depth = 0_usize;
            let end = signature.find(|character| {
                match character {
                    '(' | '[' => depth += 1,
                    ')' | ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                character == '{' || character == ';' && depth == 0
            });
            if let Some(open) = end.filter(|end| is_word && signature[*end..].starts_with('{')) {
                let lines = 1 + signature[..close(signature, open)].matches('\n').count();
                functions.push((format!("{}: {}", self.name, name_at(&signature["fn ".len()..])), lines));
            }
        }
        functions
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    for entry in WalkDir::new(&root).sort_by_file_name() {
        let entry = entry.expect("harness/src can be walked");
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let name = entry.path().strip_prefix(&root).expect("an entry lies below the root").to_string_lossy();
            let text = fs::read_to_string(entry.path()).expect("a source file is readable text");
            sources.push(Source::new(name.replace('\\', "/"), text));
        }
    }
    sources
}

/// Returns which group of `mod` lines in `lib.rs` each module stands in. Empty lines set groups apart.
fn ranks(sources: &[Source]) -> BTreeMap<String, usize> {
    let lib = sources.iter().find(|source| source.name == "lib.rs").expect("the harness has a lib.rs");
    let (mut group, mut ranks) = (0, BTreeMap::new());
    for line in lib.text.lines() {
        group += usize::from(line.is_empty());
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            ranks.insert(name.to_owned(), group);
        }
    }
    ranks
}

/// Returns the modules on a shortest way of imports through modules that `passes` names, both ends included.
fn path<'a>(edges: &'a Edges<'_>, from: &'a str, to: &str, passes: impl Fn(&str) -> bool) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([from]);
    let mut paths = vec![vec![from]];
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let last = path[path.len() - 1];
            if last == to {
                return Some(path);
            }
            for next in
                edges.get(last).into_iter().flat_map(BTreeMap::keys).filter(|next| passes(next) && seen.insert(next))
            {
                longer.push([&path[..], &[*next]].concat());
            }
        }
        paths = longer;
    }
    None
}

/// Returns what is longer than it may be, and the rows of `table` that are not as long as they say.
fn over(
    lengths: &BTreeMap<String, usize>,
    max: usize,
    table: &[(&str, usize)],
    title: &str,
    remedy: &str,
) -> Vec<String> {
    let known: BTreeMap<&str, usize> = table.iter().copied().collect();
    let mut breaches = Vec::new();
    for (name, lines) in lengths {
        let allowed = known.get(name.as_str()).copied().unwrap_or(max);
        if *lines > allowed {
            breaches.push(format!("{name}: {lines} lines, the most are {allowed}; {remedy}"));
        }
    }
    for (name, listed) in known {
        match lengths.get(name) {
            Some(lines) if *lines > max && *lines < listed => {
                breaches.push(format!("{name}: {lines} lines, {title} says {listed}; lower the row to {lines}"));
            }
            Some(lines) if *lines > max => {}
            _ => breaches.push(format!("{name}: not over {max} lines any more; remove its row from {title}")),
        }
    }
    breaches
}

fn report(breaches: &[String]) {
    assert!(breaches.is_empty(), "in harness/src:\n{}", breaches.join("\n"));
}

/// Blanks comments, strings and characters.
fn without_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_in_name = code.ends_with(|last| is_of_name(last) && last != 'b');
        match literal(rest, is_in_name) {
            0 => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
            length => {
                code.push_str(&blank(&rest[..length]));
                rest = &rest[length..];
            }
        }
    }
    code
}

/// Returns the length of the comment or literal that `text` begins with, 0 if there is none.
fn literal(text: &str, is_in_name: bool) -> usize {
    let end = |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let hashes = text.strip_prefix('r').map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
    let mut characters = text.chars();
    match (characters.next(), characters.next(), characters.next()) {
        (Some('/'), Some('/'), _) => text.find('\n').unwrap_or(text.len()),
        (Some('/'), Some('*'), _) => end(2, "*/"),
        (Some('r'), _, _) if !is_in_name && text[1 + hashes..].starts_with('"') => {
            end(2 + hashes, &format!("\"{}", "#".repeat(hashes)))
        }
        (Some('"'), _, _) => {
            let mut is_escaped = false;
            let quote = text[1..].find(|character| {
                let is_end = character == '"' && !is_escaped;
                is_escaped = character == '\\' && !is_escaped;
                is_end
            });
            quote.map_or(text.len(), |at| at + 2)
        }
        (Some('\''), Some('\\'), _) => end(3, "'"),
        (Some('\''), Some(inside), Some('\'')) => 2 + inside.len_utf8(),
        _ => 0,
    }
}

/// Blanks every item behind `#[cfg(test)]`.
fn without_tests(code: String) -> String {
    let mut code = code;
    while let Some(begin) = code.find("#[cfg(test)]") {
        let item = code[begin..].find(['{', ';']).map_or(code.len() - 1, |at| begin + at);
        let end = if code[item..].starts_with('{') { close(&code, item) } else { item + 1 };
        let blank = blank(&code[begin..end]);
        code.replace_range(begin..end, &blank);
    }
    code
}

fn blank(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { '\n' } else { ' ' }).collect()
}

/// Returns the end of the block whose brace opens at `open`.
fn close(code: &str, open: usize) -> usize {
    let mut depth = 0;
    let end = code[open..].find(|character| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        depth == 0
    });
    end.map_or(code.len(), |at| open + at + 1)
}

/// Returns the name that a path begins with, or those that the paths in a braced list begin with, each with its offset.
fn first_names(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let list = path.strip_prefix('{').map_or("", |_| &path[..close(path, 0)]);
    let alone = list.is_empty().then(|| (0, name_at(path)));
    let (mut depth, mut begins) = (0, false);
    let listed = list.char_indices().filter_map(move |(at, character)| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        let is_name = begins && is_of_name(character);
        begins = depth == 1 && (matches!(character, '{' | ',') || begins && !is_name);
        is_name.then(|| (at, name_at(&path[at..])))
    });
    alone.into_iter().chain(listed)
}

fn name_at(text: &str) -> &str {
    text.split(|character| !is_of_name(character)).next().unwrap_or_default()
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
