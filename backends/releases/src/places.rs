//! Where workers come from and where they are kept: the sources of this workspace, and its target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use harness::isolation::guarded;

use crate::error::ReleaseError;
use crate::exclusive::Exclusive;

/// The folders, and who hears of progress.
pub struct Places {
    /// The workspace that this program was built from.
    pub workspace: PathBuf,
    /// Whom to tell what takes a while.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
    target: OnceLock<PathBuf>,
    guard: Option<PathBuf>,
}

impl Places {
    /// Returns the folders of the workspace that this program was built from. `say` hears of what takes a while.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::NoSources`], if they are gone.
    pub fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Result<Self, ReleaseError> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let workspace = path.canonicalize().ok().filter(|path| path.join("harness/Cargo.toml").is_file());
        let workspace = workspace.ok_or(ReleaseError::NoSources { path })?;
        Ok(Self { workspace, say: Box::new(say), target: OnceLock::new(), guard: None })
    }

    /// Has what makes workers started by the command `guard` of `program`, which calls [`guard()`](harness::isolation::guard).
    #[must_use]
    pub fn guarded_by(mut self, program: PathBuf) -> Self {
        self.guard = Some(program);
        self
    }

    /// Runs a program that makes a worker, while `exclusive` is held: by the program too, so that the place is not free
    /// while anything is left of it. It ends with this process, however that ends.
    pub(crate) fn run(&self, command: &Command, exclusive: &Exclusive) -> std::io::Result<Output> {
        let mut guarded = guarded(Path::new(command.get_program()), self.guard.as_deref());
        guarded.args(command.get_args()).stdin(exclusive.share()?);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(name, value),
                None => guarded.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        // The guard ends its whole group, and this process is to have no part in that.
        #[cfg(unix)]
        if self.guard.is_some() {
            std::os::unix::process::CommandExt::process_group(&mut guarded, 0);
        }
        guarded.output()
    }

    /// Returns the target folder of the workspace, as cargo sees it.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::Program`], if cargo does not start.
    pub fn target(&self) -> Result<&Path, ReleaseError> {
        if let Some(target) = self.target.get() {
            return Ok(target);
        }
        let mut command = cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"]);
        command.arg(self.workspace.join("Cargo.toml"));
        let output = command.output().map_err(no_cargo)?;
        let told: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
        let target = told.as_ref().and_then(|told| told["target_directory"].as_str()).map(PathBuf::from);
        Ok(self.target.get_or_init(|| target.unwrap_or_else(|| self.workspace.join("target"))))
    }
}

/// Returns cargo, the one that runs this program where there is one.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns the error of a cargo that does not start.
pub(crate) fn no_cargo(source: std::io::Error) -> ReleaseError {
    ReleaseError::Program { program: "cargo".to_owned(), source, fix: "install Rust, and put cargo into PATH" }
}

/// Returns the lines of what a program said on stderr that tell what is wrong, at most eight, in one line.
pub(crate) fn essentials(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_noise = |line: &&str| {
        let word = line.split(' ').next().unwrap_or_default();
        ["Updating", "Downloading", "Downloaded", "Compiling", "Locking", "Adding", "Blocking", "Checking", "warning:"]
            .contains(&word)
    };
    let told: Vec<&str> = lines.filter(|line| !is_noise(line)).collect();
    let first = told.iter().position(|line| line.to_ascii_lowercase().starts_with("error")).unwrap_or(0);
    told[first..].iter().take(8).copied().collect::<Vec<_>>().join(" / ")
}
