//! Old and new releases of lock libraries as backends: what is published, what a version argument means, and how a
//! release becomes a worker that speaks keyalike's protocol.
//!
//! It knows packages and versions. It knows no scenario and judges nothing.

pub mod bisection;
pub mod cargo_worker;
pub mod change;
pub mod error;
pub mod exclusive;
pub mod id;
pub mod package;
pub mod places;
mod python;
pub mod range;
pub mod registry;
pub mod requirement;
pub mod resolve;
pub mod venv;
pub mod version;
