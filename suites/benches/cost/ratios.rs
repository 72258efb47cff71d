//! The ratios, from alternating batches of one process, and the noise in which they were measured.

use comfy_table::{CellAlignment, Table, presets};
use harness::driver::Seat;

use crate::bare::Case;
use crate::paired::{Paired, Quartiles, compare, time};
use crate::{BATCH, BATCH_BLOCK_ON, Subject, program, usual};

/// Pairs of batches behind each ratio: many and short, so that most of them meet no other process.
const PAIRS: usize = 201;
/// Pairs behind each ratio to a timeout, which takes its time.
const PAIRS_TIMEOUT: usize = 31;

/// Measures and prints the ratios.
pub(crate) fn print(subjects: &[Subject]) {
    let spawned: Vec<Vec<Comparison<'_>>> = Case::ALL.map(|case| against_bare(subjects, case, Seat::Spawned)).into();
    let judged: Vec<Paired> = subjects.iter().map(judged_against_bare).collect();
    let block_on = against_bare(subjects, Case::HandOn, Seat::BlockOn);
    let timeouts: Vec<Paired> = subjects.iter().map(timeout_against_verdict).collect();
    let noise: Vec<Paired> = subjects.iter().map(bare_against_itself).collect();

    println!("\nDriven against written by hand: medians of {PAIRS} pairs of batches, [quartiles] of their ratios.");
    let mut table =
        new_table(&["backend", "scenario", "conductor", "bare us", "driven us", "us/step", "driven/bare", ""]);
    for comparison in spawned.iter().flatten().chain(&block_on) {
        table.add_row(comparison.row());
    }
    println!("{table}");

    let pairs = PAIRS_TIMEOUT;
    println!(
        "\nA deadlock found and told, against a timeout of {TIMEOUT:?}: medians of {pairs} pairs.",
        TIMEOUT = usual::TIMEOUT
    );
    let mut table =
        new_table(&["backend", "bare us", "driven and judged us", "judged/bare", "timeout ms", "timeout/judged", ""]);
    for ((subject, judged), timeout) in subjects.iter().zip(&judged).zip(&timeouts) {
        table.add_row([
            subject.backend.id().to_owned(),
            micros(judged.other.median),
            micros(judged.one.median),
            format!("{:.2}", judged.ratio.median),
            format!("{:.1}", timeout.one.median / 1e6),
            format!("{:.0}", timeout.ratio.median),
            format!("[{:.0}, {:.0}]", timeout.ratio.first, timeout.ratio.third),
        ]);
    }
    println!("{table}");

    println!(
        "\nThe noise of this machine: the twin against itself, and how far the middle half of its batches spreads."
    );
    let mut table = new_table(&["backend", "bare/bare", "", "spread of a batch"]);
    for (subject, noise) in subjects.iter().zip(&noise) {
        table.add_row([
            subject.backend.id().to_owned(),
            format!("{:.2}", noise.ratio.median),
            quartiles(&noise.ratio),
            format!("{:.0} %", noise.one.spread() * 100.0),
        ]);
    }
    println!("{table}");
}

/// One row of the first table.
struct Comparison<'a> {
    subject: &'a Subject,
    case: Case,
    seat: Seat,
    paired: Paired,
}

impl Comparison<'_> {
    fn row(&self) -> [String; 8] {
        let Paired { one, other, ratio } = &self.paired;
        let steps = program(self.case).steps.len() as f64;
        let seat = match self.seat {
            Seat::Spawned => "spawned",
            Seat::BlockOn => "block_on",
        };
        [
            self.subject.backend.id().to_owned(),
            self.case.scenario().to_owned(),
            seat.to_owned(),
            micros(other.median),
            micros(one.median),
            micros(one.median / steps),
            format!("{:.2}", ratio.median),
            quartiles(ratio),
        ]
    }
}

fn against_bare(subjects: &[Subject], case: Case, seat: Seat) -> Vec<Comparison<'_>> {
    let runs = match seat {
        Seat::Spawned => BATCH,
        Seat::BlockOn => BATCH_BLOCK_ON,
    };
    let compared = subjects.iter().map(|subject| {
        let driven = || (time(|| subject.drive(case, seat, runs)), runs);
        let bare = || (time(|| (subject.bare)(case, seat, runs)), runs);
        Comparison { subject, case, seat, paired: compare(PAIRS, driven, bare) }
    });
    compared.collect()
}

fn judged_against_bare(subject: &Subject) -> Paired {
    compare(
        PAIRS,
        || (time(|| subject.drive_and_judge(Case::Reentry, Seat::Spawned, BATCH)), BATCH),
        || (time(|| (subject.bare)(Case::Reentry, Seat::Spawned, BATCH)), BATCH),
    )
}

fn timeout_against_verdict(subject: &Subject) -> Paired {
    compare(
        PAIRS_TIMEOUT,
        || (time(subject.usual), 1),
        || (time(|| subject.drive_and_judge(Case::Reentry, Seat::Spawned, BATCH)), BATCH),
    )
}

fn bare_against_itself(subject: &Subject) -> Paired {
    let batch = || (time(|| (subject.bare)(Case::HandOn, Seat::Spawned, BATCH)), BATCH);
    compare(PAIRS, batch, batch)
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    let is_figure = |name: &str| !matches!(name, "backend" | "scenario" | "conductor" | "");
    for (column, name) in table.column_iter_mut().zip(header) {
        if is_figure(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn micros(nanos: f64) -> String {
    format!("{:.2}", nanos / 1e3)
}

fn quartiles(of: &Quartiles) -> String {
    format!("[{:.2}, {:.2}]", of.first, of.third)
}
