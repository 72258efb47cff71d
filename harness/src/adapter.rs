//! What an adapter of a lock library implements, one file a primitive, and how it becomes an object of the driver and
//! of the explorer.
//!
//! An adapter translates each method into one call of its library. It knows no scenario and decides nothing.

pub mod mutex;
pub mod rwlock;
pub mod semaphore;
