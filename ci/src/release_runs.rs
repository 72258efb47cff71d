//! Runs scenarios on releases of one package, each in a worker that is made on first use.

use std::path::Path;
use std::sync::Arc;

use harness::backend::Backend;
use harness::isolation::Workshop;
use harness::report::CellReport;
use harness::runner::Options;
use harness::scenario::name::ScenarioName;
use harness::subject::Description;
use harness::suite::Suite;
use releases::error::ReleaseError;
use releases::id::ReleaseId;
use releases::package::Package;
use releases::places::Places;
use releases::resolve::{Release, choose_versions, default_pairs, expand};
use releases::version::Version;

use crate::backend_choice::{BackendChoice, Columns, greet};
use crate::failure::Failure;
use crate::scenario_choice::Programs;
use crate::{cells, output};

/// A package and where its workers are made.
pub(crate) struct ReleaseRuns {
    pub(crate) package: &'static Package,
    pub(crate) places: Places,
}

/// What running a release came to.
pub(crate) enum Ran {
    /// It ran, as this backend: it may pass on the locks of another package or lie beneath them, and may need another runtime
    /// than its neighbours.
    Cells(Vec<CellReport>, Box<Description>),
    /// It could not be had, and its neighbours may be: with the reason.
    Skipped(String),
}

impl ReleaseRuns {
    /// Returns the runs of the package with a name.
    ///
    /// # Errors
    ///
    /// [`Failure::Release`], if there is no such package.
    pub(crate) fn new(package: &str) -> Result<Self, Failure> {
        Ok(Self { package: Package::named(package)?, places: places()? })
    }

    /// Returns the releases that version arguments mean, in their order, each once.
    ///
    /// # Errors
    ///
    /// [`Failure::Release`].
    pub(crate) fn versions(&self, arguments: &[String]) -> Result<Vec<Version>, Failure> {
        Ok(choose_versions(self.package, arguments, &self.places)?)
    }

    /// Returns the pairs of a runtime and locks to run: those that are named, or those that all of `versions` have.
    ///
    /// # Errors
    ///
    /// [`Failure::Release`], for one that the package has not.
    pub(crate) fn pairs(&self, named: &[String], versions: &[Version]) -> Result<Vec<ReleaseId>, Failure> {
        if named.is_empty() {
            return Ok(default_pairs(self.package, versions, &self.places)?);
        }
        named.iter().map(|pair| Ok(ReleaseId::pair(pair, self.package)?)).collect()
    }

    /// Runs scenarios on one release.
    ///
    /// # Errors
    ///
    /// [`Failure::Release`], if it cannot be run for a reason that the next release will have too.
    pub(crate) fn run(&self, pair: &ReleaseId, version: &Version, programs: &Programs) -> Result<Ran, Failure> {
        // A workshop for each release, so that its workers end with it.
        let workers = Arc::new(BackendChoice::default().workshop());
        let options = Options::once(workers);
        match start(&Release::of(pair, version), &self.places, &options.workers) {
            Ok(backend) => {
                let description = Box::new(backend.description().clone());
                Ok(Ran::Cells(cells::run(programs, &[backend], &options, None)?, description))
            }
            Err(failure) if is_of_release(&failure) => Ok(Ran::Skipped(failure.to_string())),
            Err(failure) => Err(failure),
        }
    }
}

/// Returns where workers are made; what takes a while is said on stderr.
///
/// # Errors
///
/// [`Failure::Release`], if the sources are gone.
pub(crate) fn places() -> Result<Places, Failure> {
    let places = Places::new(output::note)?;
    // What it starts to make a worker ends with this program, however that ends.
    Ok(match harness::isolation::own_program() {
        Ok(program) => places.guarded_by(program),
        Err(_) => places,
    })
}

/// Makes the worker of a release, greets it, and returns its backend.
///
/// # Errors
///
/// [`Failure::Release`] or [`Failure::Isolation`].
pub(crate) fn start(release: &Release, places: &Places, workshop: &Workshop) -> Result<Arc<dyn Backend>, Failure> {
    let command = release.prepare(places)?;
    Ok(Arc::new(greet(workshop, command)?.called(&release.id)))
}

/// Returns whether one release alone cannot be had, so that its neighbours may be.
fn is_of_release(failure: &Failure) -> bool {
    match failure {
        Failure::Release(error) => error.is_of_release(),
        // Libraries that do not go together are told by the worker instead of a hello. Any other trouble is its own.
        Failure::Isolation(error) => error.is_refusal(),
        _ => false,
    }
}

/// Starts every release that an id means. Of a range those are left out that cannot be had, and that is said; one that fails
/// for another reason costs its own column.
///
/// # Errors
///
/// [`Failure::Release`] or [`Failure::Isolation`].
pub(crate) fn start_all(id: &str, workshop: &Workshop) -> Result<Columns, Failure> {
    let places = places()?;
    let releases = expand(id, &places)?.unwrap_or_default();
    let mut columns = Columns::default();
    let mut left_out = None;
    for release in &releases {
        match start(release, &places, workshop) {
            Ok(backend) => columns.backends.push(backend),
            Err(failure) if releases.len() > 1 && is_of_release(&failure) => {
                output::note(&format!("{} is left out: {failure}", release.id));
                left_out = Some(failure);
            }
            Err(failure) => columns.lack(&release.id, failure)?,
        }
    }
    match left_out {
        Some(failure) if columns.backends.is_empty() => Err(failure),
        _ => Ok(columns),
    }
}

/// Returns the scenarios that patterns name, or the whole suite.
///
/// # Errors
///
/// As [`choose`](crate::scenario_choice::choose).
pub(crate) fn programs(suite: &Suite, root: &Path, patterns: &[String]) -> Result<Programs, Failure> {
    match patterns {
        [] => Ok(suite.programs.clone()),
        patterns => crate::scenario_choice::choose(suite, root, patterns),
    }
}

/// Returns whether a scenario is one of the many that are generated.
pub(crate) fn is_generated(scenario: &ScenarioName) -> bool {
    crate::scenario_choice::generated_themes().contains(scenario.theme())
}

impl From<ReleaseError> for Failure {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}
