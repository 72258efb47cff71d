//! Hands findings over: as scenarios of the suites, or as programs that show them on the bare library.

use std::path::{Path, PathBuf};

use backends::Locks;
use harness::explore::fuzz::Finding;
use harness::explore::fuzz::export::{bare_program, regression};

use crate::failure::Failure;
use crate::output;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A file under `regressions` of the suites, or in the folder of --out
    Scenario,
    /// A folder with a Cargo.toml and a main.rs, for each lock library, that needs nothing but the library
    Rust,
}

/// The arguments that choose an export.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Hand each finding over: as a scenario, or as a program for the bare library
    #[arg(long, value_name = "FORM", value_enum)]
    export: Option<Form>,
}

/// An export that is to be.
#[derive(Debug)]
pub(crate) struct Export {
    form: Form,
    folder: PathBuf,
}

impl Choice {
    /// Makes sure that the folder can be made, before the work that fills it.
    pub(crate) fn check(&self, out: Option<&Path>) -> Result<Option<Export>, Failure> {
        let Some(form) = self.export else { return Ok(None) };
        let folder = match (out, form) {
            (Some(folder), _) => folder.to_owned(),
            (None, Form::Scenario) => suites::root().join("regressions"),
            (None, Form::Rust) => {
                let hint = "name the folder for the programs with --out DIR".to_owned();
                return Err(Failure::Unknown { what: "folder for", name: "--export rust".to_owned(), hint });
            }
        };
        std::fs::create_dir_all(&folder).map_err(|source| Failure::Target { path: folder.clone(), source })?;
        Ok(Some(Export { form, folder }))
    }
}

impl Choice {
    /// Returns the file in which findings are kept, if they are.
    pub(crate) fn findings(&self, out: Option<&Path>) -> Option<PathBuf> {
        out.map(|out| if self.export.is_some() { out.join("findings.json") } else { out.to_owned() })
    }
}

impl Export {
    /// Writes what hands `finding` over, and says where it is.
    pub(crate) fn write(&self, libraries: &[Locks], finding: &Finding) -> Result<(), Failure> {
        let ids: Vec<&str> = libraries.iter().map(|locks| locks.id).collect();
        let scenario = regression(finding, &ids);
        let name = scenario.name.as_str().rsplit('/').next().unwrap_or_default().to_owned();
        match self.form {
            Form::Scenario => {
                let path = self.folder.join(&name).with_extension(harness::suite::EXTENSION);
                output::save(&path, &scenario.to_string())?;
                output::note(&format!("wrote {}", path.display()));
            }
            Form::Rust => {
                for (place, locks) in libraries.iter().enumerate() {
                    let Some(syntax) = backends::syntax(locks.id) else { continue };
                    let folder = self.folder.join(format!("{name}-{}", locks.id));
                    let lines = finding.outcomes.get(place).map_or(&[][..], |lines| &lines[..]);
                    match bare_program(&finding.script, &syntax, locks.subject.1, lines) {
                        Ok(program) => {
                            let source = folder.join("src");
                            let made = std::fs::create_dir_all(&source);
                            made.map_err(|source| Failure::Target { path: folder.clone(), source })?;
                            output::save(&folder.join("Cargo.toml"), &program.manifest)?;
                            output::save(&source.join("main.rs"), &program.main)?;
                            output::note(&format!("wrote {}", folder.display()));
                        }
                        Err(why) => output::note(&format!("{name}: no program for {}: {why}", locks.id)),
                    }
                }
            }
        }
        Ok(())
    }
}
