//! The words of the mutex.

use crate::primitive::Request;

/// What can be asked of a mutex.
pub const REQUESTS: &[Request] = &[Request::Acquire, Request::TryAcquire, Request::IsLocked, Request::Debug];
