//! The Python of this machine, as far as it is only named: by its variable, and in the advice of errors.

/// Advice if there is no Python, or one that cannot make environments.
pub(crate) const NO_PYTHON: &str =
    "install Python 3 with its venv and pip, or name one with the variable KEYALIKE_PYTHON";

/// Returns the Python that environments are made with.
pub(crate) fn python() -> String {
    std::env::var("KEYALIKE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}
