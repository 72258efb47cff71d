//! The report as JSON, and back.

use crate::report::{Report, SCHEMA};

/// A text that is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not the JSON of a report.
    #[error("it is no report: {0}; write one with `keyalike run --format json --out FILE`")]
    Json(#[from] serde_json::Error),
    /// It is of a form that is not known here.
    #[error("it is a report of schema {0}, and only schema {SCHEMA} is known; write it again with this keyalike")]
    Schema(u32),
}

/// Returns the report as JSON, with a line break at the end.
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report has only keys that JSON can write");
    text.push('\n');
    text
}

/// Reads a report that was saved. Fields that are not known are passed over.
///
/// # Errors
///
/// [`ReadError`], if `text` is no report.
pub fn read(text: &str) -> Result<Report, ReadError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: u32,
    }
    let Head { schema } = serde_json::from_str(text)?;
    if schema != SCHEMA {
        return Err(ReadError::Schema(schema));
    }
    Ok(serde_json::from_str(text)?)
}
