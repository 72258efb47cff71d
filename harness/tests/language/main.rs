//! The scenario language: what is read, what is printed, and what is said of a text that is in error.

mod lint;
mod malformed;
mod robustness;
mod round_trip;
mod strategy;
