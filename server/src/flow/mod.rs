//! One use case per file. Flows open transactions, ask the kernel, and call other hosts; they never see HTTP types.

pub mod metrics;
pub mod pending;
pub mod readiness;
